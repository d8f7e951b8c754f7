/* Batch normalisation, its gradients and the moving average, channel by channel in two passes. */
#include "tests/ops/support.h"

static const float epsilon = 1e-3f;

typedef struct problem {
    kf_shape shape;
    int axis;
    int64_t channels, inner, count; /* count: elements of a channel */
    kfi_array x, dy, gamma, beta;
} problem;

static problem make_problem(kf_shape shape, int axis) {
    problem p = {.shape = shape, .axis = axis, .channels = shape.dims[axis]};
    p.inner = kfi_shape_product(&shape, axis + 1, shape.rank);
    p.count = kfi_shape_count(&shape) / p.channels;
    /* means far from 0, against which a careless variance would be lost */
    p.x = uniform(shape, 30, 31, 1);
    p.dy = uniform(shape, -1, 1, 2);
    p.gamma = uniform(KFI_SHAPE(p.channels), -2, 2, 3);
    p.beta = uniform(KFI_SHAPE(p.channels), -2, 2, 4);
    return p;
}

/* Place of element i of channel c. */
static int64_t place(const problem *p, int64_t c, int64_t i) {
    return (i / p->inner * p->channels + c) * p->inner + i % p->inner;
}

typedef struct statistics {
    double mean, variance, deviation; /* deviation: 1 / sqrt(variance + epsilon) */
} statistics;

static statistics statistics_of(const problem *p, int64_t c) {
    statistics s = {0};
    for (int64_t i = 0; i < p->count; i++) s.mean += (double)at(&p->x, place(p, c, i));
    s.mean /= (double)p->count;
    for (int64_t i = 0; i < p->count; i++) {
        const double d = (double)at(&p->x, place(p, c, i)) - s.mean;
        s.variance += d * d / (double)p->count;
    }
    s.deviation = 1 / sqrt(s.variance + (double)epsilon);
    return s;
}

static void expect_normalised(const problem *p, int64_t c, statistics s, const kfi_array *y) {
    const double gamma = (double)at(&p->gamma, c), beta = (double)at(&p->beta, c);
    for (int64_t i = 0; i < p->count; i++) {
        const double x = (double)at(&p->x, place(p, c, i));
        expect_near(at(y, place(p, c, i)), gamma * (x - s.mean) * s.deviation + beta, 2e-5);
    }
}

/* `batch`: whether mean and deviation depend on x. */
static void expect_gradient(const problem *p, int64_t c, statistics s, bool batch,
                            const kfi_array *got) {
    double dbeta = 0, dgamma = 0;
    for (int64_t i = 0; i < p->count; i++) {
        const double dy = (double)at(&p->dy, place(p, c, i));
        dbeta += dy;
        dgamma += dy * ((double)at(&p->x, place(p, c, i)) - s.mean) * s.deviation;
    }
    expect_near(at(&got[1], c), dgamma, 1e-5);
    expect_near(at(&got[2], c), dbeta, 1e-5);
    for (int64_t i = 0; i < p->count; i++) {
        const double hat = ((double)at(&p->x, place(p, c, i)) - s.mean) * s.deviation;
        const double mean = batch ? (dbeta + hat * dgamma) / (double)p->count : 0;
        const double dy = (double)at(&p->dy, place(p, c, i));
        expect_near(at(&got[0], place(p, c, i)),
                    (double)at(&p->gamma, c) * s.deviation * (dy - mean), 2e-5);
    }
}

static void check_training(kf_shape shape, int axis) {
    const problem p = make_problem(shape, axis);
    const kfi_batch_norm a = {axis, epsilon};
    kfi_array y[4], gradient[3];
    assert_int_equal(apply(y, "batch_norm", &a, p.x, p.gamma, p.beta), 4);
    assert_int_equal(apply(gradient, "batch_norm_gradient", &a, p.x, p.dy, p.gamma, y[1], y[3]), 3);
    for (int64_t c = 0; c < p.channels; c++) {
        const statistics s = statistics_of(&p, c);
        expect_near(at(&y[1], c), s.mean, 1e-7);
        expect_near(at(&y[2], c), s.variance, 1e-7);
        expect_near(at(&y[3], c), s.deviation, 1e-6);
        expect_normalised(&p, c, s, &y[0]);
        expect_gradient(&p, c, s, true, gradient);
    }
    release(0);
}

