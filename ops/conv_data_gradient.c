/* conv_data_gradient(dy, w) -> dx, also the forward of transposed convolution (convolution.h has
 * the formula). It gathers: the places of x fall into phases by place mod stride, and each tap of w
 * reaches one phase only; so a place of x is written by one tile, no zeros are multiplied, and
 * strides cost nothing. Stage 1 packs w by phases; in stage 2 a tile is a block of places of one
 * phase: their patches of dy times that phase's weights. */
#include "ops/convolution.h"

static kf_status infer_data_gradient(kfi_shaping *s) {
    const kfi_conv *a = s->attributes;
    kf_status status = kfi_conv_check(s, a);
    if (status) return status;
    const int64_t *dy = s->in[0].shape.dims, *w = s->in[1].shape.dims;
    status = kfi_conv_expect_channels("output", w[a->spatial + 1], dy[a->spatial + 1]);
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

/* One axis of a phase: the places phase, phase + stride … of x. The taps that reach them are
 * last_tap, last_tap - tap_step …; so counted, their places in dy ascend by `step`. */
typedef struct phase_axis {
    int64_t phase, places, taps, last_tap, tap_step, first, step;
    int64_t taps_before; /* taps of the lower phases of this axis */
} phase_axis;

typedef struct phase {
    phase_axis axis[3];
} phase;

static int64_t greatest_divisor(int64_t a, int64_t b) { return b ? greatest_divisor(b, a % b) : a; }

/* The first tap of a phase, or the kernel's size if there is none. */
static int64_t first_tap(const kfi_window *w, int64_t number) {
    for (int64_t tap = 0; tap < kfi_smaller(w->kernel, w->stride); tap++)
        if ((number + w->before - tap * w->dilation) % w->stride == 0) return tap;
    return w->kernel;
}

static int64_t count_taps(const kfi_window *w, int64_t number, int64_t tap_step) {
    return kfi_divide_up(w->kernel - first_tap(w, number), tap_step);
}

static phase_axis describe_phase_axis(const kfi_window *w, int64_t number) {
    const int64_t divisor = greatest_divisor(w->stride, w->dilation);
    phase_axis a = {.phase = number,
                    .places = kfi_larger(kfi_divide_up(w->size - number, w->stride), 0),
                    .tap_step = w->stride / divisor,
                    .step = w->dilation / divisor};
    a.taps = count_taps(w, number, a.tap_step);
    a.last_tap = first_tap(w, number) + (a.taps - 1) * a.tap_step;
    a.first = a.taps ? (number + w->before - a.last_tap * w->dilation) / w->stride : 0;
    for (int64_t lower = 0; lower < number; lower++)
        a.taps_before += count_taps(w, lower, a.tap_step);
    return a;
}

static phase describe_phase(const kfi_convolution *c, const int64_t number[3]) {
    phase p;
    for (int i = 0; i < 3; i++) p.axis[i] = describe_phase_axis(&c->axis[i], number[i]);
    return p;
}

static int64_t count_phases(const kfi_convolution *c) {
    return c->axis[0].stride * c->axis[1].stride * c->axis[2].stride;
}

static phase phase_at(const kfi_convolution *c, int64_t index) {
    const int64_t s1 = c->axis[1].stride, s2 = c->axis[2].stride;
    return describe_phase(c, (const int64_t[]){index / (s1 * s2), index / s2 % s1, index % s2});
}

static int64_t phase_taps(const phase *p) {
    return p->axis[0].taps * p->axis[1].taps * p->axis[2].taps;
}

/* Where the packed weights of a phase start, counted in taps. */
static int64_t taps_before(const kfi_convolution *c, const phase *p) {
    const phase_axis *a = p->axis;
    const int64_t k1 = c->axis[1].kernel, k2 = c->axis[2].kernel;
    return a[0].taps_before * k1 * k2 + a[0].taps * a[1].taps_before * k2 +
           a[0].taps * a[1].taps * a[2].taps_before;
}

static kfi_patches patches_of_dy(const kfi_convolution *c, const phase *p, const float *dy) {
    kfi_patches patches = {.source = dy, .channels = c->out};
    for (int i = 0; i < 3; i++) {
        const phase_axis *a = &p->axis[i];
        patches.axis[i] =
            (kfi_patch_axis){c->axis[i].positions, a->places, 1, a->first, a->step, a->taps};
    }
    return patches;
}

static kfi_convolution describe_data_gradient(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->out[0], &call->in[1], &call->in[0]);
}

