/* Convolutions, pooling, and layers that resize or cut the spatial axes, with Keras 2.2.4's
 * arguments, names and defaults. kf_conv2d, kf_max_pooling2d, kf_average_pooling2d and
 * kf_global_average_pooling2d are in kf/layers.h.
 *
 * Inputs are (batch, spatial…, channels), or (batch, channels, spatial…) with
 * .data_format = "channels_first". Sizes, strides and factors have one number for each spatial
 * axis; {k} stands for k on all of them. Padding is "valid" or "same", for Conv1D also "causal". */
#ifndef KF_LAYERS_CONVOLUTION_H
#define KF_LAYERS_CONVOLUTION_H

#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In options whose zero means something else: none at all. */
#define KF_NO_PADDING (-1)

/* What convolutions take after their window. */
#define KF_KERNEL_OPTIONS                                                                          \
    const char *activation; /* default: linear */                                                  \
    bool no_bias;                                                                                  \
    const char *kernel_initializer, *bias_initializer; /* glorot_uniform, zeros */                 \
    const char *kernel_regularizer, *bias_regularizer, *activity_regularizer;                      \
    const char *kernel_constraint, *bias_constraint

/* Kernel (window…, in, filters), bias (filters). Not both strides and dilation beyond 1. */
typedef struct kf_conv1d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[1];
    int64_t strides[1];  /* 1 */
    const char *padding; /* "causal": no output sees later inputs */
    const char *data_format;
    int64_t dilation_rate[1]; /* 1 */
    KF_KERNEL_OPTIONS;
} kf_conv1d_options;
KF_API kf_layer *kf_conv1d_create(const kf_conv1d_options *options);
#define kf_conv1d(...) KF_LAYER(conv1d, .filters = __VA_ARGS__)

typedef struct kf_conv3d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[3];
    int64_t strides[3];
    const char *padding;
    const char *data_format;
    int64_t dilation_rate[3];
    KF_KERNEL_OPTIONS;
} kf_conv3d_options;
KF_API kf_layer *kf_conv3d_create(const kf_conv3d_options *options);
#define kf_conv3d(...) KF_LAYER(conv3d, .filters = __VA_ARGS__)

/* The gradient of a convolution by its input, as a layer. Kernel (window…, filters, in), bias
 * (filters). n becomes n * stride (same) or n * stride + max(k - stride, 0) (valid) for a (dilated)
 * window of k; with output_padding p, which must be less than the stride, (n - 1) * stride + k + p,
 * less 2 * (k / 2) if same. */
typedef struct kf_conv2d_transpose_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[2];
    int64_t strides[2];
    const char *padding;
    const char *data_format;
    int64_t dilation_rate[2];
    KF_KERNEL_OPTIONS;
    int64_t output_padding[2]; /* default: not given; KF_NO_PADDING says 0 */
} kf_conv2d_transpose_options;
KF_API kf_layer *kf_conv2d_transpose_create(const kf_conv2d_transpose_options *options);
#define kf_conv2d_transpose(...) KF_LAYER(conv2d_transpose, .filters = __VA_ARGS__)

typedef struct kf_conv3d_transpose_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[3];
    int64_t strides[3];
    const char *padding;
    const char *data_format;
    KF_KERNEL_OPTIONS;
    int64_t output_padding[3];
} kf_conv3d_transpose_options;
KF_API kf_layer *kf_conv3d_transpose_create(const kf_conv3d_transpose_options *options);
#define kf_conv3d_transpose(...) KF_LAYER(conv3d_transpose, .filters = __VA_ARGS__)

/* Each channel convolved on its own with depth_multiplier kernels, output channel
 * c * depth_multiplier + j. depthwise_kernel (window…, in, depth_multiplier), bias
 * (in * depth_multiplier). */
