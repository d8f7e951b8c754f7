#include "scheduler/cpus.h"

#include "scheduler/pool.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The mask of this thread before it was pinned, for as long as it is. */
static _Thread_local bool is_pinned;
static _Thread_local cpu_set_t free_mask;

static int32_t quota_cpus; /* written once, by read_quota */

static void read_quota(void) {
    /* part of a CPU is worth a worker: it waits in the quota's pauses, not in ours */
    const double quota = ceil(kfi_cgroup_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
    quota_cpus = quota < INT32_MAX ? (int32_t)quota : INT32_MAX;
}

kfi_cpus kfi_cpus_look(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_quota);
    kfi_cpus cpus = {.in_mask = 0};
    if (is_pinned)
        cpus.mask = free_mask;
    else if (sched_getaffinity(0, sizeof cpus.mask, &cpus.mask) != 0)
        CPU_ZERO(&cpus.mask);
    cpus.in_mask = CPU_COUNT(&cpus.mask);
    cpus.usable = cpus.in_mask < quota_cpus ? cpus.in_mask : quota_cpus;
    if (cpus.usable < 1) cpus.usable = 1;
    return cpus;
}

static int32_t workers_default(const kfi_cpus *cpus) {
    const char *text = getenv("OMP_NUM_THREADS"); /* "4", or "4,2" for nested levels */
    const long asked = text ? strtol(text, NULL, 10) : 0;
    if (asked < 1) return cpus->usable;
    return asked < KFI_MAX_WORKERS ? (int32_t)asked : KFI_MAX_WORKERS;
}

int32_t kfi_cpus_workers(const kfi_cpus *cpus, int32_t asked) {
    const char *oversubscribe = getenv("KF_OVERSUBSCRIBE");
    int32_t workers = asked > 0 ? asked : workers_default(cpus);
    if (workers > cpus->usable && (!oversubscribe || strcmp(oversubscribe, "1") != 0))
        workers = cpus->usable;
    return workers < KFI_MAX_WORKERS ? workers : KFI_MAX_WORKERS;
}

int32_t kfi_cpus_usable(void) { return kfi_cpus_look().usable; }

int32_t kfi_workers_default(void) {
    const kfi_cpus cpus = kfi_cpus_look();
    return workers_default(&cpus);
}

int32_t kfi_workers_clamp(int32_t asked) {
    const kfi_cpus cpus = kfi_cpus_look();
    return kfi_cpus_workers(&cpus, asked);
}

bool kfi_cpus_pinned(void) { return is_pinned; }

static int nth_cpu(const cpu_set_t *mask, int32_t index) {
    int cpu = 0;
    while (!CPU_ISSET(cpu, mask) || index-- > 0) cpu++; /* index is below the mask's count */
    return cpu;
}

bool kfi_cpus_on(const kfi_cpus *cpus, int32_t index) {
    return index < cpus->in_mask && sched_getcpu() == nth_cpu(&cpus->mask, index);
}

void kfi_cpus_pin(const kfi_cpus *cpus, int32_t index) {
    if (is_pinned || index >= cpus->in_mask) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(nth_cpu(&cpus->mask, index), &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) return;
    free_mask = cpus->mask;
    is_pinned = true;
}

void kfi_cpus_unpin(void) {
    if (!is_pinned) return;
    is_pinned = false;
    sched_setaffinity(0, sizeof free_mask, &free_mask);
}
