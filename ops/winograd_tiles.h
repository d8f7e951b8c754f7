/* Winograd tiles of an image: 6 x 6 pixels each, which overlap, for m x m places each, which do
 * not. A chunk of them is transformed into 36 matrices (tiles, channels), one for each pair of
 * points, which are factors of matrix products. winograd.h has the mathematics. */
#ifndef KFI_OPS_WINOGRAD_TILES_H
#define KFI_OPS_WINOGRAD_TILES_H

#include "ops/patches.h"
#include "ops/winograd.h"
#include "ops/winograd_product.h"

enum {
    KFI_WINOGRAD_CHUNK = 30,             /* tiles; a multiple of KFI_SUM_ROWS                 */
    KFI_WINOGRAD_BYTES = 3 * 512 * 1024, /* of the 36 matrices of a chunk, rather in L2 */
    KFI_WINOGRAD_GAP = 16, /* floats between matrices: whole pages apart, their rows would contend
                              for the same few lines of the L1 cache */
};

/* The tiles of all images; planes are images, or slices of volumes. */
typedef struct kfi_winograd_grid {
    int taps, m;           /* of an axis */
    int64_t rows, columns; /* of tiles in a plane */
    int64_t planes;
} kfi_winograd_grid;

static inline kfi_winograd_grid kfi_winograd_grid_of(const kfi_patches *p, int64_t batch) {
    const int taps = (int)p->axis[1].taps, m = KFI_POINTS + 1 - taps;
    return (kfi_winograd_grid){.taps = taps,
                               .m = m,
                               .rows = kfi_divide_up(p->axis[1].positions, m),
                               .columns = kfi_divide_up(p->axis[2].positions, m),
                               .planes = batch * p->axis[0].positions};
}

static inline int64_t kfi_winograd_count(const kfi_winograd_grid *grid) {
    return grid->planes * grid->rows * grid->columns;
}

/* Whether patches are such as Winograd's tiles take, one channel to a lane. */
static inline bool kfi_winograd_takes(const kfi_patches *p) {
    const kfi_patch_axis *a = p->axis;
    if (a[0].taps != 1 || a[0].stride != 1 || a[0].first != 0 || a[0].positions != a[0].size)
        return false;
    for (int i = 1; i < 3; i++)
        if (a[i].stride != 1 || a[i].step != 1 || (a[i].taps != 3 && a[i].taps != 5)) return false;
    return a[1].taps == a[2].taps && p->channels % KFI_LANES == 0;
}

/* Multiplications and additions of the products of all tiles. */
static inline double kfi_winograd_flops(const kfi_winograd_grid *grid, int64_t in, int64_t out) {
    return 2.0 * KFI_POINT_PAIRS * (double)kfi_winograd_count(grid) * (double)in * (double)out;
}

/* Cycles of one core for the transforms, of `ins` vectors in and `outs` out for each tile, for the
 * weights or their gradient, which take the longer the less of them a cache holds, and for `passes`
 * over the 36 matrices of weights. A pass multiplies whole rows of registers at three quarters of
 * what a core can, or waits for weights from beyond L2. Fitted to what `bench-ops --ways` measures.
 */
static inline double kfi_winograd_cost(const kfi_winograd_grid *grid, int64_t in, int64_t out,
                                       double ins, double outs, int64_t passes) {
    const int64_t tiles = kfi_winograd_count(grid), rows = kfi_divide_up(tiles, passes);
    const double weights = KFI_POINT_PAIRS * (double)in * (double)out / KFI_LANES;
    const double megabytes = 1e-6 * sizeof(float) * KFI_LANES * weights;
    const double products = (double)(kfi_divide_up(rows, KFI_SUM_ROWS) * KFI_SUM_ROWS) / (2 * 0.75);
    const double waits = megabytes < 1.5 ? 0 : KFI_LANES / 2;
    return (double)tiles * (150 * ins + 110 * outs) + weights * (6 + megabytes) +
           (double)passes * weights * (products > waits ? products : waits);
}

