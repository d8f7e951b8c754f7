/* sum_squares(x_0, x_1, …) = sum_i sum_k x_ik^2, a scalar: the square of the norm by which all
 * gradients are clipped;  dx_i = 2 dy x_i.
 * Tiles leave their sums in scratch; a second stage adds those up in order, in double precision. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status infer(kfi_shaping *shaping) {
    if (shaping->n_in < 1) return kfi_fail(KF_INVALID, "expected at least one input, got none");
    shaping->n_out = 1;
    shaping->out[0].shape = KFI_SCALAR;
    return kfi_expect_floats(shaping, shaping->n_in);
}

static int64_t input_tiles(const kfi_call *call, int i) {
    return kfi_tiles_for(kfi_count(&call->in[i]), KFI_TILE);
}

static int64_t all_tiles(const kfi_call *call) {
    int64_t tiles = 0;
    for (int i = 0; i < call->n_in; i++) tiles += input_tiles(call, i);
    return tiles;
}

static float sum_of_squares(const float *x, int64_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

static void add_tile(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    int64_t own = tile;
    int i = 0;
    while (own >= input_tiles(call, i)) own -= input_tiles(call, i++);
    const kfi_span span = kfi_span_of(own, KFI_TILE, kfi_count(&call->in[i]));
    float *sums = call->scratch;
    sums[tile] = sum_of_squares(kfi_in(call, i) + span.begin, span.end - span.begin);
}

static void add_tiles(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const float *sums = call->scratch;
    const int64_t tiles = all_tiles(call);
    double sum = 0;
    for (int64_t i = 0; i < tiles; i++) sum += (double)sums[i];
    *kfi_out(call, 0) = (float)sum;
}

static size_t scratch(const kfi_call *call) { return (size_t)all_tiles(call) * sizeof(float); }

static kf_status gradient(kfi_derivation *d) {
    const kfi_value twice = kfi_derive(d, "affine", &(kfi_affine){.scale = 2}, d->dout[0]);
    for (int i = 0; i < d->n_in; i++)
        if (d->wanted[i]) d->din[i] = kfi_derive(d, "multiply", NULL, d->in[i], twice);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) {
    const double bytes = kfi_copy_cost(call).bytes;
    return (kfi_cost){bytes / 2, bytes};
}

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "a scalar", .n_in = 1, .in = {X(0, {0})}},
    {.name = "three of different shapes", .n_in = 3, .in = {X(2, {3, 7}), X(1, {5}), X(2, {2, 1})}},
    {.name = "large", .n_in = 2, .large = true, .in = {X(2, {301, 333}), X(1, {70001})}},
    {0},
};

const kfi_op KFI_OP(sum_squares) = {
    .name = "sum_squares",
    .infer = infer,
    .stages = {{add_tile, all_tiles}, {add_tiles, NULL}},
    .gradient = gradient,
    .scratch = scratch,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
};
