/* The transpose of a square of as many vectors as a vector has lanes, in registers. Step d, for d =
 * 1, 2, 4 … lanes / 2, exchanges the off-diagonal d x d blocks of every 2d x 2d block: lanes with
 * bit d of vector i for lanes without it of vector i + d. */
#ifndef KFI_OPS_VECTOR_TRANSPOSE_H
#define KFI_OPS_VECTOR_TRANSPOSE_H

#include "ops/elements.h"
#include "ops/vectors.h"

/* pick(0, d), pick(1, d) … for all lanes, which shuffles want as constants. */
#define KFI_LANES_4(pick, d, l) pick((l), d), pick((l) + 1, d), pick((l) + 2, d), pick((l) + 3, d)
#define KFI_LANES_8(pick, d, l) KFI_LANES_4(pick, d, l), KFI_LANES_4(pick, d, (l) + 4)
#if defined __AVX512F__
#define KFI_EACH_LANE(pick, d) KFI_LANES_8(pick, d, 0), KFI_LANES_8(pick, d, 8)
#elif defined __AVX__
#define KFI_EACH_LANE(pick, d) KFI_LANES_8(pick, d, 0)
#else
#define KFI_EACH_LANE(pick, d) KFI_LANES_4(pick, d, 0)
#endif

/* Lane l of two vectors in a row, that keeps its place or comes from the other vector. */
#define KFI_LOW_LANE(l, d)  ((l) & (d) ? KFI_LANES + (l) - (d) : (l))
#define KFI_HIGH_LANE(l, d) ((l) & (d) ? KFI_LANES + (l) : (l) + (d))

#define KFI_EXCHANGE(d)                                                                            \
    KFI_INLINE void kfi_exchange_##d(kfi_vector *v) {                                              \
        for (int i = 0; i < KFI_LANES; i++) {                                                      \
            if (i & (d)) continue;                                                                 \
            const kfi_vector low = v[i], high = v[i + (d)];                                        \
            v[i] = __builtin_shufflevector(low, high, KFI_EACH_LANE(KFI_LOW_LANE, d));             \
            v[i + (d)] = __builtin_shufflevector(low, high, KFI_EACH_LANE(KFI_HIGH_LANE, d));      \
        }                                                                                          \
    }
KFI_EXCHANGE(1)
KFI_EXCHANGE(2)
#if defined __AVX__
KFI_EXCHANGE(4)
#endif
#if defined __AVX512F__
KFI_EXCHANGE(8)
#endif

/* to[l * to_row + i] = from[i * from_row + l], i and l up to KFI_LANES. */
static inline void kfi_transpose_square(const float *from, int64_t from_row, float *to,
                                        int64_t to_row) {
    kfi_vector v[KFI_LANES];
    for (int i = 0; i < KFI_LANES; i++) v[i] = kfi_load(from + i * from_row);
    kfi_exchange_1(v);
    kfi_exchange_2(v);
#if defined __AVX__
    kfi_exchange_4(v);
#endif
#if defined __AVX512F__
    kfi_exchange_8(v);
#endif
    for (int i = 0; i < KFI_LANES; i++) kfi_store(to + i * to_row, v[i]);
}

/* to (columns, rows) = the transpose of from (rows, columns); rows stand to_row and from_row apart.
 */
static inline void kfi_transpose_block(const float *from, int64_t from_row, int64_t rows,
                                       int64_t columns, float *to, int64_t to_row) {
    const int64_t whole_rows = rows / KFI_LANES * KFI_LANES;
    const int64_t whole_columns = columns / KFI_LANES * KFI_LANES;
    for (int64_t i = 0; i < whole_rows; i += KFI_LANES)
        for (int64_t l = 0; l < whole_columns; l += KFI_LANES)
            kfi_transpose_square(from + i * from_row + l, from_row, to + l * to_row + i, to_row);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t l = i < whole_rows ? whole_columns : 0; l < columns; l++)
            to[l * to_row + i] = from[i * from_row + l];
}

#endif
