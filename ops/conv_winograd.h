/* A gathering by Winograd tiles (winograd_tiles.h): chunk by chunk, its pixels are transformed,
 * multiplied by the transformed weights at each of the 36 pairs of points, and transformed back. */
#ifndef KFI_OPS_CONV_WINOGRAD_H
#define KFI_OPS_CONV_WINOGRAD_H

#include "ops/gathering.h"
#include "ops/winograd_product.h"
#include "ops/winograd_tiles.h"

#define KFI_WINOGRAD_TILE_FLOPS 3e7 /* some 200 us: chunks enough to know the next one's pixels */

static inline bool kfi_winograd_fits(const kfi_gathering *g) {
    return !g->exact && g->out % KFI_LANES == 0 && kfi_lands_whole(g) && kfi_gathered_rows(g) > 0 &&
           kfi_winograd_takes(&g->patches);
}

/* --- weights: blocks of KFI_SUM_COLUMNS columns, each 36 matrices (channels, columns): in the
 * order in which they are read
 * ------------------------------------------------------------------------- */

/* Floats from one of the 36 matrices of a block to the next. */
static inline int64_t kfi_winograd_weight_pitch(const kfi_gathering *g, int64_t width) {
    return kfi_winograd_pitch(g->patches.channels, width);
}

/* The beginning of the block whose first column is `column`. */
static inline int64_t kfi_winograd_weight_block(const kfi_gathering *g, int64_t column) {
    return KFI_POINT_PAIRS * column / KFI_SUM_COLUMNS *
           kfi_winograd_weight_pitch(g, KFI_SUM_COLUMNS);
}

static inline int64_t kfi_winograd_weights(const kfi_gathering *g) {
    return kfi_winograd_weight_block(g, kfi_divide_up(g->out, KFI_SUM_COLUMNS) * KFI_SUM_COLUMNS);
}

/* Channels that make a tile of the transform. */
static inline int64_t kfi_winograd_weight_step(const kfi_gathering *g) {
    return kfi_larger(KFI_TILE_ELEMENTS / (KFI_POINT_PAIRS * kfi_larger(g->out, 1)), 1);
}

static inline int64_t kfi_winograd_weight_tiles(const kfi_gathering *g) {
    return kfi_tile_count(g->patches.channels, kfi_winograd_weight_step(g));
}

/* G w GT of a vector of columns. */
KFI_INLINE void kfi_winograd_transform_w(int r, const float *w, int64_t tap_step, float *to,
                                         int64_t pitch) {
    kfi_vector taps[5], half[KFI_POINTS * 5], whole[KFI_POINTS];
    for (int j = 0; j < r; j++) {
        for (int i = 0; i < r; i++) taps[i] = kfi_load(w + (i * r + j) * tap_step);
        kfi_winograd_filter(r, taps, 1, half + j, r);
    }
    for (int i = 0; i < KFI_POINTS; i++) {
        kfi_winograd_filter(r, half + i * r, 1, whole, 1);
        for (int j = 0; j < KFI_POINTS; j++) kfi_store(to + (i * KFI_POINTS + j) * pitch, whole[j]);
    }
}

static inline void kfi_winograd_prepare(const kfi_gathering *g, int64_t tile, float *prepared) {
    const int64_t channels = g->patches.channels, tap_step = channels * g->out;
    const kfi_range part = kfi_tile_range(channels, kfi_winograd_weight_step(g), tile);
    for (int64_t c = part.first; c < part.last; c++)
        for (int64_t o = 0; o < g->out; o += KFI_LANES) {
            const int64_t block = o / KFI_SUM_COLUMNS * KFI_SUM_COLUMNS;
            const int64_t row = kfi_smaller(KFI_SUM_COLUMNS, g->out - block);
            const int64_t pitch = kfi_winograd_weight_pitch(g, row);
            float *to = prepared + kfi_winograd_weight_block(g, block) + c * row + (o - block);
            const float *w = g->w + c * g->out + o;
            if (g->patches.axis[1].taps == 3)
                kfi_winograd_transform_w(3, w, tap_step, to, pitch);
            else
                kfi_winograd_transform_w(5, w, tap_step, to, pitch);
        }
}

/* --- tiles of the scheduler: bands of rows of tiles, or some whole planes -----------------------
 */

typedef struct kfi_winograd_cut {
    int64_t planes, bands; /* planes of a tile, or bands of a plane: one of them is 1 */
    int64_t rows;          /* of tiles in a band */
    int64_t chunk;
} kfi_winograd_cut;

