/* Weights in files: what is saved is loaded, and what does not fit is refused whole. */
#include "tests/model/support.h"

#include "tests/io/scratch.h"

/* Distinct numbers in all weights. */
static void fill(kf_model *model, float first) {
    for (int32_t i = 0; i < kf_model_weights(model); i++) {
        kf_weight *weight = kf_model_weight(model, i);
        for (int64_t k = 0; k < weight->count; k++) weight->data[k] = first++;
    }
}

static void assert_same_weights(const kf_model *a, const kf_model *b) {
    assert_int_equal(kf_model_weights(a), kf_model_weights(b));
    for (int32_t i = 0; i < kf_model_weights(a); i++) {
        const kf_weight *x = kf_model_weight(a, i), *y = kf_model_weight(b, i);
        assert_true(kfi_shape_equal(&x->shape, &y->shape));
        assert_memory_equal(x->data, y->data, (size_t)x->count * sizeof(float));
    }
}

static kf_model *read_model(kf_graph *g, const char *config) {
    char *text = read_config(config);
    kf_model *m = kf_model_from_json(g, text);
    assert_good(m);
    free(text);
    return m;
}

static void round_trip(void **state) {
    (void)state;
    static const char *const configs[] = {"mlp", "nested_bn", "sequential_in_sequential",
                                          "shared_vision", "batchnormalization_conv_stack"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        kf_graph *g = kf_graph_new(), *h = kf_graph_new();
        kf_model *m = read_model(g, configs[i]), *n = read_model(h, configs[i]);
        fill(m, 1);
        assert_int_equal(kf_save_weights(m, scratch("round.h5")), KF_OK);
        if (kf_load_weights(n, scratch("round.h5")) != KF_OK) fail_msg("%s", kf_last_error());
        assert_same_weights(m, n);
        kf_graph_free(g);
        kf_graph_free(h);
    }
}

/* A model inside is one group with the names of its layers, moving averages at the end. */
static void layout(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = read_model(g, "nested_bn");
    kfi_keras_file content;
    assert_int_equal(kfi_model_content(m, &content), KF_OK);
    assert_string_equal(content.keras_version, "2.2.4");
    assert_string_equal(content.backend, "tensorflow");
    assert_int_equal(content.n_layers, 4);
    assert_string_equal(content.layers[0].name, "input_2");
    assert_int_equal(content.layers[0].n_weights, 0);
    static const char *const inner[] = {
        "dense_1/kernel:0",
        "dense_1/bias:0",
        "batch_normalization_1/gamma:0",
        "batch_normalization_1/beta:0",
        "dense_2/kernel:0",
        "dense_2/bias:0",
        "batch_normalization_2/gamma:0",
        "batch_normalization_2/beta:0",
        "batch_normalization_1/moving_mean:0",
        "batch_normalization_1/moving_variance:0",
        "batch_normalization_2/moving_mean:0",
        "batch_normalization_2/moving_variance:0",
    };
    assert_string_equal(content.layers[1].name, "model_1");
    assert_int_equal(content.layers[1].n_weights, 12);
    for (int i = 0; i < 12; i++) assert_string_equal(content.layers[1].weights[i].name, inner[i]);
    kfi_model_content_free(&content);
    kf_graph_free(g);
}

/* dense_1 stands in both models, which is legal since they are two models. */
static void repeated_names(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *parts[2];
    for (int i = 0; i < 2; i++) {
        kf_tensor *in = kf_input(g, {4});
        kf_tensor *y = kf_apply(kf_dense(4, .name = "same"), in);
        parts[i] = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y));
    }
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_model_layer(parts[0]), in);
    x = kf_apply(kf_model_layer(parts[1]), x);
    kf_model *middle = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(x));
    kf_tensor *outside = kf_input(g, {4});
    kf_tensor *y = kf_apply(kf_model_layer(middle), outside);
    kf_model *m = kf_model_new(.inputs = kf_list(outside), .outputs = kf_list(y));
    assert_good(m);
    kfi_keras_file content;
    assert_int_equal(kfi_model_content(m, &content), KF_OK);
    assert_string_equal(content.layers[1].weights[0].name, "same/kernel:0");
    assert_string_equal(content.layers[1].weights[2].name, "same/kernel:0_1");
    kfi_model_content_free(&content);
    fill(m, 5);
    assert_int_equal(kf_save_weights(m, scratch("names.h5")), KF_OK);
    float kept = kf_model_weight(m, 2)->data[3];
    fill(m, 1000);
    assert_int_equal(kf_load_weights(m, scratch("names.h5")), KF_OK);
    assert_true(kf_model_weight(m, 2)->data[3] == kept);
    kf_graph_free(g);
}

