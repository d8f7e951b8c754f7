/* bias_add(x, b) = x + b along the last axis; bias_gradient(dy): its derivative by b, the sum of dy
 * over all other axes. */
#include "ops/attributes.h"
#include "ops/reduction.h"
#include "ops/shape_rules.h"

static kf_status infer_bias_add(kfi_shaping *s) {
    kf_status status = kfi_expect_floats(s, 2);
    if (!status) status = kfi_expect_rank(s, 1, 1);
    if (status) return status;
    const kf_shape *x = &s->in[0].shape, *b = &s->in[1].shape;
    if (x->rank < 1 || !kfi_dims_agree(x->dims[x->rank - 1], b->dims[0]))
        return kfi_fail(KF_INVALID, "cannot add a bias of shape %s to shape %s",
                        kfi_shape_string(b), kfi_shape_string(x));
    return kfi_infer_like(s, 0);
}

enum { NARROW = 64 };

static void add_run(const float *x, const float *b, float *y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] = x[i] + b[i];
}

/* A narrow bias is first repeated to a row of about NARROW, from the column of the first element.
 */
static void add_bias(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int64_t columns = call->in[1].shape.dims[0];
    const kfi_span span = kfi_element_span(call, tile);
    const float *x = kfi_in(call, 0), *b = kfi_in(call, 1);
    int64_t width = columns, column = span.begin % columns;
    float wide[NARROW];
    if (columns <= NARROW / 2) {
        width = NARROW / columns * columns;
        for (int64_t i = 0; i < width; i++) wide[i] = b[(column + i) % columns];
        b = wide;
        column = 0;
    }
    for (int64_t at = span.begin; at < span.end;) {
        const int64_t run = kfi_smaller(width - column, span.end - at);
        add_run(x + at, b + column, kfi_out(call, 0) + at, run);
        at += run;
        column = 0;
    }
}

static kf_status derive_bias_add(kfi_derivation *d) {
    if (d->wanted[0]) d->din[0] = d->dout[0];
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "bias_gradient", NULL, d->dout[0]);
    return KF_OK;
}

static kf_status infer_bias_gradient(kfi_shaping *s) {
    const kf_status status = kfi_expect_floats(s, 1);
    if (status) return status;
    const kf_shape *dy = &s->in[0].shape;
    if (dy->rank < 1) return kfi_fail(KF_INVALID, "a scalar has no last axis");
    s->n_out = 1;
    s->out[0].shape = KFI_SHAPE(dy->dims[dy->rank - 1]);
    return KF_OK;
}

static kfi_reduction describe(const kfi_call *call) {
    const kf_shape *dy = &call->in[0].shape;
    return kfi_reduction_of(dy, (1u << (dy->rank - 1)) - 1);
}

static int64_t tiles_gradient(const kfi_call *call) {
    const kfi_reduction r = describe(call);
    return kfi_reduction_tiles(&r);
}

static size_t scratch_gradient(const kfi_call *call) {
    const kfi_reduction r = describe(call);
    return kfi_reduction_scratch(&r);
}

static size_t tile_scratch_gradient(const kfi_call *call) {
    const kfi_reduction r = describe(call);
    return kfi_reduction_tile_scratch(&r);
}

static void sum_tile(const kfi_call *call, int64_t tile, void *local) {
    const kfi_reduction r = describe(call);
    kfi_reduce_tile(&r, kfi_in(call, 0), tile, 1.0, kfi_out(call, 0), call->scratch, local);
}

static void sum_finish(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const kfi_reduction r = describe(call);
    kfi_reduce_finish(&r, 1.0, kfi_out(call, 0), call->scratch);
}

static kf_status derive_bias_gradient(kfi_derivation *d) {
    const kfi_shaped dy = {.shape = d->in_type[0].shape};
    d->din[0] = kfi_derive(d, "broadcast_to", &dy, d->dout[0]);
    return KF_OK;
}

static kfi_cost cost_bias_gradient(const kfi_call *call) {
    return (kfi_cost){(double)kfi_count(&call->in[0]), kfi_call_bytes(call)};
}

static const kfi_example bias_add_examples[] = {
    {.name = "rows", .n_in = 2, .in = {{.shape = {2, {5, 7}}}, {.shape = {1, {7}}}}},
    {.name = "one row", .n_in = 2, .in = {{.shape = {1, {3}}}, {.shape = {1, {3}}}}},
    {.name = "image", .n_in = 2, .in = {{.shape = {4, {2, 3, 3, 4}}}, {.shape = {1, {4}}}}},
    {.name = "100x31x33x3",
     .n_in = 2,
     .in = {{.shape = {4, {100, 31, 33, 3}}}, {.shape = {1, {3}}}},
     .large = true},
    {0},
};

static const kfi_example bias_gradient_examples[] = {
    {.name = "rows", .n_in = 1, .in = {{.shape = {2, {5, 7}}}}},
    {.name = "one row", .n_in = 1, .in = {{.shape = {1, {3}}}}},
    {.name = "image", .n_in = 1, .in = {{.shape = {4, {2, 3, 3, 4}}}}},
    {.name = "100x31x33x3", .n_in = 1, .in = {{.shape = {4, {100, 31, 33, 3}}}}, .large = true},
    {.name = "500x1100", .n_in = 1, .in = {{.shape = {2, {500, 1100}}}}, .large = true},
    {0},
};

const kfi_op KFI_OP(bias_add) = {
    .name = "bias_add",
    .infer = infer_bias_add,
    .stages = {{add_bias, kfi_element_tiles}},
    .gradient = derive_bias_add,
    .cost = kfi_cheap_cost,
    .examples = KFI_EXAMPLES(bias_add_examples),
    .in_place = {1},
    KFI_ELEMENT_WISE,
};

const kfi_op KFI_OP(bias_gradient) = {
    .name = "bias_gradient",
    .infer = infer_bias_gradient,
    .stages = {{sum_tile, tiles_gradient}, {sum_finish, NULL}},
    .gradient = derive_bias_gradient,
    .scratch = scratch_gradient,
    .tile_scratch = tile_scratch_gradient,
    .cost = cost_bias_gradient,
    .examples = KFI_EXAMPLES(bias_gradient_examples),
};