/* Rows of w are (tap, input channel). */
static int64_t pack_rows(const kfi_convolution *c) {
    return c->axis[0].kernel * c->axis[1].kernel * c->axis[2].kernel * c->in;
}

static int64_t pack_step(const kfi_convolution *c) {
    return kfi_larger(KFI_TILE_ELEMENTS / c->out, 1);
}

static int64_t tiles_pack(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return kfi_tile_count(pack_rows(&c), pack_step(&c));
}

static size_t scratch_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return (size_t)(pack_rows(&c) * c.out) * sizeof(float);
}

/* Tap (k0, k1, k2) of w, as its phase and its number there. */
static phase phase_of_tap(const kfi_convolution *c, const int64_t tap[3], int64_t *number) {
    int64_t phases[3];
    for (int i = 0; i < 3; i++) {
        const kfi_window *w = &c->axis[i];
        const int64_t rest = (tap[i] * w->dilation - w->before) % w->stride;
        phases[i] = rest < 0 ? rest + w->stride : rest;
    }
    const phase p = describe_phase(c, phases);
    *number = 0;
    for (int i = 0; i < 3; i++)
        *number = *number * p.axis[i].taps + (p.axis[i].last_tap - tap[i]) / p.axis[i].tap_step;
    return p;
}

/* w (taps…, in, out) -> for each phase (in, taps of the phase, out). */
static void pack_weights(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_convolution c = describe_data_gradient(call);
    const int64_t k1 = c.axis[1].kernel, k2 = c.axis[2].kernel;
    const kfi_range rows = kfi_tile_range(pack_rows(&c), pack_step(&c), tile);
    const float *w = kfi_in(call, 1);
    for (int64_t row = rows.first; row < rows.last;) {
        const int64_t tap = row / c.in;
        int64_t number;
        const phase p =
            phase_of_tap(&c, (const int64_t[]){tap / (k1 * k2), tap / k2 % k1, tap % k2}, &number);
        const int64_t taps = phase_taps(&p);
        float *packed = (float *)call->scratch + taps_before(&c, &p) * c.in * c.out;
        for (; row < rows.last && row / c.in == tap; row++)
            kfi_copy_floats(packed + (row % c.in * taps + number) * c.out, w + row * c.out, c.out);
    }
}

static kfi_blocks cut_phase(const kfi_convolution *c, const kfi_patches *p) {
    return kfi_conv_cut(c->batch * kfi_patch_positions(p), kfi_patch_values(p), c->in);
}

static int64_t tiles_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    int64_t tiles = 0;
    for (int64_t i = 0; i < count_phases(&c); i++) {
        const phase p = phase_at(&c, i);
        const kfi_patches patches = patches_of_dy(&c, &p, NULL);
        const kfi_blocks b = cut_phase(&c, &patches);
        tiles += b.row_tiles * b.column_tiles;
    }
    return tiles;
}

/* The patches of a block, then its part of dx where that is not one piece. */
static size_t tile_scratch_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    int64_t most = 0;
    for (int64_t i = 0; i < count_phases(&c); i++) {
        const phase p = phase_at(&c, i);
        const kfi_patches patches = patches_of_dy(&c, &p, NULL);
        const kfi_blocks b = cut_phase(&c, &patches);
        most = kfi_larger(most, b.rows * (kfi_patch_values(&patches) + b.columns));
    }
    return (size_t)most * sizeof(float);
}

/* Rows of a phase to their places in dx. */
static void spread_rows(const kfi_convolution *c, const phase *p, kfi_range rows, kfi_range columns,
                        const float *from, float *dx) {
    const phase_axis *a = p->axis;
    const kfi_window *w = c->axis;
    const int64_t width = columns.last - columns.first;
    for (int64_t row = rows.first; row < rows.last; row++, from += width) {
        int64_t rest = row, place[3];
        for (int i = 2; i >= 0; i--) {
            place[i] = rest % a[i].places * w[i].stride + a[i].phase;
            rest /= a[i].places;
        }
        const int64_t pixel =
            ((rest * w[0].size + place[0]) * w[1].size + place[1]) * w[2].size + place[2];
        kfi_copy_floats(dx + pixel * c->in + columns.first, from, width);
    }
}

