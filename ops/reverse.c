/* reverse(x) along an axis: y[…, i, …] = x[…, n - 1 - i, …]; its own derivative. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/tiles.h"

static kf_status infer(kfi_shaping *s) {
    const kfi_along *along = s->attributes;
    kf_status status = kfi_expect_inputs(s, 1);
    if (!status) status = kfi_expect_axis(along->axis, &s->in[0].shape);
    if (status) return status;
    s->n_out = 1;
    s->out[0] = s->in[0];
    return KF_OK;
}

/* Elements that keep their order: all that lies within one place of the axis. */
static int64_t run_length(const kfi_call *call) {
    const kfi_along *along = call->attributes;
    const kf_shape *shape = &call->in[0].shape;
    return kfi_shape_product(shape, along->axis + 1, shape->rank);
}

static int64_t runs_per_tile(const kfi_call *call) {
    return kfi_larger(KFI_TILE / kfi_larger(run_length(call), 1), 1);
}

static int64_t count_runs(const kfi_call *call) {
    const kfi_along *along = call->attributes;
    return kfi_shape_product(&call->in[0].shape, 0, along->axis + 1);
}

static int64_t tiles(const kfi_call *call) {
    return kfi_tile_count(count_runs(call), runs_per_tile(call));
}

static void reverse(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_along *along = call->attributes;
    const size_t bytes = (size_t)run_length(call) * kf_dtype_size(call->in[0].dtype);
    const int64_t n = call->in[0].shape.dims[along->axis];
    const kfi_range runs = kfi_tile_range(count_runs(call), runs_per_tile(call), tile);
    const char *x = call->in[0].data;
    char *y = call->out[0].data;
    for (int64_t i = runs.first; i < runs.last; i++) {
        const int64_t from = i - i % n + (n - 1 - i % n);
        memcpy(y + (size_t)i * bytes, x + (size_t)from * bytes, bytes);
    }
}

static kf_status gradient(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "reverse", d->attributes, d->dout[0]);
    return KF_OK;
}

static const kfi_example examples[] = {
    {.name = "time",
     .attributes = &(const kfi_along){1},
     .n_in = 1,
     .in = {{.shape = {3, {2, 5, 3}}}}},
    {.name = "the last axis, integers",
     .attributes = &(const kfi_along){1},
     .n_in = 1,
     .in = {{.shape = {2, {3, 4}}, .dtype = KF_INT32, .low = 0, .high = 9}}},
    {.name = "large",
     .attributes = &(const kfi_along){0},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {2, {411, 213}}}}},
    {0},
};

const kfi_op KFI_OP(reverse) = {
    .name = "reverse",
    .attributes_size = sizeof(kfi_along),
    .infer = infer,
    .stages = {{reverse, tiles}},
    .gradient = gradient,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
};
