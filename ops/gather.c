/* gather(table, ids): y[…, :] = table[ids[…], :], rows of a table (n, width) by number.
 * gather_gradient(dy, ids): row r of the result is the sum of dy[…, :] where ids[…] = r, in the
 * order of the ids, whoever computes it: each tile owns a range of rows. */
#include "ops/attributes.h"
#include "ops/table_rows.h"

static kf_status infer_gather(kfi_shaping *s) {
    kf_status status = kfi_expect_inputs(s, 2);
    if (!status) status = kfi_expect_dtype(s, 0, KF_FLOAT32);
    if (!status) status = kfi_check_ids(s, 1);
    if (!status) status = kfi_expect_rank(s, 0, 2);
    if (status) return status;
    kf_shape shape = s->in[1].shape;
    if (shape.rank == KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "ids have at most %d axes, got %s", KF_MAX_RANK - 1,
                        kfi_shape_string(&shape));
    shape.dims[shape.rank++] = s->in[0].shape.dims[1];
    s->n_out = 1;
    s->out[0].shape = shape;
    return KF_OK;
}

static int64_t rows_per_tile(int64_t width) {
    return kfi_larger(KFI_TILE / kfi_larger(width, 1), 1);
}

static int64_t gather_tiles(const kfi_call *call) {
    return kfi_tile_count(kfi_count(&call->in[1]), rows_per_tile(call->in[0].shape.dims[1]));
}

static void gather(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int64_t rows = call->in[0].shape.dims[0], width = call->in[0].shape.dims[1];
    const kfi_range range = kfi_tile_range(kfi_count(&call->in[1]), rows_per_tile(width), tile);
    const float *table = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
    for (int64_t i = range.first; i < range.last; i++) {
        const int64_t id = kfi_id_at(&call->in[1], i, rows);
        kfi_copy_row(table, width, id, (kfi_range){0, width}, y + i * width);
    }
}

static kfi_region region_gather(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const int64_t width = call->in[0].shape.dims[1];
    const kfi_range range = kfi_tile_range(kfi_count(&call->in[1]), rows_per_tile(width), tile);
    const int64_t count = (range.last - range.first) * width;
    return (kfi_region){range.first * width, 1, count, count};
}

static kf_status derive_gather(kfi_derivation *d) {
    const kfi_shaped table = {.shape = d->in_type[0].shape};
    if (d->wanted[0]) d->din[0] = kfi_derive(d, "gather_gradient", &table, d->dout[0], d->in[1]);
    return KF_OK;
}

static kf_status infer_gather_gradient(kfi_shaping *s) {
    const kfi_shaped *table = s->attributes;
    kf_status status = kfi_expect_inputs(s, 2);
    if (!status) status = kfi_expect_dtype(s, 0, KF_FLOAT32);
    if (!status) status = kfi_check_ids(s, 1);
    if (status) return status;
    kf_shape shape = s->in[1].shape;
    shape.dims[shape.rank++] = table->shape.dims[1];
    s->n_out = 1;
    s->out[0].shape = table->shape;
    return kfi_expect_shape(s, 0, &shape);
}

/* Every tile goes through all ids, which together must not take longer than the sums. */
static int64_t gradient_tiles(const kfi_call *call) {
    const int64_t table = kfi_count(&call->out[0]), ids = kfi_count(&call->in[1]);
    const int64_t worth = (table + kfi_count(&call->in[0])) / kfi_larger(ids, 1);
    return kfi_clamp(table / KFI_TILE_ELEMENTS, 1, kfi_larger(worth, 1));
}

static kfi_range gradient_rows(const kfi_call *call, int64_t tile) {
    return kfi_slice_range(call->out[0].shape.dims[0], gradient_tiles(call), tile);
}

static void gather_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int64_t rows = call->out[0].shape.dims[0], width = call->out[0].shape.dims[1];
    const kfi_range own = gradient_rows(call, tile);
    const int64_t count = kfi_count(&call->in[1]);
    const float *dy = kfi_in(call, 0);
    float *dtable = kfi_out(call, 0);
    memset(dtable + own.first * width, 0, (size_t)((own.last - own.first) * width) * sizeof *dy);
    for (int64_t i = 0; i < count; i++) {
        const int64_t id = kfi_id_at(&call->in[1], i, rows);
        if (id < own.first || id >= own.last) continue;
        float *to = dtable + id * width;
        const float *from = dy + i * width;
#pragma omp simd
        for (int64_t k = 0; k < width; k++) to[k] += from[k];
    }
}

/* So the update of a table takes its rows from the cache, those without a gradient as zeros, and
 * the gradient of the whole table is nowhere. */
static kfi_region region_gather_gradient(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const int64_t width = call->out[0].shape.dims[1];
    const kfi_range own = gradient_rows(call, tile);
    const int64_t count = (own.last - own.first) * width;
    return (kfi_region){own.first * width, 1, count, count};
}

static kfi_cost cost_gather(const kfi_call *call) {
    const double bytes = (double)kfi_count(&call->out[0]) * 2 * sizeof(float);
    return (kfi_cost){0, bytes + (double)kfi_count(&call->in[1]) * sizeof(int32_t)};
}

static kfi_cost cost_gather_gradient(const kfi_call *call) {
    return (kfi_cost){(double)kfi_count(&call->in[0]), kfi_call_bytes(call)};
}

#define IDS(limit, ...)                                                                            \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = (limit) }
static const kfi_example gather_examples[] = {
    {.name = "a sequence of words", .n_in = 2, .in = {{.shape = {2, {5, 3}}}, IDS(5, 2, {4, 3})}},
    {.name = "ids as floats",
     .n_in = 2,
     .in = {{.shape = {2, {5, 3}}}, {.shape = {1, {6}}, .low = 0, .high = 5, .constant = true}}},
    {.name = "one id", .n_in = 2, .in = {{.shape = {2, {7, 2}}}, IDS(7, 1, {1})}},
    {.name = "large",
     .n_in = 2,
     .large = true,
     .in = {{.shape = {2, {1003, 77}}}, IDS(1003, 2, {31, 45})}},
    {0},
};
#define TABLE(...)                                                                                 \
    &(const kfi_shaped) {                                                                          \
        .shape = { 2, {__VA_ARGS__} }                                                              \
    }
static const kfi_example gather_gradient_examples[] = {
    {.name = "some rows twice, some never",
     .attributes = TABLE(5, 3),
     .n_in = 2,
     .in = {{.shape = {3, {4, 2, 3}}}, IDS(5, 2, {4, 2})}},
    {.name = "large",
     .attributes = TABLE(3003, 77),
     .n_in = 2,
     .large = true,
     .in = {{.shape = {3, {31, 45, 77}}}, IDS(3003, 2, {31, 45})}},
    {0},
};

const kfi_op KFI_OP(gather) = {
    .name = "gather",
    .infer = infer_gather,
    .stages = {{gather, gather_tiles}},
    .gradient = derive_gather,
    .cost = cost_gather,
    .region = region_gather,
    .examples = KFI_EXAMPLES(gather_examples),
    .index_input = 2,
    .index_of = 0,
    .index_axis = 0,
};

const kfi_op KFI_OP(gather_gradient) = {
    .name = "gather_gradient",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer_gather_gradient,
    .stages = {{gather_gradient, gradient_tiles}},
    .cost = cost_gather_gradient,
    .region = region_gather_gradient,
    .examples = KFI_EXAMPLES(gather_gradient_examples),
};
