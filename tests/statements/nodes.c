/* Statements about shared layers and the concept of a layer's node. */
#include "tests/statements/support.h"

/* lstm = LSTM(32); encoded_a = lstm(a); encoded_b = lstm(b), of the tutorials' (140, 256). */
typedef struct shared {
    kf_graph *graph;
    kf_layer *lstm;
    kf_tensor *a, *b, *encoded_a, *encoded_b;
} shared;

static shared share(void) {
    shared made = {.graph = kf_graph_new(), .lstm = kf_lstm(32)};
    made.a = kf_input(made.graph, {140, 256});
    made.encoded_a = kf_apply(made.lstm, made.a);
    return made;
}

static void share_again(shared *made) {
    made->b = kf_input(made->graph, {140, 256});
    made->encoded_b = kf_apply(made->lstm, made->b);
    ok(kf_graph_error(made->graph));
}

static void s09_each_call_adds_a_node(void **state) {
    (void)state;
    shared made = share();
    assert_int_equal(kf_layer_nodes(made.lstm), 1);
    share_again(&made);
    assert_int_equal(kf_layer_nodes(made.lstm), 2);
    assert_ptr_equal(kf_layer_input_at(made.lstm, 0), made.a);
    assert_ptr_equal(kf_layer_input_at(made.lstm, 1), made.b);
    kf_graph_free(made.graph);
}

static void s10_one_node_has_an_output(void **state) {
    (void)state;
    const shared made = share();
    assert_ptr_equal(kf_layer_output(made.lstm), made.encoded_a);
    kf_graph_free(made.graph);
}

static void s11_two_nodes_have_no_output(void **state) {
    (void)state;
    shared made = share();
    share_again(&made);
    assert_null(kf_layer_output(made.lstm));
    says("Layer lstm_1 has multiple inbound nodes, hence the notion of \"layer output\" is "
         "ill-defined. Use `get_output_at(node_index)` instead.");
    assert_int_equal(kf_last_status(), KF_USAGE);
    kf_shape mask;
    assert_int_equal(kf_layer_output_mask(made.lstm, &mask), KF_USAGE);
    says("Layer lstm_1 has multiple inbound nodes, hence the notion of \"layer output mask\" is "
         "ill-defined. Use `get_output_mask_at(node_index)` instead.");
    ok(kf_graph_error(made.graph)); /* asking is no poison */
    kf_graph_free(made.graph);
}

static void s12_output_at(void **state) {
    (void)state;
    shared made = share();
    share_again(&made);
    assert_ptr_equal(kf_layer_output_at(made.lstm, 0), made.encoded_a);
    assert_ptr_equal(kf_layer_output_at(made.lstm, 1), made.encoded_b);
    assert_ptr_equal(kf_layer_output_at(made.lstm, -1), made.encoded_b);
    assert_null(kf_layer_output_at(made.lstm, 2));
    says("Asked to get output at node 2, but the layer has only 2 inbound nodes.");
    kf_graph_free(made.graph);
}

static void s13_shapes_of_two_sizes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *conv = kf_conv2d(16, {3, 3}, .padding = "same");
    kf_tensor *a = kf_input(g, {32, 32, 3}), *b = kf_input(g, {64, 64, 3});
    kf_apply(conv, a);
    kf_shape shape;
    ok(kf_layer_input_shape(conv, &shape));
    assert_string_equal(kfi_shape_string(&shape), "(None, 32, 32, 3)");
    kf_apply(conv, b);
    assert_int_equal(kf_layer_input_shape(conv, &shape), KF_USAGE);
    says("The layer \"conv2d_1 has multiple inbound nodes, with different input shapes. Hence the "
         "notion of \"input shape\" is ill-defined for the layer. Use "
         "`get_input_shape_at(node_index)` instead.");
    assert_int_equal(kf_layer_output_shape(conv, &shape), KF_USAGE);
    says_of("with different output shapes");
    ok(kf_layer_input_shape_at(conv, 0, &shape));
    assert_string_equal(kfi_shape_string(&shape), "(None, 32, 32, 3)");
    ok(kf_layer_input_shape_at(conv, 1, &shape));
    assert_string_equal(kfi_shape_string(&shape), "(None, 64, 64, 3)");
    ok(kf_layer_output_shape_at(conv, -1, &shape));
    assert_string_equal(kfi_shape_string(&shape), "(None, 64, 64, 16)");
    assert_int_equal(kf_layer_input_shape_at(conv, 2, &shape), KF_USAGE);
    says("Asked to get input shape at node 2, but the layer has only 2 inbound nodes.");
    assert_int_equal(kf_layer_parameters(conv), 448);
    kf_graph_free(g);
}

