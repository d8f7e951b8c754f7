/* Compiling graphs: what is refused, the order by rank, new costs. */
#include "core/base/memory.h"
#include "tests/scheduler/graphs.h"

#include <stdatomic.h>

static void refuse(const kfi_task *tasks, int32_t n, const char *message) {
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, n, &schedule), KF_INVALID);
    assert_null(schedule);
    assert_non_null(strstr(kf_last_error(), message));
}

static void cycle(void **state) {
    (void)state;
    const int32_t to_1[] = {1}, to_2[] = {2}, to_0[] = {0};
    const kfi_task ring[] = {{.n_stages = 1, .tiles = {1}, .successors = to_1, .n_successors = 1},
                             {.n_stages = 1, .tiles = {1}, .successors = to_2, .n_successors = 1},
                             {.n_stages = 1, .tiles = {1}, .successors = to_1, .n_successors = 1}};
    refuse(ring, 3, "task 1 waits for itself");
    const kfi_task self = {.n_stages = 1, .tiles = {1}, .successors = to_0, .n_successors = 1};
    refuse(&self, 1, "cycle");
}

static void out_of_range(void **state) {
    (void)state;
    const int32_t to_5[] = {5};
    refuse(&(kfi_task){.n_stages = 1, .successors = to_5, .n_successors = 1}, 1, "successor 5");
    refuse(&(kfi_task){.n_stages = 0}, 1, "0 stages");
    refuse(&(kfi_task){.n_stages = KFI_MAX_STAGES + 1}, 1, "5 stages");
    refuse(&(kfi_task){.n_stages = 1, .tiles = {-1}}, 1, "-1 tiles");
    refuse(&(kfi_task){.n_stages = 1, .tiles = {INT64_MAX}}, 1, "stage 0 has");
    refuse(&(kfi_task){.n_stages = 1, .tiles = {1}, .rounds = -1}, 1, "-1 rounds");
    refuse(&(kfi_task){.n_stages = 2, .tiles = {9, 1 << 20}, .rounds = 1 << 11}, 1, "2048 rounds");
    refuse(&(kfi_task){.n_stages = 2, .tiles = {1, 1}, .rounds = INT32_MAX}, 1,
           "2147483647 rounds");
    refuse(NULL, -1, "-1 tasks");
}

static kf_status count_tile(void *context, const kfi_tile *tile) {
    (void)tile;
    atomic_fetch_add_explicit((atomic_int *)context, 1, memory_order_relaxed);
    return KF_OK;
}

static void empty(void **state) {
    (void)state;
    kfi_schedule *schedule;
    atomic_int count = 0;
    assert_int_equal(kfi_schedule_new(NULL, 0, &schedule), KF_OK);
    assert_int_equal(kfi_run(schedule, count_tile, &count, NULL), KF_OK);
    kfi_schedule_free(schedule);
    assert_int_equal(count, 0);
    kfi_schedule_free(NULL);
}

static void no_tiles(void **state) {
    (void)state;
    const int32_t next[] = {1};
    const kfi_task tasks[] = {{2, {0, 0}, 1e6, next, 1, 0},
                              {3, {0, 2, 0}, 1e6, NULL, 0, INT32_MAX}};
    kfi_schedule *schedule;
    atomic_int count = 0;
    assert_int_equal(kfi_schedule_new(tasks, 2, &schedule), KF_OK);
    assert_int_equal(kfi_run(schedule, count_tile, &count, NULL), KF_OK);
    assert_int_equal(count, 2);
    kfi_schedule_free(schedule);
}

typedef struct order {
    int32_t task[8], n;
} order;

static kf_status note_task(void *context, const kfi_tile *tile) {
    order *o = context;
    o->task[o->n++] = tile->task;
    return KF_OK;
}

static order serial_order(kfi_schedule *schedule) {
    order o = {.n = 0};
    const kfi_run_options serial = {.executor = kfi_executor_find("serial")};
    assert_int_equal(kfi_run(schedule, note_task, &o, &serial), KF_OK);
    return o;
}

/* Two chains, 0 → 2 and 1 → 3: the longer one goes first. */
static void ranks(void **state) {
    (void)state;
    const int32_t to_2[] = {2}, to_3[] = {3};
    const kfi_task tasks[] = {{1, {1}, 10, to_2, 1, 0},
                              {1, {1}, 10, to_3, 1, 0},
                              {1, {1}, 5, NULL, 0, 0},
                              {1, {1}, 50, NULL, 0, 0}};
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, 4, &schedule), KF_OK);
    const int32_t first[] = {1, 3, 0, 2}, second[] = {0, 2, 1, 3};
    assert_memory_equal(serial_order(schedule).task, first, sizeof first);
    kfi_schedule_recost(schedule, (double[]){10, 10, 90, 50});
    assert_memory_equal(serial_order(schedule).task, second, sizeof second);
    kfi_schedule_recost(schedule, (double[]){0, 0, 0, 0});
    const int32_t ties[] = {0, 1, 2, 3};
    assert_memory_equal(serial_order(schedule).task, ties, sizeof ties);
    kfi_schedule_free(schedule);
}

