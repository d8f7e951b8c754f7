/* A scheduler that is measured: it makes a graph ready once and runs it many times. */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include "graphs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One piece of a step: 0 … pieces - 1. */
typedef void (*bench_step_function)(void *context, int32_t step, int32_t piece);

typedef struct bench_contender {
    const char *name; /* NULL ends the list */
    /* NULL: it cannot. The graph stays as it is until `release`. */
    void *(*prepare)(const bench_graph *graph, bench_step_function run, void *context,
                     int32_t threads);
    void (*run)(void *prepared);
    void (*release)(void *prepared);
} bench_contender;

extern const bench_contender bench_kf[];    /* steal, omp, serial             */
extern const bench_contender bench_peers[]; /* empty in builds without peers  */

#ifdef __cplusplus
}
#endif
#endif
