/* bench-models [CASE …]: every case as a kf program and as a PyTorch one, measured in turn: each is
 * a process of its own (worker.c, torch_cases.py) that is asked for a number round by round, so
 * that whatever else the machine does meets both. */
#include "../../command/options.h"
#include "../../command/report.h"
#include "../common/machine.h"
#include "../common/process.h"
#include "../common/statistics.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CASES = 16 };

typedef struct bench_options {
    int64_t rounds, workers;
    double seconds;
    bool json, no_peer;
    const char *peer, *programs; /* programs: the folder of bench-model and bench-start */
} bench_options;

static const tool_option options[] = {
    TOOL_OPTION(bench_options, rounds, "rounds", tool_integer, .argument = "N", .low = 1,
                .high = BENCH_MOST_ROUNDS, .help = "kf and peer in turn; default 5"),
    TOOL_OPTION(bench_options, seconds, "seconds", tool_real, .argument = "S", .low = 0,
                .high = 3600, .help = "of steps in a round, at least one step; default 0.5"),
    TOOL_OPTION(bench_options, workers, "workers", tool_integer, .argument = "N", .low = 1,
                .high = 1024, .help = "threads of both; default: all CPUs"),
    TOOL_OPTION(bench_options, json, "json", tool_flag, .help = "a list of objects, and no table"),
    TOOL_OPTION(bench_options, no_peer, "no-peer", tool_flag, .help = "kf alone"),
    TOOL_OPTION(bench_options, peer, "peer", tool_text, .argument = "FILE",
                .help = "the PyTorch program: torch_cases.py"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "bench-models",
    .arguments = "[CASE …]",
    .least = 0,
    .most = MOST_CASES,
    .purpose = "Times training steps and predictions of ten models, beside PyTorch.",
    .notes = "Cases: a32 a128 b c d e f g h i, and start: a process that loads a model,\n"
             "predicts one batch and ends (not with --json). Default: all of them.\n",
    .options = options};

/* --- a case ----------------------------------------------------------------------------------- */

static void ask_one(bench_process *process, const char *question, double *ms, int32_t round) {
    ms[round] = bench_process_ask(process, question) ? bench_value(process->answer, "ms") : NAN;
}

static void run_rounds(bench_process *ours, bench_process *peer, const bench_options *given,
                       bench_result *result) {
    char train[32], infer[32];
    snprintf(train, sizeof train, "train %g", given->seconds);
    snprintf(infer, sizeof infer, "infer %g", given->seconds);
    for (int32_t round = 0; round < given->rounds; round++) {
        ask_one(ours, train, result->train.ours, round);
        ask_one(peer, train, result->train.peer, round);
        ask_one(ours, infer, result->infer.ours, round);
        ask_one(peer, infer, result->infer.peer, round);
    }
}

/* What ends early has said why; the others are still measured. */
static kf_status run_case(const bench_case *chosen, const bench_options *given, double peak,
                          bench_result *result) {
    char program[4096], threads[16];
    snprintf(program, sizeof program, "%s/bench-model", given->programs);
    snprintf(threads, sizeof threads, "%d", (int)given->workers);
    *result = (bench_result){.chosen = chosen, .rounds = (int32_t)given->rounds, .peak = peak};
    bench_process ours, peer = {0};
    const bool started =
        bench_process_start(&ours, (char *[]){program, (char *)chosen->name, NULL});
    result->planned_mb = bench_value(ours.answer, "planned_mb");
    const bool compared =
        !given->no_peer &&
        bench_process_start(&peer,
                            (char *[]){(char *)given->peer, (char *)chosen->name, threads, NULL});
    result->peer_import_mb = bench_value(peer.answer, "import_mb");
    run_rounds(&ours, &peer, given, result);
    result->rss_mb = bench_process_peak_mb(&ours);
    result->peer_rss_mb = bench_process_peak_mb(&peer);
    result->train_flops =
        bench_process_ask(&ours, "count") ? bench_value(ours.answer, "train_flops") : NAN;
    bench_process_stop(&ours);
    bench_process_stop(&peer);
    bench_result_finish(result);
    if (!started || isnan(result->train.ours_ms) || isnan(result->infer.ours_ms))
        return tool_fail(KF_INVALID, "case %s: kf's program has failed", chosen->name);
    if (!given->no_peer && (!compared || isnan(result->train.peer_ms)))
        return tool_fail(KF_INVALID, "case %s: PyTorch's program has failed", chosen->name);
    return KF_OK;
}

/* --- start ------------------------------------------------------------------------------------ */

enum { STARTS = 21 };

/* The first start reads the program from disk, and is not counted. */
static kf_status time_starts(const char *program, const char *file) {
    double ms[STARTS];
    char *const write[] = {(char *)program, "--write", (char *)file, NULL};
    char *const start[] = {(char *)program, (char *)file, NULL};
    bool good = !isnan(bench_process_time(write)) && !isnan(bench_process_time(start));
    for (int32_t i = 0; i < STARTS && good; i++) {
        ms[i] = 1e3 * bench_process_time(start);
        good = !isnan(ms[i]);
    }
    if (!good) return tool_fail(KF_INVALID, "%s has failed", program);
    const double spread = bench_spread(ms, STARTS);
    printf("\nstart: load an MLP, predict a batch, exit: %.1f ms ±%.0f %%\n",
           bench_median(ms, STARTS), spread);
    return KF_OK;
}

static kf_status run_start(const bench_options *given) {
    const char *folder = getenv("TMPDIR");
    char program[4096], file[4096];
    snprintf(program, sizeof program, "%s/bench-start", given->programs);
    snprintf(file, sizeof file, "%s/bench-XXXXXX.h5", folder && *folder ? folder : "/tmp");
    const int made = mkstemps(file, 3);
    if (made < 0) return tool_fail(KF_IO, "cannot write %s: %s", file, strerror(errno));
    close(made);
    const kf_status status = time_starts(program, file);
    unlink(file);
    return status;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Cases in the order they are named; none stands for all. False: a name that is none. */
static bool choose(char **names, int32_t n_names, const bench_case **chosen, bool *start) {
    int32_t n = 0;
    *start = n_names == 0;
    for (int32_t i = 0; n_names == 0 && bench_cases[i].name; i++) chosen[n++] = &bench_cases[i];
    for (int32_t i = 0; i < n_names; i++) {
        if (strcmp(names[i], "start") == 0) {
            *start = true;
            continue;
        }
        chosen[n] = bench_case_find(names[i]);
        if (!chosen[n++]) {
            tool_fail(KF_USAGE, "no case '%s'; see 'bench-models --help'", names[i]);
            return false;
        }
    }
    chosen[n] = NULL;
    return true;
}

static kf_status run_cases(const bench_case *const *chosen, const bench_options *given) {
    const double peak = bench_measure_peak((int32_t)given->workers);
    FILE *about = given->json ? stderr : stdout;
    bench_print_machine(about, "");
    fprintf(about, "%d threads: %.0f GFLOP/s of multiply-adds\n\n", (int)given->workers, peak);
    kf_status worst = KF_OK;
    if (given->json)
        printf("[");
    else
        bench_print_head();
    fflush(stdout); /* the first row takes a while */
    for (int32_t i = 0; chosen[i]; i++) {
        static bench_result result;
        const kf_status status = run_case(chosen[i], given, peak, &result);
        if (status != KF_OK) worst = status;
        if (given->json) {
            printf(i == 0 ? "\n" : ",\n");
            bench_print_json(&result);
        } else {
            bench_print_row(&result);
        }
    }
    if (given->json) printf("\n]\n");
    return worst;
}

/* The folder that this program is in. */
static bool find_programs(char *folder, size_t size) {
    const ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    if (length < 0) {
        tool_fail(KF_IO, "cannot read /proc/self/exe: %s", strerror(errno));
        return false;
    }
    folder[length] = '\0';
    *strrchr(folder, '/') = '\0';
    return true;
}

static kf_status run(int argc, char **argv) {
    char folder[4096];
    if (!find_programs(folder, sizeof folder)) return KF_IO;
    bench_options given = {
        .rounds = 5, .seconds = 0.5, .workers = bench_cpus(), .programs = folder};
    int first;
    bool helped, start;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    if (!given.no_peer && !given.peer)
        return tool_fail(KF_USAGE, "give --peer FILE or --no-peer; see 'bench-models --help'");
    const bench_case *chosen[MOST_CASES + 1];
    if (!choose(argv + first, argc - first, chosen, &start)) return KF_USAGE;
    char workers[16];
    snprintf(workers, sizeof workers, "%d", (int)given.workers);
    setenv("OMP_NUM_THREADS", workers, 1);
    if (chosen[0]) status = run_cases(chosen, &given);
    if (start && !given.json) {
        const kf_status started = run_start(&given);
        if (status == KF_OK) status = started;
    }
    return status;
}

int main(int argc, char **argv) {
    tool_start();
    signal(SIGPIPE, SIG_IGN); /* a program that ends early is no reason to end */
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
