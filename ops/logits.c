/* The cross-entropies of logits, which are predictions before their softmax or sigmoid:
 *     categorical_crossentropy_of_logits(t, x) = sum_i t_i (L - x_i),  L = log sum_j exp(x_j)
 *         dx_i = (p_i sum_j t_j - t_i) dscore,  p = softmax(x)
 *     sparse_categorical_crossentropy_of_logits(label, x) = L - x_label
 *         dx_i = (p_i - [i = label]) dscore
 *     binary_crossentropy_of_logits(t, x) = mean_i max(x_i, 0) - x_i t_i + log(1 + exp(-|x_i|))
 *         dx_i = (sigmoid(x_i) - t_i) / n dscore
 * tf.keras's from_logits=True. Nothing is clipped. A label outside of [0, n) gives NaN; the graph
 * refuses such data before it comes here. */
#include "ops/scores.h"
#include "ops/vector_math.h"

static float largest(const float *x, int64_t n) {
    float largest = x[0];
#pragma omp simd reduction(max : largest)
    for (int64_t i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static float power(float t, float x, float m) {
    (void)t;
    return expf(x - m);
}

static float sum_of_powers(const float *x, float m, int64_t n) {
    return kfi_sum_terms(power, x, x, m, n);
}

/* --- one class of many ------------------------------------------------------------------------ */

static float away(float t, float x, float l) { return t * (l - x); }

static float entropy(const float *t, const float *x, int64_t n) {
    const float m = largest(x, n);
    return kfi_sum_terms(away, t, x, m + logf(sum_of_powers(x, m, n)), n);
}

static float label_entropy(int32_t label, const float *x, int64_t n) {
    if (label < 0 || label >= n) return NAN;
    const float m = largest(x, n);
    return m - x[label] + logf(sum_of_powers(x, m, n));
}

/* scale softmax(x). The powers are rewritten by the same loop for every row length. */
static void put_softmax(float scale, const float *x, float *dx, int64_t n) {
    const float m = largest(x, n), by = scale / sum_of_powers(x, m, n);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] = by * expf(x[i] - m);
}

static void through_entropy(float dscore, const float *t, const float *x, float *dx, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += t[i];
    const float m = largest(x, n), by = dscore * sum / sum_of_powers(x, m, n);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] = by * expf(x[i] - m) - dscore * t[i];
}

static void through_label_entropy(float dscore, int32_t label, const float *x, float *dx,
                                  int64_t n) {
    const bool valid = label >= 0 && label < n;
    put_softmax(valid ? dscore : NAN, x, dx, n);
    if (valid) dx[label] -= dscore;
}

/* --- each class by itself --------------------------------------------------------------------- */

static float binary(float t, float x, float zero) {
    const float positive = x > zero || x != x ? x : zero;
    return positive - x * t + log1pf(expf(x > zero ? -x : x));
}

static float binary_slope(float t, float x, float unused) {
    (void)unused;
    return 1 / (1 + expf(-x)) - t;
}

/* --- kernels ---------------------------------------------------------------------------------- */

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_score_tile(entropy, call, tile);
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_gradient_tile(through_entropy, call, tile);
}

static void label_score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_label_score_tile(label_entropy, call, tile);
}

static void label_score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_label_gradient_tile(through_label_entropy, call, tile);
}

static void binary_score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(binary, 1, kfi_row_length(call), call, tile);
}

static void binary_score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_slope_tile(binary_slope, 1, kfi_row_length(call), call, tile);
}

static kf_status derive_by(kfi_derivation *d, const char *gradient) {
    d->din[1] = kfi_derive(d, gradient, NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

static kf_status derive(kfi_derivation *d) {
    return derive_by(d, "categorical_crossentropy_of_logits_gradient");
}

static kf_status derive_label(kfi_derivation *d) {
    return derive_by(d, "sparse_categorical_crossentropy_of_logits_gradient");
}

static kf_status derive_binary(kfi_derivation *d) {
    return derive_by(d, "binary_crossentropy_of_logits_gradient");
}

#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
#define LABEL(classes, ...)                                                                        \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = classes, .constant = true }
#define X(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -3, .high = 3 }
#define D(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {TARGET(2, {5, 3}), X(2, {5, 3})}},
    {.name = "time steps", .n_in = 2, .in = {TARGET(3, {2, 3, 19}), X(3, {2, 3, 19})}},
    {.name = "large", .n_in = 2, .large = true, .in = {TARGET(2, {9999, 10}), X(2, {9999, 10})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {5}), TARGET(2, {5, 3}), X(2, {5, 3})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {9999}), TARGET(2, {9999, 10}), X(2, {9999, 10})}},
    {0},
};
static const kfi_example label_examples[] = {
    {.name = "rows", .n_in = 2, .in = {LABEL(3, 2, {5, 1}), X(2, {5, 3})}},
    {.name = "time steps", .n_in = 2, .in = {LABEL(19, 3, {2, 3, 1}), X(3, {2, 3, 19})}},
    {.name = "large", .n_in = 2, .large = true, .in = {LABEL(10, 2, {9999, 1}), X(2, {9999, 10})}},
    {0},
};
static const kfi_example label_gradient_examples[] = {
    {.name = "rows", .n_in = 3, .in = {D(1, {5}), LABEL(3, 2, {5, 1}), X(2, {5, 3})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {9999}), LABEL(10, 2, {9999, 1}), X(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(categorical_crossentropy_of_logits) = {
    .name = "categorical_crossentropy_of_logits",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(categorical_crossentropy_of_logits_gradient) = {
    .name = "categorical_crossentropy_of_logits_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
};

const kfi_op KFI_OP(sparse_categorical_crossentropy_of_logits) = {
    .name = "sparse_categorical_crossentropy_of_logits",
    .infer = kfi_infer_label_score,
    .stages = {{label_score, kfi_score_tiles}},
    .gradient = derive_label,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(label_examples),
    .index_input = 1,
    .index_of = 1,
    .index_axis = -1,
};

const kfi_op KFI_OP(sparse_categorical_crossentropy_of_logits_gradient) = {
    .name = "sparse_categorical_crossentropy_of_logits_gradient",
    .infer = kfi_infer_label_gradient,
    .stages = {{label_score_gradient, kfi_score_tiles}},
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(label_gradient_examples),
    .index_input = 2,
    .index_of = 2,
    .index_axis = -1,
};

const kfi_op KFI_OP(binary_crossentropy_of_logits) = {
    .name = "binary_crossentropy_of_logits",
    .infer = kfi_infer_target_score,
    .stages = {{binary_score, kfi_score_tiles}},
    .gradient = derive_binary,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(binary_crossentropy_of_logits_gradient) = {
    .name = "binary_crossentropy_of_logits_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{binary_score_gradient, kfi_score_tiles}},
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
};
