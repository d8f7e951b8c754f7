/* Layers that Keras 2 kept from Keras 1 (keras.legacy), with the arguments they had there. */
#ifndef KF_LAYERS_LEGACY_H
#define KF_LAYERS_LEGACY_H

#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest of nb_feature Dense layers, element by element (Goodfellow et al. 2013): W
 * (nb_feature, in, output_dim), b (nb_feature, output_dim); (batch, in) -> (batch, output_dim). */
typedef struct kf_maxout_dense_options {
    KF_LAYER_OPTIONS;
    int64_t output_dim;
    int64_t nb_feature; /* 4 */
    const char *init;   /* of W: glorot_uniform; b starts at 0 */
    const char *W_regularizer, *b_regularizer, *activity_regularizer;
    const char *W_constraint, *b_constraint;
    bool no_bias;
    int64_t input_dim; /* for Keras's files; 0: None */
} kf_maxout_dense_options;
KF_API kf_layer *kf_maxout_dense_create(const kf_maxout_dense_options *options);
#define kf_maxout_dense(...) KF_LAYER(maxout_dense, .output_dim = __VA_ARGS__)

/* t activation(x W + b) + (1 - t) x with t = sigmoid(x W_carry + b_carry) (Srivastava et al. 2015);
 * all of them are (in, in) or (in), b starts at 0 and b_carry at 1. */
typedef struct kf_highway_options {
    KF_LAYER_OPTIONS;
    const char *init;       /* of W and W_carry: glorot_uniform */
    const char *activation; /* linear */
    const char *W_regularizer, *b_regularizer, *activity_regularizer;
    const char *W_constraint, *b_constraint; /* of W and b, as the penalties */
    bool no_bias;
    int64_t input_dim; /* for Keras's files; 0: None */
} kf_highway_options;
KF_API kf_layer *kf_highway_create(const kf_highway_options *options);
#define kf_highway(...) KF_LAYER(highway, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
