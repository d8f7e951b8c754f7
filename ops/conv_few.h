/* A gathering with very few columns (an image of three channels, a map of one): columns do not fill
 * a vector, but neighbouring places do. A vector of places under one tap is one load of a spread
 * row (spread_rows.h), and its weights are single numbers. */
#ifndef KFI_OPS_CONV_FEW_H
#define KFI_OPS_CONV_FEW_H

#include "ops/gathering.h"
#include "ops/spread_rows.h"

enum {
    KFI_FEW_COLUMNS = 4,
    KFI_FEW_VALUES = 1024 * 1024,   /* multiplications in a tile: some 50 us   */
    KFI_FEW_STRIP = KFI_SUM_COLUMNS /* places at a time                        */
};

/* A tile is some strips (rows of places along the last axis) of one plane (an image, or a slice of
 * a volume). */
typedef struct kfi_few_cut {
    int64_t strips, planes, tiles_per_plane;
} kfi_few_cut;

static inline bool kfi_few_fits(const kfi_gathering *g) {
    const kfi_patch_axis *a = &g->patches.axis[2];
    return g->out <= KFI_FEW_COLUMNS && a->stride == 1 && (a->step == 1 || a->taps == 1) &&
           kfi_patch_values(&g->patches) > 0 && kfi_gathered_rows(g) > 0;
}

static inline kfi_few_cut kfi_few_cut_of(const kfi_gathering *g) {
    const kfi_patches *p = &g->patches;
    const int64_t n1 = p->axis[1].positions, n2 = p->axis[2].positions;
    const int64_t working = KFI_FEW_VALUES / kfi_larger(kfi_patch_values(p) * n2 * g->out / 4, 1);
    const int64_t writing = KFI_TILE_ELEMENTS / kfi_larger(n2 * g->out, 1); /* in a chain */
    kfi_few_cut c = {.planes = g->batch * p->axis[0].positions};
    c.tiles_per_plane = kfi_tile_count(n1, kfi_clamp(kfi_smaller(writing, working), 1, n1));
    c.strips = kfi_divide_up(n1, c.tiles_per_plane);
    c.tiles_per_plane = kfi_tile_count(n1, c.strips);
    return c;
}

static inline int64_t kfi_few_tiles(const kfi_gathering *g) {
    const kfi_few_cut c = kfi_few_cut_of(g);
    return kfi_larger(c.planes * c.tiles_per_plane, 1);
}

/* A strip of sums, then spread rows. */
static inline size_t kfi_few_local_bytes(const kfi_gathering *g) {
    const kfi_spread_rows rows = kfi_spread_rows_of(&g->patches);
    return KFI_FEW_COLUMNS * KFI_FEW_STRIP * sizeof(float) + kfi_spread_rows_bytes(&rows);
}

/* Sums of `blocks` vectors of places for each column, from `place` on. */
KFI_INLINE void kfi_few_sums(int columns, int blocks, const kfi_gathering *g,
                             const kfi_spread_rows *rows, int64_t place, float *sums) {
    const kfi_patch_axis *a = g->patches.axis;
    const int64_t channels = g->patches.channels, width = rows->width, w_row = g->w_columns;
    kfi_vector sum[KFI_FEW_COLUMNS][KFI_VECTORS];
    for (int o = 0; o < columns; o++)
        for (int b = 0; b < blocks; b++) sum[o][b] = (kfi_vector){0};
    const float *w = g->w;
    for (int64_t line = 0; line < a[0].taps * a[1].taps; line++)
        for (int64_t tap = 0; tap < a[2].taps; tap++) {
            const float *from = rows->lines[line] + place + tap;
            for (int64_t channel = 0; channel < channels; channel++, from += width, w += w_row)
                for (int b = 0; b < blocks; b++) {
                    const kfi_vector value = kfi_keep(kfi_load(from + b * KFI_LANES));
                    for (int o = 0; o < columns; o++) sum[o][b] += value * w[o];
                }
        }
    for (int o = 0; o < columns; o++)
        for (int b = 0; b < blocks; b++)
            kfi_store(sums + o * KFI_FEW_STRIP + b * KFI_LANES, sum[o][b]);
}

