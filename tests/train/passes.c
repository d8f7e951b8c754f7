/* Predicting, evaluating, gradients: passes that leave the weights alone. */
#include "tests/train/support.h"

static void predict_and_evaluate(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 3);
    const float x[] = {1, 2, 3, 4, 5}, y[] = {3, 6, 9, 12, 14};
    const kf_array arrays[] = {ARRAY("x", x, 5), ARRAY("y", y, 5)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    float out[5];
    ok(kf_predict(model, data, (float *[]){out}, .batch_size = 2));
    for (int i = 0; i < 5; i++) near((double)out[i], 3 * (i + 1));
    ok(kf_compile(model, .loss = "mse", .metrics = {"mse"}));
    double values[2];
    ok(kf_evaluate(model, data, values, .batch_size = 2)); /* an average over rows, not batches */
    near(values[0], 0.2);
    near(values[1], 0.2);
    ok(kf_predict(model, data, (float *[]){out}, .batch_size = 64, .data_workers = KF_ANY));
    near((double)out[4], 15);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

typedef struct sink_calls {
    int64_t rows[8];
    int32_t n;
    float last;
} sink_calls;

static kf_status remember(void *context, int32_t output, int64_t first_row, int64_t rows,
                          const float *values) {
    sink_calls *calls = context;
    assert_int_equal(output, 0);
    assert_int_equal(first_row, 2 * calls->n);
    calls->rows[calls->n++] = rows;
    calls->last = values[rows - 1];
    return calls->n == 3 ? kfi_fail(KF_IO, "the disk is full") : KF_OK;
}

static void to_a_sink(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 3);
    const float x[] = {1, 2, 3, 4, 5};
    const kf_array array = ARRAY("x", x, 5);
    kf_dataset *data = kf_dataset_arrays(&array, 1);
    sink_calls calls = {.n = 0};
    const kf_run_options options = {.size = sizeof options, .batch_size = 2};
    refuses(kf_predict_to(model, data, remember, &calls, &options), KF_IO, "the disk is full");
    assert_int_equal(calls.n, 3);
    assert_int_equal(calls.rows[2], 1);
    near((double)calls.last, 15);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static kf_status stop_at_once(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                              const kf_log *logs, int32_t n_logs) {
    (void)callback, (void)batch, (void)rows, (void)logs, (void)n_logs;
    kf_stop_training(model);
    return KF_OK;
}

static void can_be_stopped(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 3);
    const float x[] = {1, 2, 3, 4, 5};
    const kf_array array = ARRAY("x", x, 5);
    kf_dataset *data = kf_dataset_arrays(&array, 1);
    kf_callback stopper = {.on_batch_end = stop_at_once};
    float out[5];
    refuses(kf_predict(model, data, (float *[]){out}, .batch_size = 2, .callbacks = {&stopper}),
            KF_STOPPED, "stopped at batch 0");
    ok(kf_predict(model, data, (float *[]){out}, .batch_size = 2)); /* the stop is forgotten */
    kf_dataset_free(data);
    kf_graph_free(graph);
}

/* loss = mean (w x - t)^2:  d/dw = mean 2 (w x - t) x,  d/dx = 2 (w x - t) w / n */
static void gradients(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 2);
    ok(kf_compile(model, .loss = "mse"));
    const float x[] = {1, 3}, t[] = {1, 2};
    const kf_array batch[] = {ARRAY("x", x, 2), ARRAY("y", t, 2)};
    float by_w, by_x[2];
    ok(kf_gradients(model, batch, 2, (float *[]){&by_w}, (float *[]){by_x}));
    near((double)by_w, (2 * 1 * 1 + 2 * 4 * 3) / 2.0);
    near((double)by_x[0], 2 * 1 * 2 / 2.0);
    near((double)by_x[1], 2 * 4 * 2 / 2.0);
    assert_true(weight_of(model) == 2);
    ok(kf_gradients(model, batch, 2, NULL, NULL));
    ok(kf_gradients(model, batch, 2, (float *[]){NULL}, NULL));
    kf_graph_free(graph);
}

