/* c += a w for a recurrent step: a few rows, the same w at every step. w is packed once, into
 * panels of columns that are read front to back; six rows of c times the columns of a panel are
 * sums in registers. Calling a BLAS for so little costs more than the product. */
#ifndef KFI_OPS_STEP_PRODUCT_H
#define KFI_OPS_STEP_PRODUCT_H

#include "ops/panel_product.h"

/* A matrix (depth, columns) in panels of at most KFI_SUM_COLUMNS columns, each (depth, width),
 * filled up with zeros to whole vectors. */
typedef struct kfi_packed {
    float *data;
    int64_t depth, columns;
} kfi_packed;

static inline int64_t kfi_packed_floats(int64_t depth, int64_t columns) {
    return depth * kfi_whole_vectors(columns);
}

/* Packs w (depth, columns); or the transpose of w (columns, depth). */
static inline void kfi_pack(const kfi_packed *to, kfi_rows_of w, bool transpose) {
    for (int64_t first = 0; first < to->columns; first += KFI_SUM_COLUMNS) {
        const int64_t n = kfi_smaller(to->columns - first, KFI_SUM_COLUMNS);
        const kfi_rows_of part = {w.data + first * (transpose ? w.row : 1), w.row};
        kfi_pack_panel(part, transpose, to->depth, n,
                       to->data + kfi_packed_floats(to->depth, first));
    }
}

/* n floats, few and often whole vectors: a call would take longer than the copy. */
static inline void kfi_copy_run(const float *from, int64_t n, float *to) {
    int64_t k = 0;
    for (; k + KFI_LANES <= n; k += KFI_LANES) kfi_store(to + k, kfi_load(from + k));
    for (; k < n; k++) to[k] = from[k];
}

/* Packs columns of w that stand in groups of n, `apart` from each other, as if they were one
 * matrix. */
static inline void kfi_pack_groups(const kfi_packed *to, kfi_rows_of w, int64_t n, int64_t apart) {
    const size_t floats = (size_t)kfi_packed_floats(to->depth, to->columns);
    if (to->columns % KFI_LANES) memset(to->data, 0, floats * sizeof *to->data);
    for (int64_t column = 0, run; column < to->columns; column += run) {
        const int64_t at = column % KFI_SUM_COLUMNS, panel = column - at;
        const int64_t left = kfi_smaller(to->columns - panel, KFI_SUM_COLUMNS);
        run = kfi_smaller(n - column % n, left - at);
        const float *from = w.data + column / n * apart + column % n;
        float *first = to->data + kfi_packed_floats(to->depth, panel) + at;
        for (int64_t l = 0; l < to->depth; l++)
            kfi_copy_run(from + l * w.row, run, first + l * kfi_whole_vectors(left));
    }
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
