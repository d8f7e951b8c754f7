#include "machine.h"

#include "kf.h"
#include "statistics.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum { MOST_THREADS = 256 };

int32_t bench_cpus(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* As Linux calls it; architectures that have no name there are called by their own. */
static void find_cpu_name(char *name, size_t size) {
    struct utsname host;
    snprintf(name, size, "%s", uname(&host) == 0 ? host.machine : "a CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return;
    char line[256];
    while (fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", value + 1 + strspn(value + 1, " "));
        break;
    }
    fclose(file);
}

void bench_print_machine(FILE *file, const char *prefix) {
    char name[256];
    find_cpu_name(name, sizeof name);
    const int32_t cpus = bench_cpus();
    fprintf(file, "%s%s, %d CPU%s\n%s%s\n", prefix, name, cpus, cpus == 1 ? "" : "s", prefix,
            kf_about());
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct gang {
    void (*work)(int32_t thread, void *context);
    void *context;
    pthread_barrier_t barrier;
} gang;

typedef struct member {
    gang *gang;
    int32_t thread;
    double seconds;
} member;

static void *run_member(void *pointer) {
    member *self = pointer;
    pthread_barrier_wait(&self->gang->barrier);
    const double start = bench_now();
    self->gang->work(self->thread, self->gang->context);
    self->seconds = bench_now() - start;
    return NULL;
}

/* Seconds of the slowest of so many threads that begin together. The caller is thread 0. A machine
 * that cannot give them has no measurement to give either. */
static double time_together(int32_t threads, void (*work)(int32_t, void *), void *context) {
    gang all = {.work = work, .context = context};
    pthread_t thread[MOST_THREADS];
    member members[MOST_THREADS];
    pthread_barrier_init(&all.barrier, NULL, (unsigned)threads);
    for (int32_t i = 0; i < threads; i++) {
        members[i] = (member){&all, i, 0};
        if (i > 0 && pthread_create(&thread[i], NULL, run_member, &members[i]) != 0) abort();
    }
    run_member(&members[0]);
    double slowest = members[0].seconds;
    for (int32_t i = 1; i < threads; i++) {
        pthread_join(thread[i], NULL);
        slowest = fmax(slowest, members[i].seconds);
    }
    pthread_barrier_destroy(&all.barrier);
    return slowest;
}

static int32_t at_most(int32_t threads) { return threads < MOST_THREADS ? threads : MOST_THREADS; }

/* --- multiply-adds ---------------------------------------------------------------------------- */

/* About a millisecond: short enough to be left alone now and then on a busy machine. */
enum { LANES = 16, ROUNDS = 400000, TRIALS = 200 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
static volatile float sink;

/* x = x * a + b in `chains` independent chains: enough to hide the latency, few enough to stay in
 * registers. Inlined into a function for each instruction set. */
static inline __attribute__((always_inline)) void multiply_add(int32_t chains) {
    lanes x[12];
    for (int32_t k = 0; k < chains; k++) x[k] = (lanes){0} + sink + (float)k; /* all different */
    const lanes a = (lanes){0} + 0.999f, b = (lanes){0} + 1e-3f;
    for (int32_t i = 0; i < ROUNDS; i++)
        for (int32_t k = 0; k < chains; k++) x[k] = x[k] * a + b;
    for (int32_t k = 1; k < chains; k++) x[0] += x[k];
    sink = x[0][0] + x[0][LANES - 1];
}

enum { WIDE_CHAINS = 12, NARROW_CHAINS = 6, NARROWEST_CHAINS = 3 };

#if defined(__x86_64__)
__attribute__((target("avx512f,fma"))) static void multiply_add_v4(int32_t thread, void *context) {
    (void)thread, (void)context;
    multiply_add(WIDE_CHAINS);
}
__attribute__((target("avx2,fma"))) static void multiply_add_v3(int32_t thread, void *context) {
    (void)thread, (void)context;
    multiply_add(NARROW_CHAINS);
}
#endif
static void multiply_add_portable(int32_t thread, void *context) {
    (void)thread, (void)context;
    multiply_add(NARROWEST_CHAINS);
}

typedef struct instruction_set {
    void (*work)(int32_t, void *);
    int32_t chains;
} instruction_set;

static instruction_set widest(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return (instruction_set){multiply_add_v4, WIDE_CHAINS};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (instruction_set){multiply_add_v3, NARROW_CHAINS};
#endif
    return (instruction_set){multiply_add_portable, NARROWEST_CHAINS};
}

double bench_measure_peak(int32_t threads) {
    const instruction_set set = widest();
    threads = at_most(threads);
    double best = INFINITY;
    for (int32_t i = 0; i < TRIALS; i++) best = fmin(best, time_together(threads, set.work, NULL));
    return 1e-9 * 2 * LANES * (double)ROUNDS * set.chains * threads / best;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Three arrays of 256 MiB, beyond the caches of servers, gone through in slices: the best of them
 * was left alone, on a busy machine too. */
enum { ELEMENTS = 64 << 20, SLICE = 4 << 20, SWEEPS = 3 };

typedef struct triad {
    float *a, *b, *c;
    int64_t first, last;
    int32_t threads;
} triad;

static void run_triad(int32_t thread, void *context) {
    const triad *t = context;
    const int64_t n = t->last - t->first;
    const int64_t first = t->first + n * thread / t->threads,
                  last = t->first + n * (thread + 1) / t->threads;
    float *const a = t->a;
    const float *const b = t->b, *const c = t->c;
    for (int64_t i = first; i < last; i++) a[i] = b[i] + 3 * c[i];
}

static double best_slice(triad *t) {
    double best = INFINITY;
    for (int32_t sweep = 0; sweep < SWEEPS; sweep++)
        for (t->first = 0; t->first < ELEMENTS; t->first += SLICE) {
            t->last = t->first + SLICE;
            const double seconds = time_together(t->threads, run_triad, t);
            if (sweep > 0) best = fmin(best, seconds); /* the first one makes the pages */
        }
    return best;
}

double bench_measure_bandwidth(int32_t threads) {
    const size_t bytes = sizeof(float) * ELEMENTS;
    triad t = {malloc(bytes), malloc(bytes), malloc(bytes), 0, 0, at_most(threads)};
    const bool enough = t.a && t.b && t.c;
    if (enough) memset(t.b, 0, bytes), memset(t.c, 0, bytes);
    const double best = enough ? best_slice(&t) : NAN;
    free(t.a);
    free(t.b);
    free(t.c);
    return 1e-9 * 3 * sizeof(float) * SLICE / best;
}
