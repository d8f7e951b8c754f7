#include "scheduler/cpus.h"

#include "scheduler/caches.h"
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

int32_t kfi_cpus_where(const kfi_cpus *cpus) {
    const kfi_caches *caches = kfi_caches_here();
    const int cpu = sched_getcpu();
    if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &cpus->mask)) return KFI_NOWHERE;
    int32_t index = 0;
    for (int k = 0; caches->order[k] != cpu; k++)
        if (CPU_ISSET(caches->order[k], &cpus->mask)) index++;
    return index;
}

static int nth_cpu(const kfi_cpus *cpus, int32_t index) {
    const int16_t *order = kfi_caches_here()->order;
    int k = 0;
    while (!CPU_ISSET(order[k], &cpus->mask) || index-- > 0) k++;
    return order[k];
}

cpu_set_t kfi_cpus_only(const kfi_cpus *cpus, int32_t index) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(nth_cpu(cpus, index), &one);
    return one;
}

int32_t kfi_cpus_groups(const kfi_cpus *cpus, int32_t most, uint8_t group_of[CPU_SETSIZE]) {
    const kfi_caches *caches = kfi_caches_here();
    int32_t n_groups = 0, index = 0, first = KFI_NOWHERE;
    for (int k = 0; index < cpus->in_mask; k++) {
        const int cpu = caches->order[k];
        if (!CPU_ISSET(cpu, &cpus->mask)) continue;
        if (caches->first[cpu] != first) n_groups++;
        first = caches->first[cpu];
        group_of[index++] = (uint8_t)((n_groups - 1) % most);
    }
    return n_groups < most ? n_groups : most;
}

void kfi_cpus_pin(const kfi_cpus *cpus, int32_t index) {
    if (is_pinned || index < 0 || index >= cpus->in_mask) return;
    const cpu_set_t one = kfi_cpus_only(cpus, index);
    if (sched_setaffinity(0, sizeof one, &one) != 0) return;
    free_mask = cpus->mask;
    is_pinned = true;
}

void kfi_cpus_unpin(void) {
    if (!is_pinned) return;
    is_pinned = false;
    sched_setaffinity(0, sizeof free_mask, &free_mask);
}
