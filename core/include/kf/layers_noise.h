/* Noise that regularises: in training only, the identity otherwise. The numbers depend on the
 * graph's seed, the step and the layer, never on the number of workers. kf_dropout is in
 * kf/layers.h. */
#ifndef KF_LAYERS_NOISE_H
#define KF_LAYERS_NOISE_H

#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x plus a normal number of this standard deviation, each element its own. */
typedef struct kf_gaussian_noise_options {
    KF_LAYER_OPTIONS;
    double stddev;
} kf_gaussian_noise_options;
KF_API kf_layer *kf_gaussian_noise_create(const kf_gaussian_noise_options *options);
#define kf_gaussian_noise(...) KF_LAYER(gaussian_noise, .stddev = __VA_ARGS__)

/* x times a normal number of mean 1 and standard deviation sqrt(rate / (1 - rate)). */
typedef struct kf_gaussian_dropout_options {
    KF_LAYER_OPTIONS;
    double rate;
} kf_gaussian_dropout_options;
KF_API kf_layer *kf_gaussian_dropout_create(const kf_gaussian_dropout_options *options);
#define kf_gaussian_dropout(...) KF_LAYER(gaussian_dropout, .rate = __VA_ARGS__)

/* Dropout that keeps mean and variance, for selu: Klambauer et al. 2017. */
typedef struct kf_alpha_dropout_options {
    KF_LAYER_OPTIONS;
    double rate;
    int64_t noise_shape[KF_MAX_RANK]; /* as kf_dropout's */
    int64_t seed;                     /* 0: the graph's */
} kf_alpha_dropout_options;
KF_API kf_layer *kf_alpha_dropout_create(const kf_alpha_dropout_options *options);
#define kf_alpha_dropout(...) KF_LAYER(alpha_dropout, .rate = __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
