/* Random task graphs whose results tell whether they were run right: every tile computes a number
 * from all that should have happened before it, with plain loads and stores, so that a missing
 * order changes the result, and is a data race for the thread sanitizer. */
#ifndef KFI_TESTS_SCHEDULER_GRAPHS_H
#define KFI_TESTS_SCHEDULER_GRAPHS_H

#include "core/base/random.h"
#include "core/base/status.h"
#include "scheduler/pool.h"
#include "scheduler/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct graph {
    int32_t n;
    kfi_task *tasks;
    int32_t **predecessors, *n_predecessors;
    uint64_t **values[KFI_MAX_STAGES]; /* [stage][task][tile] */
    int32_t **times[KFI_MAX_STAGES];   /* how often each tile ran */
    int32_t fail_from, fail_step;      /* tasks fail_from, fail_from + fail_step, … fail */
    int64_t iterations;                /* work of a tile */
    uint64_t scratch[KFI_MAX_WORKERS]; /* by worker */
    int32_t workers;                   /* of this run */
    _Atomic int32_t n_wrong;           /* workers out of range, or two at once */
} graph;

/* A stream of numbers for making graphs. */
typedef struct dice {
    kfi_random stream;
    uint64_t count;
} dice;

static inline uint32_t roll(dice *d, uint32_t sides) {
    return kfi_random_block(d->stream, d->count++).word[0] % sides;
}

/* 0, or log-uniform between 50 ns and 400 µs. */
static inline double roll_cost(dice *d) {
    static const double costs[] = {0, 50, 500, 1500, 2500, 10e3, 30e3, 100e3, 400e3};
    return costs[roll(d, sizeof costs / sizeof costs[0])];
}

static inline int64_t roll_tiles(dice *d) {
    const uint32_t kind = roll(d, 8);
    return kind == 0 ? 0 : kind < 4 ? 1 : 2 + roll(d, 49);
}

static inline void make_edges(graph *g, dice *d, int32_t task, uint32_t window) {
    int32_t *successors = calloc(8, sizeof *successors), n = 0;
    for (uint32_t k = roll(d, 5); k > 0; k--) {
        const int32_t next = task + 1 + (int32_t)roll(d, window);
        int is_new = next < g->n;
        for (int32_t j = 0; j < n; j++) is_new &= successors[j] != next;
        if (!is_new) continue;
        successors[n++] = next;
        g->predecessors[next] =
            realloc(g->predecessors[next], (size_t)(g->n_predecessors[next] + 1) * sizeof(int32_t));
        g->predecessors[next][g->n_predecessors[next]++] = task;
    }
    g->tasks[task].successors = successors;
    g->tasks[task].n_successors = n;
}

/* The tiles of a stage, of all its rounds. */
static inline int64_t tiles_of(const kfi_task *task, int32_t stage) {
    const bool repeats = stage == task->n_stages - 1 && task->rounds > 1;
    return task->tiles[stage] * (repeats ? task->rounds : 1);
}

static inline graph *graph_new(uint64_t seed, int32_t most_tasks) {
    dice d = {{seed, 1}, 0};
    graph *g = calloc(1, sizeof *g);
    g->n = 1 + (int32_t)roll(&d, (uint32_t)most_tasks);
    const size_t n = (size_t)g->n;
    g->tasks = calloc(n, sizeof *g->tasks);
    g->predecessors = calloc(n, sizeof *g->predecessors);
    g->n_predecessors = calloc(n, sizeof *g->n_predecessors);
    const uint32_t window = 1 + roll(&d, 40);
    for (int s = 0; s < KFI_MAX_STAGES; s++) {
        g->values[s] = calloc(n, sizeof *g->values[s]);
        g->times[s] = calloc(n, sizeof *g->times[s]);
    }
    for (int32_t i = 0; i < g->n; i++) {
        kfi_task *task = &g->tasks[i];
        task->n_stages = roll(&d, 3) ? 1 : 1 + (int32_t)roll(&d, KFI_MAX_STAGES);
        task->cost_ns = roll_cost(&d);
        for (int32_t s = 0; s < task->n_stages; s++) {
            task->tiles[s] = roll_tiles(&d);
            if (s == task->n_stages - 1 && roll(&d, 4) == 0) task->rounds = (int32_t)roll(&d, 8);
            g->values[s][i] = calloc((size_t)tiles_of(task, s) + 1, sizeof(uint64_t));
            g->times[s][i] = calloc((size_t)tiles_of(task, s) + 1, sizeof(int32_t));
        }
        make_edges(g, &d, i, window);
    }
    g->fail_from = g->n;
    g->fail_step = 1;
    g->iterations = 20;
    return g;
}

