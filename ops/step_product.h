/* c += a w for a recurrent step: a few rows, the same w at every step. w is packed once by a tile,
 * into panels of columns that are read front to back; six rows of c times the columns of a panel
 * are sums in registers. Calling a BLAS for so little costs more than the product. */
#ifndef KFI_OPS_STEP_PRODUCT_H
#define KFI_OPS_STEP_PRODUCT_H

#include "ops/panel_product.h"

/* A matrix (depth, columns) in panels of at most KFI_SUM_COLUMNS columns, each (depth, width),
 * filled up with zeros to whole vectors. */
typedef struct kfi_packed {
    const float *data;
    int64_t depth, columns;
} kfi_packed;

static inline int64_t kfi_packed_floats(int64_t depth, int64_t columns) {
    return depth * kfi_whole_vectors(columns);
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

/* c (rows, w->columns) += a (rows, w->depth) w. */
static inline void kfi_step_product(int64_t rows, kfi_rows_of a, const kfi_packed *w, float *c,
                                    int64_t c_row) {
    const float *panel = w->data;
    for (int64_t first = 0; first < w->columns; first += KFI_SUM_COLUMNS) {
        const int64_t n = kfi_smaller(w->columns - first, KFI_SUM_COLUMNS);
        const int64_t width = kfi_whole_vectors(n);
        kfi_multiply_columns(n, &(kfi_panel_product){.rows = rows,
                                                     .depth = w->depth,
                                                     .a = {a.data, a.row, 1},
                                                     .panel = {panel, width},
                                                     .c = c + first,
                                                     .c_row = c_row,
                                                     .accumulate = true});
        panel += w->depth * width;
    }
}

#endif
