/* DepthwiseConv2D: each channel is convolved on its own, with depth_multiplier kernels.
 * SeparableConv1D and SeparableConv2D: the same, and then a convolution with a window of 1 that
 * mixes the channels. Chollet 2017. */
#include "core/layers/windows.h"

#define WINDOW(struct_type, axes, paddings, data_format_place, dilation_place)                     \
    KFI_KERNEL_SIZE_FIELD(struct_type, axes), KFI_STRIDES_FIELD(struct_type, axes),                \
        KFI_PADDING_FIELD(struct_type, paddings, 0),                                               \
        KFI_DATA_FORMAT_AT(struct_type, data_format_place),                                        \
        KFI_DILATION_FIELD(struct_type, axes, dilation_place)

#define MULTIPLIER(struct_type, place)                                                             \
    KFI_FIELD(struct_type, depth_multiplier, "depth_multiplier", kfi_field_integer,                \
              .otherwise = "1", .low = 1, .position = (place),                                     \
              .help = "kernels for each channel of the input")

static const kfi_field depthwise_fields[] = {
    /* dilation_rate is not among Keras's positional arguments */
    WINDOW(kf_depthwise_conv2d_options, 2, "valid|same", 5, 15),
    KFI_ACTIVATION_FIELD(kf_depthwise_conv2d_options, .otherwise = "linear", .position = 6),
    KFI_USE_BIAS_AT(kf_depthwise_conv2d_options, 7),
    KFI_INITIALIZER_AT(kf_depthwise_conv2d_options, bias_initializer, "zeros", 9),
    KFI_REGULARIZER_AT(kf_depthwise_conv2d_options, bias_regularizer, 11),
    KFI_REGULARIZER_AT(kf_depthwise_conv2d_options, activity_regularizer, 12),
    KFI_CONSTRAINT_AT(kf_depthwise_conv2d_options, bias_constraint, 14),
    MULTIPLIER(kf_depthwise_conv2d_options, 4),
    KFI_INITIALIZER_AT(kf_depthwise_conv2d_options, depthwise_initializer, "glorot_uniform", 8),
    KFI_REGULARIZER_AT(kf_depthwise_conv2d_options, depthwise_regularizer, 10),
    KFI_CONSTRAINT_AT(kf_depthwise_conv2d_options, depthwise_constraint, 13),
    KFI_FIELDS_END,
};

#define SEPARABLE_FIELDS(struct_type, axes, paddings)                                              \
    KFI_FILTERS_FIELD(struct_type), WINDOW(struct_type, axes, paddings, 5, 6),                     \
        KFI_ACTIVATION_FIELD(struct_type, .otherwise = "linear", .position = 8),                   \
        KFI_USE_BIAS_AT(struct_type, 9),                                                           \
        KFI_INITIALIZER_AT(struct_type, bias_initializer, "zeros", 12),                            \
        KFI_REGULARIZER_AT(struct_type, bias_regularizer, 15),                                     \
        KFI_REGULARIZER_AT(struct_type, activity_regularizer, 16),                                 \
        KFI_CONSTRAINT_AT(struct_type, bias_constraint, 19), MULTIPLIER(struct_type, 7),           \
        KFI_INITIALIZER_AT(struct_type, depthwise_initializer, "glorot_uniform", 10),              \
        KFI_INITIALIZER_AT(struct_type, pointwise_initializer, "glorot_uniform", 11),              \
        KFI_REGULARIZER_AT(struct_type, depthwise_regularizer, 13),                                \
        KFI_REGULARIZER_AT(struct_type, pointwise_regularizer, 14),                                \
        KFI_CONSTRAINT_AT(struct_type, depthwise_constraint, 17),                                  \
        KFI_CONSTRAINT_AT(struct_type, pointwise_constraint, 18), KFI_FIELDS_END

static const kfi_field separable_fields_1d[] = {
    SEPARABLE_FIELDS(kf_separable_conv1d_options, 1, "valid|same|causal"),
};
static const kfi_field separable_fields_2d[] = {
    SEPARABLE_FIELDS(kf_separable_conv2d_options, 2, "valid|same"),
};