typedef struct kf_depthwise_conv2d_options {
    KF_LAYER_OPTIONS;
    int64_t kernel_size[2];
    int64_t strides[2];
    const char *padding;
    const char *data_format;
    int64_t dilation_rate[2];
    const char *activation;
    bool no_bias;
    const char *bias_initializer, *bias_regularizer, *activity_regularizer, *bias_constraint;
    int64_t depth_multiplier; /* 1 */
    const char *depthwise_initializer, *depthwise_regularizer, *depthwise_constraint;
} kf_depthwise_conv2d_options;
KF_API kf_layer *kf_depthwise_conv2d_create(const kf_depthwise_conv2d_options *options);
#define kf_depthwise_conv2d(...) KF_LAYER(depthwise_conv2d, .kernel_size = __VA_ARGS__)

/* A depthwise convolution, then one with a window of 1: depthwise_kernel as above,
 * pointwise_kernel (1…, in * depth_multiplier, filters), bias (filters). */
typedef struct kf_separable_conv1d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[1];
    int64_t strides[1];
    const char *padding;
    const char *data_format;
    int64_t dilation_rate[1];
    const char *activation;
    bool no_bias;
    const char *bias_initializer, *bias_regularizer, *activity_regularizer, *bias_constraint;
    int64_t depth_multiplier; /* 1 */
    const char *depthwise_initializer, *pointwise_initializer;
    const char *depthwise_regularizer, *pointwise_regularizer;
    const char *depthwise_constraint, *pointwise_constraint;
} kf_separable_conv1d_options;
KF_API kf_layer *kf_separable_conv1d_create(const kf_separable_conv1d_options *options);
#define kf_separable_conv1d(...) KF_LAYER(separable_conv1d, .filters = __VA_ARGS__)

typedef struct kf_separable_conv2d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[2];
    int64_t strides[2];
    const char *padding;
    const char *data_format;
    int64_t dilation_rate[2];
    const char *activation;
    bool no_bias;
    const char *bias_initializer, *bias_regularizer, *activity_regularizer, *bias_constraint;
    int64_t depth_multiplier;
    const char *depthwise_initializer, *pointwise_initializer;
    const char *depthwise_regularizer, *pointwise_regularizer;
    const char *depthwise_constraint, *pointwise_constraint;
} kf_separable_conv2d_options;
KF_API kf_layer *kf_separable_conv2d_create(const kf_separable_conv2d_options *options);
#define kf_separable_conv2d(...) KF_LAYER(separable_conv2d, .filters = __VA_ARGS__)

/* Convolutions with weights of their own at each place of the window: kernel
 * (places, window * in, filters), bias (places…, filters). Padding can only be valid. */
typedef struct kf_locally_connected1d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[1];
    int64_t strides[1];
    const char *padding;
    const char *data_format; /* channels_first as in tf.keras: Keras 2.2.4 does not look at it */
    KF_KERNEL_OPTIONS;
} kf_locally_connected1d_options;
KF_API kf_layer *kf_locally_connected1d_create(const kf_locally_connected1d_options *options);
#define kf_locally_connected1d(...) KF_LAYER(locally_connected1d, .filters = __VA_ARGS__)

typedef struct kf_locally_connected2d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[2];
    int64_t strides[2];
    const char *padding;
    const char *data_format;
    KF_KERNEL_OPTIONS;
} kf_locally_connected2d_options;
KF_API kf_layer *kf_locally_connected2d_create(const kf_locally_connected2d_options *options);
#define kf_locally_connected2d(...) KF_LAYER(locally_connected2d, .filters = __VA_ARGS__)

/* The largest, or the mean, of each window; places outside of the input do not count. */
typedef struct kf_pooling1d_options {
    KF_LAYER_OPTIONS;
    int64_t pool_size[1]; /* 2 */
    int64_t strides[1];   /* default: pool_size */
    const char *padding;
    const char *data_format;
} kf_pooling1d_options;
typedef kf_pooling1d_options kf_max_pooling1d_options, kf_average_pooling1d_options;
KF_API kf_layer *kf_max_pooling1d_create(const kf_max_pooling1d_options *options);
KF_API kf_layer *kf_average_pooling1d_create(const kf_average_pooling1d_options *options);
#define kf_max_pooling1d(...)     KF_LAYER(max_pooling1d, __VA_ARGS__)
#define kf_average_pooling1d(...) KF_LAYER(average_pooling1d, __VA_ARGS__)

