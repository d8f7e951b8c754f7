/* LocallyConnected1D, LocallyConnected2D: convolutions with weights of their own at each place of
 * the window. Kernel (places, window * in, filters), bias (places…, filters).
 *
 * Keras flattens a patch in the order of the data format, so with channels_first the kernel's rows
 * are (channel, window); and it reshapes the bias, (rows, columns, filters) as made, to
 * (filters, rows, columns) there, which is no transposition. Keras 2.2.4 neither looks at
 * LocallyConnected1D's data_format nor writes it; where it is written, by tf.keras, it is meant. */
#include "core/layers/windows.h"

#include <string.h>

#define BEFORE_DATA_FORMAT(struct_type, axes)                                                      \
    KFI_FILTERS_FIELD(struct_type), KFI_KERNEL_SIZE_FIELD(struct_type, axes),                      \
        KFI_STRIDES_FIELD(struct_type, axes), KFI_PADDING_FIELD(struct_type, "valid|same", 0)
#define FROM_ACTIVATION(struct_type)                                                               \
    KFI_ACTIVATION_FIELD(struct_type, .otherwise = "linear"), KFI_KERNEL_FIELDS(struct_type),      \
        KFI_FIELDS_END

static const kfi_field fields_1d[] = {
    BEFORE_DATA_FORMAT(kf_locally_connected1d_options, 1),
    KFI_FIELD(kf_locally_connected1d_options, data_format, "data_format", kfi_field_choice,
              .otherwise = "channels_last", .choices = "channels_last|channels_first",
              .quiet = true, .help = "where the channels axis stands"),
    FROM_ACTIVATION(kf_locally_connected1d_options),
};

static const kfi_field fields_2d[] = {
    BEFORE_DATA_FORMAT(kf_locally_connected2d_options, 2),
    KFI_DATA_FORMAT_FIELD(kf_locally_connected2d_options),
    FROM_ACTIVATION(kf_locally_connected2d_options),
};

static kf_status check(const kf_layer *layer) {
    if (kfi_layer_windows(layer).padding == KFI_VALID) return KF_OK;
    return kfi_fail(KF_INVALID, "Invalid border mode for %s (only \"valid\" is supported): same",
                    layer->class->name);
}

/* places[]: windows on each axis of an input of this shape. */
static kf_status count_places(const kf_layer *layer, const kf_shape *shape, int64_t *places) {
    const kfi_windows windows = kfi_layer_windows(layer);
    const int64_t *size = shape->dims + (windows.channels_first ? 2 : 1);
    for (int i = 0; i < windows.spatial; i++) {
        if (size[i] == KF_ANY)
            return kfi_fail(KF_INVALID,
                            "The spatial dimensions of the inputs to a %s layer should be "
                            "fully-defined, but layer received the inputs shape %s",
                            layer->class->name, kfi_shape_string(shape));
        places[i] =
            size[i] < windows.size[i] ? 0 : (size[i] - windows.size[i]) / windows.strides[i] + 1;
        if (places[i] < 1)
            return kfi_fail(KF_INVALID, "a window of %lld does not fit into an input of shape %s",
                            (long long)windows.size[i], kfi_shape_string(shape));
    }
    return KF_OK;
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const kfi_windows windows = kfi_layer_windows(layer);
    const int64_t filters = kfi_layer_integer(layer, "filters");
    kf_shape kernel = {3, {1, 1, filters}}, bias = {.rank = windows.spatial + 1};
    kf_status status = kfi_windows_channels(layer, &in[0].shape, &kernel.dims[1]);
    if (status == KF_OK) status = count_places(layer, &in[0].shape, bias.dims);
    if (status != KF_OK) return status;
    bool too_large = false;
    for (int i = 0; i < windows.spatial; i++) {
        too_large = too_large ||
                    __builtin_mul_overflow(kernel.dims[0], bias.dims[i], &kernel.dims[0]) ||
                    __builtin_mul_overflow(kernel.dims[1], windows.size[i], &kernel.dims[1]);
    }
    if (too_large) return kfi_fail(KF_INVALID, "the kernel would be too large");
    bias.dims[windows.spatial] = filters;
    status = kfi_add_kernel(layer, "kernel", "kernel", &kernel);
    return status == KF_OK ? kfi_add_bias(layer, &bias) : status;
}

/* The kernel's rows in the order (window, channel). */
static kfi_value kernel_of(const kfi_layer_call *call, const kfi_windows *windows,
                           int64_t channels) {
    kfi_formula *f = call->formula;
    const kfi_value kernel = kfi_layer_weight_value(call, 0);
    if (!windows->channels_first) return kernel;
    const kf_shape shape = kfi_type(f, kernel)->shape;
    const kf_shape apart =
        KFI_SHAPE(shape.dims[0], channels, shape.dims[1] / channels, shape.dims[2]);
    const kfi_value turned =
        kfi_emit(f, "transpose", (&(kfi_transpose){{0, 2, 1, 3}}), kfi_reshape(f, kernel, &apart));
    return kfi_reshape(f, turned, &shape);
}

static kfi_value bias_of(const kfi_layer_call *call, const kfi_windows *windows) {
    const kfi_value bias = kfi_layer_weight_value(call, 1);
    if (!windows->channels_first) return bias;
    const kf_shape made = kfi_type(call->formula, bias)->shape;
    kf_shape shape = {.rank = made.rank, .dims = {made.dims[made.rank - 1]}};
    for (int i = 1; i < made.rank; i++) shape.dims[i] = made.dims[i - 1];
    return kfi_reshape(call->formula, bias, &shape);
}

static kf_status call(kfi_layer_call *call) {
    const kf_layer *layer = call->layer;
    const kfi_windows windows = kfi_layer_windows(layer);
    const bool has_bias = layer->n_weights > 1;
    const char *const *activation = kfi_layer_option(layer, "activation");
    kfi_local_conv conv = {.spatial = windows.spatial};
    int64_t channels = layer->weights[0]->shape.dims[1];
    for (int i = 0; i < windows.spatial; i++) {
        conv.window[i] = windows.size[i];
        conv.stride[i] = windows.strides[i];
        channels /= windows.size[i];
    }
    const kf_status status = kfi_windows_input(call, channels);
    if (status != KF_OK) return status;
    kfi_formula *f = call->formula;
    const kfi_value kernel = kernel_of(call, &windows, channels);
    kfi_value y = kfi_emit(f, "local_conv", &conv, kfi_windows_in(call), kernel);
    if (windows.channels_first) y = kfi_channels_to_first(f, y);
    if (has_bias) y = kfi_emit(f, "add", NULL, y, bias_of(call, &windows));
    call->out[0] = kfi_activate(f, *activation, y);
    return KF_OK;
}

#define CLASS(class_name, struct_type, class_fields)                                               \
    {                                                                                              \
        .name = (class_name), .fields = (class_fields), .options_size = sizeof(struct_type),       \
        .check = check, .build = build, .call = call,                                              \
    }

const kfi_layer_class kfi_layer_locally_connected1d =
    CLASS("LocallyConnected1D", kf_locally_connected1d_options, fields_1d);
const kfi_layer_class kfi_layer_locally_connected2d =
    CLASS("LocallyConnected2D", kf_locally_connected2d_options, fields_2d);

kf_layer *kf_locally_connected1d_create(const kf_locally_connected1d_options *options) {
    return kfi_layer_new(&kfi_layer_locally_connected1d, options);
}

kf_layer *kf_locally_connected2d_create(const kf_locally_connected2d_options *options) {
    return kfi_layer_new(&kfi_layer_locally_connected2d, options);
}
