/* Sums of rows of products: six rows of c, a few vectors wide, stay in registers while a column of
 * a and a row of a panel go by. The panel is a part of the second factor that the L1 cache keeps
 * for all rows of c. Nothing is copied but panels that are transposed, not whole vectors wide, or
 * strewn, so that a product of microseconds loses nothing before it begins; a BLAS packs both
 * factors first. */
#ifndef KFI_OPS_PANEL_PRODUCT_H
#define KFI_OPS_PANEL_PRODUCT_H

#include "ops/kernels/gemm.h"
#include "ops/tiles.h"
#include "ops/vector_transpose.h"

/* A core begins two multiplications a cycle, of which each takes four. */
enum { KFI_FEW_SUMS = 4 };

/* A matrix: rows `row` apart. */
typedef struct kfi_rows_of {
    const float *data;
    int64_t row;
} kfi_rows_of;

/* A matrix whose element (i, l) stands at data[i * row + l * step]. */
typedef struct kfi_strided {
    const float *data;
    int64_t row, step;
} kfi_strided;

/* c += a panel, or c = that: (rows, columns), the sum over `depth`. */
typedef struct kfi_panel_product {
    int64_t rows, depth;
    kfi_strided a;
    kfi_rows_of panel; /* of whole vectors */
    const float *next; /* a panel like this one that is fetched meanwhile; or NULL */
    float *c;
    int64_t c_row;
    bool accumulate;
} kfi_panel_product;

/* kfi_panel_sums where there are so few that each would wait for its last multiplication: twice as
 * many, of even and odd terms. */
KFI_INLINE void kfi_panel_few_sums(const int rows, const int vectors, const kfi_panel_product *p) {
    const kfi_strided a = p->a;
    kfi_vector sum[2][KFI_SUM_ROWS][KFI_VECTORS] = {0};
    const float *w = p->panel.data, *const next = p->next;
    for (int64_t l = 0; l < p->depth; l += 2, w += 2 * p->panel.row)
        for (int half = 0; half < 2 && l + half < p->depth; half++) {
            if (next) __builtin_prefetch(next + (l + half) * p->panel.row);
            for (int i = 0; i < rows; i++) {
                const float by = a.data[i * a.row + (l + half) * a.step];
                for (int v = 0; v < vectors; v++)
                    sum[half][i][v] += by * kfi_load(w + half * p->panel.row + v * KFI_LANES);
            }
        }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            float *c = p->c + i * p->c_row + v * KFI_LANES;
            const kfi_vector both = sum[0][i][v] + sum[1][i][v];
            kfi_store(c, p->accumulate ? kfi_load(c) + both : both);
        }
}

/* `rows` rows of c, `vectors` vectors wide. Sums begin at zero, so that in a long product the parts
 * of each panel are added up, which rounds less than one sum through all. */
