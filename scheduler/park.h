/* A park is where threads without work wait, one bit and one futex word each.
 *
 * A thread first searches (spins); while somebody searches, nobody is woken, for the searcher will
 * see what was published. Then it parks. A waker takes one parked thread, which comes back as a
 * searcher: so one wake is under way at a time, and the woken thread wakes the next one if there is
 * more to do.
 *
 * Why no wake-up is lost: a publisher changes a word that `more` looks at, and then reads
 * `searching` and `parked`; a thread going to park sets `parked`, clears `searching`, and then asks
 * `more`. All of it is sequentially consistent, so one of the two sees the other. With weaker
 * orders both may miss (the store-buffer pattern), and the thread sleeps beside the work. */
#ifndef KFI_SCHEDULER_PARK_H
#define KFI_SCHEDULER_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { KFI_PARK_SEATS = 64 };

typedef struct kfi_park {
    _Alignas(64) _Atomic(uint64_t) searching; /* by each thread for itself, and by its waker */
    _Alignas(64) _Atomic(uint64_t) parked;    /* by each thread for itself; cleared by its waker */
    _Atomic(uint64_t) dozing;                 /* with an alarm set: by each thread for itself    */
    struct {
        _Alignas(64) _Atomic(int32_t) asleep; /* 1 by the thread, 0 by its waker */
    } seat[KFI_PARK_SEATS];
} kfi_park;

/* Is there something to do, so that it is wrong to sleep? Its loads must be seq_cst. */
typedef bool (*kfi_park_more)(const void *subject);

static inline bool kfi_park_searching(const kfi_park *park, uint64_t seats) {
    return (atomic_load_explicit(&park->searching, memory_order_seq_cst) & seats) != 0;
}

/* When there will be more, by kfi_now_ns; KFI_PARK_NEVER if that is not known. */
typedef int64_t (*kfi_park_expected)(const void *subject);

static const int64_t KFI_PARK_NEVER = INT64_MAX;

typedef struct kfi_rest {
    int64_t spin_ns;
    bool crowded; /* there are more threads than CPUs, so the spinning gives its CPU away */
    kfi_park_more more;
    kfi_park_expected expected; /* NULL: nothing ever is */
    const void *subject;
} kfi_rest;

/* Spins for a while until there is more, then sleeps until woken, or until shortly before more is
 * expected. After it the thread no longer counts as searching: it must look for work, and wake the
 * next one if it leaves some. */
void kfi_park_rest(kfi_park *park, int32_t seat, const kfi_rest *rest);

/* Whether one of the parked `seats` sleeps without knowing when to get up: a hint. */
bool kfi_park_sleeps(const kfi_park *park, uint64_t seats);

/* Nobody is in the park. */
void kfi_park_clear(kfi_park *park);

/* Wakes one of the parked `seats`; false if none is parked. */
bool kfi_park_wake(kfi_park *park, uint64_t seats);

#endif
