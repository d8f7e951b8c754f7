/* bench-pipeline: what an epoch takes whose batches are made while the one before is trained on,
 * next to the same epoch with batches that cost nothing. Rounds of all variants in turn. */
#include "../../command/options.h"
#include "../../command/report.h"
#include "../common/machine.h"
#include "../common/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_options {
    int64_t rounds, steps, units;
    double share;
    bool json;
} bench_options;

static const tool_option options[] = {
    TOOL_OPTION(bench_options, rounds, "rounds", tool_integer, .argument = "N", .low = 1,
                .high = 64, .help = "epochs of each variant; default 5"),
    TOOL_OPTION(bench_options, steps, "steps", tool_integer, .argument = "N", .low = 2, .high = 1e6,
                .help = "batches in an epoch; default 100"),
    TOOL_OPTION(bench_options, units, "units", tool_integer, .argument = "N", .low = 1, .high = 1e5,
                .help = "of the two hidden layers; default 512"),
    TOOL_OPTION(bench_options, share, "share", tool_real, .argument = "NUMBER", .low = 0,
                .high = 100, .help = "of a step's time that a batch takes to make; default 0.8"),
    TOOL_OPTION(bench_options, json, "json", tool_flag, .help = "a list of objects, and no table"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "bench-pipeline",
    .arguments = "",
    .least = 0,
    .most = 0,
    .purpose = "Times epochs whose batches are made ahead, beside epochs of training alone.",
    .notes = "A producer that waits stands for a disk or a network: it leaves all CPUs to the\n"
             "training. One that computes needs a CPU of its own, so there the training, with and\n"
             "without it, has one less. The ratio is of the epoch to the training alone.\n",
    .options = options};

enum { ROWS = 256, FEATURES = 256, MOST_ROUNDS = 64 };

/* --- the producer ----------------------------------------------------------------------------- */

typedef struct producer {
    double seconds; /* that a batch takes to make */
    bool computes;  /* meanwhile, or waits */
    const float *x, *y;
} producer;

static void take_time(const producer *made_by) {
    const double until = bench_now() + made_by->seconds;
    const struct timespec rest = {(time_t)made_by->seconds,
                                  (long)(fmod(made_by->seconds, 1) * 1e9)};
    if (!made_by->computes) nanosleep(&rest, NULL);
    while (made_by->computes && bench_now() < until) continue;
}

static kf_status fill(void *context, int64_t index, kf_batch *batch) {
    (void)index;
    const producer *made_by = context;
    take_time(made_by);
    kf_status status =
        kf_batch_copy(batch, &(kf_array){"x", made_by->x, KF_FLOAT32, {2, {ROWS, FEATURES}}});
    if (status == KF_OK)
        status = kf_batch_copy(batch, &(kf_array){"y", made_by->y, KF_FLOAT32, {2, {ROWS, 1}}});
    return status;
}

/* --- variants --------------------------------------------------------------------------------- */

typedef struct variant {
    const char *name;
    bool produces, computes;
    int32_t workers, threads;
    int beside; /* the variant it is compared with */
    double seconds[MOST_ROUNDS], wait, idle;
    const char *bottleneck;
} variant;

static kf_status time_epoch(kf_model *model, const bench_options *given, producer *made_by,
                            variant *of, int32_t round) {
    kf_history *history = kf_history_new();
    if (history == NULL) return tool_fail(KF_MEMORY, "out of memory");
    const kf_generator generator = {.fill = fill, .length = given->steps, .context = made_by};
    const double begun = bench_now();
    const kf_status status = tool_fail_kf(kf_fit_generator(
        model, &generator, .workers = of->workers, .threads = of->threads, .history = history));
    of->seconds[round] = bench_now() - begun;
    of->wait = kf_history_data_wait(history, 0);
    of->idle = kf_history_data_idle(history, 0);
    of->bottleneck = kf_history_bottleneck(history, 0);
    kf_history_free(history);
    return status;
}

/* What a batch costs is a share of the step of the variant that it is compared with. */
static kf_status run_round(kf_model *model, const bench_options *given, variant *variants, int n,
                           producer *made_by, int32_t round) {
    kf_status status = KF_OK;
    for (int i = 0; i < n && status == KF_OK; i++) {
        const variant *alone = &variants[variants[i].beside];
        const double step = alone->seconds[round] / (double)given->steps;
        made_by->computes = variants[i].computes;
        made_by->seconds = variants[i].produces ? given->share * step : 0;
        status = time_epoch(model, given, made_by, &variants[i], round);
    }
    return status;
}

static kf_model *make_model(kf_graph *graph, int64_t units) {
    kf_tensor *input = kf_input(graph, {FEATURES}, .name = "x");
    kf_tensor *x = kf_apply(kf_dense(units, .activation = "relu"), input);
    x = kf_apply(kf_dense(units, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(1, .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
    tool_fail_kf(kf_compile(model, .loss = "mse"));
    return model;
}

/* --- the report ------------------------------------------------------------------------------- */

static double median_of(const variant *of, int32_t rounds) {
    double values[MOST_ROUNDS];
    memcpy(values, of->seconds, (size_t)rounds * sizeof *values);
    return bench_median(values, rounds);
}

/* Round by round, since what else the machine does meets both. */
static double ratio_of(const variant *variants, const variant *of, int32_t rounds) {
    double values[MOST_ROUNDS];
    for (int32_t i = 0; i < rounds; i++)
        values[i] = of->seconds[i] / variants[of->beside].seconds[i];
    return bench_median(values, rounds);
}

static void print_table(const variant *variants, int n, int32_t rounds, double steps) {
    bench_print_machine(stdout, "");
    printf("\n%-34s %8s %8s %9s %9s  %s\n", "batches", "ms/step", "ratio", "waited ms", "idle ms",
           "bottleneck");
    for (int i = 0; i < n; i++)
        printf("%-34s %8.3f %8.3f %9.1f %9.1f  %s\n", variants[i].name,
               median_of(&variants[i], rounds) / steps * 1e3,
               ratio_of(variants, &variants[i], rounds), variants[i].wait * 1e3,
               variants[i].idle * 1e3, variants[i].bottleneck);
}

static void print_json(const variant *variants, int n, int32_t rounds, double steps) {
    for (int i = 0; i < n; i++)
        printf("%s{\"case\": \"%s\", \"step_ms\": %.4f, \"ratio\": %.4f, \"wait_ms\": %.3f, "
               "\"idle_ms\": %.3f, \"bottleneck\": \"%s\"}",
               i > 0 ? ",\n " : "[", variants[i].name,
               median_of(&variants[i], rounds) / steps * 1e3,
               ratio_of(variants, &variants[i], rounds), variants[i].wait * 1e3,
               variants[i].idle * 1e3, variants[i].bottleneck);
    printf("]\n");
}

static kf_status run(kf_model *model, const bench_options *given, producer *made_by) {
    const int32_t cpus = bench_cpus(), fewer = cpus > 1 ? cpus - 1 : 1;
    variant variants[] = {
        {"cost nothing", false, false, 1, cpus, .beside = 0},
        {"wait, made ahead", true, false, 1, cpus, .beside = 0},
        {"wait, made in between", true, false, KF_ANY, cpus, .beside = 0},
        {"cost nothing, one CPU less", false, false, 1, fewer, .beside = 3},
        {"compute, made ahead, one CPU less", true, true, 1, fewer, .beside = 3},
    };
    enum { N = sizeof variants / sizeof *variants };
    const int32_t rounds = (int32_t)given->rounds;
    kf_status status = time_epoch(model, given, made_by, &variants[0], 0); /* to warm up */
    for (int32_t round = 0; round < rounds && status == KF_OK; round++)
        status = run_round(model, given, variants, N, made_by, round);
    if (status != KF_OK) return status;
    (given->json ? print_json : print_table)(variants, N, rounds, (double)given->steps);
    return KF_OK;
}

static kf_status run_all(const bench_options *given) {
    kf_graph *graph = kf_graph_new(.seed = 1);
    float *values = calloc((size_t)ROWS * (FEATURES + 1), sizeof *values);
    kf_status status = graph != NULL && values != NULL ? KF_OK : KF_MEMORY;
    if (status != KF_OK) tool_fail(status, "out of memory");
    for (int64_t i = 0; i < ROWS * (FEATURES + 1) && status == KF_OK; i++)
        values[i] = (float)(i * 7919 % 1000) * 1e-3f;
    if (status == KF_OK) {
        kf_model *model = make_model(graph, given->units);
        status = kf_model_error(model);
        producer made_by = {.x = values, .y = values + ROWS * FEATURES};
        if (status == KF_OK) status = run(model, given, &made_by);
    }
    free(values);
    kf_graph_free(graph);
    return status;
}

int main(int argc, char **argv) {
    bench_options given = {.rounds = 5, .steps = 100, .units = 512, .share = 0.8};
    int first;
    bool helped;
    tool_start();
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status == KF_OK && !helped) status = run_all(&given);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