/* Tiles of a chunk whose matrices have so many columns altogether. */
static inline int64_t kfi_winograd_chunk(int64_t columns) {
    const int64_t fitting =
        KFI_WINOGRAD_BYTES / (KFI_POINT_PAIRS * (int64_t)sizeof(float)) / kfi_larger(columns, 1);
    return kfi_clamp(fitting / 6 * 6, 12, KFI_WINOGRAD_CHUNK);
}

/* Floats from one of the 36 matrices to the next. */
static inline int64_t kfi_winograd_pitch(int64_t chunk, int64_t columns) {
    return chunk * columns + KFI_WINOGRAD_GAP;
}

/* The place of a tile's first output. */
typedef struct kfi_winograd_place {
    int64_t plane, row, column;
} kfi_winograd_place;

static inline kfi_winograd_place kfi_winograd_place_of(const kfi_winograd_grid *grid,
                                                       int64_t tile) {
    const int64_t inside = tile % (grid->rows * grid->columns);
    return (kfi_winograd_place){tile / (grid->rows * grid->columns),
                                inside / grid->columns * grid->m, inside % grid->columns * grid->m};
}

/* `size` x `size` pixels of an image (rows, columns, channels) from (row, column) on, with zeros
 * outside: where they are, or copied. *step receives the distance of rows. */
static inline const float *kfi_winograd_pixels(const float *image, const int64_t sizes[2],
                                               int64_t channels, int64_t row, int64_t column,
                                               int64_t size, float *copy, int64_t *step) {
    if (row >= 0 && column >= 0 && row + size <= sizes[0] && column + size <= sizes[1]) {
        *step = sizes[1] * channels;
        return image + (row * sizes[1] + column) * channels;
    }
    *step = size * channels;
    const int64_t low = kfi_clamp(-column, 0, size);
    const int64_t high = kfi_clamp(sizes[1] - column, low, size);
    for (int64_t i = 0; i < size; i++) {
        float *to = copy + i * *step;
        const bool inside = row + i >= 0 && row + i < sizes[0];
        const int64_t from = inside ? low : size, to_end = inside ? high : size;
        kfi_zero_floats(to, from * channels);
        if (inside)
            kfi_copy_floats(to + low * channels,
                            image + ((row + i) * sizes[1] + column + low) * channels,
                            (high - low) * channels);
        kfi_zero_floats(to + to_end * channels, (size - to_end) * channels);
    }
    return copy;
}

/* Some rows of the six by six points. */
typedef struct kfi_winograd_points {
    int first, rows;
} kfi_winograd_points;

/* These rows of BT x B of one tile, into a row of each of 6 * points.rows matrices. */
KFI_INLINE void kfi_winograd_transform_points(kfi_winograd_points points, const float *x,
                                              int64_t step, int64_t channels, float *to,
                                              int64_t pitch) {
    for (int64_t c = 0; c < channels; c += KFI_LANES) {
        kfi_vector d[KFI_POINTS], column[KFI_POINTS], half[KFI_POINT_PAIRS], whole[KFI_POINTS];
        for (int j = 0; j < KFI_POINTS; j++) {
            for (int i = 0; i < KFI_POINTS; i++) d[i] = kfi_load(x + i * step + j * channels + c);
            kfi_winograd_input(d, 1, column, 1);
            for (int i = 0; i < points.rows; i++)
                half[i * KFI_POINTS + j] = column[points.first + i];
        }
        for (int i = 0; i < points.rows; i++) {
            kfi_winograd_input(half + i * KFI_POINTS, 1, whole, 1);
            for (int j = 0; j < KFI_POINTS; j++)
                kfi_store(to + (i * KFI_POINTS + j) * pitch + c, whole[j]);
        }
    }
}

/* Each is of constant points, so that it computes what these need and no more. */
typedef void kfi_winograd_transform(const float *x, int64_t step, int64_t channels, float *to,
                                    int64_t pitch);
