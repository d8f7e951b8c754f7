/* reduce_max(x) over neighbouring axes: y = max x. reduce_max_gradient(x, y, dy): dy in equal parts
 * to all elements that are the maximum, as TensorFlow does. */
#include "ops/attributes.h"
#include "ops/columns.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

enum { BLOCK_COLUMNS = 256 };

static bool are_neighbours(uint32_t axes) {
    const uint32_t from_first = axes >> __builtin_ctz(axes);
    return (from_first & (from_first + 1)) == 0;
}

static kf_status infer_y(const kfi_shaping *s, int n_in, kf_shape *y) {
    const uint32_t axes = ((const kfi_reduce *)s->attributes)->axes;
    const kf_status status = kfi_expect_floats(s, n_in);
    if (status) return status;
    const kf_shape *x = &s->in[0].shape;
    if (!axes || axes >> x->rank || !are_neighbours(axes))
        return kfi_fail(KF_INVALID, "expected neighbouring axes of an input of shape %s",
                        kfi_shape_string(x));
    *y = (kf_shape){0};
    for (int i = 0; i < x->rank; i++) {
        const bool reduced = axes >> i & 1;
        const bool keep = ((const kfi_reduce *)s->attributes)->keep_dims;
        if (!reduced || keep) y->dims[y->rank++] = reduced ? 1 : x->dims[i];
    }
    return KF_OK;
}

static kf_status infer_reduce_max(kfi_shaping *s) {
    s->n_out = 1;
    return infer_y(s, 1, &s->out[0].shape);
}

static kf_status infer_reduce_max_gradient(kfi_shaping *s) {
    kf_shape y;
    kf_status status = infer_y(s, 3, &y);
    for (int i = 1; i < 3 && !status; i++) status = kfi_expect_shape(s, i, &y);
    return status ? status : kfi_infer_like(s, 0);
}

/* x as (outer, n, inner), n the product of the reduced axes. */
static kfi_columns columns_of(const kfi_call *call) {
    const uint32_t axes = ((const kfi_reduce *)call->attributes)->axes;
    const int first = __builtin_ctz(axes), last = 32 - __builtin_clz(axes);
    const kf_shape *x = &call->in[0].shape;
    return (kfi_columns){kfi_shape_product(x, 0, first), kfi_shape_product(x, first, last),
                         kfi_shape_product(x, last, x->rank)};
}

/* A unit is a block of columns of one outer index; tiles are runs of units. */
typedef struct units {
    int64_t blocks, count, per_tile;
} units;

static units units_of(const kfi_columns *c) {
    units u = {.blocks = kfi_tile_count(c->inner, BLOCK_COLUMNS)};
    u.count = c->outer * u.blocks;
    const int64_t elements = c->n * kfi_smaller(c->inner, BLOCK_COLUMNS);
    u.per_tile = kfi_larger(KFI_TILE_ELEMENTS / kfi_larger(elements, 1), 1);
    return u;
}

static int64_t tiles(const kfi_call *call) {
    const kfi_columns c = columns_of(call);
    const units u = units_of(&c);
    return kfi_tile_count(u.count, u.per_tile);
}

static void take_larger(const float *x, float *y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i];
}

static void find_max(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_columns c = columns_of(call);
    const units u = units_of(&c);
    const kfi_range part = kfi_tile_range(u.count, u.per_tile, tile);
    for (int64_t unit = part.first; unit < part.last; unit++) {
        const int64_t outer = unit / u.blocks;
        const kfi_range columns = kfi_tile_range(c.inner, BLOCK_COLUMNS, unit % u.blocks);
        const int64_t width = columns.last - columns.first;
        const float *x = kfi_in(call, 0) + outer * c.n * c.inner + columns.first;
        float *y = kfi_out(call, 0) + outer * c.inner + columns.first;
        for (int64_t i = 0; i < width; i++) y[i] = -__builtin_inff();
        for (int64_t row = 0; row < c.n; row++) take_larger(x + row * c.inner, y, width);
    }
}

