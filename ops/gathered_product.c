/* gathered_product(table, ids, b) = x b or xT b, where x[i, :] = table[ids[i], :]: what matmul
 * makes of gather(table, ids), but x is nowhere as a whole. A tile gathers a block of it at a time,
 * which the L2 cache keeps while it is multiplied on panels (panel_product.h).
 *
 * Tiles are rectangles of the result. Where they are few and x is long (the gradient of b), slices
 * of its rows are multiplied apart and added in a fixed order. */
#include "ops/attributes.h"
#include "ops/panel_product.h"
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
    ADDED_AT_ONCE = 4096,
    AHEAD = 6 /* rows: they lie anywhere in memory */
};

typedef struct product {
    int64_t m, n, k; /* of the result, and what is added up */
    bool transpose;
    int64_t tile_m, tile_n, slices;
} product;

static int64_t count_rectangles(const product *p) {
    return kfi_tile_count(p->m, p->tile_m) * kfi_tile_count(p->n, p->tile_n);
}

static product cut_product(const kfi_call *call) {
    const kfi_matmul *attributes = call->attributes;
    product p = {.m = call->out[0].shape.dims[0],
                 .n = call->out[0].shape.dims[1],
                 .k = call->in[2].shape.dims[0],
                 .transpose = attributes->transpose_a,
                 .slices = 1};
    p.tile_n = kfi_larger(kfi_smaller(p.n, WIDEST), 1);
    p.tile_m = p.transpose ? COLUMNS : ROWS;
    while (!p.transpose && count_rectangles(&p) < ENOUGH_TILES && p.tile_m > LEAST_ROWS)
        p.tile_m = kfi_divide_up(p.tile_m / 2, ROW_STEP) * ROW_STEP;
    while (p.transpose && p.slices * count_rectangles(&p) < ENOUGH_TILES &&
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
    return p.slices * count_rectangles(&p);
}

static int64_t tiles_add(const kfi_call *call) {
    const product p = cut_product(call);
    return p.slices > 1 ? kfi_tile_count(p.m * p.n, ADDED_AT_ONCE) : 0;
}

static size_t scratch_product(const kfi_call *call) {
    const product p = cut_product(call);
    return p.slices > 1 ? (size_t)(p.slices * p.m * p.n) * sizeof(float) : 0;
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

/* What a tile computes: a rectangle of the result, from a range of what is added up. */
typedef struct piece {
    kfi_range rows, columns, depth;
    int64_t slice;
} piece;

static piece piece_of(const product *p, int64_t tile) {
    const int64_t across = kfi_tile_count(p->n, p->tile_n), rectangles = count_rectangles(p);
    const int64_t slice = tile / rectangles, rectangle = tile % rectangles;
    return (piece){.rows = kfi_tile_range(p->m, p->tile_m, rectangle / across),
                   .columns = kfi_tile_range(p->n, p->tile_n, rectangle % across),
                   .depth = kfi_slice_range(p->k, p->slices, slice),
                   .slice = slice};
}

static void multiply(const kfi_call *call, int64_t tile, void *local) {
    const product p = cut_product(call);
    const piece at = piece_of(&p, tile);
    float *x = (float *)local + KFI_PANEL_LOCAL_BYTES / sizeof(float);
    float *c = p.slices > 1 ? (float *)call->scratch + at.slice * p.m * p.n : kfi_out(call, 0);
    kfi_product block = {.m = at.rows.last - at.rows.first,
                         .n = at.columns.last - at.columns.first,
                         .a = x,
                         .transpose_a = p.transpose,
                         .b_row = p.n,
                         .c = c + at.rows.first * p.n + at.columns.first,
                         .c_row = p.n};
    for (int64_t i = 0; at.depth.first == at.depth.last && i < block.m; i++)
        memset(block.c + i * p.n, 0, (size_t)block.n * sizeof *c);
    for (int64_t l = at.depth.first; l < at.depth.last; l += KFI_PANEL_DEPTH) {
        const kfi_range depth = {l, kfi_smaller(l + KFI_PANEL_DEPTH, at.depth.last)};
        gather_block(call, p.transpose ? depth : at.rows, p.transpose ? at.rows : depth, x);
        block.k = depth.last - depth.first;
        block.a_row = p.transpose ? block.m : block.k;
        block.b = kfi_in(call, 2) + l * p.n + at.columns.first;
        kfi_multiply_on_panels(&block, local);
        block.accumulate = true;
    }
}

static void add_slices(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const product p = cut_product(call);
    const int64_t count = p.m * p.n;
    const kfi_range range = kfi_tile_range(count, ADDED_AT_ONCE, tile);
    const float *partial = call->scratch;
    float *c = kfi_out(call, 0);
    memcpy(c + range.first, partial + range.first,
           (size_t)(range.last - range.first) * sizeof(float));
    for (int64_t slice = 1; slice < p.slices; slice++) {
        const float *part = partial + slice * count;
#pragma omp simd
        for (int64_t i = range.first; i < range.last; i++) c[i] += part[i];
    }
}

/* A rectangle of the result, or, where slices are added up, some of it at the end. */
static kfi_region region_product(const kfi_call *call, int stage, int64_t tile) {
    const product p = cut_product(call);
    if (stage == (p.slices == 1)) return (kfi_region){0};
    if (stage == 1) {
        const kfi_range range = kfi_tile_range(p.m * p.n, ADDED_AT_ONCE, tile);
        return (kfi_region){range.first, 1, range.last - range.first, range.last - range.first};
    }
    const piece at = piece_of(&p, tile);
    return (kfi_region){at.rows.first * p.n + at.columns.first, at.rows.last - at.rows.first,
                        at.columns.last - at.columns.first, p.n};
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
    const double gathered = (double)(p.transpose ? p.k * p.m : p.m * p.k);
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
