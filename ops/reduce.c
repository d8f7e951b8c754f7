/* reduce_sum(x), reduce_mean(x) over a set of axes: y = s * sum x with s = 1, or 1 / the number of
 * summands. x' = s * y', repeated along the axes. */
#include "ops/attributes.h"
#include "ops/reduction.h"
#include "ops/shape_rules.h"

static kf_status infer_reduce(kfi_shaping *s) {
    const kfi_reduce *a = s->attributes;
    const kf_status status = kfi_expect_floats(s, 1);
    if (status) return status;
    const kf_shape *x = &s->in[0].shape;
    if (a->axes >> x->rank)
        return kfi_fail(KF_INVALID, "axis %d is outside an input of shape %s",
                        31 - __builtin_clz(a->axes), kfi_shape_string(x));
    kf_shape *y = &s->out[0].shape;
    *y = (kf_shape){0};
    for (int i = 0; i < x->rank; i++) {
        const bool reduced = a->axes >> i & 1;
        if (!reduced || a->keep_dims) y->dims[y->rank++] = reduced ? 1 : x->dims[i];
    }
    s->n_out = 1;
    return KF_OK;
}

static kfi_reduction describe(const kfi_call *call) {
    const kfi_reduce *a = call->attributes;
    return kfi_reduction_of(&call->in[0].shape, a->axes);
}

static int64_t count_summands(const kf_shape *x, uint32_t axes) {
    int64_t count = 1;
    for (int i = 0; i < x->rank; i++)
        if (axes >> i & 1) count *= x->dims[i];
    return count;
}

static double mean_scale(const kfi_call *call) {
    const kfi_reduce *a = call->attributes;
    return 1.0 / (double)count_summands(&call->in[0].shape, a->axes);
}

static int64_t tiles_reduce(const kfi_call *call) {
    const kfi_reduction r = describe(call);
    return kfi_reduction_tiles(&r);
}

static size_t scratch_reduce(const kfi_call *call) {
    const kfi_reduction r = describe(call);
    return kfi_reduction_scratch(&r);
}

static size_t tile_scratch_reduce(const kfi_call *call) {
    const kfi_reduction r = describe(call);
    return kfi_reduction_tile_scratch(&r);
}

static void reduce_tile(const kfi_call *call, int64_t tile, double scale, void *local) {
    const kfi_reduction r = describe(call);
    kfi_reduce_tile(&r, kfi_in(call, 0), tile, scale, kfi_out(call, 0), call->scratch, local);
}

static void finish(const kfi_call *call, double scale) {
    const kfi_reduction r = describe(call);
    kfi_reduce_finish(&r, scale, kfi_out(call, 0), call->scratch);
}

static void sum_tile(const kfi_call *call, int64_t tile, void *local) {
    reduce_tile(call, tile, 1.0, local);
}

static void sum_finish(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    finish(call, 1.0);
}

static void mean_tile(const kfi_call *call, int64_t tile, void *local) {
    reduce_tile(call, tile, mean_scale(call), local);
}

static void mean_finish(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    finish(call, mean_scale(call));
}

/* dy along the reduced axes of x: first with these axes of size 1, then repeated. */
static kfi_value spread(kfi_derivation *d, kfi_value dy) {
    const kfi_reduce *a = d->attributes;
    const kf_shape *x = &d->in_type[0].shape;
    if (!a->keep_dims) {
        kfi_shaped narrow = {.shape = *x};
        for (int i = 0; i < x->rank; i++)
            if (a->axes >> i & 1) narrow.shape.dims[i] = 1;
        dy = kfi_derive(d, "reshape", &narrow, dy);
    }
    return kfi_derive(d, "broadcast_to", (&(kfi_shaped){.shape = *x}), dy);
}

static kf_status derive_sum(kfi_derivation *d) {
    d->din[0] = spread(d, d->dout[0]);
    return KF_OK;
}

static kf_status derive_mean(kfi_derivation *d) {
    const kfi_reduce *a = d->attributes;
    const float scale = 1.0f / (float)count_summands(&d->in_type[0].shape, a->axes);
    d->din[0] = spread(d, kfi_derive(d, "affine", (&(kfi_affine){.scale = scale}), d->dout[0]));
    return KF_OK;
}

static kfi_cost cost_reduce(const kfi_call *call) {
    return (kfi_cost){(double)kfi_count(&call->in[0]), kfi_call_bytes(call)};
}

#define OVER(bits)                                                                                 \
    &(const kfi_reduce) { .axes = (bits) }
#define OVER_KEPT(bits)                                                                            \
    &(const kfi_reduce) { .axes = (bits), .keep_dims = true }

static const kfi_example reduce_examples[] = {
    {.name = "last axis", .attributes = OVER(4), .n_in = 1, .in = {{.shape = {3, {2, 3, 5}}}}},
    {.name = "first axis, kept",
     .attributes = OVER_KEPT(1),
     .n_in = 1,
     .in = {{.shape = {2, {7, 4}}}}},
    {.name = "middle axes", .attributes = OVER(6), .n_in = 1, .in = {{.shape = {4, {2, 3, 4, 3}}}}},
    {.name = "every other axis",
     .attributes = OVER(10),
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 2, 4}}}}},
    {.name = "all", .attributes = OVER(7), .n_in = 1, .in = {{.shape = {3, {3, 1, 5}}}}},
    {.name = "rows of 500001x3",
     .attributes = OVER(1),
     .n_in = 1,
     .in = {{.shape = {2, {500001, 3}}}},
     .large = true},
    {.name = "all of 300x20x133",
     .attributes = OVER(7),
     .n_in = 1,
     .in = {{.shape = {3, {300, 20, 133}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(reduce_sum) = {
    .name = "reduce_sum",
    .attributes_size = sizeof(kfi_reduce),
    .infer = infer_reduce,
    .stages = {{sum_tile, tiles_reduce}, {sum_finish, NULL}},
    .gradient = derive_sum,
    .scratch = scratch_reduce,
    .tile_scratch = tile_scratch_reduce,
    .cost = cost_reduce,
    .examples = KFI_EXAMPLES(reduce_examples),
};

const kfi_op KFI_OP(reduce_mean) = {
    .name = "reduce_mean",
    .attributes_size = sizeof(kfi_reduce),
    .infer = infer_reduce,
    .stages = {{mean_tile, tiles_reduce}, {mean_finish, NULL}},
    .gradient = derive_mean,
    .scratch = scratch_reduce,
    .tile_scratch = tile_scratch_reduce,
    .cost = cost_reduce,
    .examples = KFI_EXAMPLES(reduce_examples),
};
