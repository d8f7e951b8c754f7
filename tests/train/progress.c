/* What kf_progress prints is what Keras prints, apart from the times. */
#include "tests/train/support.h"

static float x[100], y[100];

/* What a fit of two epochs prints. */
static char *fit_text(int32_t verbose, int64_t rows, int64_t batch_size, float validation_split) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    kf_callback *progress = kf_progress(stream, verbose);
    assert_non_null(progress);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    for (int i = 0; i < 100; i++) x[i] = 1;
    const kf_array arrays[] = {ARRAY("x", x, rows), ARRAY("y", y, rows)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse", .metrics = {"mse"}));
    ok(kf_fit(model, data, .epochs = 2, .batch_size = batch_size,
              .validation_split = validation_split, .callbacks = {progress}));
    kf_callback_free(progress);
    fclose(stream);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return text;
}

/* The line that ends an epoch: the last one that `from` begins. */
static void ends_with(const char *text, const char *start, const char *end) {
    const char *line = NULL;
    for (const char *at = strstr(text, start); at; at = strstr(at + 1, start)) line = at;
    if (!line) fail_msg("no \"%s\" in \"%s\"", start, text);
    const size_t bytes = strlen(line), tail = strlen(end);
    if (bytes < tail || strcmp(line + bytes - tail, end) != 0)
        fail_msg("\"%s\" does not end with \"%s\"", line, end);
}

static void bar(void **state) {
    (void)state;
    char *text = fit_text(1, 100, 30, 0);
    assert_memory_equal(text, "Epoch 1/2\n", 10);
    assert_null(strstr(text, "Train on"));
    assert_non_null(strstr(text, "\n 30/100 [========>.....................] - ETA: 0s - loss: "
                                 "1.0000 - mean_squared_error: 1.0000"));
    ends_with(text, "100/100 [==============================] - 0s ",
              "us/step - loss: 1.0000 - mean_squared_error: 1.0000\n");
    assert_non_null(strstr(text, "\nEpoch 2/2\n"));
    free(text);
}

static void with_validation(void **state) {
    (void)state;
    char *text = fit_text(1, 100, 30, 0.25f);
    assert_memory_equal(text, "Train on 75 samples, validate on 25 samples\nEpoch 1/2\n", 54);
    ends_with(text, "75/75 [",
              "us/step - loss: 1.0000 - mean_squared_error: 1.0000 - val_loss: "
              "1.0000 - val_mean_squared_error: 1.0000\n");
    free(text);
}

static void lines(void **state) {
    (void)state;
    char *text = fit_text(2, 100, 30, 0.25f);
    assert_string_equal(text, "Train on 75 samples, validate on 25 samples\n"
                              "Epoch 1/2\n - 0s - loss: 1.0000 - mean_squared_error: 1.0000 - "
                              "val_loss: 1.0000 - val_mean_squared_error: 1.0000\n"
                              "Epoch 2/2\n - 0s - loss: 1.0000 - mean_squared_error: 1.0000 - "
                              "val_loss: 1.0000 - val_mean_squared_error: 1.0000\n");
    free(text);
}

/* Below 1e-3 numbers are shown with an exponent. */
static void small_numbers(void **state) {
    (void)state;
    kf_callback *progress;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    progress = kf_progress(stream, 2);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    const float tiny[] = {0.01f};
    const kf_array arrays[] = {ARRAY("x", tiny, 1), ARRAY("y", y, 1)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    ok(kf_fit(model, data, .callbacks = {progress}));
    fflush(stream);
    assert_string_equal(text, "Epoch 1/1\n - 0s - loss: 1.0000e-04\n");
    kf_callback_free(progress);
    fclose(stream);
    free(text);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void evaluation(void **state) {
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    kf_callback *progress = kf_progress(stream, 1);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    const kf_array arrays[] = {ARRAY("x", x, 100), ARRAY("y", y, 100)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    double loss;
    ok(kf_compile(model, .loss = "mse"));
    ok(kf_evaluate(model, data, &loss, .batch_size = 30, .callbacks = {progress}));
    fflush(stream);
    ends_with(text, "100/100 [==============================] - 0s ", "us/step\n");
    kf_callback_free(progress);
    fclose(stream);
    free(text);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void arguments(void **state) {
    (void)state;
    assert_null(kf_progress(NULL, 1));
    assert_null(kf_progress(stdout, 0));
    says("verbose 1 or 2, got 0");
    kf_callback_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("verbose 1 draws Keras's bar", bar),
        SENTENCE("the bar ends with the validation", with_validation),
        SENTENCE("verbose 2 prints one line for each epoch", lines),
        SENTENCE("small numbers have an exponent", small_numbers),
        SENTENCE("evaluate draws a bar of its own", evaluation),
        SENTENCE("a stream and a known verbosity are needed", arguments),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
