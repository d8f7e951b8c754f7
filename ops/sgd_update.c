/* sgd_update(w, g, hyper[, v]); lr = hyper[0], m the momentum:
 *     without v    w' = w - lr g
 *     with v       v' = m v - lr g,  w' = w + v', or, nesterov, w' = w + m v' - lr g */
#include "ops/updates.h"

static kf_status infer(kfi_shaping *shaping) {
    return kfi_infer_update(shaping, shaping->n_in == 3 ? 0 : 1);
}

static void plain(const kfi_call *call, kfi_span span, bool has_gradient) {
    (void)has_gradient;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1), lr = kfi_rate(call);
    float *w_new = kfi_out(call, 0);
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) w_new[i] = w[i] - lr * g[i];
}

static void with_momentum(const kfi_call *call, kfi_span span, bool has_gradient) {
    (void)has_gradient;
    const kfi_update *by = call->attributes;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1), *v = kfi_in(call, 3);
    float *w_new = kfi_out(call, 0), *v_new = kfi_out(call, 1);
    const float lr = kfi_rate(call), m = by->momentum;
    const bool nesterov = by->nesterov;
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float step = lr * g[i], velocity = m * v[i] - step;
        v_new[i] = velocity;
        w_new[i] = nesterov ? w[i] + m * velocity - step : w[i] + velocity;
    }
}

static void update(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    if (call->n_in == 3)
        kfi_update_blocks(plain, call, tile, false);
    else
        kfi_update_blocks(with_momentum, call, tile, false);
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 5); }

static const kfi_example examples[] = {
    {.name = "plain",
     .attributes = &(const kfi_update){0},
     .n_in = 3,
     .in = {KFI_W(2, {5, 7}), KFI_W(2, {5, 7}), KFI_HYPER_INPUT}},
    {.name = "momentum",
     .attributes = &(const kfi_update){.momentum = 0.9f},
     .n_in = 4,
     .in = {KFI_W(1, {19}), KFI_W(1, {19}), KFI_HYPER_INPUT, KFI_SLOT(1, {19})}},
    {.name = "nesterov",
     .attributes = &(const kfi_update){.momentum = 0.9f, .nesterov = true},
     .n_in = 4,
     .in = {KFI_W(1, {19}), KFI_W(1, {19}), KFI_HYPER_INPUT, KFI_SLOT(1, {19})}},
    {.name = "large",
     .attributes = &(const kfi_update){.momentum = 0.9f},
     .n_in = 4,
     .large = true,
     .in = {KFI_W(2, {301, 333}), KFI_W(2, {301, 333}), KFI_HYPER_INPUT, KFI_SLOT(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(sgd_update) = {
    .name = "sgd_update",
    .attributes_size = sizeof(kfi_update),
    .infer = infer,
    .stages = {{update, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1, 4},
    KFI_ELEMENT_WISE,
};
