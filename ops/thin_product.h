/* Products whose result or whose sum has few rows, so that one operand is met once only: a dense
 * layer on a small batch, its data gradient and its weight gradient. A BLAS copies that operand
 * before it multiplies; here it streams by, and what stays in the cache is the other one.
 *
 *   spread: c = a b       few rows of c: four rows of b at a time are added, each times a number
 *   outer:  c = a b       few rows of b: four rows of c at a time, a vector from all rows of b
 *   dots:   c = a bT      rows of a times rows of b, four of each at a time */
#ifndef KFI_OPS_THIN_PRODUCT_H
#define KFI_OPS_THIN_PRODUCT_H

#include "ops/attributes.h"
#include "ops/tiles.h"
#include "ops/vectors.h"

enum {
    KFI_THIN_COLUMNS = 1024, /* four rows of b and four of c, as long as this, stay in L1 */
    KFI_THIN_GROUP = 4,
    /* Floats of c that a tile makes of few rows of b: with the weight, its update and what that
     * keeps (64 KB each, or less) they stay in the L2 cache. */
    KFI_THIN_OUTPUT = 8 * 1024
};

/* Rows of c, of n columns. */
static inline int64_t kfi_thin_output_rows(int64_t n) {
    return kfi_larger(KFI_THIN_OUTPUT / kfi_larger(n, 1) / KFI_THIN_GROUP, 1) * KFI_THIN_GROUP;
}

/* Element (i, l) of a stands at a[i * a_row + l * a_step]; rows of b and c without gaps in them. */
typedef struct kfi_thin {
    int64_t m, n, k;
    const float *a, *b;
    float *c;
    int64_t a_row, a_step, b_row, c_row;
} kfi_thin;

/* --- c += a b --------------------------------------------------------------------------------- */

/* n < KFI_LANES floats, and zeros. */
static inline kfi_vector kfi_load_some(const float *from, int64_t n) {
    float block[KFI_LANES] = {0};
    memcpy(block, from, (size_t)n * sizeof *block);
    return kfi_load(block);
}

/* What `depth` rows of b add to `rows` rows of c; p->k and p->m do not count. */
KFI_INLINE void kfi_spread_group(const kfi_thin *group, const int rows, const int depth) {
    const kfi_thin own = *group, *p = &own; /* which stores cannot change */
    float by[KFI_THIN_GROUP][KFI_THIN_GROUP];
    for (int i = 0; i < rows; i++)
        for (int l = 0; l < depth; l++) by[i][l] = p->a[i * p->a_row + l * p->a_step];
    int64_t j = 0;
    for (; j + KFI_LANES <= p->n; j += KFI_LANES) {
        kfi_vector b[KFI_THIN_GROUP];
        for (int l = 0; l < depth; l++) {
            b[l] = kfi_load(p->b + l * p->b_row + j);
            __builtin_prefetch(p->b + (l + KFI_THIN_GROUP) * p->b_row + j);
        }
        for (int i = 0; i < rows; i++) {
            kfi_vector sum = kfi_load(p->c + i * p->c_row + j);
            for (int l = 0; l < depth; l++) sum += by[i][l] * b[l];
            kfi_store(p->c + i * p->c_row + j, sum);
        }
    }
    for (; j < p->n; j++)
        for (int i = 0; i < rows; i++)
            for (int l = 0; l < depth; l++)
                p->c[i * p->c_row + j] += by[i][l] * p->b[l * p->b_row + j];
}

#define KFI_SPREAD(rows, depth)                                                                    \
    static void kfi_spread_##rows##_##depth(const kfi_thin *p) { kfi_spread_group(p, rows, depth); }
KFI_SPREAD(1, 1)
KFI_SPREAD(2, 1)
KFI_SPREAD(3, 1)
KFI_SPREAD(4, 1)
KFI_SPREAD(1, 4)
KFI_SPREAD(2, 4)
KFI_SPREAD(3, 4)
KFI_SPREAD(4, 4)

