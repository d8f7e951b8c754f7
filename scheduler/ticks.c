#include "scheduler/ticks.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* "Invariant TSC": the same rate in all states of the CPU (Intel's manual, volume 3, 18.17.1). */
static bool has_counter(void) {
    unsigned a, b, c, d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}
#else
static bool has_counter(void) { return false; }
#endif

enum { TRIES = 5, MEASURE_NS = 2000000 };

/* Both clocks at one moment: of some tries the one with the least between two looks. */
static kfi_ticks look(bool counted) {
    kfi_ticks best = {.counted = counted};
    int64_t least = INT64_MAX;
    for (int k = 0; k < TRIES; k++) {
        const int64_t before = kfi_ticks_now(counted), ns = kfi_now_ns();
        const int64_t between = kfi_ticks_now(counted) - before;
        if (between < 0 || between >= least) continue;
        least = between;
        best.ticks = before + between / 2;
        best.ns = ns;
    }
    return best;
}

static bool is_counted; /* once, by measure */
static double measured_ns_each;

static void measure(void) {
    measured_ns_each = 1;
    if (!has_counter()) return;
    const kfi_ticks first = look(true);
    while (kfi_now_ns() - first.ns < MEASURE_NS) continue;
    const kfi_ticks last = look(true);
    is_counted = last.ticks > first.ticks;
    if (is_counted)
        measured_ns_each = (double)(last.ns - first.ns) / (double)(last.ticks - first.ticks);
}

kfi_ticks kfi_ticks_begin(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure);
    kfi_ticks now = look(is_counted);
    now.ns_each = measured_ns_each;
    return now;
}
