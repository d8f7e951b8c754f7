/* c += a w for a recurrent step: a few rows, the same w at every step. w is packed once by a tile,
 * into panels of columns that are read front to back; six rows of c times the columns of a panel
 * are sums in registers. Calling a BLAS for so little costs more than the product. */
#ifndef KFI_OPS_STEP_PRODUCT_H
#define KFI_OPS_STEP_PRODUCT_H

#include "ops/tiles.h"
#include "ops/vectors.h"

/* A matrix: rows `row` apart. */
typedef struct kfi_rows_of {
    const float *data;
    int64_t row;
} kfi_rows_of;

/* A matrix (depth, columns) in panels of at most KFI_SUM_COLUMNS columns, each (depth, width),
 * filled up with zeros to whole vectors. */
typedef struct kfi_packed {
    const float *data;
    int64_t depth, columns;
} kfi_packed;

static inline int64_t kfi_packed_floats(int64_t depth, int64_t columns) {
    return depth * kfi_whole_vectors(columns);
}

/* A panel of n columns, from the upper left of w; or of its transpose, line of cache by line. */
static inline void kfi_pack_panel(kfi_rows_of w, bool transpose, int64_t depth, int64_t n,
                                  float *to) {
    enum { AT_ONCE = 16 };
    const int64_t width = kfi_whole_vectors(n);
    if (n < width) memset(to, 0, (size_t)(depth * width) * sizeof *to);
    for (int64_t l = 0; !transpose && l < depth; l++)
        memcpy(to + l * width, w.data + l * w.row, (size_t)n * sizeof *to);
    for (int64_t first = 0; transpose && first < depth; first += AT_ONCE)
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = first; l < kfi_smaller(first + AT_ONCE, depth); l++)
                to[l * width + j] = w.data[j * w.row + l];
}

/* Packs w (depth, columns); or the transpose of w (columns, depth). */
static inline kfi_packed kfi_pack(kfi_rows_of w, bool transpose, int64_t depth, int64_t columns,
                                  float *to) {
    for (int64_t first = 0; first < columns; first += KFI_SUM_COLUMNS) {
        const int64_t n = kfi_smaller(columns - first, KFI_SUM_COLUMNS);
        const kfi_rows_of part = {w.data + first * (transpose ? w.row : 1), w.row};
        kfi_pack_panel(part, transpose, depth, n, to + kfi_packed_floats(depth, first));
    }
    return (kfi_packed){to, depth, columns};
}

/* `rows` rows of c, `vectors` vectors wide, += as many rows of a times a panel. */
KFI_INLINE void kfi_add_panel(const int rows, const int vectors, kfi_rows_of a, const float *panel,
                              int64_t depth, float *c, int64_t c_row) {
    kfi_vector sum[KFI_SUM_ROWS][KFI_VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) sum[i][v] = kfi_load(c + i * c_row + v * KFI_LANES);
    for (int64_t l = 0; l < depth; l++, panel += vectors * KFI_LANES) {
        kfi_vector w[KFI_VECTORS];
        for (int v = 0; v < vectors; v++) w[v] = kfi_load(panel + v * KFI_LANES);
        for (int i = 0; i < rows; i++) {
            const float by = a.data[i * a.row + l];
            for (int v = 0; v < vectors; v++) sum[i][v] += by * w[v];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) kfi_store(c + i * c_row + v * KFI_LANES, sum[i][v]);
}

/* The same for any number of rows; the last few have sums of their own. */
KFI_INLINE void kfi_add_panel_rows(const int vectors, int64_t rows, kfi_rows_of a,
                                   const float *panel, int64_t depth, float *c, int64_t c_row) {
    for (; rows >= 6; rows -= 6, a.data += 6 * a.row, c += 6 * c_row)
        kfi_add_panel(6, vectors, a, panel, depth, c, c_row);
    for (; rows >= 4; rows -= 4, a.data += 4 * a.row, c += 4 * c_row)
        kfi_add_panel(4, vectors, a, panel, depth, c, c_row);
    for (; rows >= 2; rows -= 2, a.data += 2 * a.row, c += 2 * c_row)
        kfi_add_panel(2, vectors, a, panel, depth, c, c_row);
    if (rows > 0) kfi_add_panel(1, vectors, a, panel, depth, c, c_row);
}

static inline void kfi_add_panel_of(int64_t vectors, int64_t rows, kfi_rows_of a,
                                    const float *panel, int64_t depth, float *c, int64_t c_row) {
    if (vectors == 1)
        kfi_add_panel_rows(1, rows, a, panel, depth, c, c_row);
    else if (vectors == 2)
        kfi_add_panel_rows(2, rows, a, panel, depth, c, c_row);
    else if (KFI_VECTORS > 2 && vectors == 3)
        kfi_add_panel_rows(KFI_VECTORS - 1, rows, a, panel, depth, c, c_row);
    else
        kfi_add_panel_rows(KFI_VECTORS, rows, a, panel, depth, c, c_row);
}

/* A panel whose last vector is not whole: sums go through a copy that is. */
static inline void kfi_add_ragged_panel(int64_t columns, int64_t rows, kfi_rows_of a,
                                        const float *panel, int64_t depth, float *c,
                                        int64_t c_row) {
    float sums[KFI_SUM_ROWS * KFI_SUM_COLUMNS];
    const int64_t width = kfi_whole_vectors(columns);
    for (int64_t first = 0; first < rows; first += KFI_SUM_ROWS) {
        const int64_t n = kfi_smaller(rows - first, KFI_SUM_ROWS);
        memset(sums, 0, (size_t)(n * width) * sizeof *sums);
        for (int64_t i = 0; i < n; i++)
            memcpy(sums + i * width, c + (first + i) * c_row, (size_t)columns * sizeof *c);
        kfi_add_panel_of(width / KFI_LANES, n, (kfi_rows_of){a.data + first * a.row, a.row}, panel,
                         depth, sums, width);
        for (int64_t i = 0; i < n; i++)
            memcpy(c + (first + i) * c_row, sums + i * width, (size_t)columns * sizeof *c);
    }
}

/* c (rows, w->columns) += a (rows, w->depth) w. */
static inline void kfi_step_product(int64_t rows, kfi_rows_of a, const kfi_packed *w, float *c,
                                    int64_t c_row) {
    const float *panel = w->data;
    for (int64_t first = 0; first < w->columns; first += KFI_SUM_COLUMNS) {
        const int64_t n = kfi_smaller(w->columns - first, KFI_SUM_COLUMNS);
        if (n % KFI_LANES == 0)
            kfi_add_panel_of(n / KFI_LANES, rows, a, panel, w->depth, c + first, c_row);
        else
            kfi_add_ragged_panel(n, rows, a, panel, w->depth, c + first, c_row);
        panel += w->depth * kfi_whole_vectors(n);
    }
}

#endif
