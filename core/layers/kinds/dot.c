/* Dot: c = sum_k a[…, k, …] b[…, k, …], sample by sample, over one axis of each; the other axes of
 * a and then those of b remain. Samples become matrices (rows, k) and (k, columns) for the product.
 * normalize: x / sqrt(max(sum x^2, 1e-12)) along the axis first. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_dot_options dot_options;

static const kfi_field fields[] = {
    KFI_FIELD(dot_options, axes, "axes", kfi_field_axes, .count = 2,
              .help = "the axis to sum over, of both or of each"),
    KFI_FIELD(dot_options, normalize, "normalize", kfi_field_bool, .otherwise = "False",
              .help = "divide by the lengths first"),
    KFI_FIELDS_END,
};

/* The axes of both inputs, from 0. */
static kf_status find_axes(const kfi_layer_call *call, int axes[2]) {
    const dot_options *options = call->layer->options;
    for (int i = 0; i < 2; i++) {
        const kf_shape shape = kfi_input_shape(call, i);
        const int64_t asked = i && options->axes[1] ? options->axes[1] : options->axes[0];
        axes[i] = kfi_axis(asked, shape.rank);
        if (axes[i] < 1)
            return kfi_fail(KF_INVALID, "axis %lld is not one of a sample of shape %s",
                            (long long)asked, kfi_shape_string(&shape));
    }
    return KF_OK;
}

static kf_status check_shapes(const kfi_layer_call *call, int axes[2]) {
    if (call->n_in != 2)
        return kfi_fail(KF_INVALID, "A `Dot` layer should be called on a list of 2 inputs.");
    kf_status status = kfi_input_floats(call);
    if (status == KF_OK) status = find_axes(call, axes);
    if (status != KF_OK) return status;
    const kf_shape a = kfi_input_shape(call, 0), b = kfi_input_shape(call, 1);
    const int64_t x = a.dims[axes[0]], y = b.dims[axes[1]];
    if (x != y && x != KF_ANY && y != KF_ANY) {
        const kfi_shape_text text = kfi_shape_print(&b);
        return kfi_fail(KF_INVALID, "Dimension incompatibility %lld != %lld. Layer shapes: %s, %s",
                        (long long)x, (long long)y, kfi_shape_string(&a), text.text);
    }
    if (a.rank + b.rank - 3 > KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "the result would have %d axes; %d are possible",
                        a.rank + b.rank - 3, KF_MAX_RANK);
    return KF_OK;
}

static kfi_value normalized(kfi_formula *f, kfi_value x, int axis) {
    const kfi_reduce along = {.axes = 1u << axis, .keep_dims = true};
    const kfi_value square = kfi_emit(f, "square", NULL, x);
    const kfi_value sum = kfi_emit(f, "reduce_sum", &along, square);
    const kfi_value least = kfi_fill(f, &KFI_SCALAR, 1e-12f);
    const kfi_value length = kfi_emit(f, "sqrt", NULL, kfi_emit(f, "maximum", NULL, sum, least));
    return kfi_emit(f, "divide", NULL, x, length);
}

static int64_t product_without(const kf_shape *shape, int axis) {
    kf_shape rest = {.rank = 0};
    for (int i = 1; i < shape->rank; i++)
        if (i != axis) rest.dims[rest.rank++] = shape->dims[i];
    return kfi_shape_count(&rest);
}

/* x as (batch, rest, k): the axis moved to the end, unless it already stands there or right behind
 * the batch axis, which is the same matrix transposed. */
static kfi_value as_matrices(kfi_formula *f, kfi_value x, int axis, bool *transposed) {
    const kf_shape shape = kfi_type(f, x)->shape;
    const int64_t rest = product_without(&shape, axis), k = shape.dims[axis];
    *transposed = axis == 1 && shape.rank > 2;
    if (!*transposed && axis != shape.rank - 1) {
        kfi_transpose order = {{0}};
        for (int i = 0, at = 0; i < shape.rank; i++)
            if (i != axis) order.permutation[at++] = i;
        order.permutation[shape.rank - 1] = axis;
        x = kfi_emit(f, "transpose", &order, x);
    }
    const kf_shape matrix =
        *transposed ? KFI_SHAPE(shape.dims[0], k, rest) : KFI_SHAPE(shape.dims[0], rest, k);
    return kfi_reshape_free(f, x, &matrix);
}

/* The axes that remain; vectors leave one of size 1. */
static kf_shape result_shape(const kf_shape *a, const kf_shape *b, const int axes[2]) {
    kf_shape shape = {.rank = 1, .dims = {a->dims[0] == KF_ANY ? b->dims[0] : a->dims[0]}};
    for (int i = 1; i < a->rank; i++)
        if (i != axes[0]) shape.dims[shape.rank++] = a->dims[i];
    for (int i = 1; i < b->rank; i++)
        if (i != axes[1]) shape.dims[shape.rank++] = b->dims[i];
    if (shape.rank == 1) shape.dims[shape.rank++] = 1;
    return shape;
}

static kf_status call(kfi_layer_call *call) {
    const dot_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    int axes[2] = {0};
    const kf_status status = check_shapes(call, axes);
    if (status != KF_OK) return status;
    const kf_shape a_shape = kfi_input_shape(call, 0), b_shape = kfi_input_shape(call, 1);
    kfi_value a = call->in[0], b = call->in[1];
    if (options->normalize) {
        a = normalized(f, a, axes[0]);
        b = normalized(f, b, axes[1]);
    }
    kfi_matmul by;
    bool b_has_k_first;
    a = as_matrices(f, a, axes[0], &by.transpose_a);
    b = as_matrices(f, b, axes[1], &b_has_k_first);
    by.transpose_b = !b_has_k_first;
    const kfi_value c = kfi_emit(f, "batch_matmul", &by, a, b);
    const kf_shape shape = result_shape(&a_shape, &b_shape, axes);
    call->out[0] = kfi_reshape_free(f, c, &shape);
    call->out_mask[0] = KFI_NONE;
    return KF_OK;
}

const kfi_layer_class kfi_layer_dot = {
    .name = "Dot",
    .fields = fields,
    .options_size = sizeof(dot_options),
    .min_inputs = 1,
    .max_inputs = -1,
    .supports_masking = true,
    .call = call,
};

kf_layer *kf_dot_create(const kf_dot_options *options) {
    return kfi_layer_new(&kfi_layer_dot, options);
}
