/* A gate lets threads into a run and lets its owner out last. One word says whether it is open and
 * how many are inside: entering counts and looks in the same operation, so an owner that has shut
 * the gate and then sees nobody inside is alone for good. */
#ifndef KFI_SCHEDULER_GATE_H
#define KFI_SCHEDULER_GATE_H

#include "scheduler/spin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct kfi_gate {
    _Atomic(uint32_t) word; /* KFI_GATE_OPEN by the owner, + 1 by each who is in */
} kfi_gate;

static const uint32_t KFI_GATE_OPEN = UINT32_C(1) << 31;
enum { KFI_GATE_LOOKS_PER_YIELD = 256 };

static inline void kfi_gate_open(kfi_gate *gate) {
    /* release: whoever is let in sees what the owner has set up */
    atomic_fetch_or_explicit(&gate->word, KFI_GATE_OPEN, memory_order_release);
}

static inline void kfi_gate_leave(kfi_gate *gate) {
    atomic_fetch_sub_explicit(&gate->word, 1, memory_order_release);
}

/* True if the thread is in now, and must leave. */
static inline bool kfi_gate_enter(kfi_gate *gate) {
    if (atomic_fetch_add_explicit(&gate->word, 1, memory_order_acquire) & KFI_GATE_OPEN)
        return true;
    kfi_gate_leave(gate);
    return false;
}

/* Shuts the gate, waits until nobody is inside, and has what they did there. */
static inline void kfi_gate_shut(kfi_gate *gate) {
    /* relaxed: what counts is what is read afterwards */
    atomic_fetch_and_explicit(&gate->word, ~KFI_GATE_OPEN, memory_order_relaxed);
    for (int32_t look = 0; atomic_load_explicit(&gate->word, memory_order_acquire) != 0; look++)
        kfi_spin_step(look, KFI_GATE_LOOKS_PER_YIELD);
}

#endif
