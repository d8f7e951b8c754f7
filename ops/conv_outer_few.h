/* A weight gradient of very few columns, as conv_few.h is for the other products: pixels and dy are
 * spread out channel by channel, and neighbouring places are the lanes of sums. */
#ifndef KFI_OPS_CONV_OUTER_FEW_H
#define KFI_OPS_CONV_OUTER_FEW_H

#include "ops/conv_few.h"
#include "ops/conv_outer.h"

enum { KFI_FEW_TAPS = 3 }; /* at a time, times KFI_FEW_COLUMNS sums in registers */

/* The gathering that the gradient belongs to, for how rows are spread. */
static inline kfi_gathering kfi_outer_few_gathering(const kfi_patches *p, int64_t batch,
                                                    int64_t out) {
    return (kfi_gathering){.patches = *p, .batch = batch, .out = out};
}

static inline int64_t kfi_few_dy_width(const kfi_patches *p) {
    return kfi_whole_vectors(p->axis[2].positions);
}

/* Sums, a row of dy, spread rows. */
static inline size_t kfi_outer_few_local_bytes(const kfi_gathering *g) {
    const kfi_few_cut c = kfi_few_cut_of(g);
    const kfi_patches *p = &g->patches;
    return (size_t)(kfi_patch_values(p) * g->out * KFI_LANES + g->out * kfi_few_dy_width(p) +
                    p->axis[0].taps * c.span * c.row_floats) *
           sizeof(float);
}

/* Some taps of one channel times all columns, over a strip. */
KFI_INLINE void kfi_few_outer(int taps, int columns, const float *x, const float *dy,
                              int64_t dy_width, float *sums, int64_t tap_step) {
    kfi_vector sum[KFI_FEW_TAPS][KFI_FEW_COLUMNS];
    for (int t = 0; t < taps; t++)
        for (int o = 0; o < columns; o++) sum[t][o] = kfi_load(sums + t * tap_step + o * KFI_LANES);
    for (int64_t i = 0; i < dy_width; i += KFI_LANES) {
        kfi_vector factor[KFI_FEW_COLUMNS];
        for (int o = 0; o < columns; o++) factor[o] = kfi_load(dy + o * dy_width + i);
        for (int t = 0; t < taps; t++) {
            const kfi_vector value = kfi_load(x + i + t);
            for (int o = 0; o < columns; o++) sum[t][o] += value * factor[o];
        }
    }
    for (int t = 0; t < taps; t++)
        for (int o = 0; o < columns; o++) kfi_store(sums + t * tap_step + o * KFI_LANES, sum[t][o]);
}

KFI_INLINE void kfi_few_outer_taps(int64_t taps, int columns, const float *x, const float *dy,
                                   int64_t dy_width, float *sums, int64_t tap_step) {
    if (taps == 3) kfi_few_outer(3, columns, x, dy, dy_width, sums, tap_step);
    if (taps == 2) kfi_few_outer(2, columns, x, dy, dy_width, sums, tap_step);
    if (taps == 1) kfi_few_outer(1, columns, x, dy, dy_width, sums, tap_step);
}

/* All taps and channels of a strip; x: its first spread row. */
KFI_INLINE void kfi_few_outer_strip(int columns, const kfi_patches *p, const kfi_few_cut *c,
                                    const float *x, const float *dy, float *sums) {
    const kfi_patch_axis *a = p->axis;
    const int64_t tap_step = p->channels * columns * KFI_LANES;
    for (int64_t line = 0; line < a[0].taps * a[1].taps; line++) {
        const int64_t row = line / a[1].taps * c->span + line % a[1].taps * a[1].step;
        for (int64_t tap = 0; tap < a[2].taps; tap += KFI_FEW_TAPS)
            for (int64_t channel = 0; channel < p->channels; channel++) {
                const int64_t value = (line * a[2].taps + tap) * p->channels + channel;
                kfi_few_outer_taps(kfi_smaller(KFI_FEW_TAPS, a[2].taps - tap), columns,
                                   x + row * c->row_floats + channel * c->width + tap, dy,
                                   kfi_few_dy_width(p), sums + value * columns * KFI_LANES,
                                   tap_step);
            }
    }
}

/* Strips [strips.first, strips.last) of a plane, as many as are spread at a time. */
static inline void kfi_few_outer_strips(const kfi_outer *o, const kfi_few_cut *c, int64_t plane,
                                        kfi_range strips, float *sums, float *dy, float *spread) {
    const kfi_patches *p = &o->patches;
    const kfi_patch_axis *a = p->axis;
    const int64_t n2 = a[2].positions;
    const kfi_patch_axis whole = {n2, n2, 1, 0, 1, 1};
    kfi_spread_rows(p, plane, strips, c, spread);
    for (int64_t strip = strips.first; strip < strips.last; strip++) {
        const float *x = spread + (strip - strips.first) * a[1].stride * c->row_floats;
        const int64_t row = (plane * a[1].positions + strip) * n2;
        kfi_spread_row(&whole, o->out, o->dy + row * o->out, kfi_few_dy_width(p), dy);
        if (o->out == 1) kfi_few_outer_strip(1, p, c, x, dy, sums);
        if (o->out == 2) kfi_few_outer_strip(2, p, c, x, dy, sums);
        if (o->out == 3) kfi_few_outer_strip(3, p, c, x, dy, sums);
        if (o->out == 4) kfi_few_outer_strip(4, p, c, x, dy, sums);
    }
}

/* o->dw += the strips [o->places.first, o->places.last), counted through all planes. */
static inline void kfi_add_outer_few(const kfi_outer *o, const kfi_few_cut *c, void *local) {
    const kfi_patches *p = &o->patches;
    const int64_t n1 = p->axis[1].positions, values = kfi_patch_values(p);
    float *sums = local, *dy = sums + values * o->out * KFI_LANES;
    float *spread = dy + o->out * kfi_few_dy_width(p);
    kfi_zero_floats(sums, values * o->out * KFI_LANES);
    for (int64_t first = o->places.first; first < o->places.last;) {
        const int64_t from = first % n1;
        const int64_t left = kfi_smaller(n1 - from, o->places.last - first);
        const int64_t count = kfi_smaller(left, c->strips);
        kfi_few_outer_strips(o, c, first / n1, (kfi_range){from, from + count}, sums, dy, spread);
        first += count;
    }
    for (int64_t i = 0; i < values * o->out; i++) {
        float sum = 0;
        for (int lane = 0; lane < KFI_LANES; lane++) sum += sums[i * KFI_LANES + lane];
        o->dw[i / o->out * o->dw_row + i % o->out] += sum;
    }
}

#endif
