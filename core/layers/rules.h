/* What many layers ask of their inputs, in Keras's words, and shapes that ops alone cannot write.
 */
#ifndef KFI_LAYERS_RULES_H
#define KFI_LAYERS_RULES_H

#include "core/layers/layer.h"

/* "Input 0 is incompatible with layer dense_1: expected min_ndim=2, found ndim=1" */
kf_status kfi_input_ndim(const kf_layer *layer, const kf_shape *shape, int ndim);
kf_status kfi_input_min_ndim(const kf_layer *layer, const kf_shape *shape, int min_ndim);
/* The axis that a weight was made for must still have that size; axis counts from the end if
 * negative, and is in the message as it was given. */
kf_status kfi_input_axis(const kf_layer *layer, const kf_shape *shape, int axis, int64_t size);
/* All inputs are float32. */
kf_status kfi_input_floats(const kfi_layer_call *call);

/* Shape of input i of a call: a copy, since types move when values are made. */
kf_shape kfi_input_shape(const kfi_layer_call *call, int32_t i);
/* All of them as Python's list, "[(None, 3), (None, 4)]", cut where it is long. */
void kfi_input_shapes(const kfi_layer_call *call, char *text, size_t size);

/* x under another shape, of which several dimensions may be KF_ANY: a symbolic formula then gets a
 * value that only has that shape. */
kfi_value kfi_reshape_free(kfi_formula *formula, kfi_value x, const kf_shape *shape);

/* (batch, channels, …) to (batch, …, channels) and back, where the data format asks for it. */
bool kfi_channels_first(const char *data_format);
kfi_value kfi_channels_to_last(kfi_formula *formula, kfi_value x);
kfi_value kfi_channels_to_first(kfi_formula *formula, kfi_value x);

#endif
