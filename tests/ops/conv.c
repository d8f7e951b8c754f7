/* The three ops of convolution against the definition, written as loops in double precision over a
 * scatter: every (place of y, tap, channels) once, as far as it lies inside of x. All problems go
 * every way that they can (KF_CONV), and the one that the ops choose by themselves. */
#include "tests/ops/support.h"

typedef struct problem {
    const char *name;
    int spatial;
    int64_t batch, size[3], in, kernel[3], out, stride[3], dilation[3];
    kfi_padding padding;
} problem;

static const problem problems[] = {
    {"1x1", 2, 3, {4, 5}, 3, {1, 1}, 2, {1, 1}, {1, 1}, KFI_VALID},
    {"1x1 stride 2", 2, 2, {5, 6}, 3, {1, 1}, 4, {2, 2}, {1, 1}, KFI_SAME},
    {"3x3 same", 2, 2, {6, 7}, 3, {3, 3}, 5, {1, 1}, {1, 1}, KFI_SAME},
    {"3x3 valid", 2, 2, {6, 7}, 2, {3, 3}, 3, {1, 1}, {1, 1}, KFI_VALID},
    {"even kernel, same", 2, 1, {5, 6}, 2, {2, 4}, 3, {1, 1}, {1, 1}, KFI_SAME},
    {"5x3 stride 2x3 same", 2, 2, {9, 11}, 2, {5, 3}, 3, {2, 3}, {1, 1}, KFI_SAME},
    {"2x2 stride 3 valid: gaps", 2, 1, {11, 9}, 2, {2, 2}, 2, {3, 3}, {1, 1}, KFI_VALID},
    {"3x3 dilation 2x3 same", 2, 1, {8, 9}, 2, {3, 3}, 2, {1, 1}, {2, 3}, KFI_SAME},
    {"stride 2 dilation 2", 2, 1, {9, 10}, 2, {3, 2}, 2, {2, 2}, {2, 2}, KFI_SAME},
    {"stride 4 dilation 6", 1, 2, {41}, 2, {5}, 3, {4}, {6}, KFI_SAME},
    {"kernel wider than the image", 2, 2, {2, 3}, 2, {5, 7}, 2, {1, 1}, {1, 1}, KFI_SAME},
    {"whole image", 2, 2, {4, 5}, 3, {4, 5}, 6, {1, 1}, {1, 1}, KFI_VALID},
    {"1-D causal", 1, 3, {10}, 2, {3}, 4, {1}, {2}, KFI_CAUSAL},
    {"1-D causal stride 2", 1, 2, {9}, 3, {4}, 2, {2}, {1}, KFI_CAUSAL},
    {"3-D same", 3, 2, {4, 3, 5}, 2, {3, 2, 3}, 2, {1, 1, 1}, {1, 1, 1}, KFI_SAME},
    {"3-D stride 2x1x2 valid", 3, 1, {5, 4, 6}, 2, {3, 2, 2}, 3, {2, 1, 2}, {1, 1, 1}, KFI_VALID},
    {"one channel, many places", 2, 3, {61, 53}, 1, {3, 3}, 3, {1, 1}, {1, 1}, KFI_SAME},
    {"many tiles", 2, 2, {27, 25}, 33, {3, 3}, 40, {1, 1}, {1, 1}, KFI_SAME},
    {"many tiles, stride 2", 2, 2, {27, 25}, 33, {3, 3}, 40, {2, 2}, {1, 1}, KFI_SAME},
    {"few places, many channels", 2, 1, {5, 5}, 256, {3, 3}, 320, {1, 1}, {1, 1}, KFI_VALID},
    {"one channel to many", 2, 3, {28, 28}, 1, {3, 3}, 32, {1, 1}, {1, 1}, KFI_SAME},
    {"one channel, rows of 27", 2, 2, {27, 27}, 1, {3, 3}, 64, {1, 1}, {1, 1}, KFI_VALID},
    {"two channels, 7x7 stride 2", 2, 1, {25, 26}, 2, {7, 7}, 20, {2, 2}, {1, 1}, KFI_SAME},
    {"three channels", 2, 2, {26, 25}, 3, {3, 3}, 64, {1, 1}, {1, 1}, KFI_SAME},
    {"1x1 of three channels", 2, 1, {33, 29}, 3, {1, 1}, 64, {1, 1}, {1, 1}, KFI_SAME},
    {"three to three", 2, 2, {37, 70}, 3, {3, 3}, 3, {1, 1}, {1, 1}, KFI_SAME},
    {"many to four", 2, 1, {19, 67}, 40, {5, 3}, 4, {1, 1}, {1, 1}, KFI_VALID},
    {"many to one, stride 3 downwards", 2, 2, {19, 21}, 9, {4, 5}, 1, {3, 1}, {1, 1}, KFI_SAME},
    {"three to two, 3-D", 3, 1, {5, 6, 18}, 3, {3, 2, 3}, 2, {2, 1, 1}, {1, 2, 1}, KFI_SAME},
    {"columns of a vector and a bit", 2, 1, {11, 9}, 8, {3, 3}, 17, {1, 1}, {1, 1}, KFI_SAME},
    {"columns of several blocks", 2, 1, {9, 8}, 24, {3, 3}, 150, {1, 1}, {1, 1}, KFI_SAME},
    {"long lines", 2, 1, {6, 12}, 50, {2, 5}, 36, {1, 1}, {1, 1}, KFI_SAME},
    {"dilated rows, many channels", 2, 1, {20, 17}, 32, {3, 3}, 64, {1, 1}, {2, 2}, KFI_SAME},
    {"six points, whole tiles", 2, 1, {8, 12}, 16, {3, 3}, 16, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, tiles cut off", 2, 3, {7, 7}, 64, {3, 3}, 128, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, valid", 2, 2, {27, 26}, 32, {3, 3}, 80, {1, 1}, {1, 1}, KFI_VALID},
    {"six points, one place", 2, 2, {1, 1}, 32, {3, 3}, 32, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, many channels", 2, 1, {9, 10}, 256, {3, 3}, 96, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, many tiles", 2, 1, {45, 50}, 32, {3, 3}, 48, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, by thirds", 2, 1, {36, 47}, 64, {3, 3}, 112, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, by sixths", 2, 1, {9, 10}, 256, {3, 3}, 128, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, some columns", 2, 1, {5, 6}, 512, {3, 3}, 80, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, 5x5", 2, 2, {13, 10}, 32, {5, 5}, 64, {1, 1}, {1, 1}, KFI_SAME},
    {"six points, 5x5 valid", 2, 1, {21, 18}, 48, {5, 5}, 16, {1, 1}, {1, 1}, KFI_VALID},
    {"six points, slices of a volume",
     3,
     2,
     {3, 7, 6},
     16,
     {1, 3, 3},
     32,
     {1, 1, 1},
     {1, 1, 1},
     KFI_SAME},
};
enum { N_PROBLEMS = sizeof problems / sizeof problems[0] };

