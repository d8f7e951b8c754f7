/* Losses and metrics: (y_true, y_pred) -> one number for each row of the last axis. */
#ifndef KFI_OPS_SCORES_H
#define KFI_OPS_SCORES_H

#include "ops/checks.h"
#include "ops/columns.h"

/* K.epsilon(): predictions are clipped to [KFI_CLIP, 1 - KFI_CLIP] before a logarithm. */
#define KFI_CLIP 1e-7f

static inline float kfi_clipped(float p) {
    const float low = p > KFI_CLIP || p != p ? p : KFI_CLIP;
    return low > 1 - KFI_CLIP ? 1 - KFI_CLIP : low;
}

/* As TensorFlow derives clip_by_value: the ends themselves belong to the inside. */
static inline bool kfi_unclipped(float p) { return p >= KFI_CLIP && p <= 1 - KFI_CLIP; }

static inline kf_status kfi_expect_predictions(const kfi_shaping *shaping, int input) {
    const kf_status status = kfi_expect_dtype(shaping, input, KF_FLOAT32);
    if (status || shaping->in[input].shape.rank > 0) return status;
    return kfi_fail(KF_INVALID, "predictions must have at least one axis");
}

/* Targets of the shape of the predictions, in inputs `at` and `at` + 1. */
static inline kf_status kfi_expect_targets(const kfi_shaping *shaping, int at, kf_shape *shape) {
    kf_status status = kfi_expect_dtype(shaping, at, KF_FLOAT32);
    if (!status) status = kfi_expect_predictions(shaping, at + 1);
    if (status) return status;
    const kf_shape *targets = &shaping->in[at].shape;
    *shape = shaping->in[at + 1].shape;
    if (!kfi_shape_fits(shape, targets))
        return kfi_fail(KF_INVALID, "targets of shape %s do not fit predictions of shape %s",
                        kfi_shape_string(targets), kfi_shape_string(shape));
    kfi_shape_complete(shape, targets);
    return KF_OK;
}

/* Labels: int32, the shape of the predictions with a last axis of 1. */
static inline kf_status kfi_expect_labels(const kfi_shaping *shaping, int at, kf_shape *shape) {
    kf_status status = kfi_expect_dtype(shaping, at, KF_INT32);
    if (!status) status = kfi_expect_predictions(shaping, at + 1);
    if (status) return status;
    const kf_shape *labels = &shaping->in[at].shape;
    *shape = shaping->in[at + 1].shape;
    kf_shape expected = *shape;
    expected.dims[expected.rank - 1] = 1;
    if (!kfi_shape_fits(&expected, labels))
        return kfi_fail(KF_INVALID, "labels must be of shape %s, got %s",
                        kfi_shape_string(&expected), kfi_shape_string(labels));
    for (int i = 0; i + 1 < shape->rank; i++)
        if (shape->dims[i] < 0) shape->dims[i] = labels->dims[i];
    return KF_OK;
}

typedef kf_status kfi_expect_pair(const kfi_shaping *shaping, int at, kf_shape *shape);

/* score(y_true, y_pred) has the shape of y_pred without its last axis. */
static inline kf_status kfi_infer_score(kfi_shaping *shaping, kfi_expect_pair *expect) {
    kf_status status = kfi_expect_inputs(shaping, 2);
    if (!status) status = expect(shaping, 0, &shaping->out[0].shape);
    if (status) return status;
    shaping->out[0].shape.rank--;
    shaping->n_out = 1;
    return KF_OK;
}

/* score_gradient(dscore, y_true, y_pred) has the shape of y_pred. */
static inline kf_status kfi_infer_score_gradient(kfi_shaping *shaping, kfi_expect_pair *expect) {
    kf_status status = kfi_expect_inputs(shaping, 3);
    if (!status) status = kfi_expect_dtype(shaping, 0, KF_FLOAT32);
    if (!status) status = expect(shaping, 1, &shaping->out[0].shape);
    if (status) return status;
    kf_shape scores = shaping->out[0].shape;
    scores.rank--;
    if (!kfi_shape_fits(&scores, &shaping->in[0].shape))
        return kfi_fail(KF_INVALID, "gradients of scores must be of shape %s, got %s",
                        kfi_shape_string(&scores), kfi_shape_string(&shaping->in[0].shape));
    shaping->n_out = 1;
    return KF_OK;
}

static inline kf_status kfi_infer_target_score(kfi_shaping *shaping) {
    return kfi_infer_score(shaping, kfi_expect_targets);
}
static inline kf_status kfi_infer_target_gradient(kfi_shaping *shaping) {
    return kfi_infer_score_gradient(shaping, kfi_expect_targets);
}
static inline kf_status kfi_infer_label_score(kfi_shaping *shaping) {
    return kfi_infer_score(shaping, kfi_expect_labels);
}
static inline kf_status kfi_infer_label_gradient(kfi_shaping *shaping) {
    return kfi_infer_score_gradient(shaping, kfi_expect_labels);
}

