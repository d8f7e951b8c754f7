/* A fit that is broken off anywhere, saved, loaded elsewhere and goes on gives the same bits as one
 * that never was. */
#include "tests/io/scratch.h"
#include "tests/train/support.h"

enum { SAMPLES = 40, BATCH = 8, EPOCHS = 4, STEPS = 4 }; /* a fifth of them validates */

typedef struct outcome {
    int32_t n_weights, epochs;
    float *weights[32];
    int64_t counts[32];
    double loss[16], val_loss[16], lr[16];
    double final_rate;
} outcome;

static float *images;
static int32_t *labels;

static int make_data(void **state) {
    images = some_numbers(SAMPLES * 64, 1);
    labels = some_labels(SAMPLES, 3, 2);
    return make_scratch(state);
}

static int free_data(void **state) {
    test_free(images);
    test_free(labels);
    return remove_scratch(state);
}

static kf_dataset *data_of(void) {
    const kf_array arrays[] = {ARRAY("image", images, SAMPLES, 8, 8),
                               LABELS("label", labels, SAMPLES)};
    return kf_dataset_arrays(arrays, 2);
}

/* Counts batches, and does something to the model after one of them. */
typedef struct breaker {
    kf_callback callback;
    int64_t batches, at;
    void (*act)(kf_model *model);
} breaker;

static kf_status count(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                       const kf_log *logs, int32_t n_logs) {
    (void)batch, (void)rows, (void)logs, (void)n_logs;
    breaker *self = (breaker *)callback;
    if (++self->batches == self->at) self->act(model);
    return KF_OK;
}

static void read_outcome(kf_model *model, const kf_history *history, outcome *to) {
    *to = (outcome){.n_weights = kf_model_weights(model),
                    .epochs = kf_history_epochs(history),
                    .final_rate = kf_learning_rate(model)};
    for (int32_t i = 0; i < to->n_weights; i++) {
        const kf_weight *weight = kf_model_weight(model, i);
        const kf_shape shape = kf_weight_shape(weight);
        to->counts[i] = 1;
        for (int32_t d = 0; d < shape.rank; d++) to->counts[i] *= shape.dims[d];
        to->weights[i] = test_malloc((size_t)to->counts[i] * sizeof(float));
        ok(kf_weight_get(weight, to->weights[i], to->counts[i]));
    }
    for (int32_t e = 0; e < to->epochs; e++) {
        to->loss[e] = kf_history_values(history, "loss")[e];
        to->val_loss[e] = kf_history_values(history, "val_loss")[e];
        to->lr[e] = kf_history_values(history, "lr")[e];
    }
}

static void free_outcome(outcome *of) {
    for (int32_t i = 0; i < of->n_weights; i++) test_free(of->weights[i]);
}

static void same(const outcome *a, const outcome *b) {
    assert_int_equal(a->epochs, b->epochs);
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(a->val_loss, b->val_loss, sizeof a->val_loss);
    assert_memory_equal(a->lr, b->lr, sizeof a->lr);
    assert_true(a->final_rate == b->final_rate);
    assert_int_equal(a->n_weights, b->n_weights);
    for (int32_t i = 0; i < a->n_weights; i++)
        assert_memory_equal(a->weights[i], b->weights[i], (size_t)a->counts[i] * sizeof(float));
}