/* shares[i] = dy[i] / the number of rows that have y[i]. */
static void share_out(const kfi_columns *c, const float *x, const float *y, const float *dy,
                      int64_t width, float *shares) {
    for (int64_t i = 0; i < width; i++) shares[i] = 0;
    for (int64_t row = 0; row < c->n; row++) {
        const float *from = x + row * c->inner;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) shares[i] += from[i] == y[i] ? 1.0f : 0.0f;
    }
    for (int64_t i = 0; i < width; i++) shares[i] = dy[i] / shares[i];
}

static void spread(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_columns c = columns_of(call);
    const units u = units_of(&c);
    const kfi_range part = kfi_tile_range(u.count, u.per_tile, tile);
    float shares[BLOCK_COLUMNS];
    for (int64_t unit = part.first; unit < part.last; unit++) {
        const int64_t outer = unit / u.blocks;
        const kfi_range columns = kfi_tile_range(c.inner, BLOCK_COLUMNS, unit % u.blocks);
        const int64_t width = columns.last - columns.first;
        const int64_t x_at = outer * c.n * c.inner + columns.first;
        const int64_t y_at = outer * c.inner + columns.first;
        const float *x = kfi_in(call, 0) + x_at, *y = kfi_in(call, 1) + y_at;
        share_out(&c, x, y, kfi_in(call, 2) + y_at, width, shares);
        for (int64_t row = 0; row < c.n; row++) {
            const float *from = x + row * c.inner;
            float *dx = kfi_out(call, 0) + x_at + row * c.inner;
#pragma omp simd
            for (int64_t i = 0; i < width; i++) dx[i] = from[i] == y[i] ? shares[i] : 0.0f;
        }
    }
}

static kf_status derive_reduce_max(kfi_derivation *d) {
    d->din[0] =
        kfi_derive(d, "reduce_max_gradient", d->attributes, d->in[0], d->out[0], d->dout[0]);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) {
    return (kfi_cost){(double)kfi_count(&call->in[0]), kfi_call_bytes(call)};
}

#define OVER(bits)                                                                                 \
    &(const kfi_reduce) { .axes = (bits) }

static const kfi_example reduce_max_examples[] = {
    {.name = "rows and columns",
     .attributes = OVER(6),
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 4, 3}}, .distinct = true}}},
    {.name = "last axes",
     .attributes = OVER(12),
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 2, 5}}, .distinct = true}}},
    {.name = "kept",
     .attributes = &(const kfi_reduce){.axes = 2, .keep_dims = true},
     .n_in = 1,
     .in = {{.shape = {3, {2, 5, 3}}, .distinct = true}}},
    {.name = "of 29x31x300",
     .attributes = OVER(6),
     .n_in = 1,
     .large = true,
     .in = {{.shape = {4, {5, 29, 31, 300}}}}},
    {0},
};

static const kfi_example gradient_examples[] = {
    {.name = "rows and columns",
     .attributes = OVER(6),
     .n_in = 3,
     .in = {{.shape = {4, {2, 3, 4, 3}}}, {.shape = {2, {2, 3}}}, {.shape = {2, {2, 3}}}}},
    {.name = "of 29x31x300",
     .attributes = OVER(6),
     .n_in = 3,
     .large = true,
     .in = {{.shape = {4, {5, 29, 31, 300}}}, {.shape = {2, {5, 300}}}, {.shape = {2, {5, 300}}}}},
    {0},
};

const kfi_op KFI_OP(reduce_max) = {
    .name = "reduce_max",
    .attributes_size = sizeof(kfi_reduce),
    .infer = infer_reduce_max,
    .stages = {{find_max, tiles}},
    .gradient = derive_reduce_max,
    .cost = cost,
    .examples = KFI_EXAMPLES(reduce_max_examples),
};

const kfi_op KFI_OP(reduce_max_gradient) = {
    .name = "reduce_max_gradient",
    .attributes_size = sizeof(kfi_reduce),
    .infer = infer_reduce_max_gradient,
    .stages = {{spread, tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(gradient_examples),
};
