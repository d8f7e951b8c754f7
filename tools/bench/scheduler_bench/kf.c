/* kf's own executors: the graph becomes a schedule, a piece of a step a tile. */
#include "contender.h"
#include "scheduler/pool.h"
#include "scheduler/schedule.h"
#include "trace.h"

#include <stdlib.h>

kfi_trace *bench_kf_trace;

typedef struct prepared {
    kfi_schedule *schedule;
    kfi_run_options options;
    bench_step_function run;
    void *context;
} prepared;

static kf_status run_tile(void *context, const kfi_tile *tile) {
    const prepared *self = context;
    self->run(self->context, tile->task, (int32_t)tile->tile);
    return KF_OK;
}

static kfi_task task_of(const bench_graph *graph, int32_t step) {
    return (kfi_task){.n_stages = 1,
                      .tiles = {graph->pieces[step]},
                      .cost_ns = 1e3 * graph->cost_us[step],
                      .successors = graph->successors + graph->first[step],
                      .n_successors = graph->first[step + 1] - graph->first[step]};
}

static void *prepare(const char *executor, const bench_graph *graph, bench_step_function run,
                     void *context, int32_t threads) {
    prepared *self = calloc(1, sizeof *self);
    kfi_task *tasks = calloc((size_t)graph->n, sizeof *tasks);
    for (int32_t i = 0; tasks && i < graph->n; i++) tasks[i] = task_of(graph, i);
    const bool made = self && tasks && kfi_schedule_new(tasks, graph->n, &self->schedule) == KF_OK;
    free(tasks);
    if (!made) {
        free(self);
        return NULL;
    }
    self->options = (kfi_run_options){.executor = kfi_executor_find(executor), .workers = threads};
    self->run = run;
    self->context = context;
    return self;
}

static void *prepare_steal(const bench_graph *graph, bench_step_function run, void *context,
                           int32_t threads) {
    return prepare("steal", graph, run, context, threads);
}

static void *prepare_omp(const bench_graph *graph, bench_step_function run, void *context,
                         int32_t threads) {
    return prepare("omp", graph, run, context, threads);
}

static void *prepare_serial(const bench_graph *graph, bench_step_function run, void *context,
                            int32_t threads) {
    return prepare("serial", graph, run, context, threads);
}

/* Steps that cannot fail do not fail. */
static void run_prepared(void *pointer) {
    prepared *self = pointer;
    self->options.trace = bench_kf_trace;
    if (kfi_run(self->schedule, run_tile, self, &self->options) != KF_OK) abort();
}

static void release(void *pointer) {
    prepared *self = pointer;
    kfi_schedule_free(self->schedule);
    free(self);
}

const bench_contender bench_kf[] = {{"kf steal", prepare_steal, run_prepared, release},
                                    {"kf omp", prepare_omp, run_prepared, release},
                                    {"kf serial", prepare_serial, run_prepared, release},
                                    {0}};
