/* Bad data is refused with a message that says what, where and what instead; weights stay. */
#include "tests/train/support.h"

static const float floats[64];

typedef struct two_by_two {
    kf_graph *graph;
    kf_model *model;
} two_by_two;

/* Inputs a (4) and b (2, 3), outputs s (3 classes) and d (2). */
static two_by_two new_fixture(void) {
    two_by_two made = {.graph = kf_graph_new()};
    kf_tensor *a = kf_input(made.graph, {4}, .name = "a");
    kf_tensor *b = kf_input(made.graph, {2, 3}, .name = "b");
    kf_tensor *flat = kf_apply(kf_flatten(), b);
    kf_tensor *x = kf_apply(kf_concatenate(), a, flat);
    kf_tensor *s = kf_apply(kf_dense(3, .activation = "softmax", .name = "s"), x);
    kf_tensor *d = kf_apply(kf_dense(2, .name = "d"), x);
    made.model = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(s, d));
    ok(kf_compile(made.model,
                  .outputs = {{.loss = "sparse_categorical_crossentropy"}, {.loss = "mse"}}));
    return made;
}

static void trains(const kf_array *arrays, int32_t n, const char *problem) {
    two_by_two fixture = new_fixture();
    if (!problem) ok(kf_train_on_batch(fixture.model, arrays, n, NULL));
    if (problem) refuses(kf_train_on_batch(fixture.model, arrays, n, NULL), KF_INVALID, problem);
    kf_graph_free(fixture.graph);
}

#define TRAINS(problem, ...)                                                                       \
    trains((const kf_array[]){__VA_ARGS__},                                                        \
           (int32_t)(sizeof((const kf_array[]){__VA_ARGS__}) / sizeof(kf_array)), problem)

static const int32_t labels[] = {0, 1, 2};

static void accepted(void **state) {
    (void)state;
    TRAINS(NULL, ARRAY("d", floats, 3, 2), LABELS("s", labels, 3, 1), ARRAY("b", floats, 3, 2, 3),
           ARRAY("a", floats, 3, 4));
    TRAINS(NULL, ARRAY(NULL, floats, 3, 4), ARRAY(NULL, floats, 3, 2, 3),
           LABELS(NULL, labels, 3, 1), ARRAY(NULL, floats, 3, 2));
    TRAINS(NULL, ARRAY("a", floats, 3, 4), ARRAY("b", floats, 3, 2, 3), LABELS("s", labels, 3),
           ARRAY("d", floats, 3, 2), ARRAY("unused", floats, 3));
    TRAINS(NULL, ARRAY("a", floats, 3, 4, 1), ARRAY("b", floats, 3, 2, 3, 1),
           LABELS("s", labels, 3), ARRAY("d", floats, 3, 2));
    TRAINS(NULL, ARRAY("a", floats, 3, 4), ARRAY("b", floats, 3, 2, 3), ARRAY("s", floats, 3),
           ARRAY("d", floats, 3, 2));
}

static void names(void **state) {
    (void)state;
    TRAINS("No data provided for \"b\". Need data for each key in: ['a', 'b', 's', 'd']",
           ARRAY("a", floats, 3, 4), LABELS("s", labels, 3, 1), ARRAY("d", floats, 3, 2));
    TRAINS("Expected to see 4 array(s), for ['a', 'b', 's', 'd'], but instead got 3",
           ARRAY(NULL, floats, 3, 4), ARRAY(NULL, floats, 3, 2, 3), LABELS(NULL, labels, 3, 1));
    TRAINS("Expected to see 4 array(s), for ['a', 'b', 's', 'd'], but instead got 5",
           ARRAY(NULL, floats, 3, 4), ARRAY(NULL, floats, 3, 2, 3), LABELS(NULL, labels, 3, 1),
           ARRAY(NULL, floats, 3, 2), ARRAY(NULL, floats, 3, 2));
}

static void shapes(void **state) {
    (void)state;
    TRAINS("Error when checking input: expected a to have shape (4,) but got array with shape (3,)",
           ARRAY("a", floats, 3, 3), ARRAY("b", floats, 3, 2, 3), LABELS("s", labels, 3, 1),
           ARRAY("d", floats, 3, 2));
    TRAINS("Error when checking input: expected b to have 3 dimensions, but got array with shape "
           "(None, 6)",
           ARRAY("a", floats, 3, 4), ARRAY("b", floats, 3, 6), LABELS("s", labels, 3, 1),
           ARRAY("d", floats, 3, 2));
    TRAINS(
        "Error when checking target: expected d to have shape (2,) but got array with shape "
        "(1,); if your targets are integer classes, use the loss sparse_categorical_crossentropy",
        ARRAY("a", floats, 3, 4), ARRAY("b", floats, 3, 2, 3), LABELS("s", labels, 3, 1),
        LABELS("d", labels, 3));
    TRAINS("Error when checking target: expected s to have shape (1,) but got array with shape "
           "(3,)",
           ARRAY("a", floats, 3, 4), ARRAY("b", floats, 3, 2, 3), ARRAY("s", floats, 3, 3),
           ARRAY("d", floats, 3, 2));
}

static void lengths(void **state) {
    (void)state;
    two_by_two fixture = new_fixture();
    const kf_array uneven[] = {ARRAY(NULL, floats, 3, 4), ARRAY(NULL, floats, 3, 2, 3),
                               LABELS(NULL, labels, 2, 1), ARRAY(NULL, floats, 2, 2)};
    refuses(kf_train_on_batch(fixture.model, uneven, 4, NULL), KF_INVALID,
            "Input arrays should have the same number of samples as target arrays. Found 3 input "
            "samples and 2 target samples.");
    kf_graph_free(fixture.graph);
}