/* --- what does not fit ------------------------------------------------------------------------ */

static kf_model *make_chain(kf_graph *g, int64_t first, int64_t second, bool no_bias) {
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(first, .no_bias = no_bias), in);
    if (second) x = kf_apply(kf_dense(second), x);
    return kf_model_new(.inputs = kf_list(in), .outputs = kf_list(x));
}

static void assert_refuses(int64_t first, int64_t second, bool no_bias, const char *words) {
    kf_graph *g = kf_graph_new();
    kf_model *saved = make_chain(g, 3, 2, false), *m = make_chain(g, first, second, no_bias);
    fill(saved, 1);
    fill(m, 100);
    assert_int_equal(kf_save_weights(saved, scratch("misfit.h5")), KF_OK);
    assert_int_equal(kf_load_weights(m, scratch("misfit.h5")), KF_INVALID);
    assert_says(words);
    assert_says("misfit.h5: ");
    assert_true(kf_model_weight(m, 0)->data[0] == 100); /* nothing was read */
    kf_graph_free(g);
}

static void misfits(void **state) {
    (void)state;
    assert_refuses(3, 0, false,
                   "You are trying to load a weight file containing 2 layers into a model with 1 "
                   "layers.");
    assert_refuses(3, 2, true,
                   "Layer #0 (named \"dense_3\" in the current model) was found to correspond to "
                   "layer dense_1 in the save file. However the new layer dense_3 expects 1 "
                   "weights, but the saved weights have 2 elements.");
    assert_refuses(3, 5, false,
                   "Layer #1 (named \"dense_4\"), weight dense_4/kernel:0 has shape (3, 5), but "
                   "the saved weight dense_2/kernel:0 has shape (3, 2).");
}

static void missing_file(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_chain(g, 3, 0, false);
    assert_int_equal(kf_load_weights(m, scratch("nothing.h5")), KF_IO);
    assert_says("nothing.h5");
    assert_int_equal(kf_load_weights(m, NULL), KF_USAGE);
    assert_int_equal(kf_save_weights(m, NULL), KF_USAGE);
    assert_int_equal(kf_save_weights(m, scratch("no/folder.h5")), KF_IO);
    kf_graph_free(g);
}

/* Theano's kernels are turned by 180 degrees. */
static void from_theano(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {5, 5, 2});
    kf_tensor *y = kf_apply(kf_conv2d(3, {2, 3}), in);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y));
    assert_good(m);
    fill(m, 0);
    kfi_keras_file content;
    assert_int_equal(kfi_model_content(m, &content), KF_OK);
    content.backend = "theano";
    assert_int_equal(kfi_keras_write(scratch("theano.h5"), &content, NULL, NULL), KF_OK);
    kfi_model_content_free(&content);
    assert_int_equal(kf_load_weights(m, scratch("theano.h5")), KF_OK);
    const float *kernel = kf_model_weight(m, 0)->data, *bias = kf_model_weight(m, 1)->data;
    for (int64_t row = 0; row < 2; row++)
        for (int64_t column = 0; column < 3; column++)
            for (int64_t k = 0; k < 6; k++)
                assert_true(kernel[(row * 3 + column) * 6 + k] ==
                            (float)(((1 - row) * 3 + 2 - column) * 6 + k));
    assert_true(bias[0] == 36 && bias[2] == 38);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("saved weights are loaded", round_trip),
        SENTENCE("a file has a group for each layer, inner models in one", layout),
        SENTENCE("names that repeat in a group get a number", repeated_names),
        SENTENCE("weights of another model are refused and change nothing", misfits),
        SENTENCE("a file that is not there is named", missing_file),
        SENTENCE("kernels of the Theano backend are turned around", from_theano),
    };
    return cmocka_run_group_tests(tests, make_scratch, empty_scratch);
}
