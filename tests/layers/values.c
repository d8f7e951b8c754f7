/* What layers compute, through plans, on numbers small enough to check by hand. */
#include "tests/layers/support.h"

#include <math.h>

enum { MAX_VALUES = 256 };

/* One run of the layer that made `tensor`, on data for its inputs. */
typedef struct trial {
    bool training;
    int64_t batch;
    const float *data[4];
    int64_t random[2];
    float out[MAX_VALUES];
    kf_shape shape;
} trial;

static void check(kf_status status) {
    if (status != KF_OK) fail_msg("%s", kf_last_error());
}

static void run_layer(const kf_tensor *tensor, trial *run) {
    const kfi_node *node = tensor->node;
    kfi_formula *formula;
    assert_good(tensor->graph);
    check(kfi_formula_new(false, run->training, &formula));
    kfi_value in[4], masks[4], out[KFI_LAYER_MAX_OUTPUTS], out_masks[KFI_LAYER_MAX_OUTPUTS];
    for (int32_t i = 0; i < node->n_in; i++) {
        kf_shape shape = node->in[i]->shape;
        shape.dims[0] = run->batch;
        in[i] = kfi_source(formula, "input", KF_FLOAT32, &shape);
        masks[i] = KFI_NONE;
    }
    kfi_layer_call call = {.layer = node->layer,
                           .formula = formula,
                           .n_in = node->n_in,
                           .in = in,
                           .in_mask = masks,
                           .out = out,
                           .out_mask = out_masks};
    check(kfi_layer_invoke(&call, node->index));
    const kfi_value random = kfi_random_state(formula);
    kfi_plan *plan;
    check(kfi_plan_new(formula, out, 1, &plan));
    for (int32_t i = 0; i < node->n_in; i++) kfi_plan_feed(plan, in[i], run->data[i]);
    kfi_plan_feed(plan, random, run->random);
    kfi_arena arena = {0};
    check(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}));
    const kfi_array *result = kfi_plan_result(plan, 0);
    run->shape = result->shape;
    assert_true(kfi_shape_count(&result->shape) <= MAX_VALUES);
    memcpy(run->out, result->data, (size_t)kfi_shape_count(&result->shape) * sizeof(float));
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
}

static void assert_values(const trial *run, const char *shape, const float *expected) {
    assert_string_equal(kfi_shape_string(&run->shape), shape);
    for (int64_t i = 0; i < kfi_shape_count(&run->shape); i++)
        if (fabsf(run->out[i] - expected[i]) > 1e-5f)
            fail_msg("element %d is %g, expected %g", (int)i, (double)run->out[i],
                     (double)expected[i]);
}

static void set_weight(kf_layer *layer, int32_t i, const float *values, int64_t count) {
    check(kf_weight_set(kf_layer_weight(layer, i), values, count));
}

static void dense(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_dense(2, .activation = "relu");
    kf_tensor *y = kf_apply(layer, kf_input(g, {3}));
    kf_tensor *rows = kf_apply(layer, kf_input(g, {2, 3}));
    set_weight(layer, 0, (float[]){1, -1, 2, 0, 0, 3}, 6);
    set_weight(layer, 1, (float[]){0.5f, -1}, 2);
    const float x[] = {1, 2, 3, -1, 0, 1}, expected[] = {5.5f, 7, 0, 3};
    trial flat = {.batch = 2, .data = {x}}, deep = {.batch = 1, .data = {x}};
    run_layer(y, &flat);
    assert_values(&flat, "(2, 2)", expected);
    run_layer(rows, &deep);
    assert_values(&deep, "(1, 2, 2)", expected);
    kf_graph_free(g);
}

