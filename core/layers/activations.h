/* Activations by Keras's name, for the option `activation` of layers. */
#ifndef KFI_LAYERS_ACTIVATIONS_H
#define KFI_LAYERS_ACTIVATIONS_H

#include "core/layers/layer.h"

/* For fields: .objects = &kfi_activations. Plain strings in JSON. */
extern const kfi_object_kind kfi_activations;

/* y = activation(x), over the last axis where it works along one. NULL and "linear" are x. */
kfi_value kfi_activate(kfi_formula *formula, const char *activation, kfi_value x);

#define KFI_ACTIVATION_FIELD(struct_type, ...)                                                     \
    KFI_FIELD(struct_type, activation, "activation", kfi_field_object, .choices = "activation",    \
              .objects = &kfi_activations, .help = "relu, sigmoid, softmax …", __VA_ARGS__)

#endif
