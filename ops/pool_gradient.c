/* max_pool_gradient(x, y, dy), average_pool_gradient(dy): pooling.h has the formulas. A tile is a
 * band of rows of one image of dx: it goes through all windows that touch the band and writes
 * inside of the band only. */
#include "ops/pooling.h"
#include "ops/vectors.h"

static kf_status infer_max_pool_gradient(kfi_shaping *s) {
    kf_shape y;
    kf_status status = kfi_pool_check(s, 3);
    if (!status) status = kfi_pool_infer(s->attributes, &s->in[0].shape, &y);
    for (int i = 1; i < 3 && !status; i++) status = kfi_expect_shape(s, i, &y);
    return status ? status : kfi_infer_like(s, 0);
}

static kf_status infer_average_pool_gradient(kfi_shaping *s) {
    const kfi_pool *a = s->attributes;
    kf_status status = kfi_pool_check(s, 1);
    if (status) return status;
    kf_shape x = s->in[0].shape, y;
    for (int i = 0; i < a->spatial; i++) x.dims[1 + i] = a->size[i];
    status = kfi_pool_infer(a, &x, &y);
    if (!status) status = kfi_expect_shape(s, 0, &y);
    s->n_out = 1;
    s->out[0].shape = x;
    return status;
}

/* Rows of axis 0 in a band: enough for a tile, and no fewer than make the windows that reach into
 * two bands, which both must go through, the exception. */
static int64_t rows_per_band(const kfi_pooling *p) {
    const int64_t row = p->axis[1].size * p->axis[2].size * p->channels;
    const int64_t overlap = p->axis[0].kernel - p->axis[0].stride;
    const int64_t enough = KFI_TILE_ELEMENTS / 2 / kfi_larger(row, 1);
    const int64_t stride = kfi_larger(p->axis[0].stride, 1);
    return kfi_larger(kfi_larger(enough, 4 * overlap) / stride, 1) * stride;
}

static int64_t bands_per_image(const kfi_pooling *p) {
    return kfi_tile_count(p->axis[0].size, rows_per_band(p));
}

/* What a window of the backward pass works on; `rows` is the band. */
typedef struct backward {
    const float *x, *y, *dy; /* y and dy at the window; x of all images; x, y only for max */
    float *dx;
    int64_t image;
    kfi_range rows;
    int32_t *taken; /* by channel: whether the maximum has been met */
    bool adds;      /* windows overlap, or leave gaps: dx is zero before the first of them */
} backward;

/* Every place that equals the maximum and is the first to do so gets dy: `vectors` vectors of
 * channels from c on, of which the first `done` have theirs already. */
KFI_INLINE void give_vectors(int vectors, const kfi_pooling *p, const kfi_box *w, const backward *b,
                             int64_t c, int done) {
    kfi_vector y[KFI_VECTORS], dy[KFI_VECTORS];
    kfi_lane_mask taken[KFI_VECTORS];
    for (int v = 0; v < vectors; v++) {
        y[v] = kfi_load(b->y + c + v * KFI_LANES);
        dy[v] = kfi_load(b->dy + c + v * KFI_LANES);
        taken[v] = (kfi_lane_mask){0};
    }
    for (int lane = 0; lane < done && b->adds; lane++) dy[0][lane] = 0;
    for (int64_t i = w->axis[0].first; i < w->axis[0].last; i++) {
        const bool inside = i >= b->rows.first && i < b->rows.last;
        for (int64_t j = w->axis[1].first; j < w->axis[1].last; j++)
            for (int64_t k = w->axis[2].first; k < w->axis[2].last; k++) {
                const int64_t at = kfi_pool_place(p, b->image, i, j, k) + c;
                for (int v = 0; v < vectors; v++) {
                    const kfi_lane_mask hit =
                        (kfi_load(b->x + at + v * KFI_LANES) == y[v]) & ~taken[v];
                    const kfi_vector given = (kfi_vector)((kfi_lane_mask)dy[v] & hit);
                    float *dx = b->dx + at + v * KFI_LANES;
                    taken[v] |= hit;
                    if (inside) kfi_store(dx, b->adds ? kfi_load(dx) + given : given);
                }
            }
    }
}

/* A window of at least KFI_LANES channels; the last vector may overlap the one before. */
static void give_channels(const kfi_pooling *p, const kfi_box *w, const backward *b) {
    int64_t c = 0;
    for (; p->channels - c >= KFI_SUM_COLUMNS; c += KFI_SUM_COLUMNS)
        give_vectors(KFI_VECTORS, p, w, b, c, 0);
    for (; p->channels - c >= KFI_LANES; c += KFI_LANES) give_vectors(1, p, w, b, c, 0);
    const int64_t last = p->channels - KFI_LANES;
    if (c < p->channels) give_vectors(1, p, w, b, last, (int)(c - last));
}

