/* The pairs (place of y, pixel of x) that the taps of sliding windows connect, seen from either
 * side: for kernels that go through them one by one. Places and pixels are counted through
 * (image, axis 0, axis 1, axis 2), taps through the kernel's axes, all in row-major order. */
#ifndef KFI_OPS_TAPS_H
#define KFI_OPS_TAPS_H

#include "ops/convolution.h"

/* What a tap connects; visited in ascending order of taps. */
typedef struct kfi_touch {
    int64_t pixel, place, tap;
} kfi_touch;

typedef void kfi_touch_visit(const kfi_convolution *c, kfi_touch touch, void *context);

/* The pixel under a tap of a window. */
static inline bool kfi_tap_pixel(const kfi_window *w, int64_t position, int64_t tap,
                                 int64_t *pixel) {
    *pixel = position * w->stride - w->before + tap * w->dilation;
    return *pixel >= 0 && *pixel < w->size;
}

/* The window whose tap lies on a pixel. */
static inline bool kfi_tap_position(const kfi_window *w, int64_t pixel, int64_t tap,
                                    int64_t *position) {
    const int64_t start = pixel + w->before - tap * w->dilation;
    *position = start / w->stride;
    return start >= 0 && start % w->stride == 0 && *position < w->positions;
}

static inline int64_t kfi_count_places(const kfi_convolution *c) {
    return c->batch * c->axis[0].positions * c->axis[1].positions * c->axis[2].positions;
}
static inline int64_t kfi_count_pixels(const kfi_convolution *c) {
    return c->batch * c->axis[0].size * c->axis[1].size * c->axis[2].size;
}
static inline int64_t kfi_count_taps(const kfi_convolution *c) {
    return c->axis[0].kernel * c->axis[1].kernel * c->axis[2].kernel;
}

/* All that touches one place of y. */
KFI_INLINE void kfi_visit_pixels(const kfi_convolution *c, int64_t place, kfi_touch_visit *visit,
                                 void *context) {
    const kfi_window *w = c->axis;
    const int64_t p2 = place % w[2].positions, rest = place / w[2].positions;
    const int64_t p1 = rest % w[1].positions, p0 = rest / w[1].positions % w[0].positions;
    const int64_t image = rest / w[1].positions / w[0].positions;
    int64_t x0, x1, x2;
    for (int64_t t0 = 0; t0 < w[0].kernel; t0++) {
        if (!kfi_tap_pixel(&w[0], p0, t0, &x0)) continue;
        for (int64_t t1 = 0; t1 < w[1].kernel; t1++) {
            if (!kfi_tap_pixel(&w[1], p1, t1, &x1)) continue;
            const int64_t row = (image * w[0].size + x0) * w[1].size + x1;
            const int64_t tap = (t0 * w[1].kernel + t1) * w[2].kernel;
            for (int64_t t2 = 0; t2 < w[2].kernel; t2++)
                if (kfi_tap_pixel(&w[2], p2, t2, &x2))
                    visit(c, (kfi_touch){row * w[2].size + x2, place, tap + t2}, context);
        }
    }
}

/* All that touches one pixel of x. */
KFI_INLINE void kfi_visit_places(const kfi_convolution *c, int64_t pixel, kfi_touch_visit *visit,
                                 void *context) {
    const kfi_window *w = c->axis;
    const int64_t x2 = pixel % w[2].size, rest = pixel / w[2].size;
    const int64_t x1 = rest % w[1].size, x0 = rest / w[1].size % w[0].size;
    const int64_t image = rest / w[1].size / w[0].size;
    int64_t p0, p1, p2;
    for (int64_t t0 = 0; t0 < w[0].kernel; t0++) {
        if (!kfi_tap_position(&w[0], x0, t0, &p0)) continue;
        for (int64_t t1 = 0; t1 < w[1].kernel; t1++) {
            if (!kfi_tap_position(&w[1], x1, t1, &p1)) continue;
            const int64_t row = (image * w[0].positions + p0) * w[1].positions + p1;
            const int64_t tap = (t0 * w[1].kernel + t1) * w[2].kernel;
            for (int64_t t2 = 0; t2 < w[2].kernel; t2++)
                if (kfi_tap_position(&w[2], x2, t2, &p2))
                    visit(c, (kfi_touch){pixel, row * w[2].positions + p2, tap + t2}, context);
        }
    }
}

#endif
