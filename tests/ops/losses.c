/* Losses against Keras's way of computing them, in double precision; their gradients against
 * differences of that. */
#include "tests/ops/support.h"

/* The ends that float32 has: 1e-7 and 1 - 1e-7. */
static double low_end(void) { return (double)1e-7f; }
static double high_end(void) { return (double)(1 - 1e-7f); }
static double clip(double p) { return p < low_end() ? low_end() : p > high_end() ? high_end() : p; }

typedef double score(const double *t, const double *p, int n);

static double squared_error(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += pow(p[i] - t[i], 2);
    return sum / n;
}

/* By way of logits, as the TensorFlow backend goes. */
static double binary(const double *t, const double *p, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double x = log(clip(p[i]) / (1 - clip(p[i])));
        sum += fmax(x, 0) - x * t[i] + log1p(exp(-fabs(x)));
    }
    return sum / n;
}

static double categorical(const double *t, const double *p, int n) {
    double s = 0, sum = 0;
    for (int i = 0; i < n; i++) s += p[i];
    for (int i = 0; i < n; i++) sum -= t[i] * log(clip(p[i] / s));
    return sum;
}

/* t is one-hot; the logarithms are the logits of a softmax cross-entropy. */
static double sparse(const double *t, const double *p, int n) {
    double sum = 0, own = 0;
    for (int i = 0; i < n; i++) {
        const double logit = log(clip(p[i]));
        sum += exp(logit);
        own += t[i] * logit;
    }
    return log(sum) - own;
}

/* Softmax and sigmoid first, in double precision. */
static double categorical_of_logits(const double *t, const double *x, int n) {
    double sum = 0, entropy = 0;
    for (int i = 0; i < n; i++) sum += exp(x[i]);
    for (int i = 0; i < n; i++) entropy -= t[i] * log(exp(x[i]) / sum);
    return entropy;
}

static double binary_of_logits(const double *t, const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double p = 1 / (1 + exp(-x[i]));
        sum -= t[i] * log(p) + (1 - t[i]) * log(1 - p);
    }
    return sum / n;
}

/* d score / d p[i], the step small against p */
static double slope(score *f, const double *t, double *p, int n, int i) {
    const double saved = p[i], step = 1e-6 * saved;
    p[i] = saved + step;
    const double above = f(t, p, n);
    p[i] = saved - step;
    const double below = f(t, p, n);
    p[i] = saved;
    return (above - below) / (2 * step);
}

enum { ROWS = 6, MAX_N = 37 };

/* Row r of targets: labels as one-hot rows. */
static void target_row(const kfi_array *t, int64_t r, int n, double *row) {
    for (int i = 0; i < n; i++)
        row[i] =
            t->dtype == KF_INT32 ? ((const int32_t *)t->data)[r] == i : (double)at(t, r * n + i);
}

static void check(const char *name, score *f, const kfi_array *t, const kfi_array *p) {
    const int n = (int)p->shape.dims[p->shape.rank - 1];
    const int64_t rows = kfi_shape_product(&p->shape, 0, p->shape.rank - 1);
    kf_shape scores = p->shape;
    scores.rank--;
    const kfi_array dscore = uniform(scores, -2, 2, 21), in[2] = {*t, *p};
    kfi_array y[KFI_OP_MAX_OUTPUTS], din[2];
    apply(y, name, NULL, *t, *p);
    assert_true(kfi_shape_equal(&y[0].shape, &scores));
    derive(find_op(name), NULL, in, 2, y, 1, &dscore, (bool[]){false, true}, din);
    for (int64_t r = 0; r < rows; r++) {
        double target[MAX_N], prediction[MAX_N];
        target_row(t, r, n, target);
        for (int i = 0; i < n; i++) prediction[i] = (double)at(p, r * n + i);
        expect_near((double)at(&y[0], r), f(target, prediction, n), 3e-6);
        for (int i = 0; i < n; i++)
            expect_near((double)at(&din[1], r * n + i),
                        (double)at(&dscore, r) * slope(f, target, prediction, n, i), 3e-5);
    }
}

static void check_floats(const char *name, score *f, float low) {
    static const int sizes[] = {1, 3, 16, MAX_N};
    for (int i = 0; i < 4; i++) {
        const kfi_array t = uniform(KFI_SHAPE(ROWS, sizes[i]), 0, 1, 22);
        const kfi_array p = uniform(KFI_SHAPE(ROWS, sizes[i]), low, 0.99f, 23);
        check(name, f, &t, &p);
    }
    const kfi_array t = uniform(KFI_SHAPE(2, 3, 5), 0, 1, 24);
    const kfi_array p = uniform(KFI_SHAPE(2, 3, 5), low, 0.99f, 25);
    check(name, f, &t, &p);
}