/* Vectorised over channels: every place that equals the maximum and is the first to do so. */
static void give_first(const float *x, const backward *b, float *dx, int32_t *taken,
                       int64_t channels) {
    const float *y = b->y, *dy = b->dy;
    if (dx) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const int32_t hit = (x[c] == y[c]) & ~taken[c];
            dx[c] += hit ? dy[c] : 0.0f;
            taken[c] |= hit;
        }
    } else {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) taken[c] |= x[c] == y[c];
    }
}

static void max_backward_window(const kfi_pooling *p, const kfi_box *w, const backward *b) {
    if (p->channels >= KFI_LANES) {
        give_channels(p, w, b);
        return;
    }
    memset(b->taken, 0, (size_t)p->channels * sizeof *b->taken);
    for (int64_t i = w->axis[0].first; i < w->axis[0].last; i++) {
        const bool inside = i >= b->rows.first && i < b->rows.last;
        for (int64_t j = w->axis[1].first; j < w->axis[1].last; j++)
            for (int64_t k = w->axis[2].first; k < w->axis[2].last; k++) {
                const int64_t at = kfi_pool_place(p, b->image, i, j, k);
                give_first(b->x + at, b, inside ? b->dx + at : NULL, b->taken, p->channels);
            }
    }
}

static void average_backward_window(const kfi_pooling *p, const kfi_box *w, const backward *b) {
    const float scale = 1.0f / (float)kfi_box_volume(w);
    const int64_t first = kfi_larger(w->axis[0].first, b->rows.first);
    const int64_t last = kfi_smaller(w->axis[0].last, b->rows.last);
    for (int64_t i = first; i < last; i++)
        for (int64_t j = w->axis[1].first; j < w->axis[1].last; j++)
            for (int64_t k = w->axis[2].first; k < w->axis[2].last; k++)
                kfi_add_scaled(b->dx + kfi_pool_place(p, b->image, i, j, k), b->dy, scale,
                               p->channels);
}

/* Whether each place is under one window. */
static bool covers_once(const kfi_pooling *p) {
    for (int i = 0; i < 3; i++) {
        const kfi_window *w = &p->axis[i];
        if (w->kernel != w->stride || w->positions * w->stride - w->before < w->size) return false;
    }
    return true;
}

/* The windows of axis 0 that reach into the rows. */
static kfi_range windows_over(const kfi_window *w, kfi_range rows) {
    const int64_t above = rows.first + w->before - w->kernel + 1;
    return (kfi_range){above > 0 ? kfi_divide_up(above, w->stride) : 0,
                       kfi_smaller((rows.last - 1 + w->before) / w->stride + 1, w->positions)};
}

typedef void backward_window(const kfi_pooling *, const kfi_box *, const backward *);

/* dx is cleared where need be, then each window gives to it; `b` comes with the arrays of the whole
 * call. */
static void go_backward(const kfi_pooling *p, int64_t tile, backward b, backward_window *window) {
    const float *y = b.y, *dy = b.dy;
    b.image = tile / bands_per_image(p);
    b.rows = kfi_tile_range(p->axis[0].size, rows_per_band(p), tile % bands_per_image(p));
    const int64_t first = kfi_pool_place(p, b.image, b.rows.first, 0, 0);
    const int64_t last = kfi_pool_place(p, b.image, b.rows.last, 0, 0);
    b.adds = !b.y || p->channels < KFI_LANES || !covers_once(p);
    if (b.adds) memset(b.dx + first, 0, (size_t)(last - first) * sizeof *b.dx);
    const kfi_range over = windows_over(&p->axis[0], b.rows);
    const int64_t n1 = p->axis[1].positions, n2 = p->axis[2].positions;
    int64_t at = (b.image * p->axis[0].positions + over.first) * n1 * n2 * p->channels;
    for (int64_t p0 = over.first; p0 < over.last; p0++)
        for (int64_t p1 = 0; p1 < n1; p1++)
            for (int64_t p2 = 0; p2 < n2; p2++, at += p->channels) {
                const kfi_box w = kfi_pool_box(p, p0, p1, p2);
                b.y = y ? y + at : NULL;
                b.dy = dy + at;
                window(p, &w, &b);
            }
}

/* The band of a tile. */
static kfi_region region_of_band(const kfi_pooling *p, int64_t tile) {
    if (p->batch == 0) return (kfi_region){0};
    const int64_t bands = bands_per_image(p);
    const kfi_range rows = kfi_tile_range(p->axis[0].size, rows_per_band(p), tile % bands);
    const int64_t first = kfi_pool_place(p, tile / bands, rows.first, 0, 0);
    const int64_t count = kfi_pool_place(p, tile / bands, rows.last, 0, 0) - first;
    return (kfi_region){first, 1, count, count};
}

static kfi_pooling describe_max_backward(const kfi_call *call) {
    return kfi_pool_describe(call->attributes, &call->out[0], &call->in[1]);
}

