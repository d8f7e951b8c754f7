/* depthwise_conv(x, w): each channel is convolved on its own, with `m` kernels:
 *   y[p, c m + j] = sum over taps t of  x[p * stride - before + t * dilation, c] w[t, c, j]
 * Like convolution (convolution.h) it is linear in x and in w, and each of the three ops derives
 * into the other two:
 *   depthwise_conv(x, w) = y    ..._data_gradient(dy, w) = dx    ..._weight_gradient(x, dy) = dw
 * Nothing is gained from matrix products: a tap is a product of channels element by element, and
 * taps are added up in registers (tap_lists.h). */
#include "ops/tap_lists.h"
#include "ops/tap_rows.h"

enum { MAX_SLICES = 64 };

/* --- shapes ----------------------------------------------------------------------------------- */

static kf_status infer_depthwise(kfi_shaping *s) {
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
    y->dims[a->spatial + 1] = w[a->spatial] * w[a->spatial + 1];
    s->n_out = 1;
    return status;
}

static kf_status infer_data_gradient(kfi_shaping *s) {
    const kfi_conv *a = s->attributes;
    kf_status status = kfi_conv_check(s, a);
    if (status) return status;
    const int64_t *dy = s->in[0].shape.dims, *w = s->in[1].shape.dims;
    status =
        kfi_conv_expect_channels("output", w[a->spatial] * w[a->spatial + 1], dy[a->spatial + 1]);
    kf_shape *dx = &s->out[0].shape;
    *dx = (kf_shape){.rank = a->spatial + 2};
    for (int i = 0; i < a->spatial && !status; i++) {
        status = kfi_conv_check_positions(a, i, a->size[i], w[i], dy[1 + i]);
        dx->dims[1 + i] = a->size[i];
    }
    dx->dims[0] = dy[0];
    dx->dims[a->spatial + 1] = w[a->spatial];
    s->n_out = 1;
    return status;
}

static kf_status infer_weight_gradient(kfi_shaping *s) {
    const kfi_conv *a = s->attributes;
    kf_status status = kfi_conv_check(s, a);
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims, *dy = s->in[1].shape.dims;
    const int64_t in = x[a->spatial + 1], out = dy[a->spatial + 1];
    if (!kfi_dims_agree(x[0], dy[0]) || in < 1 || out % in)
        return kfi_fail(KF_INVALID, "an input of shape %s cannot have a gradient of shape %s",
                        kfi_shape_string(&s->in[0].shape), kfi_shape_string(&s->in[1].shape));
    kf_shape *dw = &s->out[0].shape;
    *dw = (kf_shape){.rank = a->spatial + 2};
    for (int i = 0; i < a->spatial && !status; i++) {
        status = kfi_conv_check_positions(a, i, x[1 + i], a->size[i], dy[1 + i]);
        dw->dims[i] = a->size[i];
    }
    dw->dims[a->spatial] = in;
    dw->dims[a->spatial + 1] = out / in;
    s->n_out = 1;
    return status;
}

/* In what follows c.in is the number of channels and c.out the multiplier m. */
static kfi_convolution describe_forward(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->in[0], &call->in[1], &call->out[0]);
}
static kfi_convolution describe_data_gradient(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->out[0], &call->in[1], &call->in[0]);
}
static kfi_convolution describe_weight_gradient(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->in[0], &call->out[0], &call->in[1]);
}

/* --- y ---------------------------------------------------------------------------------------- */

/* Places of y, or pixels of x, that make a tile. */
static int64_t tile_step(const kfi_convolution *c) {
    const int64_t products = kfi_count_taps(c) * c->in * c->out;
    return kfi_larger(4 * KFI_TILE_ELEMENTS / kfi_larger(products, 1), 1);
}

static size_t tile_scratch_forward(const kfi_call *call) {
    const kfi_convolution c = describe_forward(call);
    return kfi_which_bytes(&c);
}

static int64_t tiles_forward(const kfi_call *call) {
    const kfi_convolution c = describe_forward(call);
    return kfi_tile_count(kfi_count_places(&c), tile_step(&c));
}