static void mean_squared_error(void **state) {
    (void)state;
    check_floats("mean_squared_error", squared_error, -1);
}

static void binary_crossentropy(void **state) {
    (void)state;
    check_floats("binary_crossentropy", binary, 0.01f);
}

static void categorical_crossentropy(void **state) {
    (void)state;
    check_floats("categorical_crossentropy", categorical, 0.01f);
    static const int few[] = {2, 10, 15}; /* classes: many rows at a time */
    for (int i = 0; i < 3; i++) {
        const kfi_array t = uniform(KFI_SHAPE(149, few[i]), 0, 1, 27);
        const kfi_array p = uniform(KFI_SHAPE(149, few[i]), 0.01f, 0.99f, 28);
        check("categorical_crossentropy", categorical, &t, &p);
    }
}

static void sparse_categorical_crossentropy(void **state) {
    (void)state;
    const kfi_array t = integers(KFI_SHAPE(ROWS, 1), (int32_t[]){0, 4, 2, 3, 4, 1});
    const kfi_array p = uniform(KFI_SHAPE(ROWS, 5), 0.01f, 0.99f, 26);
    check("sparse_categorical_crossentropy", sparse, &t, &p);
    const kfi_array steps = integers(KFI_SHAPE(2, 3, 1), (int32_t[]){0, 36, 2, 3, 4, 1});
    const kfi_array many = uniform(KFI_SHAPE(2, 3, MAX_N), 0.01f, 0.99f, 27);
    check("sparse_categorical_crossentropy", sparse, &steps, &many);
}

static void crossentropies_of_logits(void **state) {
    (void)state;
    check_floats("categorical_crossentropy_of_logits", categorical_of_logits, -4);
    check_floats("binary_crossentropy_of_logits", binary_of_logits, -4);
    const kfi_array t = integers(KFI_SHAPE(ROWS, 1), (int32_t[]){0, 4, 2, 3, 4, 1});
    const kfi_array x = uniform(KFI_SHAPE(ROWS, 5), -4, 3, 28);
    check("sparse_categorical_crossentropy_of_logits", categorical_of_logits, &t, &x);
}

/* One row of predictions, some of them beyond the clip, and what comes out. */
static void check_row(const char *name, const kfi_array *t, const float *p, int n, double expected,
                      const double *gradient) {
    const kfi_array in[2] = {*t, floats(KFI_SHAPE(1, n), p)};
    const kfi_array dscore = floats(KFI_SHAPE(1), (float[]){1});
    kfi_array y[KFI_OP_MAX_OUTPUTS], din[2];
    apply(y, name, NULL, in[0], in[1]);
    expect_near((double)at(&y[0], 0), expected, 1e-6);
    derive(find_op(name), NULL, in, 2, y, 1, &dscore, (bool[]){false, true}, din);
    for (int i = 0; i < n; i++) expect_near((double)at(&din[1], i), gradient[i], 1e-6);
}

static void clipped_predictions_have_no_gradient(void **state) {
    (void)state;
    const float p[3] = {0, 1, 0.25f};
    const kfi_array t = floats(KFI_SHAPE(1, 3), (float[]){1, 0, 1});
    const double far = -log(low_end()), near_one = -log(1 - high_end());
    check_row("binary_crossentropy", &t, p, 3, (far + near_one - log(0.25)) / 3,
              (double[]){0, 0, -4.0 / 3});

    /* s = 1.25: only the third is inside, -t / q = -5 */
    const kfi_array first = floats(KFI_SHAPE(1, 3), (float[]){1, 0, 1});
    check_row("categorical_crossentropy", &first, p, 3, far - log(0.2),
              (double[]){1 / 1.25, 1 / 1.25, (-5 + 1) / 1.25});

    const double sum = low_end() + high_end() + 0.25;
    const kfi_array zero = integers(KFI_SHAPE(1, 1), (int32_t[]){0});
    check_row("sparse_categorical_crossentropy", &zero, p, 3, log(sum) + far,
              (double[]){0, 0, 1 / sum});
    const kfi_array two = integers(KFI_SHAPE(1, 1), (int32_t[]){2});
    check_row("sparse_categorical_crossentropy", &two, p, 3, log(sum) - log(0.25),
              (double[]){0, 0, 1 / sum - 4});
}

