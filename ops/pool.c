/* max_pool(x), average_pool(x): pooling.h has the formulas. A tile is a block of places of y. */
#include "ops/pooling.h"

static kf_status infer_pool(kfi_shaping *s) {
    s->n_out = 1;
    const kf_status status = kfi_pool_check(s, 1);
    return status ? status : kfi_pool_infer(s->attributes, &s->in[0].shape, &s->out[0].shape);
}

static void take_larger(float *y, const float *x, int64_t channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) y[c] = x[c] > y[c] ? x[c] : y[c];
}

static void pool_max(const kfi_pooling *p, const float *x, int64_t image, const kfi_box *b,
                     float *y) {
    const int64_t first =
        kfi_pool_place(p, image, b->axis[0].first, b->axis[1].first, b->axis[2].first);
    memcpy(y, x + first, (size_t)p->channels * sizeof *y);
    for (int64_t i = b->axis[0].first; i < b->axis[0].last; i++)
        for (int64_t j = b->axis[1].first; j < b->axis[1].last; j++)
            for (int64_t k = b->axis[2].first; k < b->axis[2].last; k++)
                take_larger(y, x + kfi_pool_place(p, image, i, j, k), p->channels);
}

static void pool_average(const kfi_pooling *p, const float *x, int64_t image, const kfi_box *b,
                         float *y) {
    const float scale = 1.0f / (float)kfi_box_volume(b);
    memset(y, 0, (size_t)p->channels * sizeof *y);
    for (int64_t i = b->axis[0].first; i < b->axis[0].last; i++)
        for (int64_t j = b->axis[1].first; j < b->axis[1].last; j++)
            for (int64_t k = b->axis[2].first; k < b->axis[2].last; k++)
                kfi_add_scaled(y, x + kfi_pool_place(p, image, i, j, k), 1.0f, p->channels);
#pragma omp simd
    for (int64_t c = 0; c < p->channels; c++) y[c] *= scale;
}

static kfi_pooling describe_forward(const kfi_call *call) {
    return kfi_pool_describe(call->attributes, &call->in[0], &call->out[0]);
}

static int64_t places_per_tile(const kfi_pooling *p) {
    return kfi_larger(2 * KFI_TILE_ELEMENTS / kfi_larger(p->channels * kfi_pool_volume(p), 1), 1);
}

static int64_t tiles_forward(const kfi_call *call) {
    const kfi_pooling p = describe_forward(call);
    return kfi_tile_count(kfi_pool_places(&p), places_per_tile(&p));
}

typedef void pool_window(const kfi_pooling *, const float *, int64_t, const kfi_box *, float *);

static void pool_places(const kfi_call *call, int64_t tile, pool_window *pool_one) {
    const kfi_pooling p = describe_forward(call);
    const kfi_range places = kfi_tile_range(kfi_pool_places(&p), places_per_tile(&p), tile);
    const int64_t n1 = p.axis[1].positions, n2 = p.axis[2].positions;
    const int64_t per_image = p.axis[0].positions * n1 * n2;
    for (int64_t place = places.first; place < places.last; place++) {
        const int64_t inside = place % per_image;
        const kfi_box b = kfi_pool_box(&p, inside / (n1 * n2), inside / n2 % n1, inside % n2);
        pool_one(&p, kfi_in(call, 0), place / per_image, &b, kfi_out(call, 0) + place * p.channels);
    }
}

static void max_forward(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    pool_places(call, tile, pool_max);
}

static void average_forward(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    pool_places(call, tile, pool_average);
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
    {0},
};

const kfi_op KFI_OP(max_pool) = {
    .name = "max_pool",
    .attributes_size = sizeof(kfi_pool),
    .infer = infer_pool,
    .stages = {{max_forward, tiles_forward}},
    .gradient = derive_max_pool,
    .cost = cost_forward,
    .examples = forward_examples,
    .region = region_forward,
};

const kfi_op KFI_OP(average_pool) = {
    .name = "average_pool",
    .attributes_size = sizeof(kfi_pool),
    .infer = infer_pool,
    .stages = {{average_forward, tiles_forward}},
    .gradient = derive_average_pool,
    .cost = cost_forward,
    .examples = forward_examples,
    .region = region_forward,
};
