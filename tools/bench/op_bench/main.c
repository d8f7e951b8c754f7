/* bench-ops [OP …]: every op over the shapes of its examples and over those of the measured models,
 * on one thread; convolutions and LSTMs beside oneDNN, in turn. A tile is a pure function, so what
 * two threads reach is up to the scheduler (bench-scheduler) and to the memory. */
#include "../../command/options.h"
#include "../../command/report.h"
#include "../common/machine.h"
#include "../common/statistics.h"
#include "measure.h"
#include "peer.h"
#include "ways.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 64 };

typedef struct bench_options {
    double seconds;
    bool no_peer, reference, ways, json;
    char **names; /* of ops; none: all */
    int32_t n_names;
    double peak, bandwidth; /* of one thread */
    int32_t rows;           /* printed so far */
} bench_options;

static const tool_option options[] = {
    TOOL_OPTION(bench_options, seconds, "seconds", tool_real, .argument = "S", .low = 0,
                .high = 3600, .help = "for a row and a side, at least one run; default 0.1"),
    TOOL_OPTION(bench_options, reference, "reference", tool_flag,
                .help = "the shapes of the models only, not the examples of the ops"),
    TOOL_OPTION(bench_options, ways, "ways", tool_flag,
                .help = "convolutions by every way, and what the choice loses; names: shapes"),
    TOOL_OPTION(bench_options, no_peer, "no-peer", tool_flag, .help = "without oneDNN"),
    TOOL_OPTION(bench_options, json, "json", tool_flag, .help = "a list of objects, and no table"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "bench-ops",
    .arguments = "[OP …]",
    .least = 0,
    .most = MOST_NAMES,
    .purpose = "Times the kernels of ops on one thread.",
    .notes = "GFLOP/s and GB/s are by the ops' own counts, and beside the machine's, measured\n"
             "on one thread in the same run. Times are the best of those that fit.\n",
    .options = options};

/* --- a row ------------------------------------------------------------------------------------ */

static void print_head(void) {
    printf("| %-30s | %-38s | %9s | %9s | %5s | %7s | %7s | %6s | %12s |\n", "op", "shape", "ms",
           "oneDNN ms", "ratio", "GFLOP/s", "of peak", "GB/s", "of bandwidth");
    printf("|:%.30s-|:%.38s-|%.10s:|%.10s:|%.6s:|%.8s:|%.8s:|%.7s:|%.13s:|\n",
           "------------------------------", "--------------------------------------", "----------",
           "----------", "------", "--------", "--------", "-------", "-------------");
}

static void print_number(int width, int decimals, double value, const char *unit) {
    char text[32] = "-";
    if (isfinite(value)) snprintf(text, sizeof text, "%.*f%s", decimals, value, unit);
    printf(" %*s |", width, text);
}

static void print_row(const bench_measured *row, const bench_options *given) {
    const double gflops = 1e-6 * row->cost.flops / row->ms, gbs = 1e-6 * row->cost.bytes / row->ms;
    printf("| %-30s | %-38s |", row->op, row->shape);
    print_number(9, 4, row->ms, "");
    print_number(9, 4, row->peer_ms, "");
    print_number(5, 2, row->peer_ms / row->ms, "");
    print_number(7, 2, gflops, "");
    print_number(7, 0, 100 * gflops / given->peak, " %");
    print_number(6, 2, gbs, "");
    print_number(12, 0, 100 * gbs / given->bandwidth, " %");
    printf("\n");
    fflush(stdout);
}

static void print_member(const char *name, double value) {
    if (isfinite(value))
        printf(", \"%s\": %.6g", name, value);
    else
        printf(", \"%s\": null", name);
}

/* Names and shapes are our own: nothing in them needs an escape. */
static void print_json(const bench_measured *row, const bench_options *given) {
    const double gflops = 1e-6 * row->cost.flops / row->ms, gbs = 1e-6 * row->cost.bytes / row->ms;
    printf("%s{\"op\": \"%s\", \"shape\": \"%s\"", given->rows > 0 ? ",\n" : "\n", row->op,
           row->shape);
    print_member("ms", row->ms);
    print_member("peer_ms", row->peer_ms);
    print_member("ratio", row->peer_ms / row->ms);
    print_member("gflops", gflops);
    print_member("percent_of_peak", 100 * gflops / given->peak);
    print_member("gbs", gbs);
    print_member("percent_of_bandwidth", 100 * gbs / given->bandwidth);
    printf("}");
}

static void print(const bench_measured *row, bench_options *given) {
    if (given->json)
        print_json(row, given);
    else
        print_row(row, given);
    given->rows++;
}

/* --- time ------------------------------------------------------------------------------------- */

static double time_peer(const bench_row *row, double seconds) {
    if (row->conv) {
        const bench_conv *c = row->conv;
        const bench_peer_conv_shape shape = {.batch = c->batch,
                                             .side = c->side,
                                             .in = c->in,
                                             .out = c->out,
                                             .window = c->window,
                                             .before =
                                                 c->padding == KFI_SAME ? (c->window - 1) / 2 : 0,
                                             .pass = row->pass};
        return bench_peer_conv(&shape, seconds);
    }
    if (!row->lstm) return NAN;
    const bench_lstm *l = row->lstm;
    const bench_peer_lstm_shape shape = {.batch = l->batch,
                                         .steps = l->steps,
                                         .in = l->in,
                                         .units = l->units,
                                         .backward = row->pass != BENCH_FORWARD};
    return bench_peer_lstm(&shape, seconds);
}

/* --- all rows --------------------------------------------------------------------------------- */

static bool chosen(const bench_options *given, const char *op) {
    for (int32_t i = 0; i < given->n_names; i++)
        if (strcmp(given->names[i], op) == 0) return true;
    return given->n_names == 0;
}

static kf_status run_reference(bench_options *given) {
    static bench_attributes attributes;
    static bench_row row;
    kf_status worst = KF_OK;
    for (int32_t i = 0; bench_reference(i, &attributes, &row); i++) {
        if (!chosen(given, row.op)) continue;
        bench_measured result = {.op = row.op, .shape = row.shape, .peer_ms = NAN};
        const kf_status status = bench_measure_row(&row, given->seconds, &result);
        if (!given->no_peer) result.peer_ms = time_peer(&row, given->seconds);
        if (status == KF_OK) print(&result, given);
        if (status != KF_OK) worst = status;
    }
    return worst;
}

static kf_status run_examples(bench_options *given) {
    kf_status worst = KF_OK;
    const kfi_op *op;
    for (int i = 0; (op = kfi_op_at(i)); i++) {
        if (!chosen(given, op->name) || op->is_view) continue;
        for (const kfi_example *at = kfi_op_examples(op); at && at->name; at++) {
            bench_measured result = {.op = op->name, .shape = at->name, .peer_ms = NAN};
            const kf_status status = bench_measure(op->name, at, false, given->seconds, &result);
            if (status == KF_OK) print(&result, given);
            if (status != KF_OK) worst = status;
        }
    }
    return worst;
}

static kf_status check_names(const bench_options *given) {
    for (int32_t i = 0; i < given->n_names; i++)
        if (!kfi_op_find(given->names[i]))
            return tool_fail(KF_USAGE, "there is no op '%s'", given->names[i]);
    return KF_OK;
}

static kf_status run_all(bench_options *given) {
    given->peak = bench_measure_peak(1);
    given->bandwidth = bench_measure_bandwidth(1);
    FILE *about = given->json ? stderr : stdout;
    bench_print_machine(about, "");
    fprintf(about, "beside %s; one thread: %.0f GFLOP/s of multiply-adds, %.1f GB/s\n\n",
            given->no_peer ? "nothing" : bench_peer_name(), given->peak, given->bandwidth);
    if (given->json)
        printf("[");
    else
        print_head();
    kfi_ops_enter_thread();
    kf_status worst = run_reference(given);
    if (!given->reference) {
        const kf_status status = run_examples(given);
        if (status != KF_OK) worst = status;
    }
    kfi_ops_leave_thread();
    if (given->json) printf("\n]\n");
    return worst;
}

static kf_status run(int argc, char **argv) {
    bench_options given = {.seconds = 0.1};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    given.names = argv + first;
    given.n_names = argc - first;
    if (given.ways && !given.reference)
        return bench_ways(given.names, given.n_names, given.seconds, given.json);
    if (given.ways) return tool_fail(KF_USAGE, "--ways has shapes of its own: no --reference");
    status = check_names(&given);
    return status == KF_OK ? run_all(&given) : status;
}

int main(int argc, char **argv) {
    tool_start();
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
