/* What is measured of a contender: numbers under names, the same for all of them. */
#ifndef BENCH_SCHEDULER_CASES_H
#define BENCH_SCHEDULER_CASES_H

#include "contender.h"

typedef struct bench_trial {
    const bench_contender *contender;
    int32_t threads, cpus;
    double seconds;    /* for a number, about */
    int32_t schedules; /* lists tried for the best order */
} bench_trial;

typedef struct bench_case {
    const char *group, *name, *unit; /* name NULL ends the list */
    int32_t decimals;
    double (*measure)(const bench_trial *trial, int32_t argument); /* NaN: it cannot */
    int32_t argument;
    double reach; /* what kf's "steal" is meant to reach (README.md); NaN: nothing is said */
    bool more;    /* the larger the better                                                 */
} bench_case;

extern const bench_case bench_cases[];

#endif
