/* What many measurements say: their middle, and how far apart they lie. */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <stdint.h>

/* Seconds since some moment, from a clock that never goes back. */
double bench_now(void);

/* Both sort the values. NaN where there are none. */
double bench_median(double *values, int32_t n);
/* The middle half of the values, from end to end, in percent of the median. */
double bench_spread(double *values, int32_t n);

#endif
