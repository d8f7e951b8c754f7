/* c = op(a) op(b) with op(a) (M, K), op(b) (K, N), each transposed or not.
 * With c' for the derivative of c and nothing transposed: a' = c' bT, b' = aT c'.
 *
 * Tiles are rectangles of c: products on panels (panel_product.h) where b or c stays in the cache,
 * thin products (thin_product.h), bound by memory, where M or K is small, and else one sgemm each.
 * Where c is small but K is long (weight gradients, a dense layer over a flattened image), slices
 * of K are multiplied apart and added in a fixed order. */
#include "ops/attributes.h"
#include "ops/kernels/gemm.h"
#include "ops/panel_product.h"
#include "ops/product_cut.h"
#include "ops/shape_rules.h"
#include "ops/thin_product.h"

/* About 100 µs of one core at 100 GFLOP/s: below that, cutting costs more than it gives. Panels
 * need no preparation, so they may be cut finer. */
#define TILE_FLOPS       8e6
#define PANEL_TILE_FLOPS 2e6
enum {
    MAX_TILE_ROWS = 384, /* larger rectangles no longer make sgemm faster */
    MAX_TILE_COLUMNS = 512,
    ROW_STEP = 32, /* multiples of OpenBLAS's register blocks */
    PANEL_ROW_STEP = 4,
    COLUMN_STEP = 64,
    ENOUGH_TILES = 16,
    MAX_SLICES = 16,
    MAX_SPLIT_OUTPUT = 64 * 64,
    MAX_PANEL_SLICES = 8,
    MIN_PANEL_SLICE = 512,
    MAX_PANEL_SPLIT_OUTPUT = 128 * 1024, /* a quarter of an L2 cache */
};
/* Of thin products: what a tile reads of b, some 50 us at the speed of memory. */
enum { THIN_TILE = 256 * 1024, THIN_TILE_COLUMNS = 4 * KFI_THIN_COLUMNS, MAX_THIN_SLICES = 64 };

/* Floats of b up to which panels gain. */
enum { PANEL_SECOND = 1024 * 1024, MIN_PANEL_COLUMNS = 16 };

typedef enum way { BLAS, PANELS, SPREAD, DOTS } way;

typedef kfi_product_cut product;

static kf_status infer_matmul(kfi_shaping *s) {
    const kfi_matmul *attributes = s->attributes;
    kf_status status = kfi_expect_floats(s, 2);
    for (int i = 0; i < 2 && !status; i++) status = kfi_expect_rank(s, i, 2);
    if (status) return status;
    const int64_t *a = s->in[0].shape.dims, *b = s->in[1].shape.dims;
    const bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    if (!kfi_dims_agree(a[!ta], b[tb]))
        return kfi_fail(KF_INVALID, "cannot multiply matrices %s%s and %s%s",
                        kfi_shape_string(&s->in[0].shape), ta ? " (transposed)" : "",
                        kfi_shape_string(&s->in[1].shape), tb ? " (transposed)" : "");
    if (a[0] > INT32_MAX || a[1] > INT32_MAX || b[0] > INT32_MAX || b[1] > INT32_MAX)
        return kfi_fail(KF_INVALID, "a matrix has more than %d rows or columns", INT32_MAX);
    s->n_out = 1;
    s->out[0].shape = KFI_SHAPE(a[ta], b[!tb]);
    return KF_OK;
}

static int64_t row_step(const product *p) { return p->way == PANELS ? PANEL_ROW_STEP : ROW_STEP; }

/* The size of nearly equal tiles of `count`, at most `most`, in whole steps. */
static int64_t equal_tiles(int64_t count, int64_t most, int64_t step) {
    const int64_t size = kfi_divide_up(kfi_larger(count, 1), kfi_tile_count(count, most));
    return kfi_divide_up(size, step) * step;
}

/* Halves the longer side of the tile, which keeps both sgemm's packing and the tile's shape good.
 * False if that leaves too little work or both sides are short. */
static bool halve_tile(product *p) {
    const double least = p->way == PANELS ? PANEL_TILE_FLOPS : TILE_FLOPS;
    const int64_t step = row_step(p), depth = p->k / p->slices;
    if ((double)p->tile_m * (double)p->tile_n * (double)depth < least) return false;
    if (p->tile_m > p->tile_n && p->tile_m > step)
        p->tile_m = kfi_divide_up(p->tile_m, 2 * step) * step;
    else if (p->tile_n > COLUMN_STEP)
        p->tile_n = kfi_divide_up(p->tile_n, 2 * COLUMN_STEP) * COLUMN_STEP;
    else
        return false;
    return true;
}

/* How many slices of K: as many as tiles are missing where c is too small to be cut, and else, for
 * panels, few enough that adding them up costs little. */
static int64_t count_slices(const product *p) {
    const double flops = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    const int64_t c = p->m * p->n;
    if (c <= MAX_SPLIT_OUTPUT) return kfi_clamp((int64_t)(flops / TILE_FLOPS), 1, MAX_SLICES);
    if (p->way != PANELS || c > MAX_PANEL_SPLIT_OUTPUT || p->k < c / p->m) return 1;
    return kfi_clamp(p->k / MIN_PANEL_SLICE, 1, MAX_PANEL_SLICES);
}

