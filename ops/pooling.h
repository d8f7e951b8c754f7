/* Pooling over windows (windows.h says where they stand), channels last; places outside of x do not
 * count.
 *   max_pool:      y = max over the window; dy goes to the first maximum in row-major order
 *   average_pool:  y = sum over the window / number of its places inside x
 * This is what pool.c and pool_gradient.c share. */
#ifndef KFI_OPS_POOLING_H
#define KFI_OPS_POOLING_H

#include "ops/windows.h"

#include <string.h>

typedef struct kfi_pooling {
    int64_t batch, channels;
    kfi_window axis[3]; /* axes that are not there come last, with size and kernel 1 */
} kfi_pooling;

static inline kfi_window kfi_pool_window(const kfi_pool *a, int i, int64_t size) {
    return (kfi_window){
        .size = size, .kernel = a->window[i], .stride = a->stride[i], .dilation = 1};
}

static inline kf_status kfi_pool_check(const kfi_shaping *s, int n_in) {
    const kfi_pool *a = s->attributes;
    kf_status status = kfi_expect_floats(s, n_in);
    if (!status) status = kfi_check_spatial(a->spatial, KFI_VALID);
    for (int i = 0; i < n_in && !status; i++) status = kfi_expect_rank(s, i, a->spatial + 2);
    if (!status && a->padding == KFI_CAUSAL)
        status = kfi_fail(KF_INVALID, "pooling has no causal padding");
    return status;
}

/* The shape of y for an x of shape `x`. */
static inline kf_status kfi_pool_infer(const kfi_pool *a, const kf_shape *x, kf_shape *y) {
    *y = *x;
    for (int i = 0; i < a->spatial; i++) {
        kfi_window window = kfi_pool_window(a, i, x->dims[1 + i]);
        const kf_status status = kfi_window_count(&window, a->padding);
        if (status) return status;
        y->dims[1 + i] = window.positions;
    }
    return KF_OK;
}

static inline kfi_pooling kfi_pool_describe(const kfi_pool *a, const kfi_array *x,
                                            const kfi_array *y) {
    kfi_pooling p = {.batch = x->shape.dims[0], .channels = x->shape.dims[a->spatial + 1]};
    for (int i = 0; i < 3; i++) {
        const bool there = i < a->spatial;
        p.axis[i] = there ? kfi_pool_window(a, i, x->shape.dims[1 + i])
                          : (kfi_window){.size = 1, .kernel = 1, .stride = 1, .dilation = 1};
        p.axis[i].positions = there ? y->shape.dims[1 + i] : 1;
        kfi_window_place(&p.axis[i], a->padding);
    }
    return p;
}

static inline int64_t kfi_pool_volume(const kfi_pooling *p) {
    return p->axis[0].kernel * p->axis[1].kernel * p->axis[2].kernel;
}

/* The places of x under one window. */
typedef struct kfi_box {
    kfi_range axis[3];
} kfi_box;

static inline kfi_range kfi_pool_clip(const kfi_window *w, int64_t position) {
    const int64_t start = position * w->stride - w->before;
    return (kfi_range){kfi_larger(start, 0), kfi_smaller(start + w->kernel, w->size)};
}

static inline kfi_box kfi_pool_box(const kfi_pooling *p, int64_t p0, int64_t p1, int64_t p2) {
    return (kfi_box){{kfi_pool_clip(&p->axis[0], p0), kfi_pool_clip(&p->axis[1], p1),
                      kfi_pool_clip(&p->axis[2], p2)}};
}

static inline int64_t kfi_box_volume(const kfi_box *b) {
    int64_t volume = 1;
    for (int i = 0; i < 3; i++) volume *= b->axis[i].last - b->axis[i].first;
    return volume;
}

/* Offset in x of the channels at a place of an image. */
static inline int64_t kfi_pool_place(const kfi_pooling *p, int64_t image, int64_t x0, int64_t x1,
                                     int64_t x2) {
    const int64_t row = (image * p->axis[0].size + x0) * p->axis[1].size + x1;
    return (row * p->axis[2].size + x2) * p->channels;
}

static inline int64_t kfi_pool_places(const kfi_pooling *p) {
    return p->batch * p->axis[0].positions * p->axis[1].positions * p->axis[2].positions;
}

static inline kfi_cost kfi_pool_cost(const kfi_call *call, const kfi_pooling *p) {
    const double steps = (double)kfi_pool_places(p) * (double)(kfi_pool_volume(p) * p->channels);
    return (kfi_cost){steps, kfi_call_bytes(call)};
}

static inline void kfi_add_scaled(float *y, const float *x, float scale, int64_t channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) y[c] += x[c] * scale;
}

/* What the examples of both files go over. */
#define KFI_POOL(...)                                                                              \
    &(const kfi_pool) { __VA_ARGS__ }
#define KFI_POOL_2X2 KFI_POOL(.spatial = 2, .window = {2, 2}, .stride = {2, 2}, .size = {7, 5})
#define KFI_POOL_SAME                                                                              \
    KFI_POOL(.spatial = 2, .window = {3, 3}, .stride = {1, 1}, .padding = KFI_SAME, .size = {5, 6})
#define KFI_POOL_1D                                                                                \
    KFI_POOL(.spatial = 1, .window = {4}, .stride = {3}, .padding = KFI_SAME, .size = {8})
#define KFI_POOL_3D                                                                                \
    KFI_POOL(.spatial = 3, .window = {2, 1, 3}, .stride = {1, 2, 2}, .size = {3, 3, 5})
#define KFI_POOL_LARGE                                                                             \
    KFI_POOL(.spatial = 2, .window = {3, 3}, .stride = {2, 2}, .padding = KFI_SAME,                \
             .size = {71, 64})

#endif
