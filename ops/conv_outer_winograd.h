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

/* What a tile sums: for some columns and some rows of points. Its sums and a chunk's matrices have
 * to stay in L2 together; fewer columns mean that pixels are transformed more often, fewer points
 * that they are read more often. */
typedef struct kfi_outer_winograd_cut {
    int64_t columns, parts, chunk;
} kfi_outer_winograd_cut;

enum {
    KFI_OUTER_WINOGRAD_COLUMNS = 128,
    KFI_OUTER_WINOGRAD_SUM_BYTES = 832 * 1024,
    KFI_OUTER_WINOGRAD_BYTES = 1536 * 1024,
    KFI_OUTER_WINOGRAD_CHUNK = 96,
};

static inline kfi_outer_winograd_cut kfi_outer_winograd_cut_of(const kfi_patches *p, int64_t out) {
    kfi_outer_winograd_cut cut = {.columns = kfi_smaller(out, KFI_OUTER_WINOGRAD_COLUMNS),
                                  .parts = 1};
    const int64_t row = KFI_POINT_PAIRS * (int64_t)sizeof(float);
    if (row * p->channels * cut.columns > KFI_OUTER_WINOGRAD_SUM_BYTES) cut.parts = 3;
    if (row / 3 * p->channels * cut.columns > KFI_OUTER_WINOGRAD_SUM_BYTES) cut.parts = 6;
    if (row / 6 * p->channels * cut.columns > KFI_OUTER_WINOGRAD_SUM_BYTES)
        cut.columns = kfi_smaller(out, KFI_SUM_COLUMNS);
    const int64_t left = KFI_OUTER_WINOGRAD_BYTES - row / cut.parts * p->channels * cut.columns;
    cut.chunk = kfi_clamp(left / (row / cut.parts * (p->channels + cut.columns)), 12,
                          KFI_OUTER_WINOGRAD_CHUNK);
    return cut;
}

/* The transformed pixels and dy, one tile's pixels. */
static inline size_t kfi_outer_winograd_local_bytes(const kfi_patches *p, int64_t out) {
    const kfi_outer_winograd_cut cut = kfi_outer_winograd_cut_of(p, out);
    const int64_t floats = KFI_POINT_PAIRS / cut.parts *
                               (kfi_winograd_pitch(cut.chunk, p->channels) +
                                kfi_winograd_pitch(cut.chunk, cut.columns)) +
                           KFI_POINT_PAIRS * p->channels;
    return (size_t)floats * sizeof(float);
}

/* These rows of A dy AT of one tile, of which rows x columns places lie inside, and a vector of
 * channels. */
KFI_INLINE void kfi_winograd_transform_dy(int m, kfi_winograd_points points, const float *dy,
                                          int64_t rows, int64_t columns, int64_t row_step,
                                          int64_t step, float *to, int64_t pitch) {
    kfi_vector in[4], column[KFI_POINTS], half[4 * KFI_POINTS], whole[KFI_POINTS];
    for (int j = 0; j < m; j++) {
        for (int i = 0; i < m; i++)
            in[i] =
                i < rows && j < columns ? kfi_load(dy + i * row_step + j * step) : (kfi_vector){0};
        kfi_winograd_output_gradient(m, in, 1, column, 1);
        for (int i = 0; i < points.rows; i++) half[i * m + j] = column[points.first + i];
    }
    for (int i = 0; i < points.rows; i++) {
        kfi_winograd_output_gradient(m, half + i * m, 1, whole, 1);
        for (int j = 0; j < KFI_POINTS; j++) kfi_store(to + (i * KFI_POINTS + j) * pitch, whole[j]);
    }
}

