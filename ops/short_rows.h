/* Rows too short for a vector, turned: KFI_STRIP of them at a time become columns, so that lanes
 * are rows. */
#ifndef KFI_OPS_SHORT_ROWS_H
#define KFI_OPS_SHORT_ROWS_H

#include "ops/vector_transpose.h"

enum {
    KFI_SHORT = 16, /* rows of fewer elements */
    KFI_STRIP = 64  /* rows at a time         */
};

/* So many rows of n, side by side, -> columns (KFI_SHORT, KFI_STRIP). Lanes beyond the last row, up
 * to a multiple of KFI_BLOCK, are set to `fill`. */
static inline void kfi_turn_rows(const float *from, int64_t rows, int64_t n, float fill,
                                 float *columns) {
    float copy[KFI_STRIP * KFI_SHORT];
    const int64_t width = (rows + KFI_BLOCK - 1) / KFI_BLOCK * KFI_BLOCK;
    const int64_t end = width * n + KFI_SHORT - n; /* the last square reads beyond its rows */
    memcpy(copy, from, (size_t)(rows * n) * sizeof *copy);
    for (int64_t i = rows * n; i < end; i++) copy[i] = fill;
    for (int64_t r = 0; r < width; r += KFI_LANES)
        for (int64_t i = 0; i < n; i += KFI_LANES)
            kfi_transpose_square(copy + r * n + i, n, columns + i * KFI_STRIP + r, KFI_STRIP);
}

/* And back: of each column as many rows. */
static inline void kfi_turn_columns(const float *columns, int64_t rows, int64_t n, float *to) {
    float turned[KFI_STRIP * KFI_SHORT];
    for (int64_t r = 0; r < rows; r += KFI_LANES)
        for (int64_t i = 0; i < n; i += KFI_LANES)
            kfi_transpose_square(columns + i * KFI_STRIP + r, KFI_STRIP, turned + r * KFI_SHORT + i,
                                 KFI_SHORT);
    for (int64_t r = 0; r < rows; r++) {
        const bool fits = r * n + KFI_SHORT <= rows * n; /* the next row overwrites what is over */
        memcpy(to + r * n, turned + r * KFI_SHORT, (size_t)(fits ? KFI_SHORT : n) * sizeof *to);
    }
}

#endif
