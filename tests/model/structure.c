/* What a model is made of: layers, calls, depths, shapes, and what is no model. */
#include "tests/model/support.h"

static void chain(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    assert_good(m);
    assert_layers(m, "input_1 dense_1 dense_2 dense_3");
    assert_string_equal(kf_model_name(m), "model_1");
    assert_shape(kf_tensor_shape(kf_model_output(m, 0)), "(None, 10)");
    assert_string_equal(kf_model_input_name(m, 0), "input_1");
    assert_string_equal(kf_model_output_name(m, 0), "dense_3");
    assert_int_equal(kf_model_weights(m), 6);
    assert_string_equal(kf_weight_name(kf_model_weight(m, 3)), "dense_2/bias:0");
    int64_t trainable;
    assert_int_equal(kf_model_parameters(m, &trainable), 55050);
    assert_int_equal(trainable, 55050);
    assert_ptr_equal(kf_model_graph(m), g);
    assert_null(kf_model_input(m, 1));
    assert_null(kf_model_output_name(m, -1));
    assert_null(kf_model_layer_at(m, 4));
    kf_graph_free(g);
}

static void called_model(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    kf_tensor *x = kf_input(g, {784});
    kf_layer *layer = kf_model_layer(m);
    assert_int_equal(kf_layer_nodes(layer), 1);
    assert_ptr_equal(kf_layer_output(layer), kf_model_output(m, 0));
    assert_ptr_equal(kf_layer_input(layer), kf_model_input(m, 0));
    kf_tensor *y = kf_apply(layer, x);
    assert_shape(kf_tensor_shape(y), "(None, 10)");
    assert_int_equal(kf_layer_nodes(layer), 2);
    assert_int_equal(y->node->index, 1);
    assert_ptr_equal(kf_layer_output_at(layer, 1), y);
    kf_model *outer = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    assert_good(outer);
    assert_layers(outer, "input_2 model_1");
    assert_int_equal(kf_model_parameters(outer, NULL), 55050);
    assert_int_equal(kf_model_weights(outer), 6);
    assert_ptr_equal(kf_model_weight(outer, 0), kf_model_weight(m, 0));
    kf_graph_free(g);
}

/* The tutorials' headline, with a Dense in the place of the LSTM. */
static void headline(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {100}, .name = "main_input");
    kf_tensor *inner = kf_apply(kf_dense(512), in);
    kf_tensor *encoded = kf_apply(kf_dense(32), inner);
    kf_tensor *aux_out =
        kf_apply(kf_dense(1, .activation = "sigmoid", .name = "aux_output"), encoded);
    kf_tensor *aux_in = kf_input(g, {5}, .name = "aux_input");
    kf_tensor *x = kf_apply(kf_concatenate(), encoded, aux_in);
    for (int i = 0; i < 3; i++) x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "main_output"), x);
    kf_model *m = kf_model_new(.inputs = kf_list(in, aux_in), .outputs = kf_list(out, aux_out));
    assert_good(m);
    assert_layers(m, "main_input dense_1 dense_2 aux_input concatenate_1 dense_3 dense_4 dense_5 "
                     "main_output aux_output");
    assert_string_equal(kf_model_output_name(m, 1), "aux_output");
    assert_string_equal(kf_model_input_name(m, 1), "aux_input");
    kf_graph_free(g);
}

static void shared_layer(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(g, {4}), *c = kf_input(g, {4});
    kf_layer *shared = kf_dense(3);
    kf_tensor *other = kf_apply(shared, c); /* belongs to no model */
    kf_tensor *xa = kf_apply(shared, a), *xb = kf_apply(shared, b);
    kf_tensor *y = kf_apply(kf_concatenate(), xb, xa);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(y));
    assert_good(m);
    assert_layers(m, "input_2 input_1 dense_1 concatenate_1"); /* in the order of the walk */
    assert_int_equal(m->n_nodes, 5);
    assert_int_equal(kf_model_parameters(m, NULL), 15);
    char *json = print_config(m);
    assert_non_null(strstr(json, "\"inbound_nodes\": [[[\"input_1\", 0, 0, {}]], "
                                 "[[\"input_2\", 0, 0, {}]]]"));
    assert_non_null(strstr(json, "[[[\"dense_1\", 1, 0, {}], [\"dense_1\", 0, 0, {}]]]"));
    kfi_free(json);
    assert_non_null(other);
    kf_graph_free(g);
}

