/* What a thread does between two looks at a word that another thread will change. */
#ifndef KFI_SCHEDULER_SPIN_H
#define KFI_SCHEDULER_SPIN_H

#include <sched.h>
#include <stdint.h>

/* Tells the CPU that this is a waiting loop: it frees shared core resources and saves power. */
static inline void kfi_spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The nth look: mostly a pause, now and then the CPU for somebody else, since the thread that is
 * waited for may stand behind this one on the same CPU. */
static inline void kfi_spin_step(int32_t n, int32_t looks_per_yield) {
    if (n % looks_per_yield == looks_per_yield - 1)
        sched_yield();
    else
        kfi_spin_pause();
}

#endif
