/* What was measured of a case, as a row of a table or an object of JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "cases.h"

#include <stdbool.h>

enum { BENCH_MOST_ROUNDS = 1000 };

/* Milliseconds of a step, round by round, and what is made of them: medians, how far the middle
 * half lies apart in percent, and how many times faster kf is. NaN: not measured. */
typedef struct bench_pair {
    double ours[BENCH_MOST_ROUNDS], peer[BENCH_MOST_ROUNDS];
    double ours_ms, peer_ms, ours_spread, peer_spread, ratio;
} bench_pair;

typedef struct bench_result {
    const bench_case *chosen;
    int32_t rounds;
    bench_pair train, infer;
    double train_flops, peak;           /* of a step; GFLOP/s of the machine */
    double rss_mb, planned_mb;          /* peaks of a process, and what the plan says */
    double peer_rss_mb, peer_import_mb; /* import: PyTorch itself, before there is a model */
} bench_result;

/* Works out what the rounds say; sorts them. */
void bench_result_finish(bench_result *result);

/* Markdown. */
void bench_print_head(void);
void bench_print_row(const bench_result *result);

/* One object; what was not measured is null. */
void bench_print_json(const bench_result *result);

#endif
