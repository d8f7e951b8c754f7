#include "report.h"

#include "../common/statistics.h"

#include <math.h>
#include <stdio.h>

static void finish_pair(bench_pair *pair, int32_t rounds) {
    pair->ours_ms = bench_median(pair->ours, rounds);
    pair->peer_ms = bench_median(pair->peer, rounds);
    pair->ours_spread = bench_spread(pair->ours, rounds);
    pair->peer_spread = bench_spread(pair->peer, rounds);
    pair->ratio = pair->peer_ms / pair->ours_ms;
}

void bench_result_finish(bench_result *result) {
    finish_pair(&result->train, result->rounds);
    finish_pair(&result->infer, result->rounds);
}

static double gflops(const bench_result *result) {
    return 1e-6 * result->train_flops / result->train.ours_ms;
}

static double percent_of_peak(const bench_result *result) {
    return 100 * gflops(result) / result->peak;
}

/* --- table ------------------------------------------------------------------------------------ */

void bench_print_head(void) {
    printf("| case  | train ms       | PyTorch ms     | ratio | infer ms       | PyTorch ms     "
           "| ratio | MB   | planned | PyTorch MB (import) | GFLOP/s | of peak |\n"
           "|-------|---------------:|---------------:|------:|---------------:|---------------:"
           "|------:|-----:|--------:|--------------------:|--------:|--------:|\n");
}

/* Three digits that mean something; wide enough for "2486 ±12 %". */
static void print_time(double ms, double spread) {
    char text[32] = "-";
    if (!isnan(ms))
        snprintf(text, sizeof text, "%.*f ±%.0f %%",
                 ms < 1     ? 3
                 : ms < 10  ? 2
                 : ms < 100 ? 1
                            : 0,
                 ms, spread);
    printf(" %*s |", isnan(ms) ? 14 : 15, text); /* ± is two bytes */
}

static void print_number(int width, int decimals, double value, const char *unit) {
    char text[32] = "-";
    if (!isnan(value)) snprintf(text, sizeof text, "%.*f%s", decimals, value, unit);
    printf(" %*s |", width, text);
}

static void print_pair(const bench_pair *pair) {
    print_time(pair->ours_ms, pair->ours_spread);
    print_time(pair->peer_ms, pair->peer_spread);
    print_number(5, 2, pair->ratio, "");
}

void bench_print_row(const bench_result *result) {
    printf("| %-5s |", result->chosen->name);
    print_pair(&result->train);
    print_pair(&result->infer);
    print_number(4, 0, result->rss_mb, "");
    print_number(7, 0, result->planned_mb, "");
    char import[32] = "";
    if (!isnan(result->peer_import_mb))
        snprintf(import, sizeof import, " (%.0f)", result->peer_import_mb);
    print_number(19, 0, result->peer_rss_mb, import);
    print_number(7, 1, gflops(result), "");
    print_number(7, 0, percent_of_peak(result), " %");
    printf("\n");
    fflush(stdout);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void print_member(const char *name, double value) {
    if (isfinite(value))
        printf(", \"%s\": %.6g", name, value);
    else
        printf(", \"%s\": null", name);
}

void bench_print_json(const bench_result *result) {
    const bench_pair *train = &result->train, *infer = &result->infer;
    printf("{\"case\": \"%s\"", result->chosen->name);
    print_member("train_ms", train->ours_ms);
    print_member("train_peer_ms", train->peer_ms);
    print_member("train_ratio", train->ratio);
    print_member("infer_ms", infer->ours_ms);
    print_member("infer_peer_ms", infer->peer_ms);
    print_member("infer_ratio", infer->ratio);
    print_member("rss_mb", result->rss_mb);
    print_member("peer_rss_mb", result->peer_rss_mb);
    print_member("planned_peak_mb", result->planned_mb);
    print_member("percent_of_peak", percent_of_peak(result));
    print_member("gflops", gflops(result));
    print_member("peer_import_mb", result->peer_import_mb);
    print_member("train_spread_percent", train->ours_spread);
    print_member("train_peer_spread_percent", train->peer_spread);
    print_member("infer_spread_percent", infer->ours_spread);
    print_member("infer_peer_spread_percent", infer->peer_spread);
    printf("}");
    fflush(stdout);
}