static inline kfi_winograd_cut kfi_winograd_cut_of(const kfi_gathering *g,
                                                   const kfi_winograd_grid *grid) {
    const double row_flops = 2.0 * KFI_POINT_PAIRS * (double)grid->columns *
                             (double)g->patches.channels * (double)g->out;
    const int64_t wanted = kfi_larger((int64_t)(KFI_WINOGRAD_TILE_FLOPS / row_flops), 1);
    kfi_winograd_cut cut = {.chunk = kfi_winograd_chunk(g->patches.channels + KFI_SUM_COLUMNS)};
    /* half a chunk and more, so that the weights are read for a number of tiles; of small planes
     * as long as there are tiles to share out */
    const int64_t least = kfi_divide_up(cut.chunk, 2 * grid->columns);
    const int64_t joined = kfi_smaller(kfi_divide_up(least, grid->rows), grid->planes / 4);
    cut.planes = kfi_clamp(kfi_larger(wanted / grid->rows, joined), 1, grid->planes);
    cut.rows = kfi_clamp(wanted, kfi_smaller(least, grid->rows), grid->rows);
    cut.bands = kfi_divide_up(grid->rows, cut.rows);
    cut.rows = kfi_divide_up(grid->rows, cut.bands);
    cut.bands = kfi_divide_up(grid->rows, cut.rows);
    if (cut.bands > 1) cut.planes = 1;
    return cut;
}

static inline int64_t kfi_winograd_tiles(const kfi_gathering *g) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&g->patches, g->batch);
    const kfi_winograd_cut cut = kfi_winograd_cut_of(g, &grid);
    return kfi_tile_count(grid.planes, cut.planes) * cut.bands;
}

/* Chunks of all tiles: each reads all the weights. */
static inline int64_t kfi_winograd_passes(const kfi_gathering *g, const kfi_winograd_grid *grid) {
    const kfi_winograd_cut cut = kfi_winograd_cut_of(g, grid);
    const int64_t of_a_tile = cut.planes * cut.rows * grid->columns;
    return kfi_winograd_tiles(g) * kfi_divide_up(of_a_tile, cut.chunk);
}

/* The rows of tiles, counted through all planes. */
static inline kfi_range kfi_winograd_rows(const kfi_winograd_grid *grid,
                                          const kfi_winograd_cut *cut, int64_t tile) {
    const kfi_range planes = kfi_tile_range(grid->planes, cut->planes, tile / cut->bands);
    if (cut->bands == 1) return (kfi_range){planes.first * grid->rows, planes.last * grid->rows};
    const kfi_range band = kfi_tile_range(grid->rows, cut->rows, tile % cut->bands);
    return (kfi_range){planes.first * grid->rows + band.first,
                       planes.first * grid->rows + band.last};
}

/* The transformed pixels, the products of a block of columns, one tile's pixels, pointers. */
static inline size_t kfi_winograd_local_bytes(const kfi_gathering *g) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&g->patches, g->batch);
    const int64_t chunk = kfi_winograd_cut_of(g, &grid).chunk, channels = g->patches.channels;
    const int64_t floats =
        KFI_POINT_PAIRS * (kfi_winograd_pitch(chunk, channels) +
                           kfi_winograd_pitch(chunk, KFI_SUM_COLUMNS) + channels);
    return (size_t)floats * sizeof(float);
}

/* AT v A of one tile's products and a vector of columns, as far as it lies inside. */
KFI_INLINE void kfi_winograd_transform_back(int m, const float *v, int64_t pitch, int64_t rows,
                                            int64_t columns, float *y, int64_t row_step,
                                            int64_t step) {
    kfi_vector in[KFI_POINTS], half[4 * KFI_POINTS], whole[4];
    for (int j = 0; j < KFI_POINTS; j++) {
        for (int i = 0; i < KFI_POINTS; i++) in[i] = kfi_load(v + (i * KFI_POINTS + j) * pitch);
        kfi_winograd_output(m, in, 1, half + j, KFI_POINTS);
    }
    for (int i = 0; i < m && i < rows; i++) {
        kfi_winograd_output(m, half + i * KFI_POINTS, 1, whole, 1);
        for (int j = 0; j < m && j < columns; j++) kfi_store(y + i * row_step + j * step, whole[j]);
    }
}