static void cut_rectangles(product *p) {
    p->slices = p->m * p->n > 0 ? count_slices(p) : 1;
    p->tile_m = equal_tiles(p->m, p->way == PANELS ? KFI_PANEL_ROWS : MAX_TILE_ROWS, row_step(p));
    p->tile_n = equal_tiles(p->n, MAX_TILE_COLUMNS, COLUMN_STEP);
    if (p->m * p->n <= MAX_SPLIT_OUTPUT && p->slices > 1) return;
    while (p->slices * kfi_count_rectangles(p) < ENOUGH_TILES && halve_tile(p)) {}
}

/* Few rows of c: b is cut, along K where its rows are too short to be cut themselves. */
static void cut_second(product *p) {
    p->tile_m = p->m;
    p->tile_n = kfi_smaller(p->n, THIN_TILE_COLUMNS);
    const int64_t wanted = kfi_smaller(p->k * p->n / THIN_TILE, MAX_THIN_SLICES);
    p->slices = kfi_larger(wanted / kfi_count_rectangles(p), 1);
}

/* Few rows of b: c is cut, into whole rows where these are not too long. */
static void cut_output(product *p) {
    p->tile_n = kfi_smaller(p->n, THIN_TILE_COLUMNS);
    p->tile_m = kfi_thin_output_rows(p->tile_n);
}

static void cut_rows_of_second(product *p) {
    p->tile_m = p->m;
    p->tile_n = kfi_larger(THIN_TILE / p->k / KFI_THIN_GROUP, 1) * KFI_THIN_GROUP;
}

static way choose_way(const product *p) {
    const bool dots = p->tb && !p->ta && p->m <= KFI_THIN_ROWS;
    if (dots && p->k >= KFI_THIN_SHORTEST && p->k <= KFI_THIN_LONGEST) return DOTS;
    const bool thin = p->m <= KFI_THIN_ROWS || p->k <= KFI_THIN_ROWS;
    if (thin && !p->tb && p->k > 0 && p->n >= KFI_THIN_SHORTEST) return SPREAD;
    if (p->k == 0 || p->n < MIN_PANEL_COLUMNS) return BLAS;
    const bool deep = p->m * p->n <= MAX_PANEL_SPLIT_OUTPUT && p->k >= 2 * MIN_PANEL_SLICE;
    return deep || p->k * p->n <= PANEL_SECOND ? PANELS : BLAS;
}

static product cut_product(const kfi_call *call) {
    const kfi_matmul *attributes = call->attributes;
    product p = {.m = call->out[0].shape.dims[0],
                 .n = call->out[0].shape.dims[1],
                 .k = call->in[0].shape.dims[!attributes->transpose_a],
                 .ta = attributes->transpose_a,
                 .tb = attributes->transpose_b,
                 .slices = 1};
    p.way = p.m > 0 ? choose_way(&p) : BLAS;
    if (p.way == BLAS || p.way == PANELS)
        cut_rectangles(&p);
    else if (p.way == DOTS)
        cut_rows_of_second(&p);
    else if (p.m <= KFI_THIN_ROWS)
        cut_second(&p);
    else
        cut_output(&p);
    return p;
}

static int64_t tiles_matmul(const kfi_call *call) {
    const product p = cut_product(call);
    return kfi_cut_tiles(&p);
}

static int64_t tiles_add(const kfi_call *call) {
    const product p = cut_product(call);
    return kfi_cut_additions(&p);
}

static size_t scratch_matmul(const kfi_call *call) {
    const product p = cut_product(call);
    return kfi_cut_scratch(&p);
}

static size_t tile_scratch_matmul(const kfi_call *call) {
    return cut_product(call).way == PANELS ? KFI_PANEL_LOCAL_BYTES : 0;
}

static void multiply_thin(const product *p, const kfi_product_piece *at, const float *a,
                          const float *b, float *c) {
    const kfi_thin thin = {.m = at->rows.last - at->rows.first,
                           .n = at->columns.last - at->columns.first,
                           .k = at->depth.last - at->depth.first,
                           .a = a,
                           .a_row = p->ta ? 1 : p->k,
                           .a_step = p->ta ? p->m : 1,
                           .b = b,
                           .b_row = p->tb ? p->k : p->n,
                           .c = c,
                           .c_row = p->n};
    if (p->way == DOTS)
        kfi_thin_dots(&thin);
    else if (p->m <= KFI_THIN_ROWS)
        kfi_thin_spread(&thin);
    else
        kfi_thin_outer(&thin);
}

