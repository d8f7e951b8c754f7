/* Activations by name and arguments, and the activations that are layers. */
#include "core/layers/options.h"
#include "tests/layers/run.h"

static const float x4[] = {-2, -0.5f, 0.5f, 3};

static void becomes(const char *activation, const float *expected) {
    kf_graph *g = kf_graph_new();
    trial run = {.batch = 1, .data = {x4}};
    run_layer(kf_apply(kf_activation(activation), kf_input(g, {4})), &run);
    assert_values(&run, "(1, 4)", expected);
    kf_graph_free(g);
}

#define BECOMES(activation, ...) becomes((activation), (const float[]){__VA_ARGS__})

static void names(void **state) {
    (void)state;
    BECOMES("linear", -2, -0.5f, 0.5f, 3);
    BECOMES("relu", 0, 0, 0.5f, 3);
    BECOMES("elu", expm1f(-2), expm1f(-0.5f), 0.5f, 3);
    BECOMES("selu", 1.050701f * 1.673263f * expm1f(-2), 1.050701f * 1.673263f * expm1f(-0.5f),
            1.050701f * 0.5f, 1.050701f * 3);
    BECOMES("softplus", logf(1 + expf(-2)), logf(1 + expf(-0.5f)), logf(1 + expf(0.5f)),
            logf(1 + expf(3)));
    BECOMES("softsign", -2 / 3.0f, -1 / 3.0f, 1 / 3.0f, 0.75f);
    BECOMES("hard_sigmoid", 0.1f, 0.4f, 0.6f, 1);
    BECOMES("exponential", expf(-2), expf(-0.5f), expf(0.5f), expf(3));
}

static void arguments(void **state) {
    (void)state;
    BECOMES("relu(alpha=0.1)", -0.2f, -0.05f, 0.5f, 3);
    BECOMES("relu(max_value=2)", 0, 0, 0.5f, 2);
    BECOMES("relu(0.5, 2.0, 1.0)", -1.5f, -0.75f, -0.25f, 2);
    BECOMES("relu(threshold=-1)", 0, -0.5f, 0.5f, 3);
    BECOMES("relu(threshold=-1, max_value=2)", 0, 0, 0.5f, 2);
    BECOMES("elu(alpha=0.5)", 0.5f * expm1f(-2), 0.5f * expm1f(-0.5f), 0.5f, 3);
}

static void softmax_axis(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float x[] = {0, 0, 1, 2}, e = expf(1), f = expf(2);
    trial run = {.batch = 1, .data = {x}};
    run_layer(kf_apply(kf_activation("softmax(axis=1)"), kf_input(g, {2, 2})), &run);
    VALUES(&run, "(1, 2, 2)", 1 / (1 + e), 1 / (1 + f), e / (1 + e), f / (1 + f));
    run_layer(kf_apply(kf_softmax(.axis = 1), kf_input(g, {2, 2})), &run);
    VALUES(&run, "(1, 2, 2)", 1 / (1 + e), 1 / (1 + f), e / (1 + e), f / (1 + f));
    run.batch = 2; /* of a matrix Keras does not look at the axis */
    run_layer(kf_apply(kf_softmax(.axis = 0), kf_input(g, {2})), &run);
    VALUES(&run, "(2, 2)", 0.5f, 0.5f, 1 / (1 + e), e / (1 + e));
    run_layer(kf_apply(kf_activation("softmax(axis=5)"), kf_input(g, {2})), &run);
    VALUES(&run, "(2, 2)", 0.5f, 0.5f, 1 / (1 + e), e / (1 + e));
    kf_graph_free(g);
    FAILS(kf_apply(kf_activation("softmax"), kf_input(g, {0})),
          "activation_1: Cannot apply softmax to a tensor that is 1D");
    FAILS(kf_apply(kf_softmax(.axis = 3), kf_input(g, {3, 3})),
          "softmax_1: axis 3 is outside of the input's shape (None, 3, 3)");
}

