/* penalty(x) = sum_k (l1 |x_k| + l2 x_k^2), a scalar; penalty_gradient(dy, x): dx = dy (l1 sign(x)
 * + 2 l2 x), with sign(0) = 0. Tiles leave their sums in scratch; a second stage adds those up in
 * order, in double precision. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

#include <math.h>

static kf_status infer_penalty(kfi_shaping *shaping) {
    shaping->n_out = 1;
    shaping->out[0].shape = KFI_SCALAR;
    return kfi_expect_floats(shaping, 1);
}

static kf_status infer_gradient(kfi_shaping *shaping) {
    const kf_status status = kfi_expect_floats(shaping, 2);
    if (status) return status;
    if (shaping->in[0].shape.rank > 0)
        return kfi_fail(KF_INVALID, "a penalty's gradient must be a scalar, got %s",
                        kfi_shape_string(&shaping->in[0].shape));
    shaping->n_out = 1;
    shaping->out[0].shape = shaping->in[1].shape;
    return KF_OK;
}

static int64_t tiles(const kfi_call *call) {
    return kfi_tiles_for(kfi_count(&call->in[0]), KFI_TILE);
}

static void sum_tile(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_penalty *by = call->attributes;
    const kfi_span span = kfi_span_of(tile, KFI_TILE, kfi_count(&call->in[0]));
    const float *x = kfi_in(call, 0);
    float absolute = 0, square = 0;
#pragma omp simd reduction(+ : absolute, square)
    for (int64_t i = span.begin; i < span.end; i++) {
        absolute += fabsf(x[i]);
        square += x[i] * x[i];
    }
    float *sums = call->scratch;
    sums[2 * tile] = by->l1 != 0 ? absolute : 0; /* an overflow of what is not asked for is none */
    sums[2 * tile + 1] = by->l2 != 0 ? square : 0;
}

static void add_tiles(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const kfi_penalty *by = call->attributes;
    const float *sums = call->scratch;
    const int64_t count = tiles(call);
    double absolute = 0, square = 0;
    for (int64_t i = 0; i < count; i++) {
        absolute += (double)sums[2 * i];
        square += (double)sums[2 * i + 1];
    }
    *kfi_out(call, 0) = (float)((double)by->l1 * absolute + (double)by->l2 * square);
}

static size_t scratch(const kfi_call *call) { return 2 * (size_t)tiles(call) * sizeof(float); }

static void gradient_tile(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_penalty *by = call->attributes;
    const kfi_span span = kfi_element_span(call, tile);
    const float *x = kfi_in(call, 1), dy = kfi_in(call, 0)[0];
    const float l1 = by->l1, twice = 2 * by->l2;
    float *dx = kfi_out(call, 0);
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) {
        const float sign = x[i] > 0 ? 1.0f : x[i] < 0 ? -1.0f : 0.0f;
        dx[i] = dy * (l1 * sign + twice * x[i]);
    }
}

static kf_status derive(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "penalty_gradient", d->attributes, d->dout[0], d->in[0]);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) {
    const double bytes = kfi_copy_cost(call).bytes;
    return (kfi_cost){bytes / 2, bytes};
}

#define BOTH                                                                                       \
    &(const kfi_penalty) { .l1 = 0.3f, .l2 = 0.7f }
#define X(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -1, .high = 1.5f, .distinct = true }
static const kfi_example penalty_examples[] = {
    {.name = "l1 alone",
     .attributes = &(const kfi_penalty){.l1 = 0.5f},
     .n_in = 1,
     .in = {X(2, {3, 7})}},
    {.name = "both", .attributes = BOTH, .n_in = 1, .in = {X(1, {17})}},
    {.name = "large", .attributes = BOTH, .n_in = 1, .large = true, .in = {X(2, {301, 333})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "both", .attributes = BOTH, .n_in = 2, .in = {{.shape = {0}}, X(2, {3, 7})}},
    {.name = "large",
     .attributes = BOTH,
     .n_in = 2,
     .large = true,
     .in = {{.shape = {0}}, X(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(penalty) = {
    .name = "penalty",
    .attributes_size = sizeof(kfi_penalty),
    .infer = infer_penalty,
    .stages = {{sum_tile, tiles}, {add_tiles, NULL}},
    .gradient = derive,
    .scratch = scratch,
    .cost = cost,
    .examples = KFI_EXAMPLES(penalty_examples),
};

const kfi_op KFI_OP(penalty_gradient) = {
    .name = "penalty_gradient",
    .attributes_size = sizeof(kfi_penalty),
    .infer = infer_gradient,
    .stages = {{gradient_tile, kfi_element_tiles}},
    .cost = kfi_cheap_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
};
