/* Pooling and its gradients against the definition, window by window. */
#include "tests/ops/support.h"

typedef struct problem {
    const char *name;
    int spatial;
    int64_t batch, size[3], channels, window[3], stride[3];
    kfi_padding padding;
} problem;

static const problem problems[] = {
    {"2x2", 2, 2, {6, 8, 1}, 3, {2, 2, 1}, {2, 2, 1}, KFI_VALID},
    {"2x2 with a rest", 2, 2, {7, 5, 1}, 5, {2, 2, 1}, {2, 2, 1}, KFI_VALID},
    {"2x2 same with a rest", 2, 2, {7, 5, 1}, 5, {2, 2, 1}, {2, 2, 1}, KFI_SAME},
    {"3x3 stride 1 same", 2, 1, {6, 7, 1}, 4, {3, 3, 1}, {1, 1, 1}, KFI_SAME},
    {"3x3 stride 2 same", 2, 2, {8, 9, 1}, 17, {3, 3, 1}, {2, 2, 1}, KFI_SAME},
    {"2x1 stride 3: gaps", 2, 2, {9, 8, 1}, 2, {2, 1, 1}, {3, 3, 1}, KFI_VALID},
    {"window wider than the image", 2, 1, {2, 3, 1}, 2, {5, 5, 1}, {1, 1, 1}, KFI_SAME},
    {"1-D", 1, 3, {11, 1, 1}, 6, {3, 1, 1}, {2, 1, 1}, KFI_SAME},
    {"3-D", 3, 2, {4, 5, 3}, 2, {2, 3, 2}, {1, 2, 1}, KFI_SAME},
    {"2x2 of many channels", 2, 2, {22, 18, 1}, 80, {2, 2, 1}, {2, 2, 1}, KFI_VALID},
    {"2x2 of many channels, a rest", 2, 2, {23, 19, 1}, 77, {2, 2, 1}, {2, 2, 1}, KFI_VALID},
    {"3x3 of many channels, same", 2, 1, {13, 14, 1}, 69, {3, 3, 1}, {2, 2, 1}, KFI_SAME},
    {"2x2 of many channels, same", 2, 1, {61, 33, 1}, 35, {2, 2, 1}, {2, 2, 1}, KFI_SAME},
    {"several bands", 2, 2, {90, 41, 1}, 33, {3, 3, 1}, {1, 1, 1}, KFI_SAME},
    {"several bands, gaps", 2, 2, {91, 41, 1}, 33, {2, 2, 1}, {3, 3, 1}, KFI_VALID},
};
enum { N_PROBLEMS = sizeof problems / sizeof problems[0] };

static int64_t places(const problem *p, int i) {
    return p->padding == KFI_SAME ? (p->size[i] - 1) / p->stride[i] + 1
                                  : (p->size[i] - p->window[i]) / p->stride[i] + 1;
}

static int64_t start(const problem *p, int i, int64_t place) {
    const int64_t total = (places(p, i) - 1) * p->stride[i] + p->window[i] - p->size[i];
    return place * p->stride[i] - (p->padding == KFI_SAME && total > 0 ? total / 2 : 0);
}

static kf_shape shape_of(const problem *p, bool of_y) {
    kf_shape shape = {.rank = p->spatial + 2};
    shape.dims[0] = p->batch;
    for (int i = 0; i < p->spatial; i++) shape.dims[1 + i] = of_y ? places(p, i) : p->size[i];
    shape.dims[p->spatial + 1] = p->channels;
    return shape;
}

/* The places of x (without the channel) under a window, in row-major order. */
static int window_places(const problem *p, int64_t image, const int64_t place[3], int64_t *out) {
    int n = 0;
    for (int64_t tap = 0; tap < p->window[0] * p->window[1] * p->window[2]; tap++) {
        const int64_t i = start(p, 0, place[0]) + tap / (p->window[1] * p->window[2]);
        const int64_t j = start(p, 1, place[1]) + tap / p->window[2] % p->window[1];
        const int64_t k = start(p, 2, place[2]) + tap % p->window[2];
        if (i < 0 || j < 0 || k < 0 || i >= p->size[0] || j >= p->size[1] || k >= p->size[2])
            continue;
        out[n++] = ((image * p->size[0] + i) * p->size[1] + j) * p->size[2] + k;
    }
    return n;
}

typedef struct reference {
    float *max;
    double *average, *dx_max, *dx_average;
} reference;

static void pool_one(const problem *p, const float *x, const float *dy, const int64_t *under, int n,
                     int64_t row, int64_t c, const reference *r) {
    const int64_t o = row * p->channels + c;
    int64_t best = under[0] * p->channels + c;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const int64_t at_x = under[i] * p->channels + c;
        if (x[at_x] > x[best]) best = at_x;
        sum += (double)x[at_x];
        r->dx_average[at_x] += (double)dy[o] / n;
    }
    r->max[o] = x[best];
    r->average[o] = sum / n;
    r->dx_max[best] += (double)dy[o];
}

