/* Formulas of one value that options name: activations, regularizers and constraints. A kind is a
 * table, one row a name; "l2(0.01)" is looked up there, its arguments are read by a field table,
 * and the row writes itself as ops. */
#ifndef KFI_LAYERS_NAMED_FORMULA_H
#define KFI_LAYERS_NAMED_FORMULA_H

#include "core/base/fields.h"
#include "core/graph/formula.h"

enum { KFI_NAMED_MAX_OPTIONS = 128 };

typedef struct kfi_named_formula {
    const char *name;
    const char *class_name;        /* in Keras's JSON: l2 is an L1L2; NULL: the name */
    const kfi_field *fields;       /* its arguments; NULL: none                      */
    const kfi_field *class_fields; /* the class's, if others: all are in the JSON    */
    size_t options_size;           /* at most KFI_NAMED_MAX_OPTIONS                  */
    kfi_value (*write)(kfi_formula *formula, const void *options, kfi_value x);
} kfi_named_formula;

typedef struct kfi_named_formulas {
    const kfi_named_formula *rows;
    size_t n_rows;
} kfi_named_formulas;

/* For kfi_object_kind.config: {"class_name": …, "config": …}. */
kf_status kfi_named_config(const kfi_named_formulas *kind, const char *name,
                           const kfi_variant *arguments, kfi_variant **json);

/* The formula that `text` names, on x; KFI_NONE and a failed formula if there is none. */
kfi_value kfi_named_write(const kfi_named_formulas *kind, kfi_formula *formula, const char *text,
                          kfi_value x);

#endif
