/* Weights of samples, timesteps and classes: what they make of losses and metrics, how they are
 * given, and what is refused. Numbers are Keras 2.2.4's rule by hand: sum(w s) / #(w != 0). */
#include "tests/train/support.h"

/* y = x, so that the loss of a row is the square of x - t. */
static kf_model *identity(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *y = kf_apply(kf_activation("linear", .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .loss = "mse", .metrics = {"mse"}, .weighted_metrics = {"mse"}));
    return model;
}

static const float numbers[] = {1, 2, 3, 4}, zeros[4] = {0};

static void tested(kf_model *model, const kf_array *arrays, int32_t n, double loss, double plain,
                   double weighted) {
    double values[3];
    ok(kf_test_on_batch(model, arrays, n, values));
    near(values[0], loss);
    near(values[1], plain);
    near(values[2], weighted);
}

static void by_sample(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = identity(graph);
    assert_string_equal(kf_metrics_name(model, 1), "mean_squared_error");
    assert_string_equal(kf_metrics_name(model, 2), "weighted_mean_squared_error");
    const float half[] = {0, 1, 0, 0.5f}, twice[] = {2, 2, 2, 2};
    kf_array arrays[] = {ARRAY("x", numbers, 4), ARRAY("y", zeros, 4),
                         ARRAY("y_sample_weight", half, 4)};
    tested(model, arrays, 2, 7.5, 7.5, 7.5);
    tested(model, arrays, 3, 6, 7.5, 6);
    arrays[2] = ARRAY("sample_weight", twice, 4); /* not normalised by the sum of the weights */
    tested(model, arrays, 3, 15, 7.5, 15);
    for (int i = 0; i < 3; i++) arrays[i].name = NULL;
    tested(model, arrays, 3, 15, 7.5, 15);
    kf_graph_free(graph);
}

static void gradients_are_weighted(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(0.1f), .loss = "mse"));
    const float weights[] = {0, 0, 3, 0};
    const kf_array arrays[] = {ARRAY("x", numbers, 4), ARRAY("y", zeros, 4),
                               ARRAY("y_sample_weight", weights, 4)};
    float by_w, by_x[4];
    ok(kf_gradients(model, arrays, 3, (float *[]){&by_w}, (float *[]){by_x}));
    near((double)by_w, 3 * 2 * 3 * 3);
    for (int i = 0; i < 4; i++) near((double)by_x[i], i == 2 ? 18 : 0);
    ok(kf_train_on_batch(model, arrays, 3, NULL));
    near((double)weight_of(model), 1 - 0.1 * 54);
    kf_graph_free(graph);
}

static kf_model *sequence(kf_graph *graph, const char *mode) {
    kf_tensor *x = kf_input(graph, {2, 1}, .name = "x");
    kf_tensor *y = kf_apply(kf_activation("linear", .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .loss = "mse", .weighted_metrics = {"mse"}, .sample_weight_mode = mode));
    return model;
}

static void by_timestep(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *steps = sequence(graph, "temporal"), *rows = sequence(graph, NULL);
    const float weights[] = {0, 1, 0, 0.5f}, by_row[] = {0, 2};
    kf_array arrays[] = {ARRAY("x", numbers, 2, 2, 1), ARRAY("y", zeros, 2, 2, 1),
                         ARRAY("sample_weight", weights, 2, 2)};
    double values[2];
    ok(kf_test_on_batch(steps, arrays, 3, values));
    near(values[0], (4 + 0.5 * 16) / 2);
    near(values[1], values[0]);
    ok(kf_test_on_batch(steps, arrays, 2, values));
    near(values[0], 7.5);
    refuses(kf_test_on_batch(rows, arrays, 3, values), KF_INVALID,
            "Found a sample_weight array with shape (2, 2). In order to use timestep-wise sample "
            "weights, you should specify sample_weight_mode=\"temporal\"");
    arrays[2] = ARRAY("sample_weight", by_row, 2);
    ok(kf_test_on_batch(rows, arrays, 3, values));
    near(values[0], 2 * 12.5);
    refuses(kf_test_on_batch(steps, arrays, 3, values), KF_INVALID,
            "you should pass a 2D sample_weight array");
    arrays[2] = ARRAY("sample_weight", numbers, 2, 1);
    refuses(kf_test_on_batch(steps, arrays, 3, values), KF_INVALID,
            "sample_weight array with shape (2, 1) for an input with shape (2, 2, 1). "
            "sample_weight cannot be broadcast.");
    kf_graph_free(graph);
}

static void modes(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = identity(graph);
    refuses(kf_compile(model, .loss = "mse", .sample_weight_mode = "sometimes"), KF_USAGE,
            "sample_weight_mode should be None or \"temporal\". Found: sometimes");
    ok(kf_compile(model, .loss = "mse", .sample_weight_mode = "temporal"));
    const kf_array arrays[] = {ARRAY("x", numbers, 4), ARRAY("y", zeros, 4)};
    refuses(kf_test_on_batch(model, arrays, 2, NULL), KF_INVALID,
            "restricted to outputs that are at least 3D");
    kf_graph_free(graph);
}

