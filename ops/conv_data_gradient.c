/* conv_data_gradient(dy, w) -> dx, also the forward of transposed convolution (convolution.h has
 * the formula). It gathers: the places of x fall into phases by place mod stride, and each tap of w
 * reaches one phase only; so a place of x is written by one tile, no zeros are multiplied, and
 * strides cost nothing. Stage 1 packs w by phases, stage 2 is for ways that prepare weights; in
 * stage 3 each phase is a gathering: patches of dy times that phase's weights; stage 4 joins phases
 * where there are several. */
#include "ops/conv_ways.h"

enum { PACK = 16 };

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

static int64_t count_taps_of(const kfi_convolution *c) {
    return c->axis[0].kernel * c->axis[1].kernel * c->axis[2].kernel;
}

static int64_t count_packed(const kfi_convolution *c) {
    return count_taps_of(c) * c->out * kfi_whole_vectors(c->in);
}

/* Where the packed weights of a phase start, counted in taps. */
static int64_t taps_before(const kfi_convolution *c, const phase *p) {
    const phase_axis *a = p->axis;
    const int64_t k1 = c->axis[1].kernel, k2 = c->axis[2].kernel;
    return a[0].taps_before * k1 * k2 + a[0].taps * a[1].taps_before * k2 +
           a[0].taps * a[1].taps * a[2].taps_before;
}

static kfi_convolution describe_data_gradient(const kfi_call *call) {
    return kfi_conv_describe(call->attributes, &call->out[0], &call->in[1], &call->in[0]);
}

/* Where the packed weights of a phase begin: those before it take whole vectors at most. */
static float *packed_weights(const kfi_call *call, const kfi_convolution *c, const phase *p) {
    return (float *)call->scratch + taps_before(c, p) * c->out * kfi_whole_vectors(c->in);
}

/* Behind all of them stands what a way prepares: one that does takes no phases. */
static float *prepared_weights(const kfi_call *call, const kfi_convolution *c) {
    return (float *)call->scratch + count_packed(c);
}

/* There too stands dx of several phases until they are all there: what a tile of a phase makes is
 * no piece of dx that could be handed on. */
static bool is_joined(const kfi_convolution *c) { return count_phases(c) > 1; }

/* A phase as a gathering of dy. */
static kfi_gathering gathering_of(const kfi_call *call, const kfi_convolution *c, const phase *p) {
    kfi_gathering g = {.patches = {.source = kfi_in(call, 0), .channels = c->out},
                       .batch = c->batch,
                       .out = c->in,
                       .to = kfi_out(call, 0),
                       .exact = ((const kfi_conv *)call->attributes)->exact};
    for (int i = 0; i < 3; i++) {
        const phase_axis *a = &p->axis[i];
        g.patches.axis[i] =
            (kfi_patch_axis){c->axis[i].positions, a->places, 1, a->first, a->step, a->taps};
        g.land[i] = (kfi_landing_axis){a->phase, c->axis[i].stride, c->axis[i].size};
    }
    kfi_set_blocks(&g, kfi_choose_way(&g));
    if (!call->scratch) return g;
    g.w = packed_weights(call, c, p);
    g.prepared = prepared_weights(call, c);
    if (is_joined(c)) g.to = prepared_weights(call, c);
    return g;
}

static kfi_gathering gathering_at(const kfi_call *call, const kfi_convolution *c, int64_t index) {
    const phase p = phase_at(c, index);
    return gathering_of(call, c, &p);
}

/* --- weights ---------------------------------------------------------------------------------- */

static size_t scratch_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    const kfi_gathering g = gathering_at(call, &c, 0);
    const kfi_conv_way *way = kfi_choose_way(&g);
    int64_t more = way->prepare ? way->prepared_floats(&g) : 0;
    if (is_joined(&c)) more = kfi_count(&call->out[0]);
    return (size_t)(count_packed(&c) + more) * sizeof(float);
}

/* Packing goes by squares: PACK output channels of a tap, whose columns become rows. */
static int64_t pack_squares(const kfi_convolution *c) { return kfi_divide_up(c->out, PACK); }

static int64_t pack_step(const kfi_convolution *c) {
    return kfi_larger(KFI_TILE_ELEMENTS / 4 / (PACK * kfi_larger(c->in, 1)), 1);
}

static int64_t tiles_pack(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return kfi_tile_count(count_taps_of(&c) * pack_squares(&c), pack_step(&c));
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

/* from (in, out), these columns of it -> as rows from `row` on into the phase's weights. */
static void transpose_columns(const kfi_gathering *g, const float *from, kfi_range columns,
                              int64_t row, float *w) {
    const int64_t outs = g->patches.channels, width = columns.last - columns.first;
    for (int64_t first = 0; first < g->out; first += g->w_block) {
        const int64_t step = kfi_weight_row(g, first), count = kfi_smaller(step, g->out - first);
        float *to = w + kfi_weight_block(g, first) + (row + columns.first) * step;
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < width; j++)
                to[j * step + i] = from[(first + i) * outs + columns.first + j];
        for (int64_t j = 0; j < width; j++) kfi_zero_floats(to + j * step + count, step - count);
    }
}

