/* mean_squared_logarithmic_error(t, p) = mean_i (log(c(p_i) + 1) - log(c(t_i) + 1))^2,
 *     c(x) = max(x, 1e-7)
 *     dp_i = 2 (log(c(p_i) + 1) - log(c(t_i) + 1)) / (c(p_i) + 1) / n dscore, and 0 where p < 1e-7
 * log(c + 1) and not log1p: Keras rounds the sum first. */
#include "ops/scores.h"
#include "ops/vector_math.h"

/* A NaN stays one, so that it shows. */
static float raised(float x) { return (x < KFI_CLIP ? KFI_CLIP : x) + 1; }

static float difference(float t, float p) { return logf(raised(p)) - logf(raised(t)); }

static float squared_difference(float t, float p, float unused) {
    (void)unused;
    const float d = difference(t, p);
    return d * d;
}

static float slope(float t, float p, float unused) {
    (void)unused;
    const float through = difference(t, p) / raised(p);
    return p < KFI_CLIP ? 0 : through;
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(squared_difference, 1, kfi_row_length(call), call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(slope, 2, kfi_row_length(call), call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "mean_squared_logarithmic_error_gradient", NULL, d->dout[0], d->in[0],
                           d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0.5f, .high = 3, .constant = true }
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

const kfi_op KFI_OP(mean_squared_logarithmic_error) = {
    .name = "mean_squared_logarithmic_error",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(mean_squared_logarithmic_error_gradient) = {
    .name = "mean_squared_logarithmic_error_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
