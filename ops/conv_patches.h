/* A gathering as copied patches times weights by the BLAS, tile by tile: for kernels of size 1,
 * whose patches are the source itself, and for what no other way takes. */
#ifndef KFI_OPS_CONV_PATCHES_H
#define KFI_OPS_CONV_PATCHES_H

#include "ops/convolution.h"
#include "ops/gathering.h"
#include "ops/kernels/gemm.h"

/* Blocks of rows, and where these are few and heavy, of columns too, at the price of gathering the
 * patches again. */
static inline kfi_blocks kfi_patches_cut(const kfi_gathering *g) {
    const int64_t rows = kfi_gathered_rows(g), k = kfi_patch_values(&g->patches);
    const double row_flops = 2.0 * (double)kfi_larger(k, 1) * (double)kfi_larger(g->out, 1);
    const int64_t fitting = KFI_CONV_PATCH_BYTES / (int64_t)sizeof(float) / kfi_larger(k, 1);
    const int64_t working = (int64_t)(KFI_CONV_TILE_FLOPS / row_flops);
    const int64_t writing = KFI_TILE_ELEMENTS / kfi_larger(g->out, 1); /* for the next in a chain */
    const int64_t wanted =
        kfi_larger(kfi_smaller(kfi_smaller(working, writing), fitting), KFI_CONV_MIN_ROWS);
    kfi_blocks b = {.row_tiles = kfi_tile_count(rows, wanted), .columns = kfi_larger(g->out, 1)};
    b.rows = kfi_larger(kfi_divide_up(rows, b.row_tiles), 1); /* equal ones */
    const int64_t heavy = (int64_t)(row_flops * (double)b.rows / (3 * KFI_CONV_TILE_FLOPS));
    if (b.row_tiles < KFI_CONV_FEW_TILES && heavy > 1)
        b.columns = kfi_divide_up(kfi_divide_up(g->out, heavy), KFI_CONV_COLUMN_STEP) *
                    KFI_CONV_COLUMN_STEP;
    b.column_tiles = kfi_tile_count(g->out, b.columns);
    return b;
}

static inline int64_t kfi_patches_tiles(const kfi_gathering *g) {
    const kfi_blocks b = kfi_patches_cut(g);
    return b.row_tiles * b.column_tiles;
}

/* The patches of a block, then its part of the product where that does not land in one piece. */
static inline size_t kfi_patches_local_bytes(const kfi_gathering *g) {
    const kfi_blocks b = kfi_patches_cut(g);
    const int64_t values = kfi_patches_are_source(&g->patches) ? 0 : kfi_patch_values(&g->patches);
    return (size_t)(b.rows * (values + (kfi_lands_whole(g) ? 0 : b.columns))) * sizeof(float);
}

/* The rows of the matrix of patches: where the source is that matrix, nothing is copied. */
static inline const float *kfi_patch_rows(const kfi_patches *p, kfi_range rows, float *local) {
    if (kfi_patches_are_source(p)) return p->source + rows.first * p->channels;
    kfi_gather_patches(p, rows, (kfi_range){0, p->axis[0].taps * p->axis[1].taps}, local);
    return local;
}

static inline void kfi_patches_run(const kfi_gathering *g, int64_t tile, void *local) {
    const kfi_patches *p = &g->patches;
    const kfi_blocks b = kfi_patches_cut(g);
    const kfi_rectangle at = kfi_block_at(g, &b, tile);
    const int64_t values = kfi_patch_values(p), width = at.columns.last - at.columns.first;
    const bool whole = kfi_lands_whole(g);
    float *apart = (float *)local + (kfi_patches_are_source(p) ? 0 : b.rows * values);
    float *to = whole ? g->to + at.rows.first * g->out + at.columns.first : apart;
    kfi_gemm(&(kfi_product){
        .m = at.rows.last - at.rows.first,
        .n = width,
        .k = values,
        .a = kfi_patch_rows(p, at.rows, local),
        .a_row = values,
        .b = g->w + at.columns.first,
        .b_row = g->w_columns,
        .c = to,
        .c_row = whole ? g->out : width,
    });
    if (!whole) kfi_land(g, at, apart, width);
}

static inline kfi_region kfi_patches_region(const kfi_gathering *g, int64_t tile) {
    const kfi_blocks b = kfi_patches_cut(g);
    return kfi_landed_region(g, kfi_block_at(g, &b, tile));
}

#endif
