/* amsgrad_update(w, g, hyper, m, v, h): adam_update with a divisor that never shrinks,
 *     m' = b1 m + (1 - b1) g,  v' = b2 v + (1 - b2) g^2,  h' = max(h, v'),
 *     w' = w - rate m' / (sqrt(h') + epsilon)
 * Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018; like Keras with Adam's
 * rate in hyper[0], which corrects the bias of m and v. */
#include "ops/updates.h"

#include <math.h>

static kf_status infer(kfi_shaping *shaping) { return kfi_infer_update(shaping, 3); }

/* A NaN in either shows. */
static float larger(float a, float b) { return a > b || a != a ? a : b; }

static void update_part(const kfi_call *call, kfi_span span, bool has_gradient) {
    (void)has_gradient;
    const kfi_update *by = call->attributes;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1);
    const float *m = kfi_in(call, 3), *v = kfi_in(call, 4), *h = kfi_in(call, 5);
    float *w_new = kfi_out(call, 0), *m_new = kfi_out(call, 1), *v_new = kfi_out(call, 2);
    float *h_new = kfi_out(call, 3);
    const float rate = kfi_rate(call), epsilon = by->epsilon, b1 = by->momentum, b2 = by->beta_2;
    const float rest_1 = 1 - b1, rest_2 = 1 - b2;
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float first = b1 * m[i] + rest_1 * g[i];
        const float second = b2 * v[i] + rest_2 * (g[i] * g[i]);
        const float highest = larger(h[i], second);
        m_new[i] = first;
        v_new[i] = second;
        h_new[i] = highest;
        w_new[i] = w[i] - rate * first / (sqrtf(highest) + epsilon);
    }
}

static void update(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_update_blocks(update_part, call, tile, false);
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 13); }

#define BETAS                                                                                      \
    &(const kfi_update) { .momentum = 0.9f, .beta_2 = 0.999f, .epsilon = 1e-7f }
static const kfi_example examples[] = {
    {.name = "weights",
     .attributes = BETAS,
     .n_in = 6,
     .in = {KFI_W(2, {5, 7}), KFI_W(2, {5, 7}), KFI_HYPER_INPUT, KFI_W(2, {5, 7}),
            KFI_SLOT(2, {5, 7}), KFI_SLOT(2, {5, 7})}},
    {.name = "large",
     .attributes = BETAS,
     .n_in = 6,
     .large = true,
     .in = {KFI_W(2, {301, 333}), KFI_W(2, {301, 333}), KFI_HYPER_INPUT, KFI_W(2, {301, 333}),
            KFI_SLOT(2, {301, 333}), KFI_SLOT(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(amsgrad_update) = {
    .name = "amsgrad_update",
    .attributes_size = sizeof(kfi_update),
    .infer = infer,
    .stages = {{update, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1, 4, 5, 6},
    KFI_ELEMENT_WISE,
};