static int64_t extent(const problem *p, int i) { return (p->kernel[i] - 1) * p->dilation[i] + 1; }

/* Keras's rules once more, written apart from those under test. */
static int64_t places(const problem *p, int i) {
    if (i >= p->spatial) return 1;
    if (p->padding == KFI_VALID) return (p->size[i] - extent(p, i)) / p->stride[i] + 1;
    return (p->size[i] - 1) / p->stride[i] + 1;
}

static int64_t before(const problem *p, int i) {
    if (i >= p->spatial || p->padding == KFI_VALID) return 0;
    if (p->padding == KFI_CAUSAL) return extent(p, i) - 1;
    const int64_t total = (places(p, i) - 1) * p->stride[i] + extent(p, i) - p->size[i];
    return total > 0 ? total / 2 : 0;
}

static int64_t one_or(const problem *p, const int64_t *values, int i) {
    return i < p->spatial ? values[i] : 1;
}

/* Where tap `tap` of place `place` lies on an axis; -1 outside. */
static int64_t source(const problem *p, int i, int64_t place, int64_t tap) {
    if (i >= p->spatial) return 0;
    const int64_t at_axis = place * p->stride[i] - before(p, i) + tap * p->dilation[i];
    return at_axis < p->size[i] ? at_axis : -1;
}

static kf_shape shape_with(const problem *p, int64_t first, int64_t (*axis)(const problem *, int),
                           int64_t last) {
    kf_shape shape = {.rank = p->spatial + 2};
    shape.dims[0] = first;
    for (int i = 0; i < p->spatial; i++) shape.dims[1 + i] = axis(p, i);
    shape.dims[p->spatial + 1] = last;
    return shape;
}

static int64_t size_of_axis(const problem *p, int i) { return p->size[i]; }

static kf_shape kernel_shape(const problem *p) {
    kf_shape shape = {.rank = p->spatial + 2};
    for (int i = 0; i < p->spatial; i++) shape.dims[i] = p->kernel[i];
    shape.dims[p->spatial] = p->in;
    shape.dims[p->spatial + 1] = p->out;
    return shape;
}

typedef struct reference {
    double *y, *dx, *dw;
} reference;

