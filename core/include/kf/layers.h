/* Layers, with Keras 2.2.4's arguments, names and defaults; booleans are named so that false is
 * Keras's default. Every maker is a macro that fills an options struct and calls a function, which
 * other languages can bind to. Names and options are copied.
 *
 * Activations, initializers, regularizers and constraints are given by name, with arguments where
 * they take some: "relu", "he_normal", "random_normal(stddev=0.01)". */
#ifndef KF_LAYERS_H
#define KF_LAYERS_H

#include "kf/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What every layer takes. */
#define KF_LAYER_OPTIONS                                                                           \
    size_t size;                                                                                   \
    const char *name; /* NULL: the class in snake case and a number, dense_1 */                    \
    bool frozen       /* trainable=False */

#define KF_LAYER(layer, ...) kf_##layer##_create(KF_OPTIONS(kf_##layer##_options, __VA_ARGS__))

/* Any layer by Keras's class name and keyword arguments: kf_layer_named("Dense", "units=64,
 * activation='relu'"). Unknown classes and arguments are errors that list the known ones. */
KF_API kf_layer *kf_layer_named(const char *class_name, const char *arguments);

/* Dense: y = activation(x kernel + bias) over the last axis; kernel (in, units), bias (units). */
typedef struct kf_dense_options {
    KF_LAYER_OPTIONS;
    int64_t units;
    const char *activation; /* default: linear */
    bool no_bias;
    const char *kernel_initializer, *bias_initializer; /* glorot_uniform, zeros */
    const char *kernel_regularizer, *bias_regularizer, *activity_regularizer;
    const char *kernel_constraint, *bias_constraint;
} kf_dense_options;
KF_API kf_layer *kf_dense_create(const kf_dense_options *options);
#define kf_dense(...) KF_LAYER(dense, .units = __VA_ARGS__)

/* Conv2D: x (batch, rows, columns, in) by kernel (kh, kw, in, filters), bias (filters). A size or
 * stride of one number {k} stands for both axes. */
typedef struct kf_conv2d_options {
    KF_LAYER_OPTIONS;
    int64_t filters;
    int64_t kernel_size[2];
    int64_t strides[2];       /* 1 */
    const char *padding;      /* "valid" (default) or "same" */
    const char *data_format;  /* "channels_last" (default) or "channels_first" */
    int64_t dilation_rate[2]; /* 1 */
    const char *activation;
    bool no_bias;
    const char *kernel_initializer, *bias_initializer;
    const char *kernel_regularizer, *bias_regularizer, *activity_regularizer;
    const char *kernel_constraint, *bias_constraint;
} kf_conv2d_options;
KF_API kf_layer *kf_conv2d_create(const kf_conv2d_options *options);
#define kf_conv2d(...) KF_LAYER(conv2d, .filters = __VA_ARGS__)

typedef struct kf_pooling2d_options {
    KF_LAYER_OPTIONS;
    int64_t pool_size[2]; /* 2 */
    int64_t strides[2];   /* default: pool_size */
    const char *padding;
    const char *data_format;
} kf_pooling2d_options;
typedef kf_pooling2d_options kf_max_pooling2d_options, kf_average_pooling2d_options;
KF_API kf_layer *kf_max_pooling2d_create(const kf_max_pooling2d_options *options);
KF_API kf_layer *kf_average_pooling2d_create(const kf_average_pooling2d_options *options);
#define kf_max_pooling2d(...)     KF_LAYER(max_pooling2d, __VA_ARGS__)
#define kf_average_pooling2d(...) KF_LAYER(average_pooling2d, __VA_ARGS__)

/* Mean over rows and columns: (batch, rows, columns, c) -> (batch, c). */
typedef struct kf_global_average_pooling2d_options {
    KF_LAYER_OPTIONS;
    const char *data_format;
} kf_global_average_pooling2d_options;
KF_API kf_layer *
kf_global_average_pooling2d_create(const kf_global_average_pooling2d_options *options);
#define kf_global_average_pooling2d(...) KF_LAYER(global_average_pooling2d, __VA_ARGS__)

