/* Ops that move elements without computing: reshape, transpose, concatenate, slice, unslice, fill.
 */
#include "tests/ops/support.h"

static kfi_array counted(kf_shape shape) {
    const kfi_array array = array_filled(KF_FLOAT32, shape, unwritten);
    for (int64_t i = 0; i < kfi_shape_count(&shape); i++) ((float *)array.data)[i] = (float)i;
    return array;
}

static kfi_shaped to(kf_shape shape) { return (kfi_shaped){.shape = shape}; }

static void reshape_works_out_one_dimension(void **state) {
    (void)state;
    kfi_shaped target = to(KFI_SHAPE(KF_ANY, 3136));
    infers("reshape", &target, "(None, 3136)", FLOATS(KF_ANY, 7, 7, 64));
    infers("reshape", &target, "(5, 3136)", FLOATS(5, 7, 7, 64));
    target = to(KFI_SHAPE(KF_ANY, 28, 28, 1));
    infers("reshape", &target, "(None, 28, 28, 1)", FLOATS(KF_ANY, 784));
    infers("reshape", &target, "(0, 28, 28, 1)", FLOATS(0, 784));
    target = to(KFI_SHAPE(4, KF_ANY, 2));
    infers("reshape", &target, "(4, 3, 2)", FLOATS(24));
}

static void reshape_folds_time_steps_into_the_batch_and_back(void **state) {
    (void)state;
    kfi_shaped target = to(KFI_SHAPE(KF_ANY, 27, 27, 1));
    infers("reshape", &target, "(None, 27, 27, 1)", FLOATS(KF_ANY, 10, 27, 27, 1));
    target = to(KFI_SHAPE(KF_ANY, 10, 32));
    infers("reshape", &target, "(None, 10, 32)", FLOATS(KF_ANY, 32));
    target = to(KFI_SHAPE(2, 10, 32));
    infers("reshape", &target, "(2, 10, 32)", FLOATS(KF_ANY, 32));
    target = to(KFI_SHAPE(KF_ANY, 32));
    infers("reshape", &target, "(None, 32)", FLOATS(KF_ANY, KF_ANY, 32));
}

static void reshape_keeps_type_and_memory(void **state) {
    (void)state;
    const kfi_array x = integers(KFI_SHAPE(2, 3), (int32_t[]){1, 2, 3, 4, 5, 6});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    const kfi_shaped target = to(KFI_SHAPE(3, KF_ANY));
    apply(y, "reshape", &target, x);
    assert_int_equal(y[0].dtype, KF_INT32);
    assert_ptr_equal(y[0].data, x.data);
}

static void reshape_refuses_other_counts(void **state) {
    (void)state;
    kfi_shaped target = to(KFI_SHAPE(5, 7));
    refuses("reshape", &target, "cannot reshape (6, 6) to (5, 7)", FLOATS(6, 6));
    target = to(KFI_SHAPE(KF_ANY, 28, 27, 1));
    refuses("reshape", &target, "cannot reshape (None, 784) to (None, 28, 27, 1)",
            FLOATS(KF_ANY, 784));
    target = to(KFI_SHAPE(KF_ANY, 5));
    refuses("reshape", &target, "cannot reshape", FLOATS(2, 3));
    target = to(KFI_SHAPE(KF_ANY, KF_ANY, 5));
    refuses("reshape", &target, "cannot reshape", FLOATS(KF_ANY, 2, 5));
    target = to(KFI_SHAPE(KF_ANY, INT64_MAX / 2, 8));
    refuses("reshape", &target, "cannot reshape", FLOATS(KF_ANY, 8));
    target = to(KFI_SHAPE(KF_ANY, 0));
    refuses("reshape", &target, "cannot reshape", FLOATS(2, 0));
}

/* Against the definition, one index at a time. */
static void check_transpose(kf_shape shape, kfi_transpose by) {
    const kfi_array x = counted(shape);
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "transpose", &by, x);
    int64_t index[KF_MAX_RANK] = {0};
    for (int64_t k = 0; k < kfi_shape_count(&shape); k++) {
        int64_t place = 0;
        for (int axis = 0; axis < shape.rank; axis++)
            for (int i = 0; i < shape.rank; i++)
                if (by.permutation[i] == axis) place = place * shape.dims[axis] + index[i];
        if (at(&y[0], k) != (float)place) fail_msg("element %lld", (long long)k);
        for (int i = shape.rank - 1; i >= 0 && ++index[i] == y[0].shape.dims[i]; i--) index[i] = 0;
    }
}

static void transpose_permutes_axes(void **state) {
    (void)state;
    check_transpose(KFI_SHAPE(5, 7), (kfi_transpose){{1, 0}});
    check_transpose(KFI_SHAPE(100, 67), (kfi_transpose){{1, 0}});
    check_transpose(KFI_SHAPE(3, 1, 5, 2), (kfi_transpose){{3, 1, 0, 2}});
    check_transpose(KFI_SHAPE(2, 3, 4, 5), (kfi_transpose){{0, 3, 1, 2}});
    check_transpose(KFI_SHAPE(2, 3, 4, 5), (kfi_transpose){{2, 0, 1, 3}});
    check_transpose(KFI_SHAPE(2, 3, 4), (kfi_transpose){{0, 1, 2}});
    check_transpose(KFI_SHAPE(1, 1), (kfi_transpose){{1, 0}});
    check_transpose(KFI_SHAPE(1030, 2, 35), (kfi_transpose){{2, 1, 0}});
    check_transpose(KFI_SHAPE(2, 2, 3, 2, 3, 2), (kfi_transpose){{5, 3, 1, 4, 2, 0}});
}

