/* What the tests of training share: tiny models with known weights, arrays, comparisons. */
#ifndef KF_TESTS_TRAIN_SUPPORT_H
#define KF_TESTS_TRAIN_SUPPORT_H

#include "core/base/memory.h"
#include "core/base/status.h"
#include "kf.h"

#include "tests/base/sentences.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fails with the library's message. */
static inline void ok(kf_status status) {
    if (status != KF_OK) fail_msg("status %d: %s", status, kf_last_error());
}

/* The last message has these words. */
static inline void says(const char *words) {
    if (!strstr(kf_last_error(), words))
        fail_msg("expected \"%s\" in \"%s\"", words, kf_last_error());
}

static inline void refuses(kf_status status, kf_status expected, const char *words) {
    assert_int_equal(status, expected);
    says(words);
}

/* Within 1e-6 of the larger of 1 and the value. */
static inline void near(double got, double expected) {
    const double scale = fabs(expected) > 1 ? fabs(expected) : 1;
    if (!(fabs(got - expected) <= 1e-6 * scale)) fail_msg("got %.9g, expected %.9g", got, expected);
}

/* An array named or, with NULL, by position: ARRAY("x", x, rows, columns…). */
#define ARRAY(array_name, values, ...)                                                             \
    ((kf_array){.name = (array_name),                                                              \
                .data = (values),                                                                  \
                .dtype = KF_FLOAT32,                                                               \
                .shape = {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}})
#define LABELS(array_name, values, ...)                                                            \
    ((kf_array){.name = (array_name),                                                              \
                .data = (values),                                                                  \
                .dtype = KF_INT32,                                                                 \
                .shape = {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}})

static inline void set_weight(kf_model *model, int32_t index, const float *values) {
    kf_weight *weight = kf_model_weight(model, index);
    int64_t count = 1;
    for (int32_t i = 0; i < kf_weight_shape(weight).rank; i++)
        count *= kf_weight_shape(weight).dims[i];
    ok(kf_weight_set(weight, values, count));
}

static inline float weight_of(kf_model *model) {
    float value;
    ok(kf_weight_get(kf_model_weight(model, 0), &value, 1));
    return value;
}

/* y = w x, one number: with x = 1, target 0 and the loss mse the gradient is 2 w. */
static inline kf_model *line_model(kf_graph *graph, float w) {
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(1, .no_bias = true, .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_model_error(model));
    set_weight(model, 0, &w);
    return model;
}

/* The tutorials' model of two inputs and two outputs, without its LSTM. */
static inline kf_model *headline_model(kf_graph *graph) {
    kf_tensor *in = kf_input(graph, {12}, .name = "main_input");
    kf_tensor *seen = kf_apply(kf_dense(8, .activation = "relu"), in);
    kf_tensor *aux = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "aux_output"), seen);
    kf_tensor *more = kf_input(graph, {5}, .name = "aux_input");
    kf_tensor *x = kf_apply(kf_concatenate(), seen, more);
    x = kf_apply(kf_dense(16, .activation = "relu"), x);
    x = kf_apply(kf_dropout(0.25f), x);
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "main_output"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(in, more), .outputs = kf_list(out, aux));
    ok(kf_model_error(model));
    return model;
}

/* A small convolutional classifier with everything that has state or randomness. */
static inline kf_model *vision_model(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {8, 8, 1}, .name = "image");
    kf_tensor *x = kf_apply(kf_conv2d(4, .kernel_size = {3, 3}, .padding = "same"), image);
    x = kf_apply(kf_batch_normalization(), x);
    x = kf_apply(kf_activation("relu"), x);
    kf_tensor *left = kf_apply(kf_max_pooling2d(), x);
    kf_tensor *right = kf_apply(kf_average_pooling2d(), x);
    x = kf_apply(kf_concatenate(), left, right);
    x = kf_apply(kf_flatten(), x);
    x = kf_apply(kf_dropout(0.3f), x);
    kf_tensor *out = kf_apply(kf_dense(3, .activation = "softmax", .name = "label"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(image), .outputs = kf_list(out));
    ok(kf_model_error(model));
    return model;
}

/* Numbers that are the same on every run, in [-1, 1). */
static inline float *some_numbers(int64_t count, uint32_t seed) {
    float *values = test_malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
    return values;
}

static inline int32_t *some_labels(int64_t count, int32_t classes, uint32_t seed) {
    int32_t *labels = test_malloc((size_t)count * sizeof *labels);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        labels[i] = (int32_t)((seed >> 8) % (uint32_t)classes);
    }
    return labels;
}

#endif