/* w (taps…, in, out) -> for each phase (taps of the phase, out, in). */
static void pack_weights(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_convolution c = describe_data_gradient(call);
    const int64_t k1 = c.axis[1].kernel, k2 = c.axis[2].kernel, squares = pack_squares(&c);
    const kfi_range units = kfi_tile_range(count_taps_of(&c) * squares, pack_step(&c), tile);
    for (int64_t unit = units.first; unit < units.last; unit++) {
        const int64_t tap = unit / squares;
        int64_t number;
        const phase p =
            phase_of_tap(&c, (const int64_t[]){tap / (k1 * k2), tap / k2 % k1, tap % k2}, &number);
        const kfi_gathering g = gathering_of(call, &c, &p);
        transpose_columns(&g, kfi_in(call, 1) + tap * c.in * c.out,
                          kfi_tile_range(c.out, PACK, unit % squares), number * c.out,
                          packed_weights(call, &c, &p));
    }
}

static int64_t tiles_prepare(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    const kfi_gathering g = gathering_at(call, &c, 0);
    const kfi_conv_way *way = kfi_choose_way(&g);
    return way->prepare ? way->prepare_tiles(&g) : 1;
}

static void prepare_weights(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_convolution c = describe_data_gradient(call);
    const kfi_gathering g = gathering_at(call, &c, 0);
    const kfi_conv_way *way = kfi_choose_way(&g);
    if (way->prepare) way->prepare(&g, tile, prepared_weights(call, &c));
}

/* --- dx --------------------------------------------------------------------------------------- */

static int64_t tiles_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    int64_t tiles = 0;
    for (int64_t i = 0; i < count_phases(&c); i++) {
        const kfi_gathering g = gathering_at(call, &c, i);
        tiles += kfi_choose_way(&g)->tiles(&g);
    }
    return tiles;
}

static size_t tile_scratch_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    size_t most = 0;
    for (int64_t i = 0; i < count_phases(&c); i++) {
        const kfi_gathering g = gathering_at(call, &c, i);
        const size_t bytes = kfi_choose_way(&g)->local_bytes(&g);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* The phase of a tile, which becomes its number within the phase. */
static kfi_gathering gathering_of_tile(const kfi_call *call, int64_t *tile) {
    const kfi_convolution c = describe_data_gradient(call);
    for (int64_t i = 0;; i++) {
        const kfi_gathering g = gathering_at(call, &c, i);
        const int64_t tiles = kfi_choose_way(&g)->tiles(&g);
        if (*tile < tiles) return g;
        *tile -= tiles;
    }
}

static void convolve_back(const kfi_call *call, int64_t tile, void *local) {
    const kfi_gathering g = gathering_of_tile(call, &tile);
    kfi_choose_way(&g)->run(&g, tile, local);
}

static int64_t tiles_join(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    return is_joined(&c) ? kfi_element_tiles(call) : 1;
}

static void join_phases(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_convolution c = describe_data_gradient(call);
    if (!is_joined(&c)) return;
    const kfi_span span = kfi_element_span(call, tile);
    kfi_copy_floats(kfi_out(call, 0) + span.begin, prepared_weights(call, &c) + span.begin,
                    span.end - span.begin);
}

static kfi_region region_data_gradient(const kfi_call *call, int stage, int64_t tile) {
    const kfi_convolution c = describe_data_gradient(call);
    const bool joined = is_joined(&c);
    if (stage != (joined ? 3 : 2)) return (kfi_region){0};
    if (joined) return kfi_element_region(call, stage, tile);
    const kfi_gathering g = gathering_at(call, &c, 0);
    return kfi_choose_way(&g)->region(&g, tile);
}

static kf_status derive_data_gradient(kfi_derivation *d) {
    const kfi_value dy = d->in[0], w = d->in[1], ddx = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_derive(d, "conv", d->attributes, ddx, w);
    if (d->wanted[1]) d->din[1] = kfi_conv_derive_weight(d, ddx, dy, &d->in_type[1].shape);
    return KF_OK;
}

static kfi_cost cost_data_gradient(const kfi_call *call) {
    const kfi_convolution c = describe_data_gradient(call);
    kfi_cost cost = {0, kfi_call_bytes(call)};
    for (int64_t i = 0; i < count_phases(&c); i++) {
        const kfi_gathering g = gathering_at(call, &c, i);
        cost.flops += kfi_choose_way(&g)->flops(&g);
    }
    return cost;
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
    {.name = "3x3 of 48 to 32 channels at 29x31",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {29, 31}},
     .n_in = 2,
     .in = {{.shape = {4, {3, 29, 31, 32}}}, {.shape = {4, {3, 3, 48, 32}}}},
     .large = true},
    {.name = "3x3 to three channels at 96x96",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {96, 96}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 96, 96, 3}}}, {.shape = {4, {3, 3, 3, 3}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(conv_data_gradient) = {
    .name = "conv_data_gradient",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_data_gradient,
    .stages = {{pack_weights, tiles_pack},
               {prepare_weights, tiles_prepare},
               {convolve_back, tiles_data_gradient},
               {join_phases, tiles_join}},
    .gradient = derive_data_gradient,
    .scratch = scratch_data_gradient,
    .tile_scratch = tile_scratch_data_gradient,
    .cost = cost_data_gradient,
    .examples = KFI_EXAMPLES(conv_data_gradient_examples),
    .region = region_data_gradient,
};
