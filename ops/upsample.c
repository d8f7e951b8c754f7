/* upsample(x) along one axis of n, by a whole factor s:
 *   nearest: y[o] = x[o / s]
 *   linear:  y[o] = x[i] + (x[min(i + 1, n - 1)] - x[i]) * (o % s) / s,  i = o / s
 * as TensorFlow 1 resizes without aligned corners or half pixels. Along rows and then columns the
 * latter is bilinear. upsample_gradient(dy) is the transpose:
 *   dx[i] = sum over o of dy[o] * weight of x[i] in y[o] */
#include "ops/attributes.h"
#include "ops/columns.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

static kf_status check(const kfi_shaping *s) {
    const kfi_upsample *a = s->attributes;
    kf_status status = kfi_expect_floats(s, 1);
    if (!status) status = kfi_expect_axis(a->axis, &s->in[0].shape);
    if (!status && a->factor < 1)
        status =
            kfi_fail(KF_INVALID, "the factor must be positive, got %lld", (long long)a->factor);
    return status;
}

static kf_status infer_upsample(kfi_shaping *s) {
    const kfi_upsample *a = s->attributes;
    const kf_status status = check(s);
    if (status) return status;
    kfi_infer_like(s, 0);
    int64_t *size = &s->out[0].shape.dims[a->axis];
    if (*size != KF_ANY && __builtin_mul_overflow(*size, a->factor, size))
        return kfi_fail(KF_INVALID, "an axis becomes too long");
    return KF_OK;
}

static kf_status infer_upsample_gradient(kfi_shaping *s) {
    const kfi_upsample *a = s->attributes;
    const kf_status status = check(s);
    if (status) return status;
    kfi_infer_like(s, 0);
    int64_t *size = &s->out[0].shape.dims[a->axis];
    if (*size == KF_ANY) return KF_OK;
    if (*size % a->factor)
        return kfi_fail(KF_INVALID, "an axis of %lld is no multiple of %lld", (long long)*size,
                        (long long)a->factor);
    *size /= a->factor;
    return KF_OK;
}

/* Tiles are blocks of rows of the output, a row being all that lies within the axis. */
static int64_t tiles(const kfi_call *call) {
    const kfi_upsample *a = call->attributes;
    const kfi_columns y = kfi_columns_of(&call->out[0], a->axis);
    return kfi_tile_count(y.outer * y.n, kfi_rows_per_tile(y.inner));
}

static kfi_range rows_of(const kfi_columns *y, int64_t tile) {
    return kfi_tile_range(y->outer * y->n, kfi_rows_per_tile(y->inner), tile);
}

static void mix(const float *low, const float *high, float part, float *y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] = low[i] + (high[i] - low[i]) * part;
}

static void upsample(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_upsample *a = call->attributes;
    const kfi_columns x = kfi_columns_of(&call->in[0], a->axis);
    const kfi_columns y = kfi_columns_of(&call->out[0], a->axis);
    const kfi_range rows = rows_of(&y, tile);
    for (int64_t row = rows.first; row < rows.last; row++) {
        const int64_t source = row / a->factor; /* as y.n = x.n * factor, within its own image */
        const int64_t past = row % a->factor;
        const float *low = kfi_in(call, 0) + source * x.inner;
        float *to = kfi_out(call, 0) + row * x.inner;
        const bool ends = source % x.n == x.n - 1;
        if (a->linear && past && !ends)
            mix(low, low + x.inner, (float)past / (float)a->factor, to, x.inner);
        else
            memcpy(to, low, (size_t)x.inner * sizeof *to);
    }
}

static void add_scaled(const float *x, float scale, float *y, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) y[i] += x[i] * scale;
}

/* The weight of x[i] in y[o], for |o - i * factor| < factor. */
static float weight_of(const kfi_upsample *a, int64_t n, int64_t i, int64_t o) {
    const int64_t past = o - i * a->factor;
    if (past >= 0 && (!a->linear || i == n - 1)) return 1;
    return 1 - (float)(past < 0 ? -past : past) / (float)a->factor;
}

static void gather(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_upsample *a = call->attributes;
    const kfi_columns dx = kfi_columns_of(&call->out[0], a->axis);
    const kfi_range rows = rows_of(&dx, tile);
    for (int64_t row = rows.first; row < rows.last; row++) {
        const int64_t image = row / dx.n, i = row % dx.n;
        const int64_t reach = a->linear && i > 0 ? a->factor - 1 : 0; /* below i * factor */
        const float *dy = kfi_in(call, 0) + image * dx.n * a->factor * dx.inner;
        float *to = kfi_out(call, 0) + row * dx.inner;
        memset(to, 0, (size_t)dx.inner * sizeof *to);
        for (int64_t o = i * a->factor - reach; o < (i + 1) * a->factor; o++)
            add_scaled(dy + o * dx.inner, weight_of(a, dx.n, i, o), to, dx.inner);
    }
}

static kf_status derive_upsample(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "upsample_gradient", d->attributes, d->dout[0]);
    return KF_OK;
}

static kf_status derive_upsample_gradient(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "upsample", d->attributes, d->dout[0]);
    return KF_OK;
}

static kfi_cost cost_upsample(const kfi_call *call) { return kfi_cost_of(call, 2); }

static kfi_cost cost_gradient(const kfi_call *call) {
    const kfi_cost cost = kfi_cost_of(call, 2);
    return (kfi_cost){cost.flops * (double)((const kfi_upsample *)call->attributes)->factor,
                      cost.bytes};
}

static const kfi_example upsample_examples[] = {
    {.name = "nearest",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 2},
     .n_in = 1,
     .in = {{.shape = {3, {2, 3, 4}}}}},
    {.name = "linear",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 3, .linear = true},
     .n_in = 1,
     .in = {{.shape = {3, {2, 4, 2}}}}},
    {.name = "linear, last axis",
     .attributes = &(const kfi_upsample){.axis = 2, .factor = 2, .linear = true},
     .n_in = 1,
     .in = {{.shape = {3, {2, 3, 3}}}}},
    {.name = "large",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 2, .linear = true},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {4, {3, 31, 33, 13}}}}},
    {0},
};

static const kfi_example gradient_examples[] = {
    {.name = "nearest",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 2},
     .n_in = 1,
     .in = {{.shape = {3, {2, 6, 4}}}}},
    {.name = "linear",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 3, .linear = true},
     .n_in = 1,
     .in = {{.shape = {3, {2, 12, 2}}}}},
    {.name = "linear, one element",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 4, .linear = true},
     .n_in = 1,
     .in = {{.shape = {2, {3, 4}}}}},
    {.name = "large",
     .attributes = &(const kfi_upsample){.axis = 1, .factor = 2, .linear = true},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {4, {3, 62, 33, 13}}}}},
    {0},
};

const kfi_op KFI_OP(upsample) = {
    .name = "upsample",
    .attributes_size = sizeof(kfi_upsample),
    .infer = infer_upsample,
    .stages = {{upsample, tiles}},
    .gradient = derive_upsample,
    .cost = cost_upsample,
    .examples = KFI_EXAMPLES(upsample_examples),
};

const kfi_op KFI_OP(upsample_gradient) = {
    .name = "upsample_gradient",
    .attributes_size = sizeof(kfi_upsample),
    .infer = infer_upsample_gradient,
    .stages = {{gather, tiles}},
    .gradient = derive_upsample_gradient,
    .cost = cost_gradient,
    .examples = KFI_EXAMPLES(gradient_examples),
};
