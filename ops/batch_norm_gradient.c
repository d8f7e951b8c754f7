/* batch_norm_gradient(x, dy, gamma, mean, 1 / deviation), batch_norm_inference_gradient(x, dy,
 * gamma, mean, variance) -> dx, dgamma, dbeta: normalisation.h has the formulas. */
#include "ops/normalisation.h"

#include <math.h>

static kf_status infer_gradient(kfi_shaping *s) {
    const kf_status status = kfi_norm_check(s, 5, 2);
    if (!status) kfi_norm_outputs(s, 3);
    return status;
}

/* Stage 1 sums y', y' (x - m) and x - m, stage 2 makes of them beta', gamma' and three
 * coefficients by channel, stage 3 puts x' = a (y' - b - (x - m) d) together.
 *
 * The mean arrives in single precision, so the x - m do not quite add up to 0. Without more, the
 * sum of x' would not be 0 either, and the gradient of a bias before the normalisation, which is
 * that sum, would be nothing but this error. So the deviations are taken from their own mean o =
 * sum (x - m) / n: gamma' = r sum y' (x - m - o), and -o d goes into b. */

static void add_products(const kfi_channels *c, const float *x, const float *dy, const float *mean,
                         int64_t line, double *sums) {
    double *products = sums + c->channels, *rests = products + c->channels;
    if (c->last) {
#pragma omp simd
        for (int64_t i = 0; i < c->line; i++) {
            const double deviation = (double)x[i] - (double)mean[i];
            sums[i] += (double)dy[i];
            products[i] += (double)dy[i] * deviation;
            rests[i] += deviation;
        }
        return;
    }
    const int64_t channel = line % c->channels;
    const float m = mean[channel];
    double sum = 0, product = 0, rest = 0;
#pragma omp simd reduction(+ : sum, product, rest)
    for (int64_t i = 0; i < c->line; i++) {
        const double deviation = (double)x[i] - (double)m;
        sum += (double)dy[i];
        product += (double)dy[i] * deviation;
        rest += deviation;
    }
    sums[channel] += sum;
    products[channel] += product;
    rests[channel] += rest;
}

static void sum_products(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_channels c = kfi_norm_channels(call);
    const kfi_range lines = kfi_slice_range(c.lines, c.slices, tile);
    double *sums = kfi_channel_sums(&c, call->scratch, tile);
    for (int64_t i = 0; i < KFI_CHANNEL_SUMS * c.channels; i++) sums[i] = 0;
    for (int64_t line = lines.first; line < lines.last; line++)
        add_products(&c, kfi_in(call, 0) + line * c.line, kfi_in(call, 1) + line * c.line,
                     kfi_in(call, 3), line, sums);
}

/* Behind the sums in scratch: a, b and d, each by channel. */
static float *coefficients(const kfi_channels *c, const kfi_call *call) {
    return (float *)(void *)((char *)call->scratch + kfi_channel_sum_bytes(c));
}

static size_t scratch_gradient(const kfi_call *call) {
    const kfi_channels c = kfi_norm_channels(call);
    return kfi_channel_sum_bytes(&c) + 3 * (size_t)c.channels * sizeof(float);
}

static void find_coefficients(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const kfi_channels c = kfi_norm_channels(call);
    float *a = coefficients(&c, call), *b = a + c.channels, *d = b + c.channels;
    for (int64_t i = 0; i < c.channels; i++) {
        const double sum = kfi_channel_total(&c, call->scratch, 0, i);
        const double rest = kfi_channel_total(&c, call->scratch, 2, i) / (double)c.count;
        const double product = kfi_channel_total(&c, call->scratch, 1, i) - rest * sum;
        const double deviation = (double)kfi_in(call, 4)[i];
        kfi_out(call, 1)[i] = (float)(product * deviation);
        kfi_out(call, 2)[i] = (float)sum;
        a[i] = (float)((double)kfi_in(call, 2)[i] * deviation);
        const double slope = product * deviation * deviation / (double)c.count;
        b[i] = (float)(sum / (double)c.count - rest * slope);
        d[i] = (float)slope;
    }
}

