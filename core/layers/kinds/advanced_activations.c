/* Activations with parameters that are layers of their own: LeakyReLU, ELU, ThresholdedReLU, ReLU
 * and Softmax; PReLU, whose parameter is learned, is prelu.c. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <math.h>

/* --- LeakyReLU: Maas et al. 2013 -------------------------------------------------------------- */

static const kfi_field leaky_relu_fields[] = {
    KFI_FIELD(kf_leaky_relu_options, alpha, "alpha", kfi_field_float32, .otherwise = "0.3",
              .help = "the slope below 0"),
    KFI_FIELDS_END,
};

static kf_status call_leaky_relu(kfi_layer_call *call) {
    const kf_leaky_relu_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = kfi_relu(call->formula, (float)options->alpha, INFINITY, 0, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_leaky_relu = {
    .name = "LeakyReLU",
    .fields = leaky_relu_fields,
    .options_size = sizeof(kf_leaky_relu_options),
    .supports_masking = true,
    .call = call_leaky_relu,
};

kf_layer *kf_leaky_relu_create(const kf_leaky_relu_options *options) {
    return kfi_layer_new(&kfi_layer_leaky_relu, options);
}

/* --- ELU: Clevert et al. 2015 ----------------------------------------------------------------- */

static const kfi_field elu_fields[] = {
    KFI_FIELD(kf_elu_options, alpha, "alpha", kfi_field_float32, .otherwise = "1.0",
              .help = "how far below 0 it goes"),
    KFI_FIELDS_END,
};

static kf_status call_elu(kfi_layer_call *call) {
    const kf_elu_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const kfi_elu by = {.alpha = (float)options->alpha, .scale = 1};
    call->out[0] = kfi_emit(call->formula, "elu", &by, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_elu = {
    .name = "ELU",
    .fields = elu_fields,
    .options_size = sizeof(kf_elu_options),
    .supports_masking = true,
    .call = call_elu,
};

kf_layer *kf_elu_create(const kf_elu_options *options) {
    return kfi_layer_new(&kfi_layer_elu, options);
}

/* --- ThresholdedReLU: Konda et al. 2014 ------------------------------------------------------- */

static const kfi_field thresholded_relu_fields[] = {
    KFI_FIELD(kf_thresholded_relu_options, theta, "theta", kfi_field_float32, .otherwise = "1.0",
              .help = "what is not above it becomes 0"),
    KFI_FIELDS_END,
};

static kf_status call_thresholded_relu(kfi_layer_call *call) {
    const kf_thresholded_relu_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = kfi_relu(call->formula, 0, INFINITY, (float)options->theta, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_thresholded_relu = {
    .name = "ThresholdedReLU",
    .fields = thresholded_relu_fields,
    .options_size = sizeof(kf_thresholded_relu_options),
    .supports_masking = true,
    .call = call_thresholded_relu,
};

kf_layer *kf_thresholded_relu_create(const kf_thresholded_relu_options *options) {
    return kfi_layer_new(&kfi_layer_thresholded_relu, options);
}

/* --- ReLU ------------------------------------------------------------------------------------- */

static const kfi_field relu_fields[] = {
    KFI_FIELD(kf_relu_options, max_value, "max_value", kfi_field_limit, .otherwise = "None",
              .help = "the largest output; None: there is none"),
    KFI_FIELD(kf_relu_options, negative_slope, "negative_slope", kfi_field_float32,
              .otherwise = "0.0", .help = "the slope below the threshold"),
    KFI_FIELD(kf_relu_options, threshold, "threshold", kfi_field_float32, .otherwise = "0.0",
              .help = "above it the output is the input"),
    KFI_FIELDS_END,
};

static kf_status check_relu(const kf_layer *layer) {
    const kf_relu_options *options = layer->options;
    const bool limit = !(options->max_value >= 0), slope = !(options->negative_slope >= 0);
    if (!limit && !slope) return KF_OK;
    return kfi_fail(KF_INVALID, "%s of ReLU layer cannot be negative value: %g",
                    limit ? "max_value" : "negative_slope",
                    (double)(limit ? options->max_value : options->negative_slope));
}

static kf_status call_relu(kfi_layer_call *call) {
    const kf_relu_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = kfi_relu(call->formula, (float)options->negative_slope,
                            (float)options->max_value, (float)options->threshold, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_relu = {
    .name = "ReLU",
    .fields = relu_fields,
    .options_size = sizeof(kf_relu_options),
    .supports_masking = true,
    .check = check_relu,
    .call = call_relu,
};

kf_layer *kf_relu_create(const kf_relu_options *options) {
    return kfi_layer_new(&kfi_layer_relu, options);
}

/* --- Softmax ---------------------------------------------------------------------------------- */

static const kfi_field softmax_fields[] = {
    KFI_FIELD(kf_softmax_options, axis, "axis", kfi_field_integer, .otherwise = "-1",
              .help = "the axis that sums to 1"),
    KFI_FIELDS_END,
};

static kf_status call_softmax(kfi_layer_call *call) {
    const kf_softmax_options *options = call->layer->options;
    const kf_status status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = kfi_softmax(call->formula, options->axis, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_softmax = {
    .name = "Softmax",
    .fields = softmax_fields,
    .options_size = sizeof(kf_softmax_options),
    .supports_masking = true,
    .call = call_softmax,
};

kf_layer *kf_softmax_create(const kf_softmax_options *options) {
    return kfi_layer_new(&kfi_layer_softmax, options);
}
