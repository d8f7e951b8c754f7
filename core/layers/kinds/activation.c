/* Activation: an activation as a layer of its own. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_activation_options activation_options;

static const kfi_field fields[] = {
    KFI_ACTIVATION_FIELD(activation_options, .otherwise = NULL),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    const activation_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = kfi_activate(call->formula, options->activation, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_activation = {
    .name = "Activation",
    .fields = fields,
    .options_size = sizeof(activation_options),
    .supports_masking = true,
    .call = call,
};

kf_layer *kf_activation_create(const kf_activation_options *options) {
    return kfi_layer_new(&kfi_layer_activation, options);
}
