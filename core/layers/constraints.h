/* Constraints: what a weight is kept to after each update, by Keras's names. */
#ifndef KFI_LAYERS_CONSTRAINTS_H
#define KFI_LAYERS_CONSTRAINTS_H

#include "core/base/fields.h"
#include "core/graph/formula.h"

/* For fields: .objects = &kfi_constraints. */
extern const kfi_object_kind kfi_constraints;

/* The value next to w (in the constraint's sense) that satisfies it. */
kfi_value kfi_constrain(kfi_formula *formula, const char *constraint, kfi_value w);

#endif