KFI_INLINE void kfi_few_sums_of(int columns, int64_t blocks, const kfi_gathering *g,
                                const kfi_spread_rows *rows, int64_t place, float *sums) {
    if (KFI_VECTORS > 3 && blocks >= 4)
        kfi_few_sums(columns, KFI_VECTORS, g, rows, place, sums);
    else if (KFI_VECTORS > 2 && blocks == 3)
        kfi_few_sums(columns, KFI_VECTORS - 1, g, rows, place, sums);
    else if (blocks >= 2)
        kfi_few_sums(columns, 2, g, rows, place, sums);
    else
        kfi_few_sums(columns, 1, g, rows, place, sums);
}

/* sums (columns, strip) -> `count` places, `step` floats apart. */
KFI_INLINE void kfi_few_join(int columns, const float *restrict sums, int64_t count, int64_t step,
                             float *restrict to) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        for (int o = 0; o < columns; o++) to[i * step + o] = sums[o * KFI_FEW_STRIP + i];
}

/* A strip of n places, the first to `to`, the others `step` floats apart. */
KFI_INLINE void kfi_few_strip(int columns, const kfi_gathering *g, const kfi_spread_rows *rows,
                              int64_t n, int64_t step, float *sums, float *to) {
    for (int64_t place = 0; place < n; place += KFI_FEW_STRIP, to += KFI_FEW_STRIP * step) {
        const int64_t count = kfi_smaller(KFI_FEW_STRIP, n - place);
        kfi_few_sums_of(columns, kfi_divide_up(count, KFI_LANES), g, rows, place, sums);
        if (step == columns)
            kfi_few_join(columns, sums, count, columns, to);
        else
            kfi_few_join(columns, sums, count, step, to);
    }
}

static inline kfi_range kfi_few_strips(const kfi_gathering *g, const kfi_few_cut *c, int64_t tile) {
    return kfi_tile_range(g->patches.axis[1].positions, c->strips, tile % c->tiles_per_plane);
}

static inline void kfi_few_run(const kfi_gathering *g, int64_t tile, void *local) {
    const kfi_patches *p = &g->patches;
    const kfi_few_cut c = kfi_few_cut_of(g);
    const kfi_range strips = kfi_few_strips(g, &c, tile);
    const int64_t plane = tile / c.tiles_per_plane, n2 = p->axis[2].positions;
    const int64_t step = g->land[2].step * g->out;
    float *sums = local;
    kfi_spread_rows rows = kfi_spread_rows_of(p);
    kfi_spread_rows_start(&rows, sums + KFI_FEW_COLUMNS * KFI_FEW_STRIP);
    for (int64_t strip = strips.first; strip < strips.last; strip++) {
        kfi_spread_rows_move(&rows, plane, strip);
        float *to = kfi_landing_row(g, (plane * p->axis[1].positions + strip) * n2);
        if (g->out == 1) kfi_few_strip(1, g, &rows, n2, step, sums, to);
        if (g->out == 2) kfi_few_strip(2, g, &rows, n2, step, sums, to);
        if (g->out == 3) kfi_few_strip(3, g, &rows, n2, step, sums, to);
        if (g->out == 4) kfi_few_strip(4, g, &rows, n2, step, sums, to);
    }
}

static inline kfi_region kfi_few_region(const kfi_gathering *g, int64_t tile) {
    const kfi_few_cut c = kfi_few_cut_of(g);
    const kfi_range strips = kfi_few_strips(g, &c, tile);
    const int64_t n2 = g->patches.axis[2].positions;
    const int64_t first = tile / c.tiles_per_plane * g->patches.axis[1].positions;
    const kfi_range rows = {(first + strips.first) * n2, (first + strips.last) * n2};
    return kfi_landed_region(g, (kfi_rectangle){rows, {0, g->out}});
}

#endif
