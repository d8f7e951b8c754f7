/* Statements about training from generators and Sequences. */
#include "tests/statements/line.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* Batch i has `rows` rows of x = i % 8 + 1 and targets of 0. */
typedef struct source {
    kf_generator generator;
    int64_t rows;
    pthread_t caller;
    atomic_int calls, elsewhere; /* elsewhere: by another thread than the caller's */
    atomic_int seen[8];
} source;

static kf_status fill_batch(void *context, int64_t index, kf_batch *batch) {
    source *self = context;
    float x[8], zeros[8] = {0};
    for (int i = 0; i < 8; i++) x[i] = (float)(index % 8 + 1);
    atomic_fetch_add(&self->calls, 1);
    atomic_fetch_add(&self->seen[index % 8], 1);
    if (!pthread_equal(pthread_self(), self->caller)) atomic_fetch_add(&self->elsewhere, 1);
    kf_status status = kf_batch_copy(batch, &ROWS("x", x, self->rows, 1));
    if (status == KF_OK) status = kf_batch_copy(batch, &ROWS("y", zeros, self->rows, 1));
    return status;
}

#define SOURCE(n_rows)                                                                             \
    (source) { .rows = (n_rows), .caller = pthread_self() }

/* The source as a Sequence, or as a generator. */
static const kf_generator *sequence(source *from, int64_t length) {
    from->generator = (kf_generator){.fill = fill_batch, .length = length, .context = from};
    return &from->generator;
}

static const kf_generator *endless(source *from) { return sequence(from, 0); }

/* At the end of the first batch waits, ten seconds at most, until later ones were made. */
typedef struct waiter {
    kf_callback callback;
    source *source;
    bool overlapped;
} waiter;

