/* Optimizer updates: (w, g, hyper, slots…) -> w, slots…, one pass over the elements, in place.
 * Formulas of Keras 2.2.4 in float32. */
#ifndef KFI_OPS_UPDATES_H
#define KFI_OPS_UPDATES_H

#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

enum { KFI_HYPER = 4 };

/* w and each slot come out under their own shapes, which are all w's. */
static inline kf_status kfi_infer_update(kfi_shaping *shaping, int slots) {
    kf_status status = kfi_expect_floats(shaping, 3 + slots);
    if (status) return status;
    const kf_shape *w = &shaping->in[0].shape, *hyper = &shaping->in[2].shape;
    if (hyper->rank != 1 || hyper->dims[0] != KFI_HYPER)
        return kfi_fail(KF_INVALID, "hyperparameters must be of shape (%d,), got %s", KFI_HYPER,
                        kfi_shape_string(hyper));
    for (int i = 1; i < 3 + slots; i++) {
        if (i == 2 || kfi_shape_equal(w, &shaping->in[i].shape)) continue;
        return kfi_fail(KF_INVALID, "%s must be of the weight's shape %s, got %s",
                        i == 1 ? "the gradient" : "a slot", kfi_shape_string(w),
                        kfi_shape_string(&shaping->in[i].shape));
    }
    shaping->n_out = 1 + slots;
    for (int i = 0; i < shaping->n_out; i++) shaping->out[i].shape = *w;
    return KF_OK;
}

/* The learning rate of this step. */
static inline float kfi_rate(const kfi_call *call) { return kfi_in(call, 2)[0]; }

#define KFI_W(...)                                                                                 \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define KFI_SLOT(...)                                                                              \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1 }
#define KFI_HYPER_INPUT                                                                            \
    { .shape = {1, {KFI_HYPER}}, .low = 0.01f, .high = 0.1f }

#endif
