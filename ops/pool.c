/* max_pool(x), average_pool(x): pooling.h has the formulas. A tile is a block of places of y.
 * Where channels fill a vector, a window is gathered in registers. Where they do not, the pixels of
 * a row do: rows are joined first, then each pixel of that with its neighbours, and what stands
 * where a window begins is y. */
#include "ops/pooling.h"
#include "ops/vectors.h"

static kf_status infer_pool(kfi_shaping *s) {
    s->n_out = 1;
    const kf_status status = kfi_pool_check(s, 1);
    return status ? status : kfi_pool_infer(s->attributes, &s->in[0].shape, &s->out[0].shape);
}

/* --- many channels ---------------------------------------------------------------------------- */

/* `vectors` vectors of channels from c on. */
KFI_INLINE void pool_vectors(const bool largest, const int vectors, const kfi_pooling *p,
                             const float *x, const kfi_box *b, int64_t c, float *y) {
    const float scale = 1.0f / (float)kfi_box_volume(b);
    const float *first =
        x + kfi_pool_place(p, 0, b->axis[0].first, b->axis[1].first, b->axis[2].first) + c;
    kfi_vector sum[KFI_VECTORS];
    for (int v = 0; v < vectors; v++)
        sum[v] = largest ? kfi_load(first + v * KFI_LANES) : (kfi_vector){0};
    for (int64_t i = b->axis[0].first; i < b->axis[0].last; i++)
        for (int64_t j = b->axis[1].first; j < b->axis[1].last; j++) {
            const float *from = x + kfi_pool_place(p, 0, i, j, b->axis[2].first) + c;
            for (int64_t k = b->axis[2].first; k < b->axis[2].last; k++, from += p->channels)
                for (int v = 0; v < vectors; v++) {
                    const kfi_vector value = kfi_load(from + v * KFI_LANES);
                    sum[v] = largest ? kfi_larger_lanes(value, sum[v]) : sum[v] + value;
                }
        }
    for (int v = 0; v < vectors; v++)
        kfi_store(y + c + v * KFI_LANES, largest ? sum[v] : sum[v] * scale);
}

/* A window of an image. The last vector may overlap the one before. */
KFI_INLINE void pool_window(const bool largest, const kfi_pooling *p, const float *x,
                            const kfi_box *b, float *y) {
    int64_t c = 0;
    for (; p->channels - c >= 4 * KFI_LANES && KFI_VECTORS == 4; c += 4 * KFI_LANES)
        pool_vectors(largest, KFI_VECTORS, p, x, b, c, y);
    for (; p->channels - c >= 2 * KFI_LANES; c += 2 * KFI_LANES)
        pool_vectors(largest, 2, p, x, b, c, y);
    for (; c < p->channels; c += KFI_LANES)
        pool_vectors(largest, 1, p, x, b, kfi_smaller(c, p->channels - KFI_LANES), y);
}

/* --- few channels ----------------------------------------------------------------------------- */

KFI_INLINE void join(const bool largest, const float *x, int64_t count, float *y) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] = largest ? (x[i] > y[i] ? x[i] : y[i]) : y[i] + x[i];
}

/* The rows of an image under the windows at (p0, p1), as one. */
KFI_INLINE void join_rows(const bool largest, const kfi_pooling *p, const float *x,
                          const kfi_box *b, float *row) {
    const int64_t width = p->axis[2].size * p->channels;
    memcpy(row, x + kfi_pool_place(p, 0, b->axis[0].first, b->axis[1].first, 0),
           (size_t)width * sizeof *row);
    for (int64_t i = b->axis[0].first; i < b->axis[0].last; i++)
        for (int64_t j = b->axis[1].first; j < b->axis[1].last; j++)
            if (i > b->axis[0].first || j > b->axis[1].first)
                join(largest, x + kfi_pool_place(p, 0, i, j, 0), width, row);
}

/* y of a place: scale times n neighbours, joined. */
KFI_INLINE void join_pixels(const bool largest, int64_t channels, const float *from, int64_t n,
                            float scale, float *y) {
    for (int64_t c = 0; c < channels; c++) {
        float sum = from[c];
        for (int64_t k = 1; k < n; k++) {
            const float value = from[k * channels + c];
            sum = largest ? (value > sum ? value : sum) : sum + value;
        }
        y[c] = largest ? sum : sum * scale;
    }
}