/* The depthwise kernel; *out: the channels that it makes. */
static kf_status build_depthwise(kf_layer *layer, const kf_shape *in, int64_t *out) {
    const kfi_windows windows = kfi_layer_windows(layer);
    const int64_t multiplier = kfi_layer_integer(layer, "depth_multiplier");
    kf_shape shape = {.rank = windows.spatial + 2};
    int64_t *channels = &shape.dims[windows.spatial];
    const kf_status status = kfi_windows_channels(layer, in, channels);
    if (status != KF_OK) return status;
    for (int i = 0; i < windows.spatial; i++) shape.dims[i] = windows.size[i];
    shape.dims[windows.spatial + 1] = multiplier;
    if (__builtin_mul_overflow(*channels, multiplier, out))
        return kfi_fail(KF_INVALID, "depth_multiplier is too large");
    return kfi_add_kernel(layer, "depthwise_kernel", "depthwise", &shape);
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    int64_t channels;
    const kf_status status = build_depthwise(layer, &in[0].shape, &channels);
    return status == KF_OK ? kfi_add_bias(layer, &KFI_SHAPE(channels)) : status;
}

static kf_status build_separable(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const int32_t spatial = kfi_layer_windows(layer).spatial;
    const int64_t filters = kfi_layer_integer(layer, "filters");
    kf_shape pointwise = {spatial + 2, {1, 1, 1}};
    kf_status status = build_depthwise(layer, &in[0].shape, &pointwise.dims[spatial]);
    pointwise.dims[spatial + 1] = filters;
    if (status == KF_OK)
        status = kfi_add_kernel(layer, "pointwise_kernel", "pointwise", &pointwise);
    return status == KF_OK ? kfi_add_bias(layer, &KFI_SHAPE(filters)) : status;
}

static kf_status write_depthwise(const kfi_layer_call *call, kfi_value *y) {
    const kfi_windows windows = kfi_layer_windows(call->layer);
    const kf_status status =
        kfi_windows_input(call, call->layer->weights[0]->shape.dims[windows.spatial]);
    if (status != KF_OK) return status;
    const kfi_conv conv = kfi_windows_conv(&windows);
    const kfi_value x = kfi_windows_in(call), kernel = kfi_layer_weight_value(call, 0);
    *y = kfi_emit(call->formula, "depthwise_conv", &conv, x, kernel);
    return KF_OK;
}

static kf_status call(kfi_layer_call *call) {
    kfi_value y;
    const kf_status status = write_depthwise(call, &y);
    if (status == KF_OK) kfi_windows_out(call, y, 1);
    return status;
}

static kf_status call_separable(kfi_layer_call *call) {
    const kfi_conv pointwise = {.spatial = kfi_layer_windows(call->layer).spatial,
                                .stride = {1, 1, 1},
                                .dilation = {1, 1, 1}};
    kfi_value y;
    const kf_status status = write_depthwise(call, &y);
    if (status != KF_OK) return status;
    y = kfi_emit(call->formula, "conv", &pointwise, y, kfi_layer_weight_value(call, 1));
    kfi_windows_out(call, y, 2);
    return KF_OK;
}

const kfi_layer_class kfi_layer_depthwise_conv2d = {
    .name = "DepthwiseConv2D",
    .fields = depthwise_fields,
    .options_size = sizeof(kf_depthwise_conv2d_options),
    .check = kfi_windows_check,
    .build = build,
    .call = call,
};

#define SEPARABLE_CLASS(class_name, struct_type, class_fields)                                     \
    {                                                                                              \
        .name = (class_name), .fields = (class_fields), .options_size = sizeof(struct_type),       \
        .check = kfi_windows_check, .build = build_separable, .call = call_separable,              \
    }

const kfi_layer_class kfi_layer_separable_conv1d =
    SEPARABLE_CLASS("SeparableConv1D", kf_separable_conv1d_options, separable_fields_1d);
const kfi_layer_class kfi_layer_separable_conv2d =
    SEPARABLE_CLASS("SeparableConv2D", kf_separable_conv2d_options, separable_fields_2d);

kf_layer *kf_depthwise_conv2d_create(const kf_depthwise_conv2d_options *options) {
    return kfi_layer_new(&kfi_layer_depthwise_conv2d, options);
}

kf_layer *kf_separable_conv1d_create(const kf_separable_conv1d_options *options) {
    return kfi_layer_new(&kfi_layer_separable_conv1d, options);
}

kf_layer *kf_separable_conv2d_create(const kf_separable_conv2d_options *options) {
    return kfi_layer_new(&kfi_layer_separable_conv2d, options);
}