static void all_zero(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(0.01f), .loss = "mse"));
    const float weights[] = {1, 1, 0, 0};
    const kf_array arrays[] = {ARRAY("x", numbers, 4), ARRAY("y", zeros, 4),
                               ARRAY("y_sample_weight", weights, 4)};
    kf_dataset *data = kf_dataset_arrays(arrays, 3);
    refuses(kf_fit(model, data, .batch_size = 2, .shuffle = "false"), KF_INVALID,
            "batch 1: the weights of all its samples for y are 0");
    assert_true(isfinite(weight_of(model)));
    double loss;
    refuses(kf_evaluate(model, data, &loss, .batch_size = 3), KF_INVALID, "batch 1: the weights");
    ok(kf_fit(model, data, .batch_size = 4));
    kf_dataset_free(data);
    kf_graph_free(graph);
}

/* Two outputs of two classes each, which predict what they are given. */
static kf_model *two_outputs(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {2}, .name = "x");
    kf_tensor *a = kf_apply(kf_activation("linear", .name = "a"), x);
    kf_tensor *b = kf_apply(kf_activation("linear", .name = "b"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(a, b));
    ok(kf_compile(model, .outputs = {{.output = "a", .loss = "mse", .weighted_metrics = {"mae"}},
                                     {.output = "b", .loss = "mse", .metrics = {"acc"}}}));
    return model;
}

static void by_class(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = two_outputs(graph);
    assert_int_equal(kf_metrics(model), 5);
    assert_string_equal(kf_metrics_name(model, 3), "a_weighted_mean_absolute_error");
    assert_string_equal(kf_metrics_name(model, 4), "b_acc");
    const float x[] = {0, 0, 0, 0, 0, 0}, a[] = {1, 0, 0, 1, 0, 2}, b[] = {2, 0, 2, 0, 0, 2};
    const kf_array arrays[] = {ARRAY("x", x, 3, 2), ARRAY("a", a, 3, 2), ARRAY("b", b, 3, 2)};
    const kf_batch_options options = {.size = sizeof options,
                                      .class_weight =
                                          kf_class_weights_of(kf_classes("a", {0, 0.5f}, {1, 3}),
                                                              kf_classes("b", {1, 0}, {0, 1}))};
    double values[5];
    ok(kf_train_on_batch_with(model, arrays, 3, values, &options));
    near(values[1], (0.5 * 0.5 + 3 * 0.5 + 3 * 2) / 3);
    near(values[2], (2.0 + 2.0) / 2);
    near(values[0], values[1] + values[2]);
    near(values[3], (0.5 * 0.5 + 3 * 0.5 + 3 * 1) / 3);
    ok(kf_test_on_batch(model, arrays, 3, values)); /* in training alone */
    near(values[1], 1);
    kf_graph_free(graph);
}

static void class_weights_refused(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = two_outputs(graph), *one = identity(graph), *steps = sequence(graph, NULL);
    const float x[] = {0, 0}, t[] = {1, 0}, label[] = {1};
    const kf_array arrays[] = {ARRAY("x", x, 1, 2), ARRAY("a", t, 1, 2), ARRAY("b", t, 1, 2)};
    kf_batch_options options = {.size = sizeof options,
                                .class_weight = kf_class_weights({0, 0.5f})};
    refuses(kf_train_on_batch_with(model, arrays, 3, NULL, &options), KF_USAGE,
            "multiple outputs, so `class_weight` should say which it is for: one of ['a', 'b']");
    options.class_weight = kf_class_weights_of(kf_classes("c", {0, 0.5f}));
    refuses(kf_train_on_batch_with(model, arrays, 3, NULL, &options), KF_USAGE, "\"c\"");
    options.class_weight = kf_class_weights_of(kf_classes("a", {1, 0.5f}, {1, 2}));
    refuses(kf_train_on_batch_with(model, arrays, 3, NULL, &options), KF_USAGE, "class 1 twice");
    options.class_weight = kf_class_weights_of(kf_classes("a", {1, 0.5f}));
    refuses(kf_train_on_batch_with(model, arrays, 3, NULL, &options), KF_INVALID,
            "`class_weight` must contain all classes in the data. The classes {0} exist in the "
            "data but not in `class_weight`.");
    const kf_array single[] = {ARRAY("x", x, 1, 1), ARRAY("y", label, 1, 1)};
    options.class_weight = kf_class_weights({0, 0.5f});
    refuses(kf_train_on_batch_with(one, single, 2, NULL, &options), KF_INVALID,
            "The classes {1.0} exist");
    const kf_array many[] = {ARRAY("x", x, 1, 2, 1), ARRAY("y", t, 1, 2, 1)};
    refuses(kf_train_on_batch_with(steps, many, 2, NULL, &options), KF_INVALID,
            "`class_weight` not supported for 3+ dimensional targets.");
    kf_graph_free(graph);
}