static void transpose_refuses_what_is_no_permutation(void **state) {
    (void)state;
    refuses("transpose", &((kfi_transpose){{0, 0}}), "axis 0 of (2, 3)", FLOATS(2, 3));
    refuses("transpose", &((kfi_transpose){{0, 2}}), "axis 2 of (2, 3)", FLOATS(2, 3));
    infers("transpose", &((kfi_transpose){{1, 0, 2}}), "(7, None, 3)", FLOATS(KF_ANY, 7, 3));
}

static void concatenate_puts_inputs_one_after_the_other(void **state) {
    (void)state;
    const kfi_array a = floats(KFI_SHAPE(2, 2), (float[]){1, 2, 3, 4});
    const kfi_array b = floats(KFI_SHAPE(2, 1), (float[]){5, 6});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "concatenate", &(kfi_slice){.axis = 1}, a, b, a);
    assert_string_equal(kfi_shape_string(&y[0].shape), "(2, 5)");
    assert_memory_equal(y[0].data, ((float[]){1, 2, 5, 1, 2, 3, 4, 6, 3, 4}), sizeof(float[10]));
    apply(y, "concatenate", &(kfi_slice){.axis = 0}, a, a);
    assert_memory_equal(y[0].data, ((float[]){1, 2, 3, 4, 1, 2, 3, 4}), sizeof(float[8]));
}

static void concatenate_checks_the_other_axes(void **state) {
    (void)state;
    const kfi_slice second = {.axis = 1}, third = {.axis = 2};
    infers("concatenate", &second, "(None, 8)", FLOATS(KF_ANY, 3), FLOATS(KF_ANY, 5));
    infers("concatenate", &second, "(4, None)", FLOATS(KF_ANY, KF_ANY), FLOATS(4, 5));
    refuses("concatenate", &second, "must match except on axis 1, got (2, 3) and (4, 3)",
            FLOATS(2, 3), FLOATS(4, 3));
    refuses("concatenate", &second, "must match", FLOATS(2, 3), FLOATS(2, 3, 1));
    refuses("concatenate", &third, "axis 2 is outside", FLOATS(2, 3), FLOATS(2, 3));
    refuses("concatenate", &second, "input 1 must be float32", FLOATS(2, 3), INTEGERS(2, 3));
}

static void slice_and_unslice_are_transposes(void **state) {
    (void)state;
    const kfi_array x = counted(KFI_SHAPE(2, 4, 2));
    const kfi_slice part = {.axis = 1, .start = 1, .size = 2, .total = 4};
    kfi_array y[KFI_OP_MAX_OUTPUTS], back[KFI_OP_MAX_OUTPUTS];
    apply(y, "slice", &part, x);
    assert_memory_equal(y[0].data, ((float[]){2, 3, 4, 5, 10, 11, 12, 13}), sizeof(float[8]));
    apply(back, "unslice", &part, y[0]);
    assert_memory_equal(back[0].data,
                        ((float[]){0, 0, 2, 3, 4, 5, 0, 0, 0, 0, 10, 11, 12, 13, 0, 0}),
                        sizeof(float[16]));
}

static void slices_stay_within_their_axis(void **state) {
    (void)state;
    const kfi_slice part = {.axis = 1, .start = 2, .size = 3, .total = 5};
    infers("slice", &part, "(None, 3)", FLOATS(KF_ANY, 5));
    infers("slice", &part, "(2, 3)", FLOATS(2, KF_ANY));
    refuses("slice", &part, "[2, 5) is not within axis 1 of (2, 4)", FLOATS(2, 4));
    refuses("slice", &((kfi_slice){.axis = 0, .start = -1, .size = 1}), "not within", FLOATS(2));
    infers("unslice", &part, "(None, 5)", FLOATS(KF_ANY, 3));
    refuses("unslice", &part, "cannot stand at 2 of 5", FLOATS(2, 4));
}

static void fill_needs_a_fixed_shape(void **state) {
    (void)state;
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    const kfi_shaped target = {.shape = {1, {3}}, .value = 2.5f};
    apply_op(find_op("fill"), &target, NULL, 0, y, unwritten, FORWARD);
    assert_memory_equal(y[0].data, ((float[]){2.5f, 2.5f, 2.5f}), sizeof(float[3]));
    const kfi_shaped any = to(KFI_SHAPE(KF_ANY, 3));
    expect_refusal("fill", &any, NULL, 0, "needs a fixed shape, got (None, 3)");
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("reshape works out one dimension", reshape_works_out_one_dimension),
        SENTENCE("reshape folds time steps into the batch and back",
                 reshape_folds_time_steps_into_the_batch_and_back),
        SENTENCE("reshape keeps type and memory", reshape_keeps_type_and_memory),
        SENTENCE("reshape refuses other counts", reshape_refuses_other_counts),
        SENTENCE("transpose permutes axes", transpose_permutes_axes),
        SENTENCE("transpose refuses what is no permutation",
                 transpose_refuses_what_is_no_permutation),
        SENTENCE("concatenate puts inputs one after the other",
                 concatenate_puts_inputs_one_after_the_other),
        SENTENCE("concatenate checks the other axes", concatenate_checks_the_other_axes),
        SENTENCE("slice and unslice are transposes", slice_and_unslice_are_transposes),
        SENTENCE("slices stay within their axis", slices_stay_within_their_axis),
        SENTENCE("fill needs a fixed shape", fill_needs_a_fixed_shape),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
