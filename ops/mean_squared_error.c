/* mean_squared_error(t, p) = mean_i (p_i - t_i)^2;  dp_i = 2 (p_i - t_i) / n dscore */
#include "ops/scores.h"

static float square(float t, float p, float unused) {
    (void)unused;
    return (p - t) * (p - t);
}

static float distance(float t, float p, float unused) {
    (void)unused;
    return p - t;
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(square, 1, kfi_row_length(call), call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(distance, 2, kfi_row_length(call), call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "mean_squared_error_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .constant = true }
#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {TARGET(2, {3, 5}), X(2, {3, 5})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 1}), X(3, {2, 3, 1})}},
    {.name = "pairs", .n_in = 2, .in = {TARGET(2, {5, 2}), X(2, {5, 2})}},
    {.name = "colours", .n_in = 2, .in = {TARGET(3, {3, 7, 3}), X(3, {3, 7, 3})}},
    {.name = "large", .n_in = 2, .large = true, .in = {TARGET(2, {999, 101}), X(2, {999, 101})}},
    {.name = "large, colours",
     .n_in = 2,
     .large = true,
     .in = {TARGET(4, {3, 97, 101, 3}), X(4, {3, 97, 101, 3})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {X(1, {3}), X(2, {3, 5}), X(2, {3, 5})}},
    {.name = "time steps", .n_in = 3, .in = {X(2, {2, 3}), X(3, {2, 3, 1}), X(3, {2, 3, 1})}},
    {.name = "pairs", .n_in = 3, .in = {X(1, {5}), X(2, {5, 2}), X(2, {5, 2})}},
    {.name = "colours", .n_in = 3, .in = {X(2, {3, 7}), X(3, {3, 7, 3}), X(3, {3, 7, 3})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {X(1, {999}), X(2, {999, 101}), X(2, {999, 101})}},
    {.name = "large, colours",
     .n_in = 3,
     .large = true,
     .in = {X(3, {3, 97, 101}), X(4, {3, 97, 101, 3}), X(4, {3, 97, 101, 3})}},
    {0},
};

const kfi_op KFI_OP(mean_squared_error) = {
    .name = "mean_squared_error",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(mean_squared_error_gradient) = {
    .name = "mean_squared_error_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
