/* The pool as executors see it. */
#ifndef KFI_SCHEDULER_THREADS_H
#define KFI_SCHEDULER_THREADS_H

#include "scheduler/cpus.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a thread in a run spins before it parks. */
int64_t kfi_pool_spin_ns(bool crowded);

/* Makes the threads that a run of so many workers wants, as far as the system allows; the run works
 * with any number of them. */
void kfi_pool_need(const kfi_cpus *cpus, int32_t workers);

/* Where the workers of a run stand. */
typedef struct kfi_stand {
    bool is_ours;   /* by this caller; else wherever another caller's run has put the threads */
    int32_t caller; /* the index of the caller's CPU, if every worker has one of its own;     */
                    /* else KFI_NOWHERE                                                       */
} kfi_stand;

/* If the run uses all CPUs and no other caller has the right to place threads, brings each thread
 * of the pool to a CPU of its own, beside the one that the caller is on. For a long run the caller
 * is kept there. To be undone by kfi_pool_disperse. */
kfi_stand kfi_pool_place(const kfi_cpus *cpus, int32_t workers, bool for_long);
void kfi_pool_disperse(kfi_stand stand);

/* The index of the CPU of a worker that stands like this. */
static inline int32_t kfi_stand_of(kfi_stand stand, int32_t worker) {
    if (worker == 0) return stand.caller;
    return worker == stand.caller ? 0 : worker;
}

/* The hooks of kfi_pool_on_enter. Here, since a run that finds nothing in the caches spends its
 * time on fetching code. */
typedef struct kfi_hooks {
    void (*enter)(void), (*leave)(void); /* may be NULL */
} kfi_hooks;

extern kfi_hooks kfi_pool_hooks;

static inline void kfi_pool_enter(void) {
    if (kfi_pool_hooks.enter) kfi_pool_hooks.enter();
}

static inline void kfi_pool_leave(void) {
    if (kfi_pool_hooks.leave) kfi_pool_hooks.leave();
}

#endif
