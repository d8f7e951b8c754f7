/* The further losses and metrics of Keras against their formulas in double precision, gradients
 * against differences of those; and what happens at kinks and clips. */
#include "tests/ops/support.h"

typedef double score(const double *t, const double *p, int n);

static double absolute(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += fabs(p[i] - t[i]);
    return sum / n;
}

static double percentage(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += fabs((t[i] - p[i]) / fmax(fabs(t[i]), (double)1e-7f));
    return 100 * sum / n;
}

static double logarithmic(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += pow(log(fmax(p[i], 1e-7) + 1) - log(fmax(t[i], 1e-7) + 1), 2);
    return sum / n;
}

static double hinge(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += fmax(1 - t[i] * p[i], 0);
    return sum / n;
}

static double squared_hinge(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += pow(fmax(1 - t[i] * p[i], 0), 2);
    return sum / n;
}

static double categorical_hinge(const double *t, const double *p, int n) {
    double own = 0, rival = -INFINITY;
    for (int i = 0; i < n; i++) {
        own += t[i] * p[i];
        rival = fmax(rival, (1 - t[i]) * p[i]);
    }
    return fmax(0, rival - own + 1);
}

/* As Keras writes it. */
static double logcosh(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double x = p[i] - t[i];
        sum += x + log1p(exp(-fabs(2 * x))) + fmax(-2 * x, 0) - log(2);
    }
    return sum / n;
}

static double limited(double x) { return fmin(fmax(x, (double)1e-7f), 1); }

static double divergence(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += limited(t[i]) * log(limited(t[i]) / limited(p[i]));
    return sum;
}

static double poisson(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += p[i] - t[i] * log(p[i] + 1e-7);
    return sum / n;
}

static double cosine(const double *t, const double *p, int n) {
    double tt = 0, pp = 0, tp = 0;
    for (int i = 0; i < n; i++) tt += t[i] * t[i], pp += p[i] * p[i], tp += t[i] * p[i];
    return -tp / sqrt(fmax(tt, 1e-12)) / sqrt(fmax(pp, 1e-12));
}

static double slope(score *f, const double *t, double *p, int n, int i) {
    const double saved = p[i], step = 1e-6;
    p[i] = saved + step;
    const double above = f(t, p, n);
    p[i] = saved - step;
    const double below = f(t, p, n);
    p[i] = saved;
    return (above - below) / (2 * step);
}

enum { ROWS = 6, MAX_N = 37 };

static void check_rows(const char *name, score *f, const kfi_array *t, const kfi_array *p) {
    const int n = (int)p->shape.dims[1];
    const kfi_array dscore = uniform(KFI_SHAPE(ROWS), -2, 2, 61), in[2] = {*t, *p};
    kfi_array y[KFI_OP_MAX_OUTPUTS], din[2];
    apply(y, name, NULL, *t, *p);
    derive(find_op(name), NULL, in, 2, y, 1, &dscore, (bool[]){false, true}, din);
    for (int64_t r = 0; r < ROWS; r++) {
        double target[MAX_N], prediction[MAX_N];
        for (int i = 0; i < n; i++) {
            target[i] = (double)at(t, r * n + i);
            prediction[i] = (double)at(p, r * n + i);
        }
        expect_near((double)at(&y[0], r), f(target, prediction, n), 1e-5);
        for (int i = 0; i < n; i++)
            expect_near((double)at(&din[1], r * n + i),
                        (double)at(&dscore, r) * slope(f, target, prediction, n, i), 1e-4);
    }
}

/* Targets and predictions from these ranges. */
static void check(const char *name, score *f, float t_low, float t_high, float p_low,
                  float p_high) {
    static const int sizes[] = {1, 3, 16, MAX_N};
    for (int i = 0; i < 4; i++) {
        const kfi_array t = uniform(KFI_SHAPE(ROWS, sizes[i]), t_low, t_high, 62);
        const kfi_array p = uniform(KFI_SHAPE(ROWS, sizes[i]), p_low, p_high, 63);
        check_rows(name, f, &t, &p);
    }
}

static void formulas(void **state) {
    (void)state;
    check("mean_absolute_error", absolute, -2, 2, -2, 2);
    check("mean_absolute_percentage_error", percentage, -2, 2, -2, 2);
    check("mean_squared_logarithmic_error", logarithmic, -0.5f, 3, 0.1f, 3);
    check("hinge", hinge, -1, 1, -2, 2);
    check("squared_hinge", squared_hinge, -1, 1, -2, 2);
    check("categorical_hinge", categorical_hinge, 0, 1, -1, 1);
    check("logcosh", logcosh, -4, 4, -4, 4);
    check("kullback_leibler_divergence", divergence, -0.2f, 1.2f, 0.1f, 0.9f);
    check("poisson", poisson, 0, 4, 0.1f, 3);
    check("cosine_proximity", cosine, -1, 1, -1, 1);
}

