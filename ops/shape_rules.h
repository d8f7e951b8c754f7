/* Checks of ranks and dimensions, beyond checks.h, for ops whose inputs have roles of their own.
 * A dimension of KF_ANY agrees with everything. */
#ifndef KFI_OPS_SHAPE_RULES_H
#define KFI_OPS_SHAPE_RULES_H

#include "ops/checks.h"

static inline kf_status kfi_expect_rank(const kfi_shaping *shaping, int input, int rank) {
    const kf_shape *shape = &shaping->in[input].shape;
    if (shape->rank == rank) return KF_OK;
    return kfi_fail(KF_INVALID, "input %d must have rank %d, got shape %s", input, rank,
                    kfi_shape_string(shape));
}

static inline kf_status kfi_expect_shape(const kfi_shaping *shaping, int input,
                                         const kf_shape *expected) {
    const kf_shape *shape = &shaping->in[input].shape;
    if (kfi_shape_fits(shape, expected)) return KF_OK;
    return kfi_fail(KF_INVALID, "input %d must have shape %s, got %s", input,
                    kfi_shape_string(expected), kfi_shape_string(shape));
}

static inline bool kfi_dims_agree(int64_t a, int64_t b) {
    return a == b || a == KF_ANY || b == KF_ANY;
}

/* The shape of an input goes through to the only output. */
static inline kf_status kfi_infer_like(kfi_shaping *shaping, int input) {
    shaping->n_out = 1;
    shaping->out[0].shape = shaping->in[input].shape;
    return KF_OK;
}

#endif