static void find_given_coefficients(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const kfi_batch_norm *attributes = call->attributes;
    const kfi_channels c = kfi_norm_channels(call);
    float *a = coefficients(&c, call), *b = a + c.channels, *d = b + c.channels;
    for (int64_t i = 0; i < c.channels; i++) {
        const double variance = (double)kfi_in(call, 4)[i] + (double)attributes->epsilon;
        const double deviation = 1 / sqrt(variance);
        kfi_out(call, 1)[i] = (float)(kfi_channel_total(&c, call->scratch, 1, i) * deviation);
        kfi_out(call, 2)[i] = (float)kfi_channel_total(&c, call->scratch, 0, i);
        a[i] = (float)((double)kfi_in(call, 2)[i] * deviation);
        b[i] = d[i] = 0;
    }
}

static void combine_line(const kfi_channels *c, const float *x, const float *dy, const float *mean,
                         const float *coefficient, int64_t line, float *dx) {
    const float *a = coefficient, *b = a + c->channels, *d = b + c->channels;
    if (c->last) {
#pragma omp simd
        for (int64_t i = 0; i < c->line; i++)
            dx[i] = a[i] * (dy[i] - b[i] - (x[i] - mean[i]) * d[i]);
        return;
    }
    const int64_t channel = line % c->channels;
    const float ac = a[channel], bc = b[channel], dc = d[channel], m = mean[channel];
#pragma omp simd
    for (int64_t i = 0; i < c->line; i++) dx[i] = ac * (dy[i] - bc - (x[i] - m) * dc);
}

static void combine(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_channels c = kfi_norm_channels(call);
    const float *coefficient = coefficients(&c, call);
    const kfi_range lines = kfi_tile_range(c.lines, c.lines_per_tile, tile);
    for (int64_t line = lines.first; line < lines.last; line++)
        combine_line(&c, kfi_in(call, 0) + line * c.line, kfi_in(call, 1) + line * c.line,
                     kfi_in(call, 3), coefficient, line, kfi_out(call, 0) + line * c.line);
}

static kfi_region region_gradient(const kfi_call *call, int stage, int64_t tile) {
    return stage == 2 ? kfi_norm_region(call, tile) : (kfi_region){0};
}

static kfi_cost cost_gradient(const kfi_call *call) { return kfi_cost_of(call, 8); }

/* Of x, dy, gamma, mean, and 1 / deviation or variance. */
static const kfi_example gradient_examples[] = {
    {.name = "last axis",
     .attributes = KFI_NORM_ALONG(1),
     .n_in = 5,
     .in = {{.shape = {2, {9, 5}}},
            {.shape = {2, {9, 5}}},
            {.shape = {1, {5}}},
            {.shape = {1, {5}}},
            {.shape = {1, {5}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "channels last",
     .attributes = KFI_NORM_ALONG(3),
     .n_in = 5,
     .in = {{.shape = {4, {2, 3, 3, 2}}},
            {.shape = {4, {2, 3, 3, 2}}},
            {.shape = {1, {2}}},
            {.shape = {1, {2}}},
            {.shape = {1, {2}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "channels first",
     .attributes = KFI_NORM_ALONG(1),
     .n_in = 5,
     .in = {{.shape = {4, {2, 3, 4, 3}}},
            {.shape = {4, {2, 3, 4, 3}}},
            {.shape = {1, {3}}},
            {.shape = {1, {3}}},
            {.shape = {1, {3}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "16x25x31x33",
     .attributes = KFI_NORM_ALONG(3),
     .n_in = 5,
     .in = {{.shape = {4, {16, 25, 31, 33}}},
            {.shape = {4, {16, 25, 31, 33}}},
            {.shape = {1, {33}}},
            {.shape = {1, {33}}},
            {.shape = {1, {33}}, .low = 0.5f, .high = 2, .constant = true}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(batch_norm_gradient) = {
    .name = "batch_norm_gradient",
    .attributes_size = sizeof(kfi_batch_norm),
    .infer = infer_gradient,
    .stages = {{sum_products, kfi_norm_slices},
               {find_coefficients, NULL},
               {combine, kfi_norm_lines}},
    .scratch = scratch_gradient,
    .cost = cost_gradient,
    .examples = KFI_EXAMPLES(gradient_examples),
    .region = region_gradient,
};

const kfi_op KFI_OP(batch_norm_inference_gradient) = {
    .name = "batch_norm_inference_gradient",
    .attributes_size = sizeof(kfi_batch_norm),
    .infer = infer_gradient,
    .stages = {{sum_products, kfi_norm_slices},
               {find_given_coefficients, NULL},
               {combine, kfi_norm_lines}},
    .scratch = scratch_gradient,
    .cost = cost_gradient,
    .examples = KFI_EXAMPLES(gradient_examples),
    .region = region_gradient,
};
