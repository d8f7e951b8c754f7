/* conv_weight_gradient(x, dy) -> dw (convolution.h has the formula): the patches of x, transposed,
 * times dy. The long sum over places is cut into a number of slices that depends on the shape
 * alone; stage 1 gives each slice its own sum, stage 2 adds them in order. */
#include "ops/convolution.h"

enum { MAX_SLICES = 16, MAX_SLICE_BYTES = 32 << 20 };

/* Stage 1 has slices * groups tiles: a group is a part of the lines of taps, so a part of dw. */
typedef struct cut {
    int64_t places, weights; /* of all images; in dw */
    int64_t lines;           /* of taps, see patches.h */
    int64_t slices, groups;
    int64_t rows; /* gathered at a time */
} cut;

static kf_status infer_weight_gradient(kfi_shaping *s) {
    const kfi_conv *a = s->attributes;
    kf_status status = kfi_conv_check(s, a);
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims, *dy = s->in[1].shape.dims;
    if (!kfi_dims_agree(x[0], dy[0]))
        return kfi_fail(KF_INVALID, "the input has %lld samples, the gradient %lld",
                        (long long)x[0], (long long)dy[0]);
    kf_shape *dw = &s->out[0].shape;
    *dw = (kf_shape){.rank = a->spatial + 2};
    for (int i = 0; i < a->spatial && !status; i++) {
        status = kfi_conv_check_positions(a, i, x[1 + i], a->size[i], dy[1 + i]);
        dw->dims[i] = a->size[i];
    }
    dw->dims[a->spatial] = x[a->spatial + 1];
    dw->dims[a->spatial + 1] = dy[a->spatial + 1];
    s->n_out = 1;
    return status;
}

static kfi_convolution describe_weight_gradient(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->in[0], &call->out[0], &call->in[1]);
}

static cut cut_weight_gradient(const kfi_convolution *c, const kfi_patches *p) {
    const int64_t values = kfi_patch_values(p);
    cut t = {.places = c->batch * kfi_patch_positions(p),
             .weights = values * c->out,
             .lines = p->axis[0].taps * p->axis[1].taps,
             .groups = 1};
    const double flops = 2.0 * (double)t.places * (double)t.weights;
    const int64_t bytes = kfi_larger(t.weights, 1) * (int64_t)sizeof(float);
    const int64_t affordable = kfi_clamp(MAX_SLICE_BYTES / bytes, 1, MAX_SLICES);
    t.slices = (int64_t)kfi_clamp((int64_t)(flops / (2 * KFI_CONV_TILE_FLOPS)), 1, affordable);
    if (t.slices < KFI_CONV_FEW_TILES && flops > 6 * KFI_CONV_TILE_FLOPS * (double)t.slices)
        t.groups = t.lines;
    const int64_t group_values = values / t.lines * kfi_divide_up(t.lines, t.groups);
    t.rows = kfi_larger(KFI_CONV_PATCH_BYTES / (int64_t)sizeof(float) / kfi_larger(group_values, 1),
                        KFI_CONV_MIN_ROWS);
    t.rows = kfi_smaller(t.rows, kfi_larger(kfi_divide_up(t.places, t.slices), 1));
    return t;
}

static cut cut_call(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    const kfi_patches p = kfi_conv_patches(&c, NULL);
    return cut_weight_gradient(&c, &p);
}

static int64_t tiles_slices(const kfi_call *call) {
    const cut t = cut_call(call);
    return t.slices * t.groups;
}

static size_t scratch_weight_gradient(const kfi_call *call) {
    const cut t = cut_call(call);
    return t.slices > 1 ? (size_t)(t.slices * t.weights) * sizeof(float) : 0;
}

static size_t tile_scratch_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    const kfi_patches p = kfi_conv_patches(&c, NULL);
    if (kfi_patches_are_source(&p)) return 0;
    const cut t = cut_weight_gradient(&c, &p);
    const int64_t values = kfi_patch_values(&p) / t.lines * kfi_divide_up(t.lines, t.groups);
    return (size_t)(t.rows * values) * sizeof(float);
}

