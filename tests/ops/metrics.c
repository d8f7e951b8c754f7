/* Accuracies, by hand. */
#include "tests/ops/support.h"

static void expect_scores(const char *name, kfi_array t, kfi_array p, const float *expected) {
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, name, NULL, t, p);
    assert_int_equal(y[0].shape.rank, p.shape.rank - 1);
    assert_memory_equal(y[0].data, expected, bytes_of(&y[0]));
}

static void binary_accuracy_rounds_half_to_even(void **state) {
    (void)state;
    expect_scores("binary_accuracy", floats(KFI_SHAPE(5, 1), (float[]){0, 1, 1, 0, 2}),
                  floats(KFI_SHAPE(5, 1), (float[]){0.5f, 0.5f, 0.51f, 0.49f, 1.5f}),
                  (float[]){1, 0, 1, 1, 1});
}

static void binary_accuracy_is_a_mean_over_the_last_axis(void **state) {
    (void)state;
    expect_scores("binary_accuracy", floats(KFI_SHAPE(2, 4), (float[]){0, 1, 1, 0, 1, 1, 1, 1}),
                  floats(KFI_SHAPE(2, 4), (float[]){0.1f, 0.2f, 0.7f, 0.9f, 1, 1, 1, 0.6f}),
                  (float[]){0.5f, 1});
    expect_scores("binary_accuracy", floats(KFI_SHAPE(1, 2, 1), (float[]){0, 1}),
                  floats(KFI_SHAPE(1, 2, 1), (float[]){0.7f, 0.7f}), (float[]){0, 1});
}

static void binary_accuracy_counts_long_rows(void **state) {
    (void)state;
    const kfi_array p = uniform(KFI_SHAPE(3, 1001), 0, 1, 31);
    const kfi_array t = array_filled(KF_FLOAT32, p.shape, unwritten);
    for (int64_t i = 0; i < 3003; i++)
        ((float *)t.data)[i] = (at(&p, i) > 0.5f) == (i % 7 != 0) ? 1.0f : 0.0f;
    float expected[3];
    for (int r = 0; r < 3; r++) {
        int right = 0;
        for (int i = r * 1001; i < (r + 1) * 1001; i++) right += i % 7 != 0;
        expected[r] = (float)right / 1001;
    }
    expect_scores("binary_accuracy", t, p, expected);
}

static void categorical_accuracy_takes_the_first_maximum(void **state) {
    (void)state;
    expect_scores("categorical_accuracy",
                  floats(KFI_SHAPE(3, 3), (float[]){0, 1, 0, 1, 0, 0, 0.5f, 0.5f, 0}),
                  floats(KFI_SHAPE(3, 3), (float[]){0.1f, 0.8f, 0.1f, 0.2f, 0.4f, 0.4f, 1, 2, 2}),
                  (float[]){1, 0, 0});
}

static void sparse_categorical_accuracy_compares_labels(void **state) {
    (void)state;
    const float p[] = {0.1f, 0.8f, 0.1f, 0.2f, 0.4f, 0.4f, 1, 2, 3, 9, 9, 9};
    expect_scores("sparse_categorical_accuracy",
                  integers(KFI_SHAPE(4, 1), (int32_t[]){1, 2, 2, -1}), floats(KFI_SHAPE(4, 3), p),
                  (float[]){1, 0, 1, 0});
    expect_scores("sparse_categorical_accuracy",
                  integers(KFI_SHAPE(2, 2, 1), (int32_t[]){1, 1, 0, 0}),
                  floats(KFI_SHAPE(2, 2, 3), p), (float[]){1, 1, 0, 1});
}

static void targets_must_fit(void **state) {
    (void)state;
    infers("categorical_accuracy", NULL, "(None, 5)", FLOATS(KF_ANY, 5, 3), FLOATS(KF_ANY, 5, 3));
    refuses("binary_accuracy", NULL, "targets of shape (2, 1) do not fit", FLOATS(2, 1),
            FLOATS(2, 3));
    refuses("sparse_categorical_accuracy", NULL, "labels must be of shape (2, 1), got (2, 3)",
            INTEGERS(2, 3), FLOATS(2, 3));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("binary accuracy rounds half to even", binary_accuracy_rounds_half_to_even),
        SENTENCE("binary accuracy is a mean over the last axis",
                 binary_accuracy_is_a_mean_over_the_last_axis),
        SENTENCE("binary accuracy counts long rows", binary_accuracy_counts_long_rows),
        SENTENCE("categorical accuracy takes the first maximum",
                 categorical_accuracy_takes_the_first_maximum),
        SENTENCE("sparse categorical accuracy compares labels",
                 sparse_categorical_accuracy_compares_labels),
        SENTENCE("targets must fit", targets_must_fit),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
