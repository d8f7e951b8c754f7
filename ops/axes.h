/* Walking through an output in order, and along with it through inputs whose elements stand
 * elsewhere: repeated (stride 0) or permuted. */
#ifndef KFI_OPS_AXES_H
#define KFI_OPS_AXES_H

#include "kf/tensor.h"

/* The output's axes, innermost first, neighbours merged wherever both inputs run through them with
 * one stride. Users of one input leave `b` at 0. */
typedef struct kfi_axes {
    int rank;
    int64_t size[KF_MAX_RANK], a_stride[KF_MAX_RANK], b_stride[KF_MAX_RANK];
} kfi_axes;

/* Adds the next axis outwards. */
static inline void kfi_axes_add(kfi_axes *axes, int64_t size, int64_t a_stride, int64_t b_stride) {
    const int last = axes->rank - 1;
    if (last >= 0 && a_stride == axes->a_stride[last] * axes->size[last] &&
        b_stride == axes->b_stride[last] * axes->size[last]) {
        axes->size[last] *= size;
        return;
    }
    axes->size[axes->rank] = size;
    axes->a_stride[axes->rank] = a_stride;
    axes->b_stride[axes->rank++] = b_stride;
}

/* Where an element of the output stands: its index on each axis and its place in the inputs. */
typedef struct kfi_position {
    int64_t index[KF_MAX_RANK], a, b;
} kfi_position;

static inline kfi_position kfi_position_of(const kfi_axes *axes, int64_t at) {
    kfi_position position = {0};
    for (int i = 0; i < axes->rank; i++) {
        position.index[i] = at % axes->size[i];
        position.a += position.index[i] * axes->a_stride[i];
        position.b += position.index[i] * axes->b_stride[i];
        at /= axes->size[i];
    }
    return position;
}

/* Moves `run` elements on, which must not go beyond the end of the innermost axis. */
static inline void kfi_position_move(kfi_position *position, const kfi_axes *axes, int64_t run) {
    position->index[0] += run;
    position->a += run * axes->a_stride[0];
    position->b += run * axes->b_stride[0];
    for (int i = 0; i + 1 < axes->rank && position->index[i] == axes->size[i]; i++) {
        position->index[i] = 0;
        position->index[i + 1]++;
        position->a += axes->a_stride[i + 1] - axes->size[i] * axes->a_stride[i];
        position->b += axes->b_stride[i + 1] - axes->size[i] * axes->b_stride[i];
    }
}

#endif
