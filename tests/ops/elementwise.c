/* Values of the ops that go element by element, against double precision. */
#include "tests/ops/support.h"

typedef double reference1(double x);
typedef double reference2(double a, double b);

static double relu(double x) { return x > 0 ? x : 0; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double square(double x) { return x * x; }
static double sum(double a, double b) { return a + b; }
static double difference(double a, double b) { return a - b; }
static double product(double a, double b) { return a * b; }
static double quotient(double a, double b) { return a / b; }
static double greater(double a, double b) { return a > b; }
static double greater_equal(double a, double b) { return a >= b; }
static double less(double a, double b) { return a < b; }
static double less_equal(double a, double b) { return a <= b; }

static const struct {
    const char *name;
    reference2 *f;
} binaries[] = {
    {"add", sum},
    {"subtract", difference},
    {"multiply", product},
    {"divide", quotient},
    {"maximum", fmax},
    {"minimum", fmin},
    {"greater", greater},
    {"less", less},
    {"greater_equal", greater_equal},
    {"less_equal", less_equal},
};
enum { N_BINARIES = sizeof binaries / sizeof binaries[0] };

static void two_inputs_of_one_shape(void **state) {
    (void)state;
    const kfi_array a = uniform(KFI_SHAPE(3, 7), -2, 2, 1), b = uniform(KFI_SHAPE(3, 7), -2, 2, 2);
    ((float *)b.data)[5] = at(&a, 5); /* a tie */
    for (int i = 0; i < N_BINARIES; i++) {
        kfi_array y[KFI_OP_MAX_OUTPUTS];
        apply(y, binaries[i].name, NULL, a, b);
        for (int64_t k = 0; k < 21; k++)
            expect_near(at(&y[0], k), binaries[i].f((double)at(&a, k), (double)at(&b, k)), 1e-6);
    }
}

/* Element (i, j, k) of an operand whose dimensions may be 1; `skip` leading axes are missing. */
static double picked(const kfi_array *x, int64_t i, int64_t j, int64_t k) {
    const int64_t index[3] = {i, j, k};
    int64_t place = 0;
    for (int axis = 0; axis < x->shape.rank; axis++) {
        const int64_t dim = x->shape.dims[axis];
        place = place * dim + (dim == 1 ? 0 : index[axis + 3 - x->shape.rank]);
    }
    return (double)at(x, place);
}

static void check_broadcast(kf_shape a_shape, kf_shape b_shape, kf_shape expected) {
    const kfi_array a = uniform(a_shape, -2, 2, 3), b = uniform(b_shape, -2, 2, 4);
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "subtract", NULL, a, b);
    assert_true(kfi_shape_equal(&y[0].shape, &expected));
    for (int64_t i = 0; i < expected.dims[0]; i++)
        for (int64_t j = 0; j < expected.dims[1]; j++)
            for (int64_t k = 0; k < expected.dims[2]; k++)
                expect_near(at(&y[0], (i * expected.dims[1] + j) * expected.dims[2] + k),
                            picked(&a, i, j, k) - picked(&b, i, j, k), 1e-6);
}

static void broadcasting_repeats_axes_of_one(void **state) {
    (void)state;
    const kf_shape full = KFI_SHAPE(2, 3, 5);
    check_broadcast(full, KFI_SHAPE(5), full);
    check_broadcast(KFI_SHAPE(3, 1), full, full);
    check_broadcast(KFI_SHAPE(2, 1, 5), KFI_SHAPE(1, 3, 1), full);
    check_broadcast(KFI_SCALAR, full, full);
    check_broadcast(full, KFI_SHAPE(2, 1, 1), full);
    check_broadcast(KFI_SHAPE(1, 1, 1), KFI_SHAPE(1), KFI_SHAPE(1, 1, 1));
    check_broadcast(KFI_SHAPE(40, 1, 1), KFI_SHAPE(1, 50, 60), KFI_SHAPE(40, 50, 60));
}

static void broadcasting_passes_the_batch_on(void **state) {
    (void)state;
    infers("add", NULL, "(None, 3)", FLOATS(KF_ANY, 3), FLOATS(3));
    infers("add", NULL, "(None, 3)", FLOATS(KF_ANY, 3), FLOATS(KF_ANY, 1));
    infers("add", NULL, "(None, 3)", FLOATS(1, 3), FLOATS(KF_ANY, 3));
    infers("add", NULL, "(8, 3)", FLOATS(8, 3), FLOATS(KF_ANY, 3));
    infers("add", NULL, "(0, 3)", FLOATS(0, 3), FLOATS(1, 3));
}