static void check_inference(kf_shape shape, int axis) {
    const problem p = make_problem(shape, axis);
    const kfi_batch_norm a = {axis, epsilon};
    const kfi_array mean = uniform(KFI_SHAPE(p.channels), 30, 31, 5);
    const kfi_array variance = uniform(KFI_SHAPE(p.channels), 0.1f, 2, 6);
    kfi_array y[1], gradient[3];
    apply(y, "batch_norm_inference", &a, p.x, p.gamma, p.beta, mean, variance);
    apply(gradient, "batch_norm_inference_gradient", &a, p.x, p.dy, p.gamma, mean, variance);
    for (int64_t c = 0; c < p.channels; c++) {
        statistics s = {(double)at(&mean, c), (double)at(&variance, c), 0};
        s.deviation = 1 / sqrt(s.variance + (double)epsilon);
        expect_normalised(&p, c, s, &y[0]);
        expect_gradient(&p, c, s, false, gradient);
    }
    release(0);
}

static void check_both(kf_shape shape, int axis) {
    check_training(shape, axis);
    check_inference(shape, axis);
}

static void last_axis(void **state) {
    (void)state;
    check_both(KFI_SHAPE(9, 5), 1);
    check_both(KFI_SHAPE(32, 1), 1);
    check_both(KFI_SHAPE(4, 7, 5, 33), 3);
    check_both(KFI_SHAPE(16, 41, 39, 16), 3); /* in slices */
}

static void other_axes(void **state) {
    (void)state;
    check_both(KFI_SHAPE(5, 3, 4, 7), 1);
    check_both(KFI_SHAPE(5, 3, 4), 0);
    check_both(KFI_SHAPE(8, 5, 81, 77), 1); /* in slices */
}

static void constant_channel(void **state) {
    (void)state;
    const kfi_batch_norm a = {1, epsilon};
    const kfi_array x = floats(KFI_SHAPE(3, 1), (float[]){0.1f, 0.1f, 0.1f});
    const kfi_array one = floats(KFI_SHAPE(1), (float[]){1});
    kfi_array y[4];
    apply(y, "batch_norm", &a, x, one, one);
    expect_near(at(&y[0], 0), 1, 1e-6);
    expect_near(at(&y[2], 0), 0, 1e-9);
    expect_near(at(&y[3], 0), 1 / sqrt((double)epsilon), 1e-6);
}

static void moving(void **state) {
    (void)state;
    const kfi_moving_average a = {.momentum = 0.9f, .factor = 1.25f};
    const kfi_array old = floats(KFI_SHAPE(2), (float[]){1, -4});
    const kfi_array value = floats(KFI_SHAPE(2), (float[]){8, 2});
    kfi_array out[1];
    apply(out, "moving_average", &a, old, value);
    expect_near(at(out, 0), 0.9 + 1.25 * 0.8, 1e-6);
    expect_near(at(out, 1), -3.6 + 1.25 * 0.2, 1e-6);
}

static void shapes(void **state) {
    (void)state;
    const kfi_batch_norm a = {3, epsilon}, outside = {4, epsilon};
    infers("batch_norm", &a, "(None, 9, 9, 3)", FLOATS(KF_ANY, 9, 9, 3), FLOATS(3), FLOATS(3));
    refuses("batch_norm", &a, "input 2 must have shape (3,), got (4,)", FLOATS(2, 9, 9, 3),
            FLOATS(3), FLOATS(4));
    refuses("batch_norm", &outside, "axis 4 is outside", FLOATS(2, 9, 9, 3), FLOATS(3), FLOATS(3));
    refuses("batch_norm_gradient", &a, "input 1 must have shape (2, 9, 9, 3)", FLOATS(2, 9, 9, 3),
            FLOATS(2, 9, 3), FLOATS(3), FLOATS(3), FLOATS(3));
    refuses("moving_average", (&(kfi_moving_average){.9f, 1}), "same shape", FLOATS(2), FLOATS(3));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("the last axis is normalised, in training and inference", last_axis),
        SENTENCE("so is any other axis", other_axes),
        SENTENCE("a channel that never varies stays finite", constant_channel),
        SENTENCE("a moving average weighs the factor in", moving),
        SENTENCE("vectors of another length are refused", shapes),
    };
    return cmocka_run_group_tests_name("batch_norm", tests, NULL, NULL);
}

int main(void) { return at_each_level(run); }
