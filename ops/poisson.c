/* poisson(t, p) = mean_i p_i - t_i log(p_i + 1e-7);  dp_i = (1 - t_i / (p_i + 1e-7)) / n dscore */
#include "ops/scores.h"
#include "ops/vector_math.h"

static float likelihood(float t, float p, float unused) {
    (void)unused;
    return p - t * logf(p + KFI_CLIP);
}

static float slope(float t, float p, float unused) {
    (void)unused;
    return 1 - t / (p + KFI_CLIP);
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(likelihood, 1, kfi_row_length(call), call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(slope, 1, kfi_row_length(call), call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "poisson_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 5, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.5f, .high = 3 }
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

const kfi_op KFI_OP(poisson) = {
    .name = "poisson",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(poisson_gradient) = {
    .name = "poisson_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
