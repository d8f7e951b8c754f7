/* What initializers fill weights with: limits, mean and deviation by Keras's formulas. The numbers
 * of a run depend on the seed alone, so a test that passes once passes always. */
#include "core/layers/initializers/initializer.h"
#include "tests/layers/support.h"

#include <math.h>
#include <stdlib.h>

static const kf_shape shapes[] = {
    {2, {60, 40}},
    {4, {3, 3, 8, 16}},
    {3, {5, 20, 10}},
};

static const struct { double in, out; } fans[] = {{60, 40}, {72, 144}, {100, 50}};

enum { N_SHAPES = sizeof shapes / sizeof *shapes, MAX_COUNT = 3000 };

typedef struct statistics {
    double low, high, mean, deviation;
} statistics;

static statistics measure(const char *text, const kf_shape *shape) {
    float values[MAX_COUNT];
    const int64_t count = kfi_shape_count(shape);
    assert_true(count <= MAX_COUNT);
    if (kfi_initialize(text, (kfi_random){.key = 11}, shape, values) != KF_OK)
        fail_msg("%s: %s", text, kf_last_error());
    statistics s = {values[0], values[0], 0, 0};
    for (int64_t i = 0; i < count; i++) {
        s.low = fmin(s.low, values[i]);
        s.high = fmax(s.high, values[i]);
        s.mean += values[i] / (double)count;
    }
    for (int64_t i = 0; i < count; i++)
        s.deviation += (values[i] - s.mean) * (values[i] - s.mean) / (double)count;
    s.deviation = sqrt(s.deviation);
    return s;
}

static void assert_near(const char *what, double value, double expected, double tolerance) {
    if (fabs(value - expected) > tolerance)
        fail_msg("%s: %g is not within %g of %g", what, value, tolerance, expected);
}

/* Uniform in (-limit, limit), reaching near both ends. */
static void is_uniform(const char *text, const kf_shape *shape, double limit) {
    const statistics s = measure(text, shape);
    const double root = sqrt((double)kfi_shape_count(shape));
    assert_true(s.low >= -limit * 1.000001 && s.low < -0.98 * limit);
    assert_true(s.high <= limit * 1.000001 && s.high > 0.98 * limit);
    assert_near(text, s.mean, 0, 3 * limit / root);
    assert_near(text, s.deviation, limit / sqrt(3), 0.04 * limit);
}

/* Normal; cut at two deviations (of before the cut), or not. */
static void is_normal(const char *text, const kf_shape *shape, double deviation, bool cut) {
    const statistics s = measure(text, shape);
    const double root = sqrt((double)kfi_shape_count(shape));
    assert_near(text, s.mean, 0, 4 * deviation / root);
    assert_near(text, s.deviation, cut ? .87962566 * deviation : deviation, 0.06 * deviation);
    assert_true(cut ? s.high <= 2.000001 * deviation : s.high > 2.5 * deviation);
    assert_true(cut ? s.low >= -2.000001 * deviation : s.low < -2.5 * deviation);
    if (cut) assert_true(s.high > 1.9 * deviation && s.low < -1.9 * deviation);
}

static void plain_ones(void **state) {
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        is_uniform("random_uniform", &shapes[i], 0.05);
        is_uniform("uniform(-2, 2)", &shapes[i], 2);
        is_normal("random_normal", &shapes[i], 0.05, false);
        is_normal("truncated_normal(stddev=0.5)", &shapes[i], 0.5, true);
    }
    const statistics moved = measure("normal(3, 0.1)", &shapes[0]);
    assert_near("mean", moved.mean, 3, 0.01);
}

static void scaled_ones(void **state) {
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        const double in = fans[i].in, average = (fans[i].in + fans[i].out) / 2;
        is_uniform("glorot_uniform", &shapes[i], sqrt(3 / average));
        is_uniform("he_uniform", &shapes[i], sqrt(6 / in));
        is_uniform("lecun_uniform", &shapes[i], sqrt(3 / in));
        is_normal("glorot_normal", &shapes[i], sqrt(1 / average) / .87962566, true);
        is_normal("he_normal", &shapes[i], sqrt(2 / in) / .87962566, true);
        is_normal("lecun_normal", &shapes[i], sqrt(1 / in) / .87962566, true);
        is_uniform("VarianceScaling(3, 'fan_out', 'uniform')", &shapes[i], sqrt(9 / fans[i].out));
    }
    is_uniform("lecun_uniform", &KFI_SHAPE(900), sqrt(3. / 30)); /* no kernel: sqrt of the count */
}

