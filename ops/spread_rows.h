/* Rows of a source whose channels are spread out: a row (places, channels) becomes (channels,
 * places) with the zeros of its borders at both ends, so that a vector of neighbouring places under
 * one tap is one load. The rows under a strip (a row of places along the last axis) are kept in a
 * ring: what the next strip shares with it stays, in the L1 cache. */
#ifndef KFI_OPS_SPREAD_ROWS_H
#define KFI_OPS_SPREAD_ROWS_H

#include "ops/patches.h"
#include "ops/vectors.h"

/* count places (channels) -> (channels, width); vectorised where the compiler knows the channels.
 */
KFI_INLINE void kfi_take_apart(int64_t channels, const float *restrict from, int64_t count,
                               int64_t width, float *restrict to) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < channels; c++) to[c * width + i] = from[i * channels + c];
}

/* A function of its own: its loops want the registers. */
static __attribute__((noinline, unused)) void kfi_take_channels_apart(int64_t channels,
                                                                      const float *from,
                                                                      int64_t count, int64_t width,
                                                                      float *to) {
    if (channels == 1)
        kfi_copy_floats(to, from, count);
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

/* A row of the source, NULL outside of it, -> (channels, width), from place a->first on. */
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

/* The rows under one strip after the other of a plane (an image, or a slice of a volume). */
typedef struct kfi_spread_rows {
    kfi_patches patches;
    kfi_patch_axis across; /* the last axis, from a whole vector before its first place on */
    int64_t before;        /* places in front of what the first tap reads                  */
    int64_t width;         /* of a row of one channel, in floats                           */
    int64_t rows;          /* of the ring, for each tap of axis 0                          */
    int64_t plane, next;   /* the first row that the ring does not have yet                */
    float *ring;
    const float **lines; /* by pair of taps: what its first tap reads for the first place  */
} kfi_spread_rows;

static inline kfi_spread_rows kfi_spread_rows_of(const kfi_patches *p) {
    const kfi_patch_axis *a = p->axis;
    kfi_spread_rows s = {.patches = *p, .across = a[2], .plane = -1};
    const int64_t over = kfi_larger(-a[2].first, 0);
    s.before = kfi_whole_vectors(over) - over;
    s.across.first -= s.before;
    s.width = kfi_whole_vectors(s.before + kfi_whole_vectors(a[2].positions) + a[2].taps);
    s.rows = (a[1].taps - 1) * a[1].step + 1;
    return s;
}

static inline size_t kfi_spread_rows_bytes(const kfi_spread_rows *s) {
    const kfi_patch_axis *a = s->patches.axis;
    return (size_t)(a[0].taps * s->rows * s->patches.channels * s->width) * sizeof(float) +
           (size_t)(a[0].taps * a[1].taps) * sizeof(float *);
}

/* `memory`: kfi_spread_rows_bytes, aligned as vectors. */
static inline void kfi_spread_rows_start(kfi_spread_rows *s, void *memory) {
    s->ring = memory;
    s->lines = (const float **)(void *)(s->ring + s->patches.axis[0].taps * s->rows *
                                                      s->patches.channels * s->width);
}

/* Row y1 of the source, counted from the first that any tap reads, for tap t0 of axis 0. */
static inline float *kfi_spread_row_at(const kfi_spread_rows *s, int64_t t0, int64_t row) {
    return s->ring + (t0 * s->rows + row % s->rows) * s->patches.channels * s->width;
}

/* Row `row` of the plane, as above, of the source; NULL outside of it. */
static inline const float *kfi_source_row(const kfi_spread_rows *s, int64_t t0, int64_t row) {
    const kfi_patch_axis *a = s->patches.axis;
    const int64_t image = s->plane / a[0].positions, p0 = s->plane % a[0].positions;
    const int64_t y0 = p0 * a[0].stride + a[0].first + t0 * a[0].step, y1 = row + a[1].first;
    if (y0 < 0 || y0 >= a[0].size || y1 < 0 || y1 >= a[1].size) return NULL;
    return s->patches.source +
           ((image * a[0].size + y0) * a[1].size + y1) * a[2].size * s->patches.channels;
}

/* Sets lines to those of a strip, which is the next of its plane, or the first of any. */
static inline void kfi_spread_rows_move(kfi_spread_rows *s, int64_t plane, int64_t strip) {
    const kfi_patch_axis *a = s->patches.axis;
    const int64_t first = strip * a[1].stride, last = first + s->rows;
    const int64_t from = plane == s->plane ? kfi_larger(first, s->next) : first;
    s->plane = plane;
    s->next = last;
    for (int64_t t0 = 0; t0 < a[0].taps; t0++) {
        for (int64_t row = from; row < last; row++)
            kfi_spread_row(&s->across, s->patches.channels, kfi_source_row(s, t0, row), s->width,
                           kfi_spread_row_at(s, t0, row));
        for (int64_t t1 = 0; t1 < a[1].taps; t1++)
            s->lines[t0 * a[1].taps + t1] =
                kfi_spread_row_at(s, t0, first + t1 * a[1].step) + s->before;
    }
}

#endif
