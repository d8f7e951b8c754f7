/* cosine_proximity(t, p) = -sum_i t_i r(t) p_i r(p),  r(x) = 1 / sqrt(max(sum_j x_j^2, 1e-12)):
 * the sum of Keras 2.2.4, where other versions have the mean.
 *     dp_i = -(t_i r(t) - p_i r(p)^2 sum_j t_j r(t) p_j) r(p) dscore
 * and without its second term for p shorter than 1e-6, where r is constant. */
#include "ops/scores.h"

#include <math.h>

static const float least_square = 1e-12f;

static float product(float a, float b, float unused) {
    (void)unused;
    return a * b;
}

static float dot(const float *a, const float *b, int64_t n) {
    return kfi_sum_terms(product, a, b, 0, n);
}

static float inverse_length(float square) {
    return 1 / sqrtf(square < least_square ? least_square : square);
}

static float cosine(const float *t, const float *p, int64_t n) {
    return -dot(t, p, n) * inverse_length(dot(t, t, n)) * inverse_length(dot(p, p, n));
}

static void through_cosine(float dscore, const float *t, const float *p, float *dp, int64_t n) {
    const float square = dot(p, p, n), r = inverse_length(square);
    const float rt = inverse_length(dot(t, t, n)), scale = -dscore * r;
    const float along = square < least_square ? 0 : rt * dot(t, p, n) * r * r;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dp[i] = scale * (t[i] * rt - p[i] * along);
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_score_tile(cosine, call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_gradient_tile(through_cosine, call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "cosine_proximity_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = -1, .high = 1, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.5f, .high = 2 }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {TARGET(2, {3, 5}), P(2, {3, 5})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 19}), P(3, {2, 3, 19})}},
    {.name = "large", .n_in = 2, .large = true, .in = {TARGET(2, {999, 101}), P(2, {999, 101})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {3}), TARGET(2, {3, 5}), P(2, {3, 5})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {999}), TARGET(2, {999, 101}), P(2, {999, 101})}},
    {0},
};

const kfi_op KFI_OP(cosine_proximity) = {
    .name = "cosine_proximity",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(cosine_proximity_gradient) = {
    .name = "cosine_proximity_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