static void multiply(const kfi_call *call, int64_t tile, void *local) {
    const product p = cut_product(call);
    const kfi_product_piece at = kfi_cut_piece(&p, tile);
    const kfi_range rows = at.rows, columns = at.columns, depth = at.depth;
    const int64_t a_row = p.ta ? p.m : p.k, b_row = p.tb ? p.k : p.n;
    const float *a = kfi_in(call, 0) +
                     (p.ta ? depth.first * a_row + rows.first : rows.first * a_row + depth.first);
    const float *b = kfi_in(call, 1) + (p.tb ? columns.first * b_row + depth.first
                                             : depth.first * b_row + columns.first);
    float *c = kfi_cut_target(&p, &at, call);
    if (p.way == SPREAD || p.way == DOTS) {
        multiply_thin(&p, &at, a, b, c);
        return;
    }
    const kfi_product rectangle = {
        .m = rows.last - rows.first,
        .n = columns.last - columns.first,
        .k = depth.last - depth.first,
        .a = a,
        .a_row = a_row,
        .transpose_a = p.ta,
        .b = b,
        .b_row = b_row,
        .transpose_b = p.tb,
        .c = c,
        .c_row = p.n,
    };
    if (p.way == PANELS)
        kfi_multiply_on_panels(&rectangle, local);
    else
        kfi_gemm(&rectangle);
}

static void add_slices(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const product p = cut_product(call);
    kfi_add_slices(&p, call, tile);
}

static kfi_region region_matmul(const kfi_call *call, int stage, int64_t tile) {
    const product p = cut_product(call);
    return kfi_cut_region(&p, stage, tile);
}

/* Each combination of transpositions has its own pair of products:
 *   c = a  b:   a' = c' bT     b' = aT c'        c = a  bT:  a' = c' b      b' = c'T a
 *   c = aT b:   a' = b  c'T    b' = a  c'        c = aT bT:  a' = bT c'T    b' = c'T aT */
static kf_status derive_matmul(kfi_derivation *d) {
    const kfi_matmul *attributes = d->attributes;
    const bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    const kfi_value a = d->in[0], b = d->in[1], dc = d->dout[0];
    if (d->wanted[0])
        d->din[0] = ta ? kfi_derive(d, "matmul", (&(kfi_matmul){tb, true}), b, dc)
                       : kfi_derive(d, "matmul", (&(kfi_matmul){false, !tb}), dc, b);
    if (d->wanted[1])
        d->din[1] = tb ? kfi_derive(d, "matmul", (&(kfi_matmul){true, ta}), dc, a)
                       : kfi_derive(d, "matmul", (&(kfi_matmul){!ta, false}), a, dc);
    return KF_OK;
}

static kfi_cost cost_matmul(const kfi_call *call) {
    const product p = cut_product(call);
    return (kfi_cost){2.0 * (double)p.m * (double)p.n * (double)p.k, kfi_call_bytes(call)};
}

static const kfi_example matmul_examples[] = {
    {.name = "plain 5x7x3",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {5, 7}}}, {.shape = {2, {7, 3}}}}},
    {.name = "first transposed",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 2,
     .in = {{.shape = {2, {4, 3}}}, {.shape = {2, {4, 6}}}}},
    {.name = "second transposed",
     .attributes = &(const kfi_matmul){false, true},
     .n_in = 2,
     .in = {{.shape = {2, {1, 9}}}, {.shape = {2, {5, 9}}}}},
    {.name = "both transposed",
     .attributes = &(const kfi_matmul){true, true},
     .n_in = 2,
     .in = {{.shape = {2, {6, 2}}}, {.shape = {2, {3, 6}}}}},
    {.name = "in panels 517x203x390",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {517, 203}}}, {.shape = {2, {203, 390}}}},
     .large = true},
    {.name = "in panels, transposed 130x301x190",
     .attributes = &(const kfi_matmul){true, true},
     .n_in = 2,
     .in = {{.shape = {2, {301, 130}}}, {.shape = {2, {190, 301}}}},
     .large = true},
    {.name = "a batch of images 128x784x64",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {128, 784}}}, {.shape = {2, {784, 64}}}},
     .large = true},
    {.name = "its weight gradient 784x128x64",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 2,
     .in = {{.shape = {2, {128, 784}}}, {.shape = {2, {128, 64}}}},
     .large = true},
    {.name = "many tiles 517x703x590",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {517, 703}}}, {.shape = {2, {703, 590}}}},
     .large = true},
    {.name = "slices of K 4x50001x41",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {4, 50001}}}, {.shape = {2, {50001, 41}}}},
     .large = true},
    {.name = "few rows, slices of K 5x3003x411",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {5, 3003}}}, {.shape = {2, {3003, 411}}}},
     .large = true},
    {.name = "few rows, second transposed 7x500x1201",
     .attributes = &(const kfi_matmul){false, true},
     .n_in = 2,
     .in = {{.shape = {2, {7, 500}}}, {.shape = {2, {1201, 500}}}},
     .large = true},
    {.name = "short sums 411x6x601",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 2,
     .in = {{.shape = {2, {6, 411}}}, {.shape = {2, {6, 601}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(matmul) = {
    .name = "matmul",
    .attributes_size = sizeof(kfi_matmul),
    .infer = infer_matmul,
    .stages = {{multiply, tiles_matmul}, {add_slices, tiles_add}},
    .gradient = derive_matmul,
    .scratch = scratch_matmul,
    .tile_scratch = tile_scratch_matmul,
    .cost = cost_matmul,
    .examples = KFI_EXAMPLES(matmul_examples),
    .region = region_matmul,
};
