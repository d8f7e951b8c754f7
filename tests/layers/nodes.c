/* Names, calls of shared layers, gathered weights. */
#include "tests/layers/support.h"

static void names_count_by_class(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {8, 8, 2});
    kf_layer *const layers[] = {
        kf_conv2d(2, {3}),           kf_conv2d(2, {3}),
        kf_max_pooling2d(),          kf_average_pooling2d(),
        kf_batch_normalization(),    kf_global_average_pooling2d(),
        kf_dense(3, .name = "mine"), kf_dense(3),
    };
    static const char *const names[] = {
        "conv2d_1",
        "conv2d_2",
        "max_pooling2d_1",
        "average_pooling2d_1",
        "batch_normalization_1",
        "global_average_pooling2d_1",
        "mine",
        "dense_1",
    };
    assert_string_equal(kf_layer_name(x->node->layer), "input_1");
    assert_string_equal(kf_layer_name(layers[0]), "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        x = kf_apply(layers[i], x);
        assert_good(g);
        assert_string_equal(kf_layer_name(layers[i]), names[i]);
    }
    assert_string_equal(kf_layer_class(layers[2]), "MaxPooling2D");
    kf_graph_free(g);
}

static void one_call(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_dense(32);
    kf_tensor *in = kf_input(g, {4}), *out = kf_apply(dense, in);
    assert_int_equal(kf_layer_nodes(dense), 1);
    assert_ptr_equal(kf_layer_output(dense), out);
    assert_ptr_equal(kf_layer_input(dense), in);
    assert_ptr_equal(kf_layer_output_at(dense, 0), out);
    assert_ptr_equal(kf_layer_input_at(dense, -1), in);
    assert_ptr_equal(out->node->in[0], in);
    assert_true(out->node->number > in->node->number);
    kf_graph_free(g);
}

static void two_calls(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_dense(32, .name = "lstm_3");
    kf_tensor *a = kf_apply(dense, kf_input(g, {4})), *b = kf_apply(dense, kf_input(g, {4}));
    assert_int_equal(kf_layer_nodes(dense), 2);
    assert_int_equal(kf_layer_weights(dense), 2);
    assert_null(kf_layer_output(dense));
    assert_string_equal(kf_last_error(),
                        "Layer lstm_3 has multiple inbound nodes, hence the notion of \"layer "
                        "output\" is ill-defined. Use `get_output_at(node_index)` instead.");
    assert_null(kf_layer_input(dense));
    assert_string_equal(kf_last_error(),
                        "Layer lstm_3 has multiple inbound nodes, hence the notion of \"layer "
                        "input\" is ill-defined. Use `get_input_at(node_index)` instead.");
    const kf_tensor *const made[] = {kf_layer_input_at(dense, 0), a, kf_layer_input_at(dense, 1),
                                     b};
    for (int i = 0; i < 4; i++) /* the arguments of kf_apply are made in any order */
        for (int k = 0; k < i; k++) assert_true(made[i]->node->number != made[k]->node->number);
    assert_true(a->node->number < b->node->number);
    assert_ptr_equal(kf_layer_output_at(dense, 0), a);
    assert_ptr_equal(kf_layer_output_at(dense, 1), b);
    assert_ptr_equal(kf_layer_output_at(dense, -2), a);
    assert_null(kf_layer_output_at(dense, 2));
    assert_string_equal(kf_last_error(), "Asked to get output at node 2, but the layer has only 2 "
                                         "inbound nodes.");
    assert_null(kf_layer_input_at(dense, -3));
    assert_good(g); /* asking is no poison */
    kf_graph_free(g);
}

static void no_call(void **state) {
    (void)state;
    kf_layer *dense = kf_dense(32, .name = "lstm_5");
    assert_int_equal(kf_layer_nodes(dense), 0);
    assert_null(kf_layer_output(dense));
    assert_string_equal(kf_last_error(), "Layer lstm_5 has no inbound nodes.");
    assert_null(kf_layer_input(dense));
    assert_string_equal(kf_last_error(), "Layer lstm_5 is not connected, no input to return.");
    assert_null(kf_layer_output_at(dense, 0));
    assert_string_equal(kf_last_error(),
                        "The layer has never been called and thus has no defined output.");
    kf_layer_free(dense);
    assert_null(kf_layer_output(NULL));
    kf_layer_free(NULL);
}

static void two_sizes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *conv = kf_conv2d(16, {3}, .padding = "same");
    assert_shape(kf_apply(conv, kf_input(g, {32, 32, 3})), "(None, 32, 32, 16)");
    assert_shape(kf_apply(conv, kf_input(g, {64, 64, 3})), "(None, 64, 64, 16)");
    assert_shape(kf_layer_input_at(conv, 1), "(None, 64, 64, 3)");
    assert_int_equal(kf_layer_weights(conv), 2);
    kf_graph_free(g);
}

static void frozen_weights(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *norm = kf_batch_normalization(.frozen = true);
    kf_apply(norm, kf_input(g, {4}));
    kfi_weight_list trained = {0}, others = {0};
    assert_int_equal(kfi_layer_gather(norm, true, &trained), KF_OK);
    assert_int_equal(kfi_layer_gather(norm, false, &others), KF_OK);
    assert_int_equal(trained.count, 0);
    assert_int_equal(others.count, 4);
    assert_string_equal(others.items[0]->name, "batch_normalization_1/gamma:0");
    kf_layer_set_trainable(norm, true);
    others.count = 0;
    assert_int_equal(kfi_layer_gather(norm, true, &trained), KF_OK);
    assert_int_equal(kfi_layer_gather(norm, false, &others), KF_OK);
    assert_int_equal(trained.count, 2);
    assert_int_equal(others.count, 2);
    assert_string_equal(others.items[0]->name, "batch_normalization_1/moving_mean:0");
    kfi_free(trained.items);
    kfi_free(others.items);
    assert_null(kf_layer_weight(norm, 4));
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("names are the class in snake case and a number", names_count_by_class),
        SENTENCE("one call: output and input are those of the call", one_call),
        SENTENCE("two calls: output is ill-defined, output_at is not", two_calls),
        SENTENCE("no call: Keras's words", no_call),
        SENTENCE("a shared convolution takes images of two sizes", two_sizes),
        SENTENCE("a frozen layer has no trained weights", frozen_weights),
    };
    return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
