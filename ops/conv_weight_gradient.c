/* conv_weight_gradient(x, dy) -> dw (convolution.h has the formula): the patches of x, transposed,
 * times dy. The long sum over places is cut into a number of slices that depends on the shape
 * alone; stage 1 gives each slice its own sum, stage 2 adds them in order and makes dw of them. */
#include "ops/conv_outer.h"
#include "ops/conv_outer_few.h"
#include "ops/conv_outer_winograd.h"
#include "ops/convolution.h"
#include "ops/kernels/forced_way.h"

enum { MAX_SLICES = 64, MAX_SLICE_BYTES = 32 << 20 };
#define SLICE_FLOPS 3e7

/* A way to sum: over `summands` (places, or tiles of places) into `rows` rows of dw's columns. */
typedef struct way way;

/* Stage 1 has slices * groups tiles: a group is some columns of dw, or a part of their rows. */
typedef struct cut {
    const way *way;
    kfi_patches patches;
    int64_t batch, out;
    int64_t summands, rows;
    int64_t row;            /* of a slice's sum: its columns up to whole vectors */
    int64_t columns, parts; /* of dw in a group, and how many groups sum parts of these */
    int64_t slices, groups;
    bool exact;
} cut;

struct way {
    const char *name;
    bool (*fits)(const cut *t);
    int64_t least; /* summands in a slice: what pays for a sum of its own */
    int64_t (*summands)(const cut *t);
    int64_t (*rows)(const cut *t);
    double (*cycles)(const cut *t); /* of one core */
    size_t (*local_bytes)(const cut *t);
    void (*divide)(cut *t); /* columns and parts; NULL: KFI_SUM_COLUMNS and one */
    void (*sum)(const cut *t, const kfi_outer *o, int64_t part, void *local);
    /* dw is made of the sum in independent units, each of `points` rows, equally far apart. */
    int64_t points;
    int64_t (*units)(const cut *t);
    void (*finish)(const cut *t, int64_t unit, const float *sum, float *dw);
};

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

/* --- directly --------------------------------------------------------------------------------- */

static bool any_fits(const cut *t) {
    (void)t;
    return true;
}
static int64_t count_places(const cut *t) { return t->batch * kfi_patch_positions(&t->patches); }
static int64_t count_values(const cut *t) { return kfi_patch_values(&t->patches); }

/* The last columns are rounded up to whole vectors; fewer than six values leave too few sums. */
static double direct_cycles(const cut *t) {
    return (double)count_places(t) * (double)count_values(t) * (double)t->row /
           (2.0 * KFI_LANES * 0.75);
}

static size_t direct_local_bytes(const cut *t) { return kfi_outer_local_bytes(&t->patches); }

static void clear_sum(const cut *t, const kfi_outer *o) {
    const int64_t width = kfi_whole_vectors(o->columns.last - o->columns.first);
    for (int64_t i = 0; i < t->rows; i++)
        kfi_zero_floats(o->dw + i * t->row + o->columns.first, width);
}

static void sum_direct(const cut *t, const kfi_outer *o, int64_t part, void *local) {
    (void)part;
    clear_sum(t, o);
    kfi_add_outer_products(o, local);
}

static void finish_direct(const cut *t, int64_t unit, const float *sum, float *dw) {
    kfi_copy_floats(dw + unit * t->out, sum + unit * t->row, t->out);
}

/* --- by Winograd tiles ------------------------------------------------------------------------ */

static bool winograd_fits(const cut *t) {
    return !t->exact && kfi_outer_winograd_fits(&t->patches, t->batch, t->out);
}

static int64_t count_tiles(const cut *t) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&t->patches, t->batch);
    return kfi_winograd_count(&grid);
}

static int64_t count_pair_rows(const cut *t) { return kfi_outer_winograd_rows(&t->patches); }

static void divide_winograd(cut *t) {
    const kfi_outer_winograd_cut by = kfi_outer_winograd_cut_of(&t->patches, t->out);
    t->columns = by.columns;
    t->parts = by.parts;
}

static double winograd_cycles(const cut *t) {
    return kfi_outer_winograd_cycles(&t->patches, t->batch, t->out);
}

static size_t winograd_local_bytes(const cut *t) {
    return kfi_outer_winograd_local_bytes(&t->patches, t->out);
}

