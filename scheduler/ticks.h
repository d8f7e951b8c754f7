/* Time for records. Where the CPU has a counter that runs at one rate, whatever the CPU does, a
 * look at it costs a third of a look at the clock (14 against 35 ns in a virtual machine);
 * elsewhere a tick is a nanosecond of CLOCK_MONOTONIC. */
#ifndef KFI_SCHEDULER_TICKS_H
#define KFI_SCHEDULER_TICKS_H

#include "core/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* How ticks become nanoseconds: ns + (ticks - this->ticks) * ns_each. */
typedef struct kfi_ticks {
    bool counted; /* by the CPU's counter */
    int64_t ticks, ns;
    double ns_each;
} kfi_ticks;

/* Looks at both clocks now. The first time in a process it takes some milliseconds. */
kfi_ticks kfi_ticks_begin(void);

/* Never 0, so that 0 may stand for no time. */
static inline int64_t kfi_ticks_now(bool counted) {
#if defined(__x86_64__)
    if (counted) return (int64_t)__builtin_ia32_rdtsc();
#else
    (void)counted;
#endif
    return kfi_now_ns();
}

static inline int64_t kfi_ticks_ns(const kfi_ticks *from, int64_t ticks) {
    return from->ns + (int64_t)((double)(ticks - from->ticks) * from->ns_each);
}

#endif
