/* Add, Subtract, Multiply, Average, Maximum and Minimum: elementwise over two or more tensors. An
 * input of lower rank gets axes of size 1 after the batch axis, then sizes of 1 stretch. A mask
 * comes out where all masks agree. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

static kf_status check_count(int32_t n_in) {
    if (n_in >= 2) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "A merge layer should be called on a list of at least 2 inputs. Got %d inputs.",
                    n_in);
}

static int64_t stretched(int64_t a, int64_t b) {
    if (a == KF_ANY || b == KF_ANY) return KF_ANY;
    return a == 1 ? b : a;
}

static kf_shape without_batch(const kf_shape *shape) {
    kf_shape sample = {.rank = shape->rank > 0 ? shape->rank - 1 : 0};
    for (int i = 0; i < sample.rank; i++) sample.dims[i] = shape->dims[i + 1];
    return sample;
}

static bool stretch_together(int64_t a, int64_t b) {
    return a == b || a == 1 || b == 1 || a == KF_ANY || b == KF_ANY;
}

/* What the samples of shape a and b become together, aligned at the last axis. */
static kf_status merge_samples(const kf_shape *a, const kf_shape *b, kf_shape *merged) {
    if (a->rank < b->rank) return merge_samples(b, a, merged);
    const int lead = a->rank - b->rank;
    kf_shape result = *a;
    for (int i = 0; i < b->rank; i++) {
        const int64_t x = a->dims[lead + i], y = b->dims[i];
        if (!stretch_together(x, y)) {
            const kfi_shape_text text = kfi_shape_print(b);
            return kfi_fail(KF_INVALID,
                            "Operands could not be broadcast together with shapes %s %s",
                            kfi_shape_string(a), text.text);
        }
        result.dims[lead + i] = stretched(x, y);
    }
    *merged = result;
    return KF_OK;
}

static kf_status check_batches(const kfi_layer_call *call) {
    int64_t batch = KF_ANY;
    char text[600];
    for (int32_t i = 0; i < call->n_in; i++) {
        const kf_shape shape = kfi_input_shape(call, i);
        const int64_t rows = shape.rank > 0 ? shape.dims[0] : KF_ANY;
        if (batch != KF_ANY && rows != KF_ANY && rows != batch) {
            kfi_input_shapes(call, text, sizeof text);
            return kfi_fail(KF_INVALID,
                            "Can not merge tensors with different batch sizes. Got tensors with "
                            "shapes : %s",
                            text);
        }
        if (rows != KF_ANY) batch = rows;
    }
    return KF_OK;
}

static kf_status check_shapes(const kfi_layer_call *call) {
    kf_shape merged = {0};
    kf_status status = check_batches(call);
    for (int32_t i = 0; status == KF_OK && i < call->n_in; i++) {
        const kf_shape shape = kfi_input_shape(call, i), sample = without_batch(&shape);
        status = i ? merge_samples(&merged, &sample, &merged) : (merged = sample, KF_OK);
    }
    return status;
}

static int highest_rank(const kfi_layer_call *call) {
    int highest = 0;
    for (int32_t i = 0; i < call->n_in; i++) {
        const int rank = kfi_input_shape(call, i).rank;
        if (rank > highest) highest = rank;
    }
    return highest;
}

/* Input i with axes of size 1 inserted after the batch axis up to `rank`. */
static kfi_value at_rank(const kfi_layer_call *call, int32_t i, int rank) {
    const kf_shape shape = kfi_input_shape(call, i);
    const int missing = rank - shape.rank;
    if (missing == 0) return call->in[i];
    kf_shape wide = {.rank = rank, .dims = {shape.dims[0]}};
    for (int k = 1; k < rank; k++) wide.dims[k] = k <= missing ? 1 : shape.dims[k - missing];
    return kfi_reshape_free(call->formula, call->in[i], &wide);
}

