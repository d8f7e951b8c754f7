/* Optimizer updates over several steps, against Keras's formulas in double precision. */
#include "tests/ops/support.h"

enum { COUNT = 77, STEPS = 5 };

/* One weight's history in double precision: w and its slots. */
typedef struct weight {
    double w, first, second;
} weight;

typedef void rule(weight *one, double g, double lr, const kfi_update *by, int step);

static void sgd(weight *one, double g, double lr, const kfi_update *by, int step) {
    (void)by, (void)step;
    one->w -= lr * g;
}

static void momentum(weight *one, double g, double lr, const kfi_update *by, int step) {
    (void)step;
    const double m = (double)by->momentum;
    one->first = m * one->first - lr * g;
    one->w += by->nesterov ? m * one->first - lr * g : one->first;
}

static void rmsprop(weight *one, double g, double lr, const kfi_update *by, int step) {
    (void)step;
    const double rho = (double)by->momentum;
    one->first = rho * one->first + (1 - rho) * g * g;
    one->w -= lr * g / (sqrt(one->first) + (double)by->epsilon);
}

static double adam_rate(double lr, const kfi_update *by, int step) {
    return lr * sqrt(1 - pow((double)by->beta_2, step)) / (1 - pow((double)by->momentum, step));
}

static void adam(weight *one, double g, double lr, const kfi_update *by, int step) {
    const double b1 = (double)by->momentum, b2 = (double)by->beta_2;
    one->first = b1 * one->first + (1 - b1) * g;
    one->second = b2 * one->second + (1 - b2) * g * g;
    one->w -= adam_rate(lr, by, step) * one->first / (sqrt(one->second) + (double)by->epsilon);
}

static void check(const char *name, rule *formula, const kfi_update *by, int slots,
                  bool adam_rates) {
    const double lr = 0.05;
    kfi_array values[3] = {uniform(KFI_SHAPE(7, 11), -1, 1, 41)}; /* w and slots */
    static const float zeros[COUNT];
    for (int i = 1; i <= slots; i++) values[i] = floats(KFI_SHAPE(7, 11), zeros);
    weight weights[COUNT] = {{0}};
    for (int k = 0; k < COUNT; k++) weights[k].w = (double)at(&values[0], k);
    for (int step = 1; step <= STEPS; step++) {
        const float rate = (float)(adam_rates ? adam_rate(lr, by, step) : lr);
        const kfi_array g = uniform(KFI_SHAPE(7, 11), -1, 1, 50 + (uint64_t)step);
        const kfi_array hyper = floats(KFI_SHAPE(4), (float[]){rate, NAN, NAN, NAN});
        const kfi_array in[5] = {values[0], g, hyper, values[1], values[2]};
        const int n_out = apply_op(find_op(name), by, in, 3 + slots, values, unwritten, FORWARD);
        assert_int_equal(n_out, 1 + slots);
        for (int k = 0; k < COUNT; k++) formula(&weights[k], (double)at(&g, k), lr, by, step);
    }
    for (int k = 0; k < COUNT; k++) {
        expect_near((double)at(&values[0], k), weights[k].w, 2e-6);
        if (slots > 0) expect_near((double)at(&values[1], k), weights[k].first, 2e-6);
        if (slots > 1) expect_near((double)at(&values[2], k), weights[k].second, 2e-6);
    }
}

static void sgd_without_momentum(void **state) {
    (void)state;
    check("sgd_update", sgd, &(kfi_update){0}, 0, false);
}

static void sgd_with_momentum(void **state) {
    (void)state;
    check("sgd_update", momentum, &(kfi_update){.momentum = 0.9f}, 1, false);
    check("sgd_update", momentum, &(kfi_update){0}, 1, false);
}

static void sgd_with_nesterov_momentum(void **state) {
    (void)state;
    check("sgd_update", momentum, &(kfi_update){.momentum = 0.9f, .nesterov = true}, 1, false);
}

static void rmsprop_with_epsilon_outside_of_the_root(void **state) {
    (void)state;
    check("rmsprop_update", rmsprop, &(kfi_update){.momentum = 0.9f, .epsilon = 1e-7f}, 1, false);
    check("rmsprop_update", rmsprop, &(kfi_update){.momentum = 0.5f, .epsilon = 0.3f}, 1, false);
}

static void adam_with_a_bias_corrected_rate(void **state) {
    (void)state;
    check("adam_update", adam, &(kfi_update){.momentum = 0.9f, .beta_2 = 0.999f, .epsilon = 1e-7f},
          2, true);
    check("adam_update", adam, &(kfi_update){.momentum = 0.5f, .beta_2 = 0.8f, .epsilon = 0.2f}, 2,
          true);
}

static void a_zero_gradient_leaves_the_weight(void **state) {
    (void)state;
    const kfi_array w = floats(KFI_SHAPE(1), (float[]){3}),
                    zero = floats(KFI_SHAPE(1), (float[]){0});
    const kfi_array hyper = floats(KFI_SHAPE(4), (float[]){0.1f, 0, 0, 0});
    const kfi_update by = {.momentum = 0.9f, .beta_2 = 0.999f, .epsilon = 1e-7f};
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "rmsprop_update", &by, w, zero, hyper, zero);
    assert_true(at(&y[0], 0) == 3);
    apply(y, "adam_update", &by, w, zero, hyper, zero, zero);
    assert_true(at(&y[0], 0) == 3);
}

