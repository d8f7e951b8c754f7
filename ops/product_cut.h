/* How a product (m, k) x (k, n) is cut into tiles: rectangles of the result, and where these are
 * few and k is long, slices of k, which are multiplied apart in scratch and added in a fixed order.
 */
#ifndef KFI_OPS_PRODUCT_CUT_H
#define KFI_OPS_PRODUCT_CUT_H

#include "ops/elements.h"

#include <string.h>

typedef struct kfi_product_cut {
    int64_t m, n, k;
    bool ta, tb;                    /* which factors are stored transposed */
    int way;                        /* to multiply: the op's own numbers   */
    int64_t tile_m, tile_n, slices; /* of the result, and of k */
} kfi_product_cut;

enum { KFI_ADDED_AT_ONCE = 4096 }; /* floats of the result, from all slices */

static inline int64_t kfi_count_rectangles(const kfi_product_cut *cut) {
    return kfi_tile_count(cut->m, cut->tile_m) * kfi_tile_count(cut->n, cut->tile_n);
}

/* Tiles of stage 0, which multiplies, and of stage 1, which adds. */
static inline int64_t kfi_cut_tiles(const kfi_product_cut *cut) {
    return cut->slices * kfi_count_rectangles(cut);
}

static inline int64_t kfi_cut_additions(const kfi_product_cut *cut) {
    return cut->slices > 1 ? kfi_tile_count(cut->m * cut->n, KFI_ADDED_AT_ONCE) : 0;
}

static inline size_t kfi_cut_scratch(const kfi_product_cut *cut) {
    return cut->slices > 1 ? (size_t)(cut->slices * cut->m * cut->n) * sizeof(float) : 0;
}

/* What a tile computes: a rectangle, from a range of k. */
typedef struct kfi_product_piece {
    kfi_range rows, columns, depth;
    int64_t slice;
} kfi_product_piece;

static inline kfi_product_piece kfi_cut_piece(const kfi_product_cut *cut, int64_t tile) {
    const int64_t across = kfi_tile_count(cut->n, cut->tile_n);
    const int64_t rectangles = kfi_count_rectangles(cut), rectangle = tile % rectangles;
    return (kfi_product_piece){.rows = kfi_tile_range(cut->m, cut->tile_m, rectangle / across),
                               .columns = kfi_tile_range(cut->n, cut->tile_n, rectangle % across),
                               .depth = kfi_slice_range(cut->k, cut->slices, tile / rectangles),
                               .slice = tile / rectangles};
}

/* Where the piece begins: in the result, or in its slice. */
static inline float *kfi_cut_target(const kfi_product_cut *cut, const kfi_product_piece *at,
                                    const kfi_call *call) {
    float *c =
        cut->slices > 1 ? (float *)call->scratch + at->slice * cut->m * cut->n : kfi_out(call, 0);
    return c + at->rows.first * cut->n + at->columns.first;
}

static inline void kfi_add_slices(const kfi_product_cut *cut, const kfi_call *call, int64_t tile) {
    const int64_t count = cut->m * cut->n;
    const kfi_range range = kfi_tile_range(count, KFI_ADDED_AT_ONCE, tile);
    const float *partial = call->scratch;
    float *c = kfi_out(call, 0);
    memcpy(c + range.first, partial + range.first,
           (size_t)(range.last - range.first) * sizeof(float));
    for (int64_t slice = 1; slice < cut->slices; slice++) {
        const float *part = partial + slice * count;
#pragma omp simd
        for (int64_t i = range.first; i < range.last; i++) c[i] += part[i];
    }
}

/* A rectangle of the result, or, where slices are added up, some of it at the end. */
static inline kfi_region kfi_cut_region(const kfi_product_cut *cut, int stage, int64_t tile) {
    if (stage == (cut->slices == 1)) return (kfi_region){0};
    if (stage == 1) {
        const kfi_range range = kfi_tile_range(cut->m * cut->n, KFI_ADDED_AT_ONCE, tile);
        return (kfi_region){range.first, 1, range.last - range.first, range.last - range.first};
    }
    const kfi_product_piece at = kfi_cut_piece(cut, tile);
    return (kfi_region){at.rows.first * cut->n + at.columns.first, at.rows.last - at.rows.first,
                        at.columns.last - at.columns.first, cut->n};
}

#endif