/* y of the places p2 of a row of windows, from so many rows that were joined: whole windows from
 * `at`, where neighbours are joined too. */
KFI_INLINE void pool_places_of(const bool largest, int64_t channels, const kfi_window *w,
                               int64_t rows, const float *row, const float *at, kfi_range p2,
                               float *y) {
    for (int64_t place = p2.first; place < p2.last; place++, y += channels) {
        const kfi_range under = kfi_pool_clip(w, place);
        const int64_t n = under.last - under.first, first = under.first * channels;
        const float scale = 1.0f / (float)(rows * n);
        if (n == w->kernel)
            join_pixels(largest, channels, at + first, 1, scale, y);
        else
            join_pixels(largest, channels, row + first, n, scale, y);
    }
}

/* The same, `at` having room for a row. */
KFI_INLINE void pool_joined(const bool largest, const kfi_pooling *p, int64_t rows,
                            const float *row, kfi_range p2, float *at, float *y) {
    const kfi_window *w = &p->axis[2];
    const int64_t channels = p->channels;
    const int64_t begins = kfi_larger(w->size - w->kernel + 1, 0); /* of whole windows */
    memcpy(at, row, (size_t)(begins * channels) * sizeof *at);
    for (int64_t k = 1; k < w->kernel; k++)
        join(largest, row + k * channels, begins * channels, at);
    if (channels == 1)
        pool_places_of(largest, 1, w, rows, row, at, p2, y);
    else if (channels == 3)
        pool_places_of(largest, 3, w, rows, row, at, p2, y);
    else
        pool_places_of(largest, channels, w, rows, row, at, p2, y);
}

/* --- tiles ------------------------------------------------------------------------------------ */

/* Here axes that are not there come first: the last one has rows of pixels. */
static kfi_pooling describe_forward(const kfi_call *call) {
    const kfi_pool *a = call->attributes;
    const kfi_pooling given = kfi_pool_describe(a, &call->in[0], &call->out[0]);
    kfi_pooling p = given;
    for (int i = 0; i < 3; i++) p.axis[i] = given.axis[(i + a->spatial) % 3];
    return p;
}

static int64_t places_per_tile(const kfi_pooling *p) {
    return kfi_larger(2 * KFI_TILE_ELEMENTS / kfi_larger(p->channels * kfi_pool_volume(p), 1), 1);
}

static int64_t tiles_forward(const kfi_call *call) {
    const kfi_pooling p = describe_forward(call);
    return kfi_tile_count(kfi_pool_places(&p), places_per_tile(&p));
}

static bool has_few_channels(const kfi_pooling *p) { return p->channels < KFI_LANES; }

/* A row that is joined, and the same with neighbours. */
static size_t tile_scratch_forward(const kfi_call *call) {
    const kfi_pooling p = describe_forward(call);
    if (!has_few_channels(&p)) return 0;
    return (size_t)(2 * p.axis[2].size * p.channels) * sizeof(float);
}

/* The places p2 of row `row` of y, counted through all images. */
KFI_INLINE void pool_row(const bool largest, const kfi_call *call, const kfi_pooling *p,
                         int64_t row, kfi_range p2, float *local) {
    const int64_t p1 = row % p->axis[1].positions, rest = row / p->axis[1].positions;
    const int64_t p0 = rest % p->axis[0].positions, image = rest / p->axis[0].positions;
    const float *x = kfi_in(call, 0) + kfi_pool_place(p, image, 0, 0, 0);
    float *y = kfi_out(call, 0) + (row * p->axis[2].positions + p2.first) * p->channels;
    kfi_box b = kfi_pool_box(p, p0, p1, p2.first);
    if (has_few_channels(p)) {
        const int64_t rows =
            (b.axis[0].last - b.axis[0].first) * (b.axis[1].last - b.axis[1].first);
        join_rows(largest, p, x, &b, local);
        pool_joined(largest, p, rows, local, p2, local + p->axis[2].size * p->channels, y);
        return;
    }
    for (int64_t place = p2.first; place < p2.last; place++, y += p->channels) {
        b.axis[2] = kfi_pool_clip(&p->axis[2], place);
        pool_window(largest, p, x, &b, y);
    }
}

