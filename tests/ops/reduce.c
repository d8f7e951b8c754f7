/* Sums, means, broadcasting and weighted means against loops over all elements. */
#include "tests/ops/support.h"

/* Where element i of x goes when the axes in `axes` are reduced. */
static int64_t target(const kf_shape *x, uint32_t axes, int64_t i) {
    int64_t at_y = 0, size = 1;
    for (int axis = x->rank - 1; axis >= 0; axis--) {
        const int64_t index = i % x->dims[axis];
        i /= x->dims[axis];
        if (axes >> axis & 1) continue;
        at_y += index * size;
        size *= x->dims[axis];
    }
    return at_y;
}

static double *sums_of(const kfi_array *x, uint32_t axes, int64_t *count) {
    *count = 1;
    for (int i = 0; i < x->shape.rank; i++)
        if (!(axes >> i & 1)) *count *= x->shape.dims[i];
    double *sums = calloc((size_t)*count, sizeof *sums);
    assert_non_null(sums);
    for (int64_t i = 0; i < kfi_shape_count(&x->shape); i++)
        sums[target(&x->shape, axes, i)] += (double)at(x, i);
    return sums;
}

static void check_reduction(kf_shape shape, uint32_t axes) {
    const kfi_array x = uniform(shape, -1, 2, 8);
    int64_t count;
    double *expected = sums_of(&x, axes, &count);
    const double summands = (double)kfi_shape_count(&shape) / (double)count;
    for (int keep = 0; keep < 2; keep++) {
        kfi_array sum[1], mean[1];
        apply(sum, "reduce_sum", (&(kfi_reduce){axes, keep}), x);
        apply(mean, "reduce_mean", (&(kfi_reduce){axes, keep}), x);
        assert_int_equal(kfi_shape_count(&sum->shape), count);
        assert_int_equal(sum->shape.rank,
                         keep ? shape.rank : shape.rank - __builtin_popcount(axes));
        for (int64_t i = 0; i < count; i++) {
            expect_near(at(sum, i), expected[i], 1e-6);
            expect_near(at(mean, i), expected[i] / summands, 1e-6);
        }
    }
    free(expected);
    release(0);
}

static void every_set_of_axes(void **state) {
    (void)state;
    for (uint32_t axes = 0; axes < 32; axes++) check_reduction(KFI_SHAPE(3, 4, 2, 5, 3), axes);
    for (uint32_t axes = 0; axes < 16; axes++) check_reduction(KFI_SHAPE(1, 4, 1, 5), axes);
    check_reduction(KFI_SCALAR, 0);
}

static void long_axes(void **state) {
    (void)state;
    check_reduction(KFI_SHAPE(300007), 1);
    check_reduction(KFI_SHAPE(200003, 3), 1);
    check_reduction(KFI_SHAPE(3, 200003), 2);
    check_reduction(KFI_SHAPE(70, 2500), 1);
    check_reduction(KFI_SHAPE(400, 2500), 1);
    check_reduction(KFI_SHAPE(5, 199, 211, 3), 6);
    check_reduction(KFI_SHAPE(60, 3, 1009, 2), 5);
    check_reduction(KFI_SHAPE(40, 3, 30, 101), 10);
    check_reduction(KFI_SHAPE(40, 3, 30, 101), 11);
}

static void check_broadcast(kf_shape narrow, kf_shape wide) {
    const kfi_array x = uniform(narrow, -1, 1, 9), dy = uniform(wide, -1, 1, 10);
    const int offset = wide.rank - narrow.rank;
    uint32_t axes = 0;
    for (int i = 0; i < wide.rank; i++)
        if (i < offset || narrow.dims[i - offset] == 1) axes |= 1u << i;
    kfi_array y[1], dx[1];
    apply(y, "broadcast_to", (&(kfi_shaped){.shape = wide}), x);
    apply(dx, "sum_to", (&(kfi_shaped){.shape = narrow}), dy);
    assert_true(kfi_shape_equal(&y->shape, &wide) && kfi_shape_equal(&dx->shape, &narrow));
    for (int64_t i = 0; i < kfi_shape_count(&wide); i++)
        assert_true(at(y, i) == at(&x, target(&wide, axes, i)));
    int64_t count;
    double *expected = sums_of(&dy, axes, &count);
    for (int64_t i = 0; i < count; i++) expect_near(at(dx, i), expected[i], 1e-6);
    free(expected);
    release(0);
}

static void broadcasting(void **state) {
    (void)state;
    check_broadcast(KFI_SCALAR, KFI_SHAPE(3, 5));
    check_broadcast(KFI_SCALAR, KFI_SCALAR);
    check_broadcast(KFI_SHAPE(5), KFI_SHAPE(3, 5));
    check_broadcast(KFI_SHAPE(3, 1), KFI_SHAPE(3, 5));
    check_broadcast(KFI_SHAPE(3, 5), KFI_SHAPE(3, 5));
    check_broadcast(KFI_SHAPE(4, 1, 3), KFI_SHAPE(2, 4, 5, 3));
    check_broadcast(KFI_SHAPE(1, 4, 1, 3), KFI_SHAPE(2, 4, 5, 3));
    check_broadcast(KFI_SHAPE(4, 1, 1, 21), KFI_SHAPE(4, 50, 51, 21));
    check_broadcast(KFI_SHAPE(1, 1, 1, 3), KFI_SHAPE(9, 101, 99, 3));
}

