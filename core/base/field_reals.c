/* The type of fields that are lists of numbers: double[count] in C, the rest 0. */
#include "core/base/field_internal.h"

#include <math.h>
#include <stdio.h>

static kf_status store_reals(const kfi_field *field, void *member, const kfi_variant *value) {
    double *const reals = member;
    char what[64];
    snprintf(what, sizeof what, "a list of at most %d numbers", (int)field->count);
    memset(reals, 0, (size_t)field->count * sizeof *reals);
    if (kfi_variant_is(value, KFI_NULL) && kfi_default_is_none(field)) return KF_OK;
    const int64_t count = kfi_variant_count(value);
    if (!kfi_variant_is(value, KFI_LIST) || count > field->count) return kfi_expected(what, value);
    for (int64_t i = 0; i < count; i++) {
        reals[i] = kfi_variant_to_real(kfi_variant_at(value, i), (double)NAN);
        if (!isfinite(reals[i])) return kfi_expected(what, value);
    }
    return KF_OK;
}

static bool reals_are_unset(const kfi_field *field, const void *member) {
    const double *reals = member;
    for (int32_t i = 0; i < field->count; i++)
        if (reals[i] != 0) return false;
    return true;
}

static kfi_variant *load_reals(const kfi_field *field, const void *member) {
    const double *reals = member;
    if (reals_are_unset(field, member) && kfi_default_is_none(field)) return kfi_variant_null();
    int32_t count = field->count;
    while (count > 0 && reals[count - 1] == 0) count--;
    kfi_variant *list = kfi_variant_list();
    for (int32_t i = 0; i < count; i++)
        if (kfi_variant_append(list, kfi_variant_real(reals[i])) != KF_OK) {
            kfi_variant_free(list);
            return NULL;
        }
    return list;
}

static size_t reals_size(const kfi_field *field) { return (size_t)field->count * sizeof(double); }

const kfi_field_type kfi_field_reals = {
    .name = "a list of numbers",
    .store = store_reals,
    .load = load_reals,
    .is_unset = reals_are_unset,
    .size = reals_size,
};
