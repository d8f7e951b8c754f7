/* Two inputs, element by element, with numpy's broadcasting: shapes are aligned at the last axis
 * and a dimension of 1 is repeated.
 *     add, subtract, multiply, divide, maximum, minimum, and the comparisons, which give 0 or 1.
 * Derivatives are formulas of the same ops, summed over the repeated axes. Ties of maximum and
 * minimum send their gradient to the first input, as TensorFlow does. */
#include "ops/attributes.h"
#include "ops/axes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status broadcast_dim(int64_t a, int64_t b, int64_t *out) {
    if (a != b && a > -1 && b > -1 && a != 1 && b != 1) return KF_INVALID;
    const bool take_b = a == 1 || (a == KF_ANY && b != 1);
    *out = take_b ? b : a;
    return KF_OK;
}

static int64_t dim_from_end(const kf_shape *shape, int i) {
    return i < shape->rank ? shape->dims[shape->rank - 1 - i] : 1;
}

static kf_status infer(kfi_shaping *shaping) {
    const kf_status status = kfi_expect_floats(shaping, 2);
    if (status) return status;
    const kf_shape *a = &shaping->in[0].shape, *b = &shaping->in[1].shape;
    kf_shape *out = &shaping->out[0].shape;
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++)
        if (broadcast_dim(dim_from_end(a, i), dim_from_end(b, i), &out->dims[out->rank - 1 - i]))
            return kfi_fail(KF_INVALID, "shapes %s and %s cannot be broadcast together",
                            kfi_shape_string(a), kfi_shape_string(b));
    shaping->n_out = 1;
    return KF_OK;
}

/* A repeated input has stride 0, so the innermost strides are 0 or 1. */
static kfi_axes merged_axes(const kfi_call *call) {
    kfi_axes axes = {0};
    int64_t a_stride = 1, b_stride = 1;
    for (int i = 0; i < call->out[0].shape.rank; i++) {
        const int64_t size = dim_from_end(&call->out[0].shape, i);
        const int64_t a = dim_from_end(&call->in[0].shape, i);
        const int64_t b = dim_from_end(&call->in[1].shape, i);
        if (size != 1) kfi_axes_add(&axes, size, a == 1 ? 0 : a_stride, b == 1 ? 0 : b_stride);
        a_stride *= a, b_stride *= b;
    }
    if (axes.rank == 0) kfi_axes_add(&axes, 1, 1, 1);
    return axes;
}

typedef float combination(float a, float b);

KFI_INLINE void combine_run(combination *f, const float *a, int64_t a_stride, const float *b,
                            int64_t b_stride, float *y, int64_t n) {
    if (a_stride && b_stride) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] = f(a[i], b[i]);
    } else if (a_stride) {
        const float only = *b;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] = f(a[i], only);
    } else {
        const float only = *a;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] = f(only, b[i]);
    }
}

KFI_INLINE void combine(combination *f, const kfi_call *call, int64_t tile) {
    const kfi_span span = kfi_element_span(call, tile);
    if (span.begin == span.end) return;
    const kfi_axes axes = merged_axes(call);
    const float *a = kfi_in(call, 0), *b = kfi_in(call, 1);
    float *y = kfi_out(call, 0);
    kfi_position position = kfi_position_of(&axes, span.begin);
    for (int64_t at = span.begin; at < span.end;) {
        const int64_t left = axes.size[0] - position.index[0];
        const int64_t run = left < span.end - at ? left : span.end - at;
        combine_run(f, a + position.a, axes.a_stride[0], b + position.b, axes.b_stride[0], y + at,
                    run);
        kfi_position_move(&position, &axes, run);
        at += run;
    }
}

static float sum(float a, float b) { return a + b; }
static float difference(float a, float b) { return a - b; }
static float product(float a, float b) { return a * b; }
static float quotient(float a, float b) { return a / b; }
static float larger(float a, float b) { return a >= b || a != a ? a : b; }
static float smaller(float a, float b) { return a <= b || a != a ? a : b; }
static float is_greater(float a, float b) { return a > b ? 1.0f : 0.0f; }
static float is_greater_equal(float a, float b) { return a >= b ? 1.0f : 0.0f; }
static float is_less(float a, float b) { return a < b ? 1.0f : 0.0f; }
static float is_less_equal(float a, float b) { return a <= b ? 1.0f : 0.0f; }

static void add(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(sum, call, tile);
}
static void subtract(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(difference, call, tile);
}
static void multiply(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(product, call, tile);
}
static void divide(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(quotient, call, tile);
}
static void maximum(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(larger, call, tile);
}
static void minimum(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(smaller, call, tile);
}
static void greater(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(is_greater, call, tile);
}
static void greater_equal(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(is_greater_equal, call, tile);
}
static void less(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(is_less, call, tile);
}
static void less_equal(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    combine(is_less_equal, call, tile);
}

