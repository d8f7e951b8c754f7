/* softmax along an axis: y_i = exp(x_i - m) / sum_j exp(x_j - m),  m = max_j x_j
 * softmax_gradient(dy, y): dx_i = y_i (dy_i - sum_j dy_j y_j)
 * The last axis goes through whole rows. Any other goes through strips of up to WIDTH columns, with
 * one maximum and one sum for each column; so do rows too short for a vector, WIDTH at a time,
 * which are turned into columns first. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/columns.h"
#include "ops/short_rows.h"
#include "ops/vector_math.h"

enum { WIDTH = KFI_STRIP, GROUP = 2048 };

static kf_status infer(kfi_shaping *shaping, int count) {
    const kf_status status = kfi_infer_same(shaping, count);
    if (status) return status;
    return kfi_expect_axis(((const kfi_along *)shaping->attributes)->axis, &shaping->out[0].shape);
}

static kf_status infer_softmax(kfi_shaping *shaping) { return infer(shaping, 1); }
static kf_status infer_gradient(kfi_shaping *shaping) { return infer(shaping, 2); }

static kfi_columns columns_of(const kfi_call *call) {
    return kfi_columns_of(&call->out[0], ((const kfi_along *)call->attributes)->axis);
}

/* A unit is a row, or a strip of columns. */
static int64_t strips(kfi_columns c) { return (c.inner + WIDTH - 1) / WIDTH; }
static int64_t units(kfi_columns c) { return c.inner == 1 ? c.outer : c.outer * strips(c); }
static int64_t units_per_tile(kfi_columns c) {
    return kfi_rows_per_tile(c.n * (c.inner < WIDTH ? c.inner : WIDTH));
}

static int64_t tiles(const kfi_call *call) {
    const kfi_columns c = columns_of(call);
    return kfi_tiles_for(units(c), units_per_tile(c));
}

static float exponential(float x) { return expf(x); }

static float row_maximum(const float *x, int64_t n) {
    float m = -INFINITY;
#pragma omp simd reduction(max : m)
    for (int64_t i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
    return m;
}

static void divide_by_sum(float *y, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += y[i];
    const float scale = 1 / sum;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] *= scale;
}

/* Several short rows share the passes of the exponential. */
static void softmax_rows(const float *x, float *y, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++) {
        const float m = row_maximum(x + r * n, n);
#pragma omp simd
        for (int64_t i = r * n; i < (r + 1) * n; i++) y[i] = x[i] - m;
    }
    kfi_map(exponential, y, y, rows * n);
    for (int64_t r = 0; r < rows; r++) divide_by_sum(y + r * n, n);
}

static void softmax_strip(const float *x, float *y, kfi_columns c, int64_t width) {
    float m[WIDTH], sum[WIDTH] = {0};
    for (int64_t j = 0; j < width; j++) m[j] = -INFINITY;
    for (int64_t i = 0; i < c.n; i++)
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            m[j] = x[i * c.inner + j] > m[j] ? x[i * c.inner + j] : m[j];
    for (int64_t i = 0; i < c.n; i++) {
        float *row = y + i * c.inner;
#pragma omp simd
        for (int64_t j = 0; j < width; j++) row[j] = x[i * c.inner + j] - m[j];
        kfi_map(exponential, row, row, width);
#pragma omp simd
        for (int64_t j = 0; j < width; j++) sum[j] += row[j];
    }
    for (int64_t i = 0; i < c.n; i++)
#pragma omp simd
        for (int64_t j = 0; j < width; j++) y[i * c.inner + j] /= sum[j];
}

/* Strip number `unit` begins at this element and is this wide. */
static int64_t strip_start(kfi_columns c, int64_t unit, int64_t *width) {
    const int64_t column = unit % strips(c) * WIDTH;
    *width = c.inner - column < WIDTH ? c.inner - column : WIDTH;
    return unit / strips(c) * c.n * c.inner + column;
}

static void softmax_short_rows(const float *x, float *y, int64_t rows, int64_t n) {
    float strip[KFI_SHORT * WIDTH] = {0};
    kfi_turn_rows(x, rows, n, 0, strip);
    softmax_strip(strip, strip, (kfi_columns){1, n, WIDTH}, rows);
    kfi_turn_columns(strip, rows, n, y);
}

/* Rows that are worked on together. */
static int64_t units_at_once(kfi_columns c) {
    if (c.inner > 1 || c.n >= GROUP || c.n == 0) return 1;
    return c.n < KFI_SHORT ? WIDTH : GROUP / c.n;
}

