/* Conv2D: cross-correlation of (batch, rows, columns, in) with a kernel (kh, kw, in, filters). */
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <string.h>

typedef kf_conv2d_options conv2d_options;

static const kfi_field fields[] = {
    KFI_FIELD(conv2d_options, filters, "filters", kfi_field_integer, .low = 1,
              .help = "channels of the output"),
    KFI_FIELD(conv2d_options, kernel_size, "kernel_size", kfi_field_sizes, .count = 2, .low = 1,
              .help = "rows and columns of the window"),
    KFI_FIELD(conv2d_options, strides, "strides", kfi_field_sizes, .count = 2, .low = 1,
              .otherwise = "1", .help = "steps of the window"),
    KFI_FIELD(conv2d_options, padding, "padding", kfi_field_choice, .choices = "valid|same",
              .otherwise = "valid", .help = "how windows meet the border"),
    KFI_DATA_FORMAT_FIELD(conv2d_options),
    KFI_FIELD(conv2d_options, dilation_rate, "dilation_rate", kfi_field_sizes, .count = 2, .low = 1,
              .otherwise = "1", .help = "distance of the window's elements"),
    KFI_ACTIVATION_FIELD(conv2d_options, .otherwise = "linear"),
    KFI_KERNEL_FIELDS(conv2d_options),
    KFI_FIELDS_END,
};

static kf_status check(const kf_layer *layer) {
    const conv2d_options *options = layer->options;
    const bool strides = options->strides[0] > 1 || options->strides[1] > 1;
    const bool dilates = options->dilation_rate[0] > 1 || options->dilation_rate[1] > 1;
    if (!strides || !dilates) return KF_OK;
    return kfi_fail(KF_INVALID, "strides > 1 not supported in conjunction with dilation_rate > 1");
}

static int channel_axis(const conv2d_options *options) {
    return kfi_channels_first(options->data_format) ? 1 : -1;
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const conv2d_options *options = layer->options;
    const kf_shape *shape = &in[0].shape;
    kf_status status = kfi_input_ndim(layer, shape, 4);
    if (status != KF_OK) return status;
    const int64_t channels = shape->dims[kfi_axis(channel_axis(options), 4)];
    if (channels == KF_ANY)
        return kfi_fail(KF_INVALID,
                        "The channel dimension of the inputs should be defined. Found `None`.");
    const kf_shape kernel_shape =
        KFI_SHAPE(options->kernel_size[0], options->kernel_size[1], channels, options->filters);
    const kfi_weight_options kernel = {options->kernel_initializer, options->kernel_regularizer,
                                       options->kernel_constraint, false};
    status = kfi_layer_add_weight(layer, "kernel", &kernel_shape, &kernel);
    if (status != KF_OK || options->no_bias) return status;
    const kfi_weight_options bias = {options->bias_initializer, options->bias_regularizer,
                                     options->bias_constraint, false};
    return kfi_layer_add_weight(layer, "bias", &KFI_SHAPE(options->filters), &bias);
}

static kf_status check_input(const kfi_layer_call *call) {
    const conv2d_options *options = call->layer->options;
    const kf_shape shape = kfi_input_shape(call, 0);
    const int64_t channels = call->layer->weights[0]->shape.dims[2];
    kf_status status = kfi_input_ndim(call->layer, &shape, 4);
    if (status == KF_OK)
        status = kfi_input_axis(call->layer, &shape, channel_axis(options), channels);
    return status == KF_OK ? kfi_input_floats(call) : status;
}

static kfi_conv attributes_of(const conv2d_options *options) {
    return (kfi_conv){
        .spatial = 2,
        .stride = {options->strides[0], options->strides[1]},
        .dilation = {options->dilation_rate[0], options->dilation_rate[1]},
        .padding = strcmp(options->padding, "same") == 0 ? KFI_SAME : KFI_VALID,
    };
}

static kf_status call(kfi_layer_call *call) {
    const conv2d_options *options = call->layer->options;
    const bool channels_first = kfi_channels_first(options->data_format);
    kfi_formula *f = call->formula;
    const kf_status status = check_input(call);
    if (status != KF_OK) return status;

    const kfi_conv conv = attributes_of(options);
    const kfi_value x = channels_first ? kfi_channels_to_last(f, call->in[0]) : call->in[0];
    kfi_value y = kfi_emit(f, "conv", &conv, x, kfi_layer_weight_value(call, 0));
    if (!options->no_bias) y = kfi_emit(f, "bias_add", NULL, y, kfi_layer_weight_value(call, 1));
    if (channels_first) y = kfi_channels_to_first(f, y);
    call->out[0] = kfi_activate(f, options->activation, y);
    return KF_OK;
}

const kfi_layer_class kfi_layer_conv2d = {
    .name = "Conv2D",
    .fields = fields,
    .options_size = sizeof(conv2d_options),
    .check = check,
    .build = build,
    .call = call,
};

kf_layer *kf_conv2d_create(const kf_conv2d_options *options) {
    return kfi_layer_new(&kfi_layer_conv2d, options);
}
