/* Activations with a bend, a limit or parameters, element by element; relu, sigmoid and tanh are
 * in unary.c.
 *     clipped_relu  y = min(max(x, 0), m) where x > t, else s (x - t)      s: slope, t: threshold
 *                   (m none: y = x where x > t)
 *     elu           y = c x where x > 0, else c a (e^x - 1)                 Clevert et al. 2015;
 *                   selu is c = 1.0507…, a = 1.6732…, Klambauer et al. 2017
 *     softplus      y = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
 *     softsign      y = x / (1 + |x|)
 *     hard_sigmoid  y = min(max(0.2 x + 0.5, 0), 1)
 * Derivatives are (dy, x) -> dx. Where a limit is met exactly dy goes through, as in TensorFlow. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"
#include "ops/vector_math.h"

/* The numbers that a function depends on. */
typedef struct bend {
    float slope, threshold, limit; /* clipped_relu */
    float alpha, scale;            /* elu          */
} bend;

typedef float function(const bend *by, float x);
typedef float chain(const bend *by, float dy, float x);

/* A NaN stays one, and a slope of 0 is 0 for -inf too. */
static float clipped(const bend *by, float x) {
    const float least = by->limit < INFINITY && x < 0 ? 0 : x;
    const float above = least > by->limit ? by->limit : least;
    const float below = by->slope == 0 ? 0 : by->slope * (x - by->threshold);
    return x > by->threshold || x != x ? above : below;
}

static float through_clipped(const bend *by, float dy, float x) {
    const bool within = by->limit == INFINITY || (x >= 0 && x <= by->limit);
    return x > by->threshold ? (within ? dy : 0) : by->slope * dy;
}

/* The exponential is taken of what is not positive only: it stands outside of branches. */
static float not_positive(float x) { return x > 0 ? 0 : x; }

static float exponential_linear(const bend *by, float x) {
    const float below = by->alpha * expm1f(not_positive(x));
    return by->scale * (x > 0 ? x : below);
}

static float through_elu(const bend *by, float dy, float x) {
    const float below = by->alpha * expf(not_positive(x));
    return by->scale * dy * (x > 0 ? 1 : below);
}

static float soft_plus(const bend *by, float x) {
    (void)by;
    return (x < 0 ? 0 : x) + log1pf(expf(-fabsf(x)));
}

static float through_softplus(const bend *by, float dy, float x) {
    (void)by;
    return dy / (1 + expf(-x));
}

static float soft_sign(const bend *by, float x) {
    (void)by;
    return x / (1 + fabsf(x));
}

static float through_softsign(const bend *by, float dy, float x) {
    (void)by;
    const float slope = 1 / (1 + fabsf(x));
    return dy * slope * slope;
}

static float straight(const bend *by, float x) {
    (void)by;
    const float y = 0.2f * x + 0.5f, least = y < 0 ? 0 : y;
    return least > 1 ? 1 : least;
}

static float through_straight(const bend *by, float dy, float x) {
    (void)by;
    const float y = 0.2f * x + 0.5f;
    return y >= 0 && y <= 1 ? 0.2f * dy : 0;
}

/* The last few elements go through a padded block, so that vector code makes every one of them (see
 * kfi_map). */
KFI_INLINE void map_tile(function *f, const bend *by, const kfi_call *call, int64_t tile) {
    const kfi_span span = kfi_element_span(call, tile);
    const float *x = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
    int64_t at = span.begin;
    for (; at + KFI_BLOCK <= span.end; at += KFI_BLOCK) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) y[at + j] = f(by, x[at + j]);
    }
    if (at == span.end) return;
    const size_t rest_bytes = (size_t)(span.end - at) * sizeof(float);
    float block[KFI_BLOCK] = {0};
    memcpy(block, x + at, rest_bytes);
#pragma omp simd
    for (int j = 0; j < KFI_BLOCK; j++) block[j] = f(by, block[j]);
    memcpy(y + at, block, rest_bytes);
}

