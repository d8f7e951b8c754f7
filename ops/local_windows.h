/* What the three ops of local_conv share: where its windows stand, and what its weights look like.
 */
#ifndef KFI_OPS_LOCAL_WINDOWS_H
#define KFI_OPS_LOCAL_WINDOWS_H

#include "ops/taps.h"

static inline kfi_conv kfi_local_as_convolution(const kfi_local_conv *a) {
    kfi_conv conv = {.spatial = a->spatial};
    for (int i = 0; i < a->spatial; i++) conv.stride[i] = a->stride[i], conv.dilation[i] = 1;
    return conv;
}

static inline int64_t kfi_local_taps(const kfi_local_conv *a) {
    int64_t taps = 1;
    for (int i = 0; i < a->spatial; i++) taps *= a->window[i];
    return taps;
}

/* Windows on each spatial axis of x, into y, and how many there are in all (KF_ANY: not known). */
static inline kf_status kfi_local_infer_places(const kfi_local_conv *a, const int64_t *x,
                                               int64_t *y, int64_t *places) {
    const kfi_conv conv = kfi_local_as_convolution(a);
    *places = 1;
    for (int i = 0; i < a->spatial; i++) {
        kfi_window window = kfi_conv_window(&conv, i, x[i], a->window[i]);
        const kf_status status = kfi_window_count(&window, KFI_VALID);
        if (status) return status;
        y[i] = window.positions;
        *places = *places == KF_ANY || y[i] == KF_ANY ? KF_ANY : *places * y[i];
    }
    return KF_OK;
}

static inline kf_status kfi_local_check_ranks(const kfi_shaping *s, int first, int second) {
    kf_status status = kfi_expect_floats(s, 2);
    if (!status)
        status = kfi_check_spatial(((const kfi_local_conv *)s->attributes)->spatial, KFI_VALID);
    if (!status) status = kfi_expect_rank(s, 0, first);
    return status ? status : kfi_expect_rank(s, 1, second);
}

static inline kf_status kfi_local_expect_weights(const kf_shape *w, int64_t places, int64_t values,
                                                 int64_t out) {
    const kf_shape expected = KFI_SHAPE(places, values, out);
    if (kfi_shape_fits(w, &expected)) return KF_OK;
    return kfi_fail(KF_INVALID, "the weights must have shape %s, got %s",
                    kfi_shape_string(&expected), kfi_shape_string(w));
}

/* c.in and c.out are channels; the kernel's sizes are attributes, so x and y say the rest. */
static inline kfi_convolution kfi_local_describe(const kfi_local_conv *a, const kfi_array *x,
                                                 const kfi_array *y) {
    const kfi_conv conv = kfi_local_as_convolution(a);
    kfi_array kernel = {.shape = {.rank = a->spatial + 2}};
    for (int i = 0; i < a->spatial; i++) kernel.shape.dims[i] = a->window[i];
    kernel.shape.dims[a->spatial] = x->shape.dims[a->spatial + 1];
    kernel.shape.dims[a->spatial + 1] = y->shape.dims[a->spatial + 1];
    return kfi_conv_describe(&conv, x, &kernel, y);
}

static inline int64_t kfi_local_places(const kfi_convolution *c) {
    return c->axis[0].positions * c->axis[1].positions * c->axis[2].positions;
}

#endif
