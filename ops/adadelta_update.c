/* adadelta_update(w, g, hyper, a, d); lr = hyper[0]:
 *     a' = rho a + (1 - rho) g^2,  u = g sqrt(d + epsilon) / sqrt(a' + epsilon),
 *     d' = rho d + (1 - rho) u^2,  w' = w - lr u
 * Zeiler, "ADADELTA: an adaptive learning rate method", 2012; epsilon inside the roots. */
#include "ops/updates.h"

#include <math.h>

static kf_status infer(kfi_shaping *shaping) { return kfi_infer_update(shaping, 2); }

static void update_part(const kfi_call *call, kfi_span span, bool has_gradient) {
    (void)has_gradient;
    const kfi_update *by = call->attributes;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1);
    const float *a = kfi_in(call, 3), *d = kfi_in(call, 4);
    float *w_new = kfi_out(call, 0), *a_new = kfi_out(call, 1), *d_new = kfi_out(call, 2);
    const float lr = kfi_rate(call), rho = by->momentum, rest = 1 - rho, epsilon = by->epsilon;
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float average = rho * a[i] + rest * (g[i] * g[i]);
        const float step = g[i] * sqrtf(d[i] + epsilon) / sqrtf(average + epsilon);
        a_new[i] = average;
        d_new[i] = rho * d[i] + rest * (step * step);
        w_new[i] = w[i] - lr * step;
    }
}

static void update(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_update_blocks(update_part, call, tile, false);
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 16); }

#define RHO                                                                                        \
    &(const kfi_update) { .momentum = 0.95f, .epsilon = 1e-7f }
static const kfi_example examples[] = {
    {.name = "weights",
     .attributes = RHO,
     .n_in = 5,
     .in = {KFI_W(2, {5, 7}), KFI_W(2, {5, 7}), KFI_HYPER_INPUT, KFI_SLOT(2, {5, 7}),
            KFI_SLOT(2, {5, 7})}},
    {.name = "large",
     .attributes = RHO,
     .n_in = 5,
     .large = true,
     .in = {KFI_W(2, {301, 333}), KFI_W(2, {301, 333}), KFI_HYPER_INPUT, KFI_SLOT(2, {301, 333}),
            KFI_SLOT(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(adadelta_update) = {
    .name = "adadelta_update",
    .attributes_size = sizeof(kfi_update),
    .infer = infer,
    .stages = {{update, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1, 4, 5},
    KFI_ELEMENT_WISE,
};
