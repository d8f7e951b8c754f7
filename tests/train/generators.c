/* Sequences and generators: batches in order whatever the threads, passes and epochs as Keras has
 * them, errors at their place. */
#include "tests/train/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* Sanitizers keep freed memory for a while. */
#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* y = w x with x = 1 and target 0: batch i has `sizes[i]` rows of the value `i + 1`. */
typedef struct maker {
    kf_generator generator;
    const int32_t *sizes;
    int64_t fails_at, ends_at; /* -1: never */
    bool slow, silent;
    atomic_int calls, inside, most, ends;
    atomic_int seen[64]; /* calls for each batch */
} maker;

static kf_status make(void *context, int64_t index, kf_batch *batch) {
    maker *self = context;
    const int inside = atomic_fetch_add(&self->inside, 1) + 1;
    for (int most = atomic_load(&self->most); inside > most;)
        if (atomic_compare_exchange_weak(&self->most, &most, inside)) break;
    atomic_fetch_add(&self->calls, 1);
    if (index < 64) atomic_fetch_add(&self->seen[index], 1);
    if (self->slow) usleep(index % 3 == 0 ? 3000 : 100);
    const int64_t rows = self->sizes ? self->sizes[index % 4] : 2;
    const kf_shape shape = {2, {rows, 1}};
    kf_status status = KF_OK;
    if (index == self->fails_at) {
        status = self->silent ? KF_IO : kf_fail(KF_IO, "the disk is gone");
    } else if (index == self->ends_at) {
        status = KF_STOPPED;
    } else {
        float *x = kf_batch_array(batch, "x", KF_FLOAT32, &shape);
        double *y = kf_batch_array(batch, "y", KF_FLOAT64, &shape);
        for (int64_t i = 0; i < rows; i++) {
            x[i] = (float)(index % 4 + 1);
            y[i] = 0;
        }
    }
    atomic_fetch_sub(&self->inside, 1);
    return status;
}

static void end_pass(void *context) { atomic_fetch_add(&((maker *)context)->ends, 1); }

static void prepare(maker *self, int64_t length) {
    self->generator =
        (kf_generator){.fill = make, .length = length, .on_epoch_end = end_pass, .context = self};
    self->fails_at = self->ends_at = -1;
}

static kf_model *line(kf_graph *graph) {
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(0.001f), .loss = "mse"));
    return model;
}

static void an_epoch_is_weighted_by_rows(void **state) {
    (void)state;
    static const int32_t sizes[4] = {2, 2, 2, 1};
    maker self = {.sizes = sizes};
    prepare(&self, 4);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    double loss;
    ok(kf_evaluate_generator(model, &self.generator, &loss));
    near(loss, (2 * 1 + 2 * 4 + 2 * 9 + 16) / 7.0);
    assert_int_equal(self.calls, 4);
    kf_graph_free(graph);
}

/* The losses and the weight after two epochs. */
static void fit_with(int32_t workers, bool slow, double losses[2], float *w) {
    maker self = {.slow = slow};
    prepare(&self, 8);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    kf_history *history = kf_history_new();
    ok(kf_fit_generator(model, &self.generator, .epochs = 2, .workers = workers, .history = history,
                        .max_queue_size = 3));
    memcpy(losses, kf_history_values(history, "loss"), 2 * sizeof *losses);
    *w = weight_of(model);
    for (int i = 0; i < 8; i++) assert_int_equal(self.seen[i], 2);
    assert_int_equal(self.ends, 2);
    kf_history_free(history);
    kf_graph_free(graph);
}

static void workers_change_nothing(void **state) {
    (void)state;
    double one[2], many[2];
    float w, v;
    fit_with(1, false, one, &w);
    fit_with(4, true, many, &v);
    assert_memory_equal(one, many, sizeof one);
    assert_true(w == v);
}

static kf_status note(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                      const kf_log *logs, int32_t n_logs) {
    (void)model, (void)batch, (void)rows, (void)n_logs;
    double **at = callback->context;
    *(*at)++ = logs[0].value;
    return KF_OK;
}

/* The order of batches shows in the losses while the weight stays as it is. */
static void order_of(bool no_shuffle, int32_t workers, uint64_t seed, double *losses) {
    maker self = {.slow = true};
    prepare(&self, 4);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    double *at = losses;
    kf_callback callback = {.context = &at, .on_batch_end = note};
    ok(kf_fit_generator(model, &self.generator, .epochs = 6, .workers = workers,
                        .no_shuffle = no_shuffle, .seed = seed, .callbacks = {&callback}));
    kf_graph_free(graph);
}

