/* Any allocation may fail: a clean error, nothing lost, and the next attempt works. */
#include "tests/io/scratch.h"
#include "tests/train/support.h"

static float *x;
static int32_t *y;

/* Compile, train two batches, evaluate, predict, save, load; the first failure ends it. */
static kf_status whole_way(void) {
    kf_graph *graph = kf_graph_new();
    if (!graph) return kf_last_status();
    kf_tensor *in = kf_input(graph, {6}, .name = "x");
    kf_tensor *h = kf_apply(kf_dense(4, .activation = "relu"), in);
    h = kf_apply(kf_dropout(0.5f), h);
    kf_tensor *out = kf_apply(kf_dense(3, .activation = "softmax", .name = "y"), h);
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    kf_status status = kf_model_error(model);
    if (status == KF_OK)
        status = kf_compile(model, .optimizer = kf_adam(0.01f),
                            .loss = "sparse_categorical_crossentropy", .metrics = {"acc"});
    const kf_array arrays[] = {ARRAY("x", x, 12, 6), LABELS("y", y, 12)};
    kf_dataset *data = status == KF_OK ? kf_dataset_arrays(arrays, 2) : NULL;
    if (status == KF_OK && !data) status = kf_last_status();
    kf_history *history = status == KF_OK ? kf_history_new() : NULL;
    if (status == KF_OK && !history) status = kf_last_status();
    if (status == KF_OK)
        status = kf_fit(model, data, .batch_size = 5, .validation_split = 0.2f, .threads = 1,
                        .data_workers = KF_ANY, .history = history);
    double values[2];
    float predicted[36];
    if (status == KF_OK)
        status = kf_evaluate(model, data, values, .threads = 1, .data_workers = KF_ANY);
    if (status == KF_OK)
        status =
            kf_predict(model, data, (float *[]){predicted}, .threads = 1, .data_workers = KF_ANY);
    if (status == KF_OK) status = kf_gradients(model, arrays, 2, NULL, NULL);
    if (status == KF_OK) status = kf_save(model, scratch("m.h5"), .no_optimizer = false);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    if (status != KF_OK) return status;
    graph = kf_graph_new();
    if (!graph) return kf_last_status();
    status = kf_model_error(kf_load(graph, scratch("m.h5")));
    kf_graph_free(graph);
    return status;
}

/* Fails one allocation after the other until a run needs none that failed. */
static void sweep(void **state) {
    (void)state;
    setenv("KF_EXECUTOR", "serial", 1);
    x = some_numbers(72, 1);
    y = some_labels(12, 3, 1);
    ok(whole_way()); /* what is made once for the process is there now */
    const int64_t before = kfi_allocations();
    ok(whole_way());
    const int64_t needed = kfi_allocations() - before;
    assert_true(needed > 100);
    const int64_t stride = getenv("KF_LONG_TESTS") ? 1 : 1 + needed / 400;
    for (int64_t nth = 1; nth <= needed; nth += stride) {
        kfi_fail_allocation(nth);
        const kf_status status = whole_way();
        kfi_fail_allocation(0);
        if (status != KF_OK && status != KF_MEMORY)
            fail_msg("allocation %lld of %lld: status %d, %s", (long long)nth, (long long)needed,
                     status, kf_last_error());
        if (status == KF_OK) print_message("allocation %lld was not missed\n", (long long)nth);
    }
    ok(whole_way());
    assert_int_equal(scratch_entries(), 1);
    test_free(x);
    test_free(y);
}

/* A batch that could not be had leaves the model as it was. */
static void training_goes_on(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(0.25f), .loss = "mse"));
    const float one[] = {1}, zero[] = {0};
    const kf_array batch[] = {ARRAY("x", one, 1), ARRAY("y", zero, 1)};
    for (int64_t nth = 1; nth < 5; nth++) {
        kfi_fail_allocation(nth);
        refuses(kf_train_on_batch(model, batch, 2, NULL), KF_MEMORY, "out of memory");
        kfi_fail_allocation(0);
        assert_true(weight_of(model) == 1);
    }
    ok(kf_train_on_batch(model, batch, 2, NULL));
    near((double)weight_of(model), 0.5);
    kf_graph_free(graph);
}

/* After the first batch of each size a run of batches allocates only its own batch. */
static void steady(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    float *pixels = some_numbers(16 * 64, 1);
    int32_t *labels = some_labels(16, 3, 1);
    const kf_array arrays[] = {ARRAY("image", pixels, 16, 8, 8, 1), LABELS("label", labels, 16)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy"));
    ok(kf_fit(model, data, .epochs = 1, .batch_size = 4));
    const int64_t a = kfi_allocations();
    ok(kf_fit(model, data, .epochs = 1, .batch_size = 4));
    const int64_t b = kfi_allocations();
    ok(kf_fit(model, data, .epochs = 50, .batch_size = 4));
    const int64_t c = kfi_allocations();
    assert_true(c - b <= b - a + 50 * 2); /* one workspace a shuffle, nothing a batch */
    kf_dataset_free(data);
    test_free(pixels);
    test_free(labels);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("any allocation from compile to load may fail", sweep),
        SENTENCE("a failed allocation leaves the weights, and training goes on", training_goes_on),
        SENTENCE("batches allocate nothing once they are planned", steady),
    };
    return cmocka_run_group_tests_name("memory", tests, make_scratch, remove_scratch);
}
