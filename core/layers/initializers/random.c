/* RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling. */
#include "core/layers/initializers/initializer.h"

#include <math.h>
#include <string.h>

#define SEED_FIELD(options) KFI_FIELD(options, seed, "seed", kfi_field_integer, .otherwise = "None")

/* --- normal, truncated beyond two deviations or not ------------------------------------------- */

typedef struct normal_options {
    int64_t seed;
    double mean, deviation;
} normal_options;

static const kfi_field normal_fields[] = {
    KFI_FIELD(normal_options, mean, "mean", kfi_field_real, .otherwise = "0.0"),
    KFI_FIELD(normal_options, deviation, "stddev", kfi_field_real, .otherwise = "0.05"),
    SEED_FIELD(normal_options),
    KFI_FIELDS_END,
};

static void fill_normal(const kfi_filling *filling, float cut) {
    const normal_options *options = filling->options;
    kfi_random_normal(filling->stream, (float)options->mean, (float)options->deviation, cut,
                      filling->out, filling->count);
}

static kf_status fill_random_normal(const kfi_filling *filling) {
    fill_normal(filling, 0);
    return KF_OK;
}

static kf_status fill_truncated_normal(const kfi_filling *filling) {
    fill_normal(filling, 2);
    return KF_OK;
}

const kfi_initializer kfi_initializer_random_normal = {
    .name = "RandomNormal",
    .fields = normal_fields,
    .random = true,
    .fill = fill_random_normal,
};

const kfi_initializer kfi_initializer_truncated_normal = {
    .name = "TruncatedNormal",
    .fields = normal_fields,
    .random = true,
    .fill = fill_truncated_normal,
};

/* --- uniform ---------------------------------------------------------------------------------- */

typedef struct uniform_options {
    int64_t seed;
    double low, high;
} uniform_options;

static const kfi_field uniform_fields[] = {
    KFI_FIELD(uniform_options, low, "minval", kfi_field_real, .otherwise = "-0.05"),
    KFI_FIELD(uniform_options, high, "maxval", kfi_field_real, .otherwise = "0.05"),
    SEED_FIELD(uniform_options),
    KFI_FIELDS_END,
};

static kf_status fill_uniform(const kfi_filling *filling) {
    const uniform_options *options = filling->options;
    kfi_random_uniform(filling->stream, (float)options->low, (float)options->high, filling->out,
                       filling->count);
    return KF_OK;
}

const kfi_initializer kfi_initializer_random_uniform = {
    .name = "RandomUniform",
    .fields = uniform_fields,
    .random = true,
    .fill = fill_uniform,
};

/* --- variance scaling ------------------------------------------------------------------------- */

/* variance = scale / n, with n the number of inputs, of outputs or their mean:
 *
 *     uniform: limit = sqrt(3 scale / n)
 *     normal, cut at two deviations: deviation = sqrt(scale / n) / 0.8796…
 *
 * where 0.8796… is the deviation that a unit normal has when it is cut there. Glorot and Bengio
 * 2010 (fan_avg); He et al. 2015 (fan_in, scale 2); LeCun et al. 1998 (fan_in). */
#define CUT_NORMAL_DEVIATION .87962566103423978

typedef struct scaling_options {
    int64_t seed;
    double scale;
    char *mode, *distribution;
} scaling_options;

static const kfi_field scaling_fields[] = {
    KFI_FIELD(scaling_options, scale, "scale", kfi_field_real, .otherwise = "1.0", .low = 1e-300,
              .high = 1e300),
    KFI_FIELD(scaling_options, mode, "mode", kfi_field_choice, .otherwise = "fan_in",
              .choices = "fan_in|fan_out|fan_avg"),
    KFI_FIELD(scaling_options, distribution, "distribution", kfi_field_choice,
              .otherwise = "normal", .choices = "normal|uniform"),
    SEED_FIELD(scaling_options),
    KFI_FIELDS_END,
};

typedef struct fans {
    double in, out;
} fans;

/* A kernel's last two axes are in and out, those before are the window. */
static fans fans_of(const kf_shape *shape) {
    const int rank = shape->rank;
    if (rank < 2 || rank > 5) {
        const double root = sqrt((double)kfi_shape_count(shape));
        return (fans){root, root};
    }
    const double window = (double)kfi_shape_product(shape, 0, rank - 2);
    return (fans){window * (double)shape->dims[rank - 2], window * (double)shape->dims[rank - 1]};
}

static double fan_for(const char *mode, const kf_shape *shape) {
    const fans n = fans_of(shape);
    if (strcmp(mode, "fan_in") == 0) return fmax(1, n.in);
    if (strcmp(mode, "fan_out") == 0) return fmax(1, n.out);
    return fmax(1, (n.in + n.out) / 2);
}

static kf_status fill_scaled(const kfi_filling *filling) {
    const scaling_options *options = filling->options;
    const double variance = options->scale / fan_for(options->mode, filling->shape);
    const float limit = (float)sqrt(3 * variance);
    const float deviation = (float)(sqrt(variance) / CUT_NORMAL_DEVIATION);
    if (strcmp(options->distribution, "uniform") == 0)
        kfi_random_uniform(filling->stream, -limit, limit, filling->out, filling->count);
    else
        kfi_random_normal(filling->stream, 0, deviation, 2, filling->out, filling->count);
    return KF_OK;
}

const kfi_initializer kfi_initializer_variance_scaling = {
    .name = "VarianceScaling",
    .fields = scaling_fields,
    .random = true,
    .fill = fill_scaled,
};