static void a_sequence_is_shuffled_at_every_pass(void **state) {
    (void)state;
    double a[24], b[24], plain[24], none[24];
    order_of(false, 3, 5, a);
    order_of(false, 1, 5, b);
    assert_memory_equal(a, b, sizeof a);
    order_of(true, 3, 5, plain);
    order_of(false, KF_ANY, 5, none); /* as Keras: workers=0 does not shuffle */
    for (int i = 0; i < 24; i++) near(plain[i], (double)((i % 4 + 1) * (i % 4 + 1)));
    assert_memory_equal(plain, none, sizeof plain);
    assert_memory_not_equal(a, plain, sizeof a);
    for (int pass = 0; pass < 6; pass++) {
        double sum = 0;
        for (int i = 0; i < 4; i++) sum += a[4 * pass + i];
        near(sum, 30);
    }
}

static void without_workers_nobody_is_told_of_ends(void **state) {
    (void)state;
    maker self = {0};
    prepare(&self, 4);
    kf_graph *graph = kf_graph_new();
    ok(kf_fit_generator(line(graph), &self.generator, .epochs = 2, .workers = KF_ANY));
    assert_int_equal(self.ends, 0);
    assert_int_equal(self.calls, 8);
    kf_graph_free(graph);
}

static void epochs_go_on_where_the_last_one_ended(void **state) {
    (void)state;
    maker self = {0};
    prepare(&self, 8);
    kf_graph *graph = kf_graph_new();
    ok(kf_fit_generator(line(graph), &self.generator, .epochs = 4, .steps_per_epoch = 3,
                        .no_shuffle = true));
    for (int i = 0; i < 8; i++) assert_int_equal(self.seen[i], i < 4 ? 2 : 1);
    assert_int_equal(self.ends, 1); /* passes, not epochs */
    kf_graph_free(graph);
}

static void a_generator_is_asked_by_one_thread_at_a_time(void **state) {
    (void)state;
    maker self = {.slow = true};
    prepare(&self, 0);
    kf_graph *graph = kf_graph_new();
    ok(kf_fit_generator(line(graph), &self.generator, .steps_per_epoch = 10, .epochs = 2,
                        .workers = 4));
    assert_int_equal(self.most, 1);
    assert_int_equal(self.calls, 20);
    kf_graph_free(graph);
}

static void steps_are_needed_without_a_length(void **state) {
    (void)state;
    maker self = {0}, held_out = {0};
    prepare(&self, 0);
    prepare(&held_out, 0);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    refuses(kf_fit_generator(model, &self.generator), KF_USAGE, "`steps_per_epoch=None` is only");
    refuses(kf_fit_generator(model, &self.generator, .steps_per_epoch = 1,
                             .validation = &held_out.generator),
            KF_USAGE, "`validation_steps=None` is only");
    double loss;
    refuses(kf_evaluate_generator(model, &self.generator, &loss), KF_USAGE, "`steps=None` is only");
    kf_graph_free(graph);
}

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

static kf_status empty(void *context, int64_t index, kf_batch *batch) {
    (void)context, (void)index, (void)batch;
    return KF_OK;
}

static kf_status misshapen(void *context, int64_t index, kf_batch *batch) {
    (void)context, (void)index;
    static const float x[6];
    const kf_array array = ARRAY("x", x, 2, 3);
    return kf_batch_copy(batch, &array);
}

static void batches_must_fit(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    const kf_generator nothing = {.fill = empty, .length = 1};
    const kf_generator other = {.fill = misshapen, .length = 1};
    refuses(kf_fit_generator(model, &nothing), KF_INVALID, "Output of generator should be a tuple");
    refuses(kf_fit_generator(model, &other), KF_INVALID, "batch 0: No data provided for \"y\"");
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

static kf_status collect(void *context, int32_t output, int64_t first_row, int64_t rows,
                         const float *values) {
    (void)output;
    memcpy((float *)context + first_row, values, (size_t)rows * sizeof *values);
    return KF_OK;
}

static void predicts(void **state) {
    (void)state;
    maker self = {.slow = true};
    prepare(&self, 4);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 2);
    float out[8];
    ok(kf_predict_generator(model, &self.generator, collect, out, .workers = 3));
    for (int i = 0; i < 8; i++) near((double)out[i], 2.0 * (i / 2 + 1));
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

/* The batches of a long run use the buffers of the first ones. */
static void memory_does_not_grow(void **state) {
    (void)state;
    maker self = {0};
    prepare(&self, 64);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    ok(kf_fit_generator(model, &self.generator, .epochs = 1));
    long before = 0, after = 0, skipped;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(statm, "%ld %ld", &skipped, &before), 2);
    fclose(statm);
    ok(kf_fit_generator(model, &self.generator, .epochs = 156));
    statm = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(statm, "%ld %ld", &skipped, &after), 2);
    fclose(statm);
    if (!SANITIZED) assert_true(after - before < 512); /* pages: 2 MiB */
    kf_graph_free(graph);
}

