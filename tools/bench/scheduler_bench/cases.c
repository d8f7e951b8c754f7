#include "cases.h"

#include "../common/statistics.h"
#include "allocations.h"
#include "trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_SAMPLES = 400 };

/* --- what steps do ---------------------------------------------------------------------------- */

static void do_nothing(void *context, int32_t step, int32_t piece) {
    (void)context, (void)step, (void)piece;
}

/* Numbers that depend on each other: as long on a busy memory as on an idle one. */
static void compute(int64_t turns) {
    uint64_t x = (uint64_t)turns;
    for (int64_t i = 0; i < turns; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        __asm__ volatile("" : "+r"(x));
    }
}

static double turns_per_us(void) {
    static double known;
    const int64_t turns = 1000000;
    double best = INFINITY;
    for (int32_t i = 0; i < 20 && known == 0; i++) {
        const double start = bench_now();
        compute(turns);
        best = fmin(best, bench_now() - start);
    }
    if (known == 0) known = (double)turns / (1e6 * best);
    return known;
}

static void do_work(void *context, int32_t step, int32_t piece) {
    const bench_graph *graph = context;
    (void)piece;
    compute((int64_t)(graph->cost_us[step] / graph->pieces[step] * turns_per_us()));
}

static double run_all_here(const bench_graph *graph) {
    const double start = bench_now();
    for (int32_t step = 0; step < graph->n; step++)
        for (int32_t piece = 0; piece < graph->pieces[step]; piece++)
            do_work((void *)graph, step, piece);
    return bench_now() - start;
}

static double cpu_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

static void sleep_for(double seconds) {
    const struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - floor(seconds)))};
    nanosleep(&time, NULL);
}

/* --- a graph on a contender ------------------------------------------------------------------- */

typedef struct running {
    const bench_contender *contender;
    bench_graph *graph;
    void *prepared;
} running;

/* Takes the graph over. A few runs, so that threads are there. */
static bool start(const bench_trial *trial, bench_graph *graph, bench_step_function step,
                  running *it) {
    *it = (running){trial->contender, graph, NULL};
    if (graph) it->prepared = trial->contender->prepare(graph, step, graph, trial->threads);
    for (int32_t i = 0; i < 3 && it->prepared; i++) trial->contender->run(it->prepared);
    return it->prepared != NULL;
}

static double time_run(const running *it) {
    const double begin = bench_now();
    it->contender->run(it->prepared);
    return bench_now() - begin;
}

static void end(running *it) {
    if (it->prepared) it->contender->release(it->prepared);
    bench_graph_free(it->graph);
}

/* Seconds of a run: the median over samples of `runs` in a row. */
static double median_run(const running *it, double seconds, int32_t runs) {
    double samples[MOST_SAMPLES];
    int32_t n = 0;
    const double begin = bench_now();
    do {
        const double first = bench_now();
        for (int32_t i = 0; i < runs; i++) it->contender->run(it->prepared);
        samples[n++] = (bench_now() - first) / runs;
    } while (n < MOST_SAMPLES && bench_now() - begin < seconds);
    return bench_median(samples, n);
}

/* --- shapes: nanoseconds a step, steps that do nothing ---------------------------------------- */

static bench_graph *make_chain(void) { return bench_graph_chain(4096); }
static bench_graph *make_tree(void) { return bench_graph_tree(11); } /* 3070 steps */
static bench_graph *make_fan(void) { return bench_graph_fan(4096); }
static bench_graph *make_wave(void) { return bench_graph_wave(64); }
static bench_graph *make_random(void) { return bench_graph_random(4096, 64, 1); }
static bench_graph *make_small(void) { return bench_graph_random(60, 12, 2); }
static bench_graph *make_pieces(void) { return bench_graph_pieces(4096); }

/* Those who are told costs take these steps for some work. */
static bench_graph *told(bench_graph *graph, double cost_us) {
    for (int32_t i = 0; graph && i < graph->n; i++) graph->cost_us[i] = cost_us;
    return graph;
}

static bench_graph *make_told_chain(void) { return told(make_chain(), 0.01); }
static bench_graph *make_told_random(void) { return told(make_random(), 0.01); }
static bench_graph *make_counted_wave(void) { return told(make_wave(), 0.1); }
static bench_graph *make_counted_random(void) { return told(make_random(), 0.1); }

