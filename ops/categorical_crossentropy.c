/* categorical_crossentropy(t, p) = -sum_i t_i log c_i,
 *     q_i = p_i / s,  s = sum_j p_j,  c = q clipped to [1e-7, 1 - 1e-7]
 * Keras renormalises before it clips, and the derivative goes through both:
 *     g_i = -t_i / q_i, and 0 where q_i was clipped
 *     dp_i = (g_i - sum_j g_j q_j) / s dscore */
#include "ops/scores.h"
#include "ops/vector_math.h"

static float sum_of(const float *p, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += p[i];
    return sum;
}

static float term(float t, float p, float s) { return -t * logf(kfi_clipped(p / s)); }

static float entropy(const float *t, const float *p, int64_t n) {
    return kfi_sum_terms(term, t, p, sum_of(p, n), n);
}

/* g_i of the head; a NaN counts as not clipped, so that it shows. */
static float slope(float t, float q) { return kfi_unclipped(q) || q != q ? -t / q : 0; }

static void through_entropy(float dscore, const float *t, const float *p, float *dp, int64_t n) {
    const float s = sum_of(p, n);
    float along = 0;
#pragma omp simd reduction(+ : along)
    for (int64_t i = 0; i < n; i++) along += slope(t[i], p[i] / s) * (p[i] / s);
    const float scale = dscore / s;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dp[i] = scale * (slope(t[i], p[i] / s) - along);
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_score_tile(entropy, call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_gradient_tile(through_entropy, call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] =
        kfi_derive(d, "categorical_crossentropy_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

/* Not normalised: the derivative must go through the sum. */
#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.1f, .high = 0.9f }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {TARGET(2, {5, 3}), P(2, {5, 3})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 19}), P(3, {2, 3, 19})}},
    {.name = "large", .n_in = 2, .large = true, .in = {TARGET(2, {9999, 10}), P(2, {9999, 10})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {5}), TARGET(2, {5, 3}), P(2, {5, 3})}},
    {.name = "time steps",
     .n_in = 3,
     .in = {D(2, {2, 3}), TARGET(3, {2, 3, 19}), P(3, {2, 3, 19})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {9999}), TARGET(2, {9999, 10}), P(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(categorical_crossentropy) = {
    .name = "categorical_crossentropy",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = examples,
};

const kfi_op KFI_OP(categorical_crossentropy_gradient) = {
    .name = "categorical_crossentropy_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = gradient_examples,
    .in_place = {3},
};