KFI_INLINE void pool_places(const bool largest, const kfi_call *call, int64_t tile, float *local) {
    const kfi_pooling p = describe_forward(call);
    const kfi_range places = kfi_tile_range(kfi_pool_places(&p), places_per_tile(&p), tile);
    const int64_t n2 = p.axis[2].positions;
    for (int64_t place = places.first; place < places.last && p.channels > 0;) {
        const int64_t from = place % n2, count = kfi_smaller(n2 - from, places.last - place);
        pool_row(largest, call, &p, place / n2, (kfi_range){from, from + count}, local);
        place += count;
    }
}

static void max_forward(const kfi_call *call, int64_t tile, void *local) {
    pool_places(true, call, tile, local);
}

static void average_forward(const kfi_call *call, int64_t tile, void *local) {
    pool_places(false, call, tile, local);
}

static kfi_region region_forward(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const kfi_pooling p = describe_forward(call);
    const kfi_range places = kfi_tile_range(kfi_pool_places(&p), places_per_tile(&p), tile);
    const int64_t count = (places.last - places.first) * p.channels;
    return (kfi_region){places.first * p.channels, 1, count, count};
}

static kf_status derive_max_pool(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "max_pool_gradient", d->attributes, d->in[0], d->out[0], d->dout[0]);
    return KF_OK;
}

static kf_status derive_average_pool(kfi_derivation *d) {
    kfi_pool attributes = *(const kfi_pool *)d->attributes;
    for (int i = 0; i < attributes.spatial; i++)
        attributes.size[i] = d->in_type[0].shape.dims[1 + i];
    d->din[0] = kfi_derive(d, "average_pool_gradient", &attributes, d->dout[0]);
    return KF_OK;
}

static kfi_cost cost_forward(const kfi_call *call) {
    const kfi_pooling p = describe_forward(call);
    return kfi_pool_cost(call, &p);
}

static const kfi_example forward_examples[] = {
    {.name = "2x2 valid",
     .attributes = KFI_POOL_2X2,
     .n_in = 1,
     .in = {{.shape = {4, {2, 7, 5, 3}}, .distinct = true}}},
    {.name = "3x3 same, overlapping",
     .attributes = KFI_POOL_SAME,
     .n_in = 1,
     .in = {{.shape = {4, {1, 5, 6, 2}}, .distinct = true}}},
    {.name = "1-D 4 stride 3 same",
     .attributes = KFI_POOL_1D,
     .n_in = 1,
     .in = {{.shape = {3, {2, 8, 3}}, .distinct = true}}},
    {.name = "3-D",
     .attributes = KFI_POOL_3D,
     .n_in = 1,
     .in = {{.shape = {5, {1, 3, 3, 5, 2}}, .distinct = true}}},
    {.name = "3x3 stride 2 same, 71x64x33",
     .attributes = KFI_POOL_LARGE,
     .n_in = 1,
     .in = {{.shape = {4, {3, 71, 64, 33}}}},
     .large = true},
    {.name = "2x2 of three channels, 128x127x3",
     .attributes = KFI_POOL_2X2,
     .n_in = 1,
     .in = {{.shape = {4, {4, 128, 127, 3}}}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(max_pool) = {
    .name = "max_pool",
    .attributes_size = sizeof(kfi_pool),
    .infer = infer_pool,
    .stages = {{max_forward, tiles_forward}},
    .gradient = derive_max_pool,
    .tile_scratch = tile_scratch_forward,
    .cost = cost_forward,
    .examples = KFI_EXAMPLES(forward_examples),
    .region = region_forward,
};

const kfi_op KFI_OP(average_pool) = {
    .name = "average_pool",
    .attributes_size = sizeof(kfi_pool),
    .infer = infer_pool,
    .stages = {{average_forward, tiles_forward}},
    .gradient = derive_average_pool,
    .tile_scratch = tile_scratch_forward,
    .cost = cost_forward,
    .examples = KFI_EXAMPLES(forward_examples),
    .region = region_forward,
};
