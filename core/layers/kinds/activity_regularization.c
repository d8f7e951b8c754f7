/* ActivityRegularization: the identity, whose input's penalty l1 sum |x| + l2 sum x^2 enters the
 * loss. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_activity_regularization_options penalty_options;

static const kfi_field fields[] = {
    KFI_FIELD(penalty_options, l1, "l1", kfi_field_double, .otherwise = "0.0",
              .help = "the weight of the sum of magnitudes"),
    KFI_FIELD(penalty_options, l2, "l2", kfi_field_double, .otherwise = "0.0",
              .help = "the weight of the sum of squares"),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    const penalty_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const kfi_penalty by = {.l1 = (float)options->l1, .l2 = (float)options->l2};
    kfi_add_loss(call->formula, kfi_emit(call->formula, "penalty", &by, call->in[0]));
    call->out[0] = call->in[0];
    return KF_OK;
}

const kfi_layer_class kfi_layer_activity_regularization = {
    .name = "ActivityRegularization",
    .fields = fields,
    .options_size = sizeof(penalty_options),
    .supports_masking = true,
    .call = call,
};

kf_layer *kf_activity_regularization_create(const kf_activity_regularization_options *options) {
    return kfi_layer_new(&kfi_layer_activity_regularization, options);
}
