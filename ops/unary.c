/* One input, element by element. Derivatives of the activations are written in terms of y, which
 * is kept anyway:
 *     relu     y = max(x, 0)           dx = dy where y > 0       (0 at x = 0)
 *     sigmoid  y = 1 / (1 + e^-x)      dx = dy y (1 - y)
 *     tanh                             dx = dy (1 - y^2)
 *     exp                              dx = dy y
 *     log                              dx = dy / x
 *     sqrt                             dx = dy / (2 y)
 *     square                           dx = 2 dy x */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"
#include "ops/vector_math.h"

/* A NaN stays one, so that a diverged training shows. */
static float rectified(float x) { return x < 0 ? 0 : x; }
static float logistic(float x) { return 1 / (1 + expf(-x)); }
static float squared(float x) { return x * x; }
static float root(float x) { return sqrtf(x); }
static float exponential(float x) { return expf(x); }
static float logarithm(float x) { return logf(x); }
static float hyperbolic(float x) { return tanhf(x); }

KFI_INLINE void map_tile(kfi_function *f, const kfi_call *call, int64_t tile) {
    const kfi_span span = kfi_element_span(call, tile);
    kfi_map(f, kfi_in(call, 0) + span.begin, kfi_out(call, 0) + span.begin, span.end - span.begin);
}

static void relu(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(rectified, call, tile);
}
static void sigmoid(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(logistic, call, tile);
}
static void tanh_(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(hyperbolic, call, tile);
}
static void exp_(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(exponential, call, tile);
}
static void log_(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(logarithm, call, tile);
}
static void sqrt_(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(root, call, tile);
}
static void square(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    map_tile(squared, call, tile);
}

typedef float chain(float dy, float y);

static float through_relu(float dy, float y) { return y > 0 ? dy : 0; }
static float through_sigmoid(float dy, float y) { return dy * y * (1 - y); }
static float through_tanh(float dy, float y) { return dy * (1 - y * y); }

KFI_INLINE void chain_tile(chain *f, const kfi_call *call, int64_t tile) {
    const kfi_span span = kfi_element_span(call, tile);
    const float *dy = kfi_in(call, 0), *y = kfi_in(call, 1);
    float *dx = kfi_out(call, 0);
#pragma omp simd
    for (int64_t i = span.begin; i < span.end; i++) dx[i] = f(dy[i], y[i]);
}

static void relu_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    chain_tile(through_relu, call, tile);
}
static void sigmoid_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    chain_tile(through_sigmoid, call, tile);
}
static void tanh_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    chain_tile(through_tanh, call, tile);
}

static kf_status derive_relu(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "relu_gradient", NULL, d->dout[0], d->out[0]);
    return KF_OK;
}
static kf_status derive_sigmoid(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "sigmoid_gradient", NULL, d->dout[0], d->out[0]);
    return KF_OK;
}
static kf_status derive_tanh(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "tanh_gradient", NULL, d->dout[0], d->out[0]);
    return KF_OK;
}
static kf_status derive_exp(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "multiply", NULL, d->dout[0], d->out[0]);
    return KF_OK;
}
static kf_status derive_log(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "divide", NULL, d->dout[0], d->in[0]);
    return KF_OK;
}
static kf_status derive_sqrt(kfi_derivation *d) {
    const kfi_value half = kfi_derive(d, "affine", &(kfi_affine){.scale = 0.5f}, d->dout[0]);
    d->din[0] = kfi_derive(d, "divide", NULL, half, d->out[0]);
    return KF_OK;
}
static kf_status derive_square(kfi_derivation *d) {
    const kfi_value twice = kfi_derive(d, "affine", &(kfi_affine){.scale = 2}, d->dout[0]);
    d->din[0] = kfi_derive(d, "multiply", NULL, twice, d->in[0]);
    return KF_OK;
}

static kfi_cost transcendental_cost(const kfi_call *call) { return kfi_cost_of(call, 20); }
static kfi_cost chain_cost(const kfi_call *call) { return kfi_cost_of(call, 3); }

/* distinct keeps relu's inputs away from its kink */
#define X(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -3, .high = 3.8f, .distinct = true }
static const kfi_example examples[] = {
    {.name = "one axis", .n_in = 1, .in = {X(1, {17})}},
    {.name = "three axes", .n_in = 1, .in = {X(3, {2, 3, 11})}},
    {.name = "large", .n_in = 1, .large = true, .in = {X(2, {323, 301})}},
    {0},
};

#define POSITIVE(...)                                                                              \
    { .shape = {__VA_ARGS__}, .low = 0.25f, .high = 3 }
static const kfi_example positive_examples[] = {
    {.name = "one axis", .n_in = 1, .in = {POSITIVE(1, {17})}},
    {.name = "large", .n_in = 1, .large = true, .in = {POSITIVE(2, {323, 301})}},
    {0},
};

/* y within the values of all three activations */
#define DY(...)                                                                                    \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define Y(...)                                                                                     \
    { .shape = {__VA_ARGS__}, .low = -0.5f, .high = 1 }
static const kfi_example gradient_examples[] = {
    {.name = "one axis", .n_in = 2, .in = {DY(1, {17}), Y(1, {17})}},
    {.name = "large", .n_in = 2, .large = true, .in = {DY(2, {323, 301}), Y(2, {323, 301})}},
    {0},
};

#define FUNCTION(op, kernel, derivative, cost_, examples_)                                         \
    {                                                                                              \
        .name = op, .infer = kfi_infer_same_1, .stages = {{kernel, kfi_element_tiles}},            \
        .gradient = derivative, .cost = cost_, .examples = KFI_EXAMPLES(examples_),                \
        .in_place = {1}, KFI_ELEMENT_WISE,                                                         \
    }
#define CHAIN(op, kernel)                                                                          \
    {                                                                                              \
        .name = op, .infer = kfi_infer_same_2, .stages = {{kernel, kfi_element_tiles}},            \
        .cost = chain_cost, .examples = KFI_EXAMPLES(gradient_examples), .in_place = {1},          \
        KFI_ELEMENT_WISE,                                                                          \
    }

const kfi_op KFI_OP(relu) = FUNCTION("relu", relu, derive_relu, kfi_cheap_cost, examples);
const kfi_op KFI_OP(sigmoid) = FUNCTION("sigmoid", sigmoid, derive_sigmoid, transcendental_cost,
                                        examples);
const kfi_op KFI_OP(tanh) = FUNCTION("tanh", tanh_, derive_tanh, transcendental_cost, examples);
const kfi_op KFI_OP(exp) = FUNCTION("exp", exp_, derive_exp, transcendental_cost, examples);
const kfi_op KFI_OP(log) = FUNCTION("log", log_, derive_log, transcendental_cost,
                                    positive_examples);
const kfi_op KFI_OP(sqrt) = FUNCTION("sqrt", sqrt_, derive_sqrt, transcendental_cost,
                                     positive_examples);
const kfi_op KFI_OP(square) = FUNCTION("square", square, derive_square, kfi_cheap_cost, examples);
const kfi_op KFI_OP(relu_gradient) = CHAIN("relu_gradient", relu_gradient);
const kfi_op KFI_OP(sigmoid_gradient) = CHAIN("sigmoid_gradient", sigmoid_gradient);
const kfi_op KFI_OP(tanh_gradient) = CHAIN("tanh_gradient", tanh_gradient);