/* The tiles of these columns of dy, as matrices (tiles, columns), one for each point. */
KFI_INLINE void kfi_winograd_transform_columns(int m, kfi_winograd_points points,
                                               const kfi_outer *o, const kfi_winograd_grid *grid,
                                               kfi_range tiles, kfi_range columns, float *to,
                                               int64_t pitch) {
    const int64_t n1 = o->patches.axis[1].positions, n2 = o->patches.axis[2].positions;
    for (int64_t tile = tiles.first; tile < tiles.last; tile++) {
        const kfi_winograd_place at = kfi_winograd_place_of(grid, tile);
        const float *dy = o->dy + ((at.plane * n1 + at.row) * n2 + at.column) * o->out;
        for (int64_t c = columns.first; c < columns.last; c += KFI_LANES, to += KFI_LANES)
            kfi_winograd_transform_dy(m, points, dy + c, n1 - at.row, n2 - at.column, n2 * o->out,
                                      o->out, to, pitch);
    }
}

typedef void kfi_winograd_transform_dys(const kfi_outer *o, const kfi_winograd_grid *grid,
                                        kfi_range tiles, kfi_range columns, float *to,
                                        int64_t pitch);
#define KFI_WINOGRAD_TRANSFORM_DYS(first, rows)                                                    \
    static void kfi_winograd_transform_dys_##first##_##rows(                                       \
        const kfi_outer *o, const kfi_winograd_grid *grid, kfi_range tiles, kfi_range columns,     \
        float *to, int64_t pitch) {                                                                \
        const kfi_winograd_points points = {first, rows};                                          \
        if (grid->m == 4)                                                                          \
            kfi_winograd_transform_columns(4, points, o, grid, tiles, columns, to, pitch);         \
        else                                                                                       \
            kfi_winograd_transform_columns(2, points, o, grid, tiles, columns, to, pitch);         \
    }

/* All points, thirds of them, sixths. */
KFI_WINOGRAD_TRANSFORM(0, 2)
KFI_WINOGRAD_TRANSFORM(2, 2)
KFI_WINOGRAD_TRANSFORM(4, 2)
KFI_WINOGRAD_TRANSFORM(0, 1)
KFI_WINOGRAD_TRANSFORM(1, 1)
KFI_WINOGRAD_TRANSFORM(2, 1)
KFI_WINOGRAD_TRANSFORM(3, 1)
KFI_WINOGRAD_TRANSFORM(4, 1)
KFI_WINOGRAD_TRANSFORM(5, 1)
KFI_WINOGRAD_TRANSFORM_DYS(0, 6)
KFI_WINOGRAD_TRANSFORM_DYS(0, 2)
KFI_WINOGRAD_TRANSFORM_DYS(2, 2)
KFI_WINOGRAD_TRANSFORM_DYS(4, 2)
KFI_WINOGRAD_TRANSFORM_DYS(0, 1)
KFI_WINOGRAD_TRANSFORM_DYS(1, 1)
KFI_WINOGRAD_TRANSFORM_DYS(2, 1)
KFI_WINOGRAD_TRANSFORM_DYS(3, 1)
KFI_WINOGRAD_TRANSFORM_DYS(4, 1)
KFI_WINOGRAD_TRANSFORM_DYS(5, 1)

/* By parts, and which of them. */
typedef struct kfi_winograd_transforms {
    kfi_winograd_transform *x;
    kfi_winograd_transform_dys *dy;
} kfi_winograd_transforms;