/* The training phase differs from the other, and its moving averages stay. */
static void forward(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *y = kf_apply(kf_batch_normalization(.epsilon = 1e-6f), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .optimizer = kf_sgd(0.1f), .loss = "mse"));
    const float in[] = {1, 3}, zeros[] = {0, 0};
    const kf_array batch[] = {ARRAY(NULL, in, 2, 1), ARRAY(NULL, zeros, 2, 1)};
    float out[2], mean;
    ok(kf_forward_on_batch(model, batch, 1, (float *[]){out}));
    assert_true(fabs((double)out[1] - 1) < 1e-5);
    ok(kf_gradients(model, batch, 2, NULL, NULL));
    ok(kf_weight_get(kf_model_weight(model, 2), &mean, 1));
    assert_true(mean == 0);
    ok(kf_predict_on_batch(model, batch, 1, (float *[]){out}));
    assert_true(fabs((double)out[1] - 3) < 1e-5);
    ok(kf_train_on_batch(model, batch, 2, NULL));
    ok(kf_weight_get(kf_model_weight(model, 2), &mean, 1));
    near((double)mean, 0.02); /* momentum 0.99, batch mean 2 */
    kf_graph_free(graph);
}

static void input_as_output(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {2}, .name = "x");
    kf_tensor *ids = kf_input(graph, {1}, .name = "ids", .dtype = "int32");
    kf_model *model = kf_model_new(.inputs = kf_list(x, ids), .outputs = kf_list(x, ids));
    ok(kf_model_error(model));
    const float in[] = {1, 2, 3, 4};
    const int32_t numbers[] = {7, 8};
    const kf_array arrays[] = {ARRAY("x", in, 2, 2), LABELS("ids", numbers, 2, 1)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    float out[4], same[2];
    ok(kf_predict_on_batch(model, arrays, 2, (float *[]){out, same}));
    assert_memory_equal(out, in, sizeof in);
    near((double)same[1], 8);
    float *const second[] = {NULL, same};
    same[1] = 0;
    ok(kf_predict(model, data, second, .batch_size = 1));
    near((double)same[1], 8);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void planned_peak(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    size_t small = 0, large = 0, huge = 0;
    refuses(kf_planned_peak(model, 8, &small), KF_USAGE, "You must compile");
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy"));
    ok(kf_planned_peak(model, 8, &small));
    ok(kf_planned_peak(model, 64, &large));
    ok(kf_planned_peak(model, 512, &huge));
    assert_true(small > 0 && large > small);
    assert_true(huge - large > 4 * (large - small)); /* the workers' scratch does not grow */
    refuses(kf_planned_peak(model, 0, &small), KF_USAGE, "batch_size must be positive");
    kf_graph_free(graph);
}

/* More sizes of batches than plans are kept. */
static void many_sizes(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 2);
    float x[40] = {0}, out[40];
    for (int round = 0; round < 2; round++)
        for (int64_t rows = 1; rows <= 40; rows++) {
            x[rows - 1] = (float)rows;
            const kf_array array = ARRAY("x", x, rows);
            ok(kf_predict_on_batch(model, &array, 1, (float *[]){out}));
            near((double)out[rows - 1], (double)(2 * rows));
        }
    kf_graph_free(graph);
}

static void about(void **state) {
    (void)state;
    assert_non_null(strstr(kf_about(), "kf " KF_VERSION));
    assert_non_null(strstr(kf_about(), "workers"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("predict keeps the order of rows, evaluate averages over them",
                 predict_and_evaluate),
        SENTENCE("a sink gets batch after batch, and its failure ends the predicting", to_a_sink),
        SENTENCE("predicting can be stopped", can_be_stopped),
        SENTENCE("gradients are those of the total loss and change nothing", gradients),
        SENTENCE("a forward pass of the training phase leaves moving averages", forward),
        SENTENCE("an output may be an input", input_as_output),
        SENTENCE("the peak is known before the first step and grows with the batch", planned_peak),
        SENTENCE("batches of any number of sizes follow each other", many_sizes),
        SENTENCE("kf_about says what runs", about),
    };
    return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
