/* categorical_crossentropy(t, p) = -sum_i t_i log c_i,
 *     q_i = p_i / s,  s = sum_j p_j,  c = q clipped to [1e-7, 1 - 1e-7]
 * Keras renormalises before it clips, and the derivative goes through both:
 *     g_i = -t_i / q_i, and 0 where q_i was clipped
 *     dp_i = (g_i - sum_j g_j q_j) / s dscore
 * Where classes are few, rows are turned into columns, and lanes are rows (short_rows.h). */
#include "ops/scores.h"
#include "ops/short_rows.h"
#include "ops/vector_math.h"

static float sum_of(const float *p, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += p[i];
    return sum;
}

static float term(float t, float p, float s) { return -t * logf(kfi_clipped(p / s)); }

static float entropy(const float *t, const float *p, int64_t n) {
    return kfi_sum_terms(term, t, p, sum_of(p, n), n);
}

/* g_i of the head; a NaN counts as not clipped, so that it shows. */
static float slope(float t, float q) { return kfi_unclipped(q) || q != q ? -t / q : 0; }

static void through_entropy(float dscore, const float *t, const float *p, float *dp, int64_t n) {
    const float s = sum_of(p, n);
    float along = 0;
#pragma omp simd reduction(+ : along)
    for (int64_t i = 0; i < n; i++) along += slope(t[i], p[i] / s) * (p[i] / s);
    const float scale = dscore / s;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dp[i] = scale * (slope(t[i], p[i] / s) - along);
}

/* --- few classes: columns of n, KFI_BLOCK of them from `j` on -----------------------------------
 */

/* s and sum of the head, by column. */
static void entropy_of_columns(const float *t, const float *p, int64_t n, float *score) {
    float s[KFI_BLOCK] = {0}, sum[KFI_BLOCK] = {0};
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) s[j] += p[i * KFI_STRIP + j];
    }
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++)
            sum[j] += term(t[i * KFI_STRIP + j], p[i * KFI_STRIP + j], s[j]);
    }
    memcpy(score, sum, sizeof sum);
}

/* dp takes the place of p, as g_i does meanwhile. */
static void through_columns(const float *dscore, const float *t, float *p, int64_t n) {
    float s[KFI_BLOCK] = {0}, along[KFI_BLOCK] = {0};
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) s[j] += p[i * KFI_STRIP + j];
    }
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) {
            const float q = p[i * KFI_STRIP + j] / s[j], g = slope(t[i * KFI_STRIP + j], q);
            along[j] += g * q;
            p[i * KFI_STRIP + j] = g;
        }
    }
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++)
            p[i * KFI_STRIP + j] = dscore[j] / s[j] * (p[i * KFI_STRIP + j] - along[j]);
    }
}

static void score_strip(const float *t, const float *p, int64_t rows, int64_t n, float *score) {
    float t_strip[KFI_SHORT * KFI_STRIP], p_strip[KFI_SHORT * KFI_STRIP], scores[KFI_STRIP];
    kfi_turn_rows(t, rows, n, 1, t_strip);
    kfi_turn_rows(p, rows, n, 1, p_strip);
    for (int64_t j = 0; j < rows; j += KFI_BLOCK)
        entropy_of_columns(t_strip + j, p_strip + j, n, scores + j);
    memcpy(score, scores, (size_t)rows * sizeof *score);
}

static void gradient_strip(const float *dscore, const float *t, const float *p, int64_t rows,
                           int64_t n, float *dp) {
    float t_strip[KFI_SHORT * KFI_STRIP], p_strip[KFI_SHORT * KFI_STRIP], dscores[KFI_STRIP] = {0};
    kfi_turn_rows(t, rows, n, 1, t_strip);
    kfi_turn_rows(p, rows, n, 1, p_strip);
    memcpy(dscores, dscore, (size_t)rows * sizeof *dscore);
    for (int64_t j = 0; j < rows; j += KFI_BLOCK)
        through_columns(dscores + j, t_strip + j, p_strip + j, n);
    kfi_turn_columns(p_strip, rows, n, dp);
}

/* --- kernels ---------------------------------------------------------------------------------- */

static bool has_few_classes(int64_t n) { return n > 0 && n < KFI_SHORT; }

static void score(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    if (!has_few_classes(n)) kfi_score_tile(entropy, call, tile);
    for (int64_t row = span.begin; row < span.end && has_few_classes(n); row += KFI_STRIP) {
        const int64_t rows = span.end - row < KFI_STRIP ? span.end - row : KFI_STRIP;
        score_strip(kfi_in(call, 0) + row * n, kfi_in(call, 1) + row * n, rows, n,
                    kfi_out(call, 0) + row);
    }
}

static void score_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    if (!has_few_classes(n)) kfi_gradient_tile(through_entropy, call, tile);
    for (int64_t row = span.begin; row < span.end && has_few_classes(n); row += KFI_STRIP) {
        const int64_t rows = span.end - row < KFI_STRIP ? span.end - row : KFI_STRIP;
        gradient_strip(kfi_in(call, 0) + row, kfi_in(call, 1) + row * n, kfi_in(call, 2) + row * n,
                       rows, n, kfi_out(call, 0) + row * n);
    }
}

static kf_status derive(kfi_derivation *d) {
    d->din[1] =
        kfi_derive(d, "categorical_crossentropy_gradient", NULL, d->dout[0], d->in[0], d->in[1]);
    return KF_OK;
}

/* Not normalised: the derivative must go through the sum. */
#define TARGET(...)                                                                                \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
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
    {.name = "time steps",
     .n_in = 3,
     .in = {D(2, {2, 3}), TARGET(3, {2, 3, 19}), P(3, {2, 3, 19})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {D(1, {9999}), TARGET(2, {9999, 10}), P(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(categorical_crossentropy) = {
    .name = "categorical_crossentropy",
    .infer = kfi_infer_target_score,
    .stages = {{score, kfi_score_tiles}},
    .gradient = derive,
    .cost = kfi_log_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(categorical_crossentropy_gradient) = {
    .name = "categorical_crossentropy_gradient",
    .infer = kfi_infer_target_gradient,
    .stages = {{score_gradient, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {3},
};
