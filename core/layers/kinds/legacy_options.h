/* Rows of field tables that MaxoutDense and Highway share: the names of Keras 1. `at` is the first
 * one's place among positional arguments. */
#ifndef KFI_LAYERS_LEGACY_OPTIONS_H
#define KFI_LAYERS_LEGACY_OPTIONS_H

#include "core/layers/windows.h"

#define KFI_LEGACY_FIELDS(struct_type, at)                                                         \
    KFI_REGULARIZER_AT(struct_type, W_regularizer, at),                                            \
        KFI_REGULARIZER_AT(struct_type, b_regularizer, (at) + 1),                                  \
        KFI_REGULARIZER_AT(struct_type, activity_regularizer, (at) + 2),                           \
        KFI_CONSTRAINT_AT(struct_type, W_constraint, (at) + 3),                                    \
        KFI_CONSTRAINT_AT(struct_type, b_constraint, (at) + 4),                                    \
        KFI_FIELD(struct_type, no_bias, "bias", kfi_field_not, .otherwise = "True",                \
                  .position = (at) + 5, .help = "add a bias"),                                     \
        KFI_FIELD(struct_type, input_dim, "input_dim", kfi_field_integer, .otherwise = "None",     \
                  .position = (at) + 6, .help = "numbers in the input"),                           \
        KFI_FIELDS_END

#endif