static inline void graph_free(graph *g) {
    for (int32_t i = 0; i < g->n; i++) {
        for (int32_t s = 0; s < g->tasks[i].n_stages; s++) {
            free(g->values[s][i]);
            free(g->times[s][i]);
        }
        free((void *)g->tasks[i].successors);
        free(g->predecessors[i]);
    }
    for (int s = 0; s < KFI_MAX_STAGES; s++) {
        free(g->values[s]);
        free(g->times[s]);
    }
    free(g->predecessors);
    free(g->n_predecessors);
    free(g->tasks);
    free(g);
}

static inline uint64_t mix(uint64_t x, uint64_t y) {
    x = (x ^ y) * UINT64_C(0x9E3779B97F4A7C15);
    return x ^ (x >> 29);
}

static inline uint64_t sum_of_stage(const graph *g, int32_t task, int32_t stage) {
    uint64_t sum = 0;
    for (int64_t t = 0; t < tiles_of(&g->tasks[task], stage); t++) sum += g->values[stage][task][t];
    return sum;
}

/* All that must have happened before this tile of the stage: rounds before its own, too. */
static inline uint64_t input_of(const graph *g, int32_t task, int32_t stage, int64_t tile) {
    const int64_t tiles = g->tasks[task].tiles[stage];
    uint64_t input = (uint64_t)task;
    for (int64_t t = 0; t < tile / tiles * tiles; t++)
        input = mix(input, g->values[stage][task][t]);
    for (int32_t s = 0; s < stage; s++) input = mix(input, sum_of_stage(g, task, s));
    for (int32_t k = 0; k < g->n_predecessors[task]; k++)
        for (int32_t s = 0; s < g->tasks[g->predecessors[task][k]].n_stages; s++)
            input = mix(input, sum_of_stage(g, g->predecessors[task][k], s));
    return input;
}

static inline int is_failing(const graph *g, int32_t task) {
    return task >= g->fail_from && (task - g->fail_from) % g->fail_step == 0;
}

static kf_status run_tile(void *context, const kfi_tile *tile) {
    graph *g = context;
    if (tile->worker < 0 || tile->worker >= g->workers) {
        g->n_wrong++;
        return KF_OK;
    }
    if (is_failing(g, tile->task)) return kfi_fail(KF_INVALID, "task %d does not work", tile->task);
    const uint64_t input = input_of(g, tile->task, tile->stage, tile->tile);
    uint64_t value = mix(input, (uint64_t)tile->tile);
    g->scratch[tile->worker] = value;
    for (int64_t k = 0; k < g->iterations; k++) value = mix(value, (uint64_t)k);
    const uint64_t after = input_of(g, tile->task, tile->stage, tile->tile);
    if (g->scratch[tile->worker] != mix(after, (uint64_t)tile->tile)) g->n_wrong++;
    g->values[tile->stage][tile->task][tile->tile] = value;
    g->times[tile->stage][tile->task][tile->tile]++;
    return KF_OK;
}

static inline void graph_clear(graph *g, int32_t workers) {
    for (int32_t i = 0; i < g->n; i++)
        for (int32_t s = 0; s < g->tasks[i].n_stages; s++) {
            memset(g->values[s][i], 0, (size_t)tiles_of(&g->tasks[i], s) * sizeof(uint64_t));
            memset(g->times[s][i], 0, (size_t)tiles_of(&g->tasks[i], s) * sizeof(int32_t));
        }
    g->workers = workers;
}

/* The number of tiles that did not run exactly once. */
static inline int64_t graph_missed(const graph *g) {
    int64_t missed = 0;
    for (int32_t i = 0; i < g->n; i++)
        for (int32_t s = 0; s < g->tasks[i].n_stages; s++)
            for (int64_t t = 0; t < tiles_of(&g->tasks[i], s); t++)
                missed += g->times[s][i][t] != 1;
    return missed;
}

static inline uint64_t graph_digest(const graph *g) {
    uint64_t digest = 0;
    for (int32_t i = 0; i < g->n; i++)
        for (int32_t s = 0; s < g->tasks[i].n_stages; s++)
            for (int64_t t = 0; t < tiles_of(&g->tasks[i], s); t++)
                digest = mix(digest, g->values[s][i][t]);
    return digest;
}

/* One run of the graph, which must be right. */
static inline uint64_t graph_run(graph *g, kfi_schedule *schedule, const char *executor,
                                 int32_t workers) {
    graph_clear(g, workers);
    const kfi_run_options options = {.executor = kfi_executor_find(executor), .workers = workers};
    assert_int_equal(kfi_run(schedule, run_tile, g, &options), KF_OK);
    assert_int_equal(graph_missed(g), 0);
    assert_int_equal(g->n_wrong, 0);
    return graph_digest(g);
}

static inline kfi_schedule *graph_schedule(const graph *g) {
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(g->tasks, g->n, &schedule), KF_OK);
    return schedule;
}

/* gcc's OpenMP library is not built for the thread sanitizer, which takes its barriers for races.
 */
#if defined(__SANITIZE_THREAD__)
#define HAS_OMP 0
#else
#define HAS_OMP 1
#endif

#define SENTENCE(text, function)                                                                   \
    { text, function, NULL, NULL, NULL }

#endif
