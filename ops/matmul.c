/* c = op(a) op(b) with op(a) (M, K), op(b) (K, N), each transposed or not.
 * With c' for the derivative of c and nothing transposed: a' = c' bT, b' = aT c'.
 *
 * Tiles are rectangles of c, each one sgemm. Where c is too small to be cut but K is long (a dense
 * layer over a flattened image), slices of K are multiplied apart and added in a fixed order. */
#include "ops/attributes.h"
#include "ops/kernels/gemm.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

#include <string.h>

/* About 100 µs of one core at 100 GFLOP/s: below that, cutting costs more than it gives. */
#define TILE_FLOPS 8e6
enum {
    MAX_TILE_ROWS = 384, /* larger rectangles no longer make sgemm faster */
    MAX_TILE_COLUMNS = 512,
    ROW_STEP = 32, /* multiples of OpenBLAS's register blocks */
    COLUMN_STEP = 64,
    ENOUGH_TILES = 16,
    MAX_SLICES = 16,
    MAX_SPLIT_OUTPUT = 64 * 64
};

typedef struct product {
    int64_t m, n, k;
    int64_t tile_m, tile_n, slices; /* slices of K, where tile_m = m and tile_n = n */
} product;

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

/* Halves the longer side of the tile, which keeps both sgemm's packing and the tile's shape good.
 * False if that leaves too little work or both sides are short. */
static bool halve_tile(product *p) {
    if ((double)p->tile_m * (double)p->tile_n * (double)p->k < TILE_FLOPS) return false;
    if (p->tile_m > p->tile_n && p->tile_m > ROW_STEP)
        p->tile_m = kfi_divide_up(p->tile_m, 2 * ROW_STEP) * ROW_STEP;
    else if (p->tile_n > COLUMN_STEP)
        p->tile_n = kfi_divide_up(p->tile_n, 2 * COLUMN_STEP) * COLUMN_STEP;
    else
        return false;
    return true;
}

static int64_t count_tiles(const product *p) {
    return kfi_tile_count(p->m, p->tile_m) * kfi_tile_count(p->n, p->tile_n);
}

static product cut_product(const kfi_call *call) {
    const kfi_matmul *attributes = call->attributes;
    product p = {.m = call->out[0].shape.dims[0],
                 .n = call->out[0].shape.dims[1],
                 .k = call->in[0].shape.dims[!attributes->transpose_a],
                 .slices = 1};
    const double flops = 2.0 * (double)p.m * (double)p.n * (double)p.k;
    if (p.m * p.n <= MAX_SPLIT_OUTPUT && flops >= 2 * TILE_FLOPS) {
        p.slices = kfi_clamp((int64_t)(flops / TILE_FLOPS), 1, MAX_SLICES);
        p.tile_m = kfi_larger(p.m, 1);
        p.tile_n = kfi_larger(p.n, 1);
        return p;
    }
    p.tile_m = kfi_clamp(p.m, 1, MAX_TILE_ROWS);
    p.tile_n = kfi_clamp(p.n, 1, MAX_TILE_COLUMNS);
    while (count_tiles(&p) < ENOUGH_TILES && halve_tile(&p)) {}
    return p;
}

static int64_t tiles_matmul(const kfi_call *call) {
    const product p = cut_product(call);
    return p.slices > 1 ? p.slices : count_tiles(&p);
}

static size_t scratch_matmul(const kfi_call *call) {
    const product p = cut_product(call);
    return p.slices > 1 ? (size_t)(p.slices * p.m * p.n) * sizeof(float) : 0;
}

static void multiply(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_matmul *attributes = call->attributes;
    const bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    const product p = cut_product(call);
    const int64_t columns = kfi_tile_count(p.n, p.tile_n);
    const int64_t slice = p.slices > 1 ? tile : 0, rectangle = p.slices > 1 ? 0 : tile;
    const kfi_range rows = kfi_tile_range(p.m, p.tile_m, rectangle / columns);
    const kfi_range cols = kfi_tile_range(p.n, p.tile_n, rectangle % columns);
    const kfi_range depth = kfi_slice_range(p.k, p.slices, slice);
    const int64_t a_row = ta ? p.m : p.k, b_row = tb ? p.k : p.n;
    float *c = p.slices > 1 ? (float *)call->scratch + slice * p.m * p.n : kfi_out(call, 0);
    kfi_gemm(&(kfi_product){
        .m = rows.last - rows.first,
        .n = cols.last - cols.first,
        .k = depth.last - depth.first,
        .a = kfi_in(call, 0) +
             (ta ? depth.first * a_row + rows.first : rows.first * a_row + depth.first),
        .a_row = a_row,
        .transpose_a = ta,
        .b = kfi_in(call, 1) +
             (tb ? cols.first * b_row + depth.first : depth.first * b_row + cols.first),
        .b_row = b_row,
        .transpose_b = tb,
        .c = c + rows.first * p.n + cols.first,
        .c_row = p.n,
    });
}

static void add_slices(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const product p = cut_product(call);
    if (p.slices == 1) return;
    const int64_t count = p.m * p.n;
    const float *partial = call->scratch;
    float *c = kfi_out(call, 0);
    memcpy(c, partial, (size_t)count * sizeof(float));
    for (int64_t slice = 1; slice < p.slices; slice++) {
        const float *part = partial + slice * count;
#pragma omp simd
        for (int64_t i = 0; i < count; i++) c[i] += part[i];
    }
}

/* A rectangle of c, or, if slices were added up, all of it at the end. */
static kfi_region region_matmul(const kfi_call *call, int stage, int64_t tile) {
    const product p = cut_product(call);
    if (stage == (p.slices == 1)) return (kfi_region){0};
    if (stage == 1) return (kfi_region){0, 1, p.m * p.n, p.m * p.n};
    const int64_t columns = kfi_tile_count(p.n, p.tile_n);
    const kfi_range rows = kfi_tile_range(p.m, p.tile_m, tile / columns);
    const kfi_range cols = kfi_tile_range(p.n, p.tile_n, tile % columns);
    return (kfi_region){rows.first * p.n + cols.first, rows.last - rows.first,
                        cols.last - cols.first, p.n};
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
    {.name = "many tiles 517x203x390",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {517, 203}}}, {.shape = {2, {203, 390}}}},
     .large = true},
    {.name = "slices of K 4x50001x41",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {2, {4, 50001}}}, {.shape = {2, {50001, 41}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(matmul) = {
    .name = "matmul",
    .attributes_size = sizeof(kfi_matmul),
    .infer = infer_matmul,
    .stages = {{multiply, tiles_matmul}, {add_slices, NULL}},
    .gradient = derive_matmul,
    .scratch = scratch_matmul,
    .cost = cost_matmul,
    .examples = matmul_examples,
    .region = region_matmul,
};
