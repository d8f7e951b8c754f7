/* With n the norm of w over some axes, sqrt(sum w^2), kept as axes of size 1, and e = 1e-7:
 *     MaxNorm      w clip(n, 0, max) / (e + n)
 *     UnitNorm     w / (e + n)
 *     MinMaxNorm   w (rate clip(n, min, max) + (1 - rate) n) / (e + n)
 *     NonNeg       w where w >= 0, else 0 */
#include "core/layers/constraints.h"

#include "core/base/field_internal.h"
#include "core/layers/named_formula.h"

#define EPSILON 1e-7f

/* --- axes: one number, or a list; Keras writes what it was given ------------------------------ */

typedef struct axes {
    int64_t axis[KF_MAX_RANK];
    int32_t count;
    bool is_list;
} axes;

static bool store_axis(const kfi_variant *value, axes *to) {
    if (!kfi_variant_is(value, KFI_INTEGER) || to->count == KF_MAX_RANK) return false;
    to->axis[to->count++] = kfi_variant_to_integer(value, 0);
    return true;
}

static kf_status store_axes(const kfi_field *field, void *member, const kfi_variant *value) {
    (void)field;
    axes made = {.is_list = kfi_variant_is(value, KFI_LIST)};
    bool good = made.is_list || store_axis(value, &made);
    for (int64_t i = 0; good && made.is_list && i < kfi_variant_count(value); i++)
        good = store_axis(kfi_variant_at(value, i), &made);
    if (!good || made.count == 0) return kfi_expected("an integer or a list of integers", value);
    *(axes *)member = made;
    return KF_OK;
}

static kfi_variant *load_axes(const kfi_field *field, const void *member) {
    (void)field;
    const axes *from = member;
    if (!from->is_list) return kfi_variant_integer(from->axis[0]);
    kfi_variant *list = kfi_variant_list();
    for (int32_t i = 0; i < from->count; i++)
        if (kfi_variant_append(list, kfi_variant_integer(from->axis[i])) != KF_OK) {
            kfi_variant_free(list);
            return NULL;
        }
    return list;
}

static bool axes_are_unset(const kfi_field *field, const void *member) {
    (void)field;
    return ((const axes *)member)->count == 0;
}

static size_t axes_size(const kfi_field *field) {
    (void)field;
    return sizeof(axes);
}

static const kfi_field_type field_axes = {
    .name = "an integer or a list of integers",
    .store = store_axes,
    .load = load_axes,
    .is_unset = axes_are_unset,
    .size = axes_size,
};

/* --- norms ------------------------------------------------------------------------------------ */

typedef struct norm_options {
    double low, high, rate;
    axes axes;
} norm_options;

#define AXIS KFI_FIELD(norm_options, axes, "axis", field_axes, .otherwise = "0")

static const kfi_field max_norm_fields[] = {
    KFI_FIELD(norm_options, high, "max_value", kfi_field_real, .otherwise = "2"),
    AXIS,
    KFI_FIELDS_END,
};
static const kfi_field unit_norm_fields[] = {AXIS, KFI_FIELDS_END};
static const kfi_field min_max_norm_fields[] = {
    KFI_FIELD(norm_options, low, "min_value", kfi_field_real, .otherwise = "0.0"),
    KFI_FIELD(norm_options, high, "max_value", kfi_field_real, .otherwise = "1.0"),
    KFI_FIELD(norm_options, rate, "rate", kfi_field_real, .otherwise = "1.0"),
    AXIS,
    KFI_FIELDS_END,
};

static kfi_value scaled(kfi_formula *formula, float scale, float offset, kfi_value x) {
    const kfi_affine by = {.scale = scale, .offset = offset};
    return kfi_emit(formula, "affine", &by, x);
}