static void convolve(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_forward(call);
    const kfi_range places = kfi_tile_range(kfi_count_places(&c), tile_step(&c), tile);
    const kfi_window *w = &c.axis[2];
    const kfi_range inside = {kfi_tap_positions(w, 0).first,
                              kfi_tap_positions(w, w->kernel - 1).last};
    kfi_tap_sum s = {.from = kfi_in(call, 0),
                     .w = kfi_in(call, 1),
                     .from_width = c.in,
                     .out = c.in * c.out,
                     .which = kfi_find_which(&c, local)};
    for (int64_t place = places.first; place < places.last; place++) {
        s.to = kfi_out(call, 0) + place * s.out;
        if (place > places.first && kfi_list_can_move(&c, inside, place % w->positions)) {
            kfi_move_list(&s, w->stride * c.in);
        } else {
            kfi_begin_list(&s);
            kfi_visit_pixels(&c, place, kfi_list_pixel, &s);
        }
        kfi_add_listed(&s);
    }
}

static kfi_region region_forward(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const kfi_convolution c = describe_forward(call);
    const kfi_range places = kfi_tile_range(kfi_count_places(&c), tile_step(&c), tile);
    const int64_t count = (places.last - places.first) * c.in * c.out;
    return (kfi_region){places.first * c.in * c.out, 1, count, count};
}

/* --- dx --------------------------------------------------------------------------------------- */

static size_t tile_scratch_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return kfi_which_bytes(&c);
}

static int64_t tiles_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return kfi_tile_count(kfi_count_pixels(&c), tile_step(&c));
}

static void convolve_back(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_data_gradient(call);
    const kfi_range pixels = kfi_tile_range(kfi_count_pixels(&c), tile_step(&c), tile);
    const kfi_window *w = &c.axis[2];
    const int64_t reach = (w->kernel - 1) * w->dilation;
    const kfi_range inside = {kfi_larger(reach - w->before, 0),
                              w->stride == 1 ? w->positions - w->before : 0};
    kfi_tap_sum s = {.from = kfi_in(call, 0),
                     .w = kfi_in(call, 1),
                     .from_width = c.in * c.out,
                     .out = c.in * c.out};
    for (int64_t pixel = pixels.first; pixel < pixels.last; pixel++) {
        float *dx = kfi_out(call, 0) + pixel * c.in;
        s.to = c.out > 1 ? local : dx;
        if (pixel > pixels.first && kfi_list_can_move(&c, inside, pixel % w->size)) {
            kfi_move_list(&s, s.out);
        } else {
            kfi_begin_list(&s);
            kfi_visit_places(&c, pixel, kfi_list_place, &s);
        }
        kfi_add_listed(&s);
        if (c.out > 1) kfi_fold_channels(&c, s.to, dx);
    }
}

static kfi_region region_data_gradient(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const kfi_convolution c = describe_data_gradient(call);
    const kfi_range pixels = kfi_tile_range(kfi_count_pixels(&c), tile_step(&c), tile);
    const int64_t count = (pixels.last - pixels.first) * c.in;
    return (kfi_region){pixels.first * c.in, 1, count, count};
}

/* --- dw: partial sums of slices of places (tap_rows.h), then their sum --------------------------
 */

static int64_t count_weights(const kfi_convolution *c) {
    return kfi_count_taps(c) * c->in * c->out;
}

static int64_t count_slices(const kfi_convolution *c) {
    return kfi_clamp(kfi_count_places(c) / tile_step(c), 1, MAX_SLICES);
}

static int64_t tiles_slices(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return count_slices(&c);
}

static size_t scratch_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return (size_t)(count_slices(&c) * count_weights(&c)) * sizeof(double);
}

static size_t tile_scratch_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return kfi_which_bytes(&c);
}

