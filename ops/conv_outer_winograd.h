/* A weight gradient by Winograd tiles (winograd_tiles.h): chunk by chunk, pixels and dy are
 * transformed, and at each of the 36 pairs of points one's transpose times the other is added up.
 * The sum of all is transformed back, once. */
#ifndef KFI_OPS_CONV_OUTER_WINOGRAD_H
#define KFI_OPS_CONV_OUTER_WINOGRAD_H

#include "ops/conv_outer.h"
#include "ops/winograd_tiles.h"

static inline bool kfi_outer_winograd_fits(const kfi_patches *p, int64_t batch, int64_t out) {
    return kfi_winograd_takes(p) && out % KFI_LANES == 0 && batch * kfi_patch_positions(p) > 0;
}

/* Rows of a sum: after each of the 36 matrices one is left out, as KFI_WINOGRAD_GAP is. */
static inline int64_t kfi_outer_winograd_rows(const kfi_patches *p) {
    return KFI_POINT_PAIRS * (p->channels + 1);
}

/* A tile sums for at most KFI_SUM_COLUMNS columns. */
static inline int64_t kfi_outer_winograd_chunk(const kfi_patches *p) {
    return kfi_winograd_chunk(p->channels + KFI_SUM_COLUMNS);
}

/* The transformed pixels and dy, one tile's pixels and dy, pointers. */
static inline size_t kfi_outer_winograd_local_bytes(const kfi_patches *p) {
    const int64_t chunk = kfi_outer_winograd_chunk(p);
    const int64_t floats =
        KFI_POINT_PAIRS * (kfi_winograd_pitch(chunk, p->channels) +
                           kfi_winograd_pitch(chunk, KFI_SUM_COLUMNS) + p->channels);
    return (size_t)floats * sizeof(float) + (size_t)chunk * sizeof(float *);
}

/* A dy AT of one tile, of which rows x columns places lie inside, and a vector of channels. */
KFI_INLINE void kfi_winograd_transform_dy(int m, const float *dy, int64_t rows, int64_t columns,
                                          int64_t row_step, int64_t step, float *to,
                                          int64_t pitch) {
    kfi_vector in[4], half[4 * KFI_POINTS], whole[KFI_POINTS];
    for (int j = 0; j < m; j++) {
        for (int i = 0; i < m; i++)
            in[i] =
                i < rows && j < columns ? kfi_load(dy + i * row_step + j * step) : (kfi_vector){0};
        kfi_winograd_output_gradient(m, in, 1, half + j, m);
    }
    for (int i = 0; i < KFI_POINTS; i++) {
        kfi_winograd_output_gradient(m, half + i * m, 1, whole, 1);
        for (int j = 0; j < KFI_POINTS; j++) kfi_store(to + (i * KFI_POINTS + j) * pitch, whole[j]);
    }
}

/* The tiles of the columns of dy, as 36 matrices (tiles, columns). */
static inline void kfi_winograd_transform_columns(const kfi_outer *o, const kfi_winograd_grid *grid,
                                                  kfi_range tiles, float *to, int64_t pitch) {
    const int64_t n1 = o->patches.axis[1].positions, n2 = o->patches.axis[2].positions;
    for (int64_t tile = tiles.first; tile < tiles.last; tile++) {
        const kfi_winograd_place at = kfi_winograd_place_of(grid, tile);
        const float *dy = o->dy + ((at.plane * n1 + at.row) * n2 + at.column) * o->out;
        for (int64_t c = o->columns.first; c < o->columns.last; c += KFI_LANES, to += KFI_LANES) {
            if (grid->m == 4)
                kfi_winograd_transform_dy(4, dy + c, n1 - at.row, n2 - at.column, n2 * o->out,
                                          o->out, to, pitch);
            else
                kfi_winograd_transform_dy(2, dy + c, n1 - at.row, n2 - at.column, n2 * o->out,
                                          o->out, to, pitch);
        }
    }
}

/* o->dw (36, channels and a gap, dw_row) += the products of the tiles [o->places.first,
 * o->places.last). */
static inline void kfi_add_outer_winograd(const kfi_outer *o, const kfi_winograd_grid *grid,
                                          void *local) {
    const int64_t channels = o->patches.channels, chunk = kfi_outer_winograd_chunk(&o->patches);
    const int64_t width = o->columns.last - o->columns.first;
    const int64_t pitch = kfi_winograd_pitch(chunk, channels);
    const int64_t dy_pitch = kfi_winograd_pitch(chunk, KFI_SUM_COLUMNS);
    float *x = local, *dy = x + KFI_POINT_PAIRS * pitch, *copy = dy + KFI_POINT_PAIRS * dy_pitch;
    const float **rows = (const float **)(void *)(copy + KFI_POINT_PAIRS * channels);
    for (int64_t first = o->places.first; first < o->places.last; first += chunk) {
        const kfi_range tiles = {first, kfi_smaller(first + chunk, o->places.last)};
        kfi_winograd_transform_x(&o->patches, grid, tiles, copy, x, pitch);
        kfi_winograd_transform_columns(o, grid, tiles, dy, dy_pitch);
        for (int64_t q = 0; q < KFI_POINT_PAIRS; q++) {
            for (int64_t i = 0; i < tiles.last - tiles.first; i++)
                rows[i] = x + q * pitch + i * channels;
            kfi_add_outer_values(
                width / KFI_LANES, rows, channels, tiles.last - tiles.first, dy + q * dy_pitch,
                width, o->dw + q * (channels + 1) * o->dw_row + o->columns.first, o->dw_row);
        }
    }
}

/* GT sum G of a vector of columns: `sums` 36 matrices, pitch apart; dw's taps are tap_step apart.
 */
KFI_INLINE void kfi_winograd_transform_dw(int r, const float *sums, int64_t pitch, float *dw,
                                          int64_t tap_step) {
    kfi_vector in[KFI_POINTS], half[5 * KFI_POINTS], whole[5];
    for (int j = 0; j < KFI_POINTS; j++) {
        for (int i = 0; i < KFI_POINTS; i++) in[i] = kfi_load(sums + (i * KFI_POINTS + j) * pitch);
        kfi_winograd_filter_gradient(r, in, 1, half + j, KFI_POINTS);
    }
    for (int i = 0; i < r; i++) {
        kfi_winograd_filter_gradient(r, half + i * KFI_POINTS, 1, whole, 1);
        for (int j = 0; j < r; j++) kfi_store(dw + (i * r + j) * tap_step, whole[j]);
    }
}

#endif