typedef struct kf_pooling3d_options {
    KF_LAYER_OPTIONS;
    int64_t pool_size[3];
    int64_t strides[3];
    const char *padding;
    const char *data_format;
} kf_pooling3d_options;
typedef kf_pooling3d_options kf_max_pooling3d_options, kf_average_pooling3d_options;
KF_API kf_layer *kf_max_pooling3d_create(const kf_max_pooling3d_options *options);
KF_API kf_layer *kf_average_pooling3d_create(const kf_average_pooling3d_options *options);
#define kf_max_pooling3d(...)     KF_LAYER(max_pooling3d, __VA_ARGS__)
#define kf_average_pooling3d(...) KF_LAYER(average_pooling3d, __VA_ARGS__)

/* The largest, or the mean, of each channel over all spatial axes: (batch, channels).
 * GlobalAveragePooling1D honours a mask: the mean of the steps that count. */
typedef struct kf_global_pooling_options {
    KF_LAYER_OPTIONS;
    const char *data_format;
} kf_global_pooling_options;
typedef kf_global_pooling_options kf_global_max_pooling1d_options, kf_global_max_pooling2d_options,
    kf_global_max_pooling3d_options, kf_global_average_pooling1d_options,
    kf_global_average_pooling3d_options;
KF_API kf_layer *kf_global_max_pooling1d_create(const kf_global_max_pooling1d_options *options);
KF_API kf_layer *kf_global_max_pooling2d_create(const kf_global_max_pooling2d_options *options);
KF_API kf_layer *kf_global_max_pooling3d_create(const kf_global_max_pooling3d_options *options);
KF_API kf_layer *
kf_global_average_pooling1d_create(const kf_global_average_pooling1d_options *options);
KF_API kf_layer *
kf_global_average_pooling3d_create(const kf_global_average_pooling3d_options *options);
#define kf_global_max_pooling1d(...)     KF_LAYER(global_max_pooling1d, __VA_ARGS__)
#define kf_global_max_pooling2d(...)     KF_LAYER(global_max_pooling2d, __VA_ARGS__)
#define kf_global_max_pooling3d(...)     KF_LAYER(global_max_pooling3d, __VA_ARGS__)
#define kf_global_average_pooling1d(...) KF_LAYER(global_average_pooling1d, __VA_ARGS__)
#define kf_global_average_pooling3d(...) KF_LAYER(global_average_pooling3d, __VA_ARGS__)

/* Spatial axes a whole number of times as long: elements repeated or, bilinear, with straight lines
 * between them (as TensorFlow 1: without half pixels or aligned corners). Keras's argument is
 * `size`. */
typedef struct kf_up_sampling1d_options {
    KF_LAYER_OPTIONS;
    int64_t factor; /* 2 */
} kf_up_sampling1d_options;
KF_API kf_layer *kf_up_sampling1d_create(const kf_up_sampling1d_options *options);
#define kf_up_sampling1d(...) KF_LAYER(up_sampling1d, __VA_ARGS__)

typedef struct kf_up_sampling2d_options {
    KF_LAYER_OPTIONS;
    int64_t factors[2]; /* 2 */
    const char *data_format;
    const char *interpolation; /* "nearest" (default) or "bilinear" */
} kf_up_sampling2d_options;
KF_API kf_layer *kf_up_sampling2d_create(const kf_up_sampling2d_options *options);
#define kf_up_sampling2d(...) KF_LAYER(up_sampling2d, __VA_ARGS__)

typedef struct kf_up_sampling3d_options {
    KF_LAYER_OPTIONS;
    int64_t factors[3];
    const char *data_format;
} kf_up_sampling3d_options;
KF_API kf_layer *kf_up_sampling3d_create(const kf_up_sampling3d_options *options);
#define kf_up_sampling3d(...) KF_LAYER(up_sampling3d, __VA_ARGS__)

