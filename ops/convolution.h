/* What the three ops of convolution share. As neural networks mean it (cross-correlation), channels
 * last:
 *   y[p, o] = sum over taps t, channels c of  x[p * stride - before + t * dilation, c] w[t, c, o]
 * It is linear in x and in w, so its two derivatives are linear too, and each one's derivatives are
 * the other two:
 *   conv(x, w) = y    conv_data_gradient(dy, w) = dx    conv_weight_gradient(x, dy) = dw
 * The first two are gatherings (gathering.h). */
#ifndef KFI_OPS_CONVOLUTION_H
#define KFI_OPS_CONVOLUTION_H

#include "ops/kernels/gemm.h"
#include "ops/patches.h"
#include "ops/windows.h"

/* A tile: about 100 µs of one core at 100 GFLOP/s, its patches within half of an L2 cache. */
#define KFI_CONV_TILE_FLOPS 1e7
enum {
    KFI_CONV_PATCH_BYTES = 512 * 1024,
    KFI_CONV_MIN_ROWS = 48, /* below, sgemm rather reads w than computes */
    KFI_CONV_FEW_TILES = 8,
    KFI_CONV_COLUMN_STEP = 64
};

typedef struct kfi_convolution {
    int64_t batch, in, out; /* images and channels of x and y */
    kfi_window axis[3];     /* axes that are not there come first, with size and kernel 1 */
} kfi_convolution;

static inline kf_status kfi_conv_check(const kfi_shaping *s, const kfi_conv *a) {
    kf_status status = kfi_expect_floats(s, 2);
    if (!status) status = kfi_check_spatial(a->spatial, a->padding);
    for (int i = 0; i < 2 && !status; i++) status = kfi_expect_rank(s, i, a->spatial + 2);
    return status;
}

static inline kf_status kfi_conv_expect_channels(const char *what, int64_t expected, int64_t got) {
    if (kfi_dims_agree(expected, got)) return KF_OK;
    return kfi_fail(KF_INVALID, "the kernel expects %lld %s channels, got %lld",
                    (long long)expected, what, (long long)got);
}

static inline kfi_window kfi_conv_window(const kfi_conv *a, int i, int64_t size, int64_t kernel) {
    return (kfi_window){
        .size = size, .kernel = kernel, .stride = a->stride[i], .dilation = a->dilation[i]};
}

/* Whether windows of `kernel` over `size` give the `positions` of dy. */
static inline kf_status kfi_conv_check_positions(const kfi_conv *a, int i, int64_t size,
                                                 int64_t kernel, int64_t positions) {
    kfi_window window = kfi_conv_window(a, i, size, kernel);
    kf_status status = kfi_window_count(&window, a->padding);
    if (status || kfi_dims_agree(window.positions, positions)) return status;
    return kfi_fail(KF_INVALID, "an axis of %lld has %lld windows, the gradient has %lld",
                    (long long)size, (long long)window.positions, (long long)positions);
}

static inline kfi_convolution kfi_conv_describe(const kfi_conv *a, const kfi_array *x,
                                                const kfi_array *w, const kfi_array *y) {
    kfi_convolution c = {.batch = x->shape.dims[0],
                         .in = w->shape.dims[a->spatial],
                         .out = w->shape.dims[a->spatial + 1]};
    for (int i = 0; i < 3; i++)
        c.axis[i] =
            (kfi_window){.size = 1, .positions = 1, .kernel = 1, .stride = 1, .dilation = 1};
    for (int i = 0; i < a->spatial; i++) {
        kfi_window *window = &c.axis[3 - a->spatial + i];
        *window = kfi_conv_window(a, i, x->shape.dims[1 + i], w->shape.dims[i]);
        window->positions = y->shape.dims[1 + i];
        kfi_window_place(window, a->padding);
    }
    return c;
}

/* The patches of x that stand behind each place of y. */
static inline kfi_patches kfi_conv_patches(const kfi_convolution *c, const float *x) {
    kfi_patches p = {.source = x, .channels = c->in};
    for (int i = 0; i < 3; i++) {
        const kfi_window *w = &c->axis[i];
        p.axis[i] =
            (kfi_patch_axis){w->size, w->positions, w->stride, -w->before, w->dilation, w->kernel};
    }
    return p;
}

static inline kfi_cost kfi_conv_cost(const kfi_call *call, const kfi_convolution *c) {
    const kfi_patches p = kfi_conv_patches(c, NULL);
    const double products = (double)c->batch * (double)kfi_patch_positions(&p) *
                            (double)kfi_patch_values(&p) * (double)c->out;
    return (kfi_cost){2 * products, kfi_call_bytes(call)};
}

static inline void kfi_copy_sizes(int64_t *to, const kf_shape *shape, int first, int count) {
    for (int i = 0; i < count; i++) to[i] = shape->dims[first + i];
}

static inline kfi_value kfi_conv_derive_data(kfi_derivation *d, kfi_value dy, kfi_value w,
                                             const kf_shape *x) {
    kfi_conv attributes = *(const kfi_conv *)d->attributes;
    kfi_copy_sizes(attributes.size, x, 1, attributes.spatial);
    return kfi_derive(d, "conv_data_gradient", &attributes, dy, w);
}

static inline kfi_value kfi_conv_derive_weight(kfi_derivation *d, kfi_value x, kfi_value dy,
                                               const kf_shape *w) {
    kfi_conv attributes = *(const kfi_conv *)d->attributes;
    kfi_copy_sizes(attributes.size, w, 0, attributes.spatial);
    return kfi_derive(d, "conv_weight_gradient", &attributes, x, dy);
}

#endif
