/* GlobalMaxPooling1D, 2D, 3D and GlobalAveragePooling1D, 2D, 3D: over all spatial axes. With a mask
 * GlobalAveragePooling1D is the mean of the steps that count. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_global_pooling_options global_options;

static const kfi_field fields[] = {
    KFI_DATA_FORMAT_FIELD(global_options),
    KFI_FIELDS_END,
};

/* The bits of the spatial axes. */
static uint32_t spatial_axes(const kf_layer *layer, int spatial) {
    const global_options *options = layer->options;
    const uint32_t bits = (1u << spatial) - 1;
    return kfi_channels_first(options->data_format) ? bits << 2 : bits << 1;
}

static kf_status check_input(const kfi_layer_call *call, int spatial) {
    const kf_shape shape = kfi_input_shape(call, 0);
    const kf_status status = kfi_input_ndim(call->layer, &shape, spatial + 2);
    return status == KF_OK ? kfi_input_floats(call) : status;
}

static kf_status reduce(kfi_layer_call *call, int spatial, const char *op) {
    const kf_status status = check_input(call, spatial);
    if (status != KF_OK) return status;
    const kfi_reduce over = {.axes = spatial_axes(call->layer, spatial)};
    call->out[0] = kfi_emit(call->formula, op, &over, call->in[0]);
    return KF_OK;
}

static kf_status call_max_1d(kfi_layer_call *call) { return reduce(call, 1, "reduce_max"); }
static kf_status call_max_2d(kfi_layer_call *call) { return reduce(call, 2, "reduce_max"); }
static kf_status call_max_3d(kfi_layer_call *call) { return reduce(call, 3, "reduce_max"); }
static kf_status call_average_2d(kfi_layer_call *call) { return reduce(call, 2, "reduce_mean"); }
static kf_status call_average_3d(kfi_layer_call *call) { return reduce(call, 3, "reduce_mean"); }

/* sum(x m) / sum(m) with the mask m (batch, steps). */
static kf_status average_masked(kfi_layer_call *call) {
    kfi_formula *f = call->formula;
    const kf_status status = check_input(call, 1);
    if (status != KF_OK) return status;
    const kf_shape shape = kfi_input_shape(call, 0);
    const kf_shape column = KFI_SHAPE(shape.dims[0], shape.dims[1], 1);
    const kfi_value mask = kfi_reshape_free(f, kfi_call_mask(call), &column);
    const kfi_reduce steps = {.axes = 2};
    const kfi_value sum =
        kfi_emit(f, "reduce_sum", &steps, kfi_emit(f, "multiply", NULL, call->in[0], mask));
    call->out[0] = kfi_emit(f, "divide", NULL, sum, kfi_emit(f, "reduce_sum", &steps, mask));
    return KF_OK;
}

static kf_status call_average_1d(kfi_layer_call *call) {
    const global_options *options = call->layer->options;
    const bool masked = !kfi_is_none(kfi_call_mask(call));
    call->out_mask[0] = KFI_NONE;
    if (!masked) return reduce(call, 1, "reduce_mean");
    if (!kfi_channels_first(options->data_format)) return average_masked(call);
    return kfi_fail(KF_INVALID, "a mask needs data_format channels_last: it masks axis 1");
}

#define CLASS(class_name, class_call, masks)                                                       \
    {                                                                                              \
        .name = (class_name), .fields = fields, .options_size = sizeof(global_options),            \
        .call = (class_call), .supports_masking = (masks), .takes_mask = (masks),                  \
    }

const kfi_layer_class kfi_layer_global_max_pooling1d =
    CLASS("GlobalMaxPooling1D", call_max_1d, false);
const kfi_layer_class kfi_layer_global_max_pooling2d =
    CLASS("GlobalMaxPooling2D", call_max_2d, false);
const kfi_layer_class kfi_layer_global_max_pooling3d =
    CLASS("GlobalMaxPooling3D", call_max_3d, false);
const kfi_layer_class kfi_layer_global_average_pooling1d =
    CLASS("GlobalAveragePooling1D", call_average_1d, true);
const kfi_layer_class kfi_layer_global_average_pooling2d =
    CLASS("GlobalAveragePooling2D", call_average_2d, false);
const kfi_layer_class kfi_layer_global_average_pooling3d =
    CLASS("GlobalAveragePooling3D", call_average_3d, false);

kf_layer *kf_global_max_pooling1d_create(const kf_global_max_pooling1d_options *options) {
    return kfi_layer_new(&kfi_layer_global_max_pooling1d, options);
}

kf_layer *kf_global_max_pooling2d_create(const kf_global_max_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_global_max_pooling2d, options);
}

kf_layer *kf_global_max_pooling3d_create(const kf_global_max_pooling3d_options *options) {
    return kfi_layer_new(&kfi_layer_global_max_pooling3d, options);
}

kf_layer *kf_global_average_pooling1d_create(const kf_global_average_pooling1d_options *options) {
    return kfi_layer_new(&kfi_layer_global_average_pooling1d, options);
}

/* Its options struct is a type of its own, of the same layout. */
kf_layer *kf_global_average_pooling2d_create(const kf_global_average_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_global_average_pooling2d, options);
}

kf_layer *kf_global_average_pooling3d_create(const kf_global_average_pooling3d_options *options) {
    return kfi_layer_new(&kfi_layer_global_average_pooling3d, options);
}
