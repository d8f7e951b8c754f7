/* Batches are made while the one before is trained on, also where a pass ends. What that is worth
 * in time is for tools/bench/pipeline to say. */
#include "tests/train/support.h"

#include <stdatomic.h>
#include <time.h>

enum { STEPS = 30, PASS = 6, STEP_MS = 10, BATCH_MS = 8, PATIENCE_MS = 10000 };

static void wait_ms(long ms) { nanosleep(&(struct timespec){0, ms * 1000000}, NULL); }

typedef struct line {
    _Atomic int filled; /* sequentially consistent: counts what several threads do */
    bool produces;      /* a batch takes its time */
    bool waits;         /* a step lasts until the batch after it is there */
    int overlapped;     /* steps that saw the next batch come */
} line;

static kf_status step(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows) {
    (void)model, (void)rows;
    line *on = callback->context;
    if (!on->waits) {
        wait_ms(STEP_MS);
        return KF_OK;
    }
    for (int ms = 0; ms < PATIENCE_MS && atomic_load(&on->filled) <= batch + 1; ms++) wait_ms(1);
    on->overlapped += atomic_load(&on->filled) > batch + 1;
    return KF_OK;
}

static kf_status fill(void *context, int64_t index, kf_batch *batch) {
    (void)index;
    line *on = context;
    static const float one[2] = {1, 1};
    if (on->produces) wait_ms(BATCH_MS);
    ok(kf_batch_copy(batch, &ARRAY("x", one, 2, 1)));
    ok(kf_batch_copy(batch, &ARRAY("y", one, 2, 1)));
    atomic_fetch_add(&on->filled, 1);
    return KF_OK;
}

static void train(kf_model *model, line *on, int64_t steps, int32_t workers, kf_history *history) {
    const kf_generator generator = {.fill = fill, .length = PASS, .context = on};
    kf_callback stepper = {.on_batch_begin = step, .context = on};
    ok(kf_fit_generator(model, &generator, .steps_per_epoch = steps, .workers = workers,
                        .callbacks = {&stepper}, .history = history));
}

/* Each step goes on until the next batch has been made: only who makes batches ahead gets there. */
static void while_training(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "mse"));
    for (int32_t workers = 1; workers <= 3; workers++) {
        line on = {.waits = true};
        train(model, &on, STEPS, workers, NULL);
        assert_true(on.overlapped >= STEPS - 1); /* after the last there need not be another */
    }
    kf_graph_free(graph);
}

/* On the calling thread nothing is ahead: what the test above sees can fail to happen. */
static void not_on_the_calling_thread(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "mse"));
    line on = {0};
    train(model, &on, 4, KF_ANY, NULL);
    assert_int_equal(on.filled, 4);
    kf_graph_free(graph);
}

static void the_history_says_which(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "mse"));
    kf_history *history = kf_history_new();
    line slow = {.produces = true}, quick = {0};
    train(model, &slow, STEPS, KF_ANY, history);
    assert_string_equal(kf_history_bottleneck(history, 0), "data");
    assert_true(kf_history_data_wait(history, 0) > 0.9 * STEPS * BATCH_MS * 1e-3);
    train(model, &quick, STEPS, 1, history);
    assert_string_equal(kf_history_bottleneck(history, 0), "training");
    assert_true(kf_history_data_idle(history, 0) > 0.1 * STEPS * STEP_MS * 1e-3);
    kf_history_free(history);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("batches are made while the one before is trained on", while_training),
        SENTENCE("but not on the calling thread", not_on_the_calling_thread),
        SENTENCE("the history says which was waited for", the_history_says_which),
    };
    return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
