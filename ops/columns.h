/* Ops along one axis: an array seen as (outer, n, inner). */
#ifndef KFI_OPS_COLUMNS_H
#define KFI_OPS_COLUMNS_H

#include "ops/elements.h"

typedef struct kfi_columns {
    int64_t outer, n, inner;
} kfi_columns;

static inline kfi_columns kfi_columns_of(const kfi_array *array, int32_t axis) {
    const kf_shape *shape = &array->shape;
    return (kfi_columns){kfi_shape_product(shape, 0, axis), shape->dims[axis],
                         kfi_shape_product(shape, axis + 1, shape->rank)};
}

/* The last axis: rows of n. A scalar is one row of one. */
static inline kfi_columns kfi_rows_of(const kfi_array *array) {
    if (array->shape.rank == 0) return (kfi_columns){1, 1, 1};
    return kfi_columns_of(array, array->shape.rank - 1);
}

/* Rows of n elements that make a tile. */
static inline int64_t kfi_rows_per_tile(int64_t n) {
    return n > 0 && n < KFI_TILE ? KFI_TILE / n : 1;
}

#endif