/* The second call of the layer reads from the first: depth 2 and 1; the layer counts as 2. */
static void shared_at_two_depths(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {4});
    kf_layer *shared = kf_dense(4);
    kf_tensor *once = kf_apply(shared, in);
    kf_tensor *between = kf_apply(kf_activation("relu"), in);
    kf_tensor *twice = kf_apply(shared, once);
    kf_tensor *y = kf_apply(kf_add(), twice, between);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y));
    assert_good(m);
    assert_layers(m, "input_1 dense_1 activation_1 add_1");
    for (int32_t i = 0; i < m->n_nodes; i++)
        for (int32_t k = 0; k < m->nodes[i].node->n_in; k++) assert_true(m->nodes[i].in[k] < i);
    assert_int_equal(m->nodes[m->output_nodes[0]].depth, 0);
    assert_int_equal(m->nodes[m->input_nodes[0]].depth, 3);
    kf_graph_free(g);
}

static void diamond(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {8});
    kf_tensor *top = kf_apply(kf_dense(8), in);
    kf_tensor *left = kf_apply(kf_dense(8), top), *right = kf_apply(kf_dense(8), top);
    kf_tensor *y = kf_apply(kf_add(), left, right);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y));
    assert_good(m);
    assert_layers(m, "input_1 dense_1 dense_2 dense_3 add_1");
    assert_int_equal(m->n_nodes, 5);
    kf_graph_free(g);
}

static void outputs_repeat(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(3), a), *y = kf_apply(kf_dense(2), b);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(x, y, y, a));
    assert_good(m);
    assert_int_equal(kf_model_outputs(m), 4);
    assert_string_equal(kf_model_output_name(m, 1), "dense_2");
    assert_string_equal(kf_model_output_name(m, 2), "dense_2");
    assert_string_equal(kf_model_output_name(m, 3), "input_1");
    kf_graph_free(g);
}

static void unused_input(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(3), a);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(x));
    assert_good(m);
    assert_layers(m, "input_1 dense_1 input_2");
    char *json = print_config(m);
    assert_non_null(strstr(json, "\"input_layers\": [[\"input_1\", 0, 0], [\"input_2\", 0, 0]]"));
    kfi_free(json);
    kf_graph_free(g);
}

static void part_of_a_graph(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(3), in);
    kf_tensor *y = kf_apply(kf_dense(2), x);
    kf_model *whole = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y));
    kf_model *part = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(x), .name = "encoder");
    assert_good(whole);
    assert_good(part);
    assert_layers(part, "input_1 dense_1");
    assert_string_equal(kf_model_name(part), "encoder");
    assert_ptr_equal(kf_model_find_layer(whole, "dense_1"), kf_model_layer_at(part, 1));
    assert_null(kf_model_find_layer(part, "dense_2"));
    assert_string_equal(kf_last_error(), "No such layer: dense_2");
    assert_null(kf_model_find_layer(part, NULL));
    kf_graph_free(g);
}

static void multiple_outputs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {3}), *b = kf_input(g, {2});
    kf_tensor *both = kf_apply(kf_concatenate(), a, b);
    kf_model *inner = kf_model_new(.inputs = kf_list(a, b),
                                   .outputs = kf_list(both, kf_apply(kf_dense(7), both)));
    kf_tensor *c = kf_input(g, {3}), *d = kf_input(g, {2});
    kf_tensor *first = kf_apply(kf_model_layer(inner), c, d);
    kf_tensor *second = kf_tensor_sibling(first, 1);
    assert_shape(kf_tensor_shape(first), "(None, 5)");
    assert_shape(kf_tensor_shape(second), "(None, 7)");
    kf_model *outer = kf_model_new(.inputs = kf_list(c, d), .outputs = kf_list(second));
    assert_good(outer);
    char *json = print_config(outer);
    assert_non_null(strstr(json, "\"output_layers\": [[\"model_1\", 1, 1]]"));
    kfi_free(json);
    kf_graph_free(g);
}