static kfi_value norm_of(kfi_formula *formula, const axes *over, kfi_value w) {
    const kf_shape shape = kfi_type(formula, w)->shape;
    kfi_reduce reduce = {.keep_dims = true};
    for (int32_t i = 0; i < over->count; i++) {
        const int axis = kfi_axis(over->axis[i], shape.rank);
        if (axis < 0) {
            kfi_formula_fail(formula, kfi_fail(KF_INVALID,
                                               "axis %lld is outside of a weight of "
                                               "shape %s",
                                               (long long)over->axis[i], kfi_shape_string(&shape)));
            return KFI_NONE;
        }
        reduce.axes |= 1u << axis;
    }
    const kfi_value square = kfi_emit(formula, "square", NULL, w);
    return kfi_emit(formula, "sqrt", NULL, kfi_emit(formula, "reduce_sum", &reduce, square));
}

static kfi_value clip(kfi_formula *formula, double low, double high, kfi_value x) {
    const kfi_value least = kfi_fill(formula, &KFI_SCALAR, (float)low);
    const kfi_value most = kfi_fill(formula, &KFI_SCALAR, (float)high);
    const kfi_value below = kfi_emit(formula, "minimum", NULL, x, most);
    return kfi_emit(formula, "maximum", NULL, below, least);
}

/* w desired / (e + n) */
static kfi_value rescale(kfi_formula *formula, kfi_value w, kfi_value norm, kfi_value desired) {
    const kfi_value factor =
        kfi_emit(formula, "divide", NULL, desired, scaled(formula, 1, EPSILON, norm));
    return kfi_emit(formula, "multiply", NULL, w, factor);
}

static kfi_value max_norm(kfi_formula *formula, const void *options, kfi_value w) {
    const norm_options *by = options;
    const kfi_value norm = norm_of(formula, &by->axes, w);
    return rescale(formula, w, norm, clip(formula, 0, by->high, norm));
}

static kfi_value unit_norm(kfi_formula *formula, const void *options, kfi_value w) {
    const norm_options *by = options;
    const kfi_value norm = norm_of(formula, &by->axes, w);
    return kfi_emit(formula, "divide", NULL, w, scaled(formula, 1, EPSILON, norm));
}

static kfi_value min_max_norm(kfi_formula *formula, const void *options, kfi_value w) {
    const norm_options *by = options;
    const kfi_value norm = norm_of(formula, &by->axes, w);
    const kfi_value inside =
        scaled(formula, (float)by->rate, 0, clip(formula, by->low, by->high, norm));
    const kfi_value outside = scaled(formula, (float)(1 - by->rate), 0, norm);
    return rescale(formula, w, norm, kfi_emit(formula, "add", NULL, inside, outside));
}

static kfi_value non_neg(kfi_formula *formula, const void *options, kfi_value w) {
    (void)options;
    return kfi_emit(formula, "relu", NULL, w);
}

/* --- the table -------------------------------------------------------------------------------- */

#define MAX_NORM     "MaxNorm", max_norm_fields, NULL, sizeof(norm_options), max_norm
#define UNIT_NORM    "UnitNorm", unit_norm_fields, NULL, sizeof(norm_options), unit_norm
#define MIN_MAX_NORM "MinMaxNorm", min_max_norm_fields, NULL, sizeof(norm_options), min_max_norm
#define NON_NEG      "NonNeg", NULL, NULL, 0, non_neg

static const kfi_named_formula rows[] = {
    {"MaxNorm", MAX_NORM},        {"NonNeg", NON_NEG},
    {"UnitNorm", UNIT_NORM},      {"max_norm", MAX_NORM},
    {"MinMaxNorm", MIN_MAX_NORM}, {"non_neg", NON_NEG},
    {"unit_norm", UNIT_NORM},     {"min_max_norm", MIN_MAX_NORM},
    {"maxnorm", MAX_NORM},        {"nonneg", NON_NEG},
    {"unitnorm", UNIT_NORM},
};

static const kfi_named_formulas constraints = {rows, sizeof rows / sizeof *rows};

static kf_status config(const char *name, const kfi_variant *arguments, kfi_variant **json) {
    return kfi_named_config(&constraints, name, arguments, json);
}

const kfi_object_kind kfi_constraints = {.name = "constraint", .config = config};

kfi_value kfi_constrain(kfi_formula *formula, const char *constraint, kfi_value w) {
    return kfi_named_write(&constraints, formula, constraint, w);
}