KFI_INLINE void chain_tile(chain *f, const bend *by, const kfi_call *call, int64_t tile) {
    const kfi_span span = kfi_element_span(call, tile);
    const float *dy = kfi_in(call, 0), *x = kfi_in(call, 1);
    float *dx = kfi_out(call, 0);
    int64_t at = span.begin;
    for (; at + KFI_BLOCK <= span.end; at += KFI_BLOCK) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) dx[at + j] = f(by, dy[at + j], x[at + j]);
    }
    if (at == span.end) return;
    const size_t rest_bytes = (size_t)(span.end - at) * sizeof(float);
    float block[KFI_BLOCK] = {0}, where[KFI_BLOCK] = {0};
    memcpy(block, dy + at, rest_bytes);
    memcpy(where, x + at, rest_bytes);
#pragma omp simd
    for (int j = 0; j < KFI_BLOCK; j++) block[j] = f(by, block[j], where[j]);
    memcpy(dx + at, block, rest_bytes);
}

static bend clipped_by(const kfi_call *call) {
    const kfi_clipped_relu *a = call->attributes;
    return (bend){.slope = a->slope, .threshold = a->threshold, .limit = a->limit};
}

static bend elu_by(const kfi_call *call) {
    const kfi_elu *a = call->attributes;
    return (bend){.alpha = a->alpha, .scale = a->scale};
}

static void clipped_relu(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const bend by = clipped_by(call);
    map_tile(clipped, &by, call, tile);
}
static void clipped_relu_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const bend by = clipped_by(call);
    chain_tile(through_clipped, &by, call, tile);
}
static void elu(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const bend by = elu_by(call);
    map_tile(exponential_linear, &by, call, tile);
}
static void elu_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const bend by = elu_by(call);
    chain_tile(through_elu, &by, call, tile);
}
static void softplus(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(soft_plus, NULL, call, tile);
}
static void softplus_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    chain_tile(through_softplus, NULL, call, tile);
}
static void softsign(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(soft_sign, NULL, call, tile);
}
static void softsign_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    chain_tile(through_softsign, NULL, call, tile);
}
static void hard_sigmoid(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(straight, NULL, call, tile);
}
static void hard_sigmoid_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    chain_tile(through_straight, NULL, call, tile);
}

static kf_status derive(kfi_derivation *d, const char *gradient) {
    d->din[0] = kfi_derive(d, gradient, d->attributes, d->dout[0], d->in[0]);
    return KF_OK;
}
static kf_status derive_clipped(kfi_derivation *d) { return derive(d, "clipped_relu_gradient"); }
static kf_status derive_elu(kfi_derivation *d) { return derive(d, "elu_gradient"); }
static kf_status derive_softplus(kfi_derivation *d) { return derive(d, "softplus_gradient"); }
static kf_status derive_softsign(kfi_derivation *d) { return derive(d, "softsign_gradient"); }
static kf_status derive_straight(kfi_derivation *d) { return derive(d, "hard_sigmoid_gradient"); }

static kfi_cost cheap(const kfi_call *call) { return kfi_cost_of(call, 4); }
static kfi_cost transcendental(const kfi_call *call) { return kfi_cost_of(call, 24); }

/* distinct keeps inputs away from bends in the middle of the range; the bends below lie between
 * two values */
#define X(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -3, .high = 3.8f, .distinct = true }
#define DY(...)                                                                                    \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define LEAKY                                                                                      \
    &(const kfi_clipped_relu) { .slope = 0.3f, .limit = INFINITY }
#define LIMITED                                                                                    \
    &(const kfi_clipped_relu) { .slope = 0.1f, .threshold = 0.4f, .limit = 2.4f }
#define ELU                                                                                        \
    &(const kfi_elu) { .alpha = 0.7f, .scale = 1.2f }

