/* Values of the activations with parameters and of penalties, against double precision. */
#include "tests/ops/support.h"

enum { N = 2001 };

typedef double reference(double x);

static double elu(double x) { return 1.25 * (x > 0 ? x : 0.5 * expm1(x)); }
static double elu_slope(double x) { return 1.25 * (x > 0 ? 1 : 0.5 * exp(x)); }
static double softplus(double x) { return log1p(exp(x)); }
static double softplus_slope(double x) { return 1 / (1 + exp(-x)); }
static double softsign(double x) { return x / (1 + fabs(x)); }
static double softsign_slope(double x) { return 1 / ((1 + fabs(x)) * (1 + fabs(x))); }
static double hard_sigmoid(double x) { return fmin(fmax(0.2 * x + 0.5, 0), 1); }
static double hard_sigmoid_slope(double x) { return x > -2.5 && x < 2.5 ? 0.2 : 0; }
static double clipped(double x) { return x > 0.5 ? fmin(x, 4) : 0.25 * (x - 0.5); }
static double clipped_slope(double x) { return x > 0.5 ? x < 4 : 0.25; }

static const kfi_elu elu_by = {.alpha = 0.5f, .scale = 1.25f};
static const kfi_clipped_relu clipped_by = {.slope = 0.25f, .threshold = 0.5f, .limit = 4};

static const struct {
    const char *name, *gradient;
    const void *attributes;
    reference *f, *slope;
} functions[] = {
    {"elu", "elu_gradient", &elu_by, elu, elu_slope},
    {"softplus", "softplus_gradient", NULL, softplus, softplus_slope},
    {"softsign", "softsign_gradient", NULL, softsign, softsign_slope},
    {"hard_sigmoid", "hard_sigmoid_gradient", NULL, hard_sigmoid, hard_sigmoid_slope},
    {"clipped_relu", "clipped_relu_gradient", &clipped_by, clipped, clipped_slope},
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

static void values(void **state) {
    (void)state;
    const kfi_array x = uniform(KFI_SHAPE(N), -8, 8, 1), dy = uniform(KFI_SHAPE(N), -2, 2, 2);
    for (int i = 0; i < N_FUNCTIONS; i++) {
        kfi_array y[KFI_OP_MAX_OUTPUTS], dx[KFI_OP_MAX_OUTPUTS];
        apply(y, functions[i].name, functions[i].attributes, x);
        apply(dx, functions[i].gradient, functions[i].attributes, dy, x);
        for (int64_t k = 0; k < N; k++) {
            const double at_x = (double)at(&x, k);
            expect_near((double)at(&y[0], k), functions[i].f(at_x), 2e-6);
            expect_near((double)at(&dx[0], k), (double)at(&dy, k) * functions[i].slope(at_x), 2e-6);
        }
    }
}

/* Small magnitudes keep their digits, large ones neither overflow nor become NaN. */
static void extremes(void **state) {
    (void)state;
    const float values[] = {1e-7f, -1e-7f, 100, -100, 1e30f, -1e30f, INFINITY, -INFINITY, NAN};
    const kfi_array x = floats(KFI_SHAPE(9), values);
    for (int i = 0; i < N_FUNCTIONS; i++) {
        kfi_array y[KFI_OP_MAX_OUTPUTS];
        apply(y, functions[i].name, functions[i].attributes, x);
        const bool saturates = strcmp(functions[i].name, "softsign") == 0;
        for (int64_t k = 0; k < 9; k++) {
            if (saturates && (k == 6 || k == 7)) continue; /* inf / inf, as in TensorFlow */
            const double at_x = (double)values[k];
            const double expected = strcmp(functions[i].name, "softplus") == 0 && at_x > 50
                                        ? at_x
                                        : functions[i].f(at_x);
            if (!isnan(at_x))
                expect_near((double)at(&y[0], k), expected, 2e-6);
            else
                assert_true(isnan(at(&y[0], k)) || strcmp(functions[i].name, "hard_sigmoid") == 0);
        }
        const double small = (double)at(&y[0], 1);
        if (i == 0) assert_true(fabs(small + 0.625e-7) < 1e-12);
    }
}

static void no_limit(void **state) {
    (void)state;
    const float values[] = {-3, -1, 0, 5, -INFINITY, INFINITY};
    const kfi_array x = floats(KFI_SHAPE(6), values);
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "clipped_relu", &((kfi_clipped_relu){.threshold = -2, .limit = INFINITY}), x);
    const double kept[] = {0, -1, 0, 5, 0, INFINITY};
    for (int i = 0; i < 6; i++) expect_near((double)at(&y[0], i), kept[i], 0);
    apply(y, "clipped_relu", &((kfi_clipped_relu){.threshold = -2, .limit = 3}), x);
    const double cut[] = {0, 0, 0, 3, 0, 3};
    for (int i = 0; i < 6; i++) expect_near((double)at(&y[0], i), cut[i], 0);
}

static void penalties(void **state) {
    (void)state;
    const kfi_array x = uniform(KFI_SHAPE(300, 301), -1, 1, 5);
    const kfi_penalty by = {.l1 = 0.5f, .l2 = 0.25f};
    double expected = 0;
    for (int64_t i = 0; i < 300 * 301; i++) {
        const double at_x = (double)at(&x, i);
        expected += 0.5 * fabs(at_x) + 0.25 * at_x * at_x;
    }
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "penalty", &by, x);
    expect_near((double)at(&y[0], 0), expected, 1e-6);
    const kfi_array three = floats(KFI_SHAPE(3), (const float[]){2, -2, 0});
    const kfi_array dy = floats(KFI_SCALAR, (const float[]){3});
    apply(y, "penalty_gradient", &by, dy, three);
    expect_near((double)at(&y[0], 0), 4.5, 1e-6);
    expect_near((double)at(&y[0], 1), -4.5, 1e-6);
    expect_near((double)at(&y[0], 2), 0, 0);
}

static int run(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("activations and their derivatives", values),
        SENTENCE("tiny, huge and no numbers", extremes),
        SENTENCE("a threshold below 0, with and without a limit", no_limit),
        SENTENCE("penalties are sums of magnitudes and squares", penalties),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