/* Long enough for whole blocks without a gradient, at the beginning and at the end. */
static void weights_without_a_gradient_are_as_if_updated(void **state) {
    (void)state;
    enum { MANY = 2100, FIRST = 700, LAST = 1400 };
    static float gradient[MANY];
    for (int i = FIRST; i < LAST; i++) gradient[i] = 0.5f;
    const kfi_array w = uniform(KFI_SHAPE(MANY), -1, 1, 71), a = uniform(KFI_SHAPE(MANY), 0, 1, 72);
    const kfi_array g = floats(KFI_SHAPE(MANY), gradient);
    const kfi_array hyper = floats(KFI_SHAPE(4), (float[]){0.1f, 0, 0, 0});
    const kfi_update by = {.momentum = 0.9f, .epsilon = 1e-7f};
    kfi_array by_rmsprop[KFI_OP_MAX_OUTPUTS], by_adagrad[KFI_OP_MAX_OUTPUTS];
    apply(by_rmsprop, "rmsprop_update", &by, w, g, hyper, a);
    apply(by_adagrad, "adagrad_update", &by, w, g, hyper, a);
    for (int i = 0; i < MANY; i++) {
        const bool kept = i < FIRST || i >= LAST;
        assert_true((at(&by_rmsprop[0], i) == at(&w, i)) == kept);
        assert_true((at(&by_adagrad[0], i) == at(&w, i)) == kept);
        assert_true(!kept || at(&by_rmsprop[1], i) == 0.9f * at(&a, i));
        assert_true((at(&by_adagrad[1], i) == at(&a, i)) == kept);
    }
}

/* 0 / 0 shows, as in Keras. */
static void without_an_epsilon_no_weight_is_passed_over(void **state) {
    (void)state;
    static const float zeros[1100];
    const kfi_array zero = floats(KFI_SHAPE(1100), zeros);
    const kfi_array hyper = floats(KFI_SHAPE(4), (float[]){0.1f, 0, 0, 0});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    const kfi_update by = {.momentum = 0.9f};
    apply(y, "rmsprop_update", &by, zero, zero, hyper, zero);
    for (int i = 0; i < 1100; i++) assert_true(isnan(at(&y[0], i)));
    apply(y, "adagrad_update", &by, zero, zero, hyper, zero);
    for (int i = 0; i < 1100; i++) assert_true(isnan(at(&y[0], i)));
}

static void the_norm_for_clipping_goes_over_all_gradients(void **state) {
    (void)state;
    const kfi_array a = uniform(KFI_SHAPE(41, 1001), -1, 1, 61),
                    b = uniform(KFI_SHAPE(3), 5, 6, 62);
    double expected = 0;
    for (int64_t i = 0; i < 41 * 1001; i++) expected += pow((double)at(&a, i), 2);
    for (int64_t i = 0; i < 3; i++) expected += pow((double)at(&b, i), 2);
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "sum_squares", NULL, a, b);
    assert_int_equal(y[0].shape.rank, 0);
    expect_near((double)at(&y[0], 0), expected, 1e-6);
    refuses("sum_squares", NULL, "input 1 must be float32", FLOATS(2), INTEGERS(2));
}

static void all_operands_have_the_shape_of_the_weight(void **state) {
    (void)state;
    const kfi_update by = {0};
    refuses("sgd_update", &by, "the gradient must be of the weight's shape (2, 3), got (3, 2)",
            FLOATS(2, 3), FLOATS(3, 2), FLOATS(4));
    refuses("sgd_update", &by, "hyperparameters must be of shape (4,), got (1,)", FLOATS(2),
            FLOATS(2), FLOATS(1));
    refuses("rmsprop_update", &by, "a slot must be of the weight's shape (2,), got (3,)", FLOATS(2),
            FLOATS(2), FLOATS(4), FLOATS(3));
    refuses("adam_update", &by, "expected 5 inputs, got 4", FLOATS(2), FLOATS(2), FLOATS(4),
            FLOATS(2));
}

static void each_output_may_stand_in_its_inputs_place(void **state) {
    (void)state;
    const kfi_op *op = find_op("adam_update");
    assert_int_equal(op->in_place[0], 1);
    assert_int_equal(op->in_place[1], 4);
    assert_int_equal(op->in_place[2], 5);
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("SGD without momentum", sgd_without_momentum),
        SENTENCE("SGD with momentum", sgd_with_momentum),
        SENTENCE("SGD with Nesterov momentum", sgd_with_nesterov_momentum),
        SENTENCE("RMSprop with epsilon outside of the root",
                 rmsprop_with_epsilon_outside_of_the_root),
        SENTENCE("Adam with a bias-corrected rate", adam_with_a_bias_corrected_rate),
        SENTENCE("a zero gradient leaves the weight", a_zero_gradient_leaves_the_weight),
        SENTENCE("blocks of weights without a gradient are as if each was updated",
                 weights_without_a_gradient_are_as_if_updated),
        SENTENCE("without an epsilon no weight is passed over",
                 without_an_epsilon_no_weight_is_passed_over),
        SENTENCE("the norm for clipping goes over all gradients",
                 the_norm_for_clipping_goes_over_all_gradients),
        SENTENCE("all operands have the shape of the weight",
                 all_operands_have_the_shape_of_the_weight),
        SENTENCE("each output may stand in its input's place",
                 each_output_may_stand_in_its_inputs_place),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