static void as_layers(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    trial run = {.batch = 1, .data = {x4}};
    kf_tensor *in = kf_input(g, {4});
    run_layer(kf_apply(kf_leaky_relu(), in), &run);
    VALUES(&run, "(1, 4)", -0.6f, -0.15f, 0.5f, 3);
    run_layer(kf_apply(kf_leaky_relu(.alpha = KF_ZERO), in), &run);
    VALUES(&run, "(1, 4)", 0, 0, 0.5f, 3);
    run_layer(kf_apply(kf_elu(.alpha = 2), in), &run);
    VALUES(&run, "(1, 4)", 2 * expm1f(-2), 2 * expm1f(-0.5f), 0.5f, 3);
    run_layer(kf_apply(kf_thresholded_relu(), in), &run);
    VALUES(&run, "(1, 4)", 0, 0, 0, 3);
    run_layer(kf_apply(kf_relu(.max_value = 2, .negative_slope = 0.5f, .threshold = 1), in), &run);
    VALUES(&run, "(1, 4)", -1.5f, -0.75f, -0.25f, 2);
    run_layer(kf_apply(kf_relu(.max_value = KF_ZERO), in), &run);
    VALUES(&run, "(1, 4)", 0, 0, 0, 0);
    kf_graph_free(g);
}

static void prelu(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *whole = kf_prelu(), *shared = kf_prelu(.shared_axes = {1});
    kf_tensor *in = kf_input(g, {2, 2});
    kf_tensor *y = kf_apply(whole, in), *z = kf_apply(shared, in);
    assert_weight(whole, 0, "p_re_lu_1/alpha:0", "(2, 2)");
    assert_weight(shared, 0, "p_re_lu_2/alpha:0", "(1, 2)");
    set_weight(whole, 0, (float[]){0.5f, 1, 2, 3}, 4);
    set_weight(shared, 0, (float[]){0.5f, 2}, 2);
    trial run = {.batch = 1, .data = {x4}};
    run_layer(y, &run);
    VALUES(&run, "(1, 2, 2)", -1, -0.5f, 0.5f, 3);
    run_layer(z, &run);
    VALUES(&run, "(1, 2, 2)", -1, -1, 0.5f, 3);
    kf_graph_free(g);
    FAILS(kf_apply(kf_prelu(), kf_input(g, {KF_ANY, 3})),
          "p_re_lu_1: axis 1 of the input's shape (None, None, 3) must be fixed or among "
          "shared_axes");
    FAILS(kf_apply(kf_prelu(.shared_axes = {3}), kf_input(g, {2, 3})),
          "p_re_lu_1: shared axis 3 is outside of the input's shape (None, 2, 3)");
}

static void prelu_over_free_axes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_prelu(.shared_axes = {1});
    assert_shape(kf_apply(layer, kf_input(g, {KF_ANY, 3})), "(None, None, 3)");
    assert_weight(layer, 0, "p_re_lu_1/alpha:0", "(1, 3)");
    kf_tensor *wrong = kf_apply(layer, kf_input(g, {5, 4}));
    assert_fails(g, wrong,
                 "Input 0 is incompatible with layer p_re_lu_1: expected axis 2 of input shape to "
                 "have value 3 but got shape (None, 5, 4)");
}

static void json_is(kf_layer *layer, const char *expected) {
    char text[512];
    assert_int_equal(layer->status, KF_OK);
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    kfi_value_print(config, text, sizeof text);
    assert_string_equal(text, expected);
    kfi_variant_free(config);
    kf_layer_free(layer);
}

static void configurations(void **state) {
    (void)state;
    json_is(kf_activation("relu"), "{'activation': 'relu'}");
    json_is(kf_activation("softmax(axis=1)"), "{'activation': softmax(axis=1)}");
    json_is(kf_leaky_relu(), "{'alpha': 0.30000001192092896}");
    json_is(kf_relu(), "{'max_value': None, 'negative_slope': 0.0, 'threshold': 0.0}");
    json_is(kf_relu(.max_value = 6), "{'max_value': 6.0, 'negative_slope': 0.0, 'threshold': 0.0}");
    json_is(kf_prelu(.shared_axes = {1, 2}),
            "{'alpha_initializer': Zeros(), 'alpha_regularizer': None, 'alpha_constraint': None, "
            "'shared_axes': [1, 2]}");
    json_is(kf_layer_named("Activation", "{'class_name': 'relu', 'config': {'max_value': 6}}"),
            "{'activation': relu(alpha=0.0, max_value=6.0, threshold=0.0)}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("activations go by Keras's names", names),
        SENTENCE("and take the arguments of its functions", arguments),
        SENTENCE("softmax works along any axis of two or more", softmax_axis),
        SENTENCE("LeakyReLU, ELU, ThresholdedReLU and ReLU", as_layers),
        SENTENCE("PReLU learns a slope for each place, or along shared axes one for all", prelu),
        SENTENCE("a shared axis of PReLU may be free", prelu_over_free_axes),
        SENTENCE("numbers are written with the digits of Keras's float32", configurations),
    };
    return cmocka_run_group_tests_name("activations", tests, NULL, NULL);
}