/* By rows, and by whether there are four rows of b or one. */
static void (*const kfi_spreads[][2])(const kfi_thin *p) = {
    {kfi_spread_1_1, kfi_spread_1_4},
    {kfi_spread_2_1, kfi_spread_2_4},
    {kfi_spread_3_1, kfi_spread_3_4},
    {kfi_spread_4_1, kfi_spread_4_4},
};

/* Columns of c that stay in L1 while rows of a go by. */
static inline void kfi_spread_columns(const kfi_thin *p) {
    for (int64_t l = 0, depth; l < p->k; l += depth) {
        depth = p->k - l >= KFI_THIN_GROUP ? KFI_THIN_GROUP : 1;
        for (int64_t i = 0; i < p->m; i += KFI_THIN_GROUP) {
            kfi_thin group = *p;
            group.a += i * p->a_row + l * p->a_step;
            group.b += l * p->b_row;
            group.c += i * p->c_row;
            kfi_spreads[kfi_smaller(p->m - i, KFI_THIN_GROUP) - 1][depth > 1](&group);
        }
    }
}

/* c = a b, with few rows of c. */
static inline void kfi_thin_spread(const kfi_thin *p) {
    for (int64_t j = 0; j < p->n; j += KFI_THIN_COLUMNS) {
        kfi_thin part = *p;
        part.n = kfi_smaller(KFI_THIN_COLUMNS, p->n - j);
        part.b += j;
        part.c += j;
        for (int64_t r = 0; r < part.m; r++)
            memset(part.c + r * p->c_row, 0, (size_t)part.n * sizeof *part.c);
        kfi_spread_columns(&part);
    }
}

/* --- c = a b, of few rows of b ---------------------------------------------------------------- */

/* `vectors` vectors of `rows` rows of c, column j on. */
KFI_INLINE void kfi_outer_sums(const kfi_thin *p, const float *by, int64_t j, const int rows,
                               const int vectors) {
    kfi_vector sums[KFI_THIN_GROUP][2] = {0};
    const float *b = p->b + j;
    for (int64_t l = 0; l < p->k; l++, b += p->b_row)
        for (int v = 0; v < vectors; v++) {
            const kfi_vector of_b = kfi_load(b + v * KFI_LANES);
            for (int i = 0; i < rows; i++) sums[i][v] += by[l * KFI_THIN_GROUP + i] * of_b;
        }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            kfi_store(p->c + i * p->c_row + j + v * KFI_LANES, sums[i][v]);
}

/* Where c is narrower than a vector. */
KFI_INLINE void kfi_outer_narrow(const kfi_thin *p, const float *by, const int rows) {
    for (int i = 0; i < rows; i++)
        for (int64_t j = 0; j < p->n; j++) {
            float sum = 0;
            for (int64_t l = 0; l < p->k; l++)
                sum += by[l * KFI_THIN_GROUP + i] * p->b[l * p->b_row + j];
            p->c[i * p->c_row + j] = sum;
        }
}

/* `rows` rows of c. The last vector may make again what is there already. */
KFI_INLINE void kfi_outer_group(const kfi_thin *group, const int rows) {
    const kfi_thin own = *group, *p = &own; /* which stores cannot change */
    float by[KFI_THIN_ROWS * KFI_THIN_GROUP];
    for (int64_t l = 0; l < p->k; l++)
        for (int i = 0; i < rows; i++)
            by[l * KFI_THIN_GROUP + i] = p->a[i * p->a_row + l * p->a_step];
    if (p->n < KFI_LANES) {
        kfi_outer_narrow(p, by, rows);
        return;
    }
    int64_t j = 0;
    for (; j + 2 * KFI_LANES <= p->n; j += 2 * KFI_LANES) kfi_outer_sums(p, by, j, rows, 2);
    if (j + KFI_LANES <= p->n) kfi_outer_sums(p, by, j, rows, 1);
    if (p->n % KFI_LANES > 0) kfi_outer_sums(p, by, p->n - KFI_LANES, rows, 1);
}

#define KFI_OUTER(rows)                                                                            \
    static void kfi_outer_##rows(const kfi_thin *p) { kfi_outer_group(p, rows); }
KFI_OUTER(1)
KFI_OUTER(2)
KFI_OUTER(3)
KFI_OUTER(4)

