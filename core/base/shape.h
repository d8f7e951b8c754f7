/* Shapes: counting, comparing, printing. A dimension of KF_ANY (-1) is not fixed yet. */
#ifndef KFI_BASE_SHAPE_H
#define KFI_BASE_SHAPE_H

#include "kf/tensor.h"

#include <stdbool.h>

/* (kf_shape) of the dims given: KFI_SHAPE(32, 28, 28, 1). KFI_SCALAR has rank 0. */
#define KFI_SHAPE(...)                                                                             \
    ((kf_shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})
#define KFI_SCALAR ((kf_shape){0})

/* A static buffer big enough for any printed shape. */
typedef struct kfi_shape_text {
    char text[KF_MAX_RANK * 24];
} kfi_shape_text;

/* Number of elements; -1 if a dimension is KF_ANY or the product exceeds INT64_MAX / 16 (so that
 * a size in bytes cannot overflow either). */
int64_t kfi_shape_count(const kf_shape *shape);

/* Product of the dims [first, last); 1 for an empty range. All must be fixed. */
int64_t kfi_shape_product(const kf_shape *shape, int first, int last);

bool kfi_shape_equal(const kf_shape *a, const kf_shape *b);

/* Equal where both are fixed. */
bool kfi_shape_fits(const kf_shape *a, const kf_shape *b);

/* An axis counted from the end if negative; -1 if outside the rank. */
int kfi_axis(int64_t axis, int rank);

/* As Python prints a tuple, with None for KF_ANY: "(None, 28, 28, 1)", "(3,)", "()". */
kfi_shape_text kfi_shape_print(const kf_shape *shape);
#define kfi_shape_string(shape) (kfi_shape_print(shape).text)

#endif