static void multiply_block(const kfi_call *call, const kfi_convolution *c, const phase *p,
                           const kfi_patches *patches, const kfi_blocks *b, int64_t tile,
                           float *local) {
    const kfi_range rows =
        kfi_tile_range(c->batch * kfi_patch_positions(patches), b->rows, tile / b->column_tiles);
    const kfi_range columns = kfi_tile_range(c->in, b->columns, tile % b->column_tiles);
    const int64_t values = kfi_patch_values(patches), width = columns.last - columns.first;
    const bool whole = count_phases(c) == 1;
    float *dx = kfi_out(call, 0), *apart = local + b->rows * values;
    const float *packed = (const float *)call->scratch + taps_before(c, p) * c->in * c->out;
    kfi_gemm(&(kfi_product){
        .m = rows.last - rows.first,
        .n = width,
        .k = values,
        .a = kfi_conv_rows(patches, rows, local),
        .a_row = values,
        .b = packed + columns.first * values,
        .b_row = values,
        .transpose_b = true,
        .c = whole ? dx + rows.first * c->in + columns.first : apart,
        .c_row = whole ? c->in : width,
    });
    if (!whole) spread_rows(c, p, rows, columns, apart, dx);
}

static void convolve_back(const kfi_call *call, int64_t tile, void *local) {
    const kfi_convolution c = describe_data_gradient(call);
    for (int64_t i = 0; i < count_phases(&c); i++) {
        const phase p = phase_at(&c, i);
        const kfi_patches patches = patches_of_dy(&c, &p, kfi_in(call, 0));
        const kfi_blocks b = cut_phase(&c, &patches);
        const int64_t tiles = b.row_tiles * b.column_tiles;
        if (tile < tiles) {
            multiply_block(call, &c, &p, &patches, &b, tile, local);
            return;
        }
        tile -= tiles;
    }
}

static kf_status derive_data_gradient(kfi_derivation *d) {
    const kfi_value dy = d->in[0], w = d->in[1], ddx = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_derive(d, "conv", d->attributes, ddx, w);
    if (d->wanted[1]) d->din[1] = kfi_conv_derive_weight(d, ddx, dy, &d->in_type[1].shape);
    return KF_OK;
}

static kfi_cost cost_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return kfi_conv_cost(call, &c);
}

static const kfi_example conv_data_gradient_examples[] = {
    {.name = "3x3 same",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {5, 4}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 5, 4, 3}}}, {.shape = {4, {3, 3, 2, 3}}}}},
    {.name = "3x2 stride 2x3 valid",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {2, 3}, .dilation = {1, 1}, .size = {8, 6}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 3, 2, 2}}}, {.shape = {4, {3, 2, 3, 2}}}}},
    {.name = "1-D stride 2, dilation 3",
     .attributes =
         &(const kfi_conv){
             .spatial = 1, .stride = {2}, .dilation = {3}, .padding = KFI_SAME, .size = {11}},
     .n_in = 2,
     .in = {{.shape = {3, {2, 6, 2}}}, {.shape = {3, {4, 3, 2}}}}},
    {.name = "1x1 stride 2",
     .attributes =
         &(const kfi_conv){.spatial = 2, .stride = {2, 2}, .dilation = {1, 1}, .size = {5, 4}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 3, 2, 3}}}, {.shape = {4, {1, 1, 4, 3}}}}},
    {.name = "5x5 stride 2 to 40x40x32",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {2, 2},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {40, 40}},
     .n_in = 2,
     .in = {{.shape = {4, {4, 20, 20, 64}}}, {.shape = {4, {5, 5, 32, 64}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(conv_data_gradient) = {
    .name = "conv_data_gradient",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_data_gradient,
    .stages = {{pack_weights, tiles_pack}, {convolve_back, tiles_data_gradient}},
    .gradient = derive_data_gradient,
    .scratch = scratch_data_gradient,
    .tile_scratch = tile_scratch_data_gradient,
    .cost = cost_data_gradient,
    .examples = conv_data_gradient_examples,
};
