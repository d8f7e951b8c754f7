/* depthwise_conv and local_conv with their gradients against the definitions, written as loops in
 * double precision: every (place of y, tap, pair of channels) once, as far as it lies inside of x.
 */
#include "tests/ops/support.h"

/* Two spatial axes; one if size[1] is 0. `out`: channels of y. */
typedef struct problem {
    const char *name;
    int64_t batch, size[2], in, kernel[2], out, stride[2], dilation[2];
    kfi_padding padding;
} problem;

static const problem depthwise[] = {
    {"1x1", 2, {4, 5}, 3, {1, 1}, 3, {1, 1}, {1, 1}, KFI_VALID},
    {"3x3 same", 2, {6, 7}, 3, {3, 3}, 3, {1, 1}, {1, 1}, KFI_SAME},
    {"3x3 valid, multiplier 2", 2, {6, 7}, 3, {3, 3}, 6, {1, 1}, {1, 1}, KFI_VALID},
    {"even window, stride 2x3 same", 1, {9, 8}, 2, {2, 4}, 6, {2, 3}, {1, 1}, KFI_SAME},
    {"dilation 2x3 same", 1, {8, 9}, 2, {3, 2}, 2, {1, 1}, {2, 3}, KFI_SAME},
    {"stride 3 valid: gaps", 1, {11, 9}, 2, {2, 2}, 2, {3, 3}, {1, 1}, KFI_VALID},
    {"1-D causal", 3, {10, 0}, 2, {3, 0}, 4, {1, 0}, {2, 0}, KFI_CAUSAL},
    {"1-D stride 2 same", 3, {9, 0}, 2, {4, 0}, 2, {2, 0}, {1, 0}, KFI_SAME},
    {"many slices", 3, {61, 59}, 40, {3, 3}, 40, {1, 1}, {1, 1}, KFI_SAME},
    {"more taps than a list has", 1, {12, 11}, 3, {9, 8}, 3, {1, 1}, {1, 1}, KFI_SAME},
    {"whole vectors and a rest", 1, {5, 6}, 83, {3, 2}, 83, {1, 2}, {1, 1}, KFI_SAME},
    {"whole vectors, multiplier 3", 1, {5, 6}, 27, {3, 3}, 81, {1, 1}, {1, 1}, KFI_SAME},
};

static const problem local[] = {
    {"2x3", 3, {5, 6}, 2, {2, 3}, 4, {1, 1}, {1, 1}, KFI_VALID},
    {"stride 2x1", 2, {7, 4}, 3, {3, 2}, 2, {2, 1}, {1, 1}, KFI_VALID},
    {"stride 3: gaps", 2, {8, 7}, 2, {2, 2}, 3, {3, 3}, {1, 1}, KFI_VALID},
    {"whole image", 4, {4, 5}, 2, {4, 5}, 3, {1, 1}, {1, 1}, KFI_VALID},
    {"1-D", 5, {9, 0}, 3, {4, 0}, 2, {2, 0}, {1, 0}, KFI_VALID},
    {"many images", 700, {5, 0}, 60, {3, 0}, 40, {1, 0}, {1, 0}, KFI_VALID},
};

static bool is_line(const problem *p) { return p->size[1] == 0; }
static int64_t number(const int64_t *values, int i) { return values[i] ? values[i] : 1; }

static int64_t extent(const problem *p, int i) {
    return (number(p->kernel, i) - 1) * number(p->dilation, i) + 1;
}

static int64_t places(const problem *p, int i) {
    const int64_t starts =
        p->padding == KFI_VALID ? number(p->size, i) - extent(p, i) : number(p->size, i) - 1;
    return starts / number(p->stride, i) + 1;
}

static int64_t before(const problem *p, int i) {
    if (p->padding == KFI_CAUSAL) return i == 0 ? extent(p, i) - 1 : 0;
    const int64_t total =
        (places(p, i) - 1) * number(p->stride, i) + extent(p, i) - number(p->size, i);
    return p->padding == KFI_SAME && total > 0 ? total / 2 : 0;
}