static void constants(void **state) {
    (void)state;
    const statistics zeros = measure("zeros", &shapes[0]), ones = measure("Ones", &shapes[1]);
    assert_true(zeros.low == 0 && zeros.high == 0);
    assert_true(ones.low == 1 && ones.high == 1);
    const statistics minus = measure("constant(-0.7)", &shapes[0]);
    assert_true((float)minus.low == -0.7f && (float)minus.high == -0.7f);
}

static void identities(void **state) {
    (void)state;
    float m[18];
    const kfi_random stream = {0};
    assert_int_equal(kfi_initialize("identity", stream, &KFI_SHAPE(3, 6), m), KF_OK);
    for (int i = 0; i < 18; i++) assert_true(m[i] == (i % 6 % 3 == i / 6));
    assert_int_equal(kfi_initialize("Identity(2)", stream, &KFI_SHAPE(6, 3), m), KF_OK);
    for (int i = 0; i < 18; i++) assert_true(m[i] == 2 * (i / 3 % 3 == i % 3));
    assert_int_equal(kfi_initialize("identity", stream, &KFI_SHAPE(3, 5), m), KF_INVALID);
    assert_string_equal(kf_last_error(), "Long side should be multiple of short side.");
    assert_int_equal(kfi_initialize("identity", stream, &KFI_SHAPE(9), m), KF_INVALID);
    assert_string_equal(kf_last_error(),
                        "Identity matrix initializer can only be used for 2D matrices.");
}

/* The products of the shorter side's vectors are gain^2 times the unit matrix. */
static void is_orthogonal(const char *text, const kf_shape *shape, double gain) {
    float values[MAX_COUNT];
    assert_int_equal(kfi_initialize(text, (kfi_random){.key = 5}, shape, values), KF_OK);
    const int64_t columns = shape->dims[shape->rank - 1], rows = kfi_shape_count(shape) / columns;
    const bool by_rows = rows <= columns;
    const int64_t count = by_rows ? rows : columns, n = by_rows ? columns : rows;
    for (int64_t a = 0; a < count; a++)
        for (int64_t b = 0; b < count; b++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++)
                sum += (double)values[by_rows ? a * columns + k : k * columns + a] *
                       (double)values[by_rows ? b * columns + k : k * columns + b];
            assert_near(text, sum, a == b ? gain * gain : 0, 1e-6 * gain * gain);
        }
}

static void orthogonal_ones(void **state) {
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) is_orthogonal("orthogonal", &shapes[i], 1);
    is_orthogonal("Orthogonal(gain=1.5)", &KFI_SHAPE(16, 64), 1.5);
    is_orthogonal("orthogonal", &KFI_SHAPE(50, 50), 1);
    is_orthogonal("orthogonal", &KFI_SHAPE(7), 1);
}

static void seeds(void **state) {
    (void)state;
    float a[10], b[10];
    const kf_shape shape = KFI_SHAPE(10);
    const kfi_random one = {.key = 1}, two = {.key = 2};
    assert_int_equal(kfi_initialize("normal(seed=4)", one, &shape, a), KF_OK);
    assert_int_equal(kfi_initialize("normal(seed=4)", two, &shape, b), KF_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(kfi_initialize("normal(seed=0)", one, &shape, b), KF_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(kfi_initialize("normal", one, &shape, a), KF_OK);
    assert_int_equal(kfi_initialize("normal", two, &shape, b), KF_OK);
    assert_memory_not_equal(a, b, sizeof a);
}

/* TensorFlow 2's word, which Keras 2.2.4 would refuse in a file. */
static void saved_in_the_words_of_224(void **state) {
    (void)state;
    kfi_variant *arguments = kfi_variant_dict(), *saved = NULL;
    assert_int_equal(
        kfi_variant_put(arguments, "distribution", kfi_variant_string("truncated_normal")), KF_OK);
    assert_int_equal(kfi_initializers.config("VarianceScaling", arguments, &saved), KF_OK);
    assert_string_equal(
        kfi_variant_text(kfi_variant_get(kfi_variant_get(saved, "config"), "distribution"), ""),
        "normal");
    kfi_variant_free(saved);
    kfi_variant_free(arguments);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("uniform and normal have their limits, mean and deviation", plain_ones),
        SENTENCE("glorot, he and lecun scale with the fans", scaled_ones),
        SENTENCE("constants are constant", constants),
        SENTENCE("identity is tiled along the longer side", identities),
        SENTENCE("orthogonal rows or columns have length gain", orthogonal_ones),
        SENTENCE("a distribution is saved in the words of 2.2.4", saved_in_the_words_of_224),
        SENTENCE("a seed decides alone, without one the stream does", seeds),
    };
    return cmocka_run_group_tests_name("initializers", tests, NULL, NULL);
}
