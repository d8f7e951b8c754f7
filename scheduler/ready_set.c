#include "scheduler/ready_set.h"

void kfi_ready_init(kfi_ready_set *set, _Atomic(uint64_t) *words, int32_t n) {
    set->words = words;
    set->n_words = kfi_ready_words(n);
    set->group_shift = 0;
    while (((set->n_words - 1) >> set->group_shift) >= 64) set->group_shift++;
    atomic_store_explicit(&set->top, 0, memory_order_relaxed);
}

void kfi_ready_add(kfi_ready_set *set, int32_t word, uint64_t mask) {
    const uint64_t before = atomic_fetch_or_explicit(&set->words[word], mask, memory_order_seq_cst);
    if (before == 0)
        atomic_fetch_or_explicit(&set->top, UINT64_C(1) << (word >> set->group_shift),
                                 memory_order_seq_cst);
}

bool kfi_ready_remove(kfi_ready_set *set, int32_t number) {
    const uint64_t bit = UINT64_C(1) << (number % 64);
    /* acquire: what led to the task being ready; release: for whoever adds it again */
    return atomic_fetch_and_explicit(&set->words[number / 64], ~bit, memory_order_acq_rel) & bit;
}

/* The first word of a group that holds something, KFI_NONE if all are empty. */
static int32_t first_word(const kfi_ready_set *set, int32_t group, memory_order order,
                          uint64_t *bits) {
    const int32_t begin = group << set->group_shift;
    int32_t end = begin + (1 << set->group_shift);
    if (end > set->n_words) end = set->n_words;
    for (int32_t word = begin; word < end; word++) {
        *bits = atomic_load_explicit(&set->words[word], order);
        if (*bits) return word;
    }
    return KFI_NONE;
}

int32_t kfi_ready_peek(const kfi_ready_set *set) {
    uint64_t groups = atomic_load_explicit(&set->top, memory_order_relaxed), bits;
    for (; groups; groups &= groups - 1) {
        const int32_t word = first_word(set, __builtin_ctzll(groups), memory_order_relaxed, &bits);
        if (word >= 0) return 64 * word + __builtin_ctzll(bits);
    }
    return KFI_NONE;
}

/* Clears the top bit of a group that looked empty. Whoever adds to the group between the look and
 * the clearing may have set it before us; hence the second look, in seq_cst order. */
static bool clear_top(kfi_ready_set *set, int32_t group) {
    const uint64_t bit = UINT64_C(1) << group;
    uint64_t bits;
    atomic_fetch_and_explicit(&set->top, ~bit, memory_order_seq_cst);
    if (first_word(set, group, memory_order_seq_cst, &bits) < 0) return true;
    atomic_fetch_or_explicit(&set->top, bit, memory_order_seq_cst);
    return false;
}

int32_t kfi_ready_first(kfi_ready_set *set, bool *hid) {
    uint64_t groups, bits;
    while ((groups = atomic_load_explicit(&set->top, memory_order_relaxed)) != 0) {
        const int32_t group = __builtin_ctzll(groups);
        const int32_t word = first_word(set, group, memory_order_relaxed, &bits);
        if (word >= 0) return 64 * word + __builtin_ctzll(bits);
        if (!clear_top(set, group)) *hid = true;
    }
    return KFI_NONE;
}

int32_t kfi_ready_take(kfi_ready_set *set, bool *hid) {
    int32_t number;
    while ((number = kfi_ready_first(set, hid)) != KFI_NONE)
        if (kfi_ready_remove(set, number)) return number;
    return KFI_NONE;
}

int32_t kfi_ready_near(const kfi_ready_set *set, int32_t number) {
    return __builtin_popcountll(
        atomic_load_explicit(&set->words[number / 64], memory_order_relaxed));
}
