/* Patches: the rows that turn a convolution into a matrix product ("im2col"). Row p of the matrix
 * holds the values under all taps of position p, zeros where a tap is outside of the source.
 *
 * source (batch, size0, size1, size2, channels); positions count through (batch, positions0,
 * positions1, positions2); a row is (taps0, taps1, taps2, channels). */
#ifndef KFI_OPS_PATCHES_H
#define KFI_OPS_PATCHES_H

#include "ops/tiles.h"

#include <string.h>

/* Tap t of position p of one axis lies at p * stride + first + t * step. */
typedef struct kfi_patch_axis {
    int64_t size, positions, stride, first, step, taps;
} kfi_patch_axis;

typedef struct kfi_patches {
    const float *source;
    int64_t channels;
    kfi_patch_axis axis[3];
} kfi_patches;

/* Positions of one image, and values of one row. */
static inline int64_t kfi_patch_positions(const kfi_patches *p) {
    return p->axis[0].positions * p->axis[1].positions * p->axis[2].positions;
}
static inline int64_t kfi_patch_values(const kfi_patches *p) {
    return p->axis[0].taps * p->axis[1].taps * p->axis[2].taps * p->channels;
}

/* Whether the source itself is already the matrix of patches, as for kernels of size 1. */
static inline bool kfi_patches_are_source(const kfi_patches *p) {
    for (int i = 0; i < 3; i++) {
        const kfi_patch_axis *a = &p->axis[i];
        if (a->taps != 1 || a->stride != 1 || a->first != 0 || a->positions != a->size)
            return false;
    }
    return true;
}

static inline void kfi_zero_floats(float *to, int64_t count) {
    memset(to, 0, (size_t)count * sizeof *to);
}
static inline void kfi_copy_floats(float *to, const float *from, int64_t count) {
    memcpy(to, from, (size_t)count * sizeof *to);
}

/* The taps of the innermost axis at `position`: one run where they are neighbours. */
static inline void kfi_gather_taps(const kfi_patch_axis *a, const float *line, int64_t channels,
                                   int64_t position, float *to) {
    const int64_t start = position * a->stride + a->first;
    if (a->step == 1) {
        const int64_t low = kfi_clamp(-start, 0, a->taps);
        const int64_t high = kfi_clamp(a->size - start, low, a->taps);
        kfi_zero_floats(to, low * channels);
        kfi_copy_floats(to + low * channels, line + (start + low) * channels,
                        (high - low) * channels);
        kfi_zero_floats(to + high * channels, (a->taps - high) * channels);
        return;
    }
    for (int64_t t = 0; t < a->taps; t++) {
        const int64_t at = start + t * a->step;
        if (at >= 0 && at < a->size)
            kfi_copy_floats(to + t * channels, line + at * channels, channels);
        else
            kfi_zero_floats(to + t * channels, channels);
    }
}

/* One row, of the lines [lines.first, lines.last) of taps, a line being a (tap0, tap1) pair. */
static inline void kfi_gather_row(const kfi_patches *p, int64_t image, const int64_t at[3],
                                  kfi_range lines, float *to) {
    const kfi_patch_axis *a = p->axis;
    const int64_t run = a[2].taps * p->channels;
    for (int64_t line = lines.first; line < lines.last; line++, to += run) {
        const int64_t y0 = at[0] * a[0].stride + a[0].first + line / a[1].taps * a[0].step;
        const int64_t y1 = at[1] * a[1].stride + a[1].first + line % a[1].taps * a[1].step;
        if (y0 < 0 || y0 >= a[0].size || y1 < 0 || y1 >= a[1].size) {
            kfi_zero_floats(to, run);
            continue;
        }
        const int64_t row = (image * a[0].size + y0) * a[1].size + y1;
        kfi_gather_taps(&a[2], p->source + row * a[2].size * p->channels, p->channels, at[2], to);
    }
}

/* The rows of the positions [rows.first, rows.last), each with the given lines of taps. */
static inline void kfi_gather_patches(const kfi_patches *p, kfi_range rows, kfi_range lines,
                                      float *to) {
    const int64_t n1 = p->axis[1].positions, n2 = p->axis[2].positions;
    const int64_t per_image = kfi_patch_positions(p);
    const int64_t values = (lines.last - lines.first) * p->axis[2].taps * p->channels;
    for (int64_t row = rows.first; row < rows.last; row++, to += values) {
        const int64_t inside = row % per_image;
        const int64_t at[3] = {inside / (n1 * n2), inside / n2 % n1, inside % n2};
        kfi_gather_row(p, row / per_image, at, lines, to);
    }
}

#endif
