/* sparse_categorical_crossentropy(label, p) = log sum_j c_j - log c_label,
 *     c = p clipped to [1e-7, 1 - 1e-7]
 * Keras hands log c to a softmax cross-entropy, which renormalises after the clip:
 *     dp_i = (1 / sum_j c_j - [i = label] / c_i) dscore, and 0 where p_i was clipped
 * A label outside of [0, n) gives NaN; the graph refuses such data before it comes here. */
#include "ops/scores.h"
#include "ops/vector_math.h"

static float sum_of_clipped(const float *p, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += kfi_clipped(p[i]);
    return sum;
}

static float entropy(int32_t label, const float *p, int64_t n) {
    if (label < 0 || label >= n) return NAN;
    return logf(sum_of_clipped(p, n)) - logf(kfi_clipped(p[label]));
}

static void through_entropy(float dscore, int32_t label, const float *p, float *dp, int64_t n) {
    const bool valid = label >= 0 && label < n;
    const float common = valid ? dscore / sum_of_clipped(p, n) : NAN;
    const float own = valid ? p[label] : NAN;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dp[i] = kfi_unclipped(p[i]) || p[i] != p[i] ? common : 0;
    if (!valid) return;
    if (kfi_unclipped(own) || own != own) dp[label] -= dscore / own;
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_label_score_tile(entropy, call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_label_gradient_tile(through_entropy, call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "sparse_categorical_crossentropy_gradient", NULL, d->dout[0],
                           d->in[0], d->in[1]);
    return KF_OK;
}

#define LABEL(classes, ...)                                                                        \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = classes, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.1f, .high = 0.9f }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {LABEL(3, 2, {5, 1}), P(2, {5, 3})}},
    {.name = "time steps", .n_in = 2, .in = {LABEL(19, 3, {2, 3, 1}), P(3, {2, 3, 19})}},
    {.name = "large", .n_in = 2, .large = true, .in = {LABEL(10, 2, {9999, 1}), P(2, {9999, 10})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {5}), LABEL(3, 2, {5, 1}), P(2, {5, 3})}},
    {.name = "time steps",
     .n_in = 3,
     .in = {D(2, {2, 3}), LABEL(19, 3, {2, 3, 1}), P(3, {2, 3, 19})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {9999}), LABEL(10, 2, {9999, 1}), P(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(sparse_categorical_crossentropy) = {
    .name = "sparse_categorical_crossentropy",
    .infer = kfi_infer_label_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
    .index_input = 1,
    .index_of = 1,
    .index_axis = -1,
};

const kfi_op KFI_OP(sparse_categorical_crossentropy_gradient) = {
    .name = "sparse_categorical_crossentropy_gradient",
    .infer = kfi_infer_label_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
    .index_input = 2,
    .index_of = 2,
    .index_axis = -1,
};