static void sum_winograd(const cut *t, const kfi_outer *o, int64_t part, void *local) {
    if (part == 0 && o->places.first >= o->places.last) clear_sum(t, o);
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&t->patches, t->batch);
    kfi_sum_outer_winograd(o, &grid, part, local);
}

static int64_t count_channels(const cut *t) { return t->patches.channels; }

static void finish_winograd(const cut *t, int64_t unit, const float *sum, float *dw) {
    kfi_finish_outer_winograd(&t->patches, t->out, unit, sum, t->row, dw);
}

/* --- few columns: summands are strips of places -------------------------------------------------
 */

static bool few_fits(const cut *t) { return kfi_outer_few_fits(&t->patches, t->batch, t->out); }

static int64_t count_strips(const cut *t) {
    return count_places(t) / kfi_larger(t->patches.axis[2].positions, 1);
}

static double few_cycles(const cut *t) {
    const double lanes = (double)kfi_few_dy_width(&t->patches) * (double)t->out / KFI_LANES;
    return (double)count_strips(t) * (double)count_values(t) * (lanes + 10);
}

static size_t few_local_bytes(const cut *t) {
    return kfi_outer_few_local_bytes(&t->patches, t->out);
}

static void sum_few(const cut *t, const kfi_outer *o, int64_t part, void *local) {
    (void)part;
    clear_sum(t, o);
    kfi_add_outer_few(o, local);
}

static const way ways[] = {
    {.name = "direct",
     .fits = any_fits,
     .least = 96,
     .summands = count_places,
     .rows = count_values,
     .cycles = direct_cycles,
     .local_bytes = direct_local_bytes,
     .sum = sum_direct,
     .points = 1,
     .units = count_values,
     .finish = finish_direct},
    {.name = "winograd",
     .fits = winograd_fits,
     .least = 96,
     .summands = count_tiles,
     .rows = count_pair_rows,
     .cycles = winograd_cycles,
     .local_bytes = winograd_local_bytes,
     .divide = divide_winograd,
     .sum = sum_winograd,
     .points = KFI_POINT_PAIRS,
     .units = count_channels,
     .finish = finish_winograd},
    {.name = "few",
     .fits = few_fits,
     .least = 4,
     .summands = count_strips,
     .rows = count_values,
     .cycles = few_cycles,
     .local_bytes = few_local_bytes,
     .sum = sum_few,
     .points = 1,
     .units = count_values,
     .finish = finish_direct},
};
enum { N_WAYS = sizeof ways / sizeof ways[0] };

/* --- the choice, and how the sum is cut ------------------------------------------------------- */

static const way *choose_way(const cut *t) {
    const char *forced = kfi_forced_way();
    const way *best = NULL;
    for (int i = 0; i < N_WAYS; i++) {
        if (!ways[i].fits(t)) continue;
        if (forced && strcmp(forced, ways[i].name) == 0) return &ways[i];
        if (!best || ways[i].cycles(t) < best->cycles(t)) best = &ways[i];
    }
    return best;
}

static double count_flops(const cut *t) {
    const double width = t->way->sum == sum_few ? (double)kfi_few_dy_width(&t->patches) : 1;
    return 2 * (double)t->summands * width * (double)t->rows * (double)t->out;
}

static cut cut_call(const kfi_call *call) {
    const kfi_convolution c = describe_weight_gradient(call);
    cut t = {.patches = kfi_conv_patches(&c, kfi_in(call, 0)),
             .batch = c.batch,
             .out = c.out,
             .row = kfi_whole_vectors(c.out),
             .columns = KFI_SUM_COLUMNS,
             .parts = 1,
             .exact = ((const kfi_conv *)call->attributes)->exact};
    t.way = choose_way(&t);
    t.summands = t.way->summands(&t);
    t.rows = t.way->rows(&t);
    if (t.way->divide) t.way->divide(&t);
    t.groups = kfi_tile_count(t.out, t.columns) * t.parts;
    /* lanes of places reach a fourth of the direct way's speed */
    const double flops = count_flops(&t) * (t.way->sum == sum_few ? 4 : 1);
    const int64_t bytes = kfi_larger(t.rows * t.row, 1) * (int64_t)sizeof(float);
    const int64_t affordable = kfi_clamp(MAX_SLICE_BYTES / bytes, 1, MAX_SLICES);
    const int64_t filled = kfi_clamp(t.summands / t.way->least, 1, affordable);
    t.slices = kfi_clamp((int64_t)(flops / ((double)t.groups * SLICE_FLOPS)), 1, filled);
    return t;
}

