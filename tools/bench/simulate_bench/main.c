/* bench-simulate [CASE …]: does the replay of a training step on virtual workers take as long as
 * the step does on real ones? The times that are replayed are those measured on as many workers:
 * tiles take longer where others use the memory, which the replay knows only by what was measured.
 * Beside it stands what the times of one worker alone would have foretold. */
#include "../../command/options.h"
#include "../../command/report.h"
#include "../common/machine.h"
#include "../common/statistics.h"
#include "../model_bench/cases.h"

#include <math.h>

enum { MOST_ROUNDS = 99, MOST_CASES = 16 };

typedef struct simulate_options {
    int64_t steps, rounds, threads;
    double within;
} simulate_options;

static const tool_option options[] = {
    TOOL_OPTION(simulate_options, steps, "steps", tool_integer, .argument = "N", .low = 1,
                .high = 1e6, .help = "of a round; default 10"),
    TOOL_OPTION(simulate_options, rounds, "rounds", tool_integer, .argument = "N", .low = 1,
                .high = MOST_ROUNDS, .help = "default 5; medians are shown"),
    TOOL_OPTION(simulate_options, threads, "threads", tool_integer, .argument = "N", .low = 1,
                .high = 64, .help = "workers beside one alone; default: all CPUs"),
    TOOL_OPTION(simulate_options, within, "within", tool_real, .argument = "P", .low = 0,
                .high = 1e6, .help = "percent that a replay may be off; default 5"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "bench-simulate",
    .arguments = "[CASE …]",
    .least = 0,
    .most = MOST_CASES,
    .purpose = "Compares training steps on virtual workers with real ones.",
    .notes = "Cases: those of bench-models; default: b c d f i. Ends with 3 if a replay is off by\n"
             "more than --within.\n",
    .options = options};

static const char *const defaults[] = {"b", "c", "d", "f", "i"};
enum { N_DEFAULTS = sizeof defaults / sizeof defaults[0] };

/* Milliseconds of a step. */
typedef struct round_times {
    double measured, replayed; /* on so many workers                   */
    double foretold;           /* for as many, by the times of one     */
} round_times;

/* A step on `workers`, and its times replayed on `workers` and `others` virtual ones. */
static kf_status profile(kf_model *model, const bench_case *chosen, int64_t steps, int32_t workers,
                         int32_t others, double *measured, double replayed[2]) {
    kf_profile *made = kf_profile_run(model, .batch_size = chosen->batch, .steps = (int32_t)steps,
                                      .threads = workers, .simulate = {workers, others});
    if (!made) return tool_fail_kf(kf_last_status());
    *measured = 1e-6 * kf_profile_total(made).wall_ns;
    for (int32_t i = 0; i < 2; i++) replayed[i] = 1e-6 * kf_profile_simulation_at(made, i)->step_ns;
    kf_profile_free(made);
    return KF_OK;
}

/* By turns, so that a machine that slows down slows both: [0] on one worker, [1] on all. */
static kf_status run_round(kf_model *model, const bench_case *chosen, const simulate_options *given,
                           round_times times[2]) {
    const int32_t workers = (int32_t)given->threads;
    double alone[2] = {0}, together[2] = {0};
    kf_status status = profile(model, chosen, given->steps, 1, workers, &times[0].measured, alone);
    if (status == KF_OK)
        status = profile(model, chosen, given->steps, workers, 1, &times[1].measured, together);
    times[0].replayed = times[0].foretold = alone[0];
    times[1].replayed = together[0];
    times[1].foretold = alone[1];
    return status;
}

static double percent_off(double value, double from) { return 100 * (value / from - 1); }

/* Percent that the replay is off: the median over the rounds. */
static double print_row(const bench_case *chosen, int32_t workers, round_times rounds[][2],
                        int32_t n, int32_t which) {
    double measured[MOST_ROUNDS], replayed[MOST_ROUNDS], foretold[MOST_ROUNDS];
    double off[MOST_ROUNDS], foretold_off[MOST_ROUNDS];
    for (int32_t r = 0; r < n; r++) {
        const round_times *at = &rounds[r][which];
        measured[r] = at->measured;
        replayed[r] = at->replayed;
        foretold[r] = at->foretold;
        off[r] = percent_off(at->replayed, at->measured);
        foretold_off[r] = percent_off(at->foretold, at->measured);
    }
    const double result = bench_median(off, n);
    printf("| %-4s | %7d | %11.3f | %11.3f | %+6.1f |", chosen->name, workers,
           bench_median(measured, n), bench_median(replayed, n), result);
    printf(" %19.3f | %+6.1f |\n", bench_median(foretold, n), bench_median(foretold_off, n));
    return result;
}

static kf_status check(double off, const simulate_options *given, const bench_case *chosen,
                       int32_t workers) {
    if (fabs(off) <= given->within) return KF_OK;
    return tool_fail(KF_INVALID, "%s on %d worker%s: the replay is off by %.1f %%", chosen->name,
                     workers, workers == 1 ? "" : "s", off);
}

static kf_status run_case(const bench_case *chosen, const simulate_options *given) {
    static round_times rounds[MOST_ROUNDS][2];
    const int32_t n = (int32_t)given->rounds, workers = (int32_t)given->threads;
    kf_graph *graph = kf_graph_new();
    if (!graph) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = bench_case_model(chosen, graph);
    kf_status status = model ? KF_OK : tool_fail_kf(kf_last_status());
    for (int32_t r = 0; r < n && status == KF_OK; r++)
        status = run_round(model, chosen, given, rounds[r]);
    if (status == KF_OK) {
        const double alone = print_row(chosen, 1, rounds, n, 0);
        const double together = workers > 1 ? print_row(chosen, workers, rounds, n, 1) : 0;
        fflush(stdout);
        status = check(alone, given, chosen, 1);
        if (status == KF_OK) status = check(together, given, chosen, workers);
    }
    kf_graph_free(graph);
    return status;
}

/* All cases are run, whatever is wrong with one of them. */
static kf_status run_all(char **names, int32_t n, const simulate_options *given) {
    kf_status worst = KF_OK;
    bench_print_machine(stdout, "");
    printf("\n| %-4s | %7s | %11s | %11s | %6s | %19s | %6s |\n", "case", "workers", "measured ms",
           "replayed ms", "off %", "by times of one, ms", "off %");
    printf(
        "|------|--------:|------------:|------------:|-------:|--------------------:|-------:|\n");
    for (int32_t i = 0; i < (n ? n : N_DEFAULTS); i++) {
        const kf_status status = run_case(bench_case_find(n ? names[i] : defaults[i]), given);
        if (status != KF_OK) worst = status;
    }
    return worst;
}

static kf_status run(int argc, char **argv) {
    simulate_options given = {.steps = 10, .rounds = 5, .threads = bench_cpus(), .within = 5};
    int first;
    bool helped;
    const kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    for (int i = first; i < argc; i++)
        if (!bench_case_find(argv[i])) return tool_fail(KF_USAGE, "no case '%s'", argv[i]);
    return run_all(argv + first, argc - first, &given);
}

int main(int argc, char **argv) {
    tool_start();
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
