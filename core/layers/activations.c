/* Activations are ops; one row of the table names each. Keras's JSON has a plain name; arguments,
 * which Keras can only hand to the functions, make it a dict as those of other objects. */
#include "core/layers/activations.h"

#include "core/layers/named_formula.h"
#include "core/layers/options.h"

#include <math.h>

/* --- one name, one op ------------------------------------------------------------------------- */

static kfi_value linear(kfi_formula *formula, const void *options, kfi_value x) {
    (void)formula, (void)options;
    return x;
}
static kfi_value sigmoid(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    return kfi_emit(formula, "sigmoid", NULL, x);
}
static kfi_value tanh_(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    return kfi_emit(formula, "tanh", NULL, x);
}
static kfi_value exponential(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    return kfi_emit(formula, "exp", NULL, x);
}
static kfi_value softplus(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    return kfi_emit(formula, "softplus", NULL, x);
}
static kfi_value softsign(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    return kfi_emit(formula, "softsign", NULL, x);
}
static kfi_value hard_sigmoid(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    return kfi_emit(formula, "hard_sigmoid", NULL, x);
}

/* The self-normalising pair: Klambauer et al. 2017. */
static kfi_value selu(kfi_formula *formula, const void *options, kfi_value x) {
    (void)options;
    const kfi_elu by = {.alpha = (float)KFI_SELU_ALPHA, .scale = (float)KFI_SELU_SCALE};
    return kfi_emit(formula, "elu", &by, x);
}

/* --- with arguments --------------------------------------------------------------------------- */

typedef struct relu_options {
    double alpha, max_value, threshold;
} relu_options;

static const kfi_field relu_fields[] = {
    KFI_FIELD(relu_options, alpha, "alpha", kfi_field_float32, .otherwise = "0.0"),
    KFI_FIELD(relu_options, max_value, "max_value", kfi_field_limit, .otherwise = "None"),
    KFI_FIELD(relu_options, threshold, "threshold", kfi_field_float32, .otherwise = "0.0"),
    KFI_FIELDS_END,
};

static kfi_value relu(kfi_formula *formula, const void *options, kfi_value x) {
    const relu_options *by = options;
    return kfi_relu(formula, (float)by->alpha, (float)by->max_value, (float)by->threshold, x);
}

typedef struct elu_options {
    double alpha;
} elu_options;

static const kfi_field elu_fields[] = {
    KFI_FIELD(elu_options, alpha, "alpha", kfi_field_float32, .otherwise = "1.0"),
    KFI_FIELDS_END,
};

static kfi_value elu(kfi_formula *formula, const void *options, kfi_value x) {
    const kfi_elu by = {.alpha = (float)((const elu_options *)options)->alpha, .scale = 1};
    return kfi_emit(formula, "elu", &by, x);
}

typedef struct softmax_options {
    int64_t axis;
} softmax_options;

static const kfi_field softmax_fields[] = {
    KFI_FIELD(softmax_options, axis, "axis", kfi_field_integer, .otherwise = "-1"),
    KFI_FIELDS_END,
};

static kfi_value softmax(kfi_formula *formula, const void *options, kfi_value x) {
    return kfi_softmax(formula, ((const softmax_options *)options)->axis, x);
}

/* --- what layers have too --------------------------------------------------------------------- */

kfi_value kfi_relu(kfi_formula *formula, float slope, float limit, float threshold, kfi_value x) {
    if (slope == 0 && limit == INFINITY && threshold == 0)
        return kfi_emit(formula, "relu", NULL, x);
    const kfi_clipped_relu by = {.slope = slope, .limit = limit, .threshold = threshold};
    return kfi_emit(formula, "clipped_relu", &by, x);
}

kfi_value kfi_softmax(kfi_formula *formula, int64_t axis, kfi_value x) {
    const kf_shape shape = kfi_type(formula, x)->shape;
    /* Keras does not look at the axis for matrices. */
    const int at = shape.rank == 2 ? 1 : kfi_axis(axis, shape.rank);
    kf_status status = kfi_formula_status(formula);
    if (status == KF_OK && shape.rank < 2)
        status = kfi_fail(KF_INVALID, "Cannot apply softmax to a tensor that is 1D");
    if (status == KF_OK && at < 0)
        status = kfi_fail(KF_INVALID, "axis %lld is outside of the input's shape %s",
                          (long long)axis, kfi_shape_string(&shape));
    if (status == KF_OK) return kfi_emit(formula, "softmax", &(kfi_along){at}, x);
    kfi_formula_fail(formula, status);
    return KFI_NONE;
}

/* --- the table -------------------------------------------------------------------------------- */

static const kfi_named_formula rows[] = {
    {.name = "linear", .write = linear},
    {"relu", NULL, relu_fields, NULL, sizeof(relu_options), relu},
    {.name = "sigmoid", .write = sigmoid},
    {"softmax", NULL, softmax_fields, NULL, sizeof(softmax_options), softmax},
    {.name = "tanh", .write = tanh_},
    {"elu", NULL, elu_fields, NULL, sizeof(elu_options), elu},
    {.name = "selu", .write = selu},
    {.name = "softplus", .write = softplus},
    {.name = "softsign", .write = softsign},
    {.name = "hard_sigmoid", .write = hard_sigmoid},
    {.name = "exponential", .write = exponential},
};

static const kfi_named_formulas activations = {rows, sizeof rows / sizeof *rows};

static kf_status config(const char *name, const kfi_variant *arguments, kfi_variant **json) {
    const kf_status status = kfi_named_config(&activations, name, arguments, json);
    if (status != KF_OK || kfi_variant_count(arguments) > 0) return status;
    kfi_variant_free(*json);
    *json = kfi_variant_string(name);
    return *json ? KF_OK : KF_MEMORY;
}

const kfi_object_kind kfi_activations = {.name = "activation", .config = config};

kfi_value kfi_activate(kfi_formula *formula, const char *name, kfi_value x) {
    return name ? kfi_named_write(&activations, formula, name, x) : x;
}
