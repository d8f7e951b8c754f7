/* A gathering with very few columns (an image of three channels, a map of one): columns do not fill
 * a vector, but neighbouring places do. Rows of the source are spread out channel by channel, with
 * their zeros at both ends; then a vector of places under one tap is one load, and its weights are
 * single numbers. */
#ifndef KFI_OPS_CONV_FEW_H
#define KFI_OPS_CONV_FEW_H

#include "ops/gathering.h"

enum {
    KFI_FEW_COLUMNS = 4,
    KFI_FEW_BYTES = 256 * 1024,     /* of spread rows: a part of an L2 cache   */
    KFI_FEW_VALUES = 1024 * 1024,   /* multiplications in a tile: some 50 us   */
    KFI_FEW_STRIP = KFI_SUM_COLUMNS /* places at a time                        */
};

/* A tile is some strips (rows of places along the last axis) of one plane (an image, or a slice of
 * a volume). */
typedef struct kfi_few_cut {
    int64_t strips, planes, tiles_per_plane;
    int64_t width;      /* of a spread row of one channel, in floats */
    int64_t span;       /* rows of the source under a tile's strips, for one tap of axis 0 */
    int64_t row_floats; /* of a spread row of all channels */
} kfi_few_cut;

static inline bool kfi_few_fits(const kfi_gathering *g) {
    const kfi_patch_axis *a = &g->patches.axis[2];
    return g->out <= KFI_FEW_COLUMNS && a->stride == 1 && (a->step == 1 || a->taps == 1) &&
           kfi_patch_values(&g->patches) > 0 && kfi_gathered_rows(g) > 0;
}

static inline int64_t kfi_few_span(const kfi_patches *p, int64_t strips) {
    const kfi_patch_axis *a = &p->axis[1];
    return (strips - 1) * a->stride + (a->taps - 1) * a->step + 1;
}

static inline kfi_few_cut kfi_few_cut_of(const kfi_gathering *g) {
    const kfi_patches *p = &g->patches;
    const int64_t n1 = p->axis[1].positions, n2 = p->axis[2].positions;
    kfi_few_cut c = {.planes = g->batch * p->axis[0].positions};
    c.width = kfi_divide_up(n2, KFI_LANES) * KFI_LANES + p->axis[2].taps;
    c.row_floats = c.width * p->channels;
    const int64_t fitting = KFI_FEW_BYTES / (int64_t)sizeof(float) /
                            kfi_larger(c.row_floats * p->axis[0].taps * p->axis[1].stride, 1);
    const int64_t working = KFI_FEW_VALUES / kfi_larger(kfi_patch_values(p) * n2 * g->out / 4, 1);
    const int64_t wanted = kfi_clamp(kfi_smaller(fitting, working), 1, n1);
    c.tiles_per_plane = kfi_tile_count(n1, wanted);
    c.strips = kfi_divide_up(n1, c.tiles_per_plane);
    c.tiles_per_plane = kfi_tile_count(n1, c.strips);
    c.span = kfi_few_span(p, c.strips);
    return c;
}

static inline int64_t kfi_few_tiles(const kfi_gathering *g) {
    const kfi_few_cut c = kfi_few_cut_of(g);
    return kfi_larger(c.planes * c.tiles_per_plane, 1);
}

/* Spread rows, then a strip of sums. */
static inline size_t kfi_few_local_bytes(const kfi_gathering *g) {
    const kfi_few_cut c = kfi_few_cut_of(g);
    return (size_t)(g->patches.axis[0].taps * c.span * c.row_floats +
                    KFI_FEW_COLUMNS * KFI_FEW_STRIP) *
           sizeof(float);
}

/* count places (channels) -> (channels, width); vectorised where the compiler knows the channels.
 */
KFI_INLINE void kfi_take_apart(int64_t channels, const float *from, int64_t count, int64_t width,
                               float *to) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < channels; c++) to[c * width + i] = from[i * channels + c];
}

static inline void kfi_take_channels_apart(int64_t channels, const float *from, int64_t count,
                                           int64_t width, float *to) {
    if (channels == 1)
        kfi_take_apart(1, from, count, width, to);
    else if (channels == 2)
        kfi_take_apart(2, from, count, width, to);
    else if (channels == 3)
        kfi_take_apart(3, from, count, width, to);
    else if (channels == 4)
        kfi_take_apart(4, from, count, width, to);
    else
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < count; i++) to[c * width + i] = from[i * channels + c];
}

/* A row of the source (places, channels), NULL outside of it, -> (channels, width). */
static inline void kfi_spread_row(const kfi_patch_axis *a, int64_t channels, const float *row,
                                  int64_t width, float *to) {
    const int64_t low = kfi_clamp(-a->first, 0, width);
    const int64_t from = kfi_larger(a->first, 0);
    const int64_t count = row ? kfi_clamp(a->size - from, 0, width - low) : 0;
    if (count > 0) kfi_take_channels_apart(channels, row + from * channels, count, width, to + low);
    for (int64_t c = 0; c < channels; c++, to += width) {
        kfi_zero_floats(to, low);
        kfi_zero_floats(to + low + count, width - low - count);
    }
}

