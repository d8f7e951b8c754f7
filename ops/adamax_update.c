/* adamax_update(w, g, hyper, m, u); hyper[0] is the rate of step t, lr / (1 - b1^t):
 *     m' = b1 m + (1 - b1) g,  u' = max(b2 u, |g|),  w' = w - rate m' / (u' + epsilon)
 * Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7. */
#include "ops/updates.h"

#include <math.h>

static kf_status infer(kfi_shaping *shaping) { return kfi_infer_update(shaping, 2); }

/* A NaN in either shows. */
static float larger(float a, float b) { return a > b || a != a ? a : b; }

static void update_part(const kfi_call *call, kfi_span span, bool has_gradient) {
    (void)has_gradient;
    const kfi_update *by = call->attributes;
    const float *w = kfi_in(call, 0), *g = kfi_in(call, 1);
    const float *m = kfi_in(call, 3), *u = kfi_in(call, 4);
    float *w_new = kfi_out(call, 0), *m_new = kfi_out(call, 1), *u_new = kfi_out(call, 2);
    const float rate = kfi_rate(call), epsilon = by->epsilon, b1 = by->momentum, b2 = by->beta_2;
    const float rest = 1 - b1;
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float mean = b1 * m[i] + rest * g[i];
        const float norm = larger(b2 * u[i], fabsf(g[i]));
        m_new[i] = mean;
        u_new[i] = norm;
        w_new[i] = w[i] - rate * mean / (norm + epsilon);
    }
}

static void update(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    kfi_update_blocks(update_part, call, tile, false);
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 9); }

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

const kfi_op KFI_OP(adamax_update) = {
    .name = "adamax_update",
    .attributes_size = sizeof(kfi_update),
    .infer = infer,
    .stages = {{update, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1, 4, 5},
    KFI_ELEMENT_WISE,
};
