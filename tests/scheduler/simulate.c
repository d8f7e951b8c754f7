/* Replays on virtual workers: what is known of the answer without running anything. */
#include "scheduler/simulate.h"
#include "core/base/memory.h"
#include "core/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_TASKS = 300 };

typedef struct replayed {
    int32_t n;
    kfi_task tasks[MOST_TASKS];
    int32_t edges[MOST_TASKS][4];
    double stage_ns[MOST_TASKS][KFI_MAX_STAGES];
    double limiting_ns[MOST_TASKS];
} replayed;

static void add_task(replayed *graph, int64_t tiles, double ns) {
    graph->tasks[graph->n] = (kfi_task){
        .n_stages = 1, .tiles = {tiles}, .cost_ns = ns, .successors = graph->edges[graph->n]};
    graph->stage_ns[graph->n++][0] = ns;
}

static void add_edge(replayed *graph, int32_t from, int32_t to) {
    graph->edges[from][graph->tasks[from].n_successors++] = to;
}

static kfi_simulated replay(replayed *graph, int32_t workers) {
    kfi_schedule *schedule;
    kfi_simulated result;
    assert_int_equal(kfi_schedule_new(graph->tasks, graph->n, &schedule), KF_OK);
    assert_int_equal(kfi_simulate(schedule, (const double(*)[KFI_MAX_STAGES])graph->stage_ns,
                                  workers, &result, graph->limiting_ns),
                     KF_OK);
    kfi_schedule_free(schedule);
    return result;
}

static void about(double got, double expected, double tolerance) {
    if (got < expected * (1 - tolerance) || got > expected * (1 + tolerance))
        fail_msg("got %g, expected about %g", got, expected);
}

static void a_chain_takes_its_sum_for_any_workers(void **state) {
    (void)state;
    for (int32_t workers = 1; workers <= 64; workers *= 4) {
        replayed graph = {0};
        for (int i = 0; i < 50; i++) add_task(&graph, 1, 30e3);
        for (int i = 0; i < 49; i++) add_edge(&graph, i, i + 1);
        const kfi_simulated result = replay(&graph, workers);
        about(result.makespan_ns, 50 * 30e3, 0.01);
        about(result.work_ns, 50 * 30e3, 1e-9);
        about(result.span_ns, 50 * 30e3, 1e-9);
    }
}

static void independent_tasks_are_shared_out(void **state) {
    (void)state;
    replayed graph = {0};
    for (int i = 0; i < 64; i++) add_task(&graph, 1, 100e3);
    for (int32_t workers = 1; workers <= 64; workers *= 2)
        about(replay(&graph, workers).makespan_ns, 64 * 100e3 / workers, 0.02 + 0.002 * workers);
}

static void rounds_follow_each_other(void **state) {
    (void)state;
    replayed graph = {0};
    add_task(&graph, 16, 50e6);
    graph.tasks[0].rounds = 100;
    for (int32_t workers = 1; workers <= 16; workers *= 2) {
        const kfi_simulated result = replay(&graph, workers);
        about(result.makespan_ns, 50e6 / workers, 0.02 * workers);
        about(result.work_ns, 50e6, 1e-9);
        about(result.span_ns, 50e6 / 16, 1e-9);
    }
}

static void tiles_of_a_stage_are_shared_out(void **state) {
    (void)state;
    replayed graph = {0};
    add_task(&graph, 1000, 50e6);
    for (int32_t workers = 1; workers <= 16; workers *= 2) {
        const kfi_simulated result = replay(&graph, workers);
        about(result.makespan_ns, 50e6 / workers, 0.03);
        about(result.span_ns, 50e3, 1e-9);
    }
}

/* The wide task is more critical than the others only by its successor, and goes first. */
static void the_critical_way_goes_first(void **state) {
    (void)state;
    replayed graph = {0};
    for (int i = 0; i < 4; i++) add_task(&graph, 1, 200e3);
    add_task(&graph, 1, 100e3);
    add_task(&graph, 1, 500e3);
    add_edge(&graph, 4, 5);
    about(replay(&graph, 2).makespan_ns, 800e3, 0.03); /* 100 + 500 + 200 beside 200 * 3 */
    about(graph.limiting_ns[4] + graph.limiting_ns[5], 600e3, 0.02);
}

/* A long task that leads to two others: the second worker is up when it ends. */
static void what_is_foretold_is_not_waited_for(void **state) {
    (void)state;
    replayed graph = {0};
    for (int i = 0; i < 3; i++) add_task(&graph, 1, 500e3);
    add_edge(&graph, 0, 1);
    add_edge(&graph, 0, 2);
    about(replay(&graph, 2).makespan_ns, 1000e3, 0.002);
}

/* Every greedy schedule keeps to max(T1 / P, Tinf) <= T <= T1 / P + Tinf (Graham 1966), but for the
 * overheads and for tasks that are one tile and cannot be shared. */
static void random_graphs_keep_to_the_bounds(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        replayed *graph = calloc(1, sizeof *graph);
        float numbers[6 * MOST_TASKS];
        kfi_random_uniform((kfi_random){seed, 1}, 0, 1, numbers, 6 * MOST_TASKS);
        for (int i = 0; i < MOST_TASKS; i++)
            add_task(graph, 1, 25e3 + 200e3 * (double)numbers[6 * i]);
        for (int i = 0; i < MOST_TASKS; i++)
            for (int k = 0; k < 4; k++) {
                const int32_t to = i + 1 + k * 4 + (int32_t)(4 * numbers[6 * i + 1 + k]);
                if (to < MOST_TASKS && numbers[6 * i + 5] > 0.2f * (float)k) add_edge(graph, i, to);
            }
        for (int32_t workers = 1; workers <= 128; workers *= 2) {
            const kfi_simulated result = replay(graph, workers);
            const double share = result.work_ns / workers;
            assert_true(result.makespan_ns >= share && result.makespan_ns >= result.span_ns);
            assert_true(result.makespan_ns <= 1.05 * (share + result.span_ns));
            double limits = 0;
            for (int i = 0; i < MOST_TASKS; i++) limits += graph->limiting_ns[i];
            assert_true(limits <= result.makespan_ns && limits > 0.9 * result.makespan_ns);
        }
        free(graph);
    }
}

static void a_number_of_workers_that_makes_no_sense_is_refused(void **state) {
    (void)state;
    kfi_schedule *schedule;
    kfi_simulated result;
    assert_int_equal(kfi_schedule_new(NULL, 0, &schedule), KF_OK);
    assert_int_equal(kfi_simulate(schedule, NULL, 0, &result, NULL), KF_INVALID);
    assert_non_null(strstr(kf_last_error(), "0 virtual workers"));
    assert_int_equal(kfi_simulate(schedule, NULL, 3, &result, NULL), KF_OK);
    assert_true(result.makespan_ns == 0);
    kfi_schedule_free(schedule);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_takes_its_sum_for_any_workers),
        cmocka_unit_test(independent_tasks_are_shared_out),
        cmocka_unit_test(tiles_of_a_stage_are_shared_out),
        cmocka_unit_test(rounds_follow_each_other),
        cmocka_unit_test(the_critical_way_goes_first),
        cmocka_unit_test(what_is_foretold_is_not_waited_for),
        cmocka_unit_test(random_graphs_keep_to_the_bounds),
        cmocka_unit_test(a_number_of_workers_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