/* (batch, a, b, …) -> (batch, a b …). Needs at least one axis to flatten. */
typedef struct kf_flatten_options {
    KF_LAYER_OPTIONS;
    const char *data_format;
} kf_flatten_options;
KF_API kf_layer *kf_flatten_create(const kf_flatten_options *options);
#define kf_flatten(...) KF_LAYER(flatten, __VA_ARGS__)

/* To target_shape without the batch axis; one dimension may be -1. kf_reshape({7, 7, 64}). */
typedef struct kf_reshape_options {
    KF_LAYER_OPTIONS;
    int64_t target_shape[KF_MAX_RANK]; /* ends at the first 0 */
} kf_reshape_options;
KF_API kf_layer *kf_reshape_create(const kf_reshape_options *options);
#define kf_reshape(...) KF_LAYER(reshape, .target_shape = __VA_ARGS__)

/* Sets a fraction `rate` of the elements to 0 in training and divides the others by 1 - rate. As in
 * Keras a rate is kept to [0, 1], and of 1 nothing is dropped. */
typedef struct kf_dropout_options {
    KF_LAYER_OPTIONS;
    double rate;
    int64_t noise_shape[KF_MAX_RANK]; /* with the batch axis; 0 ends; default: the input's shape */
    int64_t seed;                     /* 0: the graph's */
} kf_dropout_options;
KF_API kf_layer *kf_dropout_create(const kf_dropout_options *options);
#define kf_dropout(...) KF_LAYER(dropout, .rate = __VA_ARGS__)

typedef struct kf_activation_options {
    KF_LAYER_OPTIONS;
    const char *activation;
} kf_activation_options;
KF_API kf_layer *kf_activation_create(const kf_activation_options *options);
#define kf_activation(...) KF_LAYER(activation, .activation = __VA_ARGS__)

/* Normalises over all axes but `axis` by the batch's mean and biased variance in training, by
 * moving averages otherwise. Weights gamma, beta, moving_mean, moving_variance. The moving average
 * is the plain one, m momentum + x (1 - momentum), fed var n / (n - (1 + epsilon)). */
typedef struct kf_batch_normalization_options {
    KF_LAYER_OPTIONS;
    int64_t axis;    /* default -1; 1 for channels_first */
    double momentum; /* 0.99 */
    double epsilon;  /* 0.001 */
    bool no_center, no_scale;
    const char *beta_initializer, *gamma_initializer;
    const char *moving_mean_initializer, *moving_variance_initializer;
    const char *beta_regularizer, *gamma_regularizer;
    const char *beta_constraint, *gamma_constraint;
} kf_batch_normalization_options;
KF_API kf_layer *kf_batch_normalization_create(const kf_batch_normalization_options *options);
#define kf_batch_normalization(...) KF_LAYER(batch_normalization, __VA_ARGS__)

/* Merges of two or more tensors. Shapes broadcast as in Keras: an input of lower rank gets axes
 * inserted after the batch axis, size-1 dimensions stretch. */
typedef struct kf_merge_options {
    KF_LAYER_OPTIONS;
} kf_merge_options;
typedef kf_merge_options kf_add_options, kf_multiply_options;
KF_API kf_layer *kf_add_create(const kf_add_options *options);
KF_API kf_layer *kf_multiply_create(const kf_multiply_options *options);
#define kf_add(...)      KF_LAYER(add, __VA_ARGS__)
#define kf_multiply(...) KF_LAYER(multiply, __VA_ARGS__)

typedef struct kf_concatenate_options {
    KF_LAYER_OPTIONS;
    int64_t axis; /* default -1 */
} kf_concatenate_options;
KF_API kf_layer *kf_concatenate_create(const kf_concatenate_options *options);
#define kf_concatenate(...) KF_LAYER(concatenate, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#include "kf/layers_wrapper.h"

#include "kf/layers_recurrent.h"

#include "kf/layers_activation.h"
#include "kf/layers_convolution.h"
#include "kf/layers_core.h"
#include "kf/layers_legacy.h"
#include "kf/layers_merge.h"
#include "kf/layers_noise.h"

#endif
