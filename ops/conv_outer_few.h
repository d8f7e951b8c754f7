/* A weight gradient of very few columns, as conv_few.h is for the other products: pixels and dy are
 * spread out channel by channel, and neighbouring places are the lanes of sums. */
#ifndef KFI_OPS_CONV_OUTER_FEW_H
#define KFI_OPS_CONV_OUTER_FEW_H

#include "ops/conv_few.h"
#include "ops/conv_outer.h"

enum { KFI_FEW_TAPS = 3 }; /* at a time, times KFI_FEW_COLUMNS sums in registers */

static inline bool kfi_outer_few_fits(const kfi_patches *p, int64_t batch, int64_t out) {
    const kfi_gathering g = {.patches = *p, .batch = batch, .out = out};
    return kfi_few_fits(&g);
}

static inline int64_t kfi_few_dy_width(const kfi_patches *p) {
    return kfi_whole_vectors(p->axis[2].positions);
}

/* Sums, a row of dy, spread rows. */
static inline size_t kfi_outer_few_local_bytes(const kfi_patches *p, int64_t out) {
    const kfi_spread_rows rows = kfi_spread_rows_of(p);
    return (size_t)(kfi_patch_values(p) * out * KFI_LANES + out * kfi_few_dy_width(p)) *
               sizeof(float) +
           kfi_spread_rows_bytes(&rows);
}

/* Some taps of one channel times all columns, over a strip. */
KFI_INLINE void kfi_few_outer(int taps, int columns, const float *x, const float *dy,
                              int64_t dy_width, float *sums, int64_t tap_step) {
    kfi_vector sum[KFI_FEW_TAPS][KFI_FEW_COLUMNS];
    for (int t = 0; t < taps; t++)
        for (int o = 0; o < columns; o++) sum[t][o] = kfi_load(sums + t * tap_step + o * KFI_LANES);
    for (int64_t i = 0; i < dy_width; i += KFI_LANES) {
        kfi_vector factor[KFI_FEW_COLUMNS];
        for (int o = 0; o < columns; o++) factor[o] = kfi_keep(kfi_load(dy + o * dy_width + i));
        for (int t = 0; t < taps; t++) {
            const kfi_vector value = kfi_keep(kfi_load(x + i + t));
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

/* All taps and channels of a strip. */
KFI_INLINE void kfi_few_outer_strip(int columns, const kfi_spread_rows *rows, const float *dy,
                                    float *sums) {
    const kfi_patches *p = &rows->patches;
    const kfi_patch_axis *a = p->axis;
    const int64_t tap_step = p->channels * columns * KFI_LANES;
    for (int64_t line = 0; line < a[0].taps * a[1].taps; line++)
        for (int64_t tap = 0; tap < a[2].taps; tap += KFI_FEW_TAPS)
            for (int64_t channel = 0; channel < p->channels; channel++) {
                const int64_t value = (line * a[2].taps + tap) * p->channels + channel;
                kfi_few_outer_taps(kfi_smaller(KFI_FEW_TAPS, a[2].taps - tap), columns,
                                   rows->lines[line] + channel * rows->width + tap, dy,
                                   kfi_few_dy_width(p), sums + value * columns * KFI_LANES,
                                   tap_step);
            }
}

/* o->dw += the strips [o->places.first, o->places.last), counted through all planes. */
static inline void kfi_add_outer_few(const kfi_outer *o, void *local) {
    const kfi_patches *p = &o->patches;
    const int64_t n1 = p->axis[1].positions, n2 = p->axis[2].positions;
    const int64_t values = kfi_patch_values(p), dy_width = kfi_few_dy_width(p);
    const kfi_patch_axis whole = {n2, n2, 1, 0, 1, 1};
    float *sums = local, *dy = sums + values * o->out * KFI_LANES;
    kfi_spread_rows rows = kfi_spread_rows_of(p);
    kfi_spread_rows_start(&rows, dy + o->out * dy_width);
    kfi_zero_floats(sums, values * o->out * KFI_LANES);
    for (int64_t strip = o->places.first; strip < o->places.last; strip++) {
        kfi_spread_rows_move(&rows, strip / n1, strip % n1);
        kfi_spread_row(&whole, o->out, o->dy + strip * n2 * o->out, dy_width, dy);
        if (o->out == 1) kfi_few_outer_strip(1, &rows, dy, sums);
        if (o->out == 2) kfi_few_outer_strip(2, &rows, dy, sums);
        if (o->out == 3) kfi_few_outer_strip(3, &rows, dy, sums);
        if (o->out == 4) kfi_few_outer_strip(4, &rows, dy, sums);
    }
    for (int64_t i = 0; i < values * o->out; i++) {
        float sum = 0;
        for (int lane = 0; lane < KFI_LANES; lane++) sum += sums[i * KFI_LANES + lane];
        o->dw[i / o->out * o->dw_row + i % o->out] += sum;
    }
}

#endif
