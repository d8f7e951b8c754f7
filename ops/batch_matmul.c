/* c_i = op(a_i) op(b_i) for every sample i: a (batch, M, K), b (batch, K, N), each transposed or
 * not in its last two axes. Derivatives as in matmul.c, sample by sample.
 * A tile is a run of samples, or some rows of one sample where samples are large. */
#include "ops/attributes.h"
#include "ops/kernels/gemm.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

/* About 100 us of one core, as in matmul.c. */
#define TILE_FLOPS 8e6
enum { LEAST_ROWS = 32 };

typedef struct products {
    int64_t batch, m, n, k;
    int64_t samples, rows; /* of a tile: several samples whole, or rows of one */
} products;

static kf_status infer(kfi_shaping *s) {
    const kfi_matmul *attributes = s->attributes;
    kf_status status = kfi_expect_floats(s, 2);
    for (int i = 0; i < 2 && !status; i++) status = kfi_expect_rank(s, i, 3);
    if (status) return status;
    const int64_t *a = s->in[0].shape.dims, *b = s->in[1].shape.dims;
    const bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    if (!kfi_dims_agree(a[0], b[0]) || !kfi_dims_agree(a[ta ? 1 : 2], b[tb ? 2 : 1]))
        return kfi_fail(KF_INVALID, "cannot multiply samples of %s%s and %s%s",
                        kfi_shape_string(&s->in[0].shape), ta ? " (transposed)" : "",
                        kfi_shape_string(&s->in[1].shape), tb ? " (transposed)" : "");
    for (int i = 1; i < 3; i++)
        if (a[i] > INT32_MAX || b[i] > INT32_MAX)
            return kfi_fail(KF_INVALID, "a matrix has more than %d rows or columns", INT32_MAX);
    s->n_out = 1;
    s->out[0].shape = KFI_SHAPE(a[0] == KF_ANY ? b[0] : a[0], a[ta ? 2 : 1], b[tb ? 1 : 2]);
    return KF_OK;
}

static products cut(const kfi_call *call) {
    const kfi_matmul *attributes = call->attributes;
    const int64_t *c = call->out[0].shape.dims;
    products p = {.batch = c[0],
                  .m = c[1],
                  .n = c[2],
                  .k = call->in[0].shape.dims[attributes->transpose_a ? 1 : 2],
                  .samples = 1};
    const double row = 2.0 * (double)p.n * (double)p.k + 1, sample = row * (double)p.m + 1;
    p.rows = kfi_larger(p.m, 1);
    if (sample > 2 * TILE_FLOPS)
        p.rows = kfi_clamp((int64_t)(TILE_FLOPS / row), LEAST_ROWS, p.rows);
    else
        p.samples = kfi_larger((int64_t)(TILE_FLOPS / sample), 1);
    return p;
}

static int64_t tiles(const kfi_call *call) {
    const products p = cut(call);
    return kfi_tile_count(p.batch, p.samples) * kfi_tile_count(p.m, p.rows);
}

static void multiply_sample(const kfi_call *call, const products *p, int64_t sample,
                            kfi_range rows) {
    const kfi_matmul *attributes = call->attributes;
    const bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    const int64_t a_row = ta ? p->m : p->k;
    kfi_gemm(&(kfi_product){
        .m = rows.last - rows.first,
        .n = p->n,
        .k = p->k,
        .a = kfi_in(call, 0) + sample * p->m * p->k + (ta ? rows.first : rows.first * a_row),
        .a_row = a_row,
        .transpose_a = ta,
        .b = kfi_in(call, 1) + sample * p->k * p->n,
        .b_row = tb ? p->k : p->n,
        .transpose_b = tb,
        .c = kfi_out(call, 0) + (sample * p->m + rows.first) * p->n,
        .c_row = p->n,
    });
}

static void multiply(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const products p = cut(call);
    const int64_t parts = kfi_tile_count(p.m, p.rows);
    const kfi_range samples = kfi_tile_range(p.batch, p.samples, tile / parts);
    const kfi_range rows = kfi_tile_range(p.m, p.rows, tile % parts);
    for (int64_t i = samples.first; i < samples.last; i++) multiply_sample(call, &p, i, rows);
}

static kf_status derive(kfi_derivation *d) {
    const kfi_matmul *attributes = d->attributes;
    const bool ta = attributes->transpose_a, tb = attributes->transpose_b;
    const kfi_value a = d->in[0], b = d->in[1], dc = d->dout[0];
    if (d->wanted[0])
        d->din[0] = ta ? kfi_derive(d, "batch_matmul", (&(kfi_matmul){tb, true}), b, dc)
                       : kfi_derive(d, "batch_matmul", (&(kfi_matmul){false, !tb}), dc, b);
    if (d->wanted[1])
        d->din[1] = tb ? kfi_derive(d, "batch_matmul", (&(kfi_matmul){true, ta}), dc, a)
                       : kfi_derive(d, "batch_matmul", (&(kfi_matmul){!ta, false}), a, dc);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) {
    const products p = cut(call);
    return (kfi_cost){2.0 * (double)p.batch * (double)p.m * (double)p.n * (double)p.k,
                      kfi_call_bytes(call)};
}

static const kfi_example examples[] = {
    {.name = "plain 2 of 3x4x2",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {3, {2, 3, 4}}}, {.shape = {3, {2, 4, 2}}}}},
    {.name = "first transposed",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 2,
     .in = {{.shape = {3, {3, 4, 2}}}, {.shape = {3, {3, 4, 3}}}}},
    {.name = "second transposed",
     .attributes = &(const kfi_matmul){false, true},
     .n_in = 2,
     .in = {{.shape = {3, {2, 1, 5}}}, {.shape = {3, {2, 3, 5}}}}},
    {.name = "both transposed",
     .attributes = &(const kfi_matmul){true, true},
     .n_in = 2,
     .in = {{.shape = {3, {2, 4, 2}}}, {.shape = {3, {2, 3, 4}}}}},
    {.name = "many samples",
     .attributes = &(const kfi_matmul){false, false},
     .n_in = 2,
     .in = {{.shape = {3, {300, 23, 41}}}, {.shape = {3, {300, 41, 19}}}},
     .large = true},
    {.name = "large samples, first transposed",
     .attributes = &(const kfi_matmul){true, false},
     .n_in = 2,
     .in = {{.shape = {3, {2, 203, 317}}}, {.shape = {3, {2, 203, 290}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(batch_matmul) = {
    .name = "batch_matmul",
    .attributes_size = sizeof(kfi_matmul),
    .infer = infer,
    .stages = {{multiply, tiles}},
    .gradient = derive,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
};
