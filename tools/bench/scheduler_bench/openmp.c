/* Tasks are made anew in each run: OpenMP keeps no graph. With OMP_MAX_TASK_PRIORITY set, as
 * tools/bench/scheduler does, it takes critical tasks first. */
#include "openmp.h"

#include <stdlib.h>

typedef struct prepared {
    const bench_graph *graph;
    bench_step_function run;
    void *context;
    int32_t threads;
    char *token; /* by step: what the clauses speak of */
} prepared;

static void *prepare(const bench_graph *graph, bench_step_function run, void *context,
                     int32_t threads) {
    prepared *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    *self = (prepared){graph, run, context, threads, malloc((size_t)graph->n)};
    if (self->token) return self;
    free(self);
    return NULL;
}

static void run_step(const prepared *self, int32_t step) {
    const int32_t pieces = self->graph->pieces[step];
    if (pieces == 1) {
        self->run(self->context, step, 0);
        return;
    }
#pragma omp taskgroup
    for (int32_t piece = 0; piece < pieces; piece++) {
#pragma omp task firstprivate(self, step, piece)
        self->run(self->context, step, piece);
    }
}

static void make_task(const prepared *self, int32_t step) {
    const bench_graph *graph = self->graph;
    char *token = self->token;
    const int32_t *before = graph->before + graph->before_at[step], n = graph->n_before[step];
    const int urgency = (int)graph->rank_us[step];
    (void)token, (void)before, (void)n; /* compilers overlook that clauses use them */
#pragma omp task depend(iterator(k = 0                                                             \
                                 : n),                                                             \
                        in                                                                         \
                        : token[before[k]]) depend(out                                             \
                                                   : token[step]) priority(urgency)                \
    firstprivate(self, step)
    run_step(self, step);
}

static void run_prepared(void *pointer) {
    const prepared *self = pointer;
#pragma omp parallel num_threads(self->threads)
#pragma omp single
    for (int32_t step = 0; step < self->graph->n; step++) make_task(self, step);
}

static void release(void *pointer) {
    prepared *self = pointer;
    free(self->token);
    free(self);
}

const bench_contender bench_openmp = {"OpenMP depend", prepare, run_prepared, release};
