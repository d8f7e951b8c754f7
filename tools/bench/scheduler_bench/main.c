/* bench-scheduler [GROUP …]: kf's executors beside TBB and OpenMP, number by number: all contenders
 * are asked for one before the next is begun, so that they meet the same machine. */
#include "../../command/options.h"
#include "../../command/report.h"
#include "../common/machine.h"
#include "cases.h"
#include "scheduler/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CONTENDERS = 12, MOST_GROUPS = 8 };

typedef struct bench_options {
    int64_t threads;
    double seconds;
    bool json, no_peer;
    char **groups;
    int32_t n_groups;
} bench_options;

static const tool_option options[] = {
    TOOL_OPTION(bench_options, seconds, "seconds", tool_real, .argument = "S", .low = 0,
                .high = 3600, .help = "for a number of a contender; default 0.5"),
    TOOL_OPTION(bench_options, threads, "threads", tool_integer, .argument = "N", .low = 1,
                .high = 64, .help = "default: all CPUs"),
    TOOL_OPTION(bench_options, no_peer, "no-peer", tool_flag, .help = "kf's executors alone"),
    TOOL_OPTION(bench_options, json, "json", tool_flag, .help = "a list of objects, and no table"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "bench-scheduler",
    .arguments = "[GROUP …]",
    .least = 0,
    .most = MOST_GROUPS,
    .purpose = "Measures what running a graph of steps costs.",
    .notes = "Groups: shapes mixed latency waste. Default: all of them. kf knows what steps cost,\n"
             "and keeps steps that cost nothing on one thread; the others are not told.\n",
    .options = options};

static bool in_group(const bench_options *given, const char *group) {
    for (int32_t i = 0; i < given->n_groups; i++)
        if (strcmp(given->groups[i], group) == 0) return true;
    return given->n_groups == 0;
}

static kf_status check_groups(const bench_options *given) {
    for (int32_t i = 0; i < given->n_groups; i++) {
        bool known = false;
        for (const bench_case *at = bench_cases; at->name; at++)
            known = known || strcmp(at->group, given->groups[i]) == 0;
        if (!known) return tool_fail(KF_USAGE, "there is no group '%s'", given->groups[i]);
    }
    return KF_OK;
}

static int32_t list_contenders(const bench_options *given, const bench_contender **list) {
    int32_t n = 0;
    for (const bench_contender *at = bench_kf; at->name; at++) list[n++] = at;
    for (const bench_contender *at = bench_peers; at->name && !given->no_peer; at++) list[n++] = at;
    return n;
}

static void print_head(const bench_contender *const *list, int32_t n) {
    printf("| %-34s | %-10s |", "", "");
    for (int32_t i = 0; i < n; i++) printf(" %13s |", list[i]->name);
    printf(" %7s | %6s |\n|%.35s-|%.11s-|", "reach", "missed",
           "------------------------------------", "------------");
    for (int32_t i = 0; i < n; i++) printf("--------------:|");
    printf("--------:|-------:|\n");
}

static void print_value(const bench_case *at, double value) {
    if (isfinite(value))
        printf(" %13.*f |", at->decimals, value);
    else
        printf(" %13s |", "-");
    fflush(stdout);
}

/* By which factor the first contender misses what it is meant to reach. */
static void print_reach(const bench_case *at, double value) {
    if (!isfinite(at->reach)) {
        printf(" %7s | %6s |\n", "", "");
        return;
    }
    const double factor = at->more ? at->reach / value : value / at->reach;
    const bool met = at->more ? value >= at->reach : value <= at->reach;
    printf(" %7g |", at->reach);
    if (met || !isfinite(factor))
        printf(" %6s |\n", met ? "" : "yes");
    else
        printf(" %6.2f |\n", factor);
}

static void print_json(const bench_case *at, const char *contender, double value) {
    static bool later;
    printf("%s{\"case\": \"%s\", \"contender\": \"%s\", \"unit\": \"%s\", \"value\": ",
           later ? ",\n" : "\n", at->name, contender, at->unit);
    if (isfinite(value))
        printf("%.6g}", value);
    else
        printf("null}");
    later = true;
}

static void run_case(const bench_case *at, const bench_options *given,
                     const bench_contender *const *list, int32_t n) {
    if (!given->json) printf("| %-34s | %-10s |", at->name, at->unit);
    double first = NAN;
    for (int32_t i = 0; i < n; i++) {
        const bench_trial trial = {.contender = list[i],
                                   .threads = (int32_t)given->threads,
                                   .cpus = bench_cpus(),
                                   .seconds = given->seconds,
                                   .schedules = given->seconds > 0 ? 3000 : 30};
        const double value = at->measure(&trial, at->argument);
        if (i == 0) first = value;
        if (given->json)
            print_json(at, list[i]->name, value);
        else
            print_value(at, value);
    }
    if (!given->json) print_reach(at, first);
}

static void run_all(const bench_options *given) {
    const bench_contender *list[MOST_CONTENDERS];
    const int32_t n = list_contenders(given, list);
    FILE *about = given->json ? stderr : stdout;
    bench_print_machine(about, "");
    fprintf(about, "%d threads\n\n", (int)given->threads);
    if (given->json)
        printf("[");
    else
        print_head(list, n);
    for (const bench_case *at = bench_cases; at->name; at++)
        if (in_group(given, at->group)) run_case(at, given, list, n);
    if (given->json) printf("\n]\n");
}

static kf_status run(int argc, char **argv) {
    bench_options given = {.seconds = 0.5, .threads = bench_cpus()};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    given.groups = argv + first;
    given.n_groups = argc - first;
    status = check_groups(&given);
    if (status == KF_OK) run_all(&given);
    return status;
}

int main(int argc, char **argv) {
    tool_start();
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
