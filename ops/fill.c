/* fill: an array of one value; no inputs. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status infer(kfi_shaping *shaping) {
    const kf_status status = kfi_expect_inputs(shaping, 0);
    if (status) return status;
    const kf_shape *shape = &((const kfi_shaped *)shaping->attributes)->shape;
    if (kfi_shape_count(shape) < 0)
        return kfi_fail(KF_INVALID, "an array to fill needs a fixed shape, got %s",
                        kfi_shape_string(shape));
    shaping->n_out = 1;
    shaping->out[0].shape = *shape;
    return KF_OK;
}

static void fill(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const float value = ((const kfi_shaped *)call->attributes)->value;
    const kfi_span span = kfi_element_span(call, tile);
    float *y = kfi_out(call, 0);
    for (int64_t i = span.begin; i < span.end; i++) y[i] = value;
}

static const kfi_example examples[] = {
    {.name = "ones", .attributes = &(const kfi_shaped){.shape = {2, {3, 5}}, .value = 1}},
    {.name = "a scalar", .attributes = &(const kfi_shaped){.value = -2}},
    {.name = "large", .attributes = &(const kfi_shaped){.shape = {1, {77777}}}, .large = true},
    {0},
};

const kfi_op KFI_OP(fill) = {
    .name = "fill",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer,
    .stages = {{fill, kfi_element_tiles}},
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
};