/* The gradient of input i from what it would be if nothing had been repeated. */
static void give(kfi_derivation *d, int i, kfi_value full) {
    const kf_shape *shape = &d->in_type[i].shape;
    const kfi_shaped to = {.shape = *shape};
    const bool repeated = !kfi_shape_equal(shape, &d->out_type[0].shape);
    d->din[i] = repeated ? kfi_derive(d, "sum_to", &to, full) : full;
}

static kfi_value negative(kfi_derivation *d, kfi_value x) {
    return kfi_derive(d, "affine", &(kfi_affine){.scale = -1}, x);
}

static kf_status add_gradient(kfi_derivation *d) {
    if (d->wanted[0]) give(d, 0, d->dout[0]);
    if (d->wanted[1]) give(d, 1, d->dout[0]);
    return KF_OK;
}

static kf_status subtract_gradient(kfi_derivation *d) {
    if (d->wanted[0]) give(d, 0, d->dout[0]);
    if (!d->wanted[1]) return KF_OK;
    give(d, 1, d->dout[0]);
    d->din[1] = negative(d, d->din[1]); /* after the sum, where it is smaller */
    return KF_OK;
}

static kf_status multiply_gradient(kfi_derivation *d) {
    if (d->wanted[0]) give(d, 0, kfi_derive(d, "multiply", NULL, d->dout[0], d->in[1]));
    if (d->wanted[1]) give(d, 1, kfi_derive(d, "multiply", NULL, d->dout[0], d->in[0]));
    return KF_OK;
}

/* y = a / b: da = dy / b, db = -(dy / b) y */
static kf_status divide_gradient(kfi_derivation *d) {
    const kfi_value da = kfi_derive(d, "divide", NULL, d->dout[0], d->in[1]);
    if (d->wanted[0]) give(d, 0, da);
    if (!d->wanted[1]) return KF_OK;
    give(d, 1, kfi_derive(d, "multiply", NULL, da, d->out[0]));
    d->din[1] = negative(d, d->din[1]);
    return KF_OK;
}

/* dy where input i won, 0 elsewhere; `wins` compares the inputs. */
static void give_where(kfi_derivation *d, int i, const char *wins) {
    if (!d->wanted[i]) return;
    const kfi_value won = kfi_derive(d, wins, NULL, d->in[0], d->in[1]);
    give(d, i, kfi_derive(d, "multiply", NULL, d->dout[0], won));
}

static kf_status maximum_gradient(kfi_derivation *d) {
    give_where(d, 0, "greater_equal");
    give_where(d, 1, "less");
    return KF_OK;
}

static kf_status minimum_gradient(kfi_derivation *d) {
    give_where(d, 0, "less_equal");
    give_where(d, 1, "greater");
    return KF_OK;
}

/* The divisor keeps away from 0; distinct: ties of a and b have no derivative. */
#define A_OF(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = -2, .high = 1.5f, .distinct = true }
#define B_OF(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = 0.5f, .high = 2, .distinct = true }

static const kfi_example examples[] = {
    {.name = "equal shapes", .n_in = 2, .in = {A_OF(2, {5, 7}), B_OF(2, {5, 7})}},
    {.name = "a vector on the last axis", .n_in = 2, .in = {A_OF(3, {2, 3, 5}), B_OF(1, {5})}},
    {.name = "a scalar first", .n_in = 2, .in = {A_OF(0, {0}), B_OF(2, {3, 7})}},
    {.name = "both repeated", .n_in = 2, .in = {A_OF(3, {3, 1, 5}), B_OF(4, {2, 1, 4, 1})}},
    {.name = "large", .n_in = 2, .large = true, .in = {A_OF(2, {257, 513}), B_OF(2, {257, 1})}},
    {0},
};

#define ELEMENTWISE(op, derivative)                                                                \
    {                                                                                              \
        .name = #op, .infer = infer, .stages = {{op, kfi_element_tiles}}, .gradient = derivative,  \
        .cost = kfi_cheap_cost, .examples = KFI_EXAMPLES(examples), .in_place = {1},               \
        KFI_ELEMENT_WISE,                                                                          \
    }

const kfi_op KFI_OP(add) = ELEMENTWISE(add, add_gradient);
const kfi_op KFI_OP(subtract) = ELEMENTWISE(subtract, subtract_gradient);
const kfi_op KFI_OP(multiply) = ELEMENTWISE(multiply, multiply_gradient);
const kfi_op KFI_OP(divide) = ELEMENTWISE(divide, divide_gradient);
const kfi_op KFI_OP(maximum) = ELEMENTWISE(maximum, maximum_gradient);
const kfi_op KFI_OP(minimum) = ELEMENTWISE(minimum, minimum_gradient);
const kfi_op KFI_OP(greater) = ELEMENTWISE(greater, NULL);
const kfi_op KFI_OP(greater_equal) = ELEMENTWISE(greater_equal, NULL);
const kfi_op KFI_OP(less) = ELEMENTWISE(less, NULL);
const kfi_op KFI_OP(less_equal) = ELEMENTWISE(less_equal, NULL);
