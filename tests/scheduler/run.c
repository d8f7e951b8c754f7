/* Running graphs: against the serial executor, with failures, from several callers. */
#include "tests/scheduler/graphs.h"

#include <pthread.h>

static void all_like_serial(const char *executor, uint64_t first_seed, uint64_t n_seeds) {
    for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++) {
        graph *g = graph_new(seed, 300);
        kfi_schedule *schedule = graph_schedule(g);
        const uint64_t expected = graph_run(g, schedule, "serial", 1);
        for (int32_t workers = 1; workers <= 8; workers++)
            assert_true(graph_run(g, schedule, executor, workers) == expected);
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

static void steal_like_serial(void **state) {
    (void)state;
    all_like_serial("steal", 100, 60);
}

static void omp_like_serial(void **state) {
    (void)state;
    if (!HAS_OMP) skip();
    all_like_serial("omp", 200, 15);
}

static void many_reruns(void **state) {
    (void)state;
    graph *g = graph_new(7, 40);
    kfi_schedule *schedule = graph_schedule(g);
    const uint64_t expected = graph_run(g, schedule, "serial", 1);
    for (int k = 0; k < 3000; k++)
        assert_true(graph_run(g, schedule, "steal", 1 + k % 4) == expected);
    kfi_schedule_free(schedule);
    graph_free(g);
}

/* Of the failing tasks that have been run, the first in the caller's order. Which ones are run
 * before the others are skipped may vary; a task without predecessors at index 0 always comes
 * first if it fails at all and the run is serial. */
static void fails_once(graph *g, kfi_schedule *schedule, const char *executor, int32_t workers) {
    graph_clear(g, workers);
    const kfi_run_options options = {.executor = kfi_executor_find(executor), .workers = workers};
    kfi_fail(KF_IO, "an older failure");
    assert_int_equal(kfi_run(schedule, run_tile, g, &options), KF_INVALID);
    int32_t task = -1;
    assert_int_equal(sscanf(kf_last_error(), "task %d does not work", &task), 1);
    assert_true(is_failing(g, task));
    assert_int_equal(g->n_wrong, 0);
    for (int32_t i = 0; i < g->n; i++)
        for (int32_t s = 0; s < g->tasks[i].n_stages; s++)
            for (int64_t t = 0; t < tiles_of(&g->tasks[i], s); t++)
                assert_in_range(g->times[s][i][t], 0, is_failing(g, i) ? 0 : 1);
}

static int has_tiles(const graph *g, int32_t task) {
    int64_t tiles = 0;
    for (int32_t s = 0; s < g->tasks[task].n_stages; s++) tiles += g->tasks[task].tiles[s];
    return tiles > 0;
}

static void failures(void **state) {
    (void)state;
    const char *executors[] = {"serial", "steal", "omp"};
    for (uint64_t seed = 300; seed < 330; seed++) {
        graph *g = graph_new(seed, 100);
        kfi_schedule *schedule = graph_schedule(g);
        const uint64_t expected = graph_run(g, schedule, "serial", 1);
        for (int k = 0; k < 2 + HAS_OMP; k++) {
            for (int32_t workers = 1; workers <= 6; workers++) {
                g->fail_from = g->n / 3;
                while (g->fail_from < g->n && !has_tiles(g, g->fail_from)) g->fail_from++;
                g->fail_step = 2;
                if (g->fail_from < g->n) fails_once(g, schedule, executors[k], workers);
                g->fail_from = g->n;
                assert_true(graph_run(g, schedule, executors[k], workers) == expected);
            }
        }
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

/* All tiles of all tasks fail at once: each task is one long tile that waits for the others. */
typedef struct meeting {
    _Atomic int32_t n_there;
    int32_t n_expected;
} meeting;

static kf_status meet_and_fail(void *context, const kfi_tile *tile) {
    meeting *m = context;
    m->n_there++;
    while (m->n_there < m->n_expected) continue;
    return kfi_fail(tile->task == 1 ? KF_IO : KF_DIVERGED, "task %d", tile->task);
}

static void lowest_failure(void **state) {
    (void)state;
    const kfi_task tasks[] = {
        {1, {0}, 0, NULL, 0, 0}, {1, {1}, 100e3, NULL, 0, 0}, {1, {1}, 200e3, NULL, 0, 0}};
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, 3, &schedule), KF_OK);
    for (int k = 0; k < 300; k++) {
        meeting m = {0, 2};
        assert_int_equal(kfi_run(schedule, meet_and_fail, &m, &(kfi_run_options){.workers = 2}),
                         KF_IO);
        assert_string_equal(kf_last_error(), "task 1");
    }
    kfi_schedule_free(schedule);
}

/* Tiles of one loop really run at the same time: each waits until all are there. */
static kf_status meet(void *context, const kfi_tile *tile) {
    (void)tile;
    meeting *m = context;
    m->n_there++;
    while (m->n_there < m->n_expected) continue;
    return KF_OK;
}

static void loops_are_shared(void **state) {
    (void)state;
    const kfi_task task = {1, {3}, 300e3, NULL, 0, 0};
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(&task, 1, &schedule), KF_OK);
    for (int k = 0; k < 100; k++) {
        meeting m = {0, 3};
        assert_int_equal(kfi_run(schedule, meet, &m, &(kfi_run_options){.workers = 3}), KF_OK);
    }
    kfi_schedule_free(schedule);
}

