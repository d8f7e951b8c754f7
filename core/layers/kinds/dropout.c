/* Dropout: in training a fraction `rate` of the elements becomes 0, the others are divided by
 * 1 - rate; otherwise the identity. Srivastava et al. 2014. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_dropout_options dropout_options;

static const kfi_field fields[] = {
    KFI_FIELD(dropout_options, rate, "rate", kfi_field_real, .low = 0, .high = 1, .otherwise = "0",
              .help = "the fraction that becomes 0"),
    KFI_FIELD(dropout_options, noise_shape, "noise_shape", kfi_field_shape, .otherwise = "None",
              .help = "the shape of the mask; None: the input's"),
    KFI_FIELD(dropout_options, seed, "seed", kfi_field_integer, .otherwise = "None",
              .help = "of the mask; None: the graph's"),
    KFI_FIELDS_END,
};

static kf_status check(const kf_layer *layer) {
    const dropout_options *options = layer->options;
    if (!options->noise_shape[0]) return KF_OK;
    return kfi_fail(KF_INVALID, "noise_shape is not supported yet");
}

/* Dropouts without a seed are numbered; those with one have streams that numbers do not reach, and
 * that do not depend on what else is in the model. */
static uint32_t stream_of(const kfi_layer_call *call) {
    const dropout_options *options = call->layer->options;
    const uint32_t number = kfi_random_stream(call->formula);
    if (options->seed == KFI_NO_INTEGER) return number;
    return kfi_random_block((kfi_random){.key = (uint64_t)options->seed}, 0).word[0] | 0x80000000u;
}

static kf_status call(kfi_layer_call *call) {
    const dropout_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = call->in[0];
    if (!kfi_formula_training(f) || !(options->rate > 0 && options->rate < 1)) return KF_OK;
    const kfi_dropout dropout = {.rate = options->rate, .stream = stream_of(call)};
    call->out[0] = kfi_emit(f, "dropout", &dropout, call->in[0], kfi_random_state(f));
    return KF_OK;
}

const kfi_layer_class kfi_layer_dropout = {
    .name = "Dropout",
    .fields = fields,
    .options_size = sizeof(dropout_options),
    .supports_masking = true,
    .check = check,
    .call = call,
};

kf_layer *kf_dropout_create(const kf_dropout_options *options) {
    return kfi_layer_new(&kfi_layer_dropout, options);
}
