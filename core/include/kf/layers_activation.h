/* Activations that are layers of their own. An activation without parameters is
 * kf_activation("tanh"). */
#ifndef KF_LAYERS_ACTIVATION_H
#define KF_LAYERS_ACTIVATION_H

#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x where x > 0, else alpha x. */
typedef struct kf_leaky_relu_options {
    KF_LAYER_OPTIONS;
    double alpha; /* 0.3 */
} kf_leaky_relu_options;
KF_API kf_layer *kf_leaky_relu_create(const kf_leaky_relu_options *options);
#define kf_leaky_relu(...) KF_LAYER(leaky_relu, __VA_ARGS__)

/* LeakyReLU with a learned alpha for each place of a sample; along shared_axes (from 1) one for
 * all: kf_prelu(.shared_axes = {1, 2}) has one for each channel of an image. */
typedef struct kf_prelu_options {
    KF_LAYER_OPTIONS;
    const char *alpha_initializer; /* zeros */
    const char *alpha_regularizer, *alpha_constraint;
    int64_t shared_axes[KF_MAX_RANK]; /* ends at the first 0 */
} kf_prelu_options;
KF_API kf_layer *kf_prelu_create(const kf_prelu_options *options);
#define kf_prelu(...) KF_LAYER(prelu, __VA_ARGS__)

/* x where x > 0, else alpha (e^x - 1). */
typedef struct kf_elu_options {
    KF_LAYER_OPTIONS;
    double alpha; /* 1 */
} kf_elu_options;
KF_API kf_layer *kf_elu_create(const kf_elu_options *options);
#define kf_elu(...) KF_LAYER(elu, __VA_ARGS__)

/* x where x > theta, else 0. */
typedef struct kf_thresholded_relu_options {
    KF_LAYER_OPTIONS;
    double theta; /* 1 */
} kf_thresholded_relu_options;
KF_API kf_layer *kf_thresholded_relu_create(const kf_thresholded_relu_options *options);
#define kf_thresholded_relu(...) KF_LAYER(thresholded_relu, __VA_ARGS__)

/* x where x > threshold, at most max_value, else negative_slope (x - threshold). */
typedef struct kf_relu_options {
    KF_LAYER_OPTIONS;
    double max_value;      /* 0: none; KF_ZERO: 0 */
    double negative_slope; /* 0 */
    double threshold;      /* 0 */
} kf_relu_options;
KF_API kf_layer *kf_relu_create(const kf_relu_options *options);
#define kf_relu(...) KF_LAYER(relu, __VA_ARGS__)

typedef struct kf_softmax_options {
    KF_LAYER_OPTIONS;
    int64_t axis; /* default -1; of a matrix always that, as in Keras 2.2.4 */
} kf_softmax_options;
KF_API kf_layer *kf_softmax_create(const kf_softmax_options *options);
#define kf_softmax(...) KF_LAYER(softmax, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