/* Sums of `blocks` vectors of places for each column. x: the spread rows of the strip's first tap,
 * from the first of these places on. */
KFI_INLINE void kfi_few_sums(int columns, int blocks, const kfi_gathering *g, const kfi_few_cut *c,
                             const float *x, float *sums) {
    const kfi_patch_axis *a = g->patches.axis;
    kfi_vector sum[KFI_FEW_COLUMNS][KFI_VECTORS];
    for (int o = 0; o < columns; o++)
        for (int b = 0; b < blocks; b++) sum[o][b] = (kfi_vector){0};
    const float *w = g->w;
    for (int64_t line = 0; line < a[0].taps * a[1].taps; line++) {
        const int64_t row = line / a[1].taps * c->span + line % a[1].taps * a[1].step;
        for (int64_t tap = 0; tap < a[2].taps; tap++) {
            const float *from = x + row * c->row_floats + tap;
            for (int64_t channel = 0; channel < g->patches.channels; channel++) {
                for (int b = 0; b < blocks; b++) {
                    const kfi_vector value = kfi_load(from + b * KFI_LANES);
                    for (int o = 0; o < columns; o++) sum[o][b] += value * w[o];
                }
                from += c->width;
                w += g->w_columns;
            }
        }
    }
    for (int o = 0; o < columns; o++)
        for (int b = 0; b < blocks; b++)
            kfi_store(sums + o * KFI_FEW_STRIP + b * KFI_LANES, sum[o][b]);
}

KFI_INLINE void kfi_few_sums_of(int blocks, const kfi_gathering *g, const kfi_few_cut *c,
                                const float *x, float *sums) {
    if (g->out == 1) kfi_few_sums(1, blocks, g, c, x, sums);
    if (g->out == 2) kfi_few_sums(2, blocks, g, c, x, sums);
    if (g->out == 3) kfi_few_sums(3, blocks, g, c, x, sums);
    if (g->out == 4) kfi_few_sums(4, blocks, g, c, x, sums);
}

/* sums (columns, strip) -> count places of g->to, `step` floats apart. */
KFI_INLINE void kfi_few_join(int columns, const float *sums, int64_t count, int64_t step,
                             float *to) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        for (int o = 0; o < columns; o++) to[i * step + o] = sums[o * KFI_FEW_STRIP + i];
}

static inline void kfi_few_store(const kfi_gathering *g, int64_t row, int64_t count,
                                 const float *sums) {
    float *to = kfi_landing_row(g, row);
    const int64_t step = g->land[2].step * g->out;
    if (g->out == 1) kfi_few_join(1, sums, count, step, to);
    if (g->out == 2) kfi_few_join(2, sums, count, step, to);
    if (g->out == 3 && step == 3) kfi_few_join(3, sums, count, 3, to);
    if (g->out == 3 && step != 3) kfi_few_join(3, sums, count, step, to);
    if (g->out == 4) kfi_few_join(4, sums, count, step, to);
}

/* The rows of the source under the strips [strips.first, strips.last) of a plane. */
static inline void kfi_spread_rows(const kfi_patches *p, int64_t plane, kfi_range strips,
                                   const kfi_few_cut *c, float *spread) {
    const kfi_patch_axis *a = p->axis;
    const int64_t image = plane / a[0].positions, p0 = plane % a[0].positions;
    const int64_t rows = kfi_few_span(p, strips.last - strips.first);
    for (int64_t t0 = 0; t0 < a[0].taps; t0++) {
        const int64_t y0 = p0 * a[0].stride + a[0].first + t0 * a[0].step;
        for (int64_t r = 0; r < rows; r++) {
            const int64_t y1 = strips.first * a[1].stride + a[1].first + r;
            const bool inside = y0 >= 0 && y0 < a[0].size && y1 >= 0 && y1 < a[1].size;
            const int64_t at = ((image * a[0].size + y0) * a[1].size + y1) * a[2].size;
            kfi_spread_row(&a[2], p->channels, inside ? p->source + at * p->channels : NULL,
                           c->width, spread + (t0 * c->span + r) * c->row_floats);
        }
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
    float *sums = local, *spread = sums + KFI_FEW_COLUMNS * KFI_FEW_STRIP;
    kfi_spread_rows(p, plane, strips, &c, spread);
    for (int64_t strip = strips.first; strip < strips.last; strip++) {
        const float *x = spread + (strip - strips.first) * p->axis[1].stride * c.row_floats;
        const int64_t row = (plane * p->axis[1].positions + strip) * n2;
        int64_t place = 0;
        for (; place + KFI_FEW_STRIP <= n2; place += KFI_FEW_STRIP) {
            kfi_few_sums_of(KFI_VECTORS, g, &c, x + place, sums);
            kfi_few_store(g, row + place, KFI_FEW_STRIP, sums);
        }
        for (; place < n2; place += KFI_LANES) {
            kfi_few_sums_of(1, g, &c, x + place, sums);
            kfi_few_store(g, row + place, kfi_smaller(KFI_LANES, n2 - place), sums);
        }
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
