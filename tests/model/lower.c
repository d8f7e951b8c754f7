/* A model written into a formula computes what its layers say, however deep they are nested. */
#include "tests/model/support.h"

#include "core/graph/plan.h"

enum { ROWS = 3 };

static void set(const kf_model *model, int32_t index, const float *values) {
    kf_weight *weight = kf_model_weight(model, index);
    assert_int_equal(kf_weight_set(weight, values, weight->count), KF_OK);
}

/* Runs the model once on ROWS rows for each input; outputs[i] has room for all of output i. */
static void run(const kf_model *model, bool training, const float *const *inputs,
                float *const *outputs) {
    kfi_formula *formula;
    kfi_value in[4], out[4];
    assert_int_equal(kfi_formula_new(false, training, &formula), KF_OK);
    for (int32_t i = 0; i < model->n_inputs; i++) {
        kf_shape shape = kf_tensor_shape(kf_model_input(model, i));
        shape.dims[0] = ROWS;
        in[i] = kfi_source(formula, kf_model_input_name(model, i), KF_FLOAT32, &shape);
    }
    if (kfi_model_lower(model, formula, in, NULL, out, NULL) != KF_OK)
        fail_msg("%s", kf_last_error());
    kfi_plan *plan;
    kfi_arena arena = {0};
    assert_int_equal(kfi_plan_new(formula, out, model->n_outputs, &plan), KF_OK);
    for (int32_t i = 0; i < model->n_inputs; i++) kfi_plan_feed(plan, in[i], inputs[i]);
    assert_int_equal(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}), KF_OK);
    for (int32_t i = 0; i < model->n_outputs; i++) {
        const kfi_array *result = kfi_plan_result(plan, i);
        memcpy(outputs[i], result->data, (size_t)kfi_shape_count(&result->shape) * sizeof(float));
    }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
}

static const float rows[ROWS * 2] = {1, 2, 3, 4, -5, 6};

/* y = (x A) B with B called from a model inside. */
static void nested(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *inside = kf_input(g, {2});
    kf_model *inner =
        kf_model_new(.inputs = kf_list(inside), .outputs = kf_list(kf_apply(kf_dense(2), inside)));
    kf_tensor *in = kf_input(g, {2});
    kf_tensor *x = kf_apply(kf_dense(2), in);
    kf_tensor *y = kf_apply(kf_model_layer(inner), x);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y, x));
    assert_good(m);
    set(m, 0, (float[]){1, 2, 3, 4}); /* dense_2: the outer one, applied second */
    set(m, 1, (float[]){10, 20});
    set(m, 2, (float[]){0, 1, 1, 0}); /* the inner one swaps its columns */
    set(m, 3, (float[]){100, 200});
    float out[ROWS * 2], between[ROWS * 2];
    run(m, false, (const float *const[]){rows}, (float *const[]){out, between});
    for (int i = 0; i < ROWS; i++) {
        const float a = rows[2 * i], b = rows[2 * i + 1];
        assert_true(between[2 * i] == a + 3 * b + 10);
        assert_true(between[2 * i + 1] == 2 * a + 4 * b + 20);
        assert_true(out[2 * i] == between[2 * i + 1] + 100);
        assert_true(out[2 * i + 1] == between[2 * i] + 200);
    }
    kf_graph_free(g);
}

/* One model called on two inputs: the same weights, two results. */
static void called_twice(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *inside = kf_input(g, {2});
    kf_model *inner =
        kf_model_new(.inputs = kf_list(inside), .outputs = kf_list(kf_apply(kf_dense(1), inside)));
    kf_tensor *a = kf_input(g, {2}), *b = kf_input(g, {2});
    kf_tensor *xa = kf_apply(kf_model_layer(inner), a), *xb = kf_apply(kf_model_layer(inner), b);
    kf_tensor *y = kf_apply(kf_concatenate(), xb, xa);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(y));
    assert_good(m);
    set(m, 0, (float[]){1, 10});
    set(m, 1, (float[]){0});
    static const float others[ROWS * 2] = {7, 0, 8, 0, 9, 0};
    float out[ROWS * 2];
    run(m, false, (const float *const[]){rows, others}, (float *const[]){out});
    for (int i = 0; i < ROWS; i++) {
        assert_true(out[2 * i] == others[2 * i]);
        assert_true(out[2 * i + 1] == rows[2 * i] + 10 * rows[2 * i + 1]);
    }
    kf_graph_free(g);
}

/* Training moves the averages of a BatchNormalization, unless the model around it is frozen. */
static void frozen_model(void **state) {
    (void)state;
    for (int frozen = 0; frozen < 2; frozen++) {
        kf_graph *g = kf_graph_new();
        kf_tensor *in = kf_input(g, {2});
        kf_tensor *y = kf_apply(kf_batch_normalization(), in);
        kf_model *m =
            kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y), .frozen = frozen != 0);
        assert_good(m);
        const kf_weight *mean = kf_model_weight(m, 2);
        assert_string_equal(kf_weight_name(mean), "batch_normalization_1/moving_mean:0");
        float out[ROWS * 2];
        run(m, true, (const float *const[]){rows}, (float *const[]){out});
        assert_true((mean->data[0] == 0) == (frozen != 0));
        assert_int_equal(kf_model_layer_at(m, 1)->frozen_around, 0);
        kf_graph_free(g);
    }
}

static void poisoned(void **state) {
    (void)state;
    kfi_formula *formula;
    assert_int_equal(kfi_formula_new(true, false, &formula), KF_OK);
    assert_int_equal(kfi_model_lower(kf_model_create(NULL), formula, NULL, NULL, NULL, NULL),
                     KF_USAGE);
    kfi_formula_free(formula);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("layers of a model inside compute on the values they are given", nested),
        SENTENCE("a model called twice has two results from one set of weights", called_twice),
        SENTENCE("a frozen model keeps its moving averages in training", frozen_model),
        SENTENCE("a poisoned model writes nothing", poisoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