/* dw of the given lines of taps += patches of the given places, transposed, times dy. */
static void add_product(const kfi_convolution *c, const kfi_patches *p, const float *dy,
                        kfi_range places, kfi_range lines, float *local, float *dw,
                        bool accumulate) {
    const int64_t values = (lines.last - lines.first) * p->axis[2].taps * p->channels;
    const bool direct = kfi_patches_are_source(p);
    if (!direct) kfi_gather_patches(p, places, lines, local);
    kfi_gemm(&(kfi_product){
        .m = values,
        .n = c->out,
        .k = places.last - places.first,
        .a = direct ? p->source + places.first * p->channels : local,
        .a_row = values,
        .transpose_a = true,
        .b = dy + places.first * c->out,
        .b_row = c->out,
        .c = dw,
        .c_row = c->out,
        .accumulate = accumulate,
    });
}

static void sum_slice(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_weight_gradient(call);
    const kfi_patches p = kfi_conv_patches(&c, kfi_in(call, 0));
    const cut t = cut_weight_gradient(&c, &p);
    const int64_t slice = tile / t.groups;
    const kfi_range places = kfi_slice_range(t.places, t.slices, slice);
    const kfi_range lines = kfi_slice_range(t.lines, t.groups, tile % t.groups);
    float *dw = t.slices > 1 ? (float *)call->scratch + slice * t.weights : kfi_out(call, 0);
    dw += lines.first * p.axis[2].taps * p.channels * c.out;
    /* without a copy there is no reason for blocks; an empty slice must still clear its sum */
    const int64_t step = kfi_patches_are_source(&p) ? kfi_larger(t.places, 1) : t.rows;
    int64_t first = places.first;
    do {
        const kfi_range block = {first, kfi_smaller(first + step, places.last)};
        add_product(&c, &p, kfi_in(call, 1), block, lines, local, dw, first > places.first);
        first = block.last;
    } while (first < places.last);
}

static int64_t tiles_sum(const kfi_call *call) {
    const cut t = cut_call(call);
    return t.slices > 1 ? kfi_tile_count(t.weights, KFI_TILE_ELEMENTS / t.slices) : 1;
}

static void add_slices(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const cut t = cut_call(call);
    if (t.slices == 1) return;
    const kfi_range part = kfi_tile_range(t.weights, KFI_TILE_ELEMENTS / t.slices, tile);
    const float *partial = call->scratch;
    float *dw = kfi_out(call, 0);
    kfi_copy_floats(dw + part.first, partial + part.first, part.last - part.first);
    for (int64_t slice = 1; slice < t.slices; slice++) {
        const float *from = partial + slice * t.weights;
#pragma omp simd
        for (int64_t i = part.first; i < part.last; i++) dw[i] += from[i];
    }
}

static kf_status derive_weight_gradient(kfi_derivation *d) {
    const kfi_value x = d->in[0], dy = d->in[1], ddw = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_conv_derive_data(d, dy, ddw, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "conv", d->attributes, x, ddw);
    return KF_OK;
}

static kfi_cost cost_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return kfi_conv_cost(call, &c);
}

static const kfi_example conv_weight_gradient_examples[] = {
    {.name = "3x3 same",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {3, 3}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 4, 2}}}, {.shape = {4, {2, 5, 4, 3}}}}},
    {.name = "3x2 stride 2x3 valid",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {2, 3}, .dilation = {1, 1}, .size = {3, 2}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 8, 6, 2}}}, {.shape = {4, {2, 3, 2, 2}}}}},
    {.name = "1x1",
     .attributes = &(const kfi_conv){.spatial = 1, .stride = {1}, .dilation = {1}, .size = {1}},
     .n_in = 2,
     .in = {{.shape = {3, {2, 6, 4}}}, {.shape = {3, {2, 6, 3}}}}},
    {.name = "slices 3x3x32x48 at 30x31",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {3, 3}},
     .n_in = 2,
     .in = {{.shape = {4, {5, 30, 31, 32}}}, {.shape = {4, {5, 30, 31, 48}}}},
     .large = true},
    {.name = "groups 3x3x512x256 at 6x6",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {3, 3}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 6, 6, 512}}}, {.shape = {4, {2, 6, 6, 256}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(conv_weight_gradient) = {
    .name = "conv_weight_gradient",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_weight_gradient,
    .stages = {{sum_slice, tiles_slices}, {add_slices, tiles_sum}},
    .gradient = derive_weight_gradient,
    .scratch = scratch_weight_gradient,
    .tile_scratch = tile_scratch_weight_gradient,
    .cost = cost_weight_gradient,
    .examples = conv_weight_gradient_examples,
};