static int64_t tiles_slices(const kfi_call *call) {
    const cut t = cut_call(call);
    return t.slices * t.groups;
}

static size_t scratch_weight_gradient(const kfi_call *call) {
    const cut t = cut_call(call);
    return (size_t)(t.slices * t.rows * t.row) * sizeof(float);
}

static size_t tile_scratch_weight_gradient(const kfi_call *call) {
    const cut t = cut_call(call);
    return t.way->local_bytes(&t);
}

static void sum_slice(const kfi_call *call, int64_t tile, void *local) {
    const cut t = cut_call(call);
    const int64_t slice = tile / t.groups, group = tile % t.groups;
    const kfi_outer o = {.patches = t.patches,
                         .dy = kfi_in(call, 1),
                         .out = t.out,
                         .places = kfi_slice_range(t.summands, t.slices, slice),
                         .columns = kfi_tile_range(t.out, t.columns, group / t.parts),
                         .dw = (float *)call->scratch + slice * t.rows * t.row,
                         .dw_row = t.row};
    t.way->sum(&t, &o, group % t.parts, local);
}

/* --- stage 2: units are values of a patch, or channels with all their points --------------------
 */

static int64_t unit_step(const cut *t) {
    const int64_t floats = t->slices * t->row * t->way->points;
    return kfi_larger(KFI_TILE_ELEMENTS / kfi_larger(floats, 1), 1);
}

static int64_t tiles_sum(const kfi_call *call) {
    const cut t = cut_call(call);
    return kfi_tile_count(t.way->units(&t), unit_step(&t));
}

/* The other slices' rows of a unit are added to the first one's. */
static void add_slices(const cut *t, int64_t unit, float *sums) {
    const int64_t step = t->rows / t->way->points;
    for (int64_t point = 0; point < t->way->points; point++)
        for (int64_t slice = 1; slice < t->slices; slice++) {
            float *to = sums + (point * step + unit) * t->row;
            const float *from = to + slice * t->rows * t->row;
#pragma omp simd
            for (int64_t i = 0; i < t->row; i++) to[i] += from[i];
        }
}

static void finish(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const cut t = cut_call(call);
    const kfi_range units = kfi_tile_range(t.way->units(&t), unit_step(&t), tile);
    for (int64_t unit = units.first; unit < units.last; unit++) {
        add_slices(&t, unit, call->scratch);
        t.way->finish(&t, unit, call->scratch, kfi_out(call, 0));
    }
}

static kf_status derive_weight_gradient(kfi_derivation *d) {
    const kfi_value x = d->in[0], dy = d->in[1], ddw = d->dout[0];
    if (d->wanted[0]) d->din[0] = kfi_conv_derive_data(d, dy, ddw, &d->in_type[0].shape);
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "conv", d->attributes, x, ddw);
    return KF_OK;
}

static kfi_cost cost_weight_gradient(const kfi_call *call) {
    const cut t = cut_call(call);
    return (kfi_cost){count_flops(&t), kfi_call_bytes(call)};
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
    {.name = "3x3 from one channel at 28x28",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {3, 3}},
     .n_in = 2,
     .in = {{.shape = {4, {16, 28, 28, 1}}}, {.shape = {4, {16, 28, 28, 32}}}},
     .large = true},
    {.name = "3x3 from three channels to three",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {3, 3}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 96, 96, 3}}}, {.shape = {4, {2, 96, 96, 3}}}},
     .large = true},
    {.name = "5x5 of 32 to 48 channels at 31x30",
     .attributes = &(const kfi_conv){.spatial = 2,
                                     .stride = {1, 1},
                                     .dilation = {1, 1},
                                     .padding = KFI_SAME,
                                     .size = {5, 5}},
     .n_in = 2,
     .in = {{.shape = {4, {2, 31, 30, 32}}}, {.shape = {4, {2, 31, 30, 48}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(conv_weight_gradient) = {
    .name = "conv_weight_gradient",
    .attributes_size = sizeof(kfi_conv),
    .infer = infer_weight_gradient,
    .stages = {{sum_slice, tiles_slices}, {finish, tiles_sum}},
    .gradient = derive_weight_gradient,
    .scratch = scratch_weight_gradient,
    .tile_scratch = tile_scratch_weight_gradient,
    .cost = cost_weight_gradient,
    .examples = KFI_EXAMPLES(conv_weight_gradient_examples),
};
