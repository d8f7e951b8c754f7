/* Sequences and generators: batches in order whatever the threads, passes and epochs as Keras has
 * them. How they end is in generator_ends.c. */
#include "tests/train/maker.h"

/* Sanitizers keep freed memory for a while. */
#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

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

static void workers_change_nothing(void **state) {
    (void)state;
    double one[2], many[2];
    float w, v;
    fit_with(1, false, one, &w);
    fit_with(4, true, many, &v);
    assert_memory_equal(one, many, sizeof one);
    assert_true(w == v);
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
        SENTENCE("a generator is asked by one thread at a time",
                 a_generator_is_asked_by_one_thread_at_a_time),
        SENTENCE("steps are needed without a length", steps_are_needed_without_a_length),
        SENTENCE("batches must fit the model", batches_must_fit),
        SENTENCE("predictions in order", predicts),
        SENTENCE("classes are weighed, and a warning says when not", weighs_classes),
        SENTENCE("memory does not grow over 10,000 batches", memory_does_not_grow),
        SENTENCE("the history tells who waits", tells_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