/* Zeros added at, or elements cut from, the two ends of each spatial axis: {{top, bottom},
 * {left, right}}. All zero means the default; {{KF_NO_PADDING}} that there are none. */
typedef struct kf_zero_padding1d_options {
    KF_LAYER_OPTIONS;
    int64_t padding[2]; /* 1, 1 */
} kf_zero_padding1d_options;
KF_API kf_layer *kf_zero_padding1d_create(const kf_zero_padding1d_options *options);
#define kf_zero_padding1d(...) KF_LAYER(zero_padding1d, __VA_ARGS__)

typedef struct kf_zero_padding2d_options {
    KF_LAYER_OPTIONS;
    int64_t padding[2][2]; /* 1 at all ends */
    const char *data_format;
} kf_zero_padding2d_options;
KF_API kf_layer *kf_zero_padding2d_create(const kf_zero_padding2d_options *options);
#define kf_zero_padding2d(...) KF_LAYER(zero_padding2d, __VA_ARGS__)

typedef struct kf_zero_padding3d_options {
    KF_LAYER_OPTIONS;
    int64_t padding[3][2]; /* 1 at all ends */
    const char *data_format;
} kf_zero_padding3d_options;
KF_API kf_layer *kf_zero_padding3d_create(const kf_zero_padding3d_options *options);
#define kf_zero_padding3d(...) KF_LAYER(zero_padding3d, __VA_ARGS__)

typedef struct kf_cropping1d_options {
    KF_LAYER_OPTIONS;
    int64_t cropping[2]; /* 1, 1 */
} kf_cropping1d_options;
KF_API kf_layer *kf_cropping1d_create(const kf_cropping1d_options *options);
#define kf_cropping1d(...) KF_LAYER(cropping1d, __VA_ARGS__)

typedef struct kf_cropping2d_options {
    KF_LAYER_OPTIONS;
    int64_t cropping[2][2]; /* none */
    const char *data_format;
} kf_cropping2d_options;
KF_API kf_layer *kf_cropping2d_create(const kf_cropping2d_options *options);
#define kf_cropping2d(...) KF_LAYER(cropping2d, __VA_ARGS__)

typedef struct kf_cropping3d_options {
    KF_LAYER_OPTIONS;
    int64_t cropping[3][2]; /* 1 at all ends */
    const char *data_format;
} kf_cropping3d_options;
KF_API kf_layer *kf_cropping3d_create(const kf_cropping3d_options *options);
#define kf_cropping3d(...) KF_LAYER(cropping3d, __VA_ARGS__)

/* Dropout of whole channels: all places of a channel of a sample fall together. */
typedef struct kf_spatial_dropout1d_options {
    KF_LAYER_OPTIONS;
    double rate;
    int64_t noise_shape[KF_MAX_RANK]; /* read and written as Keras does, and not used */
    int64_t seed;                     /* 0: the graph's */
} kf_spatial_dropout1d_options;
KF_API kf_layer *kf_spatial_dropout1d_create(const kf_spatial_dropout1d_options *options);
#define kf_spatial_dropout1d(...) KF_LAYER(spatial_dropout1d, .rate = __VA_ARGS__)

typedef struct kf_spatial_dropout_options {
    KF_LAYER_OPTIONS;
    double rate;
    int64_t noise_shape[KF_MAX_RANK];
    int64_t seed;
    const char *data_format; /* Keras forgets it when it saves; kf does not */
} kf_spatial_dropout_options;
typedef kf_spatial_dropout_options kf_spatial_dropout2d_options, kf_spatial_dropout3d_options;
KF_API kf_layer *kf_spatial_dropout2d_create(const kf_spatial_dropout2d_options *options);
KF_API kf_layer *kf_spatial_dropout3d_create(const kf_spatial_dropout3d_options *options);
#define kf_spatial_dropout2d(...) KF_LAYER(spatial_dropout2d, .rate = __VA_ARGS__)
#define kf_spatial_dropout3d(...) KF_LAYER(spatial_dropout3d, .rate = __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