static bench_graph *(*const shapes[])(void) = {
    make_chain,       make_tree,         make_fan,           make_wave,
    make_random,      make_small,        make_pieces,        make_told_chain,
    make_told_random, make_counted_wave, make_counted_random};

static double measure_shape(const bench_trial *trial, int32_t number) {
    running it;
    double ns = NAN;
    if (start(trial, shapes[number](), do_nothing, &it)) {
        const int32_t steps = it.graph->n > 1 ? it.graph->n : it.graph->pieces[0];
        const double once = time_run(&it);
        const int32_t runs = once < 1e-3 ? (int32_t)(2e-3 / (once + 1e-9)) + 1 : 1;
        ns = 1e9 * median_run(&it, trial->seconds, runs < 10000 ? runs : 10000) / steps;
    }
    end(&it);
    return ns;
}

/* --- mixed graphs: percent of what the best order reaches ------------------------------------- */

/* The same work is done by this thread alone in turn with the runs, so that a machine that slows
 * down slows both. */
static double efficiency(const bench_trial *trial, uint64_t seed, bool split, int32_t threads) {
    bench_trial with = *trial;
    with.threads = threads;
    running it;
    double percent = NAN, alone[MOST_SAMPLES], together[MOST_SAMPLES];
    if (start(&with, bench_graph_mixed(60, seed, split), do_work, &it)) {
        const int32_t workers = threads < trial->cpus ? threads : trial->cpus;
        const double best = bench_graph_best_us(it.graph, workers, trial->schedules) /
                            bench_graph_work_us(it.graph);
        int32_t n = 0;
        const double begin = bench_now();
        do {
            alone[n] = run_all_here(it.graph);
            together[n++] = time_run(&it);
        } while (n < MOST_SAMPLES && bench_now() - begin < 2 * trial->seconds);
        percent = 100 * best * bench_median(alone, n) / bench_median(together, n);
    }
    end(&it);
    return percent;
}

enum { MIXED_GRAPHS = 5 };

static double mean_efficiency(const bench_trial *trial, bool split, int32_t threads) {
    double sum = 0;
    for (int32_t i = 0; i < MIXED_GRAPHS; i++)
        sum += efficiency(trial, 11 + (uint64_t)i, split, threads);
    return sum / MIXED_GRAPHS;
}

static double measure_mixed(const bench_trial *trial, int32_t split) {
    return mean_efficiency(trial, split != 0, trial->threads);
}

/* Twice as many workers as CPUs. */
static double measure_crowded(const bench_trial *trial, int32_t times) {
    return mean_efficiency(trial, false, times * trial->cpus);
}

/* --- latency ---------------------------------------------------------------------------------- */

/* Microseconds of a run of `steps` steps of `cost_us` beyond the longest of them, after so many
 * milliseconds of sleep. */
static double measure_after_sleep(const bench_trial *trial, int32_t steps, double cost_us,
                                  double sleep_ms) {
    running it;
    double samples[MOST_SAMPLES], us = NAN;
    if (start(trial, bench_graph_parallel(steps, cost_us), do_work, &it)) {
        int32_t n = 0;
        const double begin = bench_now();
        do {
            if (sleep_ms > 0) sleep_for(1e-3 * sleep_ms);
            samples[n++] = 1e6 * time_run(&it) - cost_us;
        } while (n < MOST_SAMPLES && bench_now() - begin < trial->seconds);
        us = bench_median(samples, n);
    }
    end(&it);
    return us;
}

static double measure_empty(const bench_trial *trial, int32_t sleep_ms) {
    return measure_after_sleep(trial, 1, 0, sleep_ms);
}

static double measure_two(const bench_trial *trial, int32_t sleep_ms) {
    return measure_after_sleep(trial, 2, 200, sleep_ms);
}

/* --- waste ------------------------------------------------------------------------------------ */

/* CPU milliseconds in so many milliseconds in which nothing is asked for, a moment after a run: how
 * long threads search before they sleep shows in the next number. */
static double measure_idle_burn(const bench_trial *trial, int32_t idle_ms) {
    running it;
    double samples[3], burned = NAN;
    if (start(trial, bench_graph_parallel(8, 200), do_work, &it)) {
        for (int32_t i = 0; i < 3; i++) {
            time_run(&it);
            sleep_for(10e-3);
            const double before = cpu_seconds();
            sleep_for(1e-3 * (trial->seconds > 0 ? idle_ms : 1));
            samples[i] = 1e3 * (cpu_seconds() - before);
        }
        burned = bench_median(samples, 3);
    }
    end(&it);
    return burned;
}

