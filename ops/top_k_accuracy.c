/* Metrics without a gradient, 1 where the right class is among the k largest predictions:
 *     top_k_categorical_accuracy(t, p)            the class is argmax t, the first of equal maxima
 *     sparse_top_k_categorical_accuracy(label, p)
 * As TensorFlow's in_top_k: classes as likely as the k-th count as in; a prediction that is not
 * finite makes the whole row a miss. */
#include "ops/attributes.h"
#include "ops/scores.h"

#include <math.h>

static int64_t largest(const float *p, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

static float is_in_top(int64_t class, const float *p, int64_t n, int64_t k) {
    if (class < 0 || class >= n) return 0;
    int64_t larger = 0;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        larger += p[i] > p[class];
        finite = finite && isfinite(p[i]);
    }
    return finite && larger < k ? 1.0f : 0.0f;
}

static void top_k(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_top_k *top = call->attributes;
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    for (int64_t row = span.begin; row < span.end; row++)
        kfi_out(call, 0)[row] =
            is_in_top(largest(kfi_in(call, 0) + row * n, n), kfi_in(call, 1) + row * n, n, top->k);
}

static void sparse_top_k(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_top_k *top = call->attributes;
    const int64_t n = kfi_score_rows(call).n;
    const kfi_span span = kfi_score_span(call, tile);
    for (int64_t row = span.begin; row < span.end; row++)
        kfi_out(call, 0)[row] =
            is_in_top(kfi_in_int(call, 0)[row], kfi_in(call, 1) + row * n, n, top->k);
}

#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1 }
#define LABEL(classes, ...)                                                                        \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = classes }
#define TOP(count)                                                                                 \
    &(const kfi_top_k) { .k = count }
static const kfi_example examples[] = {
    {.name = "rows", .attributes = TOP(2), .n_in = 2, .in = {P(2, {5, 7}), P(2, {5, 7})}},
    {.name = "large",
     .attributes = TOP(5),
     .n_in = 2,
     .large = true,
     .in = {P(2, {9999, 10}), P(2, {9999, 10})}},
    {0},
};
static const kfi_example sparse_examples[] = {
    {.name = "rows", .attributes = TOP(2), .n_in = 2, .in = {LABEL(7, 2, {5, 1}), P(2, {5, 7})}},
    {.name = "large",
     .attributes = TOP(5),
     .n_in = 2,
     .large = true,
     .in = {LABEL(10, 2, {9999, 1}), P(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(top_k_categorical_accuracy) = {
    .name = "top_k_categorical_accuracy",
    .attributes_size = sizeof(kfi_top_k),
    .infer = kfi_infer_target_score,
    .stages = {{top_k, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(sparse_top_k_categorical_accuracy) = {
    .name = "sparse_top_k_categorical_accuracy",
    .attributes_size = sizeof(kfi_top_k),
    .infer = kfi_infer_label_score,
    .stages = {{sparse_top_k, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(sparse_examples),
};
