/* How work is cut: ranges of a count, by shape alone, and what a call moves through memory. */
#ifndef KFI_OPS_TILES_H
#define KFI_OPS_TILES_H

#include "ops/elements.h"

/* Elements that a tile of a memory-bound kernel goes through: some 20–50 µs. */
enum { KFI_TILE_ELEMENTS = 64 * 1024 };

typedef struct kfi_range {
    int64_t first, last; /* [first, last) */
} kfi_range;

static inline int64_t kfi_divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t kfi_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t kfi_larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t kfi_clamp(int64_t a, int64_t low, int64_t high) {
    return kfi_smaller(kfi_larger(a, low), high);
}

/* Tiles of `step` items each that cover `count`: at least one, so that a stage always ends. */
static inline int64_t kfi_tile_count(int64_t count, int64_t step) {
    return kfi_larger(kfi_divide_up(count, step), 1);
}

static inline kfi_range kfi_tile_range(int64_t count, int64_t step, int64_t tile) {
    return (kfi_range){kfi_smaller(tile * step, count), kfi_smaller((tile + 1) * step, count)};
}

/* The part of `count` items that is slice `slice` of `slices` nearly equal ones. */
static inline kfi_range kfi_slice_range(int64_t count, int64_t slices, int64_t slice) {
    return kfi_tile_range(count, kfi_divide_up(count, slices), slice);
}

/* Bytes of all operands, each touched once. */
static inline double kfi_call_bytes(const kfi_call *call) { return kfi_copy_cost(call).bytes; }

#endif
