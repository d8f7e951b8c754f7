/* Batches are made while the one before is trained on. Steps and batches take their time by
 * waiting, so that what else the machine does hardly counts; tools/bench/pipeline has real ones. */
#include "tests/train/support.h"

#include "core/base/clock.h"

#include <time.h>

enum { STEPS = 30, STEP_MS = 10, BATCH_MS = 8, ROUNDS = 6 };

static void wait_ms(long ms) { nanosleep(&(struct timespec){0, ms * 1000000}, NULL); }

static kf_status step(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows) {
    (void)callback, (void)model, (void)batch, (void)rows;
    wait_ms(STEP_MS);
    return KF_OK;
}

static kf_status fill(void *context, int64_t index, kf_batch *batch) {
    (void)index;
    static const float one[2] = {1, 1};
    if (*(const bool *)context) wait_ms(BATCH_MS);
    ok(kf_batch_copy(batch, &ARRAY("x", one, 2, 1)));
    return kf_batch_copy(batch, &ARRAY("y", one, 2, 1));
}

static double epoch_seconds(kf_model *model, bool produces, int32_t workers, kf_history *history) {
    const kf_generator generator = {.fill = fill, .length = STEPS, .context = &produces};
    kf_callback stepper = {.on_batch_begin = step};
    const int64_t begun = kfi_now_ns();
    ok(kf_fit_generator(model, &generator, .workers = workers, .callbacks = {&stepper},
                        .history = history));
    return (double)(kfi_now_ns() - begun) * 1e-9;
}

/* The best of several rounds: the others say what the machine did besides. */
static void at_most_a_tenth_more(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "mse"));
    double best = INFINITY, best_between = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        const double alone = epoch_seconds(model, false, 1, NULL);
        const double ahead = epoch_seconds(model, true, 1, NULL);
        const double between = epoch_seconds(model, true, KF_ANY, NULL);
        if (ahead / alone < best) best = ahead / alone;
        if (between / alone < best_between) best_between = between / alone;
    }
    if (!(best <= 1.1)) fail_msg("an epoch takes %.3f times the training alone", best);
    assert_true(best_between > 1.4); /* the measurement can tell */
    kf_graph_free(graph);
}

static void the_history_says_which(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "mse"));
    kf_history *history = kf_history_new();
    epoch_seconds(model, true, KF_ANY, history);
    assert_string_equal(kf_history_bottleneck(history, 0), "data");
    assert_true(kf_history_data_wait(history, 0) > 0.9 * STEPS * BATCH_MS * 1e-3);
    epoch_seconds(model, false, 1, history);
    assert_string_equal(kf_history_bottleneck(history, 0), "training");
    assert_true(kf_history_data_idle(history, 0) > 0.1 * STEPS * STEP_MS * 1e-3);
    kf_history_free(history);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("batches of 80 % of a step add at most a tenth", at_most_a_tenth_more),
        SENTENCE("the history says which was waited for", the_history_says_which),
    };
    return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
