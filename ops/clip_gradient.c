/* clip_gradient(g[, total]): what Keras's clipnorm and clipvalue make of a gradient, in this order;
 * `total` is the sum of the squares of all gradients, n = sqrt(total):
 *     g norm / n  where n >= norm, else g;   then clipped to [-value, value]
 * A norm or value of 0 is none; without `total` there is no norm. A NaN stays one. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"
#include "ops/shape_rules.h"

#include <math.h>

static kf_status infer(kfi_shaping *shaping) {
    kf_status status = kfi_expect_floats(shaping, shaping->n_in == 2 ? 2 : 1);
    if (!status && shaping->n_in == 2) status = kfi_expect_rank(shaping, 1, 0);
    shaping->n_out = 1;
    shaping->out[0].shape = shaping->in[0].shape;
    return status;
}

static float factor_of(const kfi_call *call) {
    const kfi_clip *by = call->attributes;
    if (call->n_in < 2 || !(by->norm > 0)) return 1;
    const float norm = sqrtf(kfi_in(call, 1)[0]);
    return norm >= by->norm ? by->norm / norm : 1;
}

static void clip(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_clip *by = call->attributes;
    const kfi_span span = kfi_element_span(call, tile);
    const float factor = factor_of(call), limit = by->value > 0 ? by->value : INFINITY;
    const float *g = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float scaled = factor * g[i];
        y[i] = scaled > limit ? limit : scaled < -limit ? -limit : scaled;
    }
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 3); }

#define G(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define TOTAL                                                                                      \
    { .shape = {0}, .low = 4, .high = 9 }
static const kfi_example examples[] = {
    {.name = "by value",
     .attributes = &(const kfi_clip){.value = 0.5f},
     .n_in = 1,
     .in = {G(2, {5, 7})}},
    {.name = "by norm and value",
     .attributes = &(const kfi_clip){.norm = 1, .value = 0.1f},
     .n_in = 2,
     .in = {G(2, {5, 7}), TOTAL}},
    {.name = "large",
     .attributes = &(const kfi_clip){.norm = 1},
     .n_in = 2,
     .large = true,
     .in = {G(2, {301, 333}), TOTAL}},
    {0},
};

const kfi_op KFI_OP(clip_gradient) = {
    .name = "clip_gradient",
    .attributes_size = sizeof(kfi_clip),
    .infer = infer,
    .stages = {{clip, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1},
};
