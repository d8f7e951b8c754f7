/* Which CPUs this process may use, and keeping a thread on one of them. */
#ifndef KFI_SCHEDULER_CPUS_H
#define KFI_SCHEDULER_CPUS_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

enum { KFI_NOWHERE = -1 };

typedef struct kfi_cpus {
    cpu_set_t mask;  /* the affinity of this thread; if it is pinned, the one before */
    int32_t in_mask; /* 0 if it cannot be had (a machine of more than CPU_SETSIZE CPUs) */
    int32_t usable;  /* as kfi_cpus_usable says */
} kfi_cpus;

/* One system call. */
kfi_cpus kfi_cpus_look(void);

/* kfi_workers_clamp for somebody who has looked. */
int32_t kfi_cpus_workers(const kfi_cpus *cpus, int32_t asked);

/* The CPU time per second a cgroup may use: +infinity without a quota. `membership` is a file like
 * /proc/self/cgroup, `mount` a folder like /sys/fs/cgroup. */
double kfi_cgroup_quota(const char *membership, const char *mount);

bool kfi_cpus_pinned(void);

/* The CPUs of the mask are counted so that those that share a cache come one after the other. */

/* The index of the CPU that this thread is on now; KFI_NOWHERE if it is none of the mask. */
int32_t kfi_cpus_where(const kfi_cpus *cpus);

/* The `index`th CPU of the mask alone; index is below in_mask. */
cpu_set_t kfi_cpus_only(const kfi_cpus *cpus, int32_t index);

/* Fills in the group of each CPU of the mask: 0 … most - 1, by cache. Returns how many there are.
 */
int32_t kfi_cpus_groups(const kfi_cpus *cpus, int32_t most, uint8_t group_of[CPU_SETSIZE]);

/* Keeps this thread on the `index`th CPU of the mask until kfi_cpus_unpin. Without effect if it
 * cannot be done: pinning helps speed only. */
void kfi_cpus_pin(const kfi_cpus *cpus, int32_t index);
void kfi_cpus_unpin(void);

#endif
