/* Conv1D, Conv2D, Conv3D: cross-correlation of (batch, spatial…, in) with a kernel
 * (window…, in, filters). */
#include "core/layers/windows.h"

#define CONVOLUTION_FIELDS(struct_type, axes, paddings)                                            \
    KFI_FILTERS_FIELD(struct_type), KFI_KERNEL_SIZE_FIELD(struct_type, axes),                      \
        KFI_STRIDES_FIELD(struct_type, axes), KFI_PADDING_FIELD(struct_type, paddings, 0),         \
        KFI_DATA_FORMAT_FIELD(struct_type), KFI_DILATION_FIELD(struct_type, axes, 0),              \
        KFI_ACTIVATION_FIELD(struct_type, .otherwise = "linear"), KFI_KERNEL_FIELDS(struct_type),  \
        KFI_FIELDS_END

static const kfi_field fields_1d[] = {
    CONVOLUTION_FIELDS(kf_conv1d_options, 1, "valid|same|causal"),
};
static const kfi_field fields_2d[] = {CONVOLUTION_FIELDS(kf_conv2d_options, 2, "valid|same")};
static const kfi_field fields_3d[] = {CONVOLUTION_FIELDS(kf_conv3d_options, 3, "valid|same")};

static kf_status check(const kf_layer *layer) {
    const kfi_windows windows = kfi_layer_windows(layer);
    if (windows.padding == KFI_CAUSAL && windows.channels_first)
        return kfi_fail(KF_INVALID, "When using causal padding in `Conv1D`, `data_format` must be "
                                    "\"channels_last\" (temporal data).");
    return kfi_windows_check(layer);
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const kfi_windows windows = kfi_layer_windows(layer);
    const int64_t filters = kfi_layer_integer(layer, "filters");
    kf_shape shape = {.rank = windows.spatial + 2};
    kf_status status = kfi_windows_channels(layer, &in[0].shape, &shape.dims[windows.spatial]);
    for (int i = 0; i < windows.spatial; i++) shape.dims[i] = windows.size[i];
    shape.dims[windows.spatial + 1] = filters;
    if (status == KF_OK) status = kfi_add_kernel(layer, "kernel", "kernel", &shape);
    return status == KF_OK ? kfi_add_bias(layer, &KFI_SHAPE(filters)) : status;
}

static kf_status call(kfi_layer_call *call) {
    const kfi_windows windows = kfi_layer_windows(call->layer);
    const kf_status status =
        kfi_windows_input(call, call->layer->weights[0]->shape.dims[windows.spatial]);
    if (status != KF_OK) return status;
    kfi_conv conv = kfi_windows_conv(&windows);
    conv.exact = kfi_formula_is_exact(call->formula);
    const kfi_value x = kfi_windows_in(call), kernel = kfi_layer_weight_value(call, 0);
    kfi_windows_out(call, kfi_emit(call->formula, "conv", &conv, x, kernel), 1);
    return KF_OK;
}

#define CLASS(class_name, struct_type, class_fields)                                               \
    {                                                                                              \
        .name = (class_name), .fields = (class_fields), .options_size = sizeof(struct_type),       \
        .check = check, .build = build, .call = call,                                              \
    }

const kfi_layer_class kfi_layer_conv1d = CLASS("Conv1D", kf_conv1d_options, fields_1d);
const kfi_layer_class kfi_layer_conv2d = CLASS("Conv2D", kf_conv2d_options, fields_2d);
const kfi_layer_class kfi_layer_conv3d = CLASS("Conv3D", kf_conv3d_options, fields_3d);

kf_layer *kf_conv1d_create(const kf_conv1d_options *options) {
    return kfi_layer_new(&kfi_layer_conv1d, options);
}

kf_layer *kf_conv2d_create(const kf_conv2d_options *options) {
    return kfi_layer_new(&kfi_layer_conv2d, options);
}

kf_layer *kf_conv3d_create(const kf_conv3d_options *options) {
    return kfi_layer_new(&kfi_layer_conv3d, options);
}
