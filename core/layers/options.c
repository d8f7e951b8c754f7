/* Types of fields that layers have beyond those of core/base. */
#include "core/layers/options.h"

#include <math.h>

/* --- numbers that may be None ----------------------------------------------------------------- */

static kf_status store_limit(const kfi_field *field, void *member, const kfi_variant *value) {
    if (!kfi_variant_is(value, KFI_NULL)) return kfi_field_float32.store(field, member, value);
    *(double *)member = INFINITY;
    return KF_OK;
}

static kfi_variant *load_limit(const kfi_field *field, const void *member) {
    return isinf(*(const double *)member) ? kfi_variant_null()
                                          : kfi_field_float32.load(field, member);
}

static bool limit_is_unset(const kfi_field *field, const void *member) {
    return kfi_field_float32.is_unset(field, member);
}

static size_t limit_size(const kfi_field *field) { return kfi_field_float32.size(field); }

const kfi_field_type kfi_field_limit = {
    .name = "a number or None",
    .store = store_limit,
    .load = load_limit,
    .is_unset = limit_is_unset,
    .size = limit_size,
};

/* --- rates: min(1, max(0, rate)), as Keras keeps them
 * --------------------------------------------- */

static kf_status store_rate(const kfi_field *field, void *member, const kfi_variant *value) {
    const kf_status status = kfi_field_real.store(field, member, value);
    double *const rate = member;
    if (status == KF_OK) *rate = fmin(1, fmax(0, *rate));
    return status;
}

static kfi_variant *load_rate(const kfi_field *field, const void *member) {
    return kfi_field_real.load(field, member);
}

static bool rate_is_unset(const kfi_field *field, const void *member) {
    return kfi_field_real.is_unset(field, member);
}

static size_t rate_size(const kfi_field *field) { return kfi_field_real.size(field); }

static kfi_variant *typed_rate(const kfi_field *field, const void *member) {
    return kfi_field_real.typed(field, member);
}

const kfi_field_type kfi_field_rate = {
    .name = "a number",
    .holds = "double",
    .store = store_rate,
    .load = load_rate,
    .is_unset = rate_is_unset,
    .size = rate_size,
    .typed = typed_rate,
};

/* --- an axis of each input -------------------------------------------------------------------- */

static kf_status store_axes(const kfi_field *field, void *member, const kfi_variant *value) {
    int64_t *const axes = member;
    if (kfi_variant_is(value, KFI_LIST)) return kfi_field_sizes.store(field, member, value);
    const kf_status status = kfi_field_integer.store(field, axes, value);
    for (int32_t i = 1; i < field->count; i++) axes[i] = 0;
    return status;
}

static kfi_variant *load_axes(const kfi_field *field, const void *member) {
    const int64_t *axes = member;
    for (int32_t i = 1; i < field->count; i++)
        if (axes[i]) return kfi_field_sizes.load(field, member);
    return kfi_field_integer.load(field, member);
}

static bool axes_are_unset(const kfi_field *field, const void *member) {
    return kfi_field_sizes.is_unset(field, member);
}

static size_t axes_size(const kfi_field *field) { return (size_t)field->count * sizeof(int64_t); }

const kfi_field_type kfi_field_axes = {
    .name = "an integer or a list of integers",
    .store = store_axes,
    .load = load_axes,
    .is_unset = axes_are_unset,
    .size = axes_size,
};