static kf_status wait_for_more(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                               const kf_log *logs, int32_t n_logs) {
    (void)model, (void)rows, (void)logs, (void)n_logs;
    waiter *self = (waiter *)callback;
    for (int i = 0; batch == 0 && i < 10000 && !self->overlapped; i++) {
        self->overlapped = atomic_load(&self->source->calls) > 2;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return KF_OK;
}

static void s44_batches_are_made_while_the_model_trains(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    source from = SOURCE(2);
    waiter waits = {.callback = {.on_batch_end = wait_for_more}, .source = &from};
    ok(kf_fit_generator(model, endless(&from), .steps_per_epoch = 6,
                        .callbacks = {&waits.callback}));
    assert_true(waits.overlapped);
    assert_int_equal(from.elsewhere, 6);
    kf_graph_free(graph);
}

static void s45_an_epoch_is_a_number_of_batches(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    source from = SOURCE(4);
    notes seen = NOTES;
    kf_history *history = kf_history_new();
    ok(kf_fit_generator(model, endless(&from), .steps_per_epoch = 3, .epochs = 2,
                        .callbacks = {&seen.callback}, .history = history));
    assert_int_equal(seen.n, 6);
    near(kf_history_values(history, "loss")[0], (1 + 4 + 9) / 3.0);
    near(kf_history_values(history, "loss")[1], (16 + 25 + 36) / 3.0);
    assert_int_equal(kf_fit_generator(model, endless(&from)), KF_USAGE);
    says_of("`steps_per_epoch=None` is only valid for a generator based on the "
            "`keras.utils.Sequence` class.");
    kf_history_free(history);
    kf_graph_free(graph);
}

static void s46_a_sequence_gives_each_batch_once_an_epoch(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    source from = SOURCE(1);
    notes seen = NOTES;
    ok(kf_fit_generator(model, sequence(&from, 8), .workers = 4, .no_shuffle = true, .epochs = 2,
                        .callbacks = {&seen.callback}));
    for (int i = 0; i < 8; i++) assert_int_equal(from.seen[i], 2);
    for (int i = 0; i < 16; i++) near(seen.losses[i], pow(i % 8 + 1, 2)); /* in order */
    seen = NOTES;
    ok(kf_fit_generator(model, sequence(&from, 8), .workers = 4, .steps_per_epoch = 8, .epochs = 2,
                        .callbacks = {&seen.callback}));
    int moved = 0;
    for (int i = 0; i < 8; i++) assert_int_equal(from.seen[i], 4);
    for (int i = 0; i < 16; i++) moved += fabs(seen.losses[i] - pow(i % 8 + 1, 2)) > 0.5;
    assert_true(moved > 0); /* shuffled, steps or not */
    kf_graph_free(graph);
}

static void s47_without_workers_the_caller_makes_batches(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    for (int length = 0; length <= 4; length += 4) {
        source from = SOURCE(1);
        ok(kf_fit_generator(model, sequence(&from, length), .steps_per_epoch = 4,
                            .workers = KF_ANY));
        assert_int_equal(from.calls, 4);
        assert_int_equal(from.elsewhere, 0);
    }
    kf_graph_free(graph);
}

static void s48_validation_by_generator_by_arrays_and_with_weights(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    source from = SOURCE(2), held_out = SOURCE(2);
    const kf_generator *train = endless(&from), *validation = endless(&held_out);
    kf_history *history = kf_history_new();
    ok(kf_fit_generator(model, train, .steps_per_epoch = 1, .validation = validation,
                        .validation_steps = 2, .history = history));
    near(kf_history_values(history, "val_loss")[0], (1 + 4) / 2.0);
    assert_int_equal(kf_fit_generator(model, train, .steps_per_epoch = 1, .validation = validation),
                     KF_USAGE);
    says_of("`validation_steps=None` is only valid for a generator");
    kf_dataset *pair = count_up(3);
    ok(kf_fit_generator(model, train, .steps_per_epoch = 1, .validation_data = pair,
                        .history = history));
    near(kf_history_values(history, "val_loss")[0], (1 + 4 + 9) / 3.0);
    const float x[] = {1, 2}, y[] = {0, 0}, weights[] = {0, 3};
    kf_dataset *triple = kf_dataset_arrays(
        (kf_array[]){ROWS("x", x, 2, 1), ROWS("y", y, 2, 1), ROWS("y_sample_weight", weights, 2)},
        3);
    ok(kf_fit_generator(model, train, .steps_per_epoch = 1, .validation_data = triple,
                        .history = history));
    near(kf_history_values(history, "val_loss")[0], 12);
    kf_dataset_free(pair);
    kf_dataset_free(triple);
    kf_history_free(history);
    kf_graph_free(graph);
}

/* A line of the file is a sample: x1 x2 y. After the last line comes the first one again. */
static kf_status next_line(void *context, int64_t index, kf_batch *batch) {
    (void)index;
    FILE *file = context;
    float x1, x2, y;
    if (fscanf(file, "%f %f %f", &x1, &x2, &y) != 3) {
        rewind(file);
        if (fscanf(file, "%f %f %f", &x1, &x2, &y) != 3) return kf_fail(KF_IO, "no line");
    }
    kf_status status = kf_batch_copy(batch, &ROWS("input_1", &x1, 1, 1));
    if (status == KF_OK) status = kf_batch_copy(batch, &ROWS("input_2", &x2, 1, 1));
    return status == KF_OK ? kf_batch_copy(batch, &ROWS("output", &y, 1, 1)) : status;
}

static void s49_a_generator_reads_a_file_line_by_line_for_ever(void **state) {
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("1 2 5\n3 4 8\n5 6 11\n", file);
    rewind(file);
    kf_graph *graph = kf_graph_new();
    kf_tensor *a = kf_input(graph, {1}), *b = kf_input(graph, {1});
    kf_tensor *sum = kf_apply(kf_add(), a, b);
    kf_tensor *y = kf_apply(kf_dense(1, .no_bias = true, .name = "output"), sum);
    kf_model *model = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(y));
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mae"));
    ok(kf_weight_set(kf_model_weight(model, 0), (const float[]){1}, 1));
    kf_history *history = kf_history_new();
    notes seen = NOTES;
    const kf_generator lines = {.fill = next_line, .context = file};
    ok(kf_fit_generator(model, &lines, .steps_per_epoch = 4, .epochs = 2, .history = history,
                        .callbacks = {&seen.callback}));
    assert_int_equal(seen.n, 8);
    const double errors[] = {2, 1, 0};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(seen.rows[i], 1);
        near(seen.losses[i], errors[i % 3]);
    }
    near(kf_history_values(history, "loss")[0], (2 + 1 + 0 + 2) / 4.0);
    kf_history_free(history);
    kf_graph_free(graph);
    fclose(file);
}

static kf_status add_row(void *context, int32_t output, int64_t first_row, int64_t rows,
                         const float *values) {
    (void)output;
    memcpy((float *)context + first_row, values, (size_t)rows * sizeof *values);
    return KF_OK;
}

static void s50_evaluate_and_predict_from_a_generator(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    source from = SOURCE(2);
    double loss;
    ok(kf_evaluate_generator(model, endless(&from), &loss, .steps = 3));
    near(loss, (1 + 4 + 9) / 3.0);
    float got[6];
    ok(kf_predict_generator(model, sequence(&from, 3), add_row, got, .workers = 3));
    for (int i = 0; i < 6; i++) near((double)got[i], i / 2 + 1);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("s44 batches are made while the model trains",
                 s44_batches_are_made_while_the_model_trains),
        SENTENCE("s45 an epoch is a number of batches", s45_an_epoch_is_a_number_of_batches),
        SENTENCE("s46 a Sequence gives each batch once an epoch, in order",
                 s46_a_sequence_gives_each_batch_once_an_epoch),
        SENTENCE("s47 without workers the caller makes batches",
                 s47_without_workers_the_caller_makes_batches),
        SENTENCE("s48 validation by generator, by arrays, with weights",
                 s48_validation_by_generator_by_arrays_and_with_weights),
        SENTENCE("s49 a generator reads a file line by line, for ever",
                 s49_a_generator_reads_a_file_line_by_line_for_ever),
        SENTENCE("s50 evaluate and predict from a generator",
                 s50_evaluate_and_predict_from_a_generator),
    };
    return cmocka_run_group_tests_name("generators", tests, NULL, NULL);
}
