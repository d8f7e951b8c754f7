/* local_conv(x, w): a convolution whose window has weights of its own at each place,
 *   y[p, o] = sum over taps t, channels c of  x[p * stride + t, c] w[p, (t, c), o]
 * with w (places, taps * channels, out). Linear in x and in w, so each of the three ops derives
 * into the other two:
 *   local_conv(x, w) = y    ..._data_gradient(dy, w) = dx    ..._weight_gradient(x, dy) = dw
 * All are products over the images of the batch: one for each place or, in dx, for each pair of a
 * pixel and a tap, so that no two tiles write one pixel. */
#include "ops/local_windows.h"

/* --- shapes ----------------------------------------------------------------------------------- */

static kf_status infer_local_conv(kfi_shaping *s) {
    const kfi_local_conv *a = s->attributes;
    kf_status status = kfi_local_check_ranks(s, a->spatial + 2, 3);
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims, channels = x[a->spatial + 1];
    const kf_shape *w = &s->in[1].shape;
    kf_shape *y = &s->out[0].shape;
    *y = (kf_shape){.rank = a->spatial + 2};
    int64_t places;
    status = kfi_local_infer_places(a, x + 1, y->dims + 1, &places);
    if (!status)
        status = kfi_local_expect_weights(
            w, places, channels == KF_ANY ? KF_ANY : channels * kfi_local_taps(a), KF_ANY);
    y->dims[0] = x[0];
    y->dims[a->spatial + 1] = w->dims[2];
    s->n_out = 1;
    return status;
}

static kf_status infer_data_gradient(kfi_shaping *s) {
    const kfi_local_conv *a = s->attributes;
    kf_status status = kfi_local_check_ranks(s, a->spatial + 2, 3);
    if (status) return status;
    const kf_shape *dy = &s->in[0].shape, *w = &s->in[1].shape;
    const int64_t taps = kfi_local_taps(a), channels = w->dims[1] / kfi_larger(taps, 1);
    kf_shape expected = *dy;
    int64_t places;
    status = kfi_local_infer_places(a, a->size, expected.dims + 1, &places);
    if (!status) status = kfi_expect_shape(s, 0, &expected);
    if (!status)
        status = kfi_local_expect_weights(w, places, channels * taps, dy->dims[a->spatial + 1]);
    kf_shape *dx = &s->out[0].shape;
    *dx = (kf_shape){.rank = a->spatial + 2};
    dx->dims[0] = dy->dims[0];
    for (int i = 0; i < a->spatial; i++) dx->dims[1 + i] = a->size[i];
    dx->dims[a->spatial + 1] = channels;
    s->n_out = 1;
    return status;
}

static kf_status infer_weight_gradient(kfi_shaping *s) {
    const kfi_local_conv *a = s->attributes;
    kf_status status = kfi_local_check_ranks(s, a->spatial + 2, a->spatial + 2);
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims;
    kf_shape dy = s->in[1].shape;
    int64_t places;
    dy.dims[0] = x[0];
    status = kfi_local_infer_places(a, x + 1, dy.dims + 1, &places);
    if (!status) status = kfi_expect_shape(s, 1, &dy);
    s->n_out = 1;
    s->out[0].shape =
        KFI_SHAPE(places, kfi_local_taps(a) * x[a->spatial + 1], dy.dims[a->spatial + 1]);
    return status;
}

static kfi_convolution describe_forward(const kfi_call *call) {
    return kfi_local_describe(call->attributes, &call->in[0], &call->out[0]);
}
static kfi_convolution describe_data_gradient(const kfi_call *call) {
    return kfi_local_describe(call->attributes, &call->out[0], &call->in[0]);
}
static kfi_convolution describe_weight_gradient(const kfi_call *call) {
    return kfi_local_describe(call->attributes, &call->in[0], &call->in[1]);
}

/* --- y and dw: a product for each place ------------------------------------------------------- */

/* Places, or pixels, that make a tile. */
static int64_t tile_step(const kfi_convolution *c) {
    const double flops =
        2.0 * (double)c->batch * (double)kfi_count_taps(c) * (double)c->in * (double)c->out;
    return kfi_larger((int64_t)(KFI_CONV_TILE_FLOPS / (flops + 1)), 1);
}