typedef struct reference {
    double *y, *dx, *dw;
} reference;

static void add_product(const kfi_array *x, const kfi_array *w, const kfi_array *dy, int64_t pixel,
                        int64_t weight, int64_t place, const reference *r) {
    r->y[place] += (double)at(x, pixel) * (double)at(w, weight);
    r->dx[pixel] += (double)at(dy, place) * (double)at(w, weight);
    r->dw[weight] += (double)at(x, pixel) * (double)at(dy, place);
}

/* All pairs of channels that a tap connects, for the two kinds of weights. */
static void add_tap(const problem *p, bool is_local, const kfi_array *x, const kfi_array *w,
                    const kfi_array *dy, int64_t pixel, int64_t tap, int64_t place,
                    const reference *r) {
    const int64_t taps = number(p->kernel, 0) * number(p->kernel, 1), m = p->out / p->in;
    const int64_t inside = place % (places(p, 0) * places(p, 1));
    for (int64_t c = 0; c < p->in; c++)
        for (int64_t o = 0; o < p->out; o++) {
            const int64_t local_weight = ((inside * taps + tap) * p->in + c) * p->out + o;
            if (is_local)
                add_product(x, w, dy, pixel * p->in + c, local_weight, place * p->out + o, r);
            else if (o / m == c)
                add_product(x, w, dy, pixel * p->in + c, tap * p->out + o, place * p->out + o, r);
        }
}

static void define(const problem *p, bool is_local, const kfi_array *x, const kfi_array *w,
                   const kfi_array *dy, const reference *r) {
    const int64_t n0 = places(p, 0), n1 = places(p, 1), k1 = number(p->kernel, 1);
    for (int64_t place = 0; place < p->batch * n0 * n1; place++)
        for (int64_t tap = 0; tap < number(p->kernel, 0) * k1; tap++) {
            const int64_t row =
                place / n1 % n0 * p->stride[0] - before(p, 0) + tap / k1 * number(p->dilation, 0);
            const int64_t column = place % n1 * number(p->stride, 1) - before(p, 1) +
                                   tap % k1 * number(p->dilation, 1);
            if (row < 0 || row >= p->size[0] || column < 0 || column >= number(p->size, 1))
                continue;
            const int64_t pixel =
                (place / (n0 * n1) * p->size[0] + row) * number(p->size, 1) + column;
            add_tap(p, is_local, x, w, dy, pixel, tap, place, r);
        }
}

static kf_shape image(const problem *p, int64_t rows, int64_t columns, int64_t channels) {
    return is_line(p) ? KFI_SHAPE(p->batch, rows, channels)
                      : KFI_SHAPE(p->batch, rows, columns, channels);
}

static kf_shape weights(const problem *p, bool is_local) {
    const int64_t k0 = p->kernel[0], k1 = number(p->kernel, 1);
    if (is_local) return KFI_SHAPE(places(p, 0) * places(p, 1), k0 * k1 * p->in, p->out);
    return is_line(p) ? KFI_SHAPE(k0, p->in, p->out / p->in)
                      : KFI_SHAPE(k0, k1, p->in, p->out / p->in);
}

static void expect_all(const problem *p, const char *what, const kfi_array *got,
                       const kfi_array *like, const double *expected) {
    double largest = 0;
    const int64_t count = kfi_shape_count(&like->shape);
    assert_true(kfi_shape_equal(&got->shape, &like->shape));
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)at(got, i) - expected[i]) <= 1e-5 * largest + 1e-6))
            fail_msg("%s: element %lld of %s is %g instead of %g", p->name, (long long)i, what,
                     (double)at(got, i), expected[i]);
}