static void sum_slice(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_weight_gradient(call);
    const int64_t weights = count_weights(&c), n2 = c.axis[2].positions;
    const kfi_range places = kfi_slice_range(kfi_count_places(&c), count_slices(&c), tile);
    const int32_t *which = kfi_find_which(&c, local);
    double *sums = (double *)call->scratch + tile * weights;
    for (int64_t i = 0; i < weights; i++) sums[i] = 0;
    for (int64_t place = places.first; place < places.last;) {
        const int64_t from = place % n2, count = kfi_smaller(n2 - from, places.last - place);
        kfi_add_tap_rows(&c, kfi_in(call, 0), kfi_in(call, 1), place / n2,
                         (kfi_range){from, from + count}, which, sums);
        place += count;
    }
}

static int64_t tiles_sum(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return kfi_tile_count(count_weights(&c), KFI_TILE_ELEMENTS / count_slices(&c));
}

static void add_slices(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_convolution c = describe_weight_gradient(call);
    const int64_t weights = count_weights(&c), slices = count_slices(&c);
    const kfi_range part = kfi_tile_range(weights, KFI_TILE_ELEMENTS / slices, tile);
    const double *partial = call->scratch;
    for (int64_t i = part.first; i < part.last; i++) {
        double sum = 0;
        for (int64_t slice = 0; slice < slices; slice++) sum += partial[slice * weights + i];
        kfi_out(call, 0)[i] = (float)sum;
    }
}

/* --- derivatives and costs -------------------------------------------------------------------- */

static kfi_value derive_data(kfi_derivation *d, kfi_value dy, kfi_value w, const kf_shape *x) {
    kfi_conv attributes = *(const kfi_conv *)d->attributes;
    kfi_copy_sizes(attributes.size, x, 1, attributes.spatial);
    return kfi_derive(d, "depthwise_conv_data_gradient", &attributes, dy, w);
}

static kfi_value derive_weight(kfi_derivation *d, kfi_value x, kfi_value dy, const kf_shape *w) {
    kfi_conv attributes = *(const kfi_conv *)d->attributes;
    kfi_copy_sizes(attributes.size, w, 0, attributes.spatial);
    return kfi_derive(d, "depthwise_conv_weight_gradient", &attributes, x, dy);
}

static kf_status derive_forward(kfi_derivation *d) {
    const kfi_value x = d->in[0], w = d->in[1], dy = d->dout[0];
    if (d->wanted[0]) d->din[0] = derive_data(d, dy, w, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = derive_weight(d, x, dy, &d->in_type[1].shape);
    return KF_OK;
}

static kf_status derive_data_gradient(kfi_derivation *d) {
    const kfi_value dy = d->in[0], w = d->in[1], ddx = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_derive(d, "depthwise_conv", d->attributes, ddx, w);
    if (d->wanted[1]) d->din[1] = derive_weight(d, ddx, dy, &d->in_type[1].shape);
    return KF_OK;
}

static kf_status derive_weight_gradient(kfi_derivation *d) {
    const kfi_value x = d->in[0], dy = d->in[1], ddw = d->dout[0];
    if (d->wanted[0]) d->din[0] = derive_data(d, dy, ddw, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "depthwise_conv", d->attributes, x, ddw);
    return KF_OK;
}

static kfi_cost cost_of(const kfi_call *call, const kfi_convolution *c) {
    return (kfi_cost){2 * (double)kfi_count_places(c) * (double)count_weights(c),
                      kfi_call_bytes(call)};
}
static kfi_cost cost_forward(const kfi_call *call) {
    const kfi_convolution c = describe_forward(call);
    return cost_of(call, &c);
}
static kfi_cost cost_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return cost_of(call, &c);
}
static kfi_cost cost_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return cost_of(call, &c);
}

/* --- examples --------------------------------------------------------------------------------- */

#define CONV(...)                                                                                  \
    &(const kfi_conv) { __VA_ARGS__ }
#define SAME_3X3(...)                                                                              \
    CONV(.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME, __VA_ARGS__)
#define STRIDE_2X3(...) CONV(.spatial = 2, .stride = {2, 3}, .dilation = {1, 1}, __VA_ARGS__)
#define CAUSAL(...)                                                                                \
    CONV(.spatial = 1, .stride = {1}, .dilation = {2}, .padding = KFI_CAUSAL, __VA_ARGS__)

