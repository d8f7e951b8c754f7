/* The rules of fit: what is trained on, in which order, what is averaged and reported. */
#include "tests/train/support.h"

enum { MOST_BATCHES = 64 };

/* Notes what happens in a fit. */
typedef struct notebook {
    kf_callback callback;
    char text[2048];
    double losses[MOST_BATCHES]; /* by batch, over all epochs */
    int32_t n_batches;
    int32_t stop_epoch, stop_batch; /* -1: never */
    int32_t epoch;
    kf_status fail;
} notebook;

__attribute__((format(printf, 2, 3))) static void note(kf_callback *callback, const char *format,
                                                       ...) {
    notebook *all = (notebook *)callback;
    va_list arguments;
    va_start(arguments, format);
    const size_t used = strlen(all->text);
    vsnprintf(all->text + used, sizeof all->text - used, format, arguments);
    va_end(arguments);
}

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    (void)model;
    note(callback, "[");
    return KF_OK;
}

static kf_status train_end(kf_callback *callback, kf_model *model) {
    (void)model;
    note(callback, "]");
    return KF_OK;
}

static kf_status epoch_begin(kf_callback *callback, kf_model *model, int32_t epoch) {
    (void)model;
    ((notebook *)callback)->epoch = epoch;
    note(callback, "%d(", epoch);
    return KF_OK;
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    note(callback, "%s)", n_logs > 1 ? logs[1].name : "");
    notebook *all = (notebook *)callback;
    if (all->stop_epoch == epoch && all->stop_batch < 0) kf_stop_training(model);
    return KF_OK;
}

static kf_status batch_begin(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows) {
    (void)model;
    note(callback, "%d:%d", (int)batch, (int)rows);
    return KF_OK;
}

static kf_status batch_end(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                           const kf_log *logs, int32_t n_logs) {
    (void)rows;
    notebook *all = (notebook *)callback;
    assert_true(n_logs >= 1);
    assert_string_equal(logs[0].name, "loss");
    assert_true(all->n_batches < MOST_BATCHES);
    all->losses[all->n_batches++] = logs[0].value;
    note(callback, ",");
    if (all->stop_epoch == all->epoch && all->stop_batch == batch) kf_stop_training(model);
    return all->fail;
}

static notebook new_notes(void) {
    return (notebook){.callback = {.on_train_begin = train_begin,
                                   .on_train_end = train_end,
                                   .on_epoch_begin = epoch_begin,
                                   .on_epoch_end = epoch_end,
                                   .on_batch_begin = batch_begin,
                                   .on_batch_end = batch_end},
                      .stop_epoch = -1,
                      .stop_batch = -1};
}

/* y = x, never moving; row i of n has x = i + 1 and target 0, so that a batch's loss tells its
 * rows: the mean of their squares. */
typedef struct still_line {
    kf_graph *graph;
    kf_model *model;
    kf_dataset *data;
    float x[32], y[32];
} still_line;

