/* Task graphs that schedulers are measured with, and what the best order of one could reach. */
#ifndef BENCH_GRAPHS_H
#define BENCH_GRAPHS_H

#include <stdbool.h>
#include <stdint.h>

/* Steps are numbered so that each comes after those it waits for. */
typedef struct bench_graph {
    int32_t n, n_edges, room;
    int32_t *from, *to;          /* by edge, in the order of `to` when finished */
    int32_t *first, *successors; /* of step i: successors[first[i] … first[i + 1] - 1]       */
    int32_t *n_before;           /* how many steps a step waits for                          */
    int32_t *before_at, *before; /* which: before[before_at[i] … before_at[i + 1] - 1]       */
    double *cost_us;             /* of a step: what it computes; 0: nothing                  */
    double *rank_us;             /* of the longest way from its start to the end             */
    int32_t *pieces;             /* into which a step may be split; 1: not                   */
} bench_graph;

/* NULL: out of memory. All are freed by bench_graph_free, which accepts NULL. */
bench_graph *bench_graph_chain(int32_t n);
bench_graph *bench_graph_fan(int32_t n);      /* one, then n - 2 at once, then one */
bench_graph *bench_graph_tree(int32_t depth); /* a binary tree and its mirror image */
bench_graph *bench_graph_wave(int32_t side);  /* each waits for its upper and its left neighbour */
/* Each waits for one to three of the `window` before it. */
bench_graph *bench_graph_random(int32_t n, int32_t window, uint64_t seed);
/* The same with costs from 5 us to 2 ms, as many small as large; `split`: what takes more than
 * 100 us has a piece for each 50 us. */
bench_graph *bench_graph_mixed(int32_t n, uint64_t seed, bool split);
bench_graph *bench_graph_pieces(int32_t pieces); /* one step, and nothing to do in it */
bench_graph *bench_graph_parallel(int32_t n, double cost_us); /* n steps that wait for nothing */
bench_graph *bench_graph_serial(int32_t n, double cost_us);   /* a chain */
void bench_graph_free(bench_graph *graph);

double bench_graph_work_us(const bench_graph *graph);

/* The shortest of `tries` list schedules on so many workers: by rank, and by rank and chance. For
 * graphs whose steps may be split it is the bound that any order has: work / workers. */
double bench_graph_best_us(const bench_graph *graph, int32_t workers, int32_t tries);

#endif