/* Percent of CPU time beyond that of the work, while steps can only follow each other. */
static double measure_serial_burn(const bench_trial *trial, int32_t cost_us) {
    running it;
    double samples[MOST_SAMPLES], percent = NAN;
    if (start(trial, bench_graph_serial(20, cost_us), do_work, &it)) {
        int32_t n = 0;
        const double begin = bench_now();
        do {
            const double first = cpu_seconds();
            run_all_here(it.graph);
            const double second = cpu_seconds();
            time_run(&it);
            samples[n++] = 100 * ((cpu_seconds() - second) / (second - first) - 1);
        } while (n < MOST_SAMPLES && bench_now() - begin < trial->seconds);
        percent = bench_median(samples, n);
    }
    end(&it);
    return percent;
}

static double measure_allocations(const bench_trial *trial, int32_t runs) {
    running it;
    double each = NAN;
    if (bench_allocations() >= 0 && start(trial, make_small(), do_nothing, &it)) {
        const int64_t before = bench_allocations();
        for (int32_t i = 0; i < runs; i++) time_run(&it);
        each = (double)(bench_allocations() - before) / runs;
        end(&it);
    }
    return each;
}

/* Nanoseconds that a record of each step adds to a chain. Only kf has records. */
static double measure_trace(const bench_trial *trial, int32_t shape) {
    running it;
    double ns = NAN;
    kfi_trace *trace = NULL;
    const bool ours = strncmp(trial->contender->name, "kf", 2) == 0;
    if (!ours || kfi_trace_new(trial->threads, 8192, &trace) != KF_OK) return NAN;
    if (start(trial, shapes[shape](), do_nothing, &it)) {
        const double without = median_run(&it, trial->seconds / 2, 4);
        bench_kf_trace = trace;
        ns = 1e9 * (median_run(&it, trial->seconds / 2, 4) - without) / it.graph->n;
        bench_kf_trace = NULL;
    }
    end(&it);
    kfi_trace_free(trace);
    return ns;
}

const bench_case bench_cases[] = {
    {"shapes", "chain 4096", "ns/step", 1, measure_shape, 0, 4.5, false},
    {"shapes", "tree 3070", "ns/step", 1, measure_shape, 1, 8, false},
    {"shapes", "fan 4096", "ns/step", 1, measure_shape, 2, 10, false},
    {"shapes", "wave 64 x 64", "ns/step", 1, measure_shape, 3, 6.6, false},
    {"shapes", "random 4096", "ns/step", 1, measure_shape, 4, 12, false},
    {"shapes", "random 60", "ns/step", 1, measure_shape, 5, 8, false},
    {"shapes", "one step of 4096 pieces", "ns/piece", 1, measure_shape, 6, NAN, false},
    {"shapes", "chain 4096, 10 ns a step", "ns/step", 1, measure_shape, 7, 4.5, false},
    {"shapes", "random 4096, 10 ns a step", "ns/step", 1, measure_shape, 8, 12, false},
    {"shapes", "wave 64 x 64, 100 ns a step", "ns/step", 1, measure_shape, 9, NAN, false},
    {"shapes", "random 4096, 100 ns a step", "ns/step", 1, measure_shape, 10, NAN, false},
    {"mixed", "60 steps of 5 us to 2 ms", "% of best", 1, measure_mixed, 0, 99, true},
    {"mixed", "the same, split in pieces", "% of bound", 1, measure_mixed, 1, 97.8, true},
    {"mixed", "twice as many workers as CPUs", "% of best", 1, measure_crowded, 2, 99, true},
    {"latency", "empty run, hot", "us", 2, measure_empty, 0, 0.05, false},
    {"latency", "empty run after 5 ms", "us", 2, measure_empty, 5, 1, false},
    {"latency", "two steps of 200 us, hot", "us over", 1, measure_two, 0, NAN, false},
    {"latency", "two steps of 200 us after 5 ms", "us over", 1, measure_two, 5, 55, false},
    {"waste", "CPU in 500 ms of idleness", "ms", 2, measure_idle_burn, 500, 0.06, false},
    {"waste", "CPU beside serial steps of 500 us", "% more", 1, measure_serial_burn, 500, 1, false},
    {"waste", "allocations in a run", "", 1, measure_allocations, 100, 0, false},
    {"waste", "recording a step", "ns", 1, measure_trace, 0, 25, false},
    {0}};