static void apply_depthwise(const problem *p, kfi_array x, kfi_array w, kfi_array dy,
                            kfi_array *got) {
    kfi_conv a = {.spatial = is_line(p) ? 1 : 2,
                  .stride = {p->stride[0], p->stride[1]},
                  .dilation = {p->dilation[0], p->dilation[1]},
                  .padding = p->padding,
                  .size = {p->size[0], p->size[1]}};
    apply(&got[0], "depthwise_conv", &a, x, w);
    apply(&got[1], "depthwise_conv_data_gradient", &a, dy, w);
    a.size[0] = p->kernel[0], a.size[1] = p->kernel[1];
    apply(&got[2], "depthwise_conv_weight_gradient", &a, x, dy);
}

static void apply_local(const problem *p, kfi_array x, kfi_array w, kfi_array dy, kfi_array *got) {
    const kfi_local_conv a = {.spatial = is_line(p) ? 1 : 2,
                              .window = {p->kernel[0], p->kernel[1]},
                              .stride = {p->stride[0], p->stride[1]},
                              .size = {p->size[0], p->size[1]}};
    apply(&got[0], "local_conv", &a, x, w);
    apply(&got[1], "local_conv_data_gradient", &a, dy, w);
    apply(&got[2], "local_conv_weight_gradient", &a, x, dy);
}

static void check_problem(const problem *p, bool is_local) {
    const kfi_array x = uniform(image(p, p->size[0], p->size[1], p->in), -1, 1, 1);
    const kfi_array w = uniform(weights(p, is_local), -1, 1, 2);
    const kfi_array dy = uniform(image(p, places(p, 0), places(p, 1), p->out), -1, 1, 3);
    const reference r = {calloc((size_t)kfi_shape_count(&dy.shape), sizeof(double)),
                         calloc((size_t)kfi_shape_count(&x.shape), sizeof(double)),
                         calloc((size_t)kfi_shape_count(&w.shape), sizeof(double))};
    assert_true(r.y && r.dx && r.dw);
    define(p, is_local, &x, &w, &dy, &r);
    kfi_array got[3];
    (is_local ? apply_local : apply_depthwise)(p, x, w, dy, got);
    expect_all(p, "y", &got[0], &dy, r.y);
    expect_all(p, "dx", &got[1], &x, r.dx);
    expect_all(p, "dw", &got[2], &w, r.dw);
    free(r.y), free(r.dx), free(r.dw);
    release(0);
}

static void depthwise_definition(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof depthwise / sizeof *depthwise; i++)
        check_problem(&depthwise[i], false);
}

static void local_definition(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) check_problem(&local[i], true);
}

static void shapes(void **state) {
    (void)state;
    const kfi_conv same = {.spatial = 2, .stride = {2, 2}, .dilation = {1, 1}, .padding = KFI_SAME};
    infers("depthwise_conv", &same, "(None, None, 7, 6)", FLOATS(KF_ANY, KF_ANY, 13, 3),
           FLOATS(3, 3, 3, 2));
    refuses("depthwise_conv", &same, "expects 3 input channels, got 4", FLOATS(1, 9, 9, 4),
            FLOATS(3, 3, 3, 2));
    refuses("depthwise_conv_weight_gradient", &same, "cannot have a gradient of shape",
            FLOATS(1, 9, 9, 4), FLOATS(1, 5, 5, 6));
    const kfi_local_conv window = {.spatial = 1, .window = {3}, .stride = {1}, .size = {6}};
    infers("local_conv", &window, "(None, 4, 5)", FLOATS(KF_ANY, 6, 2), FLOATS(4, 6, 5));
    refuses("local_conv", &window, "must have shape (4, 6, None), got (4, 5, 5)", FLOATS(1, 6, 2),
            FLOATS(4, 5, 5));
    refuses("local_conv_data_gradient", &window, "input 0 must have shape (1, 4, 5)",
            FLOATS(1, 3, 5), FLOATS(4, 6, 5));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("depthwise_conv and its gradients follow the definition", depthwise_definition),
        SENTENCE("local_conv and its gradients follow the definition", local_definition),
        SENTENCE("shapes go through or are refused with what was expected", shapes),
    };
    kfi_ops_enter_thread();
    const int failed = run_sentences(tests);
    kfi_ops_leave_thread();
    return failed;
}

int main(void) { return at_each_level(run); }