static void long_chain(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {2}), *x = in;
    for (int i = 0; i < 20000; i++) x = kf_apply(kf_activation("relu"), x);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(x));
    assert_good(m);
    assert_int_equal(m->n_nodes, 20001);
    assert_int_equal(m->nodes[0].depth, 20000);
    kf_graph_free(g);
}

/* Level k calls level k-1 twice: 2^k calls of the Dense. */
static void exploding_nest(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {2});
    kf_model *m =
        kf_model_new(.inputs = kf_list(in), .outputs = kf_list(kf_apply(kf_dense(2), in)));
    for (int level = 0; level < 40 && kf_model_error(m) == KF_OK; level++) {
        in = kf_input(g, {2});
        kf_tensor *x = kf_apply(kf_model_layer(m), in);
        x = kf_apply(kf_model_layer(m), x);
        m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(x));
    }
    assert_fails(m, KF_INVALID, "calls of layers");
    kf_graph_free(g);
}

/* --- what is no model ------------------------------------------------------------------------- */

static void disconnected(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {32}), *b = kf_input(g, {16});
    kf_tensor *x = kf_apply(kf_dense(8), a);
    kf_tensor *y = kf_apply(kf_concatenate(), kf_apply(kf_dense(8), x), b);
    kf_model *m = kf_model_new(.inputs = kf_list(a), .outputs = kf_list(y));
    assert_int_equal(kf_model_error(m), KF_INVALID);
    assert_string_equal(kf_last_error(),
                        "Graph disconnected: cannot obtain value for tensor Tensor(\"input_2:0\", "
                        "shape=(?, 16), dtype=float32) at layer \"input_2\". The following "
                        "previous layers were accessed without issue: ['input_1', 'dense_1', "
                        "'dense_2']");
    assert_int_equal(kf_graph_error(g), KF_INVALID);
    kf_graph_free(g);
}

static void redundant(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4});
    kf_tensor *y = kf_apply(kf_dense(3), a);
    assert_fails(kf_model_new(.inputs = kf_list(a, a), .outputs = kf_list(y)), KF_INVALID,
                 "The list of inputs passed to the model is redundant. All inputs should only "
                 "appear once.");
    kf_graph_free(g);
}

static void same_names(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(3, .name = "k"), a);
    kf_tensor *y = kf_apply(kf_dense(3, .name = "k"), x);
    assert_fails(kf_model_new(.inputs = kf_list(a), .outputs = kf_list(y)), KF_INVALID,
                 "The name \"k\" is used 2 times in the model. All layer names should be unique.");
    kf_graph_free(g);
}

static void input_from_a_layer(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(3), a);
    kf_tensor *y = kf_apply(kf_dense(3), x);
    assert_fails(kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y)), KF_INVALID,
                 "it was generated by layer dense_1.");
    assert_says("Model inputs must come from `keras.layers.Input`");
    kf_graph_free(g);
}

static void two_graphs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new(), *h = kf_graph_new();
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(h, {4});
    kf_tensor *y = kf_apply(kf_dense(3), b);
    assert_fails(kf_model_new(.inputs = kf_list(a), .outputs = kf_list(y)), KF_USAGE,
                 "outputs[0] of the model belongs to another graph");
    assert_int_equal(kf_graph_error(h), KF_OK);
    kf_graph_free(g);
    kf_graph_free(h);
}

