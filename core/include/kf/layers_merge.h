/* Merges beyond kf_add, kf_multiply and kf_concatenate (kf/layers.h). Shapes broadcast as there;
 * where inputs have masks, a step counts if all of them say so. */
#ifndef KF_LAYERS_MERGE_H
#define KF_LAYERS_MERGE_H

#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* a - b of exactly two; mean, maximum and minimum of two or more. */
typedef kf_merge_options kf_subtract_options, kf_average_options, kf_maximum_options,
    kf_minimum_options;
KF_API kf_layer *kf_subtract_create(const kf_subtract_options *options);
KF_API kf_layer *kf_average_create(const kf_average_options *options);
KF_API kf_layer *kf_maximum_create(const kf_maximum_options *options);
KF_API kf_layer *kf_minimum_create(const kf_minimum_options *options);
#define kf_subtract(...) KF_LAYER(subtract, __VA_ARGS__)
#define kf_average(...)  KF_LAYER(average, __VA_ARGS__)
#define kf_maximum(...)  KF_LAYER(maximum, __VA_ARGS__)
#define kf_minimum(...)  KF_LAYER(minimum, __VA_ARGS__)

/* The product of two tensors, sample by sample, summed along one axis of each: a (batch, i, k) and
 * b (batch, k, j) give (batch, i, j) by kf_dot({2, 1}); vectors give (batch, 1). One number {1}
 * stands for both. normalize: both are divided by their length along that axis first (cosine). */
typedef struct kf_dot_options {
    KF_LAYER_OPTIONS;
    int64_t axes[2]; /* counted from the batch axis, which is 0; from the end if negative */
    bool normalize;
} kf_dot_options;
KF_API kf_layer *kf_dot_create(const kf_dot_options *options);
#define kf_dot(...) KF_LAYER(dot, .axes = __VA_ARGS__)

/* Keras 1's merge(inputs, mode): the layer that a mode means today. "sum", "mul", "concat" (along
 * concat_axis), "ave", "max", "dot" and "cos" (along dot_axes): kf_apply(kf_merge("sum"), a, b). */
typedef struct kf_merge_mode_options {
    KF_LAYER_OPTIONS;
    const char *mode;    /* default "sum" */
    int64_t concat_axis; /* default -1 */
    int64_t dot_axes[2]; /* default {-1} */
} kf_merge_mode_options;
KF_API kf_layer *kf_merge_create(const kf_merge_mode_options *options);
#define kf_merge(...) kf_merge_create(KF_OPTIONS(kf_merge_mode_options, .mode = __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
