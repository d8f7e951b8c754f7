/* batch_norm(x, gamma, beta), batch_norm_inference(x, gamma, beta, mean, variance):
 * normalisation.h has the formulas. Sums of float32 values and of their squares are exact enough in
 * double precision for v to be the difference mean x^2 - m^2, so that x is read once for both. */
#include "ops/normalisation.h"

#include <math.h>

static kf_status infer_batch_norm(kfi_shaping *s) {
    const kf_status status = kfi_norm_check(s, 3, 1);
    if (!status) kfi_norm_outputs(s, 4);
    return status;
}

static kf_status infer_inference(kfi_shaping *s) {
    const kf_status status = kfi_norm_check(s, 5, 1);
    if (!status) kfi_norm_outputs(s, 1);
    return status;
}

static void add_squares(const kfi_channels *c, const float *x, int64_t line, double *sums) {
    double *squares = sums + c->channels;
    if (c->last) {
#pragma omp simd
        for (int64_t i = 0; i < c->line; i++) {
            sums[i] += (double)x[i];
            squares[i] += (double)x[i] * (double)x[i];
        }
        return;
    }
    double sum = 0, square = 0;
#pragma omp simd reduction(+ : sum, square)
    for (int64_t i = 0; i < c->line; i++) {
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
    }
    sums[line % c->channels] += sum;
    squares[line % c->channels] += square;
}

static void sum_squares(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_channels c = kfi_norm_channels(call);
    const kfi_range lines = kfi_slice_range(c.lines, c.slices, tile);
    double *sums = kfi_channel_sums(&c, call->scratch, tile);
    for (int64_t i = 0; i < 2 * c.channels; i++) sums[i] = 0;
    for (int64_t line = lines.first; line < lines.last; line++)
        add_squares(&c, kfi_in(call, 0) + line * c.line, line, sums);
}

static void find_statistics(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const kfi_batch_norm *a = call->attributes;
    const kfi_channels c = kfi_norm_channels(call);
    for (int64_t i = 0; i < c.channels; i++) {
        const double mean = kfi_channel_total(&c, call->scratch, 0, i) / (double)c.count;
        const double square = kfi_channel_total(&c, call->scratch, 1, i) / (double)c.count;
        const double variance = fmax(square - mean * mean, 0);
        kfi_out(call, 1)[i] = (float)mean;
        kfi_out(call, 2)[i] = (float)variance;
        kfi_out(call, 3)[i] = (float)(1 / sqrt(variance + (double)a->epsilon));
    }
}

static void normalise_line(const kfi_channels *c, const float *x, int64_t line, const float *mean,
                           const float *scale, const float *beta, float *y) {
    if (c->last) {
#pragma omp simd
        for (int64_t i = 0; i < c->line; i++) y[i] = (x[i] - mean[i]) * scale[i] + beta[i];
        return;
    }
    const int64_t channel = line % c->channels;
    const float m = mean[channel], s = scale[channel], b = beta[channel];
#pragma omp simd
    for (int64_t i = 0; i < c->line; i++) y[i] = (x[i] - m) * s + b;
}

/* `scale`: gamma r by channel. */
static void normalise_tile(const kfi_call *call, int64_t tile, const float *mean,
                           const float *scale) {
    const kfi_channels c = kfi_norm_channels(call);
    const kfi_range lines = kfi_tile_range(c.lines, c.lines_per_tile, tile);
    for (int64_t line = lines.first; line < lines.last; line++)
        normalise_line(&c, kfi_in(call, 0) + line * c.line, line, mean, scale, kfi_in(call, 2),
                       kfi_out(call, 0) + line * c.line);
}

static size_t channel_floats(const kfi_call *call) {
    return (size_t)kfi_norm_channels(call).channels * sizeof(float);
}

static void normalise(const kfi_call *call, int64_t tile, void *local) {
    const float *gamma = kfi_in(call, 1), *deviation = kfi_out(call, 3);
    const int64_t channels = kfi_norm_channels(call).channels;
    float *scale = local;
#pragma omp simd
    for (int64_t i = 0; i < channels; i++) scale[i] = gamma[i] * deviation[i];
    normalise_tile(call, tile, kfi_out(call, 1), scale);
}

static void normalise_given(const kfi_call *call, int64_t tile, void *local) {
    const kfi_batch_norm *a = call->attributes;
    const float *gamma = kfi_in(call, 1), *variance = kfi_in(call, 4);
    const int64_t channels = kfi_norm_channels(call).channels;
    float *scale = local;
#pragma omp simd
    for (int64_t i = 0; i < channels; i++) scale[i] = gamma[i] / sqrtf(variance[i] + a->epsilon);
    normalise_tile(call, tile, kfi_in(call, 3), scale);
}

static kfi_region region_batch_norm(const kfi_call *call, int stage, int64_t tile) {
    return stage == 2 ? kfi_norm_region(call, tile) : (kfi_region){0};
}

