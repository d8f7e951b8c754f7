/* The other product of patches: transposed, times dy, the sum over places that a weight gradient
 * is. Six values of a line times a few vectors of columns are sums in registers; a step adds one
 * place. Lines are pointed to (conv_lines.h). */
#ifndef KFI_OPS_CONV_OUTER_H
#define KFI_OPS_CONV_OUTER_H

#include "ops/conv_lines.h"
#include "ops/vectors.h"

enum { KFI_OUTER_PLACES = 96 }; /* at a time: 24 KiB of dy */

/* A part of the sum: dw (patch values, out) += over these places, for these columns (at most
 * KFI_SUM_COLUMNS). Rows of dw are dw_row apart and of whole vectors. */
typedef struct kfi_outer {
    kfi_patches patches;
    const float *dy; /* (places, out) */
    int64_t out;
    kfi_range places, columns;
    float *dw;
    int64_t dw_row;
} kfi_outer;

/* `rows` values from `first` on, of the lines at `at`. */
KFI_INLINE void kfi_add_outer(int rows, int vectors, const float *const *at, int64_t first,
                              int64_t places, const float *dy, int64_t dy_row, float *dw,
                              int64_t dw_row) {
    kfi_vector sum[KFI_SUM_ROWS][KFI_VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) sum[i][v] = (kfi_vector){0};
    for (int64_t place = 0; place < places; place++, dy += dy_row) {
        const float *x = at[place] + first;
        kfi_vector factor[KFI_VECTORS];
        for (int v = 0; v < vectors; v++) factor[v] = kfi_load(dy + v * KFI_LANES);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++) sum[i][v] += factor[v] * x[i];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            float *to = dw + i * dw_row + v * KFI_LANES;
            kfi_store(to, kfi_load(to) + sum[i][v]);
        }
}

KFI_INLINE void kfi_add_outer_rows(int64_t rows, int vectors, const float *const *at, int64_t first,
                                   int64_t places, const float *dy, int64_t dy_row, float *dw,
                                   int64_t dw_row) {
    if (rows == 6) kfi_add_outer(6, vectors, at, first, places, dy, dy_row, dw, dw_row);
    if (rows == 5) kfi_add_outer(5, vectors, at, first, places, dy, dy_row, dw, dw_row);
    if (rows == 4) kfi_add_outer(4, vectors, at, first, places, dy, dy_row, dw, dw_row);
    if (rows == 3) kfi_add_outer(3, vectors, at, first, places, dy, dy_row, dw, dw_row);
    if (rows == 2) kfi_add_outer(2, vectors, at, first, places, dy, dy_row, dw, dw_row);
    if (rows == 1) kfi_add_outer(1, vectors, at, first, places, dy, dy_row, dw, dw_row);
}

/* All values of a line. */
KFI_INLINE void kfi_add_outer_line(int vectors, const float *const *at, int64_t values,
                                   int64_t places, const float *dy, int64_t dy_row, float *dw,
                                   int64_t dw_row) {
    const int64_t parts = kfi_larger(kfi_divide_up(values, KFI_SUM_ROWS), 1);
    const int64_t step = kfi_divide_up(values, parts);
    for (int64_t first = 0; first < values; first += step)
        kfi_add_outer_rows(kfi_smaller(step, values - first), vectors, at, first, places, dy,
                           dy_row, dw + first * dw_row, dw_row);
}

/* dw (values, vectors) += the lines at `at`, transposed, times dy. */
static inline void kfi_add_outer_values(int64_t vectors, const float *const *at, int64_t values,
                                        int64_t places, const float *dy, int64_t dy_row, float *dw,
                                        int64_t dw_row) {
    if (vectors == 1)
        kfi_add_outer_line(1, at, values, places, dy, dy_row, dw, dw_row);
    else if (vectors == 2)
        kfi_add_outer_line(2, at, values, places, dy, dy_row, dw, dw_row);
    else if (KFI_VECTORS > 2 && vectors == 3)
        kfi_add_outer_line(KFI_VECTORS - 1, at, values, places, dy, dy_row, dw, dw_row);
    else
        kfi_add_outer_line(KFI_VECTORS, at, values, places, dy, dy_row, dw, dw_row);
}

static inline void kfi_add_outer_lines(const kfi_outer *o, const kfi_line_table *table,
                                       int64_t places, const float *dy, int64_t dy_row) {
    const int64_t values = kfi_line_values(&o->patches);
    const int64_t vectors = kfi_divide_up(o->columns.last - o->columns.first, KFI_LANES);
    for (int64_t line = 0; line < kfi_line_count(&o->patches); line++)
        kfi_add_outer_values(vectors, table->pointers + line * table->row, values, places, dy,
                             dy_row, o->dw + line * values * o->dw_row + o->columns.first,
                             o->dw_row);
}

/* A tile's own memory: the columns of dy, pointers, a line of zeros, copies of lines at borders. */
static inline size_t kfi_outer_local_bytes(const kfi_patches *p) {
    const int64_t floats = KFI_OUTER_PLACES * KFI_SUM_COLUMNS + kfi_line_values(p) +
                           kfi_border_values(p, KFI_OUTER_PLACES);
    return (size_t)(kfi_line_count(p) * KFI_OUTER_PLACES) * sizeof(float *) +
           (size_t)floats * sizeof(float);
}

/* The columns of dy at these places, side by side and up to whole vectors: where they lie already,
 * or copied. */
static inline const float *kfi_outer_columns(const kfi_outer *o, kfi_range places, int64_t width,
                                             float *copy) {
    const float *from = o->dy + places.first * o->out + o->columns.first;
    if (width == o->out) return from;
    const int64_t count = o->columns.last - o->columns.first;
    for (int64_t i = 0; i < places.last - places.first; i++) {
        kfi_copy_floats(copy + i * width, from + i * o->out, count);
        kfi_zero_floats(copy + i * width + count, width - count);
    }
    return copy;
}

static inline void kfi_add_outer_products(const kfi_outer *o, void *local) {
    const kfi_patches *p = &o->patches;
    const int64_t width = kfi_whole_vectors(o->columns.last - o->columns.first);
    float *copy = local;
    kfi_line_table table = {.row = KFI_OUTER_PLACES};
    table.pointers = (const float **)(void *)(copy + KFI_OUTER_PLACES * KFI_SUM_COLUMNS);
    float *zeros = (float *)(void *)(table.pointers + kfi_line_count(p) * KFI_OUTER_PLACES);
    kfi_zero_floats(zeros, kfi_line_values(p));
    table.zeros = zeros;
    for (int64_t first = o->places.first; first < o->places.last; first += KFI_OUTER_PLACES) {
        const kfi_range places = {first, kfi_smaller(first + KFI_OUTER_PLACES, o->places.last)};
        table.borders = zeros + kfi_line_values(p);
        kfi_point_lines(p, places, &table);
        kfi_add_outer_lines(o, &table, places.last - places.first,
                            kfi_outer_columns(o, places, width, copy), width);
    }
}

#endif