/* One (place, tap): y += x w, dx += dy w, dw += x dy for all pairs of channels. */
static void add_tap(const problem *p, const float *x, const float *w, const float *dy, double *y,
                    double *dx, double *dw) {
    for (int64_t c = 0; c < p->in; c++)
        for (int64_t o = 0; o < p->out; o++) {
            y[o] += (double)x[c] * (double)w[c * p->out + o];
            dx[c] += (double)dy[o] * (double)w[c * p->out + o];
            dw[c * p->out + o] += (double)x[c] * (double)dy[o];
        }
}

static void add_place(const problem *p, const float *x, const float *w, const float *dy,
                      int64_t image, const int64_t place[3], const reference *r) {
    const int64_t n1 = places(p, 1), n2 = places(p, 2);
    const int64_t row =
        (((image * places(p, 0) + place[0]) * n1 + place[1]) * n2 + place[2]) * p->out;
    const int64_t k1 = one_or(p, p->kernel, 1), k2 = one_or(p, p->kernel, 2);
    for (int64_t tap = 0; tap < p->kernel[0] * k1 * k2; tap++) {
        const int64_t s0 = source(p, 0, place[0], tap / (k1 * k2));
        const int64_t s1 = source(p, 1, place[1], tap / k2 % k1);
        const int64_t s2 = source(p, 2, place[2], tap % k2);
        if (s0 < 0 || s1 < 0 || s2 < 0) continue;
        const int64_t pixel =
            (((image * p->size[0] + s0) * one_or(p, p->size, 1) + s1) * one_or(p, p->size, 2) +
             s2) *
            p->in;
        const int64_t weight = tap * p->in * p->out;
        add_tap(p, x + pixel, w + weight, dy + row, r->y + row, r->dx + pixel, r->dw + weight);
    }
}

/* Winograd's way rounds more than sums do. */
static double tolerance(const problem *p, bool exact) {
    const char *way = getenv("KF_CONV");
    const bool sums = exact || (way && strcmp(way, "winograd") != 0);
    return sums || p->kernel[1] < 3 ? 1e-5 : 2.7e-5;
}

static void expect_all(const problem *p, const char *what, const kfi_array *got,
                       const double *expected, double tolerance) {
    double largest = 0;
    const int64_t count = kfi_shape_count(&got->shape);
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)at(got, i) - expected[i]) <= tolerance * largest + 1e-6))
            fail_msg("%s: element %lld of %s is %g instead of %g", p->name, (long long)i, what,
                     (double)at(got, i), expected[i]);
}

static kfi_conv attributes_of(const problem *p, const int64_t *size, bool exact) {
    kfi_conv a = {.spatial = p->spatial, .padding = p->padding, .exact = exact};
    for (int i = 0; i < p->spatial; i++) {
        a.stride[i] = p->stride[i];
        a.dilation[i] = p->dilation[i];
        a.size[i] = size[i];
    }
    return a;
}

static void check_problem(const problem *p, bool exact) {
    const kfi_array x = uniform(shape_with(p, p->batch, size_of_axis, p->in), -1, 1, 1);
    const kfi_array w = uniform(kernel_shape(p), -1, 1, 2);
    const kfi_array dy = uniform(shape_with(p, p->batch, places, p->out), -1, 1, 3);
    const reference r = {calloc((size_t)kfi_shape_count(&dy.shape), sizeof(double)),
                         calloc((size_t)kfi_shape_count(&x.shape), sizeof(double)),
                         calloc((size_t)kfi_shape_count(&w.shape), sizeof(double))};
    assert_true(r.y && r.dx && r.dw);
    const int64_t n0 = places(p, 0), n1 = places(p, 1), n2 = places(p, 2);
    for (int64_t i = 0; i < p->batch * n0 * n1 * n2; i++) {
        const int64_t place[3] = {i / (n1 * n2) % n0, i / n2 % n1, i % n2};
        add_place(p, x.data, w.data, dy.data, i / (n0 * n1 * n2), place, &r);
    }
    kfi_array y[1], dx[1], dw[1];
    const kfi_conv forward = attributes_of(p, p->size, exact);
    const kfi_conv weight = attributes_of(p, p->kernel, exact);
    apply(y, "conv", &forward, x, w);
    apply(dx, "conv_data_gradient", &forward, dy, w);
    apply(dw, "conv_weight_gradient", &weight, x, dy);
    assert_true(kfi_shape_equal(&y->shape, &dy.shape));
    assert_true(kfi_shape_equal(&dx->shape, &x.shape));
    assert_true(kfi_shape_equal(&dw->shape, &w.shape));
    expect_all(p, "y", y, r.y, tolerance(p, exact));
    expect_all(p, "dx", dx, r.dx, tolerance(p, exact));
    expect_all(p, "dw", dw, r.dw, tolerance(p, exact));
    free(r.y), free(r.dx), free(r.dw);
}

