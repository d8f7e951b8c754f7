/* pad, upsample and reduce_max on numbers small enough to check by hand. */
#include "tests/ops/support.h"

static void expect_floats(const kfi_array *got, const char *shape, const float *expected) {
    assert_string_equal(kfi_shape_string(&got->shape), shape);
    for (int64_t i = 0; i < kfi_shape_count(&got->shape); i++)
        expect_near((double)at(got, i), (double)expected[i], 1e-6);
}

static void padding(void **state) {
    (void)state;
    const kfi_array x = floats(KFI_SHAPE(1, 2, 3), (float[]){1, 2, 3, 4, 5, 6});
    kfi_array y;
    apply(&y, "pad", (&(kfi_pad){.before = {0, 1, 0}, .after = {0, 0, 2}}), x);
    expect_floats(&y, "(1, 3, 5)", (float[]){0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0});
    apply(&y, "pad", (&(kfi_pad){.before = {0, -1, -1}, .after = {0, 1, 0}}), x);
    expect_floats(&y, "(1, 2, 2)", (float[]){5, 6, 0, 0});
    apply(&y, "pad", (&(kfi_pad){.before = {1}}), x);
    expect_floats(&y, "(2, 2, 3)", (float[]){0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6});
    infers("pad", (&(kfi_pad){.before = {0, 1}, .after = {0, 1}}), "(None, None, 3)",
           FLOATS(KF_ANY, KF_ANY, 3));
    refuses("pad", (&(kfi_pad){.before = {0, -2}, .after = {0, -1}}),
            "an axis of 3 cannot lose 3 elements", FLOATS(2, 3));
}

static void up(void **state) {
    (void)state;
    const kfi_array x = floats(KFI_SHAPE(2, 2, 1), (float[]){1, 4, -2, 0});
    kfi_array y;
    apply(&y, "upsample", (&(kfi_upsample){.axis = 1, .factor = 2}), x);
    expect_floats(&y, "(2, 4, 1)", (float[]){1, 1, 4, 4, -2, -2, 0, 0});
    apply(&y, "upsample", (&(kfi_upsample){.axis = 1, .factor = 3, .linear = true}), x);
    expect_floats(&y, "(2, 6, 1)", (float[]){1, 2, 3, 4, 4, 4, -2, -4.0f / 3, -2.0f / 3, 0, 0, 0});
    apply(&y, "upsample", (&(kfi_upsample){.axis = 0, .factor = 2, .linear = true}), x);
    expect_floats(&y, "(4, 2, 1)", (float[]){1, 4, -0.5f, 2, -2, 0, -2, 0});
    infers("upsample", (&(kfi_upsample){.axis = 1, .factor = 3}), "(2, None, 4)",
           FLOATS(2, KF_ANY, 4));
    refuses("upsample", (&(kfi_upsample){.axis = 1}), "must be positive, got 0", FLOATS(2, 3));
    refuses("upsample_gradient", (&(kfi_upsample){.axis = 1, .factor = 2}),
            "an axis of 3 is no multiple of 2", FLOATS(2, 3));
}

static void largest(void **state) {
    (void)state;
    const kfi_reduce rows = {.axes = 2};
    const kfi_array x =
        floats(KFI_SHAPE(2, 3, 2), (float[]){1, -5, 3, -4, 2, -9, 7, 0, 7, 1, 7, 1});
    kfi_array y, dx;
    apply(&y, "reduce_max", &rows, x);
    expect_floats(&y, "(2, 2)", (float[]){3, -4, 7, 1});
    const kfi_array dy = floats(KFI_SHAPE(2, 2), (float[]){10, 20, 30, 40});
    apply(&dx, "reduce_max_gradient", &rows, x, y, dy);
    expect_floats(&dx, "(2, 3, 2)", (float[]){0, 0, 10, 20, 0, 0, 10, 0, 10, 20, 10, 20});
    apply(&y, "reduce_max", (&(kfi_reduce){.axes = 6, .keep_dims = true}), x);
    expect_floats(&y, "(2, 1, 1)", (float[]){3, 7});
    refuses("reduce_max", (&(kfi_reduce){.axes = 5}), "expected neighbouring axes",
            FLOATS(2, 3, 2));
    refuses("reduce_max", (&(kfi_reduce){0}), "expected neighbouring axes", FLOATS(2, 3, 2));
}

static void not_a_number(void **state) {
    (void)state;
    const kfi_array x = floats(KFI_SHAPE(1, 3), (float[]){1, NAN, 2});
    kfi_array y;
    apply(&y, "reduce_max", (&(kfi_reduce){.axes = 2}), x);
    assert_true(isnan(at(&y, 0)));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("padding puts zeros around an array or cuts its ends", padding),
        SENTENCE("up-sampling repeats elements or draws lines between them", up),
        SENTENCE("the gradient of a maximum goes in equal parts to all that are it", largest),
        SENTENCE("a maximum does not hide what is not a number", not_a_number),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
