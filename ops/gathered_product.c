/* gathered_product(table, ids, b) = x b or xT b, where x[i, :] = table[ids[i], :]: what matmul
 * makes of gather(table, ids), but x is nowhere as a whole. A tile gathers a block of it at a time,
 * which the L2 cache keeps while it is multiplied on panels (panel_product.h).
 *
 * Tiles are rectangles of the result. Where they are few and x is long (the gradient of b), slices
 * of its rows are multiplied apart and added in a fixed order. */
#include "ops/attributes.h"
#include "ops/panel_product.h"
#include "ops/product_cut.h"
#include "ops/table_rows.h"

enum {
    ROWS = 192,    /* of x in a block, KFI_PANEL_DEPTH columns wide */
    COLUMNS = 64,  /* of x in a block as many rows long: some lines of the cache of each row */
    ROW_STEP = 12, /* whole groups of rows in registers */
    LEAST_ROWS = 24,
    WIDEST = 512, /* of a rectangle */
    ENOUGH_TILES = 16,
    LEAST_SLICE = 512,
    MOST_PARTIAL = 256 * 1024, /* floats of all slices' results */
    AHEAD = 6                  /* rows: they lie anywhere in memory */
};

typedef kfi_product_cut product;

static product cut_product(const kfi_call *call) {
    const kfi_matmul *attributes = call->attributes;
    product p = {.m = call->out[0].shape.dims[0],
                 .n = call->out[0].shape.dims[1],
                 .k = call->in[2].shape.dims[0],
                 .ta = attributes->transpose_a,
                 .slices = 1};
    p.tile_n = kfi_larger(kfi_smaller(p.n, WIDEST), 1);
    p.tile_m = p.ta ? COLUMNS : ROWS;
    while (!p.ta && kfi_count_rectangles(&p) < ENOUGH_TILES && p.tile_m > LEAST_ROWS)
        p.tile_m = kfi_divide_up(p.tile_m / 2, ROW_STEP) * ROW_STEP;
    while (p.ta && p.slices * kfi_count_rectangles(&p) < ENOUGH_TILES &&
           p.k / p.slices >= 2 * LEAST_SLICE && 2 * p.slices * p.m * p.n <= MOST_PARTIAL)
        p.slices *= 2;
    return p;
}

static kf_status infer_gathered_product(kfi_shaping *s) {
    const kfi_matmul *attributes = s->attributes;
    kf_status status = kfi_expect_inputs(s, 3);
    for (int i = 0; i <= 2 && !status; i += 2) status = kfi_expect_dtype(s, i, KF_FLOAT32);
    for (int i = 0; i <= 2 && !status; i += 2) status = kfi_expect_rank(s, i, 2);
    if (!status) status = kfi_check_ids(s, 1);
    if (status) return status;
    const int64_t ids = kfi_count(&s->in[1]), width = s->in[0].shape.dims[1];
    const int64_t *b = s->in[2].shape.dims, depth = attributes->transpose_a ? ids : width;
    if (attributes->transpose_b)
        return kfi_fail(KF_INVALID, "gathered rows meet no transposed matrix");
    if (!kfi_dims_agree(b[0], depth))
        return kfi_fail(KF_INVALID, "cannot multiply %lld gathered rows of %lld%s and %s",
                        (long long)ids, (long long)width,
                        attributes->transpose_a ? " (transposed)" : "",
                        kfi_shape_string(&s->in[2].shape));
    s->n_out = 1;
    s->out[0].shape = KFI_SHAPE(attributes->transpose_a ? width : ids, b[1]);
    return KF_OK;
}

static int64_t tiles_product(const kfi_call *call) {
    const product p = cut_product(call);
    return kfi_cut_tiles(&p);
}

static int64_t tiles_add(const kfi_call *call) {
    const product p = cut_product(call);
    return kfi_cut_additions(&p);
}

static size_t scratch_product(const kfi_call *call) {
    const product p = cut_product(call);
    return kfi_cut_scratch(&p);
}

static size_t local_product(const kfi_call *call) {
    (void)call;
    return KFI_PANEL_LOCAL_BYTES + sizeof(float) * ROWS * KFI_PANEL_DEPTH;
}

/* Asks for what a row will be read of. */
static inline void ask_for(const kfi_call *call, int64_t i, kfi_range columns) {
    const int64_t rows = call->in[0].shape.dims[0], width = call->in[0].shape.dims[1];
    const int64_t id = kfi_id_at(&call->in[1], i, rows);
    const float *row = kfi_in(call, 0) + kfi_larger(id, 0) * width;
    for (int64_t k = columns.first; k < columns.last; k += 16) __builtin_prefetch(row + k);
}