static void shapes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    refuses("add", NULL, "shapes (2, 3) and (2, 4) cannot be broadcast", FLOATS(2, 3),
            FLOATS(2, 4));
    refuses("add", NULL, "shapes (0,) and (3,)", FLOATS(0), FLOATS(3));
    refuses("add", NULL, "expected 2 inputs, got 1", FLOATS(2));
    refuses("add", NULL, "input 1 must be float32, got int32", FLOATS(2), INTEGERS(2));
    refuses("add_n", NULL, "inputs 0 and 1 must have the same shape", FLOATS(2), FLOATS(2, 1));
    refuses("relu", NULL, "expected 1 input, got 2", FLOATS(2), FLOATS(2));
    refuses("relu", NULL, "must be float32", INTEGERS(2));
    refuses("tanh_gradient", NULL, "same shape, got (2,) and (3,)", FLOATS(2), FLOATS(3));
    refuses("cast", &(kfi_cast){KF_UINT8}, "not float32 to uint8", FLOATS(2));
    infers("add_n", NULL, "(4, 2)", FLOATS(KF_ANY, 2), FLOATS(4, KF_ANY));
}

/* Units in the last place of the float nearest to `expected`. */
static double ulps(float got, double expected) {
    const float nearest = (float)expected;
    const double unit = (double)nextafterf(fabsf(nearest), INFINITY) - fabs((double)nearest);
    return fabs((double)got - expected) / unit;
}

static double worst_ulps(const char *name, reference1 *f, float low, float high) {
    const kfi_array x = uniform(KFI_SHAPE(100003), low, high, 5);
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, name, NULL, x);
    double worst = 0;
    for (int64_t i = 0; i < 100003; i++) {
        const double error = ulps(at(&y[0], i), f((double)at(&x, i)));
        if (error > worst) worst = error;
    }
    return worst;
}

