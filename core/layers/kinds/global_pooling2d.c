/* GlobalAveragePooling2D: the mean over rows and columns. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_global_average_pooling2d_options global_options;

static const kfi_field fields[] = {
    KFI_DATA_FORMAT_FIELD(global_options),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    const global_options *options = call->layer->options;
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, 4);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const kfi_reduce mean = {
        .axes = kfi_channels_first(options->data_format) ? 1u << 2 | 1u << 3 : 1u << 1 | 1u << 2,
    };
    call->out[0] = kfi_emit(call->formula, "reduce_mean", &mean, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_global_average_pooling2d = {
    .name = "GlobalAveragePooling2D",
    .fields = fields,
    .options_size = sizeof(global_options),
    .call = call,
};

kf_layer *kf_global_average_pooling2d_create(const kf_global_average_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_global_average_pooling2d, options);
}
