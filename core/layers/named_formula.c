#include "core/layers/named_formula.h"

#include "core/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const kfi_named_formula *find(const kfi_named_formulas *kind, const char *name) {
    for (size_t i = 0; i < kind->n_rows; i++)
        if (strcmp(kind->rows[i].name, name) == 0) return &kind->rows[i];
    return NULL;
}

static kf_status refuse(const kfi_named_formulas *kind, const char *name) {
    char known[512];
    size_t length = 0;
    for (size_t i = 0; i < kind->n_rows && length < sizeof known; i++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                                   kind->rows[i].name);
    return kfi_fail(KF_INVALID, "must be one of %s; got '%.80s'", known, name);
}

/* A row with its options, to be released. */
typedef struct parsed {
    const kfi_named_formula *row;
    union {
        char bytes[KFI_NAMED_MAX_OPTIONS];
        int64_t integer;
        double real;
        void *pointer;
    } options;
} parsed;

static void release(parsed *made) {
    if (made->row) kfi_fields_release(made->row->fields, &made->options);
}

static kf_status parse(const kfi_named_formulas *kind, const char *name,
                       const kfi_variant *arguments, parsed *made) {
    memset(made, 0, sizeof *made);
    const kfi_named_formula *row = find(kind, name);
    if (!row) return refuse(kind, name);
    assert(row->options_size <= KFI_NAMED_MAX_OPTIONS);
    made->row = row;
    const kf_status status = kfi_fields_parse(row->fields, arguments, &made->options, NULL, NULL);
    return status == KF_MEMORY ? status : kfi_within(status, "%s: ", name);
}

kf_status kfi_named_config(const kfi_named_formulas *kind, const char *name,
                           const kfi_variant *arguments, kfi_variant **json) {
    parsed made;
    *json = NULL;
    kf_status status = parse(kind, name, arguments, &made);
    kfi_variant *object = status == KF_OK ? kfi_variant_dict() : NULL;
    if (status == KF_OK) {
        const kfi_named_formula *row = made.row;
        const char *class = row->class_name ? row->class_name : row->name;
        const kfi_field *fields = row->class_fields ? row->class_fields : row->fields;
        status = kfi_variant_put(object, "class_name", kfi_variant_string(class));
        if (status == KF_OK)
            status = kfi_variant_put(object, "config", kfi_fields_config(fields, &made.options));
    }
    release(&made);
    if (status == KF_OK)
        *json = object;
    else
        kfi_variant_free(object);
    return status;
}

kfi_value kfi_named_write(const kfi_named_formulas *kind, kfi_formula *formula, const char *text,
                          kfi_value x) {
    char *name = NULL;
    kfi_variant *arguments = NULL;
    parsed made = {0};
    kfi_value y = KFI_NONE;
    kf_status status = kfi_formula_status(formula);
    if (status == KF_OK) status = kfi_object_parse(text, &name, &arguments);
    if (status == KF_OK) status = parse(kind, name, arguments, &made);
    if (status == KF_OK) y = made.row->write(formula, &made.options, x);
    release(&made);
    kfi_free(name);
    kfi_variant_free(arguments);
    if (status != KF_OK) kfi_formula_fail(formula, status);
    return y;
}
