/* broadcast_to(x): x repeated along axes of size 1 and new axes in front, as numpy does; sum_to(x):
 * its transpose, the sum over what broadcast_to repeats. Each is the other's derivative. */
#include "ops/attributes.h"
#include "ops/axes.h"
#include "ops/reduction.h"
#include "ops/shape_rules.h"

/* Whether `narrow` can be repeated to `wide`. */
static bool spreads_to(const kf_shape *narrow, const kf_shape *wide) {
    const int offset = wide->rank - narrow->rank;
    if (offset < 0) return false;
    for (int i = 0; i < narrow->rank; i++)
        if (narrow->dims[i] != 1 && !kfi_dims_agree(narrow->dims[i], wide->dims[offset + i]))
            return false;
    return true;
}

static kf_status infer_to(kfi_shaping *s, bool widens) {
    const kfi_shaped *a = s->attributes;
    const kf_status status = kfi_expect_floats(s, 1);
    if (status) return status;
    const kf_shape *x = &s->in[0].shape;
    if (!(widens ? spreads_to(x, &a->shape) : spreads_to(&a->shape, x)))
        return kfi_fail(KF_INVALID, "cannot %s shape %s to %s", widens ? "broadcast" : "sum",
                        kfi_shape_string(x), kfi_shape_string(&a->shape));
    s->n_out = 1;
    s->out[0].shape = a->shape;
    return KF_OK;
}

static kf_status infer_broadcast_to(kfi_shaping *s) { return infer_to(s, true); }
static kf_status infer_sum_to(kfi_shaping *s) { return infer_to(s, false); }

/* The axes of y, with the strides of x: 0 where it is repeated. */
static kfi_axes describe_broadcast(const kf_shape *x, const kf_shape *y) {
    kfi_axes axes = {0};
    int64_t stride = 1;
    for (int i = 1; i <= y->rank; i++) {
        const int64_t size = y->dims[y->rank - i];
        const int64_t own = i <= x->rank ? x->dims[x->rank - i] : 1;
        if (size != 1) kfi_axes_add(&axes, size, own == 1 ? 0 : stride, 0);
        stride *= own;
    }
    if (axes.rank == 0) kfi_axes_add(&axes, 1, 0, 0);
    return axes;
}

static void copy_run(const float *x, int64_t stride, float *y, int64_t count) {
    if (stride == 1) {
        memcpy(y, x, (size_t)count * sizeof *y);
        return;
    }
    const float value = *x;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] = value;
}

static void broadcast(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_axes axes = describe_broadcast(&call->in[0].shape, &call->out[0].shape);
    const kfi_span span = kfi_element_span(call, tile);
    kfi_position position = kfi_position_of(&axes, span.begin);
    for (int64_t at = span.begin; at < span.end;) {
        const int64_t run = kfi_smaller(axes.size[0] - position.index[0], span.end - at);
        copy_run(kfi_in(call, 0) + position.a, axes.a_stride[0], kfi_out(call, 0) + at, run);
        kfi_position_move(&position, &axes, run);
        at += run;
    }
}

/* The axes of x that sum_to adds up. */
static kfi_reduction describe_sum(const kfi_call *call) {
    const kf_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    const int offset = x->rank - y->rank;
    uint32_t axes = 0;
    for (int i = 0; i < x->rank; i++)
        if (i < offset || y->dims[i - offset] == 1) axes |= 1u << i;
    return kfi_reduction_of(x, axes);
}

static int64_t tiles_sum(const kfi_call *call) {
    const kfi_reduction r = describe_sum(call);
    return kfi_reduction_tiles(&r);
}

static size_t scratch_sum(const kfi_call *call) {
    const kfi_reduction r = describe_sum(call);
    return kfi_reduction_scratch(&r);
}

static size_t tile_scratch_sum(const kfi_call *call) {
    const kfi_reduction r = describe_sum(call);
    return kfi_reduction_tile_scratch(&r);
}

static void sum_tile(const kfi_call *call, int64_t tile, void *local) {
    const kfi_reduction r = describe_sum(call);
    kfi_reduce_tile(&r, kfi_in(call, 0), tile, 1.0, kfi_out(call, 0), call->scratch, local);
}

static void sum_finish(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const kfi_reduction r = describe_sum(call);
    kfi_reduce_finish(&r, 1.0, kfi_out(call, 0), call->scratch);
}

static kf_status derive_broadcast_to(kfi_derivation *d) {
    const kfi_shaped x = {.shape = d->in_type[0].shape};
    d->din[0] = kfi_derive(d, "sum_to", &x, d->dout[0]);
    return KF_OK;
}

static kf_status derive_sum_to(kfi_derivation *d) {
    const kfi_shaped x = {.shape = d->in_type[0].shape};
    d->din[0] = kfi_derive(d, "broadcast_to", &x, d->dout[0]);
    return KF_OK;
}

static kfi_cost cost_sum(const kfi_call *call) {
    return (kfi_cost){(double)kfi_count(&call->in[0]), kfi_call_bytes(call)};
}

#define TO(...)                                                                                    \
    &(const kfi_shaped) {                                                                          \
        .shape = { __VA_ARGS__ }                                                                   \
    }

static const kfi_example broadcast_to_examples[] = {
    {.name = "scalar", .attributes = TO(2, {3, 5}), .n_in = 1, .in = {{.shape = {0}}}},
    {.name = "row", .attributes = TO(3, {2, 3, 5}), .n_in = 1, .in = {{.shape = {1, {5}}}}},
    {.name = "inside",
     .attributes = TO(4, {2, 3, 4, 2}),
     .n_in = 1,
     .in = {{.shape = {3, {3, 1, 2}}}}},
    {.name = "channels of an image",
     .attributes = TO(4, {4, 50, 51, 20}),
     .n_in = 1,
     .in = {{.shape = {4, {4, 1, 1, 20}}}},
     .large = true},
    {0},
};

static const kfi_example sum_to_examples[] = {
    {.name = "scalar", .attributes = TO(0, {0}), .n_in = 1, .in = {{.shape = {2, {3, 5}}}}},
    {.name = "row", .attributes = TO(1, {5}), .n_in = 1, .in = {{.shape = {3, {2, 3, 5}}}}},
    {.name = "inside",
     .attributes = TO(3, {3, 1, 2}),
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 4, 2}}}}},
    {.name = "channels of an image",
     .attributes = TO(3, {1, 1, 20}),
     .n_in = 1,
     .in = {{.shape = {4, {4, 50, 51, 20}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(broadcast_to) = {
    .name = "broadcast_to",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer_broadcast_to,
    .stages = {{broadcast, kfi_element_tiles}},
    .gradient = derive_broadcast_to,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(broadcast_to_examples),
    .region = kfi_element_region,
};

const kfi_op KFI_OP(sum_to) = {
    .name = "sum_to",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer_sum_to,
    .stages = {{sum_tile, tiles_sum}, {sum_finish, NULL}},
    .gradient = derive_sum_to,
    .scratch = scratch_sum,
    .tile_scratch = tile_scratch_sum,
    .cost = cost_sum,
    .examples = KFI_EXAMPLES(sum_to_examples),
};
