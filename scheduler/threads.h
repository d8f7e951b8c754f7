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

/* Brings the calling thread to the CPU of worker 0, where the pinned threads of the pool are not,
 * if pinning is on and no other caller has it; for a long run it is kept there. To be undone by
 * kfi_pool_unpin_caller if it returned true. */
bool kfi_pool_pin_caller(const kfi_cpus *cpus, bool for_long);
void kfi_pool_unpin_caller(void);

/* The hooks of kfi_pool_on_enter. */
void kfi_pool_enter(void);
void kfi_pool_leave(void);

#endif