static void odd_costs(void **state) {
    (void)state;
    graph *g = graph_new(5, 60);
    double *costs = calloc((size_t)g->n, sizeof *costs);
    const double odd[] = {-1, 0.0 / 0.0, 1.0 / 0.0, 1e300, -1.0 / 0.0, 1e-300};
    kfi_schedule *schedule = graph_schedule(g);
    const uint64_t expected = graph_run(g, schedule, "serial", 1);
    for (int32_t i = 0; i < g->n; i++) costs[i] = odd[i % 6];
    kfi_schedule_recost(schedule, costs);
    assert_true(graph_run(g, schedule, "serial", 1) == expected);
    assert_true(graph_run(g, schedule, "steal", 4) == expected);
    free(costs);
    kfi_schedule_free(schedule);
    graph_free(g);
}

static void recost_same(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        graph *g = graph_new(seed, 200);
        kfi_schedule *schedule = graph_schedule(g);
        const uint64_t expected = graph_run(g, schedule, "serial", 1);
        double *costs = calloc((size_t)g->n, sizeof *costs);
        dice d = {{seed, 2}, 0};
        for (int round = 0; round < 5; round++) {
            for (int32_t i = 0; i < g->n; i++) costs[i] = roll_cost(&d);
            kfi_schedule_recost(schedule, costs);
            assert_true(graph_run(g, schedule, "serial", 1) == expected);
            assert_true(graph_run(g, schedule, "steal", 3) == expected);
        }
        free(costs);
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

static void no_memory(void **state) {
    (void)state;
    graph *g = graph_new(3, 100);
    kfi_schedule *schedule;
    kf_status status = KF_MEMORY;
    int n_failed = 0;
    for (; status != KF_OK; n_failed++) {
        kfi_fail_allocation(n_failed + 1);
        status = kfi_schedule_new(g->tasks, g->n, &schedule);
        kfi_fail_allocation(0);
        assert_true(status == KF_OK || (status == KF_MEMORY && !schedule));
    }
    assert_true(n_failed > 10);
    graph_run(g, schedule, "steal", 2);
    kfi_schedule_free(schedule);
    graph_free(g);
}

/* Tasks that follow each other, so many such ways beside each other. */
static bool ways_are_for_one(int32_t n_ways, int32_t length, int64_t tiles, double cost_ns) {
    const int32_t n = n_ways * length;
    kfi_task *tasks = calloc((size_t)n, sizeof *tasks);
    int32_t *next = calloc((size_t)n, sizeof *next);
    for (int32_t i = 0; i < n; i++) {
        next[i] = i + 1;
        tasks[i] = (kfi_task){1, {tiles}, cost_ns, &next[i], (i + 1) % length != 0, 0};
    }
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, n, &schedule), KF_OK);
    const bool is_for_one = kfi_schedule_is_for_one(schedule);
    kfi_schedule_free(schedule);
    free(tasks);
    free(next);
    return is_for_one;
}

static void not_shared(void **state) {
    (void)state;
    assert_true(ways_are_for_one(1, 1000, 1, 100e3));
    assert_false(ways_are_for_one(2, 1000, 1, 100e3));
    assert_false(ways_are_for_one(1, 1000, 8, 100e3)); /* tiles that others may run */
    assert_true(ways_are_for_one(1, 1000, 8, 10e3));   /* too short to be cut */
    assert_true(ways_are_for_one(4096, 1, 1, 10));     /* each is done before it is handed over */
    assert_true(ways_are_for_one(2, 1, 1, 9e3));
    assert_false(ways_are_for_one(2, 1, 1, 11e3));
}

static void executors(void **state) {
    (void)state;
    assert_null(kfi_executor_find("threads"));
    assert_string_equal(kfi_executor_name(kfi_executor_find("omp")), "omp");
    unsetenv("KF_EXECUTOR");
    assert_string_equal(kfi_executor_name(kfi_executor_default()), "steal");
    setenv("KF_EXECUTOR", "serial", 1);
    assert_string_equal(kfi_executor_name(kfi_executor_default()), "serial");
    setenv("KF_EXECUTOR", "fast", 1);
    kfi_schedule *schedule;
    atomic_int count = 0;
    assert_int_equal(kfi_schedule_new(&(kfi_task){1, {1}, 0, NULL, 0, 0}, 1, &schedule), KF_OK);
    assert_int_equal(kfi_run(schedule, count_tile, &count, NULL), KF_USAGE);
    assert_non_null(strstr(kf_last_error(), "'fast'"));
    unsetenv("KF_EXECUTOR");
    assert_int_equal(kfi_run(schedule, count_tile, &count, NULL), KF_OK);
    kfi_schedule_free(schedule);
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("a cycle is refused, and one of its tasks named", cycle),
        SENTENCE("indices, stages and tiles out of range are refused", out_of_range),
        SENTENCE("a schedule of no tasks runs", empty),
        SENTENCE("a stage without tiles is skipped", no_tiles),
        SENTENCE("the longest way to the end goes first, ties in the caller's order", ranks),
        SENTENCE("costs that are no numbers, negative or infinite do no harm", odd_costs),
        SENTENCE("new costs do not change results", recost_same),
        SENTENCE("what others cannot take over stays with the caller", not_shared),
        SENTENCE("any allocation may fail", no_memory),
        SENTENCE("executors have names, KF_EXECUTOR chooses, a wrong name is an error", executors),
    };
    return cmocka_run_group_tests_name("scheduler.schedule", tests, NULL, NULL);
}
