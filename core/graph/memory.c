/* Where the arena's values live. Every pair that could be alive at the same time, whatever the
 * scheduler does, is kept apart; so reuse never makes a step wait for another. Largest first, each
 * at the lowest place that is free: the usual greedy for this NP-hard problem (Pisarchyk & Lee,
 * "Efficient memory management for deep neural net inference", 2020, "greedy by size"). */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* before[s] has the bit of every step that must be done before step s starts. */
typedef struct precedence {
    uint64_t *bits;
    size_t words;
} precedence;

static bool comes_before(const precedence *order, int32_t a, int32_t b) {
    return order->bits[(size_t)b * order->words + (size_t)a / 64] >> (a % 64) & 1;
}

static kf_status find_order(const kfi_plan *plan, precedence *order) {
    order->words = ((size_t)plan->n_steps + 63) / 64;
    order->bits = kfi_alloc((size_t)plan->n_steps * order->words, sizeof *order->bits);
    if (!order->bits) return KF_MEMORY;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        uint64_t *mine = order->bits + (size_t)s * order->words;
        for (int32_t i = 0; i < plan->steps[s].n_waits_for; i++) {
            const int32_t p = plan->steps[s].waits_for[i];
            const uint64_t *theirs = order->bits + (size_t)p * order->words;
            for (size_t w = 0; w < order->words; w++) mine[w] |= theirs[w];
            mine[p / 64] |= UINT64_C(1) << (p % 64);
        }
    }
    return KF_OK;
}

static bool dead_before(const precedence *order, const kfi_storage *a, const kfi_storage *b) {
    if (a->kept) return false;
    for (int64_t i = 0; i < a->n_users; i++)
        if (!comes_before(order, a->users[i], b->writer)) return false;
    return true;
}

static bool may_overlap(const precedence *order, const kfi_storage *a, const kfi_storage *b) {
    return dead_before(order, a, b) || dead_before(order, b, a);
}

/* Larger first; among equals the earlier writer, so that the result is always the same. */
static int by_size(const void *left, const void *right) {
    const kfi_storage *a = *(kfi_storage *const *)left, *b = *(kfi_storage *const *)right;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    if (a->writer != b->writer) return a->writer < b->writer ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_offset(const void *left, const void *right) {
    const kfi_storage *a = *(kfi_storage *const *)left, *b = *(kfi_storage *const *)right;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static size_t rounded(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* The lowest offset where `storage` overlaps none of the rivals, which are sorted by offset. */
static size_t lowest_gap(const kfi_storage *storage, kfi_storage *const *rivals, int64_t n_rivals) {
    size_t at = 0;
    for (int64_t i = 0; i < n_rivals; i++) {
        if (rivals[i]->offset >= at && rivals[i]->offset - at >= rounded(storage->bytes)) break;
        const size_t end = rivals[i]->offset + rounded(rivals[i]->bytes);
        if (end > at) at = end;
    }
    return at;
}

static void place_all(kfi_plan *plan, const precedence *order, kfi_storage **sorted, int64_t n,
                      kfi_storage **rivals) {
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    for (int64_t i = 0; i < n; i++) {
        int64_t n_rivals = 0;
        for (int64_t j = 0; j < i; j++)
            if (!may_overlap(order, sorted[i], sorted[j])) rivals[n_rivals++] = sorted[j];
        qsort(rivals, (size_t)n_rivals, sizeof *rivals, by_offset);
        sorted[i]->offset = lowest_gap(sorted[i], rivals, n_rivals);
        const size_t end = sorted[i]->offset + rounded(sorted[i]->bytes);
        if (end > plan->peak_bytes) plan->peak_bytes = end;
    }
}

kf_status kfi_plan_place(kfi_plan *plan) {
    precedence order = {NULL, 0};
    kfi_storage **sorted = kfi_alloc(2 * (size_t)plan->n_storages, sizeof *sorted);
    kf_status status = sorted ? find_order(plan, &order) : KF_MEMORY;
    if (status == KF_OK) {
        int64_t n = 0;
        for (int64_t i = 0; i < plan->n_storages; i++)
            if (plan->storages[i].writer >= 0 && !plan->storages[i].outside)
                sorted[n++] = &plan->storages[i];
        place_all(plan, &order, sorted, n, sorted + plan->n_storages);
    }
    kfi_free(order.bits);
    kfi_free(sorted);
    return status;
}

kf_status kfi_arena_reserve(kfi_arena *arena, size_t bytes) {
    if (arena->bytes >= bytes) return KF_OK;
    void *buffer = kfi_alloc_buffer(bytes);
    if (!buffer) return KF_MEMORY;
    kfi_free_buffer(arena->buffer, arena->bytes);
    *arena = (kfi_arena){buffer, bytes};
    return KF_OK;
}

void kfi_arena_free(kfi_arena *arena) {
    kfi_free_buffer(arena->buffer, arena->bytes);
    *arena = (kfi_arena){NULL, 0};
}
