/* conv(x, w): convolution (convolution.h has the formula). A tile is a block of places of y: their
 * patches of x times w. */
#include "ops/convolution.h"

static kf_status infer_conv(kfi_shaping *s) {
    const kfi_conv *a = s->attributes;
    kf_status status = kfi_conv_check(s, a);
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims, *w = s->in[1].shape.dims;
    status = kfi_conv_expect_channels("input", w[a->spatial], x[a->spatial + 1]);
    kf_shape *y = &s->out[0].shape;
    *y = (kf_shape){.rank = a->spatial + 2};
    for (int i = 0; i < a->spatial && !status; i++) {
        kfi_window window = kfi_conv_window(a, i, x[1 + i], w[i]);
        status = kfi_window_count(&window, a->padding);
        y->dims[1 + i] = window.positions;
    }
    y->dims[0] = x[0];
    y->dims[a->spatial + 1] = w[a->spatial + 1];
    s->n_out = 1;
    return status;
}

static kfi_convolution describe_conv(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->in[0], &call->in[1], &call->out[0]);
}

static kfi_blocks cut_conv(const kfi_convolution *c, const kfi_patches *p) {
    return kfi_conv_cut(c->batch * kfi_patch_positions(p), kfi_patch_values(p), c->out);
}

static int64_t tiles_conv(const kfi_call *call) {
    const kfi_convolution c = describe_conv(call);
    const kfi_patches p = kfi_conv_patches(&c, NULL);
    const kfi_blocks b = cut_conv(&c, &p);
    return b.row_tiles * b.column_tiles;
}

static size_t tile_scratch_conv(const kfi_call *call) {
    const kfi_convolution c = describe_conv(call);
    const kfi_patches p = kfi_conv_patches(&c, NULL);
    if (kfi_patches_are_source(&p)) return 0;
    return (size_t)(cut_conv(&c, &p).rows * kfi_patch_values(&p)) * sizeof(float);
}

static void convolve(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_conv(call);
    const kfi_patches p = kfi_conv_patches(&c, kfi_in(call, 0));
    const kfi_blocks b = cut_conv(&c, &p);
    const kfi_range rows =
        kfi_tile_range(c.batch * kfi_patch_positions(&p), b.rows, tile / b.column_tiles);
    const kfi_range columns = kfi_tile_range(c.out, b.columns, tile % b.column_tiles);
    const int64_t values = kfi_patch_values(&p);
    kfi_gemm(&(kfi_product){
        .m = rows.last - rows.first,
        .n = columns.last - columns.first,
        .k = values,
        .a = kfi_conv_rows(&p, rows, local),
        .a_row = values,
        .b = kfi_in(call, 1) + columns.first,
        .b_row = c.out,
        .c = kfi_out(call, 0) + rows.first * c.out + columns.first,
        .c_row = c.out,
    });
}

static kf_status derive_conv(kfi_derivation *d) {
    const kfi_value x = d->in[0], w = d->in[1], dy = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_conv_derive_data(d, dy, w, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_conv_derive_weight(d, x, dy, &d->in_type[1].shape);
    return KF_OK;
}

static kfi_cost cost_conv(const kfi_call *call) {
    const kfi_convolution c = describe_conv(call);
    return kfi_conv_cost(call, &c);
}

static const kfi_example conv_examples[] = {
    {.name = "3x3 same",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME},
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 6, 3}}}, {.shape = {4, {3, 3, 3, 4}}}}},
    {.name = "2x3 stride 2x1 valid",
     .attributes = &(const kfi_conv){.spatial = 2, .stride = {2, 1}, .dilation = {1, 1}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 7, 5, 2}}}, {.shape = {4, {2, 3, 2, 3}}}}},
    {.name = "1-D causal, dilation 2",
     .attributes =
         &(const kfi_conv){.spatial = 1, .stride = {1}, .dilation = {2}, .padding = KFI_CAUSAL},
     .n_in = 2,
     .in = {{.shape = {3, {2, 9, 3}}}, {.shape = {3, {3, 3, 2}}}}},
    {.name = "3-D same, stride 2",
     .attributes =
         &(const kfi_conv){
             .spatial = 3, .stride = {2, 2, 2}, .dilation = {1, 1, 1}, .padding = KFI_SAME},
     .n_in = 2,
     .in = {{.shape = {5, {1, 3, 4, 3, 2}}}, {.shape = {5, {2, 3, 2, 2, 2}}}}},
    {.name = "1x1 stride 2",
     .attributes = &(const kfi_conv){.spatial = 2, .stride = {2, 2}, .dilation = {1, 1}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 4, 3}}}, {.shape = {4, {1, 1, 3, 5}}}}},
    {.name = "3x3 64 to 64 channels at 27x27",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME},
     .n_in = 2,
     .in = {{.shape = {4, {4, 27, 27, 64}}}, {.shape = {4, {3, 3, 64, 64}}}},
     .large = true},
    {.name = "few places, many channels",
     .attributes = &(const kfi_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}},
     .n_in = 2,
     .in = {{.shape = {4, {1, 7, 7, 512}}}, {.shape = {4, {3, 3, 512, 200}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(conv) = {
    .name = "conv",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_conv,
    .stages = {{convolve, tiles_conv}},
    .gradient = derive_conv,
    .tile_scratch = tile_scratch_conv,
    .cost = cost_conv,
    .examples = conv_examples,
};