static const kfi_example forward_examples[] = {
    {.name = "3x3 same",
     .attributes = SAME_3X3(.size = {0}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 4, 3}}}, {.shape = {4, {3, 3, 3, 1}}}}},
    {.name = "2x3 stride 2x3, multiplier 2",
     .attributes = STRIDE_2X3(.size = {0}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 6, 7, 2}}}, {.shape = {4, {2, 3, 2, 2}}}}},
    {.name = "1-D causal, dilation 2, multiplier 3",
     .attributes = CAUSAL(.size = {0}),
     .n_in = 2,
     .in = {{.shape = {3, {2, 7, 2}}}, {.shape = {3, {3, 2, 3}}}}},
    {.name = "3x3 of 96 channels at 57x55",
     .attributes = SAME_3X3(.size = {0}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 57, 55, 96}}}, {.shape = {4, {3, 3, 96, 1}}}},
     .large = true},
    {0},
};

static const kfi_example data_gradient_examples[] = {
    {.name = "3x3 same",
     .attributes = SAME_3X3(.size = {5, 4}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 4, 3}}}, {.shape = {4, {3, 3, 3, 1}}}}},
    {.name = "2x3 stride 2x3, multiplier 2",
     .attributes = STRIDE_2X3(.size = {6, 7}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 3, 2, 4}}}, {.shape = {4, {2, 3, 2, 2}}}}},
    {.name = "1-D causal, dilation 2, multiplier 3",
     .attributes = CAUSAL(.size = {7}),
     .n_in = 2,
     .in = {{.shape = {3, {2, 7, 6}}}, {.shape = {3, {3, 2, 3}}}}},
    {.name = "3x3 of 48 channels, multiplier 2, at 31x33",
     .attributes = SAME_3X3(.size = {31, 33}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 31, 33, 96}}}, {.shape = {4, {3, 3, 48, 2}}}},
     .large = true},
    {0},
};

static const kfi_example weight_gradient_examples[] = {
    {.name = "3x3 same",
     .attributes = SAME_3X3(.size = {3, 3}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 4, 3}}}, {.shape = {4, {2, 5, 4, 3}}}}},
    {.name = "2x3 stride 2x3, multiplier 2",
     .attributes = STRIDE_2X3(.size = {2, 3}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 6, 7, 2}}}, {.shape = {4, {2, 3, 2, 4}}}}},
    {.name = "1-D causal, dilation 2, multiplier 3",
     .attributes = CAUSAL(.size = {3}),
     .n_in = 2,
     .in = {{.shape = {3, {2, 7, 2}}}, {.shape = {3, {2, 7, 6}}}}},
    {.name = "slices, 3x3 of 96 channels at 57x55",
     .attributes = SAME_3X3(.size = {3, 3}),
     .n_in = 2,
     .in = {{.shape = {4, {2, 57, 55, 96}}}, {.shape = {4, {2, 57, 55, 96}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(depthwise_conv) = {
    .name = "depthwise_conv",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_depthwise,
    .stages = {{convolve, tiles_forward}},
    .gradient = derive_forward,
    .tile_scratch = tile_scratch_forward,
    .cost = cost_forward,
    .examples = KFI_EXAMPLES(forward_examples),
    .region = region_forward,
};

const kfi_op KFI_OP(depthwise_conv_data_gradient) = {
    .name = "depthwise_conv_data_gradient",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_data_gradient,
    .stages = {{convolve_back, tiles_data_gradient}},
    .gradient = derive_data_gradient,
    .tile_scratch = tile_scratch_data_gradient,
    .cost = cost_data_gradient,
    .examples = KFI_EXAMPLES(data_gradient_examples),
    .region = region_data_gradient,
};

const kfi_op KFI_OP(depthwise_conv_weight_gradient) = {
    .name = "depthwise_conv_weight_gradient",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_weight_gradient,
    .stages = {{sum_slice, tiles_slices}, {add_slices, tiles_sum}},
    .gradient = derive_weight_gradient,
    .scratch = scratch_weight_gradient,
    .tile_scratch = tile_scratch_weight_gradient,
    .cost = cost_weight_gradient,
    .examples = KFI_EXAMPLES(weight_gradient_examples),
};
