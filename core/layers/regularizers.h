/* Regularizers: penalties on weights and outputs that enter the loss, by Keras's names. */
#ifndef KFI_LAYERS_REGULARIZERS_H
#define KFI_LAYERS_REGULARIZERS_H

#include "core/base/fields.h"
#include "core/graph/formula.h"

/* For fields: .objects = &kfi_regularizers. */
extern const kfi_object_kind kfi_regularizers;

/* The penalty on x, a scalar: sums, divided by nothing. */
kfi_value kfi_regularize(kfi_formula *formula, const char *regularizer, kfi_value x);

#endif
