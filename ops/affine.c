/* affine: y = scale x + offset;  dx = scale dy. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static void affine(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_affine by = *(const kfi_affine *)call->attributes;
    const kfi_span span = kfi_element_span(call, tile);
    const float *x = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) y[i] = by.scale * x[i] + by.offset;
}

static kf_status gradient(kfi_derivation *d) {
    const kfi_affine *by = d->attributes;
    d->din[0] = kfi_derive(d, "affine", &(kfi_affine){.scale = by->scale}, d->dout[0]);
    return KF_OK;
}

static const kfi_example examples[] = {
    {.name = "scale and offset",
     .attributes = &(const kfi_affine){.scale = -2.5f, .offset = 0.75f},
     .n_in = 1,
     .in = {{.shape = {2, {3, 7}}}}},
    {.name = "large",
     .attributes = &(const kfi_affine){.scale = 3},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {1, {98765}}}}},
    {0},
};

const kfi_op KFI_OP(affine) = {
    .name = "affine",
    .attributes_size = sizeof(kfi_affine),
    .infer = kfi_infer_same_1,
    .stages = {{affine, kfi_element_tiles}},
    .gradient = gradient,
    .cost = kfi_cheap_cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1},
    KFI_ELEMENT_WISE,
};
