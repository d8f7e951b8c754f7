/* MaxPooling2D and AveragePooling2D over windows of rows and columns. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <string.h>

typedef kf_pooling2d_options pooling_options;

static const kfi_field fields[] = {
    KFI_FIELD(pooling_options, pool_size, "pool_size", kfi_field_sizes, .count = 2, .low = 1,
              .otherwise = "2", .help = "rows and columns of the window"),
    KFI_FIELD(pooling_options, padding, "padding", kfi_field_choice, .choices = "valid|same",
              .otherwise = "valid", .position = 3, .help = "how windows meet the border"),
    KFI_FIELD(pooling_options, strides, "strides", kfi_field_sizes, .count = 2, .low = 1,
              .otherwise = "None", .position = 2, .help = "steps of the window; None: its size"),
    KFI_DATA_FORMAT_FIELD(pooling_options),
    KFI_FIELDS_END,
};

/* No strides means the window's size, and is saved as that. */
static kf_status check(const kf_layer *layer) {
    pooling_options *options = layer->options;
    if (!options->strides[0]) memcpy(options->strides, options->pool_size, sizeof options->strides);
    return KF_OK;
}

static kf_status pool(kfi_layer_call *call, const char *op) {
    const pooling_options *options = call->layer->options;
    const bool channels_first = kfi_channels_first(options->data_format);
    kfi_formula *f = call->formula;
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, 4);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;

    const kfi_pool attributes = {
        .spatial = 2,
        .window = {options->pool_size[0], options->pool_size[1]},
        .stride = {options->strides[0], options->strides[1]},
        .padding = strcmp(options->padding, "same") == 0 ? KFI_SAME : KFI_VALID,
    };
    const kfi_value x = channels_first ? kfi_channels_to_last(f, call->in[0]) : call->in[0];
    const kfi_value y = kfi_emit(f, op, &attributes, x);
    call->out[0] = channels_first ? kfi_channels_to_first(f, y) : y;
    return KF_OK;
}

static kf_status call_max(kfi_layer_call *call) { return pool(call, "max_pool"); }
static kf_status call_average(kfi_layer_call *call) { return pool(call, "average_pool"); }

const kfi_layer_class kfi_layer_max_pooling2d = {
    .name = "MaxPooling2D",
    .fields = fields,
    .options_size = sizeof(pooling_options),
    .check = check,
    .call = call_max,
};

const kfi_layer_class kfi_layer_average_pooling2d = {
    .name = "AveragePooling2D",
    .fields = fields,
    .options_size = sizeof(pooling_options),
    .check = check,
    .call = call_average,
};

kf_layer *kf_max_pooling2d_create(const kf_max_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_max_pooling2d, options);
}

kf_layer *kf_average_pooling2d_create(const kf_average_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_average_pooling2d, options);
}
