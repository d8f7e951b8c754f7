/* Softmax and its gradient on any axis, against double precision. */
#include "tests/ops/support.h"

/* The axis at the middle of (outer, n, inner). */
static void check(kf_shape shape, int32_t axis, float low, float high) {
    const int64_t outer = kfi_shape_product(&shape, 0, axis), n = shape.dims[axis];
    const int64_t inner = kfi_shape_product(&shape, axis + 1, shape.rank);
    const kfi_array x = uniform(shape, low, high, 8), dy = uniform(shape, -1, 1, 9);
    const kfi_along along = {axis};
    kfi_array y[KFI_OP_MAX_OUTPUTS], dx[KFI_OP_MAX_OUTPUTS];
    apply(y, "softmax", &along, x);
    apply(dx, "softmax_gradient", &along, dy, y[0]);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < inner; j++) {
            const int64_t first = o * n * inner + j;
            double sum = 0, product = 0;
            for (int64_t i = 0; i < n; i++) sum += exp((double)at(&x, first + i * inner));
            for (int64_t i = 0; i < n; i++)
                product += exp((double)at(&x, first + i * inner)) / sum *
                           (double)at(&dy, first + i * inner);
            for (int64_t i = 0; i < n; i++) {
                const int64_t k = first + i * inner;
                const double expected = exp((double)at(&x, k)) / sum;
                expect_near((double)at(&y[0], k), expected, 1e-6);
                expect_near((double)at(&dx[0], k), expected * ((double)at(&dy, k) - product), 1e-6);
            }
        }
}

static void rows(void **state) {
    (void)state;
    check(KFI_SHAPE(32, 10), 1, -5, 5);
    check(KFI_SHAPE(5, 3, 1), 2, -5, 5);
    check(KFI_SHAPE(3, 1000), 1, -20, 20);
    check(KFI_SHAPE(2, 40001), 1, -1, 1);
    check(KFI_SHAPE(7), 0, -1, 1);
}

static void other_axes(void **state) {
    (void)state;
    check(KFI_SHAPE(4, 5, 3), 1, -5, 5);
    check(KFI_SHAPE(4, 130), 0, -5, 5);
    check(KFI_SHAPE(2, 3, 65, 2), 1, -5, 5);
}

static void large_numbers_do_not_overflow(void **state) {
    (void)state;
    const kfi_array x = floats(KFI_SHAPE(2, 3), (float[]){1e30f, 1e30f, -1e30f, -3e38f, 0, 500});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "softmax", &((kfi_along){1}), x);
    assert_memory_equal(y[0].data, ((float[]){0.5f, 0.5f, 0, 0, 0, 1}), sizeof(float[6]));
}

static void a_row_does_not_depend_on_its_neighbours(void **state) {
    (void)state;
    const kfi_array x = uniform(KFI_SHAPE(9, 7), -3, 3, 10);
    kfi_array all[KFI_OP_MAX_OUTPUTS], one[KFI_OP_MAX_OUTPUTS];
    apply(all, "softmax", &((kfi_along){1}), x);
    for (int r = 0; r < 9; r++) {
        apply(one, "softmax", &((kfi_along){1}), floats(KFI_SHAPE(1, 7), (float *)x.data + 7 * r));
        assert_memory_equal(one[0].data, (float *)all[0].data + 7 * r, 7 * sizeof(float));
    }
}

static void a_nan_spreads_over_its_row_only(void **state) {
    (void)state;
    const kfi_array x = floats(KFI_SHAPE(2, 2), (float[]){NAN, 1, 2, 2});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "softmax", &((kfi_along){1}), x);
    assert_true(isnan(at(&y[0], 0)) && isnan(at(&y[0], 1)));
    assert_true(at(&y[0], 2) == 0.5f && at(&y[0], 3) == 0.5f);
}

static void the_axis_must_exist(void **state) {
    (void)state;
    refuses("softmax", &((kfi_along){2}), "axis 2 is outside an input of shape (2, 3)",
            FLOATS(2, 3));
    refuses("softmax", &((kfi_along){-1}), "axis -1 is outside", FLOATS(2, 3));
    infers("softmax", &((kfi_along){1}), "(None, 3)", FLOATS(KF_ANY, 3));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("rows", rows),
        SENTENCE("other axes", other_axes),
        SENTENCE("large numbers do not overflow", large_numbers_do_not_overflow),
        SENTENCE("a row does not depend on its neighbours",
                 a_row_does_not_depend_on_its_neighbours),
        SENTENCE("a NaN spreads over its row only", a_nan_spreads_over_its_row_only),
        SENTENCE("the axis must exist", the_axis_must_exist),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
