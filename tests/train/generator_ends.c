/* How passes, epochs and runs of generators end: at their last batch, by an error, by a stop. */
#include "tests/train/maker.h"

#include <pthread.h>

static void errors_come_at_their_batch(void **state) {
    (void)state;
    for (int32_t workers = -1; workers <= 4; workers += 5) {
        maker self = {.slow = true};
        prepare(&self, 0);
        self.fails_at = 5;
        kf_graph *graph = kf_graph_new();
        kf_model *model = line(graph);
        double losses[16], *at = losses;
        kf_callback callback = {.context = &at, .on_batch_end = note};
        refuses(kf_fit_generator(model, &self.generator, .steps_per_epoch = 9, .workers = workers,
                                 .callbacks = {&callback}),
                KF_IO, "the disk is gone");
        assert_int_equal(at - losses, 5);
        self.fails_at = -1;
        self.ends_at = 3;
        refuses(kf_fit_generator(model, &self.generator, .steps_per_epoch = 9, .workers = workers),
                KF_INVALID, "the generator ended after 3 batches");
        self.silent = true;
        self.fails_at = 2;
        refuses(kf_fit_generator(model, &self.generator, .steps_per_epoch = 9, .workers = workers),
                KF_IO, "a generator failed at batch 2");
        kf_graph_free(graph);
    }
}

/* Passes that ended, and how many batches training had begun by then. */
typedef struct watched {
    maker self; /* first: a maker is one of these */
    atomic_int begun;
    int begun_at[8];
} watched;

static void watch_end(void *context) {
    watched *pass = context;
    pass->begun_at[atomic_fetch_add(&pass->self.ends, 1)] = atomic_load(&pass->begun);
}

static kf_status begin_slowly(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows) {
    (void)model, (void)batch, (void)rows;
    watched *pass = callback->context;
    atomic_fetch_add(&pass->begun, 1);
    usleep(2000);
    return KF_OK;
}

static void passes_end_when_they_were_taken(void **state) {
    (void)state;
    for (int32_t workers = 1; workers <= 4; workers += 3) {
        watched pass = {.begun = 0};
        prepare(&pass.self, 3);
        pass.self.generator.on_epoch_end = watch_end;
        kf_graph *graph = kf_graph_new();
        kf_callback callback = {.context = &pass, .on_batch_begin = begin_slowly};
        ok(kf_fit_generator(line(graph), &pass.self.generator, .epochs = 4, .workers = workers,
                            .callbacks = {&callback}));
        assert_int_equal(pass.self.ends, 4);
        for (int i = 0; i < 4; i++) /* the last one may be taken, and not begun yet */
            assert_in_range(pass.begun_at[i], 3 * (i + 1) - 1, 3 * (i + 1));
        kf_graph_free(graph);
    }
}

static kf_status stop_at_once(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows) {
    (void)callback, (void)batch, (void)rows;
    usleep(3000);
    kf_stop_training(model);
    return KF_OK;
}

/* Threads that wait for the pass to end are let go. */
static void a_pass_may_never_end(void **state) {
    (void)state;
    maker self = {0};
    prepare(&self, 2);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    kf_callback callback = {.on_batch_begin = stop_at_once};
    ok(kf_fit_generator(model, &self.generator, .epochs = 9, .workers = 4,
                        .callbacks = {&callback}));
    assert_int_equal(self.ends, 0);
    assert_int_equal(self.calls, 2);
    self.fails_at = 1;
    refuses(kf_fit_generator(model, &self.generator, .epochs = 9, .workers = 4), KF_IO,
            "the disk is gone");
    assert_int_equal(self.ends, 0);
    assert_int_equal(self.inside, 0);
    kf_graph_free(graph);
}

static kf_status stop_at_3(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                           const kf_log *logs, int32_t n_logs) {
    (void)callback, (void)rows, (void)logs, (void)n_logs;
    if (batch == 3) kf_stop_training(model);
    return KF_OK;
}

static void stopping_joins_every_thread(void **state) {
    (void)state;
    maker self = {.slow = true};
    prepare(&self, 1000);
    kf_graph *graph = kf_graph_new();
    kf_callback callback = {.on_batch_end = stop_at_3};
    ok(kf_fit_generator(line(graph), &self.generator, .epochs = 5, .workers = 4,
                        .max_queue_size = 6, .callbacks = {&callback}));
    const int calls = self.calls;
    assert_int_equal(self.inside, 0);
    assert_true(calls <= 4 + 6 + 1);
    usleep(5000);
    assert_int_equal(self.calls, calls);
    kf_graph_free(graph);
}

