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

static size_t rounded(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Storages that have a place, by offset. */
typedef struct placed {
    kfi_storage **items;
    int64_t count;
} placed;

/* The lowest offset where `storage` overlaps none that may be alive with it. */
static size_t lowest_gap(const precedence *order, const placed *others,
                         const kfi_storage *storage) {
    const size_t bytes = rounded(storage->bytes);
    size_t at = 0;
    for (int64_t i = 0; i < others->count; i++) {
        const kfi_storage *other = others->items[i];
        const size_t end = other->offset + rounded(other->bytes);
        if (end <= at || may_overlap(order, storage, other)) continue;
        if (other->offset >= at && other->offset - at >= bytes) break;
        at = end;
    }
    return at;
}

static void insert(placed *others, kfi_storage *storage) {
    int64_t at = others->count++;
    while (at > 0 && others->items[at - 1]->offset > storage->offset) at--;
    memmove(others->items + at + 1, others->items + at,
            (size_t)(others->count - 1 - at) * sizeof *others->items);
    others->items[at] = storage;
}

static void place_all(kfi_plan *plan, const precedence *order, kfi_storage **sorted, int64_t n,
                      placed *others) {
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    for (int64_t i = 0; i < n; i++) {
        sorted[i]->offset = lowest_gap(order, others, sorted[i]);
        insert(others, sorted[i]);
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
            if (plan->storages[i].writer >= 0 && !plan->storages[i].outside &&
                !plan->storages[i].local)
                sorted[n++] = &plan->storages[i];
        placed others = {sorted + plan->n_storages, 0};
        place_all(plan, &order, sorted, n, &others);
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