#define KFI_WINOGRAD_BOTH(first, rows)                                                             \
    { kfi_winograd_transform_##first##_##rows, kfi_winograd_transform_dys_##first##_##rows }
static const kfi_winograd_transforms kfi_winograd_parts[KFI_POINTS + 1][KFI_POINTS] = {
    [1] = {KFI_WINOGRAD_BOTH(0, 6)},
    [3] = {KFI_WINOGRAD_BOTH(0, 2), KFI_WINOGRAD_BOTH(2, 2), KFI_WINOGRAD_BOTH(4, 2)},
    [6] = {KFI_WINOGRAD_BOTH(0, 1), KFI_WINOGRAD_BOTH(1, 1), KFI_WINOGRAD_BOTH(2, 1),
           KFI_WINOGRAD_BOTH(3, 1), KFI_WINOGRAD_BOTH(4, 1), KFI_WINOGRAD_BOTH(5, 1)},
};

/* o->dw (36, channels and a gap, dw_row) = the products of the tiles [o->places.first,
 * o->places.last), at this part of the points and for these columns. */
static inline void kfi_sum_outer_winograd(const kfi_outer *o, const kfi_winograd_grid *grid,
                                          int64_t part, void *local) {
    const kfi_outer_winograd_cut cut = kfi_outer_winograd_cut_of(&o->patches, o->out);
    const kfi_winograd_transforms transforms = kfi_winograd_parts[cut.parts][part];
    const int64_t channels = o->patches.channels, n_points = KFI_POINT_PAIRS / cut.parts;
    const int64_t pitch = kfi_winograd_pitch(cut.chunk, channels);
    const int64_t dy_pitch = kfi_winograd_pitch(cut.chunk, cut.columns);
    float *x = local, *dy = x + n_points * pitch, *copy = dy + n_points * dy_pitch;
    for (int64_t first = o->places.first; first < o->places.last; first += cut.chunk) {
        const kfi_range tiles = {first, kfi_smaller(first + cut.chunk, o->places.last)};
        const kfi_range next = {tiles.last, kfi_smaller(tiles.last + cut.chunk, o->places.last)};
        const int64_t count = tiles.last - tiles.first;
        kfi_winograd_transform_x(&o->patches, grid, transforms.x, tiles, copy, x, pitch);
        kfi_ahead ahead[2] = {kfi_winograd_pixels_ahead(&o->patches, grid, next),
                              kfi_winograd_places_ahead(&o->patches, grid, next, o->dy, o->out)};
        for (int64_t c = o->columns.first; c < o->columns.last; c += KFI_SUM_COLUMNS) {
            const kfi_range columns = {c, kfi_smaller(c + KFI_SUM_COLUMNS, o->columns.last)};
            transforms.dy(o, grid, tiles, columns, dy + (c - o->columns.first) * count, dy_pitch);
        }
        for (int64_t q = 0; q < n_points; q++)
            for (int64_t c = o->columns.first; c < o->columns.last; c += KFI_SUM_COLUMNS) {
                const int64_t row = (part * n_points + q) * (channels + 1);
                kfi_multiply_columns(kfi_smaller(KFI_SUM_COLUMNS, o->columns.last - c) / KFI_LANES,
                                     x + q * pitch, channels, count,
                                     dy + q * dy_pitch + (c - o->columns.first) * count,
                                     &ahead[ahead->rows <= 0], o->dw + row * o->dw_row + c,
                                     o->dw_row, first > o->places.first);
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

/* Of one core. Pixels are transformed anew for each group of columns; a part of the points takes
 * more than its part of a whole transform. */
static inline double kfi_outer_winograd_cycles(const kfi_patches *p, int64_t batch, int64_t out) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(p, batch);
    const kfi_outer_winograd_cut by = kfi_outer_winograd_cut_of(p, out);
    const double more = 0.8 + 0.2 * (double)by.parts;
    const double ins = (double)(p->channels / KFI_LANES * kfi_divide_up(out, by.columns));
    const double outs = (double)out / KFI_LANES;
    return kfi_winograd_cost(&grid, p->channels, out, more * ins, more * outs, 1);
}

/* The weights of a channel, from its rows of the sum, which are `row` floats. */
static inline void kfi_finish_outer_winograd(const kfi_patches *p, int64_t out, int64_t channel,
                                             const float *sum, int64_t row, float *dw) {
    const int64_t pitch = kfi_outer_winograd_rows(p) / KFI_POINT_PAIRS * row;
    const int64_t tap_step = p->channels * out;
    for (int64_t o = 0; o < out; o += KFI_LANES) {
        const float *from = sum + channel * row + o;
        float *to = dw + channel * out + o;
        if (p->axis[1].taps == 3)
            kfi_winograd_transform_dw(3, from, pitch, to, tap_step);
        else
            kfi_winograd_transform_dw(5, from, pitch, to, tap_step);
    }
}

#endif
