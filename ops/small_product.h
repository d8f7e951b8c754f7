/* Products whose second factor stays in the cache, on the panel kernel: nothing is copied but what
 * is transposed or not whole vectors wide, so a product of microseconds loses nothing before it
 * begins. A BLAS packs both factors first, which pays only for larger ones. */
#ifndef KFI_OPS_SMALL_PRODUCT_H
#define KFI_OPS_SMALL_PRODUCT_H

#include "ops/kernels/gemm.h"
#include "ops/panel_product.h"

enum {
    KFI_SMALL_DEPTH = 128, /* of a panel: half of an L1 cache, or less */
    KFI_SMALL_ROWS = 96    /* of a, which stay in the L2 cache while b goes by */
};
#define KFI_SMALL_LOCAL_BYTES ((size_t)(KFI_SMALL_DEPTH * KFI_SUM_COLUMNS) * sizeof(float))

/* The panel of b that begins at column j and row l: itself, or packed into `local`. */
static inline kfi_rows_of kfi_small_panel(const kfi_product *p, kfi_range columns, kfi_range depth,
                                          float *local) {
    const int64_t n = columns.last - columns.first;
    const int64_t row = p->transpose_b ? 1 : p->b_row, column = p->transpose_b ? p->b_row : 1;
    const kfi_rows_of b = {p->b + columns.first * column + depth.first * row, p->b_row};
    if (!p->transpose_b && n % KFI_LANES == 0) return b;
    kfi_pack_panel(b, p->transpose_b, depth.last - depth.first, n, local);
    return (kfi_rows_of){local, kfi_whole_vectors(n)};
}

/* The columns of a panel, for some rows of c. */
static inline void kfi_small_columns(const kfi_product *p, kfi_range rows, kfi_range columns,
                                     float *local) {
    const int64_t a_row = p->transpose_a ? 1 : p->a_row, a_step = p->transpose_a ? p->a_row : 1;
    for (int64_t l = 0; l < p->k; l += KFI_SMALL_DEPTH) {
        const kfi_range depth = {l, kfi_smaller(l + KFI_SMALL_DEPTH, p->k)};
        const kfi_rows_of panel = kfi_small_panel(p, columns, depth, local);
        const bool more = depth.last < p->k && panel.data != local;
        const kfi_panel_product part = {
            .rows = rows.last - rows.first,
            .depth = depth.last - depth.first,
            .a = {p->a + rows.first * a_row + l * a_step, a_row, a_step},
            .panel = panel,
            .next = more ? panel.data + KFI_SMALL_DEPTH * panel.row : NULL,
            .c = p->c + rows.first * p->c_row + columns.first,
            .c_row = p->c_row,
            .accumulate = l > 0};
        kfi_multiply_columns(columns.last - columns.first, &part);
    }
}

/* c = a b; `local` is KFI_SMALL_LOCAL_BYTES for the call alone. */
static inline void kfi_small_product(const kfi_product *p, float *local) {
    const int64_t at_once = p->transpose_b ? p->m : KFI_SMALL_ROWS; /* b is packed once */
    for (int64_t i = 0; i < p->m; i += at_once)
        for (int64_t j = 0; j < p->n; j += KFI_SUM_COLUMNS)
            kfi_small_columns(p, (kfi_range){i, kfi_smaller(i + at_once, p->m)},
                              (kfi_range){j, kfi_smaller(j + KFI_SUM_COLUMNS, p->n)}, local);
}

#endif
