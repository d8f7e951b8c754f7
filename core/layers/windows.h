/* What layers share whose windows slide along 1 to 3 spatial axes: convolutions, pooling. Their
 * options are read by Keras's names, whatever struct they stand in, so that one piece of code
 * serves all numbers of axes. */
#ifndef KFI_LAYERS_WINDOWS_H
#define KFI_LAYERS_WINDOWS_H

#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef struct kfi_windows {
    int32_t spatial; /* how many numbers the next three have */
    const int64_t *size, *strides;
    const int64_t *dilation; /* NULL: 1 on all axes */
    kfi_padding padding;
    bool channels_first;
} kfi_windows;

/* From kernel_size or pool_size, strides, dilation_rate, padding and data_format. */
kfi_windows kfi_layer_windows(const kf_layer *layer);

/* The member of the layer's options that Keras calls so; NULL if its class has none. */
const void *kfi_layer_option(const kf_layer *layer, const char *name);
int64_t kfi_layer_integer(const kf_layer *layer, const char *name);

/* Attributes of ops. */
kfi_conv kfi_windows_conv(const kfi_windows *windows);
kfi_pool kfi_windows_pool(const kfi_windows *windows);

/* Not both strides and dilation beyond 1, as TensorFlow has it: the `check` of convolutions. */
kf_status kfi_windows_check(const kf_layer *layer);

/* The channels of an input that weights are to be made for; Keras's messages. */
kf_status kfi_windows_channels(const kf_layer *layer, const kf_shape *shape, int64_t *channels);

/* An input still is what the weights were made for: float32, of the rank, with the channels. */
kf_status kfi_windows_input(const kfi_layer_call *call, int64_t channels);

/* The input with channels last, and a result of a convolution made the output of the call: plus
 * weight `bias` where the layer has a bias, in the layer's data format, activated. */
kfi_value kfi_windows_in(const kfi_layer_call *call);
void kfi_windows_out(kfi_layer_call *call, kfi_value y, int32_t bias);

/* A new weight by the options role_initializer, role_regularizer and role_constraint; the bias, if
 * the layer has one. */
kf_status kfi_add_kernel(kf_layer *layer, const char *name, const char *role,
                         const kf_shape *shape);
kf_status kfi_add_bias(kf_layer *layer, const kf_shape *shape);

/* Rows of field tables. `place` among positional arguments, 0: that in Keras's get_config. */
#define KFI_SIZES_FIELD(struct_type, member, axes, ...)                                            \
    KFI_FIELD(struct_type, member, #member, kfi_field_sizes, .count = (axes), .low = 1, __VA_ARGS__)
#define KFI_FILTERS_FIELD(struct_type)                                                             \
    KFI_FIELD(struct_type, filters, "filters", kfi_field_integer, .low = 1,                        \
              .help = "channels of the output")
#define KFI_KERNEL_SIZE_FIELD(struct_type, axes)                                                   \
    KFI_SIZES_FIELD(struct_type, kernel_size, axes, .help = "sizes of the window")
#define KFI_STRIDES_FIELD(struct_type, axes)                                                       \
    KFI_SIZES_FIELD(struct_type, strides, axes, .otherwise = "1", .help = "steps of the window")
#define KFI_DILATION_FIELD(struct_type, axes, place)                                               \
    KFI_SIZES_FIELD(struct_type, dilation_rate, axes, .otherwise = "1", .position = (place),       \
                    .help = "distance of the window's elements")
#define KFI_PADDING_FIELD(struct_type, kinds, place)                                               \
    KFI_FIELD(struct_type, padding, "padding", kfi_field_choice, .choices = kinds,                 \
              .otherwise = "valid", .position = (place), .help = "how windows meet the border")
#define KFI_DATA_FORMAT_AT(struct_type, place)                                                     \
    KFI_FIELD(struct_type, data_format, "data_format", kfi_field_choice,                           \
              .otherwise = "channels_last", .choices = "channels_last|channels_first",             \
              .position = (place), .help = "where the channels axis stands")
#define KFI_USE_BIAS_AT(struct_type, place)                                                        \
    KFI_FIELD(struct_type, no_bias, "use_bias", kfi_field_not, .otherwise = "True",                \
              .position = (place), .help = "add a bias")
#define KFI_INITIALIZER_AT(struct_type, member, initializer, place)                                \
    KFI_FIELD(struct_type, member, #member, kfi_field_object, .choices = "initializer",            \
              .objects = &kfi_initializers, .otherwise = (initializer), .position = (place),       \
              .help = "zeros, ones, glorot_uniform, he_normal(seed=1) …")
#define KFI_REGULARIZER_AT(struct_type, member, place)                                             \
    KFI_FIELD(struct_type, member, #member, kfi_field_object, .choices = "regularizer",            \
              .objects = &kfi_regularizers, .otherwise = "None", .position = (place),              \
              .help = "a penalty that enters the loss")
#define KFI_CONSTRAINT_AT(struct_type, member, place)                                              \
    KFI_FIELD(struct_type, member, #member, kfi_field_object, .choices = "constraint",             \
              .objects = &kfi_constraints, .otherwise = "None", .position = (place),               \
              .help = "what the weight is kept to")

#endif
