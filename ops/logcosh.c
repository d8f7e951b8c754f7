/* logcosh(t, p) = mean_i log cosh(d_i),  d_i = p_i - t_i;  dp_i = tanh(d_i) / n dscore
 * log cosh(d) = |d| + log(1 + e^(-2 |d|)) - log 2, which does not overflow; Keras writes the same
 * as d + softplus(-2 d) - log 2. */
/* first: what it says to clang about loops with calls holds for the loops of scores.h too */
#include "ops/vector_math.h"

#include "ops/scores.h"

static const float log_2 = 0.693147181f;

static float log_cosh(float t, float p, float unused) {
    (void)unused;
    const float distance = fabsf(p - t);
    return distance + log1pf(expf(-2 * distance)) - log_2;
}

static float slope(float t, float p, float unused) {
    (void)unused;
    return tanhf(p - t);
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(log_cosh, 1, kfi_row_length(call), call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(slope, 1, kfi_row_length(call), call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "logcosh_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = -3, .high = 3, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -3, .high = 3 }
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

const kfi_op KFI_OP(logcosh) = {
    .name = "logcosh",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(logcosh_gradient) = {
    .name = "logcosh_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
