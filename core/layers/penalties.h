/* What regularizers and constraints do to a formula. */
#ifndef KFI_LAYERS_PENALTIES_H
#define KFI_LAYERS_PENALTIES_H

#include "core/layers/layer.h"

/* Adds the penalties on the weights of the layer, and of those inside it, to the loss: once for
 * each weight, however often it is used in this formula. */
void kfi_penalize_weights(kfi_formula *formula, const kf_layer *layer);

/* Adds the penalty of the layer's activity_regularizer, if it has one, on one of its outputs: once
 * for every call. A wrapper's is that of the layer inside, as in Keras, where the call of a layer
 * inside adds nothing by itself. */
void kfi_penalize_activity(kfi_formula *formula, const kf_layer *layer, kfi_value output);

/* Whether this constraint can be put on a weight of this shape. */
kf_status kfi_constraint_check(const char *constraint, const kf_shape *shape);

#endif
