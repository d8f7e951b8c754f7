/* rmsprop_update(w, g, hyper, a); lr = hyper[0]:
 *     a' = rho a + (1 - rho) g^2,  w' = w - lr g / (sqrt(a') + epsilon) */
#include "ops/updates.h"

static kf_status infer(kfi_shaping *shaping) { return kfi_infer_update(shaping, 1); }

static void update_part(const kfi_call *call, kfi_span span, bool has_gradient) {
    const kfi_update *by = call->attributes;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1), *a = kfi_in(call, 3);
    float *w_new = kfi_out(call, 0), *a_new = kfi_out(call, 1);
    const float lr = kfi_rate(call), rho = by->momentum, rest = 1 - rho, epsilon = by->epsilon;
    if (!has_gradient) {
        kfi_keep(w, w_new, span);
#pragma omp simd
        for (int64_t i = span.begin; i < span.end; i++) a_new[i] = rho * a[i];
        return;
    }
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float average = rho * a[i] + rest * (g[i] * g[i]);
        a_new[i] = average;
        w_new[i] = w[i] - lr * g[i] / (sqrtf(average) + epsilon);
    }
}

static void update(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_update_blocks(update_part, call, tile, kfi_may_skip(call));
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 9); }

static const kfi_example examples[] = {
    {.name = "weights",
     .attributes = &(const kfi_update){.momentum = 0.9f, .epsilon = 1e-7f},
     .n_in = 4,
     .in = {KFI_W(2, {5, 7}), KFI_W(2, {5, 7}), KFI_HYPER_INPUT, KFI_SLOT(2, {5, 7})}},
    {.name = "large",
     .attributes = &(const kfi_update){.momentum = 0.9f, .epsilon = 1e-7f},
     .n_in = 4,
     .large = true,
     .in = {KFI_W(2, {301, 333}), KFI_W(2, {301, 333}), KFI_HYPER_INPUT, KFI_SLOT(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(rmsprop_update) = {
    .name = "rmsprop_update",
    .attributes_size = sizeof(kfi_update),
    .infer = infer,
    .stages = {{update, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1, 4},
    KFI_ELEMENT_WISE,
};
