/* What the infer functions of ops ask of their inputs. A dimension of KF_ANY fits every size. */
#ifndef KFI_OPS_CHECKS_H
#define KFI_OPS_CHECKS_H

#include "ops/op.h"

static inline kf_status kfi_expect_inputs(const kfi_shaping *shaping, int count) {
    if (shaping->n_in == count) return KF_OK;
    return kfi_fail(KF_INVALID, "expected %d input%s, got %d", count, count == 1 ? "" : "s",
                    shaping->n_in);
}

static inline kf_status kfi_expect_dtype(const kfi_shaping *shaping, int input, kf_dtype dtype) {
    if (shaping->in[input].dtype == dtype) return KF_OK;
    return kfi_fail(KF_INVALID, "input %d must be %s, got %s", input, kf_dtype_name(dtype),
                    kf_dtype_name(shaping->in[input].dtype));
}

/* `count` inputs, all float32. */
static inline kf_status kfi_expect_floats(const kfi_shaping *shaping, int count) {
    kf_status status = kfi_expect_inputs(shaping, count);
    for (int i = 0; i < count && !status; i++) status = kfi_expect_dtype(shaping, i, KF_FLOAT32);
    return status;
}

/* Takes over the dimensions that `other` knows and `shape` does not. */
static inline void kfi_shape_complete(kf_shape *shape, const kf_shape *other) {
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0) shape->dims[i] = other->dims[i];
}

/* Inputs [first, last) have one shape, which *shape receives. */
static inline kf_status kfi_expect_one_shape(const kfi_shaping *shaping, int first, int last,
                                             kf_shape *shape) {
    *shape = shaping->in[first].shape;
    for (int i = first + 1; i < last; i++) {
        if (!kfi_shape_fits(shape, &shaping->in[i].shape))
            return kfi_fail(KF_INVALID, "inputs %d and %d must have the same shape, got %s and %s",
                            first, i, kfi_shape_string(shape),
                            kfi_shape_string(&shaping->in[i].shape));
        kfi_shape_complete(shape, &shaping->in[i].shape);
    }
    return KF_OK;
}

/* One output of the shape that all `count` float32 inputs share. */
static inline kf_status kfi_infer_same(kfi_shaping *shaping, int count) {
    kf_status status = kfi_expect_floats(shaping, count);
    if (status) return status;
    shaping->n_out = 1;
    return kfi_expect_one_shape(shaping, 0, count, &shaping->out[0].shape);
}

static inline kf_status kfi_infer_same_1(kfi_shaping *shaping) {
    return kfi_infer_same(shaping, 1);
}

static inline kf_status kfi_infer_same_2(kfi_shaping *shaping) {
    return kfi_infer_same(shaping, 2);
}

static inline kf_status kfi_expect_axis(int32_t axis, const kf_shape *shape) {
    if (axis >= 0 && axis < shape->rank) return KF_OK;
    return kfi_fail(KF_INVALID, "axis %d is outside an input of shape %s", (int)axis,
                    kfi_shape_string(shape));
}

#endif