static void the_ends_of_the_clip_belong_to_the_inside(void **state) {
    (void)state;
    const float p[2] = {1e-7f, 0.5f};
    const kfi_array t = floats(KFI_SHAPE(1, 2), (float[]){0, 0});
    check_row("binary_crossentropy", &t, p, 2, (log(2) + 1e-7) / 2, (double[]){0.5, 1});
}

static void diverged_predictions_show(void **state) {
    (void)state;
    static const char *const names[] = {"mean_squared_error", "binary_crossentropy",
                                        "categorical_crossentropy"};
    const kfi_array t = floats(KFI_SHAPE(1, 2), (float[]){1, 0});
    const kfi_array p = floats(KFI_SHAPE(1, 2), (float[]){NAN, 0.5f});
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    for (int i = 0; i < 3; i++) {
        apply(y, names[i], NULL, t, p);
        assert_true(isnan(at(&y[0], 0)));
    }
    apply(y, "sparse_categorical_crossentropy", NULL, integers(KFI_SHAPE(1, 1), (int32_t[]){1}), p);
    assert_true(isnan(at(&y[0], 0)));
}

static void labels_outside_of_the_classes_read_nothing(void **state) {
    (void)state;
    const kfi_array t = integers(KFI_SHAPE(3, 1), (int32_t[]){-1, 2, INT32_MAX});
    const kfi_array p = uniform(KFI_SHAPE(3, 2), 0.1f, 0.9f, 28);
    const kfi_array dscore = uniform(KFI_SHAPE(3), 0.5f, 1, 29);
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "sparse_categorical_crossentropy", NULL, t, p);
    for (int64_t r = 0; r < 3; r++) assert_true(isnan(at(&y[0], r)));
    apply(y, "sparse_categorical_crossentropy_gradient", NULL, dscore, t, p);
    for (int64_t i = 0; i < 6; i++) assert_true(isnan(at(&y[0], i)));
}

static void the_graph_knows_where_labels_are(void **state) {
    (void)state;
    const kfi_op *op = find_op("sparse_categorical_crossentropy");
    assert_int_equal(op->index_input, 1);
    assert_int_equal(op->index_of, 1);
    assert_int_equal(op->index_axis, -1);
}

static void targets_must_fit(void **state) {
    (void)state;
    infers("mean_squared_error", NULL, "(None,)", FLOATS(KF_ANY, 3), FLOATS(KF_ANY, 3));
    infers("binary_crossentropy", NULL, "(8, None)", FLOATS(8, KF_ANY, 3),
           FLOATS(KF_ANY, KF_ANY, 3));
    infers("sparse_categorical_crossentropy", NULL, "(None, 7)", INTEGERS(KF_ANY, 7, 1),
           FLOATS(KF_ANY, 7, 10));
    refuses("mean_squared_error", NULL,
            "targets of shape (2, 3) do not fit predictions of shape (2, 4)", FLOATS(2, 3),
            FLOATS(2, 4));
    refuses("categorical_crossentropy", NULL, "input 0 must be float32, got int32", INTEGERS(2, 3),
            FLOATS(2, 3));
    refuses("sparse_categorical_crossentropy", NULL, "labels must be of shape (2, 1), got (2,)",
            INTEGERS(2), FLOATS(2, 3));
    refuses("sparse_categorical_crossentropy", NULL, "input 0 must be int32", FLOATS(2, 1),
            FLOATS(2, 3));
    refuses("mean_squared_error_gradient", NULL, "must be of shape (2,), got (3,)", FLOATS(3),
            FLOATS(2, 3), FLOATS(2, 3));
    const kfi_array scalar = {.dtype = KF_FLOAT32};
    refuses("mean_squared_error", NULL, "at least one axis", scalar, scalar);
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("mean squared error", mean_squared_error),
        SENTENCE("binary crossentropy", binary_crossentropy),
        SENTENCE("categorical crossentropy", categorical_crossentropy),
        SENTENCE("sparse categorical crossentropy", sparse_categorical_crossentropy),
        SENTENCE("crossentropies of logits", crossentropies_of_logits),
        SENTENCE("clipped predictions have no gradient", clipped_predictions_have_no_gradient),
        SENTENCE("the ends of the clip belong to the inside",
                 the_ends_of_the_clip_belong_to_the_inside),
        SENTENCE("diverged predictions show", diverged_predictions_show),
        SENTENCE("labels outside of the classes read nothing",
                 labels_outside_of_the_classes_read_nothing),
        SENTENCE("the graph knows where labels are", the_graph_knows_where_labels_are),
        SENTENCE("targets must fit", targets_must_fit),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