/* The predictions, input 1 of a score and input 2 of its gradient, as rows. */
static inline kfi_columns kfi_score_rows(const kfi_call *call) {
    return kfi_rows_of(&call->in[call->n_in - 1]);
}

static inline int64_t kfi_score_tiles(const kfi_call *call) {
    const kfi_columns rows = kfi_score_rows(call);
    return kfi_tiles_for(rows.outer, kfi_rows_per_tile(rows.n));
}

static inline kfi_span kfi_score_span(const kfi_call *call, int64_t tile) {
    const kfi_columns rows = kfi_score_rows(call);
    return kfi_span_of(tile, kfi_rows_per_tile(rows.n), rows.outer);
}

/* The score of one row; the gradient of one row given that of its score. */
typedef float kfi_row_score(const float *t, const float *p, int64_t n);
typedef void kfi_row_gradient(float dscore, const float *t, const float *p, float *dp, int64_t n);
typedef float kfi_label_score(int32_t label, const float *p, int64_t n);
typedef void kfi_label_gradient(float dscore, int32_t label, const float *p, float *dp, int64_t n);

KFI_INLINE void kfi_score_tile(kfi_row_score *f, const kfi_call *call, int64_t tile) {
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    for (int64_t row = span.begin; row < span.end; row++)
        kfi_out(call, 0)[row] = f(kfi_in(call, 0) + row * n, kfi_in(call, 1) + row * n, n);
}

KFI_INLINE void kfi_gradient_tile(kfi_row_gradient *f, const kfi_call *call, int64_t tile) {
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    for (int64_t row = span.begin; row < span.end; row++)
        f(kfi_in(call, 0)[row], kfi_in(call, 1) + row * n, kfi_in(call, 2) + row * n,
          kfi_out(call, 0) + row * n, n);
}

KFI_INLINE void kfi_label_score_tile(kfi_label_score *f, const kfi_call *call, int64_t tile) {
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    for (int64_t row = span.begin; row < span.end; row++)
        kfi_out(call, 0)[row] = f(kfi_in_int(call, 0)[row], kfi_in(call, 1) + row * n, n);
}

KFI_INLINE void kfi_label_gradient_tile(kfi_label_gradient *f, const kfi_call *call, int64_t tile) {
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    for (int64_t row = span.begin; row < span.end; row++)
        f(kfi_in(call, 0)[row], kfi_in_int(call, 1)[row], kfi_in(call, 2) + row * n,
          kfi_out(call, 0) + row * n, n);
}

/* --- scores that are sums of terms ------------------------------------------------------------ */

/* A term of a row, or its derivative; s is the same for all of the row. */
typedef float kfi_term(float t, float p, float s);

/* The sum of f(t_i, p_i, s) over a row. The last few go through the same vector code in a padded
 * block, whose other terms are left out. */
KFI_INLINE float kfi_sum_terms(kfi_term *f, const float *t, const float *p, float s, int64_t n) {
    const int64_t whole = n - n % KFI_BLOCK, rest = n - whole;
    float term[KFI_BLOCK] = {0};
    for (int64_t at = 0; at < whole; at += KFI_BLOCK) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) term[j] += f(t[at + j], p[at + j], s);
    }
    if (rest > 0) {
        float last_t[KFI_BLOCK] = {0}, last_p[KFI_BLOCK] = {0}, last[KFI_BLOCK];
        memcpy(last_t, t + whole, (size_t)rest * sizeof(float));
        memcpy(last_p, p + whole, (size_t)rest * sizeof(float));
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) last[j] = f(last_t[j], last_p[j], s);
        for (int64_t j = 0; j < rest; j++) term[j] += last[j];
    }
    for (int half = KFI_BLOCK / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) term[j] += term[j + half];
    return term[0];
}

/* Rows may be shorter than a vector (a unit, three colours), so terms are computed for many rows at
 * a time, as if they were one. */
enum { KFI_TERMS = 1024 };

/* term_i = f(t_i, p_i, 0) for n elements; the last few in a padded block. */
KFI_INLINE void kfi_find_terms(kfi_term *f, const float *t, const float *p, float *term,
                               int64_t n) {
    const int64_t whole = n - n % KFI_BLOCK, rest = n - whole;
    for (int64_t i = 0; i < whole; i += KFI_BLOCK) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) term[i + j] = f(t[i + j], p[i + j], 0);
    }
    if (rest == 0) return;
    float last_t[KFI_BLOCK] = {0}, last_p[KFI_BLOCK] = {0};
    memcpy(last_t, t + whole, (size_t)rest * sizeof(float));
    memcpy(last_p, p + whole, (size_t)rest * sizeof(float));
#pragma omp simd
    for (int j = 0; j < KFI_BLOCK; j++) last_t[j] = f(last_t[j], last_p[j], 0);
    memcpy(term + whole, last_t, (size_t)rest * sizeof(float));
}