static void definition(void **state) {
    (void)state;
    for (int i = 0; i < N_PROBLEMS; i++) {
        check_problem(&problems[i], false);
        release(0);
    }
}

/* For the one way that they refuse. */
static void exactness(void **state) {
    (void)state;
    const char *way = getenv("KF_CONV");
    if (!way || strcmp(way, "winograd") != 0) return;
    for (int i = 0; i < N_PROBLEMS; i++) {
        check_problem(&problems[i], true);
        release(0);
    }
}

static void shapes(void **state) {
    (void)state;
    const kfi_conv same = {2, {2, 2}, {1, 1}, KFI_SAME, {0}, false};
    infers("conv", &same, "(None, 14, 14, 8)", FLOATS(KF_ANY, 28, 28, 3), FLOATS(3, 3, 3, 8));
    infers("conv", &same, "(None, None, None, 8)", FLOATS(KF_ANY, KF_ANY, KF_ANY, 3),
           FLOATS(3, 3, 3, 8));
    kfi_conv transposed = {2, {2, 2}, {1, 1}, KFI_SAME, {28, 28}, false};
    infers("conv_data_gradient", &transposed, "(None, 28, 28, 3)", FLOATS(KF_ANY, 14, 14, 8),
           FLOATS(3, 3, 3, 8));
    const kfi_conv weight = {2, {2, 2}, {1, 1}, KFI_SAME, {3, 3}, false};
    infers("conv_weight_gradient", &weight, "(3, 3, 3, 8)", FLOATS(5, 28, 28, 3),
           FLOATS(5, 14, 14, 8));
}

static void refusals(void **state) {
    (void)state;
    const kfi_conv valid = {2, {1, 1}, {1, 1}, KFI_VALID, {9, 9}, false};
    const kfi_conv wide = {2, {1, 1}, {2, 1}, KFI_VALID, {0}, false};
    const kfi_conv causal = {2, {1, 1}, {1, 1}, KFI_CAUSAL, {0}, false};
    const kfi_conv still = {2, {0, 1}, {1, 1}, KFI_VALID, {0}, false};
    refuses("conv", &valid, "expects 4 input channels, got 3", FLOATS(1, 9, 9, 3),
            FLOATS(3, 3, 4, 8));
    refuses("conv", &wide, "a window of 5 does not fit into an axis of 4", FLOATS(1, 4, 9, 3),
            FLOATS(3, 3, 3, 8));
    refuses("conv", &valid, "rank 4, got shape (1, 9, 3)", FLOATS(1, 9, 3), FLOATS(3, 3, 3, 8));
    refuses("conv", &causal, "causal padding needs 1 spatial axis", FLOATS(1, 9, 9, 3),
            FLOATS(3, 3, 3, 8));
    refuses("conv", &still, "must be positive", FLOATS(1, 9, 9, 3), FLOATS(3, 3, 3, 8));
    refuses("conv_data_gradient", &valid, "an axis of 9 has 7 windows, the gradient has 8",
            FLOATS(1, 8, 7, 8), FLOATS(3, 3, 3, 8));
    refuses("conv_data_gradient", &valid, "expects 8 output channels, got 6", FLOATS(1, 7, 7, 6),
            FLOATS(3, 3, 3, 8));
    refuses("conv_weight_gradient", &valid, "the input has 2 samples, the gradient 3",
            FLOATS(2, 9, 9, 3), FLOATS(3, 1, 1, 8));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("values and both gradients follow the definition", definition),
        SENTENCE("exact ones round as sums do, also where Winograd's way is asked for", exactness),
        SENTENCE("unknown dimensions go through", shapes),
        SENTENCE("shapes that do not fit are refused with what was expected", refusals),
    };
    kfi_ops_enter_thread(); /* as every thread that runs kernels */
    const int failed = cmocka_run_group_tests_name("conv", tests, NULL, NULL);
    kfi_ops_leave_thread();
    return failed;
}

int main(void) {
    static const char *const ways[] = {"direct", "few", "winograd", "patches"};
    unsetenv("KF_CONV");
    int failed = at_each_level(run);
    for (int i = 0; i < 4; i++) {
        setenv("KF_CONV", ways[i], 1);
        failed |= at_each_level(run);
    }
    return failed;
}