KFI_INLINE void kfi_panel_sums(const int rows, const int vectors, const kfi_panel_product *p) {
    if (rows * vectors <= KFI_FEW_SUMS) {
        kfi_panel_few_sums(rows, vectors, p);
        return;
    }
    const kfi_strided a = p->a;
    kfi_vector sum[KFI_SUM_ROWS][KFI_VECTORS] = {0};
    const float *w = p->panel.data, *const next = p->next;
    for (int64_t l = 0; l < p->depth; l++, w += p->panel.row) {
        kfi_vector factor[KFI_VECTORS];
        for (int v = 0; v < vectors; v++) factor[v] = kfi_load(w + v * KFI_LANES);
        if (next) __builtin_prefetch(next + l * p->panel.row);
        for (int i = 0; i < rows; i++) {
            const float by = a.data[i * a.row + l * a.step];
            for (int v = 0; v < vectors; v++) sum[i][v] += by * factor[v];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            float *c = p->c + i * p->c_row + v * KFI_LANES;
            kfi_store(c, p->accumulate ? kfi_load(c) + sum[i][v] : sum[i][v]);
        }
}

/* The next `rows` rows, as long as there are so many. */
KFI_INLINE void kfi_panel_rows(const int rows, const int vectors, kfi_panel_product *p) {
    for (; p->rows >= rows; p->rows -= rows) {
        kfi_panel_sums(rows, vectors, p);
        p->a.data += rows * p->a.row;
        p->c += rows * p->c_row;
        if (p->next) p->next += KFI_LANES; /* another column of the next panel */
    }
}

/* The last few rows have sums of their own. */
KFI_INLINE void kfi_panel_all_rows(const int vectors, kfi_panel_product p) {
    kfi_panel_rows(KFI_SUM_ROWS, vectors, &p);
    kfi_panel_rows(4, vectors, &p);
    kfi_panel_rows(2, vectors, &p);
    kfi_panel_rows(1, vectors, &p);
}

/* Columns are `vectors` whole vectors. */
static inline void kfi_multiply_panel(int64_t vectors, const kfi_panel_product *p) {
    if (vectors == 1)
        kfi_panel_all_rows(1, *p);
    else if (vectors == 2)
        kfi_panel_all_rows(2, *p);
    else if (KFI_VECTORS > 2 && vectors == 3)
        kfi_panel_all_rows(KFI_VECTORS - 1, *p);
    else
        kfi_panel_all_rows(KFI_VECTORS, *p);
}

/* A panel whose last vector is not whole: sums go through a copy that is. */
static inline void kfi_multiply_ragged_panel(int64_t columns, const kfi_panel_product *p) {
    float sums[KFI_SUM_ROWS * KFI_SUM_COLUMNS];
    const int64_t width = kfi_whole_vectors(columns);
    for (int64_t first = 0; first < p->rows; first += KFI_SUM_ROWS) {
        kfi_panel_product part = *p;
        part.rows = kfi_smaller(p->rows - first, KFI_SUM_ROWS);
        part.a.data += first * p->a.row;
        part.c = sums;
        part.c_row = width;
        memset(sums, 0, (size_t)(part.rows * width) * sizeof *sums);
        for (int64_t i = 0; p->accumulate && i < part.rows; i++)
            memcpy(sums + i * width, p->c + (first + i) * p->c_row, (size_t)columns * sizeof *sums);
        kfi_multiply_panel(width / KFI_LANES, &part);
        for (int64_t i = 0; i < part.rows; i++)
            memcpy(p->c + (first + i) * p->c_row, sums + i * width, (size_t)columns * sizeof *sums);
    }
}

/* Any number of columns up to KFI_SUM_COLUMNS; the panel is filled up to whole vectors. */
static inline void kfi_multiply_columns(int64_t columns, const kfi_panel_product *p) {
    if (columns % KFI_LANES == 0)
        kfi_multiply_panel(columns / KFI_LANES, p);
    else
        kfi_multiply_ragged_panel(columns, p);
}

/* --- packing ---------------------------------------------------------------------------------- */

/* A panel of n columns, from the upper left of w; or of its transpose. */
static inline void kfi_pack_panel(kfi_rows_of w, bool transpose, int64_t depth, int64_t n,
                                  float *to) {
    const int64_t width = kfi_whole_vectors(n);
    if (n < width) memset(to, 0, (size_t)(depth * width) * sizeof *to);
    if (transpose) kfi_transpose_block(w.data, w.row, n, depth, to, width);
    for (int64_t l = 0; !transpose && l < depth; l++)
        memcpy(to + l * width, w.data + l * w.row, (size_t)n * sizeof *to);
}

/* --- whole products --------------------------------------------------------------------------- */

enum {
    KFI_PANEL_DEPTH = 128,       /* half of an L1 cache, or less */
    KFI_PANEL_ROWS = 192,        /* of a, which stay in the L2 cache while panels go by */
    KFI_PANEL_NEAR = 256,        /* columns: rows of b further apart share too few sets of L1 */
    KFI_PANEL_WORTH_PACKING = 48 /* rows of c */
};
#define KFI_PANEL_LOCAL_BYTES ((size_t)(KFI_PANEL_DEPTH * KFI_SUM_COLUMNS) * sizeof(float))

static inline const float *kfi_panel_at(const kfi_product *p, int64_t l, int64_t j) {
    return p->b + (p->transpose_b ? j * p->b_row + l : l * p->b_row + j);
}

/* Whether the panels of p's rows are read where they are. */
static inline bool kfi_panel_in_place(const kfi_product *p) {
    const bool near = p->b_row <= KFI_PANEL_NEAR || p->m < KFI_PANEL_WORTH_PACKING;
    return near && !p->transpose_b && p->n % KFI_LANES == 0;
}

/* The panel of b at row l and column j, for all of p's rows. */
static inline void kfi_multiply_block(const kfi_product *p, int64_t l, int64_t j, float *local) {
    const int64_t n = kfi_smaller(p->n - j, KFI_SUM_COLUMNS);
    const bool in_place = kfi_panel_in_place(p);
    kfi_panel_product part = {.rows = p->m,
                              .depth = kfi_smaller(p->k - l, KFI_PANEL_DEPTH),
                              .a = {p->a + l * p->a_row, 1, p->a_row},
                              .panel = {kfi_panel_at(p, l, j), p->b_row},
                              .c = p->c + j,
                              .c_row = p->c_row,
                              .accumulate = p->accumulate || l > 0};
    if (!p->transpose_a) part.a = (kfi_strided){p->a + l, p->a_row, 1};
    if (!in_place) {
        kfi_pack_panel(part.panel, p->transpose_b, part.depth, n, local);
        part.panel = (kfi_rows_of){local, kfi_whole_vectors(n)};
    } else if (j + n < p->n) {
        part.next = kfi_panel_at(p, l, j + n);
    } else if (l + 2 * KFI_PANEL_DEPTH <= p->k) {
        part.next = kfi_panel_at(p, l + KFI_PANEL_DEPTH, 0);
    }
    kfi_multiply_columns(n, &part);
}

/* `local` is KFI_PANEL_LOCAL_BYTES for the call alone. */
static inline void kfi_multiply_on_panels(const kfi_product *p, float *local) {
    for (int64_t i = 0; i < p->m; i += KFI_PANEL_ROWS) {
        kfi_product rows = *p;
        rows.m = kfi_smaller(KFI_PANEL_ROWS, p->m - i);
        rows.a += i * (p->transpose_a ? 1 : p->a_row);
        rows.c += i * p->c_row;
        for (int64_t l = 0; l < p->k; l += KFI_PANEL_DEPTH)
            for (int64_t j = 0; j < p->n; j += KFI_SUM_COLUMNS)
                kfi_multiply_block(&rows, l, j, local);
    }
}

#endif