/* Images whose patches are gathered at a time. */
static int64_t gathered_rows(const kfi_convolution *c) {
    const int64_t values = kfi_larger(kfi_count_taps(c) * c->in, 1);
    const int64_t fitting = KFI_CONV_PATCH_BYTES / (int64_t)sizeof(float) / values;
    return kfi_smaller(kfi_larger(fitting, KFI_CONV_MIN_ROWS), kfi_larger(c->batch, 1));
}

static size_t patch_bytes(const kfi_convolution *c) {
    return (size_t)(gathered_rows(c) * kfi_count_taps(c) * c->in) * sizeof(float);
}

/* The patches of one place, of the given images. */
static void gather_place(const kfi_convolution *c, const kfi_patches *p, int64_t place,
                         kfi_range images, float *to) {
    const int64_t n1 = c->axis[1].positions, n2 = c->axis[2].positions;
    const int64_t at[3] = {place / (n1 * n2), place / n2 % n1, place % n2};
    const kfi_range lines = {0, p->axis[0].taps * p->axis[1].taps};
    for (int64_t image = images.first; image < images.last; image++, to += kfi_patch_values(p))
        kfi_gather_row(p, image, at, lines, to);
}

static int64_t tiles_of_places(const kfi_convolution *c) {
    return kfi_tile_count(kfi_local_places(c), tile_step(c));
}

static int64_t tiles_forward(const kfi_call *call) {
    const kfi_convolution c = describe_forward(call);
    return tiles_of_places(&c);
}

static size_t tile_scratch_forward(const kfi_call *call) {
    const kfi_convolution c = describe_forward(call);
    return patch_bytes(&c);
}

static void convolve(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_forward(call);
    const kfi_patches p = kfi_conv_patches(&c, kfi_in(call, 0));
    const int64_t all = kfi_local_places(&c), values = kfi_patch_values(&p),
                  rows = gathered_rows(&c);
    const kfi_range places = kfi_tile_range(all, tile_step(&c), tile);
    for (int64_t place = places.first; place < places.last; place++)
        for (int64_t first = 0; first < c.batch; first += rows) {
            const kfi_range images = {first, kfi_smaller(first + rows, c.batch)};
            gather_place(&c, &p, place, images, local);
            kfi_gemm(&(kfi_product){.m = images.last - images.first,
                                    .n = c.out,
                                    .k = values,
                                    .a = local,
                                    .a_row = values,
                                    .b = kfi_in(call, 1) + place * values * c.out,
                                    .b_row = c.out,
                                    .c = kfi_out(call, 0) + (first * all + place) * c.out,
                                    .c_row = all * c.out});
        }
}

static int64_t tiles_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return tiles_of_places(&c);
}

static size_t tile_scratch_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return patch_bytes(&c);
}

static void sum_products(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_weight_gradient(call);
    const kfi_patches p = kfi_conv_patches(&c, kfi_in(call, 0));
    const int64_t all = kfi_local_places(&c), values = kfi_patch_values(&p),
                  rows = gathered_rows(&c);
    const kfi_range places = kfi_tile_range(all, tile_step(&c), tile);
    for (int64_t place = places.first; place < places.last; place++) {
        int64_t first = 0;
        do { /* once at least: without images the sum is 0 */
            const kfi_range images = {first, kfi_smaller(first + rows, c.batch)};
            gather_place(&c, &p, place, images, local);
            kfi_gemm(&(kfi_product){.m = values,
                                    .n = c.out,
                                    .k = images.last - images.first,
                                    .a = local,
                                    .a_row = values,
                                    .transpose_a = true,
                                    .b = kfi_in(call, 1) + (first * all + place) * c.out,
                                    .b_row = all * c.out,
                                    .c = kfi_out(call, 0) + place * values * c.out,
                                    .c_row = c.out,
                                    .accumulate = first > 0});
            first = images.last;
        } while (first < c.batch);
    }
}

/* --- dx: a product for each pixel and tap ----------------------------------------------------- */

