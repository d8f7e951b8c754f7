/* Windows that slide along spatial axes, for convolution and pooling: where they stand and how many
 * there are, as TensorFlow counts them. */
#ifndef KFI_OPS_WINDOWS_H
#define KFI_OPS_WINDOWS_H

#include "ops/attributes.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

/* One axis. Window o covers the places o * stride - before + tap * dilation for tap < kernel. */
typedef struct kfi_window {
    int64_t size, positions; /* of the axis, and of windows on it */
    int64_t kernel, stride, dilation, before;
} kfi_window;

static inline int64_t kfi_window_extent(const kfi_window *w) {
    return (w->kernel - 1) * w->dilation + 1;
}

/* Sets positions (KF_ANY for a size of KF_ANY) from the rest; fails where no window fits. */
static inline kf_status kfi_window_count(kfi_window *w, kfi_padding padding) {
    if (w->kernel < 1 || w->stride < 1 || w->dilation < 1)
        return kfi_fail(KF_INVALID,
                        "window, stride and dilation must be positive, got %lld, %lld, %lld",
                        (long long)w->kernel, (long long)w->stride, (long long)w->dilation);
    int64_t starts = w->size;
    if (w->size != KF_ANY && padding == KFI_VALID) {
        starts = w->size - kfi_window_extent(w) + 1;
        if (starts < 1)
            return kfi_fail(KF_INVALID,
                            "a window of %lld does not fit into an axis of %lld (negative "
                            "dimension)",
                            (long long)kfi_window_extent(w), (long long)w->size);
    }
    w->positions = w->size == KF_ANY ? KF_ANY : kfi_divide_up(starts, w->stride);
    return KF_OK;
}

/* Sets before, once size and positions are known. */
static inline void kfi_window_place(kfi_window *w, kfi_padding padding) {
    const int64_t overhang = (w->positions - 1) * w->stride + kfi_window_extent(w) - w->size;
    w->before = padding == KFI_SAME     ? kfi_larger(overhang, 0) / 2
                : padding == KFI_CAUSAL ? kfi_window_extent(w) - 1
                                        : 0;
}

static inline kf_status kfi_check_spatial(int32_t spatial, kfi_padding padding) {
    if (spatial < 1 || spatial > KFI_MAX_SPATIAL)
        return kfi_fail(KF_INVALID, "expected 1 to %d spatial axes, got %d", KFI_MAX_SPATIAL,
                        (int)spatial);
    if (padding == KFI_CAUSAL && spatial != 1)
        return kfi_fail(KF_INVALID, "causal padding needs 1 spatial axis, got %d", (int)spatial);
    return KF_OK;
}

#endif
