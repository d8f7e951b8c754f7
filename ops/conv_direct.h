/* A gathering (gathering.h) computed directly: six places times a few vectors of columns are sums
 * in registers, to which a step adds one value of each place's line times one row of weights. Lines
 * are pointed to (conv_lines.h), so nothing is copied but borders. A block of places keeps its sums
 * in the L1 or L2 cache, while part after part of the weights passes through L1. */
#ifndef KFI_OPS_CONV_DIRECT_H
#define KFI_OPS_CONV_DIRECT_H

#include "ops/conv_lines.h"
#include "ops/gathering.h"

enum {
    KFI_DIRECT_PLACES = 96, /* of a block; a multiple of KFI_SUM_ROWS              */
    KFI_DIRECT_DEPTH = 96,  /* rows of weights at a time: 24 KiB of 64 columns     */
};
#define KFI_DIRECT_TILE_FLOPS 1.2e7 /* about 120 us of one core at 100 GFLOP/s */

/* The part of all lines that meets KFI_DIRECT_DEPTH rows of weights: some whole lines, or values of
 * one line. */
typedef struct kfi_line_part {
    int64_t line, lines, first, values;
} kfi_line_part;

KFI_INLINE void kfi_add_scaled(int vectors, const kfi_vector *factor, float scale,
                               kfi_vector *sum) {
    for (int v = 0; v < vectors; v++) sum[v] += factor[v] * scale;
}

/* Where rows of sums are, or go to. */
typedef struct kfi_sum_rows {
    float *at;
    int64_t row;
} kfi_sum_rows;

