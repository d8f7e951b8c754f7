/* Optimizer updates: (w, g, hyper, slots…) -> w, slots…, one pass over the elements, in place.
 * Formulas of Keras 2.2.4 in float32. */
#ifndef KFI_OPS_UPDATES_H
#define KFI_OPS_UPDATES_H

#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

#include <math.h>

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

/* Rows of an embedding that a batch does not name have a gradient of zero, and most rows are such.
 * Where an update leaves a weight without a gradient as it is, whole blocks of them are passed
 * over: neither they nor a root and a quotient for each cost anything then. */
enum { KFI_UPDATE_BLOCK = 128, KFI_UPDATE_LINE = 64 / (int)sizeof(float) };

static inline bool kfi_has_gradient(const float *g, int64_t n) {
    int32_t any = 0;
#pragma omp simd reduction(| : any)
    for (int64_t i = 0; i < n; i++) any |= g[i] != 0;
    return any != 0;
}

/* lr * 0 / (root + epsilon) is 0 whatever the root. */
static inline bool kfi_may_skip(const kfi_call *call) {
    const kfi_update *by = call->attributes;
    return by->epsilon > 0 && isfinite(kfi_rate(call));
}

/* In a chain, what the next tile hands on mostly lies behind what this one did: memory is asked for
 * the weight and the slots of then while roots and quotients are worked out. A block's lines at a
 * time are as many as a core has places for. (RMSprop of 640 MB whose gradient is an outer product,
 * and dx, on two cores: 70 ms instead of 98.) */
static inline void kfi_ask_ahead(const kfi_call *call, kfi_span block, bool has_gradient) {
    const int64_t ahead = call->part.end - call->part.begin;
    for (int i = 0; ahead > 0 && i < call->n_in; i++) {
        if (i == 1 || i == 2 || (i == 0 && !has_gradient)) continue;
        const float *next = kfi_in(call, i) + ahead;
        for (int64_t k = block.begin; k < block.end; k += KFI_UPDATE_LINE)
            __builtin_prefetch(next + k, 0, 2);
    }
}

typedef void kfi_update_part(const kfi_call *call, kfi_span span, bool has_gradient);

/* The part of a tile, block by block. */
KFI_INLINE void kfi_update_blocks(kfi_update_part *update, const kfi_call *call, int64_t tile,
                                  bool may_skip) {
    const kfi_span all = kfi_element_span(call, tile);
    const float *g = kfi_in(call, 1);
    for (kfi_span part = {all.begin, all.begin}; part.end < all.end; part.begin = part.end) {
        part.end =
            all.end - part.begin < KFI_UPDATE_BLOCK ? all.end : part.begin + KFI_UPDATE_BLOCK;
        const bool has_gradient =
            !may_skip || kfi_has_gradient(g + part.begin, part.end - part.begin);
        kfi_ask_ahead(call, part, has_gradient);
        update(call, part, has_gradient);
    }
}

/* Where a block has no gradient: nothing to do in place. */
static inline void kfi_keep(const float *from, float *to, kfi_span span) {
    if (from != to)
        memcpy(to + span.begin, from + span.begin, (size_t)(span.end - span.begin) * sizeof *to);
}

#define KFI_W(...)                                                                                 \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define KFI_SLOT(...)                                                                              \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1 }
#define KFI_HYPER_INPUT                                                                            \
    { .shape = {1, {KFI_HYPER}}, .low = 0.01f, .high = 0.1f }

#endif