static void (*const kfi_outers[])(const kfi_thin *p) = {kfi_outer_1, kfi_outer_2, kfi_outer_3,
                                                        kfi_outer_4};

/* c = a b, with at most KFI_THIN_ROWS rows of b. */
static inline void kfi_thin_outer(const kfi_thin *p) {
    for (int64_t i = 0; i < p->m; i += KFI_THIN_GROUP) {
        kfi_thin group = *p;
        group.a += i * p->a_row;
        group.c += i * p->c_row;
        kfi_outers[kfi_smaller(p->m - i, KFI_THIN_GROUP) - 1](&group);
    }
}

/* --- c = a bT --------------------------------------------------------------------------------- */

/* The lanes of a vector, added by halves. */
static inline float kfi_add_lanes(kfi_vector v) {
    float lanes[KFI_LANES];
    kfi_store(lanes, v);
    for (int half = KFI_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
    return lanes[0];
}

/* What the `n` elements from l on, a vector or less, add to the sums. */
KFI_INLINE void kfi_dots_step(const kfi_thin *p, int64_t l, int64_t n, const int rows,
                              const int columns, kfi_vector sums[KFI_THIN_GROUP][KFI_THIN_GROUP]) {
    kfi_vector b[KFI_THIN_GROUP];
    for (int j = 0; j < columns; j++) {
        const float *from = p->b + j * p->b_row + l;
        b[j] = n == KFI_LANES ? kfi_load(from) : kfi_load_some(from, n);
        __builtin_prefetch(from + KFI_THIN_GROUP * p->b_row);
    }
    for (int i = 0; i < rows; i++) {
        const float *from = p->a + i * p->a_row + l;
        const kfi_vector a = n == KFI_LANES ? kfi_load(from) : kfi_load_some(from, n);
        for (int j = 0; j < columns; j++) sums[i][j] += a * b[j];
    }
}

/* `rows` rows of a times `columns` rows of b. */
KFI_INLINE void kfi_dots_group(const kfi_thin *group, const int rows, const int columns) {
    const kfi_thin own = *group, *p = &own;
    kfi_vector sums[KFI_THIN_GROUP][KFI_THIN_GROUP] = {0};
    int64_t l = 0;
    for (; l + KFI_LANES <= p->k; l += KFI_LANES)
        kfi_dots_step(p, l, KFI_LANES, rows, columns, sums);
    if (l < p->k) kfi_dots_step(p, l, p->k - l, rows, columns, sums);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) p->c[i * p->c_row + j] = kfi_add_lanes(sums[i][j]);
}

#define KFI_DOTS(rows, columns)                                                                    \
    static void kfi_dots_##rows##_##columns(const kfi_thin *p) { kfi_dots_group(p, rows, columns); }
KFI_DOTS(1, 1)
KFI_DOTS(2, 1)
KFI_DOTS(3, 1)
KFI_DOTS(4, 1)
KFI_DOTS(1, 4)
KFI_DOTS(2, 4)
KFI_DOTS(3, 4)
KFI_DOTS(4, 4)

/* By rows of a, and by whether there are four rows of b or one. */
static void (*const kfi_dots[][2])(const kfi_thin *p) = {
    {kfi_dots_1_1, kfi_dots_1_4},
    {kfi_dots_2_1, kfi_dots_2_4},
    {kfi_dots_3_1, kfi_dots_3_4},
    {kfi_dots_4_1, kfi_dots_4_4},
};

/* c = a bT, with few rows of a. */
static inline void kfi_thin_dots(const kfi_thin *p) {
    for (int64_t j = 0, columns; j < p->n; j += columns) {
        columns = p->n - j >= KFI_THIN_GROUP ? KFI_THIN_GROUP : 1;
        for (int64_t i = 0; i < p->m; i += KFI_THIN_GROUP) {
            kfi_thin group = *p;
            group.a += i * p->a_row;
            group.b += j * p->b_row;
            group.c += i * p->c_row + j;
            kfi_dots[kfi_smaller(p->m - i, KFI_THIN_GROUP) - 1][columns > 1](&group);
        }
    }
}

#endif
