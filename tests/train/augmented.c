/* Images turned, moved and cropped at random: differently in every epoch, and the same whoever
 * reads them, also in a run that was broken off. */
#include "tests/train/support.h"

enum { IMAGES = 20, SIDE = 5, CROP = 4 };

static float pixels[IMAGES][SIDE][SIDE][1], targets[IMAGES];

static kf_dataset *images(bool augmented) {
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++)
        (&pixels[0][0][0][0])[i] = (float)(i * 37 % 101) / 101;
    for (int i = 0; i < IMAGES; i++) targets[i] = (float)(i % 3);
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){ARRAY("x", pixels, IMAGES, SIDE, SIDE, 1), ARRAY("y", targets, IMAGES)}, 2);
    kf_dataset *made = augmented ? kf_dataset_prepare(data, "x", .flip = true, .shift = 1,
                                                      .crop = {CROP}, .seed = 9)
                                 : kf_dataset_prepare(data, "x", .crop = {CROP});
    assert_non_null(made);
    return made;
}

static kf_model *model_of(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {CROP, CROP, 1}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(1, .name = "y"), kf_apply(kf_flatten(), x));
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .optimizer = kf_adam(0.01f), .loss = "mse"));
    return model;
}

typedef struct outcome {
    float weights[CROP * CROP];
    double loss[6];
} outcome;

static outcome outcome_of(kf_model *model, const kf_history *history) {
    outcome seen = {{0}, {0}};
    ok(kf_weight_get(kf_model_weight(model, 0), seen.weights, CROP * CROP));
    memcpy(seen.loss, kf_history_values(history, "loss"),
           (size_t)kf_history_epochs(history) * sizeof *seen.loss);
    return seen;
}

static outcome train(bool augmented, int32_t data_workers, int32_t threads) {
    kf_graph *graph = kf_graph_new(.seed = 3);
    kf_model *model = model_of(graph);
    kf_dataset *data = images(augmented);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .batch_size = 3, .epochs = 6, .data_workers = data_workers,
              .threads = threads, .history = history));
    const outcome seen = outcome_of(model, history);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return seen;
}

static void whoever_reads(void **state) {
    (void)state;
    const outcome one = train(true, KF_ANY, 1);
    const outcome plain = train(false, KF_ANY, 1);
    assert_memory_not_equal(&one, &plain, sizeof one);
    for (int32_t workers = 1; workers <= 4; workers++) {
        const outcome other = train(true, workers, workers);
        assert_memory_equal(&one, &other, sizeof one);
    }
}

/* With a learning rate of 0 the loss changes only because the images do. */
static void every_epoch_is_another(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new(.seed = 3);
    kf_model *model = model_of(graph);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    kf_dataset *data = images(true);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .shuffle = "false", .epochs = 3, .validation_data = data,
              .history = history));
    const double *loss = kf_history_values(history, "loss");
    assert_true(loss[0] != loss[1] && loss[1] != loss[2] && loss[0] != loss[2]);
    const double *val_loss = kf_history_values(history, "val_loss");
    assert_true(val_loss[0] == val_loss[1] && val_loss[1] == val_loss[2]);
    double value;
    ok(kf_evaluate(model, data, &value));
    assert_true(value == val_loss[0]);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static kf_status suspend(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                         const kf_log *logs, int32_t n_logs) {
    (void)batch, (void)rows, (void)logs, (void)n_logs;
    if (--*(int *)callback->context == 0) kf_suspend_training(model);
    return KF_OK;
}

static void a_broken_run_goes_on(void **state) {
    (void)state;
    const outcome whole = train(true, 1, 1);
    kf_graph *graph = kf_graph_new(.seed = 3);
    kf_model *model = model_of(graph);
    kf_dataset *data = images(true);
    kf_history *history = kf_history_new();
    int batches = 17; /* in the middle of the third epoch */
    kf_callback stopper = {.context = &batches, .on_batch_end = suspend};
    assert_int_equal(kf_fit(model, data, .batch_size = 3, .epochs = 6, .callbacks = {&stopper}),
                     KF_STOPPED);
    ok(kf_fit(model, data, .batch_size = 3, .epochs = 6, .history = history, .resume = true));
    const outcome parts = outcome_of(model, history);
    assert_memory_equal(&whole, &parts, sizeof whole);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("the same for any number of workers", whoever_reads),
        SENTENCE("every epoch sees other images, validation always the same",
                 every_epoch_is_another),
        SENTENCE("a broken run goes on with the same images", a_broken_run_goes_on),
    };
    return cmocka_run_group_tests_name("augmented", tests, NULL, NULL);
}
