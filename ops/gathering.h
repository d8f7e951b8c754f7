/* A gathering is a product of patches with weights whose rows land somewhere in an array: what a
 * convolution is, and each phase of its data gradient. How it is computed is chosen by shape
 * (conv_ways.h). */
#ifndef KFI_OPS_GATHERING_H
#define KFI_OPS_GATHERING_H

#include "ops/patches.h"
#include "ops/vectors.h"

/* Place i of an axis lands at i * step + first of an axis of `size`. */
typedef struct kfi_landing_axis {
    int64_t first, step, size;
} kfi_landing_axis;

typedef struct kfi_gathering {
    kfi_patches patches;
    int64_t batch, out; /* images; columns of the product */
    const float *w;     /* (patch values, out) in blocks of w_block columns, one after the other */
    int64_t w_block;    /* at least out: one block                                      */
    int64_t w_columns;  /* of all blocks: out, or rounded up to whole vectors           */
    const float *prepared; /* what a way has made of w (conv_ways.h) */
    kfi_landing_axis land[3];
    float *to;  /* (batch, sizes of land…, out) */
    bool exact; /* only ways that add up products as they are */
} kfi_gathering;

/* A rectangle of the product, and how a product is cut into such. */
typedef struct kfi_rectangle {
    kfi_range rows, columns;
} kfi_rectangle;

typedef struct kfi_blocks {
    int64_t rows, columns;           /* of one tile */
    int64_t row_tiles, column_tiles; /* how many    */
} kfi_blocks;

static inline int64_t kfi_gathered_rows(const kfi_gathering *g) {
    return g->batch * kfi_patch_positions(&g->patches);
}

static inline double kfi_gathered_flops(const kfi_gathering *g) {
    return 2 * (double)kfi_gathered_rows(g) * (double)kfi_patch_values(&g->patches) *
           (double)g->out;
}

static inline kfi_rectangle kfi_block_at(const kfi_gathering *g, const kfi_blocks *b,
                                         int64_t tile) {
    return (kfi_rectangle){
        kfi_tile_range(kfi_gathered_rows(g), b->rows, tile / b->column_tiles),
        kfi_tile_range(g->out, b->columns, tile % b->column_tiles),
    };
}

/* How far the rows of the block of weights that begins at `column` are apart. */
static inline int64_t kfi_weight_row(const kfi_gathering *g, int64_t column) {
    return kfi_smaller(g->w_block, g->w_columns - column);
}

/* Where row 0 of that block is. */
static inline int64_t kfi_weight_block(const kfi_gathering *g, int64_t column) {
    return column * kfi_patch_values(&g->patches);
}

/* Whether row i of the product is row i of the array. */
static inline bool kfi_lands_whole(const kfi_gathering *g) {
    for (int i = 0; i < 3; i++) {
        const kfi_landing_axis *l = &g->land[i];
        if (l->first != 0 || l->step != 1 || l->size != g->patches.axis[i].positions) return false;
    }
    return true;
}

/* Where row `row` of the product lands. */
static inline float *kfi_landing_row(const kfi_gathering *g, int64_t row) {
    const kfi_patch_axis *a = g->patches.axis;
    const kfi_landing_axis *l = g->land;
    const int64_t p2 = row % a[2].positions, rest = row / a[2].positions;
    const int64_t p1 = rest % a[1].positions, p0 = rest / a[1].positions % a[0].positions;
    const int64_t image = rest / a[1].positions / a[0].positions;
    const int64_t z0 = p0 * l[0].step + l[0].first, z1 = p1 * l[1].step + l[1].first;
    const int64_t z2 = p2 * l[2].step + l[2].first;
    return g->to + (((image * l[0].size + z0) * l[1].size + z1) * l[2].size + z2) * g->out;
}

/* Copies a rectangle of the product, its rows from_row apart, to its places. */
static inline void kfi_land(const kfi_gathering *g, kfi_rectangle at, const float *from,
                            int64_t from_row) {
    const int64_t width = at.columns.last - at.columns.first;
    const bool whole = kfi_lands_whole(g);
    for (int64_t row = at.rows.first; row < at.rows.last; row++, from += from_row) {
        float *to = (whole ? g->to + row * g->out : kfi_landing_row(g, row)) + at.columns.first;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) to[i] = from[i];
    }
}

/* What a rectangle leaves finished of the array. */
static inline kfi_region kfi_landed_region(const kfi_gathering *g, kfi_rectangle at) {
    if (!kfi_lands_whole(g)) return (kfi_region){0};
    return (kfi_region){.first = at.rows.first * g->out + at.columns.first,
                        .rows = at.rows.last - at.rows.first,
                        .width = at.columns.last - at.columns.first,
                        .stride = g->out};
}

#endif
