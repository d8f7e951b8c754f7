/* binary_crossentropy(t, p) = mean_i -(t_i log q_i + (1 - t_i) log(1 - q_i)),
 *     q = p clipped to [1e-7, 1 - 1e-7]
 * Keras goes from q back to a logit and through a stable sigmoid; the formula is the same, and
 * log1p keeps it as exact for small q. dp_i = (q_i - t_i) / (q_i (1 - q_i)) / n dscore, and 0 where
 * p was clipped */
#include "ops/scores.h"
#include "ops/vector_math.h"

static float entropy(float t, float p, float unused) {
    (void)unused;
    const float q = kfi_clipped(p);
    return -(t * logf(q) + (1 - t) * log1pf(-q));
}

static float slope(float t, float p, float unused) {
    (void)unused;
    const float q = kfi_clipped(p);
    return kfi_unclipped(p) || p != p ? (q - t) / (q * (1 - q)) : 0;
}

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(entropy, 1, kfi_row_length(call), call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(slope, 1, kfi_row_length(call), call, tile);
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "binary_crossentropy_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.1f, .high = 0.9f }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "one unit", .n_in = 2, .in = {TARGET(2, {5, 1}), P(2, {5, 1})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 19}), P(3, {2, 3, 19})}},
    {.name = "large", .n_in = 2, .large = true, .in = {TARGET(2, {999, 101}), P(2, {999, 101})}},
    {.name = "large, one unit",
     .n_in = 2,
     .large = true,
     .in = {TARGET(2, {70001, 1}), P(2, {70001, 1})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "one unit", .n_in = 3, .in = {D(1, {5}), TARGET(2, {5, 1}), P(2, {5, 1})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {999}), TARGET(2, {999, 101}), P(2, {999, 101})}},
    {.name = "large, one unit",
     .n_in = 3,
     .large = true,
     .in = {D(1, {70001}), TARGET(2, {70001, 1}), P(2, {70001, 1})}},
    {0},
};

const kfi_op KFI_OP(binary_crossentropy) = {
    .name = "binary_crossentropy",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(binary_crossentropy_gradient) = {
    .name = "binary_crossentropy_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