static void shapes(void **state) {
    (void)state;
    infers("reduce_sum", (&(kfi_reduce){2, false}), "(None, 3)", FLOATS(KF_ANY, 9, 3));
    infers("reduce_mean", (&(kfi_reduce){1, true}), "(1, 9, 3)", FLOATS(KF_ANY, 9, 3));
    refuses("reduce_sum", (&(kfi_reduce){8, false}), "axis 3 is outside", FLOATS(2, 9, 3));
    refuses("broadcast_to", (&(kfi_shaped){.shape = {2, {3, 4}}}),
            "cannot broadcast shape (2, 1) to (3, 4)", FLOATS(2, 1));
    refuses("broadcast_to", (&(kfi_shaped){.shape = {1, {4}}}),
            "cannot broadcast shape (1, 4) to (4,)", FLOATS(1, 4));
    refuses("sum_to", (&(kfi_shaped){.shape = {2, {2, 4}}}), "cannot sum shape (3, 4) to (2, 4)",
            FLOATS(3, 4));
}

/* Keras's words: mean of the score over the axes the weights lack, times the weights, divided by
 * the mean of (weights != 0), mean of all. */
static void check_weighted(kf_shape score_shape, kf_shape weight_shape) {
    const kfi_array score = uniform(score_shape, -1, 2, 11);
    const kfi_array weights = uniform(weight_shape, -1, 1, 12);
    const int64_t n = kfi_shape_count(&weight_shape), rest = kfi_shape_count(&score_shape) / n;
    double sum = 0, nonzero = 0;
    for (int64_t i = 0; i < n; i++) {
        float *weight = (float *)weights.data + i;
        if (*weight < -0.5f) *weight = 0;
        double mean = 0;
        for (int64_t j = 0; j < rest; j++) mean += (double)at(&score, i * rest + j) / (double)rest;
        sum += mean * (double)*weight;
        nonzero += *weight != 0;
    }
    kfi_array loss[1], dscore[1];
    apply(loss, "weighted_mean", NULL, score, weights);
    expect_near(at(loss, 0), sum / (double)n / (nonzero / (double)n), 1e-6);
    const kfi_array dloss = floats(KFI_SCALAR, (float[]){3});
    apply(dscore, "weighted_mean_gradient", (&(kfi_shaped){.shape = score_shape}), dloss, weights);
    for (int64_t i = 0; i < n * rest; i++)
        expect_near(at(dscore, i) * nonzero * (double)rest, 3 * (double)at(&weights, i / rest),
                    1e-6);
    release(0);
}

static void weighted(void **state) {
    (void)state;
    check_weighted(KFI_SHAPE(7), KFI_SHAPE(7));
    check_weighted(KFI_SHAPE(7, 4), KFI_SHAPE(7));
    check_weighted(KFI_SHAPE(7, 4, 3), KFI_SHAPE(7, 4));
    check_weighted(KFI_SHAPE(701, 401), KFI_SHAPE(701));
}

static void unweighted(void **state) {
    (void)state;
    const kfi_array score = uniform(KFI_SHAPE(601, 307), -1, 2, 13);
    double sum = 0;
    for (int64_t i = 0; i < 601 * 307; i++) sum += (double)at(&score, i);
    kfi_array loss[1];
    apply(loss, "weighted_mean", NULL, score);
    expect_near(at(loss, 0), sum / (601 * 307), 1e-7);
}

static void no_weights_at_all(void **state) {
    (void)state;
    const kfi_array score = uniform(KFI_SHAPE(4), -1, 2, 13);
    const kfi_array weights = floats(KFI_SHAPE(4), (float[4]){0});
    kfi_array loss[1];
    apply(loss, "weighted_mean", NULL, score, weights);
    assert_true(isnan(at(loss, 0)));
    infers("weighted_mean", NULL, "()", FLOATS(KF_ANY, 4), FLOATS(KF_ANY));
    refuses("weighted_mean", NULL, "weights of shape (3,) do not fit scores of shape (4,)",
            FLOATS(4), FLOATS(3));
    refuses("weighted_mean", NULL, "weights of shape (4, 1) do not fit", FLOATS(4), FLOATS(4, 1));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("sum and mean over every set of axes", every_set_of_axes),
        SENTENCE("sum and mean in slices and blocks", long_axes),
        SENTENCE("broadcast_to repeats and sum_to adds up what it repeats", broadcasting),
        SENTENCE("axes and shapes that do not fit are refused", shapes),
        SENTENCE("a weighted mean divides by the number of weights that are not zero", weighted),
        SENTENCE("without weights it is the mean", unweighted),
        SENTENCE("with all weights zero it is NaN, as in Keras", no_weights_at_all),
    };
    return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}

int main(void) { return at_each_level(run); }
