/* Dropout: in training a fraction `rate` of the elements becomes 0, the others are divided by
 * 1 - rate; otherwise the identity. Srivastava et al. 2014. With a noise_shape one decision stands
 * for all elements along the axes of size 1. */
#include "core/layers/noise.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_dropout_options dropout_options;

static const kfi_field fields[] = {
    KFI_FIELD(dropout_options, rate, "rate", kfi_field_rate, .otherwise = "0",
              .help = "the fraction that becomes 0"),
    KFI_FIELD(dropout_options, noise_shape, "noise_shape", kfi_field_shape, .otherwise = "None",
              .help = "the shape of the mask; None: the input's"),
    KFI_FIELD(dropout_options, seed, "seed", kfi_field_integer, .otherwise = "None",
              .help = "of the mask; None: the graph's"),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    const dropout_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_shape noise;
    kf_status status = kfi_input_floats(call);
    if (status == KF_OK) status = kfi_noise_shape(options->noise_shape, &shape, &noise);
    if (status != KF_OK) return status;
    call->out[0] = call->in[0];
    if (!kfi_dropout_works(f, options->rate)) return KF_OK;
    const kfi_dropout dropout = {.rate = (float)options->rate,
                                 .stream = kfi_noise_stream(f, options->seed)};
    if (kfi_shape_equal(&noise, &shape)) {
        call->out[0] = kfi_emit(f, "dropout", &dropout, call->in[0], kfi_random_state(f));
        return KF_OK;
    }
    const kfi_value mask = kfi_dropout_mask(f, &noise, &dropout);
    if (!kfi_is_none(mask)) call->out[0] = kfi_emit(f, "multiply", NULL, call->in[0], mask);
    return KF_OK;
}

const kfi_layer_class kfi_layer_dropout = {
    .name = "Dropout",
    .fields = fields,
    .options_size = sizeof(dropout_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call,
};

kf_layer *kf_dropout_create(const kf_dropout_options *options) {
    return kfi_layer_new(&kfi_layer_dropout, options);
}