static void functions_are_within_a_few_units_in_the_last_place(void **state) {
    (void)state;
    static const struct {
        const char *name;
        reference1 *f;
        float low, high;
        double bound;
    } cases[] = {
        {"exp", exp, -87, 88, 4},         {"exp", exp, -1, 1, 4},
        {"log", log, 1e-30f, 1e30f, 4},   {"log", log, 0.01f, 3, 4},
        {"tanh", tanh, -10, 10, 4},       {"tanh", tanh, -0.01f, 0.01f, 4},
        {"sigmoid", sigmoid, -80, 80, 6}, {"sigmoid", sigmoid, -3, 3, 6},
        {"sqrt", sqrt, 0, 1e10f, 0.51},   {"square", square, -100, 100, 0.51},
        {"relu", relu, -1, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double worst = worst_ulps(cases[i].name, cases[i].f, cases[i].low, cases[i].high);
        if (worst > cases[i].bound) fail_msg("%s is off by %g ulp", cases[i].name, worst);
    }
}

static void functions_at_the_ends_of_the_numbers(void **state) {
    (void)state;
    const kfi_array x = floats(KFI_SHAPE(5), (float[]){-INFINITY, INFINITY, NAN, -200, 200});
    static const struct {
        const char *name;
        float expected[5];
    } cases[] = {
        {"relu", {0, INFINITY, NAN, 0, 200}},
        {"sigmoid", {0, 1, NAN, 0, 1}},
        {"tanh", {-1, 1, NAN, -1, 1}},
        {"exp", {0, INFINITY, NAN, 0, INFINITY}},
        {"log", {NAN, INFINITY, NAN, NAN, 5.2983174f}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kfi_array y[KFI_OP_MAX_OUTPUTS];
        apply(y, cases[i].name, NULL, x);
        for (int k = 0; k < 5; k++)
            expect_near((double)at(&y[0], k), (double)cases[i].expected[k], 1e-6);
    }
}

static void a_value_does_not_depend_on_where_it_stands(void **state) {
    (void)state;
    static const char *const names[] = {"exp", "log", "tanh", "sigmoid"};
    const kfi_array x = uniform(KFI_SHAPE(61), 0.1f, 4, 6);
    for (int i = 0; i < 4; i++) {
        kfi_array whole[KFI_OP_MAX_OUTPUTS], part[KFI_OP_MAX_OUTPUTS];
        apply(whole, names[i], NULL, x);
        for (int start = 0; start < 20; start++) {
            apply(part, names[i], NULL, floats(KFI_SHAPE(7), (float *)x.data + start));
            assert_memory_equal(part[0].data, (float *)whole[0].data + start, 7 * sizeof(float));
        }
    }
}

static void gradients_of_activations_from_their_values(void **state) {
    (void)state;
    const kfi_array dy = floats(KFI_SHAPE(3), (float[]){2, -3, 5});
    const kfi_array y = floats(KFI_SHAPE(3), (float[]){0, 0.25f, 0.5f});
    kfi_array dx[KFI_OP_MAX_OUTPUTS];
    apply(dx, "relu_gradient", NULL, dy, y);
    assert_memory_equal(dx[0].data, ((float[]){0, -3, 5}), sizeof(float[3]));
    apply(dx, "sigmoid_gradient", NULL, dy, y);
    assert_memory_equal(dx[0].data, ((float[]){0, -0.5625f, 1.25f}), sizeof(float[3]));
    apply(dx, "tanh_gradient", NULL, dy, y);
    assert_memory_equal(dx[0].data, ((float[]){2, -2.8125f, 3.75f}), sizeof(float[3]));
}

static void ties_send_their_gradient_to_the_first_input(void **state) {
    (void)state;
    const kfi_array a = floats(KFI_SHAPE(3), (float[]){1, 2, 3});
    const kfi_array b = floats(KFI_SHAPE(3), (float[]){1, 3, 2});
    const kfi_array dy = floats(KFI_SHAPE(3), (float[]){10, 20, 30});
    static const struct {
        const char *name;
        float da[3], db[3];
    } cases[] = {{"maximum", {10, 0, 30}, {0, 20, 0}}, {"minimum", {10, 20, 0}, {0, 0, 30}}};
    for (int i = 0; i < 2; i++) {
        kfi_array y[KFI_OP_MAX_OUTPUTS], din[2];
        apply(y, cases[i].name, NULL, a, b);
        derive(find_op(cases[i].name), NULL, (kfi_array[]){a, b}, 2, y, 1, &dy,
               (bool[]){true, true}, din);
        assert_memory_equal(din[0].data, cases[i].da, sizeof(float[3]));
        assert_memory_equal(din[1].data, cases[i].db, sizeof(float[3]));
    }
}

static void affine_and_add_n(void **state) {
    (void)state;
    const kfi_array a = floats(KFI_SHAPE(2), (float[]){1, -2}),
                    b = floats(KFI_SHAPE(2), (float[]){5, 7});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "affine", &((kfi_affine){.scale = 3, .offset = 0.5f}), a);
    assert_memory_equal(y[0].data, ((float[]){3.5f, -5.5f}), sizeof(float[2]));
    apply(y, "add_n", NULL, a, b, a);
    assert_memory_equal(y[0].data, ((float[]){7, 3}), sizeof(float[2]));
}

static void casts_go_towards_zero_and_stay_in_range(void **state) {
    (void)state;
    const kfi_array x =
        floats(KFI_SHAPE(6), (float[]){1.9f, -1.9f, 3e9f, -INFINITY, NAN, -2147483648.0f});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "cast", &(kfi_cast){KF_INT32}, x);
    assert_memory_equal(y[0].data, ((int32_t[]){1, -1, INT32_MAX, INT32_MIN, 0, INT32_MIN}),
                        sizeof(int32_t[6]));
    apply(y, "cast", &(kfi_cast){KF_FLOAT32}, integers(KFI_SHAPE(2), (int32_t[]){-7, 1 << 24}));
    assert_memory_equal(y[0].data, ((float[]){-7, 16777216}), sizeof(float[2]));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("two inputs of one shape", two_inputs_of_one_shape),
        SENTENCE("broadcasting repeats axes of one", broadcasting_repeats_axes_of_one),
        SENTENCE("broadcasting passes the batch on", broadcasting_passes_the_batch_on),
        SENTENCE("shapes that do not fit are refused", shapes_that_do_not_fit_are_refused),
        SENTENCE("functions are within a few units in the last place",
                 functions_are_within_a_few_units_in_the_last_place),
        SENTENCE("functions at the ends of the numbers", functions_at_the_ends_of_the_numbers),
        SENTENCE("a value does not depend on where it stands",
                 a_value_does_not_depend_on_where_it_stands),
        SENTENCE("gradients of activations from their values",
                 gradients_of_activations_from_their_values),
        SENTENCE("ties send their gradient to the first input",
                 ties_send_their_gradient_to_the_first_input),
        SENTENCE("affine and add_n", affine_and_add_n),
        SENTENCE("casts go towards zero and stay in range",
                 casts_go_towards_zero_and_stay_in_range),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