static void keep_warning(void *context, const char *message) {
    snprintf(context, 256, "%s", message);
}

static void sample_weights_win(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = identity(graph);
    const float t[] = {0, 1, 0, 1}, weights[] = {1, 1, 1, 2};
    const kf_array arrays[] = {ARRAY(NULL, zeros, 4), ARRAY(NULL, t, 4), ARRAY(NULL, weights, 4)};
    const kf_batch_options options = {.size = sizeof options,
                                      .class_weight = kf_class_weights({0, 1}, {1, 10})};
    double values[3];
    ok(kf_train_on_batch_with(model, arrays, 2, values, &options));
    near(values[0], 5);
    char warned[256] = "";
    kf_graph_on_warning(graph, keep_warning, warned);
    ok(kf_train_on_batch_with(model, arrays, 3, values, &options));
    near(values[0], 0.75);
    assert_string_equal(warned, "y: Found both `sample_weight` and `class_weight`: `class_weight` "
                                "argument will be ignored.");
    warned[0] = '\0';
    kf_dataset *data = kf_dataset_arrays(arrays, 3);
    ok(kf_fit(model, data, .class_weight = kf_class_weights({0, 1}, {1, 10})));
    assert_true(warned[0]);
    warned[0] = '\0';
    ok(kf_train_on_batch_with(model, arrays, 2, values, &options));
    assert_string_equal(warned, "");
    kf_dataset_free(data);
    kf_graph_free(graph);
}

/* Weights by class reach the rows that validation_split takes, not those of validation_data. */
static void while_fitting(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = identity(graph);
    kf_history *history = kf_history_new();
    const float t[] = {1, 0, 0, 1}, weights[] = {1, 1, 1, 4};
    const kf_array arrays[] = {ARRAY("x", zeros, 4), ARRAY("y", t, 4),
                               ARRAY("y_sample_weight", weights, 4)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2), *weighted = kf_dataset_arrays(arrays, 3);
    ok(kf_fit(model, data, .batch_size = 3, .validation_split = 0.25f, .history = history,
              .class_weight = kf_class_weights({0, 2}, {1, 3})));
    near(kf_history_values(history, "loss")[0], 1);
    near(kf_history_values(history, "mean_squared_error")[0], 1.0 / 3);
    near(kf_history_values(history, "val_loss")[0], 3);
    ok(kf_fit(model, data, .validation_data = data, .history = history,
              .class_weight = kf_class_weights({0, 2}, {1, 3})));
    near(kf_history_values(history, "loss")[0], 1.5);
    near(kf_history_values(history, "val_loss")[0], 0.5);
    ok(kf_fit(model, weighted, .validation_split = 0.25f, .history = history));
    near(kf_history_values(history, "loss")[0], 1.0 / 3);
    near(kf_history_values(history, "val_loss")[0], 4);
    near(kf_history_values(history, "val_mean_squared_error")[0], 1);
    double values[3];
    ok(kf_evaluate(model, weighted, values));
    near(values[0], 1.25);
    kf_dataset_free(data);
    kf_dataset_free(weighted);
    kf_history_free(history);
    kf_graph_free(graph);
}

static void wrong_numbers_of_arrays(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = two_outputs(graph);
    const float x[] = {0, 0};
    kf_array arrays[5];
    for (int i = 0; i < 5; i++) arrays[i] = ARRAY(NULL, x, 1, 2);
    arrays[3] = arrays[4] = ARRAY(NULL, x, 1);
    refuses(kf_test_on_batch(model, arrays, 4, NULL), KF_INVALID, "Expected to see 3 array(s)");
    ok(kf_test_on_batch(model, arrays, 3, NULL));
    refuses(kf_test_on_batch(model, arrays, 5, NULL), KF_INVALID,
            "the weights of all its samples for a are 0");
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("weights by sample act on the loss and on weighted metrics alone", by_sample),
        SENTENCE("weights act on gradients", gradients_are_weighted),
        SENTENCE("weights by timestep, where the model is compiled for them", by_timestep),
        SENTENCE("an unknown mode, and timesteps where there are none, are refused", modes),
        SENTENCE("a batch whose weights are all 0 is an error that names it", all_zero),
        SENTENCE("weights by class, output by output, in training alone", by_class),
        SENTENCE("wrong weights by class are refused in Keras's words", class_weights_refused),
        SENTENCE("weights by sample win over weights by class", sample_weights_win),
        SENTENCE("fit splits weights and weighs classes", while_fitting),
        SENTENCE("weights are given for all targets or for none", wrong_numbers_of_arrays),
    };
    return cmocka_run_group_tests_name("sample_weights", tests, NULL, NULL);
}
