#include "scheduler/park.h"

#include "core/base/clock.h"
#include "scheduler/policy.h"
#include "scheduler/spin.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A pause is about 40 ns here; so the clock is read about every 0.6 µs, a CPU given away every
 * 40 µs, or every look when threads outnumber CPUs. */
enum { LOOKS_PER_CLOCK = 16, LOOKS_PER_YIELD = 1024 };

/* A shorter sleep is not worth the system call. */
static const int64_t LEAST_ALARM_NS = 50000;

/* Until the word has changed, or someone wakes for another reason, or the alarm goes off. */
static void sleep_while(_Atomic(int32_t) *word, int32_t value, const struct timespec *alarm) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, alarm, NULL, 0);
}

static void wake_sleeper(_Atomic(int32_t) *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static int64_t expected(const kfi_rest *rest) {
    return rest->expected ? rest->expected(rest->subject) : KFI_PARK_NEVER;
}

/* How long it is worth sleeping before something that is expected; 0 if that is not known. */
static int64_t alarm_ns(const kfi_rest *rest) {
    const int64_t when = expected(rest);
    if (when == KFI_PARK_NEVER) return 0;
    const int64_t left_ns = when - kfi_now_ns() - (int64_t)KFI_LEAD_NS;
    return left_ns > LEAST_ALARM_NS ? left_ns : 0;
}

/* True as soon as there is more; false when the time is over: at the first look if it is none. What
 * is expected soon is waited for. */
static bool search(const kfi_rest *rest) {
    const int64_t now = kfi_now_ns(), when = expected(rest);
    const bool is_soon = when - now < (int64_t)KFI_LEAD_NS + LEAST_ALARM_NS;
    const int64_t end = (is_soon && when > now ? when : now) + rest->spin_ns;
    if (!is_soon && when != KFI_PARK_NEVER) return rest->more(rest->subject);
    for (int32_t look = 0;; look++) {
        if (rest->more(rest->subject)) return true;
        kfi_spin_step(look, rest->crowded ? 1 : LOOKS_PER_YIELD);
        if (look % LOOKS_PER_CLOCK == 0 && kfi_now_ns() > end) return false;
    }
}

static void stop_searching(kfi_park *park, uint64_t bit) {
    atomic_fetch_and_explicit(&park->searching, ~bit, memory_order_seq_cst);
}

/* True if no waker had taken this thread yet. One that has counts on it, so its wake is waited for.
 */
static bool stand_up(kfi_park *park, uint64_t bit) {
    return atomic_fetch_and_explicit(&park->parked, ~bit, memory_order_seq_cst) & bit;
}

/* Sleeps until the alarm, without one until woken. True if woken. */
static bool sleep_until(kfi_park *park, uint64_t bit, _Atomic(int32_t) *asleep, int64_t ns) {
    const struct timespec alarm = {ns / 1000000000, ns % 1000000000};
    if (ns > 0) {
        atomic_fetch_or_explicit(&park->dozing, bit, memory_order_relaxed);
        sleep_while(asleep, 1, &alarm);
        atomic_fetch_and_explicit(&park->dozing, ~bit, memory_order_relaxed);
        if (stand_up(park, bit)) return false;
    }
    while (atomic_load_explicit(asleep, memory_order_acquire)) sleep_while(asleep, 1, NULL);
    return true;
}

/* Returns when woken, when the alarm goes off, or at once if there was more after all. */
static void sleep_in(kfi_park *park, int32_t seat, const kfi_rest *rest) {
    const uint64_t bit = UINT64_C(1) << seat;
    _Atomic(int32_t) *asleep = &park->seat[seat].asleep;
    /* relaxed: a waker writes the word only after it has seen the bit below */
    atomic_store_explicit(asleep, 1, memory_order_relaxed);
    atomic_fetch_or_explicit(&park->parked, bit, memory_order_seq_cst);
    stop_searching(park, bit);
    if (rest->more(rest->subject) && stand_up(park, bit)) return;
    if (sleep_until(park, bit, asleep, alarm_ns(rest)))
        stop_searching(park, bit); /* the waker made it a searcher */
}

void kfi_park_rest(kfi_park *park, int32_t seat, const kfi_rest *rest) {
    const uint64_t bit = UINT64_C(1) << seat;
    atomic_fetch_or_explicit(&park->searching, bit, memory_order_seq_cst);
    if (search(rest))
        stop_searching(park, bit);
    else
        sleep_in(park, seat, rest);
}

bool kfi_park_sleeps(const kfi_park *park, uint64_t seats) {
    const uint64_t dozing = atomic_load_explicit(&park->dozing, memory_order_relaxed);
    return (atomic_load_explicit(&park->parked, memory_order_relaxed) & ~dozing & seats) != 0;
}

void kfi_park_clear(kfi_park *park) {
    atomic_store(&park->searching, 0);
    atomic_store(&park->parked, 0);
    atomic_store(&park->dozing, 0);
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
