/* Layers that rearrange, repeat or watch their input, and functions of your own as layers. */
#ifndef KF_LAYERS_CORE_H
#define KF_LAYERS_CORE_H

#include "kf/function.h"
#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The axes of a sample in another order, counted from 1: kf_permute({2, 1}) swaps two. */
typedef struct kf_permute_options {
    KF_LAYER_OPTIONS;
    int64_t dims[KF_MAX_RANK]; /* ends at the first 0 */
} kf_permute_options;
KF_API kf_layer *kf_permute_create(const kf_permute_options *options);
#define kf_permute(...) KF_LAYER(permute, .dims = __VA_ARGS__)

/* (batch, features) -> (batch, n, features). */
typedef struct kf_repeat_vector_options {
    KF_LAYER_OPTIONS;
    int64_t n;
} kf_repeat_vector_options;
KF_API kf_layer *kf_repeat_vector_create(const kf_repeat_vector_options *options);
#define kf_repeat_vector(...) KF_LAYER(repeat_vector, .n = __VA_ARGS__)

/* The identity; l1 sum |x| + l2 sum x^2 over the whole batch enters the loss. */
typedef struct kf_activity_regularization_options {
    KF_LAYER_OPTIONS;
    double l1, l2; /* 0 */
} kf_activity_regularization_options;
KF_API kf_layer *
kf_activity_regularization_create(const kf_activity_regularization_options *options);
#define kf_activity_regularization(...) KF_LAYER(activity_regularization, __VA_ARGS__)

/* A function of the graph (kf/function.h) as a layer: Keras's Lambda of a named function. Saved
 * under that name; whoever loads the model adds the function to the graph before. A Lambda whose
 * file holds Python code is refused. */
typedef struct kf_lambda_options {
    KF_LAYER_OPTIONS;
    const char *function;
} kf_lambda_options;
KF_API kf_layer *kf_lambda_create(const kf_lambda_options *options);
#define kf_lambda(...) KF_LAYER(lambda, .function = __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