static void conv2d(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *last = kf_conv2d(2, {2}, .kernel_initializer = "normal(seed=3)");
    kf_layer *first =
        kf_conv2d(2, {2}, .kernel_initializer = "normal(seed=3)", .data_format = "channels_first");
    kf_tensor *y_last = kf_apply(last, kf_input(g, {3, 4, 2}));
    kf_tensor *y_first = kf_apply(first, kf_input(g, {2, 3, 4}));
    float x[24], x_first[24], expected[12];
    for (int i = 0; i < 24; i++) x[i] = (float)(i * 7 % 5) - 2;
    for (int i = 0; i < 24; i++) x_first[i % 2 * 12 + i / 2] = x[i];
    trial a = {.batch = 1, .data = {x}}, b = {.batch = 1, .data = {x_first}};
    run_layer(y_last, &a);
    run_layer(y_first, &b);
    float kernel[16];
    check(kf_weight_get(kf_layer_weight(last, 0), kernel, 16));
    float corner = 0; /* cross-correlation: the kernel is not flipped */
    for (int k = 0; k < 8; k++) corner += x[k / 4 * 8 + k % 4] * kernel[2 * k];
    assert_true(fabsf(a.out[0] - corner) < 1e-5f);
    for (int i = 0; i < 12; i++) expected[i % 2 * 6 + i / 2] = a.out[i];
    assert_values(&b, "(1, 2, 2, 3)", expected);
    kf_graph_free(g);
}

static void pooling(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {2, 4, 1}), *first = kf_input(g, {1, 2, 4});
    const float x[] = {1, 5, -2, 0, 3, 2, 4, -6};
    trial r = {.batch = 1, .data = {x}};
    run_layer(kf_apply(kf_max_pooling2d(), in), &r);
    assert_values(&r, "(1, 1, 2, 1)", (float[]){5, 4});
    run_layer(kf_apply(kf_average_pooling2d(.data_format = "channels_first"), first), &r);
    assert_values(&r, "(1, 1, 1, 2)", (float[]){2.75f, -1});
    run_layer(kf_apply(kf_global_average_pooling2d(), in), &r);
    assert_values(&r, "(1, 1)", (float[]){0.875f});
    run_layer(kf_apply(kf_global_average_pooling2d(.data_format = "channels_first"), first), &r);
    assert_values(&r, "(1, 1)", (float[]){0.875f});
    kf_graph_free(g);
}

static void flatten(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float x[] = {1, 2, 3, 4, 5, 6};
    trial r = {.batch = 1, .data = {x}};
    run_layer(kf_apply(kf_flatten(), kf_input(g, {2, 3})), &r);
    assert_values(&r, "(1, 6)", x);
    run_layer(kf_apply(kf_flatten(.data_format = "channels_first"), kf_input(g, {2, 3})), &r);
    assert_values(&r, "(1, 6)", (float[]){1, 4, 2, 5, 3, 6}); /* channels go last first */
    run_layer(kf_apply(kf_reshape({3, -1}), kf_input(g, {2, 3})), &r);
    assert_values(&r, "(1, 3, 2)", x);
    kf_graph_free(g);
}

static void merges(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *wide = kf_input(g, {2, 2}), *row = kf_input(g, {2});
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8}, y[] = {10, 20, 30, 40};
    trial r = {.batch = 2, .data = {x, y}}, same = {.batch = 2, .data = {x, x, x}};
    run_layer(kf_apply(kf_add(), wide, row), &r); /* (2, 2, 2) + (2, 1, 2) */
    assert_values(&r, "(2, 2, 2)", (float[]){11, 22, 13, 24, 35, 46, 37, 48});
    run_layer(kf_apply(kf_multiply(), wide, row), &r);
    assert_values(&r, "(2, 2, 2)", (float[]){10, 40, 30, 80, 150, 240, 210, 320});
    run_layer(kf_apply(kf_add(), wide, wide, wide), &same);
    assert_values(&same, "(2, 2, 2)", (float[]){3, 6, 9, 12, 15, 18, 21, 24});
    run_layer(kf_apply(kf_concatenate(.axis = 1), wide, wide), &same);
    assert_values(&same, "(2, 4, 2)", (float[]){1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8});
    kf_graph_free(g);
}

