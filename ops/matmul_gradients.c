/* Both gradients of y = x w where x has few rows and no cache holds w, which passes by once:
 *     dw = xT dy,  dx = dy wT
 *
 * A tile is a few rows of w: it alone writes those of dw and those columns of dx, and nobody else
 * reads those rows. So what it hands on may be written over them: an update of w. The numbers are
 * those of the two products (matmul.c) to the bit, which go through the same kernels. */
#include "ops/attributes.h"
#include "ops/shape_rules.h"
#include "ops/thin_product.h"

/* x (M, K), dy (M, N), w (K, N) -> dw (K, N), dx (M, K) */
static kf_status infer(kfi_shaping *s) {
    kf_status status = kfi_expect_floats(s, 3);
    for (int i = 0; i < 3 && !status; i++) status = kfi_expect_rank(s, i, 2);
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims, *dy = s->in[1].shape.dims, *w = s->in[2].shape.dims;
    if (!kfi_dims_agree(x[0], dy[0]) || !kfi_dims_agree(x[1], w[0]) || !kfi_dims_agree(dy[1], w[1]))
        return kfi_fail(KF_INVALID, "there is no product of %s and %s whose gradient is %s",
                        kfi_shape_string(&s->in[0].shape), kfi_shape_string(&s->in[2].shape),
                        kfi_shape_string(&s->in[1].shape));
    if (x[0] > KFI_THIN_ROWS)
        return kfi_fail(KF_INVALID, "at most %d rows can be multiplied so, got %lld", KFI_THIN_ROWS,
                        (long long)x[0]);
    s->n_out = 2;
    s->out[0].shape = s->in[2].shape;
    s->out[1].shape = s->in[0].shape;
    return KF_OK;
}

static int64_t rows_per_tile(const kfi_call *call) {
    return kfi_thin_output_rows(call->in[2].shape.dims[1]);
}

static int64_t tiles(const kfi_call *call) {
    return kfi_tile_count(call->in[2].shape.dims[0], rows_per_tile(call));
}

static kfi_range rows_of(const kfi_call *call, int64_t tile) {
    return kfi_tile_range(call->in[2].shape.dims[0], rows_per_tile(call), tile);
}

static void multiply(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_range own = rows_of(call, tile);
    const int64_t m = call->in[0].shape.dims[0], k = call->in[0].shape.dims[1];
    const int64_t n = call->in[1].shape.dims[1];
    const kfi_thin dx = {.m = m,
                         .n = own.last - own.first,
                         .k = n,
                         .a = kfi_in(call, 1),
                         .a_row = n,
                         .a_step = 1,
                         .b = kfi_in(call, 2) + own.first * n,
                         .b_row = n,
                         .c = kfi_out(call, 1) + own.first,
                         .c_row = k};
    kfi_thin_dots(&dx);
    const kfi_thin dw = {.m = own.last - own.first,
                         .n = n,
                         .k = m,
                         .a = kfi_in(call, 0) + own.first,
                         .a_row = 1,
                         .a_step = k,
                         .b = kfi_in(call, 1),
                         .b_row = n,
                         .c = kfi_out(call, 0) + own.first * n,
                         .c_row = n};
    kfi_thin_outer(&dw);
}

static kfi_region region(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const int64_t n = call->in[2].shape.dims[1];
    const kfi_range own = rows_of(call, tile);
    const int64_t count = (own.last - own.first) * n;
    return (kfi_region){own.first * n, 1, count, count};
}

static kfi_cost cost(const kfi_call *call) {
    const double products = (double)kfi_count(&call->in[0]) * (double)call->in[1].shape.dims[1];
    return (kfi_cost){4 * products, kfi_call_bytes(call)};
}

static const kfi_example examples[] = {
    {.name = "3x9x7",
     .n_in = 3,
     .in = {{.shape = {2, {3, 9}}}, {.shape = {2, {3, 7}}}, {.shape = {2, {9, 7}}}}},
    {.name = "one row",
     .n_in = 3,
     .in = {{.shape = {2, {1, 6}}}, {.shape = {2, {1, 70}}}, {.shape = {2, {6, 70}}}}},
    {.name = "few rows 4x2003x500",
     .n_in = 3,
     .in = {{.shape = {2, {4, 2003}}}, {.shape = {2, {4, 500}}}, {.shape = {2, {2003, 500}}}},
     .large = true},
    {.name = "few rows 7x501x1033",
     .n_in = 3,
     .in = {{.shape = {2, {7, 501}}}, {.shape = {2, {7, 1033}}}, {.shape = {2, {501, 1033}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(matmul_gradients) = {
    .name = "matmul_gradients",
    .infer = infer,
    .stages = {{multiply, tiles}},
    .cost = cost,
    .region = region,
    .examples = KFI_EXAMPLES(examples),
};