static void s14_output_of_the_first_call(void **state) {
    (void)state;
    kf_layer *lstm = kf_lstm(32, .name = "lstm_5");
    assert_null(kf_layer_output(lstm));
    says("Layer lstm_5 has no inbound nodes.");
    assert_null(kf_layer_input(lstm));
    says("Layer lstm_5 is not connected, no input to return.");
    assert_null(kf_layer_output_at(lstm, 0));
    says("The layer has never been called and thus has no defined output.");
    kf_shape shape;
    assert_int_equal(kf_layer_input_shape(lstm, &shape), KF_USAGE);
    says("The layer has never been called and thus has no defined input shape.");
    kf_layer_free(lstm);
}

static void s15_equal_shapes_are_unambiguous(void **state) {
    (void)state;
    shared made = share();
    share_again(&made);
    kf_shape shape;
    ok(kf_layer_input_shape(made.lstm, &shape));
    assert_string_equal(kfi_shape_string(&shape), "(None, 140, 256)");
    ok(kf_layer_output_shape(made.lstm, &shape));
    assert_string_equal(kfi_shape_string(&shape), "(None, 32)");
    kf_graph_free(made.graph);
}

static void s57_a_shared_layer_gives_several_outputs(void **state) {
    (void)state;
    shared made = share();
    share_again(&made);
    kf_model *m = kf_model_new(.inputs = kf_list(made.a, made.b),
                               .outputs = kf_list(made.encoded_a, made.encoded_b));
    ok(kf_model_error(m));
    assert_int_equal(kf_model_outputs(m), 2);
    assert_int_equal(kf_model_layers(m), 3);
    assert_int_equal(kf_model_weights(m), 3);
    kf_graph_free(made.graph);
}

static void masks_at_nodes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *embedding = kf_embedding(10, 4, .mask_zero = true), *dense = kf_dense(3);
    kf_tensor *x = kf_apply(embedding, kf_input(g, {7}, .dtype = "int32"));
    kf_apply(dense, x);
    kf_apply(dense, kf_input(g, {7, 4}));
    ok(kf_graph_error(g));
    kf_shape mask;
    ok(kf_layer_output_mask(embedding, &mask));
    assert_string_equal(kfi_shape_string(&mask), "(None, 7)");
    ok(kf_layer_input_mask(embedding, &mask));
    assert_int_equal(mask.rank, 0);
    ok(kf_layer_output_mask_at(dense, 0, &mask));
    assert_string_equal(kfi_shape_string(&mask), "(None, 7)");
    ok(kf_layer_input_mask_at(dense, 1, &mask));
    assert_int_equal(mask.rank, 0);
    kf_graph_free(g);
}

static void inputs_of_a_merge(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {2}), *b = kf_input(g, {3});
    kf_layer *both = kf_concatenate();
    kf_apply(both, a, b);
    assert_int_equal(kf_layer_node_inputs(both, 0), 2);
    assert_ptr_equal(kf_layer_node_input(both, 0, 1), b);
    assert_null(kf_layer_node_input(both, 0, 2));
    assert_int_equal(kf_layer_node_inputs(both, 1), 0);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("s09 each call of a layer adds a node, 0, 1, 2 …", s09_each_call_adds_a_node),
        SENTENCE("s10 with one node, output is what the call returned", s10_one_node_has_an_output),
        SENTENCE("s11 with two nodes there is no output, and why", s11_two_nodes_have_no_output),
        SENTENCE("s12 get_output_at(0) and (1)", s12_output_at),
        SENTENCE("s13 a convolution of 32 and 64 has no one input shape", s13_shapes_of_two_sizes),
        SENTENCE("s14 output of a layer that was never called", s14_output_of_the_first_call),
        SENTENCE("s15 where all nodes agree, input_shape is theirs",
                 s15_equal_shapes_are_unambiguous),
        SENTENCE("s57 a shared layer gives several outputs",
                 s57_a_shared_layer_gives_several_outputs),
        SENTENCE("masks are asked for as shapes are", masks_at_nodes),
        SENTENCE("a merge's node has several inputs", inputs_of_a_merge),
    };
    return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
