/* Metrics, 0 or 1 for each row of the last axis (binary: the mean over it); no gradient.
 *     binary_accuracy              mean_i [t_i = round(p_i)], half to even: 0.5 counts as 0
 *     categorical_accuracy         [argmax t = argmax p], the first of equal maxima
 *     sparse_categorical_accuracy  [label = argmax p] */
#include "ops/scores.h"

#include <math.h>

static float matching(float t, float p, float unused) {
    (void)unused;
    return t == rintf(p) ? 1.0f : 0.0f;
}

static int64_t largest(const float *p, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (p[i] > p[best]) best = i;
    return best;
}

static float same_class(const float *t, const float *p, int64_t n) {
    return largest(t, n) == largest(p, n) ? 1.0f : 0.0f;
}

static float is_class(int32_t label, const float *p, int64_t n) {
    return largest(p, n) == label ? 1.0f : 0.0f;
}

static void binary(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_sum_tile(matching, 1, kfi_row_length(call), call, tile);
}

static void categorical(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_score_tile(same_class, call, tile);
}

static void sparse_categorical(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_label_score_tile(is_class, call, tile);
}

#define P(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1 }
#define LABEL(classes, ...)                                                                        \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = classes }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 2, .in = {P(2, {5, 3}), P(2, {5, 3})}},
    {.name = "one unit", .n_in = 2, .in = {P(3, {2, 7, 1}), P(3, {2, 7, 1})}},
    {.name = "large", .n_in = 2, .large = true, .in = {P(2, {9999, 10}), P(2, {9999, 10})}},
    {0},
};
static const kfi_example sparse_examples[] = {
    {.name = "rows", .n_in = 2, .in = {LABEL(3, 2, {5, 1}), P(2, {5, 3})}},
    {.name = "time steps", .n_in = 2, .in = {LABEL(4, 3, {2, 3, 1}), P(3, {2, 3, 4})}},
    {.name = "large", .n_in = 2, .large = true, .in = {LABEL(10, 2, {9999, 1}), P(2, {9999, 10})}},
    {0},
};

const kfi_op KFI_OP(binary_accuracy) = {
    .name = "binary_accuracy",
    .infer = kfi_infer_target_score,
    .stages = {{binary, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(categorical_accuracy) = {
    .name = "categorical_accuracy",
    .infer = kfi_infer_target_score,
    .stages = {{categorical, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(examples),
};

const kfi_op KFI_OP(sparse_categorical_accuracy) = {
    .name = "sparse_categorical_accuracy",
    .infer = kfi_infer_label_score,
    .stages = {{sparse_categorical, kfi_score_tiles}},
    .cost = kfi_cheap_score_cost,
    .examples = KFI_EXAMPLES(sparse_examples),
};