static kfi_region region_inference(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    return kfi_norm_region(call, tile);
}

static size_t scratch_sums(const kfi_call *call) {
    const kfi_channels c = kfi_norm_channels(call);
    return kfi_channel_sum_bytes(&c);
}

static void derive_from(kfi_derivation *d, const char *gradient, const kfi_value in[5]) {
    kfi_value more[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    d->din[0] = d->emit(d, gradient, d->attributes, in, 5, more);
    d->din[1] = more[0];
    d->din[2] = more[1];
}

/* The statistics are for the gradient and the moving averages: no derivative goes through them. */
static kf_status derive_batch_norm(kfi_derivation *d) {
    for (int i = 1; i < d->n_out; i++)
        if (!kfi_is_none(d->dout[i]))
            return kfi_fail(KF_INVALID, "the statistics of a batch have no derivative");
    derive_from(d, "batch_norm_gradient",
                (const kfi_value[]){d->in[0], d->dout[0], d->in[1], d->out[1], d->out[3]});
    return KF_OK;
}

static kf_status derive_inference(kfi_derivation *d) {
    derive_from(d, "batch_norm_inference_gradient",
                (const kfi_value[]){d->in[0], d->dout[0], d->in[1], d->in[3], d->in[4]});
    return KF_OK;
}

static kfi_cost cost_forward(const kfi_call *call) { return kfi_cost_of(call, 7); }

static const kfi_example batch_norm_examples[] = {
    {.name = "last axis",
     .attributes = KFI_NORM_ALONG(1),
     .n_in = 3,
     .in = {{.shape = {2, {9, 5}}}, {.shape = {1, {5}}}, {.shape = {1, {5}}}}},
    {.name = "channels last",
     .attributes = KFI_NORM_ALONG(3),
     .n_in = 3,
     .in = {{.shape = {4, {2, 3, 3, 2}}}, {.shape = {1, {2}}}, {.shape = {1, {2}}}}},
    {.name = "channels first",
     .attributes = KFI_NORM_ALONG(1),
     .n_in = 3,
     .in = {{.shape = {4, {2, 3, 4, 3}}}, {.shape = {1, {3}}}, {.shape = {1, {3}}}}},
    {.name = "16x25x31x33",
     .attributes = KFI_NORM_ALONG(3),
     .n_in = 3,
     .in = {{.shape = {4, {16, 25, 31, 33}}}, {.shape = {1, {33}}}, {.shape = {1, {33}}}},
     .large = true},
    {0},
};

static const kfi_example inference_examples[] = {
    {.name = "last axis",
     .attributes = KFI_NORM_ALONG(1),
     .n_in = 5,
     .in = {{.shape = {2, {9, 5}}},
            {.shape = {1, {5}}},
            {.shape = {1, {5}}},
            {.shape = {1, {5}}, .constant = true},
            {.shape = {1, {5}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "channels last",
     .attributes = KFI_NORM_ALONG(3),
     .n_in = 5,
     .in = {{.shape = {4, {2, 3, 3, 2}}},
            {.shape = {1, {2}}},
            {.shape = {1, {2}}},
            {.shape = {1, {2}}, .constant = true},
            {.shape = {1, {2}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "channels first",
     .attributes = KFI_NORM_ALONG(1),
     .n_in = 5,
     .in = {{.shape = {4, {2, 3, 4, 3}}},
            {.shape = {1, {3}}},
            {.shape = {1, {3}}},
            {.shape = {1, {3}}, .constant = true},
            {.shape = {1, {3}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "16x25x31x33",
     .attributes = KFI_NORM_ALONG(3),
     .n_in = 5,
     .in = {{.shape = {4, {16, 25, 31, 33}}},
            {.shape = {1, {33}}},
            {.shape = {1, {33}}},
            {.shape = {1, {33}}, .constant = true},
            {.shape = {1, {33}}, .low = 0.5f, .high = 2, .constant = true}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(batch_norm) = {
    .name = "batch_norm",
    .attributes_size = sizeof(kfi_batch_norm),
    .infer = infer_batch_norm,
    .stages = {{sum_squares, kfi_norm_slices},
               {find_statistics, NULL},
               {normalise, kfi_norm_lines}},
    .gradient = derive_batch_norm,
    .scratch = scratch_sums,
    .tile_scratch = channel_floats,
    .cost = cost_forward,
    .examples = KFI_EXAMPLES(batch_norm_examples),
    .region = region_batch_norm,
};

const kfi_op KFI_OP(batch_norm_inference) = {
    .name = "batch_norm_inference",
    .attributes_size = sizeof(kfi_batch_norm),
    .infer = infer_inference,
    .stages = {{normalise_given, kfi_norm_lines}},
    .gradient = derive_inference,
    .tile_scratch = channel_floats,
    .cost = cost_forward,
    .examples = KFI_EXAMPLES(inference_examples),
    .in_place = {1},
    .region = region_inference,
};