typedef struct pixel_sum {
    const float *dy, *w;
    float *dx;
    int64_t images, pixels, places, values;
    bool begun;
} pixel_sum;

static void add_tap(const kfi_convolution *c, kfi_touch at, void *context) {
    pixel_sum *s = context;
    kfi_gemm(&(kfi_product){.m = s->images,
                            .n = c->in,
                            .k = c->out,
                            .a = s->dy + at.place * c->out,
                            .a_row = s->places * c->out,
                            .b = s->w + (at.place * s->values + at.tap * c->in) * c->out,
                            .b_row = c->out,
                            .transpose_b = true,
                            .c = s->dx + at.pixel * c->in,
                            .c_row = s->pixels * c->in,
                            .accumulate = s->begun});
    s->begun = true;
}

/* A pixel that no window covers. */
static void clear_pixel(const kfi_convolution *c, const pixel_sum *s, int64_t pixel) {
    for (int64_t image = 0; image < s->images; image++)
        kfi_zero_floats(s->dx + (image * s->pixels + pixel) * c->in, c->in);
}

/* Pixels and places are those of the first image; products reach through all. */
static kfi_convolution one_image(kfi_convolution c) {
    c.batch = 1;
    return c;
}

static int64_t tiles_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call), one = one_image(c);
    return kfi_tile_count(kfi_count_pixels(&one), tile_step(&c));
}

static void convolve_back(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_convolution c = describe_data_gradient(call), one = one_image(c);
    pixel_sum s = {.dy = kfi_in(call, 0),
                   .w = kfi_in(call, 1),
                   .dx = kfi_out(call, 0),
                   .images = c.batch,
                   .pixels = kfi_count_pixels(&one),
                   .places = kfi_local_places(&c),
                   .values = kfi_count_taps(&c) * c.in};
    const kfi_range pixels = kfi_tile_range(s.pixels, tile_step(&c), tile);
    for (int64_t pixel = pixels.first; pixel < pixels.last; pixel++) {
        s.begun = false;
        kfi_visit_places(&one, pixel, add_tap, &s);
        if (!s.begun) clear_pixel(&c, &s, pixel);
    }
}

/* --- derivatives and costs -------------------------------------------------------------------- */

static kfi_value derive_data(kfi_derivation *d, kfi_value dy, kfi_value w, const kf_shape *x) {
    kfi_local_conv attributes = *(const kfi_local_conv *)d->attributes;
    kfi_copy_sizes(attributes.size, x, 1, attributes.spatial);
    return kfi_derive(d, "local_conv_data_gradient", &attributes, dy, w);
}

static kf_status derive_forward(kfi_derivation *d) {
    const kfi_value x = d->in[0], w = d->in[1], dy = d->dout[0];
    if (d->wanted[0]) d->din[0] = derive_data(d, dy, w, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "local_conv_weight_gradient", d->attributes, x, dy);
    return KF_OK;
}

static kf_status derive_data_gradient(kfi_derivation *d) {
    const kfi_value dy = d->in[0], w = d->in[1], ddx = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_derive(d, "local_conv", d->attributes, ddx, w);
    if (d->wanted[1])
        d->din[1] = kfi_derive(d, "local_conv_weight_gradient", d->attributes, ddx, dy);
    return KF_OK;
}

static kf_status derive_weight_gradient(kfi_derivation *d) {
    const kfi_value x = d->in[0], dy = d->in[1], ddw = d->dout[0];
    if (d->wanted[0]) d->din[0] = derive_data(d, dy, ddw, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "local_conv", d->attributes, x, ddw);
    return KF_OK;
}

static kfi_cost cost_forward(const kfi_call *call) {
    const kfi_convolution c = describe_forward(call);
    return kfi_conv_cost(call, &c);
}
static kfi_cost cost_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return kfi_conv_cost(call, &c);
}
static kfi_cost cost_weight_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    return kfi_conv_cost(call, &c);
}

/* --- examples --------------------------------------------------------------------------------- */

#define LOCAL(...)                                                                                 \
    &(const kfi_local_conv) { __VA_ARGS__ }
