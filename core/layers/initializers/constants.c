/* Zeros, Ones, Constant, Identity. */
#include "core/layers/initializers/initializer.h"

#include <string.h>

static void fill_with(const kfi_filling *filling, float value) {
    for (int64_t i = 0; i < filling->count; i++) filling->out[i] = value;
}

static kf_status fill_zeros(const kfi_filling *filling) {
    fill_with(filling, 0);
    return KF_OK;
}

static kf_status fill_ones(const kfi_filling *filling) {
    fill_with(filling, 1);
    return KF_OK;
}

typedef struct constant_options {
    double value;
} constant_options;

static const kfi_field constant_fields[] = {
    KFI_FIELD(constant_options, value, "value", kfi_field_real, .otherwise = "0.0"),
    KFI_FIELDS_END,
};

static kf_status fill_constant(const kfi_filling *filling) {
    const constant_options *options = filling->options;
    fill_with(filling, (float)options->value);
    return KF_OK;
}

typedef struct identity_options {
    double gain;
} identity_options;

static const kfi_field identity_fields[] = {
    KFI_FIELD(identity_options, gain, "gain", kfi_field_real, .otherwise = "1.0"),
    KFI_FIELDS_END,
};

/* Unit matrices side by side along the longer axis. */
static kf_status fill_identity(const kfi_filling *filling) {
    const identity_options *options = filling->options;
    const kf_shape *shape = filling->shape;
    if (shape->rank != 2)
        return kfi_fail(KF_INVALID,
                        "Identity matrix initializer can only be used for 2D matrices.");
    const int64_t rows = shape->dims[0], columns = shape->dims[1];
    const int64_t small = rows < columns ? rows : columns, large = rows + columns - small;
    if (small > 0 && large % small != 0)
        return kfi_fail(KF_INVALID, "Long side should be multiple of short side.");
    fill_with(filling, 0);
    for (int64_t i = 0; small > 0 && i < large; i++) {
        const int64_t row = rows == large ? i : i % small;
        const int64_t column = rows == large ? i % small : i;
        filling->out[row * columns + column] = (float)options->gain;
    }
    return KF_OK;
}

const kfi_initializer kfi_initializer_zeros = {.name = "Zeros", .fill = fill_zeros};
const kfi_initializer kfi_initializer_ones = {.name = "Ones", .fill = fill_ones};
const kfi_initializer kfi_initializer_constant = {
    .name = "Constant",
    .fields = constant_fields,
    .fill = fill_constant,
};
const kfi_initializer kfi_initializer_identity = {
    .name = "Identity",
    .fields = identity_fields,
    .fill = fill_identity,
};
