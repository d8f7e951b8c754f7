/* Rows of field tables that several layers share. */
#ifndef KFI_LAYERS_OPTIONS_H
#define KFI_LAYERS_OPTIONS_H

#include "core/layers/activations.h"
#include "core/layers/constraints.h"
#include "core/layers/initializers/initializer.h"
#include "core/layers/regularizers.h"

/* A kfi_field_float32 that may be None, which is INFINITY in C; int64_t[count] for one axis of each
 * input, a plain number where it is the same for all ({1} in C: the others are 0); a kfi_field_real
 * that is kept to [0, 1]. */
extern const kfi_field_type kfi_field_limit, kfi_field_axes, kfi_field_rate;

#define KFI_REGULARIZER_FIELD(struct_type, member)                                                 \
    KFI_FIELD(struct_type, member, #member, kfi_field_object, .otherwise = "None",                 \
              .choices = "regularizer", .objects = &kfi_regularizers,                              \
              .help = "a penalty that enters the loss")
#define KFI_CONSTRAINT_FIELD(struct_type, member)                                                  \
    KFI_FIELD(struct_type, member, #member, kfi_field_object, .otherwise = "None",                 \
              .choices = "constraint", .objects = &kfi_constraints,                                \
              .help = "what the weight is kept to")

/* use_bias, the initializers, regularizers and constraints of a layer with a kernel and a bias, in
 * Keras's order. */
#define KFI_KERNEL_FIELDS(struct_type)                                                             \
    KFI_FIELD(struct_type, no_bias, "use_bias", kfi_field_not, .otherwise = "True",                \
              .help = "add a bias"),                                                               \
        KFI_INITIALIZER_FIELD(struct_type, kernel_initializer, "glorot_uniform"),                  \
        KFI_INITIALIZER_FIELD(struct_type, bias_initializer, "zeros"),                             \
        KFI_REGULARIZER_FIELD(struct_type, kernel_regularizer),                                    \
        KFI_REGULARIZER_FIELD(struct_type, bias_regularizer),                                      \
        KFI_REGULARIZER_FIELD(struct_type, activity_regularizer),                                  \
        KFI_CONSTRAINT_FIELD(struct_type, kernel_constraint),                                      \
        KFI_CONSTRAINT_FIELD(struct_type, bias_constraint)

#define KFI_DATA_FORMAT_FIELD(struct_type)                                                         \
    KFI_FIELD(struct_type, data_format, "data_format", kfi_field_choice,                           \
              .otherwise = "channels_last", .choices = "channels_last|channels_first",             \
              .help = "where the channels axis stands")

#endif