static int64_t tiles_max_backward(const kfi_call *call) {
    const kfi_pooling p = describe_max_backward(call);
    return kfi_larger(p.batch * bands_per_image(&p), 1);
}

static size_t tile_scratch_max_backward(const kfi_call *call) {
    return (size_t)describe_max_backward(call).channels * sizeof(int32_t);
}

static void max_backward(const kfi_call *call, int64_t tile, void *local) {
    const kfi_pooling p = describe_max_backward(call);
    if (p.batch == 0) return;
    const backward b = {.x = kfi_in(call, 0),
                        .y = kfi_in(call, 1),
                        .dy = kfi_in(call, 2),
                        .dx = kfi_out(call, 0),
                        .taken = local};
    go_backward(&p, tile, b, max_backward_window);
}

static kfi_region region_max_backward(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const kfi_pooling p = describe_max_backward(call);
    return region_of_band(&p, tile);
}

static kfi_pooling describe_average_backward(const kfi_call *call) {
    return kfi_pool_describe(call->attributes, &call->out[0], &call->in[0]);
}

static int64_t tiles_average_backward(const kfi_call *call) {
    const kfi_pooling p = describe_average_backward(call);
    return kfi_larger(p.batch * bands_per_image(&p), 1);
}

static void average_backward(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_pooling p = describe_average_backward(call);
    if (p.batch == 0) return;
    const backward b = {.dy = kfi_in(call, 0), .dx = kfi_out(call, 0)};
    go_backward(&p, tile, b, average_backward_window);
}

static kfi_region region_average_backward(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const kfi_pooling p = describe_average_backward(call);
    return region_of_band(&p, tile);
}

static kf_status derive_average_pool_gradient(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "average_pool", d->attributes, d->dout[0]);
    return KF_OK;
}

static kfi_cost cost_max_backward(const kfi_call *call) {
    const kfi_pooling p = describe_max_backward(call);
    return kfi_pool_cost(call, &p);
}

static kfi_cost cost_average_backward(const kfi_call *call) {
    const kfi_pooling p = describe_average_backward(call);
    return kfi_pool_cost(call, &p);
}

/* Such random y are no maxima of x, so dx is mostly zero; tests/ops/pool.c checks the values. */
static const kfi_example max_backward_examples[] = {
    {.name = "2x2 valid",
     .attributes = KFI_POOL_2X2,
     .n_in = 3,
     .in = {{.shape = {4, {2, 7, 5, 3}}},
            {.shape = {4, {2, 3, 2, 3}}},
            {.shape = {4, {2, 3, 2, 3}}}}},
    {.name = "1-D 4 stride 3 same",
     .attributes = KFI_POOL_1D,
     .n_in = 3,
     .in = {{.shape = {3, {2, 8, 3}}}, {.shape = {3, {2, 3, 3}}}, {.shape = {3, {2, 3, 3}}}}},
    {.name = "3x3 stride 2 same, 71x64x33",
     .attributes = KFI_POOL_LARGE,
     .n_in = 3,
     .in = {{.shape = {4, {3, 71, 64, 33}}},
            {.shape = {4, {3, 36, 32, 33}}},
            {.shape = {4, {3, 36, 32, 33}}}},
     .large = true},
    {0},
};

static const kfi_example average_backward_examples[] = {
    {.name = "2x2 valid",
     .attributes = KFI_POOL_2X2,
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 2, 3}}}}},
    {.name = "3x3 same, overlapping",
     .attributes = KFI_POOL_SAME,
     .n_in = 1,
     .in = {{.shape = {4, {1, 5, 6, 2}}}}},
    {.name = "1-D 4 stride 3 same",
     .attributes = KFI_POOL_1D,
     .n_in = 1,
     .in = {{.shape = {3, {2, 3, 3}}}}},
    {.name = "3x3 stride 2 same, 71x64x33",
     .attributes = KFI_POOL_LARGE,
     .n_in = 1,
     .in = {{.shape = {4, {3, 36, 32, 33}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(max_pool_gradient) = {
    .name = "max_pool_gradient",
    .attributes_size = sizeof(kfi_pool),
    .infer = infer_max_pool_gradient,
    .stages = {{max_backward, tiles_max_backward}},
    .tile_scratch = tile_scratch_max_backward,
    .cost = cost_max_backward,
    .examples = KFI_EXAMPLES(max_backward_examples),
    .region = region_max_backward,
};

const kfi_op KFI_OP(average_pool_gradient) = {
    .name = "average_pool_gradient",
    .attributes_size = sizeof(kfi_pool),
    .infer = infer_average_pool_gradient,
    .stages = {{average_backward, tiles_average_backward}},
    .gradient = derive_average_pool_gradient,
    .cost = cost_average_backward,
    .examples = KFI_EXAMPLES(average_backward_examples),
    .region = region_average_backward,
};