/* score_r = by * (sum of row r / over); vectorised where the compiler knows n. */
KFI_INLINE void kfi_add_up(int64_t n, const float *term, int64_t rows, float by, float over,
                           float *score) {
#pragma omp simd
    for (int64_t r = 0; r < rows; r++) {
        float sum = term[r * n];
        for (int64_t i = 1; i < n; i++) sum += term[r * n + i];
        score[r] = by * (sum / over);
    }
}

static inline void kfi_add_up_rows(int64_t n, const float *term, int64_t rows, float by, float over,
                                   float *score) {
    if (n == 1)
        kfi_add_up(1, term, rows, by, over, score);
    else if (n == 2)
        kfi_add_up(2, term, rows, by, over, score);
    else if (n == 3)
        kfi_add_up(3, term, rows, by, over, score);
    else
        for (int64_t r = 0; r < rows; r++, term += n) {
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < n; i++) sum += term[i];
            score[r] = by * (sum / over);
        }
}

/* score = by * (sum_i f(t_i, p_i) / over), for each row of a tile. */
KFI_INLINE void kfi_sum_tile(kfi_term *f, float by, float over, const kfi_call *call,
                             int64_t tile) {
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    const float *t = kfi_in(call, 0), *p = kfi_in(call, 1);
    float *score = kfi_out(call, 0), term[KFI_TERMS];
    const int64_t at_once = n > 0 && n < KFI_TERMS ? KFI_TERMS / n : 1;
    for (int64_t row = span.begin; row < span.end; row += at_once) {
        const int64_t rows = span.end - row < at_once ? span.end - row : at_once;
        if (at_once == 1) {
            score[row] = by * (kfi_sum_terms(f, t + row * n, p + row * n, 0, n) / over);
            continue;
        }
        kfi_find_terms(f, t + row * n, p + row * n, term, rows * n);
        kfi_add_up_rows(n, term, rows, by, over, score + row);
    }
}

/* dp_i = by * dscore_r / over * slope_i of row r. */
KFI_INLINE void kfi_hand_down(int64_t n, const float *dscore, const float *slope, int64_t rows,
                              float by, float over, float *dp) {
#pragma omp simd
    for (int64_t r = 0; r < rows; r++) {
        const float scale = by * dscore[r] / over;
        for (int64_t i = 0; i < n; i++) dp[r * n + i] = scale * slope[r * n + i];
    }
}

static inline void kfi_hand_down_rows(int64_t n, const float *dscore, const float *slope,
                                      int64_t rows, float by, float over, float *dp) {
    if (n == 1)
        kfi_hand_down(1, dscore, slope, rows, by, over, dp);
    else if (n == 2)
        kfi_hand_down(2, dscore, slope, rows, by, over, dp);
    else if (n == 3)
        kfi_hand_down(3, dscore, slope, rows, by, over, dp);
    else
        kfi_hand_down(n, dscore, slope, rows, by, over, dp);
}

/* The derivative of kfi_sum_tile, f being that of a term: dp_i = by * dscore / over * f(t_i, p_i).
 * dp may be p. */
KFI_INLINE void kfi_slope_tile(kfi_term *f, float by, float over, const kfi_call *call,
                               int64_t tile) {
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    const float *dscore = kfi_in(call, 0), *t = kfi_in(call, 1), *p = kfi_in(call, 2);
    float *dp = kfi_out(call, 0), slope[KFI_TERMS];
    const int64_t at_once = n > 0 && n < KFI_TERMS ? KFI_TERMS / n : 1;
    for (int64_t row = span.begin; row < span.end; row += at_once) {
        const int64_t rows = span.end - row < at_once ? span.end - row : at_once;
        for (int64_t from = 0; from < n; from += KFI_TERMS) {
            const int64_t width = n - from < KFI_TERMS ? n - from : KFI_TERMS, at = row * n + from;
            kfi_find_terms(f, t + at, p + at, slope, rows * width);
            kfi_hand_down_rows(width, dscore + row, slope, rows, by, over, dp + at);
        }
    }
}

/* What a mean is divided by. */
static inline float kfi_row_length(const kfi_call *call) { return (float)kfi_score_rows(call).n; }

/* --- costs ------------------------------------------------------------------------------------ */

/* `flops` for each element of the predictions. */
static inline kfi_cost kfi_score_cost(const kfi_call *call, double flops) {
    const kfi_columns rows = kfi_score_rows(call);
    return (kfi_cost){flops * (double)rows.outer * (double)rows.n, kfi_cost_of(call, 0).bytes};
}

static inline kfi_cost kfi_cheap_score_cost(const kfi_call *call) {
    return kfi_score_cost(call, 3);
}
static inline kfi_cost kfi_log_score_cost(const kfi_call *call) { return kfi_score_cost(call, 24); }

#endif
