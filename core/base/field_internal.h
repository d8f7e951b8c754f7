/* What field_numbers.c and field_texts.c share. */
#ifndef KFI_BASE_FIELD_INTERNAL_H
#define KFI_BASE_FIELD_INTERNAL_H

#include "core/base/fields.h"

#include <string.h>

static inline kf_status kfi_expected(const char *what, const kfi_variant *got) {
    char text[160];
    kfi_value_print(got, text, sizeof text);
    return kfi_fail(KF_INVALID, "must be %s; got %s", what, text);
}

static inline bool kfi_default_is_none(const kfi_field *field) {
    return field->otherwise && strcmp(field->otherwise, "None") == 0;
}

#endif
