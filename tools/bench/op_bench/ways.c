#include "ways.h"

#include "../../command/report.h"
#include "../common/machine.h"
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

/* As KF_CONV has them (ops/kernels/forced_way.h); the first is the choice of the cost model. A way
 * that does not fit a shape leaves it to that choice, so its time is no other then. */
static const char *const ways[] = {NULL, "direct", "winograd", "few", "patches"};
enum { WAYS = COUNT(ways), ROUNDS = 3 };

/* Windows, channels and sides of the networks that people train: first layers, reductions by 1x1,
 * narrow and wide towers, images of any size. */
static const bench_conv convs[] = {
    {"1x1 3-64 @256", 1, 256, 3, 64, 1, KFI_SAME},
    {"1x1 16-64 @64", 4, 64, 16, 64, 1, KFI_SAME},
    {"1x1 192-64 @28", 8, 28, 192, 64, 1, KFI_SAME},
    {"1x1 64-256 @56", 1, 56, 64, 256, 1, KFI_SAME},
    {"1x1 512-128 @14", 8, 14, 512, 128, 1, KFI_SAME},
    {"3x3 1-32 @28", 32, 28, 1, 32, 3, KFI_VALID},
    {"3x3 1-64 @27", 16, 27, 1, 64, 3, KFI_VALID},
    {"3x3 3-3 @256", 1, 256, 3, 3, 3, KFI_SAME},
    {"3x3 3-16 @32", 32, 32, 3, 16, 3, KFI_SAME},
    {"3x3 3-64 @224", 1, 224, 3, 64, 3, KFI_SAME},
    {"3x3 8-8 @64", 8, 64, 8, 8, 3, KFI_SAME},
    {"3x3 16-16 @64", 4, 64, 16, 16, 3, KFI_SAME},
    {"3x3 20-50 @12", 32, 12, 20, 50, 3, KFI_VALID},
    {"3x3 32-32 @28", 16, 28, 32, 32, 3, KFI_SAME},
    {"3x3 32-64 @26", 16, 26, 32, 64, 3, KFI_VALID},
    {"3x3 64-64 @25", 16, 25, 64, 64, 3, KFI_VALID},
    {"3x3 64-64 @256", 1, 256, 64, 64, 3, KFI_SAME},
    {"3x3 96-96 @14", 8, 14, 96, 96, 3, KFI_SAME},
    {"3x3 128-128 @7", 8, 7, 128, 128, 3, KFI_SAME},
    {"3x3 128-128 @111", 1, 111, 128, 128, 3, KFI_VALID},
    {"3x3 256-256 @14", 4, 14, 256, 256, 3, KFI_SAME},
    {"3x3 256-256 @54", 1, 54, 256, 256, 3, KFI_VALID},
    {"3x3 512-512 @7", 4, 7, 512, 512, 3, KFI_SAME},
    {"5x5 1-20 @28", 32, 28, 1, 20, 5, KFI_VALID},
    {"5x5 20-50 @12", 32, 12, 20, 50, 5, KFI_VALID},
    {"5x5 32-32 @32", 8, 32, 32, 32, 5, KFI_SAME},
    {"5x5 64-64 @128", 1, 128, 64, 64, 5, KFI_SAME},
    {"7x7 3-64 @112", 1, 112, 3, 64, 7, KFI_SAME},
};

/* --- one shape, one way ----------------------------------------------------------------------- */

/* In the child. Whoever chooses asks for KF_CONV once in the life of a process. */
static void measure_way(const bench_row *row, const char *way, double seconds, int out) {
    if (way) setenv("KF_CONV", way, 1);
    bench_measured first = {.op = row->op, .shape = row->shape}, result = first;
    kfi_ops_enter_thread();
    bench_measure_row(row, 0, &first); /* it meets fresh pages */
    const kf_status status = bench_measure_row(row, seconds, &result);
    const bool told = write(out, &result.ms, sizeof result.ms) == sizeof result.ms;
    _exit(status == KF_OK && told ? 0 : 1);
}

