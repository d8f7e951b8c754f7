/* GaussianNoise, y = x + n, and GaussianDropout, y = x n (Srivastava et al. 2014), with normal n;
 * in training only. */
#include "core/layers/noise.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <math.h>

/* Normal numbers, one for each element of the input. */
static kfi_value normal(const kfi_layer_call *call, double mean, double deviation) {
    const kfi_random_normal_of by = {.shape = kfi_input_shape(call, 0),
                                     .mean = (float)mean,
                                     .deviation = (float)deviation,
                                     .stream = kfi_noise_stream(call->formula, KFI_NO_INTEGER)};
    return kfi_emit(call->formula, "random_normal", &by, kfi_random_state(call->formula));
}

static const kfi_field noise_fields[] = {
    KFI_FIELD(kf_gaussian_noise_options, stddev, "stddev", kfi_field_real, .otherwise = "0.0",
              .help = "the standard deviation"),
    KFI_FIELDS_END,
};

static kf_status call_noise(kfi_layer_call *call) {
    const kf_gaussian_noise_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = call->in[0];
    if (kfi_formula_training(call->formula))
        call->out[0] =
            kfi_emit(call->formula, "add", NULL, call->in[0], normal(call, 0, options->stddev));
    return KF_OK;
}

const kfi_layer_class kfi_layer_gaussian_noise = {
    .name = "GaussianNoise",
    .fields = noise_fields,
    .options_size = sizeof(kf_gaussian_noise_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call_noise,
};

kf_layer *kf_gaussian_noise_create(const kf_gaussian_noise_options *options) {
    return kfi_layer_new(&kfi_layer_gaussian_noise, options);
}

static const kfi_field dropout_fields[] = {
    KFI_FIELD(kf_gaussian_dropout_options, rate, "rate", kfi_field_real, .otherwise = "0.0",
              .help = "the rate of a Dropout of the same deviation"),
    KFI_FIELDS_END,
};

static kf_status call_dropout(kfi_layer_call *call) {
    const kf_gaussian_dropout_options *options = call->layer->options;
    const double rate = options->rate;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = call->in[0];
    if (kfi_dropout_works(call->formula, rate))
        call->out[0] = kfi_emit(call->formula, "multiply", NULL, call->in[0],
                                normal(call, 1, sqrt(rate / (1 - rate))));
    return KF_OK;
}

const kfi_layer_class kfi_layer_gaussian_dropout = {
    .name = "GaussianDropout",
    .fields = dropout_fields,
    .options_size = sizeof(kf_gaussian_dropout_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call_dropout,
};

kf_layer *kf_gaussian_dropout_create(const kf_gaussian_dropout_options *options) {
    return kfi_layer_new(&kfi_layer_gaussian_dropout, options);
}