/* The score and the gradient of one row of three. */
static void check_row(const char *name, const float *t, const float *p, double expected,
                      const double *gradient) {
    const kfi_array in[2] = {floats(KFI_SHAPE(1, 3), t), floats(KFI_SHAPE(1, 3), p)};
    const kfi_array dscore = floats(KFI_SHAPE(1), (float[]){1});
    kfi_array y[KFI_OP_MAX_OUTPUTS], din[2];
    apply(y, name, NULL, in[0], in[1]);
    expect_near((double)at(&y[0], 0), expected, 1e-6);
    derive(find_op(name), NULL, in, 2, y, 1, &dscore, (bool[]){false, true}, din);
    for (int i = 0; i < 3; i++) expect_near((double)at(&din[1], i), gradient[i], 1e-6);
}

static void kinks(void **state) {
    (void)state;
    check_row("mean_absolute_error", (float[]){1, 2, 3}, (float[]){1, 3, 2}, 2.0 / 3,
              (double[]){0, 1.0 / 3, -1.0 / 3});
    check_row("hinge", (float[]){1, -1, 1}, (float[]){1, -1, 2}, 0,
              (double[]){-1.0 / 3, 1.0 / 3, 0});
    /* two rivals of the same height share what comes back */
    check_row("categorical_hinge", (float[]){1, 0, 0}, (float[]){0.5f, 0.25f, 0.25f}, 0.75,
              (double[]){-1, 0.5, 0.5});
    check_row("categorical_hinge", (float[]){1, 0, 0}, (float[]){1.5f, 0.5f, 0}, 0,
              (double[]){0, 0, 0});
}

static void clips(void **state) {
    (void)state;
    check_row("kullback_leibler_divergence", (float[]){0.5f, 0.5f, 0}, (float[]){-1, 2, 0.5f},
              0.5 * log(0.5 / 1e-7) + 0.5 * log(0.5) + 1e-7 * log(1e-7 / 0.5),
              (double[]){0, 0, -2e-7});
    check_row("mean_squared_logarithmic_error", (float[]){-1, 0, 1}, (float[]){-2, 1, 1},
              pow(log(2), 2) / 3, (double[]){0, 2 * log(2) / 2 / 3, 0});
    check_row("cosine_proximity", (float[]){1, 0, 0}, (float[]){0, 0, 0}, 0,
              (double[]){-1e6, 0, 0});
}

static void far_predictions_do_not_overflow(void **state) {
    (void)state;
    check_row("logcosh", (float[]){0, 0, 0}, (float[]){500, -500, 0}, (1000 - 2 * log(2)) / 3,
              (double[]){1.0 / 3, -1.0 / 3, 0});
}

static void diverged_predictions_show(void **state) {
    (void)state;
    static const char *const names[] = {"mean_absolute_error",
                                        "mean_absolute_percentage_error",
                                        "mean_squared_logarithmic_error",
                                        "hinge",
                                        "squared_hinge",
                                        "logcosh",
                                        "kullback_leibler_divergence",
                                        "poisson",
                                        "cosine_proximity"};
    const kfi_array t = floats(KFI_SHAPE(1, 2), (float[]){1, 0.5f});
    const kfi_array p = floats(KFI_SHAPE(1, 2), (float[]){NAN, 0.5f});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    for (int i = 0; i < 9; i++) {
        apply(y, names[i], NULL, t, p);
        assert_true(isnan(at(&y[0], 0)));
    }
}

static void expect_top(int k, const int32_t *labels, const float *p, const float *expected) {
    float one_hot[12] = {0};
    for (int r = 0; r < 3; r++)
        if (labels[r] >= 0) one_hot[4 * r + labels[r]] = 1;
    const kfi_top_k top = {.k = k};
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "sparse_top_k_categorical_accuracy", &top, integers(KFI_SHAPE(3, 1), labels),
          floats(KFI_SHAPE(3, 4), p));
    assert_memory_equal(y[0].data, expected, 3 * sizeof *expected);
    apply(y, "top_k_categorical_accuracy", &top, floats(KFI_SHAPE(3, 4), one_hot),
          floats(KFI_SHAPE(3, 4), p));
    assert_memory_equal(y[0].data, expected, 3 * sizeof *expected);
}

static void top_k(void **state) {
    (void)state;
    const float p[] = {0.1f, 0.2f, 0.3f, 0.4f, 0.4f, 0.3f, 0.2f, 0.1f, 0.5f, 0.5f, 0, 0};
    expect_top(1, (int32_t[]){3, 3, 1}, p, (float[]){1, 0, 1}); /* the second of two equal ones */
    expect_top(2, (int32_t[]){2, 2, 2}, p, (float[]){1, 0, 0});
    expect_top(3, (int32_t[]){1, 2, 3}, p, (float[]){1, 1, 1});
    expect_top(9, (int32_t[]){0, 3, 3}, p, (float[]){1, 1, 1});
    const float diverged[] = {NAN, 0.2f, 0.3f, 0.4f, 0.4f, INFINITY, 0.2f, 0.1f, 0.5f, 0.5f, 0, 0};
    expect_top(4, (int32_t[]){3, 0, 0}, diverged, (float[]){0, 0, 1});
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("losses and gradients are their formulas", formulas),
        SENTENCE("at a kink gradients flow where TensorFlow lets them", kinks),
        SENTENCE("clipped values have no gradient", clips),
        SENTENCE("far predictions do not overflow", far_predictions_do_not_overflow),
        SENTENCE("diverged predictions show", diverged_predictions_show),
        SENTENCE("a class is among the k largest, ties included", top_k),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