/* Milliseconds by a process of its own; NaN if it fails. */
static double time_way(const bench_row *row, const char *way, double seconds) {
    int pipes[2];
    if (pipe(pipes) != 0) return NAN;
    const pid_t child = fork();
    if (child == 0) measure_way(row, way, seconds, pipes[1]);
    close(pipes[1]);
    double ms = NAN;
    if (child > 0 && read(pipes[0], &ms, sizeof ms) != sizeof ms) ms = NAN;
    close(pipes[0]);
    int ended = 1;
    if (child > 0) waitpid(child, &ended, 0);
    return ended == 0 ? ms : NAN;
}

/* --- one shape, all ways ---------------------------------------------------------------------- */

typedef struct compared {
    double ms[WAYS], best;
    double loss; /* percent that the choice takes beyond the best */
    bool failed;
} compared;

/* In turn, so that a slow moment of the machine meets all of them. */
static compared compare(const bench_row *row, double seconds) {
    compared result = {.best = INFINITY};
    for (int32_t w = 0; w < WAYS; w++) result.ms[w] = INFINITY;
    for (int32_t i = 0; i < ROUNDS * WAYS; i++) {
        const double ms = time_way(row, ways[i % WAYS], seconds / ROUNDS);
        result.ms[i % WAYS] = fmin(result.ms[i % WAYS], ms);
        result.best = fmin(result.best, ms);
        result.failed |= isnan(ms);
    }
    result.loss = 100 * (result.ms[0] / result.best - 1);
    return result;
}

static void print_row(const bench_row *row, const compared *result) {
    printf("| %-20s | %-26s |", row->op, row->shape);
    for (int32_t w = 0; w < WAYS; w++) printf(" %8.4f |", result->ms[w]);
    printf(" %5.1f %% |\n", result->loss);
    fflush(stdout);
}

static void print_json(const bench_row *row, const compared *result, bool first) {
    printf("%s{\"op\": \"%s\", \"shape\": \"%s\"", first ? "\n" : ",\n", row->op, row->shape);
    for (int32_t w = 0; w < WAYS; w++)
        printf(", \"%s_ms\": %.6g", ways[w] ? ways[w] : "chosen", result->ms[w]);
    printf(", \"loss_percent\": %.3g}", result->loss);
}

static void print_head(bool json) {
    bench_print_machine(json ? stderr : stdout, "");
    if (json) {
        printf("[");
        return;
    }
    printf("\n| %-20s | %-26s | %8s | %8s | %8s | %8s | %8s | %7s |\n", "op", "shape", "chosen ms",
           "direct", "winograd", "few", "patches", "lost");
    printf("|:---|:---|--:|--:|--:|--:|--:|--:|\n");
}

static bool chosen(const bench_conv *conv, char *const *names, int32_t n_names) {
    for (int32_t i = 0; i < n_names; i++)
        if (strcmp(conv->name, names[i]) == 0) return true;
    return n_names == 0;
}

kf_status bench_ways(char *const *names, int32_t n_names, double seconds, bool json) {
    int32_t n_chosen = 0, rows = 0;
    for (int32_t i = 0; i < COUNT(convs); i++) n_chosen += chosen(&convs[i], names, n_names);
    if (n_chosen == 0) return tool_fail(KF_USAGE, "there is no convolution '%s'", names[0]);
    double sum = 0, worst = 0;
    print_head(json);
    for (int32_t i = 0; i < 3 * COUNT(convs); i++) {
        if (!chosen(&convs[i / 3], names, n_names)) continue;
        kfi_conv attributes;
        bench_row row;
        bench_make_conv(&convs[i / 3], (bench_pass)(i % 3), &attributes, &row);
        const compared result = compare(&row, seconds);
        if (result.failed)
            return tool_fail(KF_INVALID, "%s, %s was not measured", row.op, row.shape);
        if (json)
            print_json(&row, &result, rows == 0);
        else
            print_row(&row, &result);
        sum += result.loss;
        worst = fmax(worst, result.loss);
        rows++;
    }
    if (json) printf("\n]\n");
    fprintf(json ? stderr : stdout, "\nthe choice loses %.1f %% in the mean, %.1f %% at worst\n",
            sum / rows, worst);
    return KF_OK;
}
