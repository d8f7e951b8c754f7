/* Dropout's noise shape, and the layers that add or multiply normal noise. */
#include "tests/layers/run.h"

enum { ROWS = 40, COLUMNS = 100, ALL = ROWS * COLUMNS };

static float ones[ALL];

static int fill_ones(void **state) {
    (void)state;
    for (int i = 0; i < ALL; i++) ones[i] = 1;
    return 0;
}

typedef struct moments {
    double mean, deviation;
} moments;

static moments moments_of(const float *x, int64_t count) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i];
    for (int64_t i = 0; i < count; i++)
        squares += ((double)x[i] - sum / (double)count) * ((double)x[i] - sum / (double)count);
    return (moments){sum / (double)count, sqrt(squares / (double)count)};
}

static void train_on_ones(kf_layer *layer, trial *run) {
    kf_graph *g = kf_graph_new();
    run->training = true;
    run->batch = ROWS;
    run->data[0] = ones;
    run->random[0] = 7;
    run_layer(kf_apply(layer, kf_input(g, {COLUMNS})), run);
    kf_graph_free(g);
}

static void noise_has_its_deviation(void **state) {
    (void)state;
    trial run = {0};
    train_on_ones(kf_gaussian_noise(0.5), &run);
    moments m = moments_of(run.out, ALL);
    assert_true(fabs(m.mean - 1) < 0.03 && fabs(m.deviation - 0.5) < 0.03);
    train_on_ones(kf_gaussian_dropout(0.2), &run);
    m = moments_of(run.out, ALL);
    assert_true(fabs(m.mean - 1) < 0.03 && fabs(m.deviation - 0.5) < 0.03);
}

static void only_in_training(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {3});
    kf_layer *const layers[] = {kf_gaussian_noise(0.5), kf_gaussian_dropout(0.5),
                                kf_alpha_dropout(0.5), kf_dropout(0.5f)};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        trial run = {.batch = 1, .data = {ones}};
        run_layer(kf_apply(layers[i], in), &run);
        VALUES(&run, "(1, 3)", 1, 1, 1);
    }
    kf_graph_free(g);
}

static void another_step_has_other_noise(void **state) {
    (void)state;
    trial first = {0}, again = {0}, next = {.random = {0, 1}};
    train_on_ones(kf_gaussian_noise(1), &first);
    train_on_ones(kf_gaussian_noise(1), &again);
    train_on_ones(kf_gaussian_noise(1), &next);
    assert_memory_equal(first.out, again.out, sizeof first.out);
    int equal = 0;
    for (int i = 0; i < ALL; i++) equal += first.out[i] == next.out[i];
    assert_true(equal < ALL / 100);
}

/* Klambauer et al. 2017: normal numbers stay of mean 0 and variance 1. */
static void alpha_dropout(void **state) {
    (void)state;
    static float normal[ALL];
    kfi_random_normal((kfi_random){3, 4}, 0, 1, 0, normal, ALL);
    kf_graph *g = kf_graph_new();
    trial run = {.training = true, .batch = ROWS, .data = {normal}, .random = {5, 0}};
    run_layer(kf_apply(kf_alpha_dropout(0.3), kf_input(g, {COLUMNS})), &run);
    const moments m = moments_of(run.out, ALL);
    assert_true(fabs(m.mean) < 0.06 && fabs(m.deviation - 1) < 0.06);
    const double p = -1.6732632423543772 * 1.0507009873554805;
    const double a = 1 / sqrt(0.7 * (1 + 0.3 * p * p)), dropped = a * p - a * p * 0.3;
    int n_dropped = 0;
    for (int i = 0; i < ALL; i++)
        if (fabs((double)run.out[i] - dropped) < 1e-5)
            n_dropped++;
        else
            assert_true(fabs((double)run.out[i] - (a * (double)normal[i] - a * p * 0.3)) < 1e-5);
    assert_true(n_dropped > ALL * 0.26 && n_dropped < ALL * 0.34);
    kf_graph_free(g);
}

static void noise_shape(void **state) {
    (void)state;
    kf_graph *g;
    trial run = {0};
    train_on_ones(kf_dropout(0.5f, .noise_shape = {KF_ANY, 1}), &run);
    int n_dropped = 0;
    for (int r = 0; r < ROWS; r++) {
        const float first = run.out[r * COLUMNS];
        assert_true(first == 0 || first == 2);
        n_dropped += first == 0;
        for (int c = 0; c < COLUMNS; c++) assert_true(run.out[r * COLUMNS + c] == first);
    }
    assert_true(n_dropped > 5 && n_dropped < 35);
    FAILS(kf_apply(kf_alpha_dropout(0.5, .noise_shape = {KF_ANY, 2}), kf_input(g, {3})),
          "alpha_dropout_1: noise_shape (None, 2) does not stretch to the input's shape (None, 3)");
}

static void a_seed_is_ones_own(void **state) {
    (void)state;
    trial a = {0}, b = {.random = {0, 0}};
    train_on_ones(kf_alpha_dropout(0.5, .seed = 9), &a);
    train_on_ones(kf_alpha_dropout(0.5, .seed = 10), &b);
    assert_memory_not_equal(a.out, b.out, sizeof a.out);
}

static void configurations(void **state) {
    (void)state;
    char text[256];
    kf_layer *layer = kf_alpha_dropout(0.3, .seed = 5, .noise_shape = {KF_ANY, 1});
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    kfi_value_print(config, text, sizeof text);
    assert_string_equal(text, "{'rate': 0.3}"); /* Keras leaves the others out */
    kfi_variant_free(config);
    kf_layer_free(layer);
}

static double rate_of(kf_layer *layer, const char *name) {
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    const double rate = kfi_variant_to_real(kfi_variant_get(config, name), -1);
    kfi_variant_free(config);
    kf_layer_free(layer);
    return rate;
}

static void rates_outside(void **state) {
    (void)state;
    assert_true(rate_of(kf_dropout(1.5), "rate") == 1);
    assert_true(rate_of(kf_dropout(-0.5), "rate") == 0);
    assert_true(rate_of(kf_spatial_dropout2d(7), "rate") == 1);
    assert_true(rate_of(kf_lstm(2, .dropout = 2), "dropout") == 1);
    assert_true(rate_of(kf_gru_cell(2, .recurrent_dropout = -1), "recurrent_dropout") == 0);
    assert_true(rate_of(kf_gaussian_dropout(1.5), "rate") == 1.5);
    trial all = {0};
    train_on_ones(kf_dropout(1.5), &all); /* Keras drops nothing then */
    for (int i = 0; i < ROWS * COLUMNS; i++) assert_true(all.out[i] == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("noise has the mean and deviation asked for", noise_has_its_deviation),
        SENTENCE("predictions have none", only_in_training),
        SENTENCE("the same step has the same noise, another has other",
                 another_step_has_other_noise),
        SENTENCE("AlphaDropout keeps mean and variance", alpha_dropout),
        SENTENCE("a noise shape decides for whole axes", noise_shape),
        SENTENCE("a seed makes noise of its own", a_seed_is_ones_own),
        SENTENCE("a rate outside of 0 to 1 is kept to it, as in Keras", rates_outside),
        SENTENCE("AlphaDropout is saved as Keras saves it", configurations),
    };
    return cmocka_run_group_tests_name("noise", tests, fill_ones, NULL);
}
