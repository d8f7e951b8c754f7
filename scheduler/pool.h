/* The pool of worker threads of this process: the only process-wide state of kf. Threads are made
 * when a run first needs them, park when idle, and end at exit or kfi_pool_shutdown. */
#ifndef KFI_SCHEDULER_POOL_H
#define KFI_SCHEDULER_POOL_H

#include "kf/status.h"

#include <stdint.h>

enum { KFI_MAX_WORKERS = 64 };

/* CPUs this process may use: the affinity mask and the cgroup's quota (v1 and v2), at least 1. */
int32_t kfi_cpus_usable(void);

/* OMP_NUM_THREADS if set (its first number), else kfi_cpus_usable(). */
int32_t kfi_workers_default(void);

/* The number a run gets when `asked` workers are asked for (0: the default): clamped to
 * kfi_cpus_usable() unless KF_OVERSUBSCRIBE=1, and to KFI_MAX_WORKERS. */
int32_t kfi_workers_clamp(int32_t asked);

/* Called once in every thread that is about to run tiles: pool threads at their start, OpenMP
 * threads and callers at the start of each run. For thread-local set-up such as a BLAS's number of
 * threads. `leave` (may be NULL) is called on callers at the end of the run. Set before any run. */
void kfi_pool_on_enter(void (*enter)(void), void (*leave)(void));

/* Ends the threads; the next run makes new ones. No run may be under way. */
void kfi_pool_shutdown(void);

/* Workers and caller are pinned to CPUs for the length of a run if it uses every CPU of the
 * affinity mask, unless this is turned off (KF_PIN=0); the caller's affinity is restored. A thread
 * made by a tile inherits the pinning. */
void kfi_pool_pin(int on);

#endif