static still_line *new_still(int64_t rows) {
    still_line *made = test_calloc(1, sizeof *made);
    made->graph = kf_graph_new();
    made->model = line_model(made->graph, 1);
    for (int64_t i = 0; i < rows; i++) made->x[i] = (float)(i + 1);
    const kf_array arrays[] = {ARRAY("x", made->x, rows), ARRAY("y", made->y, rows, 1)};
    made->data = kf_dataset_arrays(arrays, 2);
    assert_non_null(made->data);
    ok(kf_compile(made->model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    return made;
}

static void free_still(still_line *made) {
    kf_dataset_free(made->data);
    kf_graph_free(made->graph);
    test_free(made);
}

static double mean_square(int from, int to) {
    double sum = 0;
    for (int i = from; i <= to; i++) sum += i * i;
    return sum / (to - from + 1);
}

static void epochs_and_batches(void **state) {
    (void)state;
    still_line *still = new_still(10);
    notebook notes = new_notes();
    kf_history *history = kf_history_new();
    ok(kf_fit(still->model, still->data, .epochs = 2, .batch_size = 4, .shuffle = "false",
              .callbacks = {&notes.callback}, .history = history));
    assert_string_equal(notes.text, "[0(0:4,1:4,2:2,)1(0:4,1:4,2:2,)]");
    near(notes.losses[0], mean_square(1, 4));
    near(notes.losses[1], mean_square(5, 8));
    near(notes.losses[2], mean_square(9, 10));
    assert_int_equal(kf_history_epochs(history), 2);
    assert_int_equal(kf_history_keys(history), 1);
    assert_string_equal(kf_history_key(history, 0), "loss");
    near(kf_history_values(history, "loss")[1], mean_square(1, 10)); /* the rest weighs 2 of 10 */
    assert_null(kf_history_values(history, "acc"));
    kf_history_free(history);
    free_still(still);
}

static void initial_epoch(void **state) {
    (void)state;
    still_line *still = new_still(4);
    notebook notes = new_notes();
    kf_history *history = kf_history_new();
    ok(kf_fit(still->model, still->data, .epochs = 4, .initial_epoch = 2, .history = history,
              .callbacks = {&notes.callback}));
    assert_string_equal(notes.text, "[2(0:4,)3(0:4,)]");
    assert_int_equal(kf_history_epochs(history), 2);
    ok(kf_fit(still->model, still->data, .epochs = 2, .initial_epoch = 2, .history = history));
    assert_int_equal(kf_history_epochs(history), 0);
    assert_int_equal(kf_history_keys(history), 0);
    kf_history_free(history);
    free_still(still);
}

/* The last rows are the validation, before any shuffling. */
static void validation_split(void **state) {
    (void)state;
    still_line *still = new_still(10);
    kf_history *history = kf_history_new();
    ok(kf_fit(still->model, still->data, .epochs = 2, .batch_size = 3, .validation_split = 0.3f,
              .history = history));
    assert_int_equal(kf_history_keys(history), 2);
    assert_string_equal(kf_history_key(history, 0), "val_loss");
    for (int epoch = 0; epoch < 2; epoch++) {
        near(kf_history_values(history, "loss")[epoch], mean_square(1, 7));
        near(kf_history_values(history, "val_loss")[epoch], mean_square(8, 10));
    }
    kf_history_free(history);
    free_still(still);
}

/* int(10 * (1. - .9)) is 0 in double arithmetic: Keras trains on nothing then. */
static void validation_split_quirk(void **state) {
    (void)state;
    still_line *still = new_still(10);
    notebook notes = new_notes();
    kf_history *history = kf_history_new();
    ok(kf_fit(still->model, still->data, .epochs = 2, .validation_split = 0.9f, .history = history,
              .callbacks = {&notes.callback}));
    assert_int_equal(notes.n_batches, 0);
    assert_int_equal(kf_history_keys(history), 0);
    refuses(kf_fit(still->model, still->data, .validation_split = 1), KF_USAGE, "validation_split");
    refuses(kf_fit(still->model, still->data, .validation_split = -0.5f), KF_USAGE,
            "validation_split");
    kf_history_free(history);
    free_still(still);
}

static void validation_data(void **state) {
    (void)state;
    still_line *still = new_still(6);
    const float x[] = {10, 20}, y[] = {0, 0};
    const kf_array arrays[] = {ARRAY("y", y, 2), ARRAY("x", x, 2)};
    kf_dataset *other = kf_dataset_arrays(arrays, 2);
    kf_history *history = kf_history_new();
    ok(kf_fit(still->model, still->data, .validation_data = other, .validation_split = 0.5f,
              .history = history));
    near(kf_history_values(history, "loss")[0], mean_square(1, 6));
    near(kf_history_values(history, "val_loss")[0], 250);
    kf_history_free(history);
    kf_dataset_free(other);
    free_still(still);
}

/* All rows once, in another order in each epoch, the same again with the same seed. */
static void shuffle(void **state) {
    (void)state;
    still_line *still = new_still(16);
    notebook first = new_notes(), again = new_notes(), other = new_notes();
    ok(kf_fit(still->model, still->data, .epochs = 2, .batch_size = 1,
              .callbacks = {&first.callback}));
    ok(kf_fit(still->model, still->data, .epochs = 2, .batch_size = 1, .shuffle = "true",
              .callbacks = {&again.callback}));
    ok(kf_fit(still->model, still->data, .epochs = 2, .batch_size = 1, .seed = 5,
              .callbacks = {&other.callback}));
    assert_memory_equal(first.losses, again.losses, 32 * sizeof(double));
    assert_memory_not_equal(first.losses, other.losses, 16 * sizeof(double));
    assert_memory_not_equal(first.losses, first.losses + 16, 16 * sizeof(double));
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[17] = {0};
        for (int i = 0; i < 16; i++) seen[lround(sqrt(first.losses[16 * epoch + i]))]++;
        for (int i = 1; i <= 16; i++) assert_int_equal(seen[i], 1);
    }
    refuses(kf_fit(still->model, still->data, .shuffle = "yes"), KF_USAGE,
            "shuffle must be one of true, batch, false, window; got 'yes'");
    free_still(still);
}

/* The second epoch of a run is the second epoch, whether or not the first was run before it. */
static void shuffle_goes_on(void **state) {
    (void)state;
    still_line *still = new_still(16);
    notebook whole = new_notes(), rest = new_notes();
    ok(kf_fit(still->model, still->data, .epochs = 2, .batch_size = 1,
              .callbacks = {&whole.callback}));
    ok(kf_fit(still->model, still->data, .epochs = 2, .initial_epoch = 1, .batch_size = 1,
              .callbacks = {&rest.callback}));
    assert_memory_equal(whole.losses + 16, rest.losses, 16 * sizeof(double));
    free_still(still);
}

/* Whole batches change places, their rows stay together, the rest stays last. */
static void shuffle_batches(void **state) {
    (void)state;
    still_line *still = new_still(22);
    notebook notes = new_notes();
    ok(kf_fit(still->model, still->data, .epochs = 1, .batch_size = 4, .shuffle = "batch",
              .callbacks = {&notes.callback}));
    assert_int_equal(notes.n_batches, 6);
    near(notes.losses[5], mean_square(21, 22));
    int seen[5] = {0}, moved = 0;
    for (int i = 0; i < 5; i++)
        for (int b = 0; b < 5; b++)
            if (fabs(notes.losses[i] - mean_square(4 * b + 1, 4 * b + 4)) < 1e-3) {
                seen[b]++;
                moved += b != i;
            }
    for (int b = 0; b < 5; b++) assert_int_equal(seen[b], 1);
    assert_true(moved > 0);
    free_still(still);
}

/* Within an epoch there is no validation any more, but the epoch still ends. */
static kf_status stop_at_once(kf_callback *callback, kf_model *model) {
    (void)callback;
    kf_stop_training(model);
    return KF_OK;
}

static void stops(void **state) {
    (void)state;
    still_line *still = new_still(9);
    notebook in_epoch = new_notes(), after_epoch = new_notes(), never = new_notes();
    kf_callback at_once = {.on_train_begin = stop_at_once};
    in_epoch.stop_epoch = 1;
    in_epoch.stop_batch = 1;
    ok(kf_fit(still->model, still->data, .epochs = 5, .batch_size = 2, .validation_split = 0.3f,
              .callbacks = {&in_epoch.callback}));
    assert_string_equal(in_epoch.text, "[0(0:2,1:2,2:2,val_loss)1(0:2,1:2,)]");
    after_epoch.stop_epoch = 1;
    ok(kf_fit(still->model, still->data, .epochs = 5, .batch_size = 9,
              .callbacks = {&after_epoch.callback}));
    assert_string_equal(after_epoch.text, "[0(0:9,)1(0:9,)]");
    ok(kf_fit(still->model, still->data, .callbacks = {&at_once, &never.callback}));
    assert_string_equal(never.text, "[]");
    free_still(still);
}

/* In Keras, the last batch of rows ends an epoch without validation, the last of its steps does
 * not. */
static void stops_at_the_last_batch(void **state) {
    (void)state;
    still_line *still = new_still(9);
    notebook rows = new_notes(), steps = new_notes(), middle = new_notes();
    rows.stop_epoch = steps.stop_epoch = middle.stop_epoch = 0;
    rows.stop_batch = 2;
    ok(kf_fit(still->model, still->data, .epochs = 5, .batch_size = 2, .validation_split = 0.3f,
              .callbacks = {&rows.callback}));
    assert_string_equal(rows.text, "[0(0:2,1:2,2:2,)]");
    steps.stop_batch = 1;
    ok(kf_fit(still->model, still->data, .epochs = 5, .steps_per_epoch = 2, .validation_steps = 1,
              .validation_data = still->data, .callbacks = {&steps.callback}));
    assert_string_equal(steps.text, "[0(0:9,1:9,val_loss)]");
    middle.stop_batch = 0;
    ok(kf_fit(still->model, still->data, .epochs = 5, .steps_per_epoch = 2, .validation_steps = 1,
              .validation_data = still->data, .callbacks = {&middle.callback}));
    assert_string_equal(middle.text, "[0(0:9,)]");
    free_still(still);
}

static void callback_fails(void **state) {
    (void)state;
    still_line *still = new_still(9);
    notebook notes = new_notes();
    notes.fail = KF_DIVERGED;
    refuses(kf_fit(still->model, still->data, .batch_size = 2, .callbacks = {&notes.callback}),
            KF_DIVERGED, "a callback failed in on_batch_end");
    assert_string_equal(notes.text, "[0(0:2,");
    free_still(still);
}

/* A NaN does not stop Keras either. */
static void nan_goes_on(void **state) {
    (void)state;
    still_line *still = new_still(4);
    still->x[2] = (float)NAN;
    kf_history *history = kf_history_new();
    ok(kf_fit(still->model, still->data, .epochs = 2, .history = history));
    assert_true(isnan(kf_history_values(history, "loss")[1]));
    kf_history_free(history);
    free_still(still);
}

/* fit moves weights exactly as train_on_batch with the same batches. */
static void fit_is_batches(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *a = line_model(graph, 0.5f);
    still_line *still = new_still(6);
    ok(kf_compile(still->model, .optimizer = kf_adam(0), .loss = "mse"));
    const float half = 0.5f;
    set_weight(still->model, 0, &half);
    ok(kf_compile(a, .optimizer = kf_adam(0), .loss = "mse"));
    for (int b = 0; b < 3; b++) {
        const kf_array batch[] = {ARRAY("x", still->x + 2 * b, 2), ARRAY("y", still->y, 2)};
        ok(kf_train_on_batch(a, batch, 2, NULL));
    }
    ok(kf_fit(still->model, still->data, .batch_size = 2, .shuffle = "false"));
    assert_true(weight_of(a) == weight_of(still->model));
    assert_true(weight_of(a) != 0.5f);
    kf_graph_free(graph);
    free_still(still);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an epoch is its batches, the short one last, averaged by rows",
                 epochs_and_batches),
        SENTENCE("epochs is the number of the last epoch", initial_epoch),
        SENTENCE("validation_split takes the last rows, before shuffling", validation_split),
        SENTENCE("validation_split is computed in doubles, as in Python", validation_split_quirk),
        SENTENCE("validation_data overrides validation_split", validation_data),
        SENTENCE("shuffling is an order of all rows, by seed and epoch", shuffle),
        SENTENCE("a resumed run shuffles as the whole one", shuffle_goes_on),
        SENTENCE("shuffle batch moves whole batches", shuffle_batches),
        SENTENCE("a callback can stop at once, after a batch or an epoch", stops),
        SENTENCE("a stop by the last batch: rows are not validated, steps are",
                 stops_at_the_last_batch),
        SENTENCE("a callback's failure fails the fit", callback_fails),
        SENTENCE("training goes on after a NaN", nan_goes_on),
        SENTENCE("fit does what train_on_batch does", fit_is_batches),
    };
    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
