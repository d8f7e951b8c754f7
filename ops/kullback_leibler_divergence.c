/* kullback_leibler_divergence(t, p) = sum_i c(t_i) log(c(t_i) / c(p_i)),
 *     c(x) = x clipped to [1e-7, 1]
 *     dp_i = -c(t_i) / p_i dscore, and 0 where p_i was clipped */
#include "ops/scores.h"
#include "ops/vector_math.h"

/* A NaN stays one, so that it shows. */
static float clipped(float x) { return x < KFI_CLIP ? KFI_CLIP : x > 1 ? 1 : x; }

static float divergence(float t, float p, float unused) {
    (void)unused;
    return clipped(t) * logf(clipped(t) / clipped(p));
}

static float slope(float t, float p, float unused) {
    (void)unused;
    return p < KFI_CLIP || p > 1 ? 0 : clipped(t) / clipped(p);
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(divergence, 1, 1, call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(slope, -1, 1, call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] =
        kfi_derive(d, "kullback_leibler_divergence_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0.1f, .high = 0.9f, .constant = true }
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
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {9999}), TARGET(2, {9999, 10}), P(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(kullback_leibler_divergence) = {
    .name = "kullback_leibler_divergence",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(kullback_leibler_divergence_gradient) = {
    .name = "kullback_leibler_divergence_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
