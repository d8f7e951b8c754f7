/* Flatten: (batch, a, b, …) to (batch, a b …), channels last whatever the data format. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_flatten_options flatten_options;

static const kfi_field fields[] = {
    KFI_DATA_FORMAT_FIELD(flatten_options),
    KFI_FIELDS_END,
};

static kf_shape without_batch(const kf_shape *shape) {
    kf_shape sample = {.rank = shape->rank - 1};
    for (int i = 1; i < shape->rank; i++) sample.dims[i - 1] = shape->dims[i];
    return sample;
}

static kf_status call(kfi_layer_call *call) {
    const flatten_options *options = call->layer->options;
    const kf_shape shape = kfi_input_shape(call, 0);
    const kf_status status = kfi_input_min_ndim(call->layer, &shape, 3);
    if (status != KF_OK) return status;
    const kf_shape sample = without_batch(&shape);
    const int64_t count = kfi_shape_count(&sample);
    if (count < 0)
        return kfi_fail(KF_INVALID,
                        "The shape of the input to \"Flatten\" is not fully defined (got %s. Make "
                        "sure to pass a complete \"input_shape\" or \"batch_input_shape\" argument "
                        "to the first layer in your model.",
                        kfi_shape_string(&sample));
    kfi_value x = call->in[0];
    if (kfi_channels_first(options->data_format)) x = kfi_channels_to_last(call->formula, x);
    call->out[0] = kfi_reshape(call->formula, x, &KFI_SHAPE(shape.dims[0], count));
    return KF_OK;
}

const kfi_layer_class kfi_layer_flatten = {
    .name = "Flatten",
    .fields = fields,
    .options_size = sizeof(flatten_options),
    .call = call,
};

kf_layer *kf_flatten_create(const kf_flatten_options *options) {
    return kfi_layer_new(&kfi_layer_flatten, options);
}