#define KFI_WINOGRAD_TRANSFORM(first, rows)                                                        \
    static void kfi_winograd_transform_##first##_##rows(                                           \
        const float *x, int64_t step, int64_t channels, float *to, int64_t pitch) {                \
        kfi_winograd_transform_points((kfi_winograd_points){first, rows}, x, step, channels, to,   \
                                      pitch);                                                      \
    }
KFI_WINOGRAD_TRANSFORM(0, 6)

/* The tiles [tiles.first, tiles.last) of x as matrices (tiles, channels), one for each point.
 * `copy` has room for one tile's pixels. */
static inline void kfi_winograd_transform_x(const kfi_patches *p, const kfi_winograd_grid *grid,
                                            kfi_winograd_transform *transform, kfi_range tiles,
                                            float *copy, float *to, int64_t pitch) {
    const int64_t sizes[2] = {p->axis[1].size, p->axis[2].size};
    for (int64_t tile = tiles.first; tile < tiles.last; tile++, to += p->channels) {
        const kfi_winograd_place at = kfi_winograd_place_of(grid, tile);
        int64_t step;
        const float *x = kfi_winograd_pixels(
            p->source + at.plane * sizes[0] * sizes[1] * p->channels, sizes, p->channels,
            at.row + p->axis[1].first, at.column + p->axis[2].first, KFI_POINTS, copy, &step);
        transform(x, step, p->channels, to, pitch);
    }
}

/* Beside the work on some tiles, what to ask memory for: `rows` x `columns` pixels of an image from
 * (row, column) on, as far as they are inside. */
static inline kfi_ahead kfi_winograd_ahead(const float *image, const int64_t sizes[2],
                                           int64_t channels, int64_t row, int64_t rows,
                                           int64_t column, int64_t columns) {
    const int64_t top = kfi_clamp(row, 0, sizes[0]), left = kfi_clamp(column, 0, sizes[1]);
    return (kfi_ahead){.row = image + (top * sizes[1] + left) * channels,
                       .rows = kfi_clamp(row + rows, top, sizes[0]) - top,
                       .width = (kfi_clamp(column + columns, left, sizes[1]) - left) * channels,
                       .step = sizes[1] * channels};
}

/* The pixels or places of these tiles: `size` of an axis to a tile, from `first` on. */
static inline kfi_ahead kfi_winograd_tiles_ahead(const kfi_winograd_grid *grid, kfi_range tiles,
                                                 const float *source, const int64_t sizes[2],
                                                 int64_t channels, const int64_t first[2],
                                                 int64_t size) {
    const int64_t count = tiles.last - tiles.first;
    if (count <= 0) return (kfi_ahead){0};
    const kfi_winograd_place at = kfi_winograd_place_of(grid, tiles.first);
    const int64_t left = at.column / grid->m;
    const bool one = left + count <= grid->columns; /* row of tiles; else whole rows */
    const int64_t rows = kfi_divide_up(left + count, grid->columns);
    return kfi_winograd_ahead(source + at.plane * sizes[0] * sizes[1] * channels, sizes, channels,
                              at.row + first[0], (rows - 1) * grid->m + size,
                              (one ? at.column : 0) + first[1],
                              one ? (count - 1) * grid->m + size : sizes[1] + size);
}

static inline kfi_ahead kfi_winograd_pixels_ahead(const kfi_patches *p,
                                                  const kfi_winograd_grid *grid, kfi_range tiles) {
    return kfi_winograd_tiles_ahead(
        grid, tiles, p->source, (const int64_t[]){p->axis[1].size, p->axis[2].size}, p->channels,
        (const int64_t[]){p->axis[1].first, p->axis[2].first}, KFI_POINTS);
}

static inline kfi_ahead kfi_winograd_places_ahead(const kfi_patches *p,
                                                  const kfi_winograd_grid *grid, kfi_range tiles,
                                                  const float *places, int64_t columns) {
    return kfi_winograd_tiles_ahead(grid, tiles, places,
                                    (const int64_t[]){p->axis[1].positions, p->axis[2].positions},
                                    columns, (const int64_t[]){0, 0}, grid->m);
}

#endif
