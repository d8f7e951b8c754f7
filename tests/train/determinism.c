/* Same seed, same data: the same bits, whoever computes them. */
#include "tests/train/support.h"

enum { ROWS = 50, EPOCHS = 2, BATCHES = EPOCHS * ((ROWS + 7) / 8) };

typedef struct outcome {
    kf_callback callback;
    double losses[BATCHES];
    int32_t n;
    float weights[4096];
    int64_t n_weights;
} outcome;

static kf_status keep_loss(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                           const kf_log *logs, int32_t n_logs) {
    (void)model, (void)batch, (void)rows, (void)n_logs;
    outcome *out = (outcome *)callback;
    out->losses[out->n++] = logs[0].value;
    return KF_OK;
}

static void keep_weights(const kf_model *model, outcome *out) {
    for (int32_t i = 0; i < kf_model_weights(model); i++) {
        const kf_shape shape = kf_weight_shape(kf_model_weight(model, i));
        int64_t count = 1;
        for (int32_t d = 0; d < shape.rank; d++) count *= shape.dims[d];
        assert_true(out->n_weights + count <= 4096);
        ok(kf_weight_get(kf_model_weight(model, i), out->weights + out->n_weights, count));
        out->n_weights += count;
    }
}

/* A run of a model with convolution, batch normalisation, pooling, dropout, a short last batch. */
static outcome *train(const char *executor, int32_t threads, int32_t data_workers) {
    setenv("KF_EXECUTOR", executor, 1);
    outcome *out = test_calloc(1, sizeof *out);
    out->callback.on_batch_end = keep_loss;
    float *x = some_numbers((int64_t)ROWS * 64, 3);
    int32_t *y = some_labels(ROWS, 3, 4);
    const kf_array arrays[] = {ARRAY("image", x, ROWS, 8, 8, 1), LABELS("label", y, ROWS)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    kf_graph *graph = kf_graph_new(.seed = 11);
    kf_model *model = vision_model(graph);
    ok(kf_compile(model, .optimizer = kf_adam(0.01f), .loss = "sparse_categorical_crossentropy"));
    ok(kf_fit(model, data, .epochs = EPOCHS, .batch_size = 8, .threads = threads,
              .data_workers = data_workers, .callbacks = {&out->callback}));
    assert_int_equal(out->n, BATCHES);
    keep_weights(model, out);
    kf_dataset_free(data);
    kf_graph_free(graph);
    test_free(x);
    test_free(y);
    return out;
}

static void is_as(const outcome *expected, outcome *got) {
    assert_memory_equal(expected->losses, got->losses, sizeof got->losses);
    assert_int_equal(expected->n_weights, got->n_weights);
    assert_memory_equal(expected->weights, got->weights, sizeof got->weights);
    test_free(got);
}

static void any_number_of_workers(void **state) {
    (void)state;
    outcome *one = train("steal", 1, 0);
    assert_true(one->losses[0] != one->losses[BATCHES - 1]);
    is_as(one, train("steal", 1, 0));
    is_as(one, train("steal", 2, 0));
    is_as(one, train("steal", 8, 0));
    is_as(one, train("steal", 2, 3));
    is_as(one, train("steal", 2, KF_ANY));
    test_free(one);
}

static void any_executor(void **state) {
    (void)state;
    outcome *serial = train("serial", 1, 0);
    is_as(serial, train("steal", 2, 0));
#if !defined(__SANITIZE_THREAD__)
    is_as(serial, train("omp", 2, 0));
    is_as(serial, train("omp", 8, 0));
#endif
    test_free(serial);
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("losses and weights are the same for 1, 2 and 8 workers", any_number_of_workers),
        SENTENCE("losses and weights are the same for every executor", any_executor),
    };
    return cmocka_run_group_tests_name("determinism", tests, NULL, NULL);
}