static void expect_all(const problem *p, const char *what, const kfi_array *got,
                       const double *expected) {
    for (int64_t i = 0; i < kfi_shape_count(&got->shape); i++)
        if (!(fabs((double)at(got, i) - expected[i]) <= 2e-6))
            fail_msg("%s: element %lld of %s is %g instead of %g", p->name, (long long)i, what,
                     (double)at(got, i), expected[i]);
}

static void check_problem(const problem *p) {
    const kf_shape x_shape = shape_of(p, false), y_shape = shape_of(p, true);
    const kfi_array x = uniform(x_shape, -1, 1, 5), dy = uniform(y_shape, -1, 1, 6);
    /* a few values only, so that equal maxima occur and the first one must win */
    for (int64_t i = 0; i < kfi_shape_count(&x_shape); i++)
        ((float *)x.data)[i] = roundf(4 * at(&x, i)) - 8;
    const size_t n_x = (size_t)kfi_shape_count(&x_shape), n_y = (size_t)kfi_shape_count(&y_shape);
    const reference r = {calloc(n_y, sizeof(float)), calloc(n_y, sizeof(double)),
                         calloc(n_x, sizeof(double)), calloc(n_x, sizeof(double))};
    int64_t under[256];
    const int64_t n0 = places(p, 0), n1 = places(p, 1), n2 = places(p, 2);
    for (int64_t row = 0; row < p->batch * n0 * n1 * n2; row++) {
        const int64_t place[3] = {row / (n1 * n2) % n0, row / n2 % n1, row % n2};
        const int n = window_places(p, row / (n0 * n1 * n2), place, under);
        for (int64_t c = 0; c < p->channels; c++)
            pool_one(p, x.data, dy.data, under, n, row, c, &r);
    }
    kfi_pool a = {.spatial = p->spatial, .padding = p->padding};
    memcpy(a.window, p->window, sizeof a.window);
    memcpy(a.stride, p->stride, sizeof a.stride);
    memcpy(a.size, p->size, sizeof a.size);
    kfi_array max[1], average[1], dx_max[1], dx_average[1];
    apply(max, "max_pool", &a, x);
    apply(average, "average_pool", &a, x);
    apply(dx_max, "max_pool_gradient", &a, x, max[0], dy);
    apply(dx_average, "average_pool_gradient", &a, dy);
    assert_true(kfi_shape_equal(&max->shape, &y_shape));
    assert_memory_equal(max->data, r.max, n_y * sizeof(float));
    expect_all(p, "average", average, r.average);
    expect_all(p, "the gradient of max", dx_max, r.dx_max);
    expect_all(p, "the gradient of average", dx_average, r.dx_average);
    free(r.max), free(r.average), free(r.dx_max), free(r.dx_average);
}

static void definition(void **state) {
    (void)state;
    for (int i = 0; i < N_PROBLEMS; i++) {
        check_problem(&problems[i]);
        release(0);
    }
}

static void first_maximum(void **state) {
    (void)state;
    const kfi_pool a = {.spatial = 1, .window = {3}, .stride = {3}};
    const kfi_array x = floats(KFI_SHAPE(1, 3, 1), (float[]){2, 5, 5});
    const kfi_array dy = floats(KFI_SHAPE(1, 1, 1), (float[]){7});
    kfi_array y[1], dx[1];
    apply(y, "max_pool", &a, x);
    apply(dx, "max_pool_gradient", &a, x, y[0], dy);
    assert_memory_equal(dx->data, ((float[]){0, 7, 0}), 3 * sizeof(float));
}

static void shapes(void **state) {
    (void)state;
    const kfi_pool valid = {.spatial = 2, .window = {2, 2}, .stride = {2, 2}, .size = {9, 9}};
    const kfi_pool causal = {.spatial = 1, .window = {2}, .stride = {2}, .padding = KFI_CAUSAL};
    infers("max_pool", &valid, "(None, 4, None, 3)", FLOATS(KF_ANY, 9, KF_ANY, 3));
    infers("average_pool_gradient", &valid, "(2, 9, 9, 3)", FLOATS(2, 4, 4, 3));
    refuses("max_pool", &valid, "a window of 2 does not fit into an axis of 1 (negative dimension)",
            FLOATS(5, 8, 1, 3));
    refuses("average_pool", &valid, "rank 4", FLOATS(5, 8, 3));
    refuses("average_pool", &causal, "no causal padding", FLOATS(5, 8, 3));
    refuses("average_pool_gradient", &valid, "must have shape (2, 4, 4, 3)", FLOATS(2, 5, 4, 3));
    refuses("max_pool_gradient", &valid, "input 1 must have shape (2, 4, 4, 3)", FLOATS(2, 9, 9, 3),
            FLOATS(2, 9, 9, 3), FLOATS(2, 4, 4, 3));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("maximum, average and their gradients follow the definition", definition),
        SENTENCE("the first of equal maxima gets the gradient", first_maximum),
        SENTENCE("windows that do not fit are refused", shapes),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}

int main(void) { return at_each_level(run); }
