#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Between two sorted values as between their neighbours: part 0.5 is the median. */
static double quantile(const double *sorted, int32_t n, double part) {
    const double place = part * (n - 1);
    const int32_t below = (int32_t)place, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

double bench_median(double *values, int32_t n) {
    if (n == 0) return NAN;
    qsort(values, (size_t)n, sizeof *values, compare);
    return quantile(values, n, 0.5);
}

double bench_spread(double *values, int32_t n) {
    const double median = bench_median(values, n);
    if (n == 0 || median == 0) return NAN;
    return 100 * (quantile(values, n, 0.75) - quantile(values, n, 0.25)) / median;
}
