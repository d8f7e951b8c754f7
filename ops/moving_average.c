/* moving_average(moving, value) = momentum moving + (1 - momentum) factor value, over moving's own
 * memory. The factor is what Keras multiplies a batch's variance with: n / (n - 1 - epsilon). */
#include "ops/attributes.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

static void average(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_moving_average *a = call->attributes;
    const kfi_span span = kfi_element_span(call, tile);
    const float keep = a->momentum, take = a->factor * (1 - a->momentum);
    const float *moving = kfi_in(call, 0), *value = kfi_in(call, 1);
    float *out = kfi_out(call, 0);
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) out[i] = moving[i] * keep + value[i] * take;
}

static kfi_cost cost_average(const kfi_call *call) { return kfi_cost_of(call, 3); }

static const kfi_example moving_average_examples[] = {
    {.name = "mean",
     .attributes = &(const kfi_moving_average){.momentum = 0.99f, .factor = 1},
     .n_in = 2,
     .in = {{.shape = {1, {7}}}, {.shape = {1, {7}}}}},
    {.name = "variance",
     .attributes = &(const kfi_moving_average){.momentum = 0.9f, .factor = 1.01f},
     .n_in = 2,
     .in = {{.shape = {1, {33}}}, {.shape = {1, {33}}}}},
    {0},
};

const kfi_op KFI_OP(moving_average) = {
    .name = "moving_average",
    .attributes_size = sizeof(kfi_moving_average),
    .infer = kfi_infer_same_2,
    .stages = {{average, kfi_element_tiles}},
    .cost = cost_average,
    .examples = KFI_EXAMPLES(moving_average_examples),
    .in_place = {1},
    KFI_ELEMENT_WISE,
};