#define LOCAL_1D    LOCAL(.spatial = 1, .stride = {1}, .window = {3}, .size = {6})
#define LOCAL_2D    LOCAL(.spatial = 2, .stride = {3, 1}, .window = {2, 3}, .size = {6, 4})
#define LOCAL_LARGE LOCAL(.spatial = 2, .stride = {1, 1}, .window = {3, 3}, .size = {14, 13})

static const kfi_example forward_examples[] = {
    {.name = "1-D 3",
     .attributes = LOCAL_1D,
     .n_in = 2,
     .in = {{.shape = {3, {3, 6, 2}}}, {.shape = {3, {4, 6, 3}}}}},
    {.name = "2x3 stride 3x1: gaps",
     .attributes = LOCAL_2D,
     .n_in = 2,
     .in = {{.shape = {4, {2, 6, 4, 2}}}, {.shape = {3, {4, 12, 3}}}}},
    {.name = "3x3x16 to 24 at 14x13",
     .attributes = LOCAL_LARGE,
     .n_in = 2,
     .in = {{.shape = {4, {9, 14, 13, 16}}}, {.shape = {3, {132, 144, 24}}}},
     .large = true},
    {0},
};

static const kfi_example data_gradient_examples[] = {
    {.name = "1-D 3",
     .attributes = LOCAL_1D,
     .n_in = 2,
     .in = {{.shape = {3, {3, 4, 3}}}, {.shape = {3, {4, 6, 3}}}}},
    {.name = "2x3 stride 3x1: gaps",
     .attributes = LOCAL_2D,
     .n_in = 2,
     .in = {{.shape = {4, {2, 2, 2, 3}}}, {.shape = {3, {4, 12, 3}}}}},
    {.name = "3x3x16 to 24 at 14x13",
     .attributes = LOCAL_LARGE,
     .n_in = 2,
     .in = {{.shape = {4, {9, 12, 11, 24}}}, {.shape = {3, {132, 144, 24}}}},
     .large = true},
    {0},
};

static const kfi_example weight_gradient_examples[] = {
    {.name = "1-D 3",
     .attributes = LOCAL_1D,
     .n_in = 2,
     .in = {{.shape = {3, {3, 6, 2}}}, {.shape = {3, {3, 4, 3}}}}},
    {.name = "2x3 stride 3x1: gaps",
     .attributes = LOCAL_2D,
     .n_in = 2,
     .in = {{.shape = {4, {2, 6, 4, 2}}}, {.shape = {4, {2, 2, 2, 3}}}}},
    {.name = "3x3x16 to 24 at 14x13",
     .attributes = LOCAL_LARGE,
     .n_in = 2,
     .in = {{.shape = {4, {9, 14, 13, 16}}}, {.shape = {4, {9, 12, 11, 24}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(local_conv) = {
    .name = "local_conv",
    .attributes_size = sizeof(kfi_local_conv),
    .infer = infer_local_conv,
    .stages = {{convolve, tiles_forward}},
    .gradient = derive_forward,
    .tile_scratch = tile_scratch_forward,
    .cost = cost_forward,
    .examples = KFI_EXAMPLES(forward_examples),
};

const kfi_op KFI_OP(local_conv_data_gradient) = {
    .name = "local_conv_data_gradient",
    .attributes_size = sizeof(kfi_local_conv),
    .infer = infer_data_gradient,
    .stages = {{convolve_back, tiles_data_gradient}},
    .gradient = derive_data_gradient,
    .cost = cost_data_gradient,
    .examples = KFI_EXAMPLES(data_gradient_examples),
};

const kfi_op KFI_OP(local_conv_weight_gradient) = {
    .name = "local_conv_weight_gradient",
    .attributes_size = sizeof(kfi_local_conv),
    .infer = infer_weight_gradient,
    .stages = {{sum_products, tiles_weight_gradient}},
    .gradient = derive_weight_gradient,
    .tile_scratch = tile_scratch_weight_gradient,
    .cost = cost_weight_gradient,
    .examples = KFI_EXAMPLES(weight_gradient_examples),
};
