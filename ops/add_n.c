/* add_n: y = x_0 + x_1 + … of equal shapes, summed in that order; dx_i = dy. */
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status infer(kfi_shaping *shaping) {
    if (shaping->n_in < 1) return kfi_fail(KF_INVALID, "expected at least one input, got none");
    return kfi_infer_same(shaping, shaping->n_in);
}

/* The sum of a chunk is complete before it is written, so that y may be any of the inputs. */
static void add_n(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    enum { CHUNK = 256 };
    const kfi_span span = kfi_element_span(call, tile);
    for (int64_t at = span.begin; at < span.end; at += CHUNK) {
        const int n = (int)(span.end - at < CHUNK ? span.end - at : CHUNK);
        float sum[CHUNK];
        memcpy(sum, kfi_in(call, 0) + at, (size_t)n * sizeof(float));
        for (int i = 1; i < call->n_in; i++) {
            const float *x = kfi_in(call, i) + at;
#pragma omp simd
            for (int j = 0; j < n; j++) sum[j] += x[j];
        }
        memcpy(kfi_out(call, 0) + at, sum, (size_t)n * sizeof(float));
    }
}

static kf_status gradient(kfi_derivation *d) {
    for (int i = 0; i < d->n_in; i++)
        if (d->wanted[i]) d->din[i] = d->dout[0];
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, call->n_in - 1); }

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "one", .n_in = 1, .in = {X(1, {5})}},
    {.name = "three", .n_in = 3, .in = {X(2, {3, 7}), X(2, {3, 7}), X(2, {3, 7})}},
    {.name = "large", .n_in = 2, .large = true, .in = {X(2, {301, 333}), X(2, {301, 333})}},
    {0},
};

const kfi_op KFI_OP(add_n) = {
    .name = "add_n",
    .infer = infer,
    .stages = {{add_n, kfi_element_tiles}},
    .gradient = gradient,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1},
    KFI_ELEMENT_WISE,
};