static void tells_who_waits(void **state) {
    (void)state;
    maker self = {.slow = true};
    prepare(&self, 9);
    kf_graph *graph = kf_graph_new();
    kf_history *history = kf_history_new();
    ok(kf_fit_generator(line(graph), &self.generator, .history = history));
    assert_true(kf_history_data_wait(history, 0) > 0.005);
    assert_string_equal(kf_history_bottleneck(history, 0), "data");
    near(kf_history_data_wait(history, 1), 0);
    kf_history_free(history);
    kf_graph_free(graph);
}

/* x = 0 and targets 0, 1; with weights by sample, if that is what the context says. */
static kf_status two_classes(void *context, int64_t index, kf_batch *batch) {
    (void)index;
    static const float x[2], y[2] = {0, 1}, weights[2] = {1, 1};
    kf_status status = kf_batch_copy(batch, &ARRAY(NULL, x, 2, 1));
    if (status == KF_OK) status = kf_batch_copy(batch, &ARRAY(NULL, y, 2, 1));
    if (status == KF_OK && context) status = kf_batch_copy(batch, &ARRAY(NULL, weights, 2));
    return status;
}

static void count_warnings(void *context, const char *message) {
    assert_non_null(strstr(message, "`class_weight` argument will be ignored."));
    ++*(int *)context;
}

static void weighs_classes(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    kf_history *history = kf_history_new();
    int warnings = 0;
    kf_graph_on_warning(graph, count_warnings, &warnings);
    const double expected[] = {2.5, 0.5};
    for (int weighted = 0; weighted < 2; weighted++) {
        const kf_generator generator = {.fill = two_classes, .context = weighted ? graph : NULL};
        ok(kf_fit_generator(model, &generator, .steps_per_epoch = 4, .epochs = 2,
                            .history = history, .class_weight = kf_class_weights({0, 1}, {1, 5})));
        near(kf_history_values(history, "loss")[1], expected[weighted]);
        assert_int_equal(warnings, weighted); /* once for the whole run */
    }
    const kf_generator generator = {.fill = two_classes};
    refuses(kf_fit_generator(model, &generator, .steps_per_epoch = 1,
                             .class_weight = kf_class_weights({0, 1})),
            KF_INVALID, "The classes {1.0} exist in the data but not in `class_weight`");
    kf_history_free(history);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an epoch is weighted by rows", an_epoch_is_weighted_by_rows),
        SENTENCE("the number of workers changes nothing", workers_change_nothing),
        SENTENCE("a Sequence is shuffled at every pass", a_sequence_is_shuffled_at_every_pass),
        SENTENCE("without workers nobody is told of ends", without_workers_nobody_is_told_of_ends),
        SENTENCE("epochs go on where the last one ended", epochs_go_on_where_the_last_one_ended),
        SENTENCE("a pass ends once training took all of it", passes_end_when_they_were_taken),
        SENTENCE("a pass that never ends keeps no thread", a_pass_may_never_end),
        SENTENCE("a generator is asked by one thread at a time",
                 a_generator_is_asked_by_one_thread_at_a_time),
        SENTENCE("steps are needed without a length", steps_are_needed_without_a_length),
        SENTENCE("errors come at their batch", errors_come_at_their_batch),
        SENTENCE("batches must fit the model", batches_must_fit),
        SENTENCE("stopping joins every thread", stopping_joins_every_thread),
        SENTENCE("validation by generator and by data", validates),
        SENTENCE("predictions in order", predicts),
        SENTENCE("a broken run goes on in the middle", goes_on_in_the_middle),
        SENTENCE("classes are weighed, and a warning says when not", weighs_classes),
        SENTENCE("memory does not grow over 10,000 batches", memory_does_not_grow),
        SENTENCE("the history tells who waits", tells_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