/* products: 36 matrices (chunk, width), columns [columns.first, columns.last) of the result. */
static inline void kfi_winograd_store(const kfi_gathering *g, const kfi_winograd_grid *grid,
                                      kfi_range tiles, kfi_range columns, const float *products,
                                      int64_t pitch) {
    const int64_t n1 = g->patches.axis[1].positions, n2 = g->patches.axis[2].positions;
    for (int64_t tile = tiles.first; tile < tiles.last; tile++) {
        const kfi_winograd_place at = kfi_winograd_place_of(grid, tile);
        float *y = g->to + ((at.plane * n1 + at.row) * n2 + at.column) * g->out;
        for (int64_t o = columns.first; o < columns.last; o += KFI_LANES, products += KFI_LANES) {
            if (grid->m == 4)
                kfi_winograd_transform_back(4, products, pitch, n1 - at.row, n2 - at.column, y + o,
                                            n2 * g->out, g->out);
            else
                kfi_winograd_transform_back(2, products, pitch, n1 - at.row, n2 - at.column, y + o,
                                            n2 * g->out, g->out);
        }
    }
}

static inline void kfi_winograd_multiply_chunk(const kfi_gathering *g,
                                               const kfi_winograd_grid *grid, int64_t chunk,
                                               kfi_range tiles, kfi_range next, float *local) {
    const int64_t channels = g->patches.channels;
    const int64_t pitch = kfi_winograd_pitch(chunk, channels);
    float *products = local + KFI_POINT_PAIRS * pitch;
    const int64_t products_pitch = kfi_winograd_pitch(chunk, KFI_SUM_COLUMNS);
    float *copy = products + KFI_POINT_PAIRS * products_pitch;
    const int64_t count = tiles.last - tiles.first;
    const int64_t rows = kfi_divide_up(count, KFI_SUM_ROWS) * KFI_SUM_ROWS;
    kfi_winograd_transform_x(&g->patches, grid, kfi_winograd_transform_0_6, tiles, copy, local,
                             pitch);
    for (int64_t q = 0; q < KFI_POINT_PAIRS && count < rows; q++)
        kfi_zero_floats(local + q * pitch + count * channels, (rows - count) * channels);
    kfi_ahead ahead[2] = {kfi_winograd_places_ahead(&g->patches, grid, tiles, g->to, g->out),
                          kfi_winograd_pixels_ahead(&g->patches, grid, next)};
    for (int64_t first = 0; first < g->out; first += KFI_SUM_COLUMNS) {
        const int64_t width = kfi_smaller(KFI_SUM_COLUMNS, g->out - first);
        const float *w = g->prepared + kfi_winograd_weight_block(g, first);
        for (int64_t q = 0; q < KFI_POINT_PAIRS; q++)
            kfi_multiply_rows(width / KFI_LANES, local + q * pitch, rows, channels,
                              w + q * kfi_winograd_weight_pitch(g, width), &ahead[ahead->rows <= 0],
                              products + q * products_pitch);
        kfi_winograd_store(g, grid, tiles, (kfi_range){first, first + width}, products,
                           products_pitch);
    }
}

static inline void kfi_winograd_run(const kfi_gathering *g, int64_t tile, void *local) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&g->patches, g->batch);
    const kfi_winograd_cut cut = kfi_winograd_cut_of(g, &grid);
    const kfi_range rows = kfi_winograd_rows(&grid, &cut, tile);
    const int64_t last = rows.last * grid.columns;
    for (int64_t first = rows.first * grid.columns; first < last; first += cut.chunk) {
        const kfi_range tiles = {first, kfi_smaller(first + cut.chunk, last)};
        const kfi_range next = {tiles.last, kfi_smaller(tiles.last + cut.chunk, last)};
        kfi_winograd_multiply_chunk(g, &grid, cut.chunk, tiles, next, local);
    }
}

static inline kfi_region kfi_winograd_region(const kfi_gathering *g, int64_t tile) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&g->patches, g->batch);
    const kfi_winograd_cut cut = kfi_winograd_cut_of(g, &grid);
    const kfi_range rows = kfi_winograd_rows(&grid, &cut, tile);
    const int64_t n1 = g->patches.axis[1].positions, n2 = g->patches.axis[2].positions;
    const int64_t first = rows.first / grid.rows * n1 + rows.first % grid.rows * grid.m;
    const int64_t last = rows.last / grid.rows * n1 + rows.last % grid.rows * grid.m;
    return kfi_landed_region(g, (kfi_rectangle){{first * n2, last * n2}, {0, g->out}});
}

#endif
