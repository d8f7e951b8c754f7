/* What the kernels of an op take on this thread, tile by tile: the best of as many runs as fit into
 * a time. Errors are reported as a tool's, with the row's op and shape. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "reference.h"

typedef struct bench_measured {
    const char *op, *shape;
    double ms, peer_ms;
    kfi_cost cost;
} bench_measured;

/* Adds to what `row` has taken so far. in_place: outputs that may be written over an input are. */
kf_status bench_measure(const char *op, const kfi_example *example, bool in_place, double seconds,
                        bench_measured *row);

/* All parts of a row, one after the other. */
kf_status bench_measure_row(const bench_row *row, double seconds, bench_measured *result);

#endif