static const kfi_example clipped_examples[] = {
    {.name = "leaky", .attributes = LEAKY, .n_in = 1, .in = {X(1, {17})}},
    {.name = "all of it", .attributes = LIMITED, .n_in = 1, .in = {X(2, {4, 5})}},
    {.name = "large", .attributes = LIMITED, .n_in = 1, .large = true, .in = {X(2, {323, 301})}},
    {0},
};
static const kfi_example clipped_gradient_examples[] = {
    {.name = "leaky", .attributes = LEAKY, .n_in = 2, .in = {DY(1, {17}), X(1, {17})}},
    {.name = "large",
     .attributes = LIMITED,
     .n_in = 2,
     .large = true,
     .in = {DY(2, {323, 301}), X(2, {323, 301})}},
    {0},
};
static const kfi_example elu_examples[] = {
    {.name = "one axis", .attributes = ELU, .n_in = 1, .in = {X(1, {17})}},
    {.name = "large", .attributes = ELU, .n_in = 1, .large = true, .in = {X(2, {323, 301})}},
    {0},
};
static const kfi_example elu_gradient_examples[] = {
    {.name = "one axis", .attributes = ELU, .n_in = 2, .in = {DY(1, {17}), X(1, {17})}},
    {.name = "large",
     .attributes = ELU,
     .n_in = 2,
     .large = true,
     .in = {DY(2, {323, 301}), X(2, {323, 301})}},
    {0},
};
static const kfi_example examples[] = {
    {.name = "one axis", .n_in = 1, .in = {X(1, {17})}},
    {.name = "three axes", .n_in = 1, .in = {X(3, {2, 3, 11})}},
    {.name = "large", .n_in = 1, .large = true, .in = {X(2, {323, 301})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "one axis", .n_in = 2, .in = {DY(1, {17}), X(1, {17})}},
    {.name = "large", .n_in = 2, .large = true, .in = {DY(2, {323, 301}), X(2, {323, 301})}},
    {0},
};

#define FUNCTION(op, bytes, derivative, cost_, examples_)                                          \
    {                                                                                              \
        .name = #op, .attributes_size = bytes, .infer = kfi_infer_same_1,                          \
        .stages = {{op, kfi_element_tiles}}, .gradient = derivative, .cost = cost_,                \
        .examples = KFI_EXAMPLES(examples_), .in_place = {1}, KFI_ELEMENT_WISE,                    \
    }
#define CHAIN(op, bytes, cost_, examples_)                                                         \
    {                                                                                              \
        .name = #op, .attributes_size = bytes, .infer = kfi_infer_same_2,                          \
        .stages = {{op, kfi_element_tiles}}, .cost = cost_, .examples = KFI_EXAMPLES(examples_),   \
        .in_place = {1}, KFI_ELEMENT_WISE,                                                         \
    }

const kfi_op KFI_OP(clipped_relu) = FUNCTION(clipped_relu, sizeof(kfi_clipped_relu), derive_clipped,
                                             cheap, clipped_examples);
const kfi_op KFI_OP(clipped_relu_gradient) = CHAIN(clipped_relu_gradient, sizeof(kfi_clipped_relu),
                                                   cheap, clipped_gradient_examples);
const kfi_op KFI_OP(elu) = FUNCTION(elu, sizeof(kfi_elu), derive_elu, transcendental, elu_examples);
const kfi_op KFI_OP(elu_gradient) = CHAIN(elu_gradient, sizeof(kfi_elu), transcendental,
                                          elu_gradient_examples);
const kfi_op KFI_OP(softplus) = FUNCTION(softplus, 0, derive_softplus, transcendental, examples);
const kfi_op KFI_OP(softplus_gradient) = CHAIN(softplus_gradient, 0, transcendental,
                                               gradient_examples);
const kfi_op KFI_OP(softsign) = FUNCTION(softsign, 0, derive_softsign, cheap, examples);
const kfi_op KFI_OP(softsign_gradient) = CHAIN(softsign_gradient, 0, cheap, gradient_examples);
const kfi_op KFI_OP(hard_sigmoid) = FUNCTION(hard_sigmoid, 0, derive_straight, cheap, examples);
const kfi_op KFI_OP(hard_sigmoid_gradient) = CHAIN(hard_sigmoid_gradient, 0, cheap,
                                                   gradient_examples);
