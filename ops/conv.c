/* conv(x, w): convolution (convolution.h has the formula): the patches of x behind the places of y,
 * times w. */
#include "ops/conv_ways.h"

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

/* Whether the weights are copied into blocks: one block of whole vectors is what they are. */
static bool needs_packing(const kfi_gathering *g) {
    return g->w_columns != g->out || g->w_block < g->out;
}

static kfi_gathering gathering_of(const kfi_call *call) {
    const kfi_convolution c = describe_conv(call);
    kfi_gathering g = {.patches = kfi_conv_patches(&c, kfi_in(call, 0)),
                       .batch = c.batch,
                       .out = c.out,
                       .to = kfi_out(call, 0),
                       .exact = ((const kfi_conv *)call->attributes)->exact};
    for (int i = 0; i < 3; i++) g.land[i] = (kfi_landing_axis){0, 1, c.axis[i].positions};
    kfi_set_blocks(&g, kfi_choose_way(&g));
    g.w = needs_packing(&g) ? call->scratch : kfi_in(call, 1);
    g.prepared = call->scratch;
    return g;
}

/* The packed weights, or what a way prepares of the weights as they are. */
static size_t scratch_conv(const kfi_call *call) {
    const kfi_gathering g = gathering_of(call);
    const kfi_conv_way *way = kfi_choose_way(&g);
    int64_t floats = way->prepare ? way->prepared_floats(&g) : 0;
    if (needs_packing(&g)) floats = kfi_patch_values(&g.patches) * g.w_columns;
    return (size_t)floats * sizeof(float);
}

static int64_t pack_step(const kfi_gathering *g) {
    return kfi_larger(KFI_TILE_ELEMENTS / kfi_larger(g->w_columns, 1), 1);
}

static int64_t tiles_weights(const kfi_call *call) {
    const kfi_gathering g = gathering_of(call);
    const kfi_conv_way *way = kfi_choose_way(&g);
    if (way->prepare) return way->prepare_tiles(&g);
    return needs_packing(&g) ? kfi_tile_count(kfi_patch_values(&g.patches), pack_step(&g)) : 1;
}

static void pack_rows(const kfi_gathering *g, kfi_range rows, const float *w, float *packed) {
    for (int64_t row = rows.first; row < rows.last; row++)
        for (int64_t first = 0; first < g->out; first += g->w_block) {
            const int64_t width = kfi_weight_row(g, first);
            const int64_t count = kfi_smaller(width, g->out - first);
            float *to = packed + kfi_weight_block(g, first) + row * width;
            kfi_copy_floats(to, w + row * g->out + first, count);
            kfi_zero_floats(to + count, width - count);
        }
}

static void arrange_weights(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_gathering g = gathering_of(call);
    const kfi_conv_way *way = kfi_choose_way(&g);
    const kfi_range rows = kfi_tile_range(kfi_patch_values(&g.patches), pack_step(&g), tile);
    if (way->prepare)
        way->prepare(&g, tile, call->scratch);
    else if (needs_packing(&g))
        pack_rows(&g, rows, kfi_in(call, 1), call->scratch);
}

static int64_t tiles_conv(const kfi_call *call) {
    const kfi_gathering g = gathering_of(call);
    return kfi_choose_way(&g)->tiles(&g);
}

static size_t tile_scratch_conv(const kfi_call *call) {
    const kfi_gathering g = gathering_of(call);
    return kfi_choose_way(&g)->local_bytes(&g);
}

static void convolve(const kfi_call *call, int64_t tile, void *local) {
    const kfi_gathering g = gathering_of(call);
    kfi_choose_way(&g)->run(&g, tile, local);
}

static kfi_region region_conv(const kfi_call *call, int stage, int64_t tile) {
    if (stage == 0) return (kfi_region){0};
    const kfi_gathering g = gathering_of(call);
    return kfi_choose_way(&g)->region(&g, tile);
}

static kf_status derive_conv(kfi_derivation *d) {
    const kfi_value x = d->in[0], w = d->in[1], dy = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_conv_derive_data(d, dy, w, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_conv_derive_weight(d, x, dy, &d->in_type[1].shape);
    return KF_OK;
}

static kfi_cost cost_conv(const kfi_call *call) {
    const kfi_gathering g = gathering_of(call);
    return (kfi_cost){kfi_choose_way(&g)->flops(&g), kfi_call_bytes(call)};
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
    {.name = "3x3 of an image of one channel",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME},
     .n_in = 2,
     .in = {{.shape = {4, {8, 28, 28, 1}}}, {.shape = {4, {3, 3, 1, 32}}}},
     .large = true},
    {.name = "3x3 from three channels to three",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME},
     .n_in = 2,
     .in = {{.shape = {4, {2, 96, 96, 3}}}, {.shape = {4, {3, 3, 3, 3}}}},
     .large = true},
    {.name = "5x5 of 32 to 48 channels at 31x30",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME},
     .n_in = 2,
     .in = {{.shape = {4, {2, 31, 30, 32}}}, {.shape = {4, {5, 5, 32, 48}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(conv) = {
    .name = "conv",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_conv,
    .stages = {{arrange_weights, tiles_weights}, {convolve, tiles_conv}},
    .gradient = derive_conv,
    .scratch = scratch_conv,
    .tile_scratch = tile_scratch_conv,
    .cost = cost_conv,
    .examples = KFI_EXAMPLES(conv_examples),
    .region = region_conv,
};
