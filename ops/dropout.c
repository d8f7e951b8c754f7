/* dropout: y = x / (1 - rate) where u >= rate, else 0; u uniform in [0, 1), a pure function of
 * (seed, step, stream, element), so that backward draws the same u: dx = dropout(dy).
 * A rate outside of (0, 1) lets x through, as Keras does. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status infer(kfi_shaping *shaping) {
    kf_status status = kfi_expect_inputs(shaping, 2);
    if (!status) status = kfi_expect_dtype(shaping, 0, KF_FLOAT32);
    if (!status) status = kfi_expect_dtype(shaping, 1, KF_INT64);
    if (status) return status;
    if (!kfi_shape_equal(&shaping->in[1].shape, &KFI_SHAPE(2)))
        return kfi_fail(KF_INVALID, "the random state must be of shape (2,), got %s",
                        kfi_shape_string(&shaping->in[1].shape));
    shaping->n_out = 1;
    shaping->out[0].shape = shaping->in[0].shape;
    return KF_OK;
}

/* LANES blocks of Philox at once (core/base/random.h has the scalar form, and tests hold this one
 * to it): u[i] is word i % 4 of block first + i / 4. Block numbers stay below 2^32 within a tile.
 */
enum { LANES = 64, DRAWN = 4 * LANES };

static void draw(kfi_random stream, uint64_t first, float u[DRAWN]) {
    uint32_t x0[LANES], x1[LANES], x2[LANES], x3[LANES];
    uint32_t k0 = (uint32_t)stream.key, k1 = (uint32_t)(stream.key >> 32);
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        const uint64_t block = first + (uint64_t)i;
        x0[i] = (uint32_t)block, x1[i] = (uint32_t)(block >> 32);
        x2[i] = (uint32_t)stream.high, x3[i] = (uint32_t)(stream.high >> 32);
    }
    for (int round = 0; round < 10; round++) {
#pragma omp simd
        for (int i = 0; i < LANES; i++) {
            const uint64_t a = (uint64_t)0xD2511F53u * x0[i], b = (uint64_t)0xCD9E8D57u * x2[i];
            x0[i] = (uint32_t)(b >> 32) ^ x1[i] ^ k0, x2[i] = (uint32_t)(a >> 32) ^ x3[i] ^ k1;
            x1[i] = (uint32_t)b, x3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        u[4 * i] = kfi_random_unit(x0[i]), u[4 * i + 1] = kfi_random_unit(x1[i]);
        u[4 * i + 2] = kfi_random_unit(x2[i]), u[4 * i + 3] = kfi_random_unit(x3[i]);
    }
}

static void dropout(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_dropout *by = call->attributes;
    const int64_t *state = call->in[1].data;
    const kfi_span span = kfi_element_span(call, tile);
    const float *x = kfi_in(call, 0), rate = by->rate, kept = 1 - rate;
    float *y = kfi_out(call, 0);
    if (!(rate > 0 && rate < 1)) {
        memmove(y + span.begin, x + span.begin, (size_t)(span.end - span.begin) * sizeof(float));
        return;
    }
    const kfi_random step = {(uint64_t)state[0], (uint64_t)state[1]};
    const kfi_random stream = kfi_random_fold(step, by->stream);
    for (int64_t at = span.begin; at < span.end;) {
        float u[DRAWN];
        draw(stream, (uint64_t)at / 4, u);
        const int64_t skipped = at % 4; /* a span may begin inside a block of Philox */
        const int64_t n = span.end - at < DRAWN - skipped ? span.end - at : DRAWN - skipped;
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[at + i] = u[skipped + i] >= rate ? x[at + i] / kept : 0.0f;
        at += n;
    }
}

static kf_status gradient(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "dropout", d->attributes, d->dout[0], d->in[1]);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 20); }

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define RANDOM                                                                                     \
    { .shape = {1, {2}}, .dtype = KF_INT64, .low = 0, .high = 1000 }
static const kfi_example examples[] = {
    {.name = "a third",
     .attributes = &(const kfi_dropout){.rate = 0.3f, .stream = 5},
     .n_in = 2,
     .in = {X(2, {7, 11}), RANDOM}},
    {.name = "rate 0", .attributes = &(const kfi_dropout){0}, .n_in = 2, .in = {X(1, {5}), RANDOM}},
    {.name = "large",
     .attributes = &(const kfi_dropout){.rate = 0.5f},
     .n_in = 2,
     .large = true,
     .in = {X(2, {301, 333}), RANDOM}},
    {0},
};

const kfi_op KFI_OP(dropout) = {
    .name = "dropout",
    .attributes_size = sizeof(kfi_dropout),
    .infer = infer,
    .stages = {{dropout, kfi_element_tiles}},
    .gradient = gradient,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1},
    KFI_ELEMENT_WISE,
};