static void labels_out_of_range(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {2}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(3, .activation = "softmax", .name = "main_output"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy"));
    float *in = some_numbers(200, 1), before[6], after[6];
    int32_t *classes = some_labels(100, 3, 1);
    classes[45] = 12;
    const kf_array arrays[] = {ARRAY("x", in, 100, 2), LABELS("main_output", classes, 100, 1)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    ok(kf_weight_get(kf_model_weight(model, 0), before, 6));
    refuses(kf_fit(model, data, .batch_size = 100), KF_INVALID,
            "main_output: label 12 in row 45 is outside [0, 3)");
    refuses(kf_fit(model, data, .batch_size = 100, .shuffle = "false"), KF_INVALID, "in row 45 ");
    ok(kf_weight_get(kf_model_weight(model, 0), after, 6));
    assert_memory_equal(before, after, sizeof before);
    refuses(kf_fit(model, data, .batch_size = 16), KF_INVALID, "label 12 in row 45 ");
    double loss;
    refuses(kf_evaluate(model, data, &loss, .batch_size = 7), KF_INVALID, "label 12 in row 45 ");
    classes[45] = -1;
    refuses(kf_evaluate(model, data, &loss, .batch_size = 7), KF_INVALID,
            "label -1 in row 45 is outside [0, 3)");
    classes[45] = 2;
    ok(kf_evaluate(model, data, &loss, .batch_size = 7));
    kf_dataset_free(data);
    test_free(in);
    test_free(classes);
    kf_graph_free(graph);
}

static void labels_not_whole(void **state) {
    (void)state;
    static const float halves[] = {0, 0.5f, 1};
    TRAINS("0.5", ARRAY("a", floats, 3, 4), ARRAY("b", floats, 3, 2, 3), ARRAY("s", halves, 3, 1),
           ARRAY("d", floats, 3, 2));
}

static void fixed_batch(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {2}, .name = "x", .batch_size = 4);
    kf_tensor *y = kf_apply(kf_dense(3), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    float out[12];
    const kf_array four[] = {ARRAY("x", floats, 4, 2)}, three[] = {ARRAY("x", floats, 3, 2)};
    ok(kf_predict_on_batch(model, four, 1, (float *[]){out}));
    refuses(kf_predict_on_batch(model, three, 1, (float *[]){out}), KF_INVALID,
            "x has a fixed batch size of 4, got a batch of 3");
    kf_graph_free(graph);
}

static void stateful(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {3, 2}, .name = "x", .batch_size = 4);
    kf_tensor *y = kf_apply(kf_lstm(1, .stateful = true, .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .loss = "mse"));
    static const char *const words =
        "In a stateful network, you should only pass inputs with a number of samples that can be "
        "divided by the batch size. Found: 10 samples. Batch size: 4.";
    double loss;
    float out[10];
    for (int64_t rows = 8; rows <= 10; rows += 2) {
        const kf_array arrays[] = {ARRAY("x", floats, rows, 3, 2), ARRAY("y", floats, rows, 1)};
        kf_dataset *data = kf_dataset_arrays(arrays, 2);
        const kf_status fitted = kf_fit(model, data, .batch_size = 4);
        assert_int_equal(fitted, rows == 8 ? KF_OK : KF_INVALID);
        if (rows == 10) says(words);
        const kf_status tested = kf_evaluate(model, data, &loss, .batch_size = 4);
        assert_int_equal(tested, fitted);
        const kf_status predicted = kf_predict(model, data, (float *[]){out}, .batch_size = 4);
        assert_int_equal(predicted, fitted);
        if (rows == 10) says(words);
        kf_dataset_free(data);
    }
    kf_graph_free(graph);
}

static void null_arguments(void **state) {
    (void)state;
    two_by_two fixture = new_fixture();
    double values[3];
    refuses(kf_fit(fixture.model, NULL, .epochs = 1), KF_USAGE, "the dataset is NULL");
    refuses(kf_evaluate(fixture.model, NULL, values, .batch_size = 2), KF_USAGE,
            "the dataset is NULL");
    refuses(kf_fit(NULL, NULL, .epochs = 1), KF_USAGE, "the model is NULL");
    kf_graph_free(fixture.graph);
}

/* Pixels of 0 … 255 as the fractions a model wants. */
static void scaled(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    const uint8_t pixels[] = {0, 51, 255};
    const kf_array array = {"x", pixels, KF_UINT8, {1, {3}}};
    kf_dataset *raw = kf_dataset_arrays(&array, 1);
    assert_null(kf_dataset_scaled(raw, "nope", 2));
    says("there is no field 'nope'");
    kf_dataset *data = kf_dataset_scaled(raw, "x", 1 / 255.0f);
    assert_non_null(data);
    float out[3];
    ok(kf_predict(model, data, (float *[]){out}, .batch_size = 2));
    near((double)out[1], 0.2);
    near((double)out[2], 1);
    int32_t whole[3];
    ok(kf_dataset_read(data, 0, 2, 1, KF_INT32, whole));
    assert_int_equal(whole[0], 1);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("data is matched by name or by position, whatever axes of 1 it has", accepted),
        SENTENCE("missing and superfluous arrays are named", names),
        SENTENCE("wrong shapes are named with what was expected", shapes),
        SENTENCE("inputs and targets of different lengths are refused", lengths),
        SENTENCE("a label out of range is named with its row before anything changes",
                 labels_out_of_range),
        SENTENCE("labels must be whole numbers", labels_not_whole),
        SENTENCE("a fixed batch size is kept to", fixed_batch),
        SENTENCE("a stateful model wants whole batches", stateful),
        SENTENCE("NULL is refused, not followed", null_arguments),
        SENTENCE("a scaled field reaches the model scaled", scaled),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