/* Its layers go on where the batch before ended, also from epoch to epoch and from validation. */
static kf_model *stateful_model(kf_graph *graph) {
    kf_tensor *in = kf_input(graph, {8, 8}, .name = "image", .batch_size = BATCH);
    kf_tensor *x = kf_apply(kf_lstm(5, .stateful = true, .return_sequences = true), in);
    x = kf_apply(kf_bidirectional(kf_gru(4, .stateful = true, .dropout = 0.2f)), x);
    kf_tensor *out = kf_apply(kf_dense(3, .activation = "softmax", .name = "label"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    ok(kf_model_error(model));
    return model;
}

static kf_model *(*make_model)(kf_graph *) = vision_model;

/* The rest of a fit in a program of its own, so to say. `path` NULL: from the beginning. */
static kf_status train(const char *path, const char *optimizer, breaker *broken,
                       const char *checkpoint, kf_callback *more, outcome *to, const char *save) {
    kf_graph *graph = kf_graph_new(.seed = path ? 99 : 7);
    kf_model *model = path ? kf_load(graph, path) : make_model(graph);
    ok(kf_model_error(model));
    if (!path)
        ok(kf_compile(model, .optimizer = kf_optimizer_named(optimizer),
                      .loss = "sparse_categorical_crossentropy"));
    kf_dataset *data = data_of();
    kf_history *history = kf_history_new();
    kf_callback *plateau =
        kf_reduce_lr_on_plateau(.monitor = "loss", .factor = 0.5, .patience = 1, .min_delta = 0.5);
    kf_callback *stop = kf_early_stopping(.patience = 2, .restore_best_weights = true);
    const kf_status status = kf_fit(
        model, data, .epochs = EPOCHS, .batch_size = BATCH, .validation_split = 0.2f,
        .callbacks = {plateau, broken ? &broken->callback : NULL, stop, more}, .history = history,
        .resume = path != NULL, .checkpoint = checkpoint, .checkpoint_batches = checkpoint ? 1 : 0);
    if (status != KF_OK && status != KF_STOPPED) fail_msg("%s", kf_last_error());
    if (to) read_outcome(model, history, to);
    if (save) ok(kf_save(model, save, .no_optimizer = false));
    kf_callback_free(plateau);
    kf_callback_free(stop);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return status;
}

static void suspends(const char *optimizer) {
    outcome whole;
    assert_int_equal(train(NULL, optimizer, NULL, NULL, NULL, &whole, NULL), KF_OK);
    assert_true(whole.epochs >= 3);
    for (int64_t at = 1; at <= STEPS * 3; at++) {
        breaker broken = {
            .callback = {.on_batch_end = count}, .at = at, .act = kf_suspend_training};
        assert_int_equal(train(NULL, optimizer, &broken, NULL, NULL, NULL, scratch("part.h5")),
                         KF_STOPPED);
        assert_int_equal(broken.batches, at);
        outcome parts;
        assert_int_equal(train(scratch("part.h5"), optimizer, NULL, NULL, NULL, &parts, NULL),
                         KF_OK);
        same(&whole, &parts);
        free_outcome(&parts);
    }
    free_outcome(&whole);
}

static void rmsprop(void **state) {
    (void)state;
    suspends("rmsprop(lr=0.01, decay=0.1)");
}

static void adam(void **state) {
    (void)state;
    suspends("adam(lr=0.01)");
}

static void nadam(void **state) {
    (void)state;
    suspends("nadam(lr=0.01)");
}

static void stateful(void **state) {
    (void)state;
    make_model = stateful_model;
    suspends("adam(lr=0.01)");
    make_model = vision_model;
}

/* Batches of a Sequence; the second one of the first pass may break the run off. */
typedef struct held_out {
    kf_model *model;
    int calls, breaks_at;
} held_out;

static kf_status fill_held_out(void *context, int64_t index, kf_batch *batch) {
    held_out *self = context;
    if (++self->calls == self->breaks_at) kf_suspend_training(self->model);
    const int64_t row = index * BATCH;
    const kf_status status = kf_batch_copy(batch, &ARRAY("image", images + row * 64, BATCH, 8, 8));
    return status == KF_OK ? kf_batch_copy(batch, &LABELS("label", labels + row, BATCH)) : status;
}

/* The val_loss of two epochs, the first one's validation broken off at its batch number breaks_at.
 */
static void validate_in_parts(int breaks_at, double val_loss[2]) {
    kf_graph *graph = kf_graph_new();
    held_out self = {.model = stateful_model(graph), .breaks_at = breaks_at};
    const kf_generator train = {fill_held_out, .length = 3, .context = &(held_out){NULL, 0, -1}};
    const kf_generator validation = {fill_held_out, .length = 3, .context = &self};
    ok(kf_compile(self.model, .optimizer = kf_sgd(0.1), .loss = "sparse_categorical_crossentropy"));
    kf_history *history = kf_history_new();
    kf_status status = kf_fit_generator(self.model, &train, .epochs = 2, .workers = KF_ANY,
                                        .validation = &validation, .history = history);
    assert_int_equal(status, breaks_at ? KF_STOPPED : KF_OK);
    if (breaks_at)
        ok(kf_fit_generator(self.model, &train, .epochs = 2, .workers = KF_ANY,
                            .validation = &validation, .history = history, .resume = true));
    assert_int_equal(kf_history_epochs(history), 2);
    memcpy(val_loss, kf_history_values(history, "val_loss"), 2 * sizeof *val_loss);
    kf_history_free(history);
    kf_graph_free(graph);
}

static void validation_is_done_again(void **state) {
    (void)state;
    double whole[2], parts[2];
    validate_in_parts(0, whole);
    for (int at = 1; at <= 3; at++) {
        validate_in_parts(at, parts);
        assert_memory_equal(whole, parts, sizeof whole);
    }
}

/* The file that a killed program left is of some batch before it was killed. */
static void killed(void **state) {
    (void)state;
    outcome whole;
    assert_int_equal(train(NULL, "rmsprop(lr=0.01, decay=0.1)", NULL, NULL, NULL, &whole, NULL),
                     KF_OK);
    for (int64_t at = 2; at <= 11; at += 3) {
        breaker broken = {
            .callback = {.on_batch_end = count}, .at = at, .act = kf_suspend_training};
        assert_int_equal(train(NULL, "rmsprop(lr=0.01, decay=0.1)", &broken, scratch("check.h5"),
                               NULL, NULL, NULL),
                         KF_STOPPED);
        outcome parts;
        assert_int_equal(train(scratch("check.h5"), NULL, NULL, NULL, NULL, &parts, NULL), KF_OK);
        same(&whole, &parts);
        free_outcome(&parts);
    }
    free_outcome(&whole);
}

/* ModelCheckpoint saves in the middle of an epoch's end: callbacks behind it come later. */
static void model_checkpoint(void **state) {
    (void)state;
    outcome whole;
    kf_callback *save = kf_model_checkpoint(scratch("e{epoch}.h5"));
    assert_int_equal(train(NULL, "adam(lr=0.01)", NULL, NULL, save, &whole, NULL), KF_OK);
    kf_callback_free(save);
    for (int epoch = 1; epoch < whole.epochs; epoch++) {
        char name[16];
        snprintf(name, sizeof name, "e%d.h5", epoch);
        outcome parts;
        assert_int_equal(train(scratch(name), NULL, NULL, NULL, NULL, &parts, NULL), KF_OK);
        same(&whole, &parts);
        free_outcome(&parts);
    }
    free_outcome(&whole);
}

static void read_file(const char *path, char **bytes, size_t *size) {
    *size = file_bytes(path);
    *bytes = test_malloc(*size);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(*bytes, 1, *size, file), *size);
    fclose(file);
}

static void same_file(const char *a, const char *b) {
    char *one, *other;
    size_t one_size, other_size;
    read_file(a, &one, &one_size);
    read_file(b, &other, &other_size);
    assert_int_equal(one_size, other_size);
    assert_memory_equal(one, other, one_size);
    test_free(one);
    test_free(other);
}

static void saving_again_gives_the_same_bytes(void **state) {
    (void)state;
    breaker broken = {.callback = {.on_batch_end = count}, .at = 6, .act = kf_suspend_training};
    assert_int_equal(train(NULL, "nadam(lr=0.01)", &broken, NULL, NULL, NULL, scratch("a.h5")),
                     KF_STOPPED);
    kf_graph *graph = kf_graph_new();
    kf_model *model = kf_load(graph, scratch("a.h5"));
    ok(kf_model_error(model));
    ok(kf_save(model, scratch("b.h5"), .no_optimizer = false));
    same_file(scratch("a.h5"), scratch("b.h5"));
    kf_graph_free(graph);
}

static void a_finished_run_goes_on_with_more_epochs(void **state) {
    (void)state;
    kf_dataset *data = data_of();
    double whole, parts;
    for (int halves = 0; halves < 2; halves++) {
        kf_graph *graph = kf_graph_new();
        kf_model *model = vision_model(graph);
        ok(kf_compile(model, .optimizer = kf_rmsprop(0.01f, .decay = 0.01f),
                      .loss = "sparse_categorical_crossentropy"));
        kf_history *history = kf_history_new();
        ok(kf_fit(model, data, .epochs = halves ? 2 : 4, .batch_size = 8, .history = history));
        if (halves)
            ok(kf_fit(model, data, .epochs = 4, .batch_size = 8, .history = history,
                      .resume = true));
        assert_int_equal(kf_history_epochs(history), 4);
        *(halves ? &parts : &whole) = kf_history_values(history, "loss")[3];
        kf_history_free(history);
        kf_graph_free(graph);
    }
    assert_true(whole == parts);
    kf_dataset_free(data);
}

static void csv_has_no_line_twice(void **state) {
    (void)state;
    char *whole, *parts;
    size_t whole_size, parts_size;
    kf_callback *csv = kf_csv_logger(scratch("whole.csv"));
    assert_int_equal(train(NULL, "adam(lr=0.01)", NULL, NULL, csv, NULL, NULL), KF_OK);
    kf_callback_free(csv);
    csv = kf_csv_logger(scratch("parts.csv"));
    breaker early = {.callback = {.on_batch_end = count}, .at = 6, .act = kf_suspend_training};
    assert_int_equal(train(NULL, "adam(lr=0.01)", &early, NULL, csv, NULL, scratch("early.h5")),
                     KF_STOPPED);
    kf_callback_free(csv);
    /* a run that wrote on after the file was saved, and was killed */
    csv = kf_csv_logger(scratch("parts.csv"));
    breaker late = {.callback = {.on_batch_end = count}, .at = 5, .act = kf_suspend_training};
    assert_int_equal(train(scratch("early.h5"), NULL, &late, NULL, csv, NULL, NULL), KF_STOPPED);
    kf_callback_free(csv);
    csv = kf_csv_logger(scratch("parts.csv"));
    assert_int_equal(train(scratch("early.h5"), NULL, NULL, NULL, csv, NULL, NULL), KF_OK);
    kf_callback_free(csv);
    read_file(scratch("whole.csv"), &whole, &whole_size);
    read_file(scratch("parts.csv"), &parts, &parts_size);
    assert_int_equal(whole_size, parts_size);
    assert_memory_equal(whole, parts, whole_size);
    test_free(whole);
    test_free(parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("after any batch, with RMSprop's decay", rmsprop),
        SENTENCE("after any batch, with Adam", adam),
        SENTENCE("after any batch, with Nadam's schedule", nadam),
        SENTENCE("after any batch, with states that layers keep", stateful),
        SENTENCE("a validation that is broken off is done again", validation_is_done_again),
        SENTENCE("from the file that fit saves meanwhile", killed),
        SENTENCE("from a ModelCheckpoint's file", model_checkpoint),
        SENTENCE("a loaded run is saved with the same bytes", saving_again_gives_the_same_bytes),
        SENTENCE("a finished run goes on with more epochs",
                 a_finished_run_goes_on_with_more_epochs),
        SENTENCE("a CSV file has each line once", csv_has_no_line_twice),
    };
    return cmocka_run_group_tests(tests, make_data, free_data);
}