static void softmax(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_columns c = columns_of(call);
    const kfi_span span = kfi_span_of(tile, units_per_tile(c), units(c));
    const float *x = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
    const int64_t at_once = units_at_once(c);
    for (int64_t unit = span.begin; unit < span.end; unit += at_once) {
        const int64_t rows = span.end - unit < at_once ? span.end - unit : at_once;
        int64_t width = 0, start = unit * c.n;
        if (c.inner > 1) start = strip_start(c, unit, &width);
        if (c.inner > 1)
            softmax_strip(x + start, y + start, c, width);
        else if (c.n < KFI_SHORT)
            softmax_short_rows(x + start, y + start, rows, c.n);
        else
            softmax_rows(x + start, y + start, rows, c.n);
    }
}

static void gradient_row(const float *dy, const float *y, float *dx, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += dy[i] * y[i];
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] = y[i] * (dy[i] - sum);
}

static void gradient_strip(const float *dy, const float *y, float *dx, kfi_columns c,
                           int64_t width) {
    float sum[WIDTH] = {0};
    for (int64_t i = 0; i < c.n; i++)
#pragma omp simd
        for (int64_t j = 0; j < width; j++) sum[j] += dy[i * c.inner + j] * y[i * c.inner + j];
    for (int64_t i = 0; i < c.n; i++)
#pragma omp simd
        for (int64_t j = 0; j < width; j++) {
            const int64_t k = i * c.inner + j;
            dx[k] = y[k] * (dy[k] - sum[j]);
        }
}

static void gradient_short_rows(const float *dy, const float *y, float *dx, int64_t rows,
                                int64_t n) {
    float dy_strip[KFI_SHORT * WIDTH] = {0}, y_strip[KFI_SHORT * WIDTH] = {0};
    kfi_turn_rows(dy, rows, n, 0, dy_strip);
    kfi_turn_rows(y, rows, n, 0, y_strip);
    gradient_strip(dy_strip, y_strip, dy_strip, (kfi_columns){1, n, WIDTH}, rows);
    kfi_turn_columns(dy_strip, rows, n, dx);
}

static void softmax_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_columns c = columns_of(call);
    const kfi_span span = kfi_span_of(tile, units_per_tile(c), units(c));
    const float *dy = kfi_in(call, 0), *y = kfi_in(call, 1);
    float *dx = kfi_out(call, 0);
    const int64_t at_once = c.inner == 1 && c.n < KFI_SHORT ? WIDTH : 1;
    for (int64_t unit = span.begin; unit < span.end; unit += at_once) {
        const int64_t rows = span.end - unit < at_once ? span.end - unit : at_once;
        int64_t width = 0, start = unit * c.n;
        if (c.inner > 1) start = strip_start(c, unit, &width);
        if (c.inner > 1)
            gradient_strip(dy + start, y + start, dx + start, c, width);
        else if (c.n < KFI_SHORT)
            gradient_short_rows(dy + start, y + start, dx + start, rows, c.n);
        else
            gradient_row(dy + start, y + start, dx + start, c.n);
    }
}

static kf_status derive(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "softmax_gradient", d->attributes, d->dout[0], d->out[0]);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 24); }
static kfi_cost gradient_cost(const kfi_call *call) { return kfi_cost_of(call, 4); }

#define AXIS(n)                                                                                    \
    .attributes = &(const kfi_along) { n }
#define X(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -4, .high = 4 }
#define Y(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = 0.05f, .high = 0.5f }
static const kfi_example examples[] = {
    {.name = "last axis", AXIS(1), .n_in = 1, .in = {X(2, {5, 7})}},
    {.name = "middle axis", AXIS(1), .n_in = 1, .in = {X(3, {2, 5, 3})}},
    {.name = "first axis", AXIS(0), .n_in = 1, .in = {X(2, {3, 70})}},
    {.name = "large", AXIS(1), .n_in = 1, .large = true, .in = {X(2, {7003, 10})}},
    {.name = "large first axis", AXIS(0), .n_in = 1, .large = true, .in = {X(2, {150, 1001})}},
    {0},
};

static const kfi_example gradient_examples[] = {
    {.name = "last axis", AXIS(1), .n_in = 2, .in = {X(2, {5, 7}), Y(2, {5, 7})}},
    {.name = "first axis", AXIS(0), .n_in = 2, .in = {X(2, {3, 70}), Y(2, {3, 70})}},
    {.name = "large",
     AXIS(1),
     .n_in = 2,
     .large = true,
     .in = {X(2, {7003, 10}), Y(2, {7003, 10})}},
    {0},
};

/* In place within a row or strip: each is read whole before it is written, or element by element;
 * other rows are never touched. */
const kfi_op KFI_OP(softmax) = {
    .name = "softmax",
    .attributes_size = sizeof(kfi_along),
    .infer = infer_softmax,
    .stages = {{softmax, tiles}},
    .gradient = derive,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1},
};

const kfi_op KFI_OP(softmax_gradient) = {
    .name = "softmax_gradient",
    .attributes_size = sizeof(kfi_along),
    .infer = infer_gradient,
    .stages = {{softmax_gradient, tiles}},
    .cost = gradient_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {1},
};
