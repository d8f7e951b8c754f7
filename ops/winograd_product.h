/* The products of Winograd's ways, 36 for each chunk of tiles: six rows times a few vectors of
 * columns are sums in registers. Each step also asks for one line of what is needed next, the
 * weights of the next product or the pixels of the next chunk, so that memory is read while
 * registers multiply. */
#ifndef KFI_OPS_WINOGRAD_PRODUCT_H
#define KFI_OPS_WINOGRAD_PRODUCT_H

#include "ops/tiles.h"
#include "ops/vectors.h"

#include <stdbool.h>

enum {
    KFI_LINE_FLOATS = 16,    /* of a line of the cache                        */
    KFI_PRODUCT_DEPTH = 128, /* rows of weights at a time, which stay in L1   */
    KFI_PRODUCT_STEPS = 4    /* between two tests for the end; divides depths */
};

/* Memory that will be needed: `rows` times `width` floats, their beginnings `step` apart. */
typedef struct kfi_ahead {
    const float *row;
    int64_t rows, width, step;
    int64_t done; /* of this row */
} kfi_ahead;

/* The next `lines` lines of it to ask for, or `otherwise` where there are no more. */
static inline const float *kfi_take_ahead(kfi_ahead *ahead, int64_t lines, const float *otherwise) {
    if (ahead->rows <= 0) return otherwise;
    const float *next = ahead->row + ahead->done;
    ahead->done += lines * KFI_LINE_FLOATS;
    if (ahead->done < ahead->width) return next;
    ahead->done = 0;
    ahead->row += ahead->step;
    ahead->rows--;
    return next;
}

/* Six rows, `row` apart, of `depth` values; sums are (6, vectors). */
KFI_INLINE void kfi_add_rows(int vectors, const float *a, int64_t row, int64_t depth,
                             const float *w, const float *ahead, float *sums, bool accumulate) {
    kfi_vector sum[KFI_SUM_ROWS][KFI_VECTORS];
    for (int i = 0; i < KFI_SUM_ROWS; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] =
                accumulate ? kfi_load(sums + (i * vectors + v) * KFI_LANES) : (kfi_vector){0};
    const float *a1 = a + row, *a2 = a1 + row, *a3 = a2 + row, *a4 = a3 + row, *a5 = a4 + row;
    for (int64_t k = 0; k < depth; k += KFI_PRODUCT_STEPS)
        for (int u = 0; u < KFI_PRODUCT_STEPS; u++, w += vectors * KFI_LANES) {
            __builtin_prefetch(ahead + (k + u) * KFI_LINE_FLOATS, 0, 2);
            kfi_vector factor[KFI_VECTORS];
            for (int v = 0; v < vectors; v++) factor[v] = kfi_load(w + v * KFI_LANES);
            for (int v = 0; v < vectors; v++) sum[0][v] += factor[v] * a[k + u];
            for (int v = 0; v < vectors; v++) sum[1][v] += factor[v] * a1[k + u];
            for (int v = 0; v < vectors; v++) sum[2][v] += factor[v] * a2[k + u];
            for (int v = 0; v < vectors; v++) sum[3][v] += factor[v] * a3[k + u];
            for (int v = 0; v < vectors; v++) sum[4][v] += factor[v] * a4[k + u];
            for (int v = 0; v < vectors; v++) sum[5][v] += factor[v] * a5[k + u];
        }
    for (int i = 0; i < KFI_SUM_ROWS; i++)
        for (int v = 0; v < vectors; v++)
            kfi_store(sums + (i * vectors + v) * KFI_LANES, sum[i][v]);
}

/* sums (rows, vectors) = a (rows, depth) times w (depth, vectors); rows in sixes. The first rows
 * ask for the weights behind these, each for as many lines as they have values; the others for
 * `ahead`. */