static kfi_value common_mask(const kfi_layer_call *call) {
    kfi_value mask = KFI_NONE;
    for (int32_t i = 0; i < call->n_in; i++) {
        const kfi_value other = call->in_mask[i];
        if (kfi_is_none(other)) continue;
        mask = kfi_is_none(mask) ? other : kfi_emit(call->formula, "multiply", NULL, mask, other);
    }
    return mask;
}

static kf_status merge(kfi_layer_call *call, const char *op) {
    kf_status status = check_count(call->n_in);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status == KF_OK) status = check_shapes(call);
    if (status != KF_OK) return status;
    const int rank = highest_rank(call);
    kfi_value y = at_rank(call, 0, rank);
    for (int32_t i = 1; i < call->n_in; i++)
        y = kfi_emit(call->formula, op, NULL, y, at_rank(call, i, rank));
    call->out[0] = y;
    call->out_mask[0] = common_mask(call);
    return KF_OK;
}

static bool shapes_are_equal(const kfi_layer_call *call) {
    const kf_shape first = kfi_input_shape(call, 0);
    for (int32_t i = 1; i < call->n_in; i++) {
        const kf_shape shape = kfi_input_shape(call, i);
        if (!kfi_shape_equal(&first, &shape)) return false;
    }
    return true;
}

static kf_status call_add(kfi_layer_call *call) {
    if (call->n_in < 3 || !shapes_are_equal(call)) return merge(call, "add");
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = kfi_emit_list(call->formula, "add_n", NULL, call->in, call->n_in, NULL);
    call->out_mask[0] = common_mask(call);
    return KF_OK;
}

static kf_status call_average(kfi_layer_call *call) {
    const kf_status status = call_add(call);
    if (status != KF_OK) return status;
    const kfi_affine share = {.scale = 1.0f / (float)call->n_in};
    call->out[0] = kfi_emit(call->formula, "affine", &share, call->out[0]);
    return KF_OK;
}

static kf_status call_subtract(kfi_layer_call *call) {
    if (call->n_in != 2)
        return kfi_fail(KF_INVALID,
                        "A `Subtract` layer should be called on exactly 2 inputs. Got %d inputs.",
                        call->n_in);
    return merge(call, "subtract");
}

static kf_status call_multiply(kfi_layer_call *call) { return merge(call, "multiply"); }
static kf_status call_maximum(kfi_layer_call *call) { return merge(call, "maximum"); }
static kf_status call_minimum(kfi_layer_call *call) { return merge(call, "minimum"); }

#define MERGE(class_name, call_)                                                                   \
    {                                                                                              \
        .name = class_name, .options_size = sizeof(kf_merge_options), .min_inputs = 1,             \
        .max_inputs = -1, .supports_masking = true, .call = call_,                                 \
    }

const kfi_layer_class kfi_layer_add = MERGE("Add", call_add);
const kfi_layer_class kfi_layer_subtract = MERGE("Subtract", call_subtract);
const kfi_layer_class kfi_layer_multiply = MERGE("Multiply", call_multiply);
const kfi_layer_class kfi_layer_average = MERGE("Average", call_average);
const kfi_layer_class kfi_layer_maximum = MERGE("Maximum", call_maximum);
const kfi_layer_class kfi_layer_minimum = MERGE("Minimum", call_minimum);

kf_layer *kf_add_create(const kf_add_options *options) {
    return kfi_layer_new(&kfi_layer_add, options);
}

kf_layer *kf_subtract_create(const kf_subtract_options *options) {
    return kfi_layer_new(&kfi_layer_subtract, options);
}

kf_layer *kf_multiply_create(const kf_multiply_options *options) {
    return kfi_layer_new(&kfi_layer_multiply, options);
}

kf_layer *kf_average_create(const kf_average_options *options) {
    return kfi_layer_new(&kfi_layer_average, options);
}

kf_layer *kf_maximum_create(const kf_maximum_options *options) {
    return kfi_layer_new(&kfi_layer_maximum, options);
}

kf_layer *kf_minimum_create(const kf_minimum_options *options) {
    return kfi_layer_new(&kfi_layer_minimum, options);
}