static kf_status run_again(void *context, const kfi_tile *tile) {
    (void)tile;
    kfi_schedule *schedule = context;
    return kfi_run(schedule, run_again, schedule, NULL);
}

static void not_twice(void **state) {
    (void)state;
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(&(kfi_task){1, {1}, 0, NULL, 0, 0}, 1, &schedule), KF_OK);
    assert_int_equal(kfi_run(schedule, run_again, schedule, NULL), KF_USAGE);
    assert_string_equal(kf_last_error(), "this schedule is being run already");
    kfi_schedule_free(schedule);
}

/* A tile that runs another schedule is worker 0 of that run. */
typedef struct nested {
    graph *inner[4];
    kfi_schedule *schedule[4];
    uint64_t expected[4];
    _Atomic int n_wrong;
} nested;

static kf_status run_inner(void *context, const kfi_tile *tile) {
    nested *n = context;
    graph *g = n->inner[tile->tile];
    graph_clear(g, 3);
    const kf_status status =
        kfi_run(n->schedule[tile->tile], run_tile, g, &(kfi_run_options){.workers = 3});
    n->n_wrong += graph_missed(g) != 0 || graph_digest(g) != n->expected[tile->tile];
    return status;
}

static void runs_in_runs(void **state) {
    (void)state;
    nested n = {.n_wrong = 0};
    for (int k = 0; k < 4; k++) {
        n.inner[k] = graph_new(500 + (uint64_t)k, 100);
        n.schedule[k] = graph_schedule(n.inner[k]);
        n.expected[k] = graph_run(n.inner[k], n.schedule[k], "serial", 1);
    }
    kfi_schedule *outer;
    assert_int_equal(kfi_schedule_new(&(kfi_task){1, {4}, 400e3, NULL, 0, 0}, 1, &outer), KF_OK);
    for (int k = 0; k < 50; k++)
        assert_int_equal(kfi_run(outer, run_inner, &n, &(kfi_run_options){.workers = 4}), KF_OK);
    assert_int_equal(n.n_wrong, 0);
    kfi_schedule_free(outer);
    for (int k = 0; k < 4; k++) {
        kfi_schedule_free(n.schedule[k]);
        graph_free(n.inner[k]);
    }
}

typedef struct caller {
    pthread_t thread;
    uint64_t seed;
    int32_t workers;
    int n_wrong;
} caller;

static void *call(void *argument) {
    caller *c = argument;
    for (uint64_t k = 0; k < 10; k++) {
        graph *g = graph_new(c->seed + k, 80);
        kfi_schedule *schedule;
        if (kfi_schedule_new(g->tasks, g->n, &schedule) != KF_OK) return NULL;
        graph_clear(g, 1);
        c->n_wrong += kfi_run(schedule, run_tile, g,
                              &(kfi_run_options){.executor = kfi_executor_find("serial")}) != KF_OK;
        const uint64_t expected = graph_digest(g);
        for (int32_t run = 0; run < 30; run++) {
            const int32_t workers = 1 + (c->workers + run) % 5;
            graph_clear(g, workers);
            c->n_wrong +=
                kfi_run(schedule, run_tile, g, &(kfi_run_options){.workers = workers}) != KF_OK;
            c->n_wrong += graph_missed(g) != 0 || graph_digest(g) != expected || g->n_wrong != 0;
        }
        kfi_schedule_free(schedule);
        graph_free(g);
    }
    return NULL;
}

static void several_callers(int n) {
    caller callers[20];
    for (int k = 0; k < n; k++) {
        callers[k] = (caller){.seed = 1000 + 50 * (uint64_t)k, .workers = k};
        assert_int_equal(pthread_create(&callers[k].thread, NULL, call, &callers[k]), 0);
    }
    for (int k = 0; k < n; k++) pthread_join(callers[k].thread, NULL);
    for (int k = 0; k < n; k++) assert_int_equal(callers[k].n_wrong, 0);
}

static void two_callers(void **state) {
    (void)state;
    several_callers(2);
}

static void many_callers(void **state) {
    (void)state;
    several_callers(20); /* more than the table of crews has room for */
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("any number of workers computes what one does", steal_like_serial),
        SENTENCE("so do OpenMP tasks", omp_like_serial),
        SENTENCE("a schedule runs thousands of times", many_reruns),
        SENTENCE("a failing tile ends the run, and the schedule runs again", failures),
        SENTENCE("of several failures the lowest task's is returned", lowest_failure),
        SENTENCE("tiles of a stage run at the same time", loops_are_shared),
        SENTENCE("a schedule inside its own run is refused", not_twice),
        SENTENCE("a tile may run another schedule", runs_in_runs),
        SENTENCE("two callers share the pool", two_callers),
        SENTENCE("twenty callers share the pool", many_callers),
    };
    return cmocka_run_group_tests_name("scheduler.run", tests, NULL, NULL);
}
