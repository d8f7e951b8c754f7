/* Products of x and dy summed along rows of places, tap by tap and channel by channel: the weight
 * gradient of a convolution that keeps channels apart. */
#ifndef KFI_OPS_TAP_ROWS_H
#define KFI_OPS_TAP_ROWS_H

#include "ops/tap_lists.h"

/* A tap along a row of places: `count` of them, x and dy each so many floats apart. */
typedef struct kfi_tap_row {
    const float *x, *dy;
    const int32_t *which;
    int64_t count, x_step, out;
} kfi_tap_row;

/* Sums of a row are kept in registers, those of rows in double precision. */
KFI_INLINE void kfi_add_tap_vectors(const int vectors, const kfi_tap_row *r, const int32_t *which,
                                    int64_t o, double *sums) {
    kfi_vector sum[KFI_VECTORS];
    for (int v = 0; v < vectors; v++) sum[v] = (kfi_vector){0};
    for (int64_t i = 0; i < r->count; i++)
        for (int v = 0; v < vectors; v++) {
            const int64_t at = o + v * KFI_LANES;
            sum[v] += kfi_load_channels(r->x + i * r->x_step, which, at) *
                      kfi_load(r->dy + i * r->out + at);
        }
    for (int v = 0; v < vectors; v++)
        for (int lane = 0; lane < KFI_LANES; lane++)
            sums[o + v * KFI_LANES + lane] += (double)sum[v][lane];
}

KFI_INLINE void kfi_add_tap_row(const kfi_tap_row *r, const int32_t *which, double *sums) {
    enum { WIDE = KFI_VECTORS * KFI_LANES };
    int64_t o = 0;
    for (; o + WIDE <= r->out; o += WIDE) kfi_add_tap_vectors(KFI_VECTORS, r, which, o, sums);
    for (; o + KFI_LANES <= r->out; o += KFI_LANES) kfi_add_tap_vectors(1, r, which, o, sums);
    for (; o < r->out; o++) {
        float sum = 0;
        for (int64_t i = 0; i < r->count; i++)
            sum += r->x[i * r->x_step + (which ? which[o] : o)] * r->dy[i * r->out + o];
        sums[o] += (double)sum;
    }
}

/* All taps of the last axis over the places [p2.first, p2.last) of a row. */
static inline void kfi_add_row_of_taps(const kfi_convolution *c, const float *x_row,
                                       const float *dy_row, kfi_range p2, const int32_t *which,
                                       double *sums) {
    const kfi_window *w = &c->axis[2];
    const int64_t out = c->in * c->out;
    for (int64_t tap = 0; tap < w->kernel; tap++, sums += out) {
        const kfi_range valid = kfi_tap_positions(w, tap);
        const int64_t first = kfi_larger(valid.first, p2.first);
        const int64_t last = kfi_smaller(valid.last, p2.last);
        const int64_t pixel = first * w->stride - w->before + tap * w->dilation;
        if (first >= last) continue;
        const kfi_tap_row r = {.x = x_row + pixel * c->in,
                               .dy = dy_row + first * out,
                               .count = last - first,
                               .x_step = w->stride * c->in,
                               .out = out};
        if (which)
            kfi_add_tap_row(&r, which, sums);
        else
            kfi_add_tap_row(&r, NULL, sums);
    }
}

/* All taps over some places of row `row` of y, counted through all images. */
static inline void kfi_add_tap_rows(const kfi_convolution *c, const float *x, const float *dy,
                                    int64_t row, kfi_range p2, const int32_t *which, double *sums) {
    const kfi_window *w = c->axis;
    const int64_t out = c->in * c->out, p1 = row % w[1].positions, rest = row / w[1].positions;
    const int64_t p0 = rest % w[0].positions, image = rest / w[0].positions;
    dy += row * w[2].positions * out;
    int64_t x0, x1;
    for (int64_t t0 = 0; t0 < w[0].kernel; t0++)
        for (int64_t t1 = 0; t1 < w[1].kernel; t1++) {
            if (!kfi_tap_pixel(&w[0], p0, t0, &x0) || !kfi_tap_pixel(&w[1], p1, t1, &x1)) continue;
            const int64_t x_row = (image * w[0].size + x0) * w[1].size + x1;
            kfi_add_row_of_taps(c, x + x_row * w[2].size * c->in, dy, p2, which,
                                sums + (t0 * w[1].kernel + t1) * w[2].kernel * out);
        }
}

#endif