static void dropout(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *y = kf_apply(kf_dropout(0.5f), kf_input(g, {100}));
    kf_tensor *none = kf_apply(kf_dropout(0), kf_input(g, {100}));
    float x[100];
    for (int i = 0; i < 100; i++) x[i] = (float)i + 1;
    trial predict = {.batch = 1, .data = {x}};
    run_layer(y, &predict);
    assert_values(&predict, "(1, 100)", x);
    trial zero = {.training = true, .batch = 1, .data = {x}};
    run_layer(none, &zero);
    assert_values(&zero, "(1, 100)", x);
    trial train = {.training = true, .batch = 1, .data = {x}, .random = {3, 4}};
    run_layer(y, &train);
    int dropped = 0;
    for (int i = 0; i < 100; i++) {
        assert_true(train.out[i] == 0 || train.out[i] == 2 * x[i]);
        dropped += train.out[i] == 0;
    }
    assert_in_range(dropped, 30, 70);
    kf_graph_free(g);
}

static void assert_weights(kf_layer *layer, int32_t i, float a, float b) {
    float values[2];
    check(kf_weight_get(kf_layer_weight(layer, i), values, 2));
    if (fabsf(values[0] - a) > 1e-5f || fabsf(values[1] - b) > 1e-5f)
        fail_msg("%s is %g, %g, expected %g, %g", kf_weight_name(kf_layer_weight(layer, i)),
                 (double)values[0], (double)values[1], (double)a, (double)b);
}

/* Columns 1 2 3 4 and 0 0 4 4: means 2.5 and 2, biased variances 1.25 and 4. */
static const float columns[] = {1, 0, 2, 0, 3, 4, 4, 4};

static void norm_in_training(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_batch_normalization(.momentum = 0.9f);
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    set_weight(layer, 0, (float[]){2, 1}, 2);
    set_weight(layer, 1, (float[]){0, 5}, 2);
    trial r = {.training = true, .batch = 4, .data = {columns}};
    run_layer(y, &r);
    float expected[8];
    for (int i = 0; i < 4; i++) {
        expected[2 * i] = 2 * (columns[2 * i] - 2.5f) / sqrtf(1.251f);
        expected[2 * i + 1] = (columns[2 * i + 1] - 2) / sqrtf(4.001f) + 5;
    }
    assert_values(&r, "(4, 2)", expected);
    const float unbiased = 4 / (4 - 1.001f);
    assert_weights(layer, 2, 0.25f, 0.2f);
    assert_weights(layer, 3, 0.9f + 0.125f * unbiased, 0.9f + 0.4f * unbiased);
    kf_graph_free(g);
}

static void norm_in_prediction(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_batch_normalization(.no_center = true, .no_scale = true);
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    set_weight(layer, 0, (float[]){1, 2}, 2);
    set_weight(layer, 1, (float[]){3.999f, 0.999f}, 2);
    trial r = {.batch = 4, .data = {columns}};
    run_layer(y, &r);
    assert_values(&r, "(4, 2)", (float[]){0, -2, 0.5f, -2, 1, 2, 1.5f, 2});
    assert_weights(layer, 0, 1, 2);
    kf_graph_free(g);
}

static void frozen_norm(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_batch_normalization(.frozen = true);
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    trial r = {.training = true, .batch = 4, .data = {columns}};
    run_layer(y, &r);
    assert_true(fabsf(r.out[0] + 1.5f / sqrtf(1.251f)) < 1e-5f);
    assert_weights(layer, 2, 0, 0);
    assert_weights(layer, 3, 1, 1);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("Dense: product, bias and activation, on rows of any rank", dense),
        SENTENCE("Conv2D correlates; channels first is the same, transposed", conv2d),
        SENTENCE("pooling in both data formats", pooling),
        SENTENCE("Flatten puts channels last first; Reshape keeps the order", flatten),
        SENTENCE("merges insert axes after the batch", merges),
        SENTENCE("Dropout acts in training only and keeps the mean", dropout),
        SENTENCE("BatchNormalization uses the batch and moves the averages", norm_in_training),
        SENTENCE("BatchNormalization predicts by the averages", norm_in_prediction),
        SENTENCE("a frozen one uses the batch but moves nothing", frozen_norm),
    };
    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
