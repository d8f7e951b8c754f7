/* The attributes of ops, for those who emit them. Plain data without pointers: a graph copies them.
 * Where an attribute repeats what a shape says, it is for shapes that the inputs do not determine.
 */
#ifndef KFI_OPS_ATTRIBUTES_H
#define KFI_OPS_ATTRIBUTES_H

#include "kf/function.h"
#include "kf/tensor.h"

#include <stdbool.h>

enum { KFI_MAX_SPATIAL = 3 };

/* How a window meets the border, as TensorFlow pads: same gives ceil(n / stride) positions with
 * total = max((out - 1) * stride + (k - 1) * dilation + 1 - n, 0), total / 2 of it before; valid
 * gives ceil((n - dilated_k + 1) / stride); causal (one axis) puts (k - 1) * dilation before. */
typedef enum kfi_padding { KFI_VALID = 0, KFI_SAME, KFI_CAUSAL } kfi_padding;

/* matmul(a, b): (M, K) x (K, N); transposed operands are stored (K, M) and (N, K).
 * batch_matmul(a, b): (batch, M, K) x (batch, K, N), sample by sample. */
typedef struct kfi_matmul {
    bool transpose_a, transpose_b;
} kfi_matmul;

/* Thin products: an operand of so few rows that the other one, whose rows are of such a length, had
 * better stream by as it is than be copied. Of these matmul_gradients(x, dy, w) makes both
 * gradients of matmul(x, w) at once, dw and dx, with the numbers that matmul makes of each. */
enum { KFI_THIN_ROWS = 16, KFI_THIN_SHORTEST = 64, KFI_THIN_LONGEST = 4096 };

/* conv(x, w): x (batch, spatial…, in), w (kernel…, in, out) -> (batch, spatial'…, out).
 * conv_data_gradient(dy, w): `size` holds the spatial sizes of x.
 * conv_weight_gradient(x, dy): `size` holds the kernel's.
 * depthwise_conv(x, w), w (kernel…, in, multiplier) -> (batch, spatial'…, in * multiplier), channel
 * c's products at c * multiplier on, and its two gradients in the same way. */
typedef struct kfi_conv {
    int32_t spatial; /* 1 … 3 spatial axes */
    int64_t stride[KFI_MAX_SPATIAL], dilation[KFI_MAX_SPATIAL];
    kfi_padding padding;
    int64_t size[KFI_MAX_SPATIAL];
    bool exact; /* only ways that add up products as they are: no Winograd */
} kfi_conv;

/* local_conv(x, w): a valid convolution with weights of its own at each place of the window, in
 * row-major order: w (places, window… * in, out). local_conv_data_gradient(dy, w): `size` holds the
 * spatial sizes of x. local_conv_weight_gradient(x, dy). */
typedef struct kfi_local_conv {
    int32_t spatial;
    int64_t window[KFI_MAX_SPATIAL], stride[KFI_MAX_SPATIAL], size[KFI_MAX_SPATIAL];
} kfi_local_conv;

/* max_pool(x), average_pool(x); max_pool_gradient(x, y, dy), average_pool_gradient(dy) with `size`
 * the spatial sizes of x. x (batch, spatial…, channels). Average excludes the padding. */
typedef struct kfi_pool {
    int32_t spatial;
    int64_t window[KFI_MAX_SPATIAL], stride[KFI_MAX_SPATIAL];
    kfi_padding padding;
    int64_t size[KFI_MAX_SPATIAL];
} kfi_pool;

/* reduce_sum(x), reduce_mean(x): over the axes whose bit is set; reduce_max(x) and
 * reduce_max_gradient(x, y, dy): over neighbouring axes. */
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

/* pad(x): each axis with so many zeros more, or elements fewer if negative, at its ends. */
typedef struct kfi_pad {
    int64_t before[KF_MAX_RANK], after[KF_MAX_RANK];
} kfi_pad;

/* upsample(x): an axis `factor` times as long, each element repeated or, if linear, with straight
 * lines from one to the next (the last one is repeated). upsample_gradient(dy) is its transpose. */
typedef struct kfi_upsample {
    int32_t axis;
    int64_t factor;
    bool linear;
} kfi_upsample;

/* softmax(x) and others that work along one axis (not negative). */
typedef struct kfi_along {
    int32_t axis;
} kfi_along;

/* clipped_relu(x) = x where x > threshold, at most limit (INFINITY: none; else at least 0),
 * otherwise slope * (x - threshold). */
typedef struct kfi_clipped_relu {
    float slope, threshold, limit;
} kfi_clipped_relu;

/* elu(x) = scale * (x where x > 0, else alpha * (e^x - 1)). */
typedef struct kfi_elu {
    float alpha, scale;
} kfi_elu;

/* penalty(x) = sum(l1 |x| + l2 x^2), a scalar. */
typedef struct kfi_penalty {
    float l1, l2;
} kfi_penalty;

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

/* random_normal(random) of `shape`; random and stream as for dropout. */
typedef struct kfi_random_normal_of {
    kf_shape shape;
    float mean, deviation;
    uint32_t stream;
} kfi_random_normal_of;

/* function(x…): a function of the user's, its output of `shape`; function_gradient(x…, y, dy): the
 * derivatives with respect to those x whose bit is set. The one attribute with a pointer: what it
 * points to belongs to the graph, which outlives its formulas. */
typedef struct kfi_user_function {
    const kf_function *function;
    kf_shape shape;
    uint32_t wanted;
} kfi_user_function;

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
 * adam_update(w, g, hyper, m, v) -> w, m, v; adagrad_, adadelta_, adamax_, nadam_ and
 * amsgrad_update likewise with one, two, two, two and three slots. hyper is float32 (4), set by the
 * host at each step: {learning rate after decay and, for Adam, bias correction; further numbers by
 * optimizer}. Formulas: Keras 2.2.4, epsilon outside the root. */
typedef struct kfi_update {
    float momentum; /* SGD's momentum, RMSprop's rho, Adam's beta_1 */
    float beta_2;
    float epsilon;
    bool nesterov;
} kfi_update;

/* clip_gradient(g[, total]): by the norm sqrt(total) of all gradients, then by value; 0: not. */
typedef struct kfi_clip {
    float norm, value;
} kfi_clip;

/* top_k_categorical_accuracy(y_true, y_pred), sparse_top_k_categorical_accuracy(label, y_pred). */
typedef struct kfi_top_k {
    int32_t k;
} kfi_top_k;

/* The losses and metrics take (y_true, y_pred) and give one number per sample or timestep: the last
 * axis is reduced. Labels of the sparse ones are int32 of shape (…, 1).
 * weighted_mean(score[, weights]) -> scalar: sum(score * weight) / count(weight != 0), weights
 * of shape (batch) or of the first axes of score; without weights the mean. */

/* lstm, gru, simple_rnn: all steps of a recurrent layer, after the product of its inputs. Which
 * optional inputs there are: states at the start, a mask (batch, time), gru's bias of the states;
 * a gradient that arrives at lstm's c. */
typedef enum kfi_squash {
    KFI_LINEAR = 0,
    KFI_TANH,
    KFI_SIGMOID,
    KFI_HARD_SIGMOID,
    KFI_RELU,
    KFI_SQUASHES
} kfi_squash;
typedef struct kfi_recurrence {
    kfi_squash activation, gate_activation;
    bool has_states, has_mask, has_bias, reset_after, has_dc;
    /* Masks of the states' dropout, the last input (drops, batch, units): 0, one for all gates, or
     * one a gate. */
    int32_t drops;
} kfi_recurrence;

#endif
