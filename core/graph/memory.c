/* Where the arena's values live. Every pair that could be alive at the same time, whatever the
 * scheduler does, is kept apart; so reuse never makes a step wait for another. Largest first, each
 * at the lowest place that is free: the usual greedy for this NP-hard problem (Pisarchyk & Lee,
 * "Efficient memory management for deep neural net inference", 2020, "greedy by size"). */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <stdlib.h>
#include <string.h>

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

/* A storage as placing it sees it. Every pair is looked at, so this is what fits into a cache: of
 * the users only those that no other user waits for, since the others are done when these are; and
 * those that wait for no other, who write first (where pieces are put together, several). */
typedef struct span {
    kfi_storage *storage;
    size_t offset, bytes;
    int32_t writer, last; /* the first and last user's number, INT32_MAX where the value is kept */
    int32_t n_final, n_first;
    const int32_t *final, *first; /* users; of the final ones the last one first */
} span;

static bool dead_before(const precedence *order, const span *a, const span *b) {
    if (a->last >= b->writer) return false; /* who waits has the larger number */
    for (int32_t i = 0; i < a->n_final; i++)
        for (int32_t k = 0; k < b->n_first; k++)
            if (!comes_before(order, a->final[i], b->first[k])) return false;
    return true;
}

static bool may_overlap(const precedence *order, const span *a, const span *b) {
    return dead_before(order, a, b) || dead_before(order, b, a);
}

/* Larger first; among equals the earlier writer, so that the result is always the same. */
static int by_size(const void *left, const void *right) {
    const span *a = left, *b = right;
    const size_t left_bytes = a->storage->bytes, right_bytes = b->storage->bytes;
    if (left_bytes != right_bytes) return left_bytes < right_bytes ? 1 : -1;
    if (a->writer != b->writer) return a->writer < b->writer ? -1 : 1;
    return a->storage < b->storage ? -1 : a->storage > b->storage;
}

/* Spans that have a place, by offset. */
typedef struct placed {
    span **items;
    int64_t count;
} placed;

/* The lowest offset where `one` overlaps none that may be alive with it; `below` is what it stands
 * upon there, NULL on the ground. */
static size_t lowest_gap(const precedence *order, const placed *others, const span *one,
                         const span **below) {
    size_t at = 0;
    *below = NULL;
    for (int64_t i = 0; i < others->count; i++) {
        const span *other = others->items[i];
        const size_t end = other->offset + other->bytes;
        if (end <= at || may_overlap(order, one, other)) continue;
        if (other->offset >= at && other->offset - at >= one->bytes) break;
        at = end;
        *below = other;
    }
    return at;
}

static void insert(placed *others, span *one) {
    int64_t first = 0, end = others->count; /* behind all with this offset or a lower one */
    while (first < end) {
        const int64_t middle = (first + end) / 2;
        if (others->items[middle]->offset > one->offset)
            end = middle;
        else
            first = middle + 1;
    }
    memmove(others->items + first + 1, others->items + first,
            (size_t)(others->count - first) * sizeof *others->items);
    others->items[first] = one;
    others->count++;
}

/* Users stand in the order of their numbers. Returns how many are final. */
static int32_t find_final(const precedence *order, const kfi_storage *storage, int32_t *final) {
    int32_t n = 0;
    for (int64_t i = storage->n_users - 1; i >= 0; i--) {
        bool waited_for = false;
        for (int32_t k = 0; k < n && !waited_for; k++)
            waited_for =
                final[k] == storage->users[i] || comes_before(order, storage->users[i], final[k]);
        if (!waited_for) final[n++] = storage->users[i];
    }
    return n;
}

static int32_t find_first(const precedence *order, const kfi_storage *storage, int32_t *first) {
    int32_t n = 0;
    for (int64_t i = 0; i < storage->n_users; i++) {
        bool waits = false;
        for (int32_t k = 0; k < n && !waits; k++)
            waits =
                first[k] == storage->users[i] || comes_before(order, first[k], storage->users[i]);
        if (!waits) first[n++] = storage->users[i];
    }
    return n;
}

/* Returns how many there are; `users` has room for those of all. */
static int64_t make_spans(const kfi_plan *plan, const precedence *order, span *spans,
                          int32_t *users) {
    int64_t n = 0;
    for (int64_t i = 0; i < plan->n_storages; i++) {
        kfi_storage *storage = &plan->storages[i];
        if (!kfi_storage_in_arena(storage)) continue;
        span *one = &spans[n++];
        *one = (span){.storage = storage,
                      .bytes = kfi_placed_bytes(storage->bytes),
                      .writer = storage->n_users > 0 ? storage->users[0] : storage->writer,
                      .last = INT32_MAX,
                      .first = users};
        one->n_first = find_first(order, storage, users);
        users += one->n_first;
        one->final = users;
        if (storage->kept) continue;
        one->n_final = find_final(order, storage, users);
        one->last = one->n_final > 0 ? users[0] : -1;
        users += one->n_final;
    }
    return n;
}

static void place_all(kfi_plan *plan, const precedence *order, span *spans, int64_t n,
                      placed *others) {
    plan->peak_bytes = 0;
    qsort(spans, (size_t)n, sizeof *spans, by_size);
    for (int64_t i = 0; i < n; i++) {
        const span *below;
        kfi_storage *storage = spans[i].storage;
        storage->offset = spans[i].offset = lowest_gap(order, others, &spans[i], &below);
        storage->below = below ? (int32_t)(below->storage - plan->storages) : -1;
        insert(others, &spans[i]);
        const size_t end = spans[i].offset + spans[i].bytes;
        if (end > plan->peak_bytes) plan->peak_bytes = end;
    }
}

kf_status kfi_plan_place(kfi_plan *plan) {
    size_t n_users = 0;
    for (int64_t i = 0; i < plan->n_storages; i++) n_users += (size_t)plan->storages[i].n_users;
    precedence order = {NULL, 0};
    span *spans = kfi_alloc((size_t)plan->n_storages, sizeof *spans);
    placed others = {kfi_alloc((size_t)plan->n_storages, sizeof *others.items), 0};
    int32_t *users = kfi_alloc(2 * n_users + 1, sizeof *users);
    kf_status status = spans && others.items && users ? find_order(plan, &order) : KF_MEMORY;
    if (status == KF_OK)
        place_all(plan, &order, spans, make_spans(plan, &order, spans, users), &others);
    kfi_free(order.bits);
    kfi_free(users);
    kfi_free(others.items);
    kfi_free(spans);
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