KFI_INLINE void kfi_multiply_rows_by(int vectors, const float *a, int64_t rows, int64_t depth,
                                     const float *w, kfi_ahead *ahead, float *sums) {
    const int64_t parts = kfi_divide_up(depth, KFI_PRODUCT_DEPTH);
    const int64_t step = kfi_divide_up(depth, parts * KFI_PRODUCT_STEPS) * KFI_PRODUCT_STEPS;
    for (int64_t first = 0; first < depth; first += step) {
        const int64_t values = kfi_smaller(step, depth - first);
        const float *part = w + first * vectors * KFI_LANES;
        const int64_t size = values * vectors * KFI_LANES;
        kfi_ahead weights = {.row = part + size, .rows = 1, .width = size};
        for (int64_t i = 0; i < rows; i += KFI_SUM_ROWS) {
            const float *next = kfi_take_ahead(weights.rows ? &weights : ahead, values, part);
            kfi_add_rows(vectors, a + i * depth + first, depth, values, part, next,
                         sums + i * vectors * KFI_LANES, first > 0);
        }
    }
}

static inline void kfi_multiply_rows(int64_t vectors, const float *a, int64_t rows, int64_t depth,
                                     const float *w, kfi_ahead *ahead, float *sums) {
    if (vectors == 1)
        kfi_multiply_rows_by(1, a, rows, depth, w, ahead, sums);
    else if (vectors == 2)
        kfi_multiply_rows_by(2, a, rows, depth, w, ahead, sums);
    else if (KFI_VECTORS > 2 && vectors == 3)
        kfi_multiply_rows_by(KFI_VECTORS - 1, a, rows, depth, w, ahead, sums);
    else
        kfi_multiply_rows_by(KFI_VECTORS, a, rows, depth, w, ahead, sums);
}

/* --- the other product: columns times rows ---------------------------------------------------- */

/* Of x (places, row) `rows` values, of dy (places, vectors): dw (rows, vectors), its rows dw_row
 * apart, = or += x transposed times dy. */
KFI_INLINE void kfi_add_columns(int rows, int vectors, const float *x, int64_t row, int64_t places,
                                const float *dy, const float *ahead, float *dw, int64_t dw_row,
                                bool accumulate) {
    kfi_vector sum[KFI_SUM_ROWS][KFI_VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = accumulate ? kfi_load(dw + i * dw_row + v * KFI_LANES) : (kfi_vector){0};
    for (int64_t place = 0; place < places; place++, x += row, dy += vectors * KFI_LANES) {
        __builtin_prefetch(ahead + place * KFI_LINE_FLOATS, 0, 2);
        kfi_vector factor[KFI_VECTORS];
        for (int v = 0; v < vectors; v++) factor[v] = kfi_load(dy + v * KFI_LANES);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++) sum[i][v] += factor[v] * x[i];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) kfi_store(dw + i * dw_row + v * KFI_LANES, sum[i][v]);
}

/* The last values are taken in pairs: there is a number of whole vectors of them. */
KFI_INLINE void kfi_multiply_columns_by(int vectors, const float *x, int64_t values, int64_t places,
                                        const float *dy, kfi_ahead *ahead, float *dw,
                                        int64_t dw_row, bool accumulate) {
    int64_t i = 0;
    for (; i + KFI_SUM_ROWS <= values; i += KFI_SUM_ROWS)
        kfi_add_columns(KFI_SUM_ROWS, vectors, x + i, values, places, dy,
                        kfi_take_ahead(ahead, places, dy), dw + i * dw_row, dw_row, accumulate);
    for (; i < values; i += 2)
        kfi_add_columns(2, vectors, x + i, values, places, dy, dy, dw + i * dw_row, dw_row,
                        accumulate);
}

/* dw (values, vectors) = or += x (places, values) transposed times dy (places, vectors). */
static inline void kfi_multiply_columns(int64_t vectors, const float *x, int64_t values,
                                        int64_t places, const float *dy, kfi_ahead *ahead,
                                        float *dw, int64_t dw_row, bool accumulate) {
    if (vectors == 1)
        kfi_multiply_columns_by(1, x, values, places, dy, ahead, dw, dw_row, accumulate);
    else if (vectors == 2)
        kfi_multiply_columns_by(2, x, values, places, dy, ahead, dw, dw_row, accumulate);
    else if (KFI_VECTORS > 2 && vectors == 3)
        kfi_multiply_columns_by(KFI_VECTORS - 1, x, values, places, dy, ahead, dw, dw_row,
                                accumulate);
    else
        kfi_multiply_columns_by(KFI_VECTORS, x, values, places, dy, ahead, dw, dw_row, accumulate);
}

#endif