static void missing_lists(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4});
    assert_fails(kf_model_new(.inputs = kf_list(a)), KF_USAGE, "at least one tensor in outputs");
    assert_fails(kf_model_new(.outputs = kf_list(a)), KF_USAGE, "a model needs");
    assert_fails(kf_model_new(.name = "nothing"), KF_USAGE,
                 "a model needs a graph, or inputs and outputs");
    assert_fails(kf_model_create(NULL), KF_USAGE, "a model needs a graph, or inputs and outputs");
    assert_int_equal(kf_model_error(NULL), KF_USAGE);
    kf_graph_free(g);
}

static void poison_spreads(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4});
    kf_tensor *bad = kf_apply(kf_dense(-1), a);
    kf_model *m = kf_model_new(.inputs = kf_list(a), .outputs = kf_list(bad));
    assert_int_not_equal(kf_model_error(m), KF_OK);
    assert_says("units");
    kf_tensor *further = kf_apply(kf_model_layer(m), a);
    kf_model *outer = kf_model_new(.inputs = kf_list(a), .outputs = kf_list(further));
    assert_int_not_equal(kf_model_error(outer), KF_OK);
    assert_says("units");
    assert_int_equal(kf_model_layers(m), 0);
    assert_int_equal(kf_model_weights(m), 0);
    assert_int_equal(kf_model_parameters(m, NULL), 0);
    assert_string_equal(kf_model_name(m), "");
    char *text;
    assert_int_not_equal(kf_model_to_json(m, &text), KF_OK);
    assert_null(text);
    assert_int_not_equal(kf_model_summary(m, &text), KF_OK);
    assert_int_not_equal(kf_save_weights(m, "/nowhere"), KF_OK);
    assert_int_not_equal(kf_load_weights(m, "/nowhere"), KF_OK);
    kf_graph_free(g);
}

static void ownerless_model(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_create(NULL);
    kf_tensor *y = kf_apply(kf_model_layer(m), kf_input(g, {4}));
    assert_non_null(y);
    assert_int_equal(kf_graph_error(g), KF_USAGE);
    assert_says("a model needs a graph, or inputs and outputs");
    kf_layer_free(kf_model_layer(m));
    kf_graph_free(g);
}

static void wrong_calls(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    kf_tensor *x = kf_input(g, {784}), *y = kf_input(g, {783});
    kf_apply(kf_model_layer(m), x, x);
    assert_says("model_1: the model has 1 inputs, but was called on 2 tensors");
    kf_apply(kf_model_layer(m), y);
    assert_says("dense_1");
    assert_int_equal(kf_layer_nodes(kf_model_layer(m)), 1);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a chain of layers is a model", chain),
        SENTENCE("a model called on a new input adds node 1 and shares its weights", called_model),
        SENTENCE("layers go by decreasing depth, ties by the walk from the outputs", headline),
        SENTENCE("a shared layer is one layer with several calls", shared_layer),
        SENTENCE("a layer shared at two depths takes the larger", shared_at_two_depths),
        SENTENCE("both sides of a diamond belong to the model", diamond),
        SENTENCE("an output may repeat, and may be an input", outputs_repeat),
        SENTENCE("an input that no output needs stays in the model", unused_input),
        SENTENCE("a model may be a part of another's graph", part_of_a_graph),
        SENTENCE("a called model has all its outputs", multiple_outputs),
        SENTENCE("a chain of 20000 layers needs no deep stack", long_chain),
        SENTENCE("a nest that doubles at each level is refused", exploding_nest),
        SENTENCE("a disconnected graph is no model", disconnected),
        SENTENCE("an input given twice is refused", redundant),
        SENTENCE("two layers of one name are refused", same_names),
        SENTENCE("a layer's output is no input", input_from_a_layer),
        SENTENCE("tensors of two graphs make no model", two_graphs),
        SENTENCE("a model needs inputs and outputs", missing_lists),
        SENTENCE("poison goes through models with the first message", poison_spreads),
        SENTENCE("a model without any graph still has a layer that says why", ownerless_model),
        SENTENCE("calls on wrong tensors leave the model as it was", wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
