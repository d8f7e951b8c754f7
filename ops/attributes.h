/* The attributes of ops, for those who emit them. Plain data without pointers: a graph copies them.
 * Where an attribute repeats what a shape says, it is for shapes that the inputs do not determine.
 */
#ifndef KFI_OPS_ATTRIBUTES_H
#define KFI_OPS_ATTRIBUTES_H

#include "kf/tensor.h"

#include <stdbool.h>

enum { KFI_MAX_SPATIAL = 3 };

/* How a window meets the border, as TensorFlow pads: same gives ceil(n / stride) positions with
 * total = max((out - 1) * stride + (k - 1) * dilation + 1 - n, 0), total / 2 of it before; valid
 * gives ceil((n - dilated_k + 1) / stride); causal (one axis) puts (k - 1) * dilation before. */
typedef enum kfi_padding { KFI_VALID = 0, KFI_SAME, KFI_CAUSAL } kfi_padding;

/* matmul(a, b): (M, K) x (K, N); transposed operands are stored (K, M) and (N, K). */
typedef struct kfi_matmul {
    bool transpose_a, transpose_b;
} kfi_matmul;

/* conv(x, w): x (batch, spatial…, in), w (kernel…, in, out) -> (batch, spatial'…, out).
 * conv_data_gradient(dy, w): `size` holds the spatial sizes of x.
 * conv_weight_gradient(x, dy): `size` holds the kernel's. */
typedef struct kfi_conv {
    int32_t spatial; /* 1 … 3 spatial axes */
    int64_t stride[KFI_MAX_SPATIAL], dilation[KFI_MAX_SPATIAL];
    kfi_padding padding;
    int64_t size[KFI_MAX_SPATIAL];
} kfi_conv;

/* max_pool(x), average_pool(x); max_pool_gradient(x, y, dy), average_pool_gradient(dy) with `size`
 * the spatial sizes of x. x (batch, spatial…, channels). Average excludes the padding. */
typedef struct kfi_pool {
    int32_t spatial;
    int64_t window[KFI_MAX_SPATIAL], stride[KFI_MAX_SPATIAL];
    kfi_padding padding;
    int64_t size[KFI_MAX_SPATIAL];
} kfi_pool;

/* reduce_sum(x), reduce_mean(x): over the axes whose bit is set. */
typedef struct kfi_reduce {
    uint32_t axes;
    bool keep_dims;
} kfi_reduce;

/* broadcast_to(x) and sum_to(x): numpy's rules, shapes aligned at the last axis. sum_to is the
 * transpose of broadcast_to. fill(): `shape` full of `value`. reshape(x): one dimension of `shape`
 * may be KF_ANY and is worked out. */
typedef struct kfi_shaped {
    kf_shape shape;
    float value;
} kfi_shaped;

/* transpose(x): output axis i is input axis permutation[i]. */
typedef struct kfi_transpose {
    int32_t permutation[KF_MAX_RANK];
} kfi_transpose;

/* concatenate(x…) along `axis`; slice(x): [start, start + size) of `axis`; unslice(dy): the
 * transpose of slice, zeros elsewhere, the axis `total` long. */
typedef struct kfi_slice {
    int32_t axis;
    int64_t start, size, total;
} kfi_slice;

/* softmax(x) and others that work along one axis (not negative). */
typedef struct kfi_along {
    int32_t axis;
} kfi_along;

/* affine(x) = scale * x + offset. */
typedef struct kfi_affine {
    float scale, offset;
} kfi_affine;

/* dropout(x, random): random is int64 (2): {seed, step}; `stream` tells one dropout of a model from
 * another. Inverted: kept elements are divided by 1 - rate. Its gradient is itself on dy. */
typedef struct kfi_dropout {
    float rate;
    uint32_t stream;
} kfi_dropout;

/* cast(x): to float32 or int32 (towards zero). */
typedef struct kfi_cast {
    kf_dtype dtype;
} kfi_cast;

/* batch_norm(x, gamma, beta) -> y, mean, variance, 1 / sqrt(variance + epsilon): training; biased
 * variance over all axes but `axis`. batch_norm_gradient(x, dy, gamma, mean, inverse_deviation) ->
 * dx, dgamma, dbeta. batch_norm_inference(x, gamma, beta, mean, variance) -> y, with
 * batch_norm_inference_gradient(x, dy, gamma, mean, variance) -> dx, dgamma, dbeta. */
typedef struct kfi_batch_norm {
    int32_t axis;
    float epsilon;
} kfi_batch_norm;

/* moving_average(moving, value) = moving * momentum + value * factor * (1 - momentum). */
typedef struct kfi_moving_average {
    float momentum, factor;
} kfi_moving_average;

/* sgd_update(w, g, hyper[, velocity]) -> w[, velocity]; rmsprop_update(w, g, hyper, a) -> w, a;
 * adam_update(w, g, hyper, m, v) -> w, m, v. hyper is float32 (4), set by the host at each step:
 * {learning rate after decay and, for Adam, bias correction; further numbers by optimizer}.
 * Formulas: Keras 2.2.4, epsilon outside the root. */
typedef struct kfi_update {
    float momentum; /* SGD's momentum, RMSprop's rho, Adam's beta_1 */
    float beta_2;
    float epsilon;
    bool nesterov;
} kfi_update;

/* The losses and metrics take (y_true, y_pred) and give one number per sample or timestep: the last
 * axis is reduced. Labels of the sparse ones are int32 of shape (…, 1).
 * weighted_mean(score[, weights]) -> scalar: sum(score * weight) / count(weight != 0), weights
 * of shape (batch) or of the first axes of score; without weights the mean. */

#endif
