/* A ready set is a set of small numbers from which the smallest is taken first. Tasks are numbered
 * by descending rank, so the smallest is the most critical one.
 *
 * Two levels of bits: words of 64 numbers, and one `top` word whose bit b says that the words of
 * group b may hold something. A top bit is set after its word, and cleared only by a thread that
 * found the whole group empty and looks again afterwards, so nothing stays unseen. */
#ifndef KFI_SCHEDULER_READY_SET_H
#define KFI_SCHEDULER_READY_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { KFI_NONE = -1 };

typedef struct kfi_ready_set {
    _Alignas(64) _Atomic(uint64_t) top; /* written by all; may be read without being in the run */
    _Atomic(uint64_t) *words;           /* the pointer and the counts: by the run's owner */
    int32_t n_words;
    int32_t group_shift; /* a group is 1 << group_shift words */
} kfi_ready_set;

static inline int32_t kfi_ready_words(int32_t n) { return (n + 63) / 64; }

/* An empty set over `words`, which must be zero and enough for numbers below n. */
void kfi_ready_init(kfi_ready_set *set, _Atomic(uint64_t) *words, int32_t n);

/* Adds the numbers 64 * word + (bits of mask). Sequentially consistent: see park.h. */
void kfi_ready_add(kfi_ready_set *set, int32_t word, uint64_t mask);

/* Removes a number; false if another thread was faster. */
bool kfi_ready_remove(kfi_ready_set *set, int32_t number);

/* The smallest number, which another thread may take first; KFI_NONE if there is none. */
int32_t kfi_ready_peek(const kfi_ready_set *set);

/* The same, and clears the top bits of groups found empty. `hid` becomes true if meanwhile the set
 * looked empty to others although it was not: somebody may have gone to sleep over it, and should
 * be woken if anything is left. */
int32_t kfi_ready_first(kfi_ready_set *set, bool *hid);

/* Takes the smallest number, for this thread alone; KFI_NONE if there is none. */
int32_t kfi_ready_take(kfi_ready_set *set, bool *hid);

/* False only if the set was empty, or a thread that will look again is clearing its top. */
static inline bool kfi_ready_some(const kfi_ready_set *set) {
    return atomic_load_explicit(&set->top, memory_order_seq_cst) != 0;
}

/* How many numbers share the word of the smallest: a cheap lower bound of the set's size. */
int32_t kfi_ready_near(const kfi_ready_set *set, int32_t number);

#endif
