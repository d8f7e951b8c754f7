/* OpenMP's tasks with depend clauses. */
#ifndef BENCH_OPENMP_H
#define BENCH_OPENMP_H

#include "contender.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const bench_contender bench_openmp;

#ifdef __cplusplus
}
#endif
#endif