static void validates(void **state) {
    (void)state;
    maker self = {0}, held_out = {0};
    prepare(&self, 4);
    prepare(&held_out, 2);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    kf_history *history = kf_history_new();
    ok(kf_fit_generator(model, &self.generator, .epochs = 3, .validation = &held_out.generator,
                        .history = history));
    for (int epoch = 0; epoch < 3; epoch++)
        near(kf_history_values(history, "val_loss")[epoch], 2.5);
    assert_int_equal(held_out.calls, 6); /* no pass too many */
    static const float x[5] = {1, 1, 1, 1, 2}, y[5];
    const kf_array arrays[] = {ARRAY("x", x, 5, 1), ARRAY("y", y, 5, 1)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    ok(kf_fit_generator(model, &self.generator, .validation_data = data, .history = history));
    near(kf_history_values(history, "val_loss")[0], 8 / 5.0);
    kf_dataset_free(data);
    kf_history_free(history);
    kf_graph_free(graph);
}

static kf_status suspend_at_2(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                              const kf_log *logs, int32_t n_logs) {
    (void)rows, (void)logs, (void)n_logs;
    int *left = callback->context;
    if (batch == 2 && --*left == 0) kf_suspend_training(model);
    return KF_OK;
}

static void goes_on_in_the_middle(void **state) {
    (void)state;
    float whole, parts;
    double losses[2];
    fit_with(2, false, losses, &whole);
    for (int epoch = 1; epoch <= 2; epoch++) {
        maker self = {0};
        prepare(&self, 8);
        kf_graph *graph = kf_graph_new();
        kf_model *model = line(graph);
        int left = epoch;
        kf_callback callback = {.context = &left, .on_batch_end = suspend_at_2};
        assert_int_equal(
            kf_fit_generator(model, &self.generator, .epochs = 2, .callbacks = {&callback}),
            KF_STOPPED);
        ok(kf_fit_generator(model, &self.generator, .epochs = 2, .resume = true));
        parts = weight_of(model);
        assert_true(whole == parts);
        kf_graph_free(graph);
    }
}

static kf_status stop_at(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                         const kf_log *logs, int32_t n_logs) {
    (void)rows, (void)logs, (void)n_logs;
    if (batch == *(const int64_t *)callback->context) kf_stop_training(model);
    return KF_OK;
}

/* How many epochs a fit has that is stopped by this batch, and whether it validated the last. */
static int32_t stopped_at(int64_t batch, bool by_data, bool *validated) {
    maker self = {0}, held_out = {0};
    prepare(&self, 4);
    prepare(&held_out, 2);
    float x[2] = {1, 1}, y[2] = {0, 0};
    const kf_array arrays[] = {{"x", x, KF_FLOAT32, {2, {2, 1}}},
                               {"y", y, KF_FLOAT32, {2, {2, 1}}}};
    kf_graph *graph = kf_graph_new();
    kf_history *history = kf_history_new();
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    kf_callback callback = {.context = &batch, .on_batch_end = stop_at};
    ok(kf_fit_generator(line(graph), &self.generator, .epochs = 5, .history = history,
                        .callbacks = {&callback}, .validation_data = by_data ? data : NULL,
                        .validation = by_data ? NULL : &held_out.generator));
    const int32_t epochs = kf_history_epochs(history);
    *validated = kf_history_values(history, "val_loss") != NULL;
    kf_dataset_free(data);
    kf_history_free(history);
    kf_graph_free(graph);
    return epochs;
}

/* Keras 2.2.4 looks at stop_training after it has validated a whole epoch. */
static void a_stop_by_the_last_batch_still_validates(void **state) {
    (void)state;
    for (int by_data = 0; by_data < 2; by_data++) {
        bool validated;
        assert_int_equal(stopped_at(3, by_data, &validated), 1);
        assert_true(validated);
        assert_int_equal(stopped_at(2, by_data, &validated), 1);
        assert_false(validated);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a pass ends once training took all of it", passes_end_when_they_were_taken),
        SENTENCE("a pass that never ends keeps no thread", a_pass_may_never_end),
        SENTENCE("errors come at their batch", errors_come_at_their_batch),
        SENTENCE("stopping joins every thread", stopping_joins_every_thread),
        SENTENCE("validation by generator and by data", validates),
        SENTENCE("an epoch that its last batch stops is validated, one that another stops is not",
                 a_stop_by_the_last_batch_still_validates),
        SENTENCE("a broken run goes on in the middle", goes_on_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
