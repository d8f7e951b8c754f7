/* Activations by Keras's name, for the option `activation` of layers. */
#ifndef KFI_LAYERS_ACTIVATIONS_H
#define KFI_LAYERS_ACTIVATIONS_H

#include "core/layers/layer.h"

/* For fields: .objects = &kfi_activations. Plain strings in JSON, unless there are arguments. */
extern const kfi_object_kind kfi_activations;

/* y = activation(x): "relu", "relu(max_value=6)", "softmax(axis=1)". NULL and "linear" are x. */
kfi_value kfi_activate(kfi_formula *formula, const char *activation, kfi_value x);

/* y = x where x > threshold, at most limit (INFINITY: none), else slope (x - threshold). */
kfi_value kfi_relu(kfi_formula *formula, float slope, float limit, float threshold, kfi_value x);
/* Along an axis that counts from the end if negative. */
kfi_value kfi_softmax(kfi_formula *formula, int64_t axis, kfi_value x);

/* Keras's constants of selu and AlphaDropout. */
#define KFI_SELU_ALPHA 1.6732632423543772848170429916717
#define KFI_SELU_SCALE 1.0507009873554804934193349852946

#define KFI_ACTIVATION_FIELD(struct_type, ...)                                                     \
    KFI_FIELD(struct_type, activation, "activation", kfi_field_object, .choices = "activation",    \
              .objects = &kfi_activations, .help = "relu, sigmoid, softmax …", __VA_ARGS__)

#endif
