#include "core/base/shape.h"

#include "tests/base/sentences.h"

#include <string.h>

static void counts(void **state) {
    (void)state;
    assert_int_equal(kfi_shape_count(&KFI_SHAPE(2, 3, 4)), 24);
    assert_int_equal(kfi_shape_count(&KFI_SCALAR), 1);
    assert_int_equal(kfi_shape_count(&KFI_SHAPE(5, 0)), 0);
    assert_int_equal(kfi_shape_count(&KFI_SHAPE(KF_ANY, 3)), -1);
}

static void overflows(void **state) {
    (void)state;
    assert_int_equal(kfi_shape_count(&KFI_SHAPE(INT64_MAX, 2)), -1);
    assert_int_equal(kfi_shape_count(&KFI_SHAPE(INT64_MAX / 16 + 1)), -1);
    assert_int_equal(kfi_shape_count(&KFI_SHAPE(INT64_MAX / 16)), INT64_MAX / 16);
}

static void products(void **state) {
    (void)state;
    assert_int_equal(kfi_shape_product(&KFI_SHAPE(2, 3, 4), 1, 3), 12);
    assert_int_equal(kfi_shape_product(&KFI_SHAPE(2, 3, 4), 2, 2), 1);
}

static void compares(void **state) {
    (void)state;
    assert_true(kfi_shape_equal(&KFI_SHAPE(2, KF_ANY), &KFI_SHAPE(2, KF_ANY)));
    assert_false(kfi_shape_equal(&KFI_SHAPE(2, KF_ANY), &KFI_SHAPE(2, 3)));
    assert_false(kfi_shape_equal(&KFI_SHAPE(2), &KFI_SHAPE(2, 1)));
    assert_true(kfi_shape_fits(&KFI_SHAPE(2, KF_ANY), &KFI_SHAPE(2, 3)));
    assert_false(kfi_shape_fits(&KFI_SHAPE(2, KF_ANY), &KFI_SHAPE(3, 3)));
    assert_false(kfi_shape_fits(&KFI_SHAPE(2), &KFI_SHAPE(2, KF_ANY)));
}

static void axes(void **state) {
    (void)state;
    assert_int_equal(kfi_axis(-1, 4), 3);
    assert_int_equal(kfi_axis(2, 4), 2);
    assert_int_equal(kfi_axis(4, 4), -1);
    assert_int_equal(kfi_axis(-5, 4), -1);
    assert_int_equal(kfi_axis(INT64_MIN, 4), -1);
}

static void prints(void **state) {
    (void)state;
    assert_string_equal(kfi_shape_string(&KFI_SHAPE(KF_ANY, 28, 28, 1)), "(None, 28, 28, 1)");
    assert_string_equal(kfi_shape_string(&KFI_SHAPE(3)), "(3,)");
    assert_string_equal(kfi_shape_string(&KFI_SCALAR), "()");
}

static void longest_fits(void **state) {
    (void)state;
    kf_shape shape = {.rank = KF_MAX_RANK};
    for (int i = 0; i < KF_MAX_RANK; i++) shape.dims[i] = INT64_MAX;
    const kfi_shape_text printed = kfi_shape_print(&shape);
    assert_int_equal(strlen(printed.text), 8 * 19 + 7 * 2 + 2);
}

static void dtypes(void **state) {
    (void)state;
    assert_int_equal(kf_dtype_size(KF_UINT16), 2);
    assert_string_equal(kf_dtype_name(KF_FLOAT64), "float64");
    for (int i = 0; i < KF_N_DTYPES; i++) assert_true(kf_dtype_size((kf_dtype)i) > 0);
    assert_int_equal(kf_dtype_size(KF_N_DTYPES), 0);
    assert_string_equal(kf_dtype_name((kf_dtype)99), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("elements are counted; an open dimension has no count", counts),
        SENTENCE("a count that could overflow in bytes is refused", overflows),
        SENTENCE("a product takes the axes it is told", products),
        SENTENCE("shapes are equal exactly and fit where one is open", compares),
        SENTENCE("an axis counts from the end when negative", axes),
        SENTENCE("a shape prints as a Python tuple", prints),
        SENTENCE("the longest shape fits its text", longest_fits),
        SENTENCE("every type has a size and numpy's name", dtypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
