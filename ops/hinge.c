/* Targets are -1 or 1, as they are given; m_i = 1 - t_i p_i is the missing margin.
 *     hinge(t, p)             = mean_i max(m_i, 0);         dp_i = -t_i / n dscore, where m_i >= 0
 *     squared_hinge(t, p)     = mean_i max(m_i, 0)^2;       dp_i = -2 t_i max(m_i, 0) / n dscore
 *     categorical_hinge(t, p) = max(0, max_i (1 - t_i) p_i - sum_i t_i p_i + 1); where that is
 * above 0: dp_i = (share_i (1 - t_i) - t_i) dscore, share_i = 1 / k for k equal maxima, else 0 At
 * the kinks gradients flow where TensorFlow lets them. */
#include "ops/scores.h"

static float missing(float t, float p) { return 1 - t * p; }
static float above_zero(float x) { return x < 0 ? 0 : x; }

static float margin(float t, float p, float unused) {
    (void)unused;
    return above_zero(missing(t, p));
}

static float squared_margin(float t, float p, float unused) {
    (void)unused;
    return above_zero(missing(t, p)) * above_zero(missing(t, p));
}

static float margin_slope(float t, float p, float unused) {
    (void)unused;
    return missing(t, p) < 0 ? 0 : t;
}

static float squared_margin_slope(float t, float p, float unused) {
    (void)unused;
    return t * above_zero(missing(t, p));
}

/* The largest of the predictions for other classes, and how many are as large. */
typedef struct rival {
    float value;
    int64_t count;
} rival;

static rival find_rival(const float *t, const float *p, int64_t n) {
    rival best = {(1 - t[0]) * p[0], 1};
    for (int64_t i = 1; i < n; i++) {
        const float value = (1 - t[i]) * p[i];
        if (value == best.value) best.count++;
        if (value > best.value) best = (rival){value, 1};
    }
    return best;
}

static float own(const float *t, const float *p, int64_t n) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) sum += t[i] * p[i];
    return sum;
}

static float class_margin(const float *t, const float *p, int64_t n) {
    if (n == 0) return 0;
    return above_zero(find_rival(t, p, n).value - own(t, p, n) + 1);
}

static void through_class_margin(float dscore, const float *t, const float *p, float *dp,
                                 int64_t n) {
    if (n == 0) return;
    const rival best = find_rival(t, p, n);
    const bool flows = best.value - own(t, p, n) + 1 > 0;
    const float share = 1 / (float)best.count;
    for (int64_t i = 0; i < n; i++) {
        const float rest = 1 - t[i], from_rival = rest * p[i] == best.value ? share * rest : 0;
        dp[i] = flows ? dscore * (from_rival - t[i]) : 0;
    }
}

static void hinge(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(margin, 1, kfi_row_length(call), call, tile);
}
static void hinge_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(margin_slope, -1, kfi_row_length(call), call, tile);
}
static void squared_hinge(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(squared_margin, 1, kfi_row_length(call), call, tile);
}
static void squared_hinge_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(squared_margin_slope, -2, kfi_row_length(call), call, tile);
}
static void categorical_hinge(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_score_tile(class_margin, call, tile);
}
static void categorical_hinge_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_gradient_tile(through_class_margin, call, tile);
}

static kf_status derive_hinge(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "hinge_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}
static kf_status derive_squared_hinge(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "squared_hinge_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}
static kf_status derive_categorical_hinge(kfi_derivation *d) {
    d->din[1] = kfi_derive(d, "categorical_hinge_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

/* |t| below 1 / 2 and |p| below 1: the margin is never met, far from the kink. Values of large
 * examples and of tests/ops/more_losses.c are on both sides. */
#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = -0.5f, .high = 0.5f, .constant = true }
#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -1, .high = 1, .distinct = true }
#define WIDE(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = -3, .high = 3 }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {TARGET(2, {3, 5}), P(2, {3, 5})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 1}), P(3, {2, 3, 1})}},
    {.name = "large", .n_in = 2, .large = true, .in = {WIDE(2, {999, 101}), WIDE(2, {999, 101})}},
    {0},
};
/* A target well above the others' rests: the rival's lead is larger than a finite difference. */
static const kfi_example class_examples[] = {
    {.name = "two classes",
     .n_in = 2,
     .in = {{.shape = {2, {4, 2}}, .low = 0, .high = 0.4f, .constant = true}, P(2, {4, 2})}},
    {.name = "large", .n_in = 2, .large = true, .in = {WIDE(2, {999, 101}), WIDE(2, {999, 101})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {3}), TARGET(2, {3, 5}), P(2, {3, 5})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {999}), WIDE(2, {999, 101}), WIDE(2, {999, 101})}},
    {0},
};

const kfi_op KFI_OP(hinge) = {
    .name = "hinge",
    .infer = kfi_infer_target_score,
    .stages = {{hinge, kfi_score_tiles}},
    .gradient = derive_hinge,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(hinge_gradient) = {
    .name = "hinge_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{hinge_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};

const kfi_op KFI_OP(squared_hinge) = {
    .name = "squared_hinge",
    .infer = kfi_infer_target_score,
    .stages = {{squared_hinge, kfi_score_tiles}},
    .gradient = derive_squared_hinge,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(squared_hinge_gradient) = {
    .name = "squared_hinge_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{squared_hinge_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};

const kfi_op KFI_OP(categorical_hinge) = {
    .name = "categorical_hinge",
    .infer = kfi_infer_target_score,
    .stages = {{categorical_hinge, kfi_score_tiles}},
    .gradient = derive_categorical_hinge,
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(class_examples),
};

const kfi_op KFI_OP(categorical_hinge_gradient) = {
    .name = "categorical_hinge_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{categorical_hinge_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