/* Six places: to = their part, or from + it. */
KFI_INLINE void kfi_add_lines(int vectors, const kfi_line_table *table, int64_t place,
                              kfi_line_part part, int64_t values, const float *w, int64_t w_row,
                              kfi_sum_rows from, kfi_sum_rows to, bool accumulate) {
    kfi_vector sum[KFI_SUM_ROWS][KFI_VECTORS];
    for (int i = 0; i < KFI_SUM_ROWS; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = accumulate ? kfi_load(from.at + (place + i) * from.row + v * KFI_LANES)
                                   : (kfi_vector){0};
    /* where the next six go: their lines arrive while these are computed */
    for (int i = 0; i < KFI_SUM_ROWS; i++)
        for (int v = 0; v < vectors; v++)
            __builtin_prefetch(to.at + (place + KFI_SUM_ROWS + i) * to.row + v * KFI_LANES, 1);
    for (int64_t line = part.line; line < part.line + part.lines; line++) {
        const float *const *at = table->pointers + line * table->row + place;
        const float *a0 = at[0] + part.first, *a1 = at[1] + part.first, *a2 = at[2] + part.first;
        const float *a3 = at[3] + part.first, *a4 = at[4] + part.first, *a5 = at[5] + part.first;
        for (int64_t k = 0; k < values; k++, w += w_row) {
            kfi_vector factor[KFI_VECTORS];
            for (int v = 0; v < vectors; v++) factor[v] = kfi_load(w + v * KFI_LANES);
            kfi_add_scaled(vectors, factor, a0[k], sum[0]);
            kfi_add_scaled(vectors, factor, a1[k], sum[1]);
            kfi_add_scaled(vectors, factor, a2[k], sum[2]);
            kfi_add_scaled(vectors, factor, a3[k], sum[3]);
            kfi_add_scaled(vectors, factor, a4[k], sum[4]);
            kfi_add_scaled(vectors, factor, a5[k], sum[5]);
        }
    }
    for (int i = 0; i < KFI_SUM_ROWS; i++)
        for (int v = 0; v < vectors; v++)
            kfi_store(to.at + (place + i) * to.row + v * KFI_LANES, sum[i][v]);
}

/* Values of a line that the compiler knows take no loop: three taps of one or three channels. */
KFI_INLINE void kfi_add_part_of(int vectors, const kfi_line_table *table, kfi_range places,
                                kfi_line_part part, const float *w, int64_t w_row,
                                kfi_sum_rows from, kfi_sum_rows to, bool accumulate) {
    for (int64_t place = places.first; place < places.last; place += KFI_SUM_ROWS) {
        if (part.values == 3)
            kfi_add_lines(vectors, table, place, part, 3, w, w_row, from, to, accumulate);
        else if (part.values == 9)
            kfi_add_lines(vectors, table, place, part, 9, w, w_row, from, to, accumulate);
        else
            kfi_add_lines(vectors, table, place, part, part.values, w, w_row, from, to, accumulate);
    }
}

/* to (places, vectors) = or from += the part of the lines of the places times its rows of weights.
 */
static inline void kfi_add_part(int64_t vectors, const kfi_line_table *table, kfi_range places,
                                kfi_line_part part, const float *w, int64_t w_row,
                                kfi_sum_rows from, kfi_sum_rows to, bool accumulate) {
    if (vectors == 1)
        kfi_add_part_of(1, table, places, part, w, w_row, from, to, accumulate);
    else if (vectors == 2)
        kfi_add_part_of(2, table, places, part, w, w_row, from, to, accumulate);
    else if (KFI_VECTORS > 2 && vectors == 3)
        kfi_add_part_of(KFI_VECTORS - 1, table, places, part, w, w_row, from, to, accumulate);
    else
        kfi_add_part_of(KFI_VECTORS, table, places, part, w, w_row, from, to, accumulate);
}

/* Lines of the places times weights, `values` to a line: the sums of the first `whole` places, a
 * multiple of six, go to `to`, those of the others to `sums` (places, vectors), where all of them
 * are kept meanwhile. */
static inline void kfi_multiply_lines(int64_t vectors, const kfi_line_table *table, int64_t places,
                                      int64_t whole, int64_t lines, int64_t values, const float *w,
                                      int64_t w_row, float *sums, kfi_sum_rows to) {
    const kfi_sum_rows kept = {sums, vectors * KFI_LANES};
    if (lines * values == 0) kfi_zero_floats(sums, places * kept.row);
    if (lines * values == 0) return;
    const int64_t at_once = kfi_larger(KFI_DIRECT_DEPTH / values, 1);
    const int64_t step = kfi_divide_up(values, kfi_divide_up(values, KFI_DIRECT_DEPTH));
    for (int64_t line = 0; line < lines; line += at_once)
        for (int64_t first = 0; first < values; first += step) {
            const kfi_line_part part = {line, kfi_smaller(at_once, lines - line), first,
                                        kfi_smaller(step, values - first)};
            const float *from = w + (line * values + first) * w_row;
            const bool last = line + at_once >= lines && first + step >= values;
            const kfi_range outward = {0, last ? whole : 0}, inward = {outward.last, places};
            kfi_add_part(vectors, table, outward, part, from, w_row, kept, to, line + first > 0);
            kfi_add_part(vectors, table, inward, part, from, w_row, kept, kept, line + first > 0);
        }
}

/* --- a gathering by blocks -------------------------------------------------------------------- */

/* A tile's own memory: pointers, sums, a line of zeros, copies of lines at borders. */
static inline size_t kfi_direct_local_bytes(const kfi_gathering *g) {
    const kfi_patches *p = &g->patches;
    const int64_t floats = KFI_DIRECT_PLACES * KFI_SUM_COLUMNS + kfi_line_values(p) +
                           kfi_border_values(p, KFI_DIRECT_PLACES);
    return (size_t)(kfi_line_count(p) * KFI_DIRECT_PLACES) * sizeof(float *) +
           (size_t)floats * sizeof(float);
}

static inline kfi_line_table kfi_direct_table(const kfi_patches *p, float **sums, void *local) {
    kfi_line_table table = {.row = KFI_DIRECT_PLACES};
    *sums = local; /* first, where it is aligned */
    table.pointers = (const float **)(void *)(*sums + KFI_DIRECT_PLACES * KFI_SUM_COLUMNS);
    float *zeros = (float *)(void *)(table.pointers + kfi_line_count(p) * KFI_DIRECT_PLACES);
    kfi_zero_floats(zeros, kfi_line_values(p));
    table.zeros = zeros;
    table.borders = zeros + kfi_line_values(p);
    return table;
}

/* Up to KFI_DIRECT_PLACES rows of the product. */
static inline void kfi_direct_block(const kfi_gathering *g, kfi_rectangle at, void *local) {
    const kfi_patches *p = &g->patches;
    const int64_t lines = kfi_line_count(p), rows = at.rows.last - at.rows.first;
    const int64_t places = kfi_divide_up(rows, KFI_SUM_ROWS) * KFI_SUM_ROWS;
    const bool lands = kfi_lands_whole(g) && kfi_patch_values(p) > 0;
    float *sums;
    kfi_line_table table = kfi_direct_table(p, &sums, local);
    kfi_point_lines(p, at.rows, &table);
    for (int64_t line = 0; line < lines; line++)
        for (int64_t i = rows; i < places; i++) table.pointers[line * table.row + i] = table.zeros;
    for (int64_t first = at.columns.first; first < at.columns.last; first += KFI_SUM_COLUMNS) {
        const int64_t last = kfi_smaller(first + KFI_SUM_COLUMNS, at.columns.last);
        const int64_t vectors = kfi_divide_up(last - first, KFI_LANES), row = vectors * KFI_LANES;
        const int64_t whole = lands && row == last - first ? rows - rows % KFI_SUM_ROWS : 0;
        kfi_multiply_lines(vectors, &table, places, whole, lines, kfi_line_values(p),
                           g->w + kfi_weight_block(g, first), kfi_weight_row(g, first), sums,
                           (kfi_sum_rows){g->to + at.rows.first * g->out + first, g->out});
        kfi_land(g, (kfi_rectangle){{at.rows.first + whole, at.rows.last}, {first, last}},
                 sums + whole * row, row);
    }
}

/* Equal tiles of whole blocks of places; columns are divided where the weights are many. */
static inline kfi_blocks kfi_direct_cut(const kfi_gathering *g) {
    const int64_t rows = kfi_gathered_rows(g);
    const int64_t values = kfi_larger(kfi_patch_values(&g->patches), 1);
    const double block = 2.0 * KFI_DIRECT_PLACES * (double)values * KFI_SUM_COLUMNS;
    const int64_t wide = kfi_larger((int64_t)(KFI_DIRECT_TILE_FLOPS / block), 1);
    const int64_t all = kfi_divide_up(kfi_larger(g->out, 1), KFI_SUM_COLUMNS);
    const int64_t column_blocks = kfi_divide_up(all, kfi_divide_up(all, kfi_smaller(wide, all)));
    kfi_blocks b = {.columns = column_blocks * KFI_SUM_COLUMNS};
    b.column_tiles = kfi_tile_count(g->out, b.columns);
    const int64_t writing = KFI_TILE_ELEMENTS / (b.columns * KFI_DIRECT_PLACES); /* in a chain */
    const int64_t high =
        kfi_larger(kfi_smaller(wide / column_blocks, writing), 1) * KFI_DIRECT_PLACES;
    b.rows = kfi_divide_up(rows, kfi_tile_count(rows, high)); /* equal ones */
    b.rows = kfi_divide_up(kfi_larger(b.rows, 1), KFI_SUM_ROWS) * KFI_SUM_ROWS;
    b.row_tiles = kfi_tile_count(rows, b.rows);
    return b;
}

static inline int64_t kfi_direct_tiles(const kfi_gathering *g) {
    const kfi_blocks b = kfi_direct_cut(g);
    return b.row_tiles * b.column_tiles;
}

static inline void kfi_direct_run(const kfi_gathering *g, int64_t tile, void *local) {
    const kfi_blocks b = kfi_direct_cut(g);
    const kfi_rectangle all = kfi_block_at(g, &b, tile);
    for (int64_t first = all.rows.first; first < all.rows.last; first += KFI_DIRECT_PLACES) {
        const kfi_range rows = {first, kfi_smaller(first + KFI_DIRECT_PLACES, all.rows.last)};
        kfi_direct_block(g, (kfi_rectangle){rows, all.columns}, local);
    }
}

static inline kfi_region kfi_direct_region(const kfi_gathering *g, int64_t tile) {
    const kfi_blocks b = kfi_direct_cut(g);
    return kfi_landed_region(g, kfi_block_at(g, &b, tile));
}

#endif
