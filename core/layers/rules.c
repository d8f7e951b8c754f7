#include "core/layers/rules.h"

#include <stdio.h>
#include <string.h>

static kf_status refuse_ndim(const kf_layer *layer, const char *what, int wanted, int found) {
    return kfi_fail(KF_INVALID,
                    "Input 0 is incompatible with layer %s: expected %s=%d, found ndim=%d",
                    layer->name, what, wanted, found);
}

kf_status kfi_input_ndim(const kf_layer *layer, const kf_shape *shape, int ndim) {
    return shape->rank == ndim ? KF_OK : refuse_ndim(layer, "ndim", ndim, shape->rank);
}

kf_status kfi_input_min_ndim(const kf_layer *layer, const kf_shape *shape, int min_ndim) {
    return shape->rank >= min_ndim ? KF_OK : refuse_ndim(layer, "min_ndim", min_ndim, shape->rank);
}

kf_status kfi_input_axis(const kf_layer *layer, const kf_shape *shape, int axis, int64_t size) {
    const int at = kfi_axis(axis, shape->rank);
    if (at >= 0 && (shape->dims[at] == size || shape->dims[at] == KF_ANY)) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "Input 0 is incompatible with layer %s: expected axis %d of input shape to "
                    "have value %lld but got shape %s",
                    layer->name, axis, (long long)size, kfi_shape_string(shape));
}

kf_status kfi_input_floats(const kfi_layer_call *call) {
    for (int32_t i = 0; i < call->n_in; i++) {
        const kf_dtype dtype = kfi_type(call->formula, call->in[i])->dtype;
        if (dtype != KF_FLOAT32)
            return kfi_fail(KF_INVALID, "input %d must be float32, but it is %s", i,
                            kf_dtype_name(dtype));
    }
    return KF_OK;
}

kf_shape kfi_input_shape(const kfi_layer_call *call, int32_t i) {
    return kfi_type(call->formula, call->in[i])->shape;
}

void kfi_input_shapes(const kfi_layer_call *call, char *text, size_t size) {
    size_t length = 0;
    for (int32_t i = 0; i < call->n_in && length < size; i++) {
        const kf_shape shape = kfi_input_shape(call, i);
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "[",
                                   kfi_shape_string(&shape));
    }
    if (length < size) snprintf(text + length, size - length, "]");
}

kfi_value kfi_reshape_free(kfi_formula *formula, kfi_value x, const kf_shape *shape) {
    int n_free = 0;
    for (int i = 0; i < shape->rank; i++) n_free += shape->dims[i] == KF_ANY;
    if (n_free <= 1) return kfi_reshape(formula, x, shape);
    if (kfi_formula_symbolic(formula))
        return kfi_source(formula, "reshaped", kfi_type(formula, x)->dtype, shape);
    kfi_formula_fail(formula, kfi_fail(KF_INVALID, "cannot reshape %s to %s",
                                       kfi_shape_string(&kfi_type(formula, x)->shape),
                                       kfi_shape_string(shape)));
    return KFI_NONE;
}

bool kfi_channels_first(const char *data_format) {
    return data_format && strcmp(data_format, "channels_first") == 0;
}

kfi_value kfi_channels_to_last(kfi_formula *formula, kfi_value x) {
    const int rank = kfi_type(formula, x)->shape.rank;
    kfi_transpose order = {{0}};
    for (int i = 1; i < rank; i++) order.permutation[i] = i + 1 < rank ? i + 1 : 1;
    return kfi_emit(formula, "transpose", &order, x);
}

kfi_value kfi_channels_to_first(kfi_formula *formula, kfi_value x) {
    const int rank = kfi_type(formula, x)->shape.rank;
    kfi_transpose order = {{0}};
    for (int i = 1; i < rank; i++) order.permutation[i] = i == 1 ? rank - 1 : i - 1;
    return kfi_emit(formula, "transpose", &order, x);
}
