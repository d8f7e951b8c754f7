#include "scheduler/park.h"

#include "core/base/clock.h"
#include "scheduler/spin.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pause is about 40 ns here; so the clock is read about every 0.6 µs, a CPU given away every
 * 40 µs, or every look when threads outnumber CPUs. */
enum { LOOKS_PER_CLOCK = 16, LOOKS_PER_YIELD = 1024 };

static void sleep_while(_Atomic(int32_t) *word, int32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake_sleeper(_Atomic(int32_t) *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* True as soon as there is more; false when the time is over: at the first look if it is none. */
static bool search(int64_t spin_ns, bool crowded, kfi_park_more more, const void *subject) {
    const int64_t end = kfi_now_ns() + spin_ns;
    for (int32_t look = 0;; look++) {
        if (more(subject)) return true;
        kfi_spin_step(look, crowded ? 1 : LOOKS_PER_YIELD);
        if (look % LOOKS_PER_CLOCK == 0 && kfi_now_ns() > end) return false;
    }
}

static void stop_searching(kfi_park *park, uint64_t bit) {
    atomic_fetch_and_explicit(&park->searching, ~bit, memory_order_seq_cst);
}

/* Returns when woken, or at once if there was more after all and no waker had taken this thread
 * yet. A waker that has taken it counts on it, so its wake is waited for. */
static void sleep_in(kfi_park *park, int32_t seat, kfi_park_more more, const void *subject) {
    const uint64_t bit = UINT64_C(1) << seat;
    _Atomic(int32_t) *asleep = &park->seat[seat].asleep;
    /* relaxed: a waker writes the word only after it has seen the bit below */
    atomic_store_explicit(asleep, 1, memory_order_relaxed);
    atomic_fetch_or_explicit(&park->parked, bit, memory_order_seq_cst);
    stop_searching(park, bit);
    if (more(subject) &&
        (atomic_fetch_and_explicit(&park->parked, ~bit, memory_order_seq_cst) & bit))
        return;
    while (atomic_load_explicit(asleep, memory_order_acquire)) sleep_while(asleep, 1);
    stop_searching(park, bit); /* the waker made it a searcher */
}

void kfi_park_rest(kfi_park *park, int32_t seat, int64_t spin_ns, bool crowded, kfi_park_more more,
                   const void *subject) {
    const uint64_t bit = UINT64_C(1) << seat;
    atomic_fetch_or_explicit(&park->searching, bit, memory_order_seq_cst);
    if (search(spin_ns, crowded, more, subject))
        stop_searching(park, bit);
    else
        sleep_in(park, seat, more, subject);
}

void kfi_park_clear(kfi_park *park) {
    atomic_store(&park->searching, 0);
    atomic_store(&park->parked, 0);
}

bool kfi_park_wake(kfi_park *park, uint64_t seats) {
    uint64_t parked;
    while ((parked = atomic_load_explicit(&park->parked, memory_order_seq_cst) & seats) != 0) {
        const uint64_t bit = parked & -parked;
        if (!(atomic_fetch_and_explicit(&park->parked, ~bit, memory_order_seq_cst) & bit)) continue;
        _Atomic(int32_t) *asleep = &park->seat[__builtin_ctzll(bit)].asleep;
        atomic_fetch_or_explicit(&park->searching, bit, memory_order_seq_cst);
        atomic_store_explicit(asleep, 0, memory_order_release);
        wake_sleeper(asleep);
        return true;
    }
    return false;
}