/* Rows and columns of x, one after the other. */
static void gather_block(const kfi_call *call, kfi_range rows, kfi_range columns, float *to) {
    const int64_t n = call->in[0].shape.dims[0], width = call->in[0].shape.dims[1];
    for (int64_t i = rows.first; i < rows.last; i++, to += columns.last - columns.first) {
        if (i + AHEAD < rows.last) ask_for(call, i + AHEAD, columns);
        kfi_copy_row(kfi_in(call, 0), width, kfi_id_at(&call->in[1], i, n), columns, to);
    }
}

static void multiply(const kfi_call *call, int64_t tile, void *local) {
    const product p = cut_product(call);
    const kfi_product_piece at = kfi_cut_piece(&p, tile);
    float *x = (float *)local + KFI_PANEL_LOCAL_BYTES / sizeof(float);
    kfi_product block = {.m = at.rows.last - at.rows.first,
                         .n = at.columns.last - at.columns.first,
                         .a = x,
                         .transpose_a = p.ta,
                         .b_row = p.n,
                         .c = kfi_cut_target(&p, &at, call),
                         .c_row = p.n};
    for (int64_t i = 0; at.depth.first == at.depth.last && i < block.m; i++)
        memset(block.c + i * p.n, 0, (size_t)block.n * sizeof(float));
    for (int64_t l = at.depth.first; l < at.depth.last; l += KFI_PANEL_DEPTH) {
        const kfi_range depth = {l, kfi_smaller(l + KFI_PANEL_DEPTH, at.depth.last)};
        gather_block(call, p.ta ? depth : at.rows, p.ta ? at.rows : depth, x);
        block.k = depth.last - depth.first;
        block.a_row = p.ta ? block.m : block.k;
        block.b = kfi_in(call, 2) + l * p.n + at.columns.first;
        kfi_multiply_on_panels(&block, local);
        block.accumulate = true;
    }
}

static void add_slices(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const product p = cut_product(call);
    kfi_add_slices(&p, call, tile);
}

static kfi_region region_product(const kfi_call *call, int stage, int64_t tile) {
    const product p = cut_product(call);
    return kfi_cut_region(&p, stage, tile);
}

/* c = x b:   b' = xT c', and x' = c' bT;   c = xT b:   b' = x c', and x' = b c'T. */
static kf_status derive_product(kfi_derivation *d) {
    const kfi_matmul *by = d->attributes;
    const kfi_shaped table = {.shape = d->in_type[0].shape};
    const kfi_value ids = d->in[1], b = d->in[2], dc = d->dout[0];
    if (d->wanted[0])
        d->din[0] = by->transpose_a
                        ? kfi_derive(d, "gathered_product_gradient", &table, b, dc, ids)
                        : kfi_derive(d, "gathered_product_gradient", &table, dc, b, ids);
    if (d->wanted[2])
        d->din[2] = kfi_derive(d, "gathered_product", (&(kfi_matmul){!by->transpose_a, false}),
                               d->in[0], ids, dc);
    return KF_OK;
}

static kfi_cost cost_product(const kfi_call *call) {
    const product p = cut_product(call);
    const double gathered = (double)(p.ta ? p.k * p.m : p.m * p.k);
    const double others = (double)(p.k * p.n + p.m * p.n);
    return (kfi_cost){2.0 * (double)p.m * (double)p.n * (double)p.k,
                      sizeof(float) * (gathered + others)};
}

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { 2, {__VA_ARGS__} }                                                              \
    }
#define IDS(limit, ...)                                                                            \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = (limit) }
static const kfi_example gathered_product_examples[] = {
    {.name = "a sequence of words",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 3,
     .in = {X(5, 3), IDS(5, 2, {2, 3}), X(3, 4)}},
    {.name = "transposed",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 3,
     .in = {X(5, 3), IDS(5, 2, {2, 3}), X(6, 4)}},
    {.name = "large",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 3,
     .large = true,
     .in = {X(1003, 301), IDS(1003, 2, {31, 45}), X(301, 77)}},
    {.name = "the gradient of a kernel, large",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 3,
     .large = true,
     .in = {X(1003, 301), IDS(1003, 2, {31, 45}), X(1395, 77)}},
    {0},
};

const kfi_op KFI_OP(gathered_product) = {
    .name = "gathered_product",
    .attributes_size = sizeof(kfi_matmul),
    .infer = infer_gathered_product,
    .stages = {{multiply, tiles_product}, {add_slices, tiles_add}},
    .scratch = scratch_product,
    .tile_scratch = local_product,
    .gradient = derive_product,
    .cost = cost_product,
    .examples = KFI_EXAMPLES(gathered_product_examples),
    .region = region_product,
    .index_input = 2,
    .index_of = 0,
    .index_axis = 0,
};
