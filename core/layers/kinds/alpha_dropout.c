/* AlphaDropout: dropped elements take selu's lowest value p = -alpha scale instead of 0, then all
 * go through a line that brings mean 0 and variance 1 back (Klambauer et al. 2017): y = a (x k + p
 * (1 - k)) + b,   k: 1 where kept, else 0 a = ((1 - rate) (1 + rate p^2))^(-1/2),   b = -a p rate
 */
#include "core/layers/noise.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <math.h>

typedef kf_alpha_dropout_options dropout_options;

/* Keras's get_config has the rate alone. */
static const kfi_field fields[] = {
    KFI_FIELD(dropout_options, rate, "rate", kfi_field_real, .otherwise = "0.0",
              .help = "the fraction that is dropped"),
    KFI_FIELD(dropout_options, noise_shape, "noise_shape", kfi_field_shape, .otherwise = "None",
              .unsaved = true, .help = "the shape of the mask; None: the input's"),
    KFI_FIELD(dropout_options, seed, "seed", kfi_field_integer, .otherwise = "None",
              .unsaved = true, .help = "of the mask; None: the graph's"),
    KFI_FIELDS_END,
};

/* 1 where an element of the mask is kept, else 0. */
static kfi_value kept(const kfi_layer_call *call, const kf_shape *noise) {
    const dropout_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kfi_dropout dropout = {.rate = (float)options->rate,
                                 .stream = kfi_noise_stream(f, options->seed)};
    const kfi_value mask = kfi_dropout_mask(f, noise, &dropout);
    if (kfi_is_none(mask)) return mask;
    return kfi_emit(f, "greater", NULL, mask, kfi_fill(f, &KFI_SCALAR, 0));
}

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
    const kfi_value k = kept(call, &noise);
    if (kfi_is_none(k)) return KF_OK;
    const double p = -KFI_SELU_ALPHA * KFI_SELU_SCALE, rate = options->rate;
    const double a = 1 / sqrt((1 - rate) * (1 + rate * p * p)), b = -a * p * rate;
    const kfi_affine through = {.scale = (float)a};
    const kfi_affine instead = {.scale = (float)(-a * p), .offset = (float)(a * p + b)};
    const kfi_value x = kfi_emit(f, "multiply", NULL, call->in[0], k);
    call->out[0] = kfi_emit(f, "add", NULL, kfi_emit(f, "affine", &through, x),
                            kfi_emit(f, "affine", &instead, k));
    return KF_OK;
}

const kfi_layer_class kfi_layer_alpha_dropout = {
    .name = "AlphaDropout",
    .fields = fields,
    .options_size = sizeof(dropout_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call,
};

kf_layer *kf_alpha_dropout_create(const kf_alpha_dropout_options *options) {
    return kfi_layer_new(&kfi_layer_alpha_dropout, options);
}
