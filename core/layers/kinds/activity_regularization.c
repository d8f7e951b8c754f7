/* ActivityRegularization: the identity, whose input's penalty l1 sum |x| + l2 sum x^2 enters the
 * loss. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_activity_regularization_options penalty_options;

static const kfi_field fields[] = {
    KFI_FIELD(penalty_options, l1, "l1", kfi_field_real, .otherwise = "0.0",
              .help = "the weight of the sum of magnitudes"),
    KFI_FIELD(penalty_options, l2, "l2", kfi_field_real, .otherwise = "0.0",
              .help = "the weight of the sum of squares"),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    call->out[0] = call->in[0];
    return kfi_input_floats(call);
}

static kfi_value penalty(const kf_layer *layer, kfi_formula *formula, kfi_value output) {
    const penalty_options *options = layer->options;
    const kfi_penalty by = {.l1 = (float)options->l1, .l2 = (float)options->l2};
    return kfi_emit(formula, "penalty", &by, output);
}

const kfi_layer_class kfi_layer_activity_regularization = {
    .name = "ActivityRegularization",
    .fields = fields,
    .options_size = sizeof(penalty_options),
    .supports_masking = true,
    .call = call,
    .penalty = penalty,
};

kf_layer *kf_activity_regularization_create(const kf_activity_regularization_options *options) {
    return kfi_layer_new(&kfi_layer_activity_regularization, options);
}
