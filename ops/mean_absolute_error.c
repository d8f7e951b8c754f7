/* mean_absolute_error(t, p) = mean_i |p_i - t_i|;  dp_i = sign(p_i - t_i) / n dscore
 * mean_absolute_percentage_error(t, p) = 100 mean_i |(t_i - p_i) / c_i|,  c_i = max(|t_i|, 1e-7);
 *     dp_i = 100 sign(p_i - t_i) / c_i / n dscore
 * sign(0) = 0, as TensorFlow has it. */
#include "ops/scores.h"

#include <math.h>

static float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }

/* What an error is measured against. */
static float percentage_of(float t) { return fabsf(t) > KFI_CLIP ? fabsf(t) : KFI_CLIP; }

static float absolute(float t, float p, float unused) {
    (void)unused;
    return fabsf(p - t);
}

static float percentage(float t, float p, float unused) {
    (void)unused;
    return fabsf((t - p) / percentage_of(t));
}

static float absolute_slope(float t, float p, float unused) {
    (void)unused;
    return sign(p - t);
}

static float percentage_slope(float t, float p, float unused) {
    (void)unused;
    return sign(p - t) / percentage_of(t);
}

static void absolute_score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(absolute, 1, kfi_row_length(call), call, tile);
}
static void absolute_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(absolute_slope, 1, kfi_row_length(call), call, tile);
}
static void percentage_score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(percentage, 100, kfi_row_length(call), call, tile);
}
static void percentage_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(percentage_slope, 100, kfi_row_length(call), call, tile);
}

static kf_status derive_absolute(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "mean_absolute_error_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}
static kf_status derive_percentage(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "mean_absolute_percentage_error_gradient", NULL, d->dout[0], d->in[0],
                           d->in[1]);
    return KF_OK;
}

/* distinct keeps predictions away from targets, where the kink is */
#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0.5f, .high = 3, .distinct = true, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.5f, .high = 3, .distinct = true }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {TARGET(2, {3, 5}), P(2, {3, 5})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 1}), P(3, {2, 3, 1})}},
    {.name = "large", .n_in = 2, .large = true, .in = {TARGET(2, {999, 101}), P(2, {999, 101})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {3}), TARGET(2, {3, 5}), P(2, {3, 5})}},
    {.name = "time steps", .n_in = 3, .in = {D(2, {2, 3}), TARGET(3, {2, 3, 1}), P(3, {2, 3, 1})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {999}), TARGET(2, {999, 101}), P(2, {999, 101})}},
    {0},
};

const kfi_op KFI_OP(mean_absolute_error) = {
    .name = "mean_absolute_error",
    .infer = kfi_infer_target_score,
    .stages = {{absolute_score, kfi_score_tiles}},
    .gradient = derive_absolute,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(mean_absolute_error_gradient) = {
    .name = "mean_absolute_error_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{absolute_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};

const kfi_op KFI_OP(mean_absolute_percentage_error) = {
    .name = "mean_absolute_percentage_error",
    .infer = kfi_infer_target_score,
    .stages = {{percentage_score, kfi_score_tiles}},
    .gradient = derive_percentage,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(mean_absolute_percentage_error_gradient) = {
    .name = "mean_absolute_percentage_error_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{percentage_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
