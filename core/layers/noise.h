/* What the layers that make noise in training share: streams and masks of dropout. */
#ifndef KFI_LAYERS_NOISE_H
#define KFI_LAYERS_NOISE_H

#include "core/layers/layer.h"

/* The stream of a layer's noise. Those without a seed (KFI_NO_INTEGER) are numbered; those with one
 * have streams that numbers do not reach, and that do not depend on what else is in the model. */
uint32_t kfi_noise_stream(kfi_formula *formula, int64_t seed);

/* Whether dropout does anything: in training, with a rate within (0, 1). */
bool kfi_dropout_works(const kfi_formula *formula, double rate);

/* The shape of a dropout's mask for an input of this shape: Keras's noise_shape, which ends at its
 * first 0, with KF_ANY for "as the input". Not given: the input's. A mask must stretch to the
 * input. */
kf_status kfi_noise_shape(const int64_t *noise_shape, const kf_shape *input, kf_shape *shape);

/* 1 / (1 - rate) where an element of a mask of this shape is kept, else 0. KFI_NONE while the shape
 * is not fixed (symbolic formulas). */
kfi_value kfi_dropout_mask(kfi_formula *formula, const kf_shape *shape, const kfi_dropout *dropout);

#endif
