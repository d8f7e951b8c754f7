/* adam_update(w, g, hyper, m, v); hyper[0] is the rate of step t, lr sqrt(1 - b2^t) / (1 - b1^t):
 *     m' = b1 m + (1 - b1) g,  v' = b2 v + (1 - b2) g^2,  w' = w - rate m' / (sqrt(v') + epsilon)
 * Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, the form at the end of
 * its section 2, as Keras has it. */
#include "ops/updates.h"

#include <math.h>

static kf_status infer(kfi_shaping *shaping) { return kfi_infer_update(shaping, 2); }

static void update_part(const kfi_call *call, kfi_span span, bool has_gradient) {
    (void)has_gradient;
    const kfi_update *by = call->attributes;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1);
    const float *m = kfi_in(call, 3), *v = kfi_in(call, 4);
    float *w_new = kfi_out(call, 0), *m_new = kfi_out(call, 1), *v_new = kfi_out(call, 2);
    const float rate = kfi_rate(call), epsilon = by->epsilon, b1 = by->momentum, b2 = by->beta_2;
    const float rest_1 = 1 - b1, rest_2 = 1 - b2;
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float first = b1 * m[i] + rest_1 * g[i];
        const float second = b2 * v[i] + rest_2 * (g[i] * g[i]);
        m_new[i] = first;
        v_new[i] = second;
        w_new[i] = w[i] - rate * first / (sqrtf(second) + epsilon);
    }
}

static void update(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_update_blocks(update_part, call, tile, false);
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 12); }

#define BETAS                                                                                      \
    &(const kfi_update) { .momentum = 0.9f, .beta_2 = 0.999f, .epsilon = 1e-7f }
static const kfi_example examples[] = {
    {.name = "weights",
     .attributes = BETAS,
     .n_in = 5,
     .in = {KFI_W(2, {5, 7}), KFI_W(2, {5, 7}), KFI_HYPER_INPUT, KFI_W(2, {5, 7}),
            KFI_SLOT(2, {5, 7})}},
    {.name = "large",
     .attributes = BETAS,
     .n_in = 5,
     .large = true,
     .in = {KFI_W(2, {301, 333}), KFI_W(2, {301, 333}), KFI_HYPER_INPUT, KFI_W(2, {301, 333}),
            KFI_SLOT(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(adam_update) = {
    .name = "adam_update",
    .attributes_size = sizeof(kfi_update),
    .infer = infer,
    .stages = {{update, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1, 4, 5},
    KFI_ELEMENT_WISE,
};
