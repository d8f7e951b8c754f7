/* Sequential as it grows, shrinks, waits for its input, and is saved. */
#include "tests/model/support.h"

static void assert_ok(kf_status status) {
    if (status != KF_OK) fail_msg("%s", kf_last_error());
}

static void refuses(kf_status status, kf_status expected, const char *words) {
    assert_int_equal(status, expected);
    assert_says(words);
}

static void grows(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_sequential_new(g, .input_shape = {784});
    refuses(kf_model_error(m), KF_USAGE, "This model has not yet been built.");
    assert_ok(kf_sequential_add(m, kf_dense(64, .activation = "relu")));
    assert_ok(kf_sequential_add(m, kf_dense(64, .activation = "relu")));
    assert_ok(kf_sequential_add(m, kf_dense(10, .activation = "softmax")));
    assert_good(m);
    assert_layers(m, "dense_1 dense_2 dense_3");
    assert_string_equal(kf_model_name(m), "sequential_1");
    assert_string_equal(kf_model_input_name(m, 0), "dense_1_input");
    assert_int_equal(kf_model_parameters(m, NULL), 55050);
    assert_shape(kf_tensor_shape(kf_model_output(m, 0)), "(None, 10)");
    assert_ptr_equal(kf_layer_output(kf_model_layer(m)), kf_model_output(m, 0));
    assert_int_equal(kf_layer_nodes(kf_model_layer(m)), 1);
    kf_graph_free(g);
}

static void shrinks(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_sequential_new(g, .input_shape = {4});
    refuses(kf_sequential_pop(m), KF_USAGE, "There are no layers in the model.");
    assert_ok(kf_sequential_add(m, kf_dense(3)));
    assert_ok(kf_sequential_add(m, kf_dense(2)));
    assert_ok(kf_sequential_pop(m));
    assert_layers(m, "dense_1");
    assert_shape(kf_tensor_shape(kf_model_output(m, 0)), "(None, 3)");
    assert_ok(kf_sequential_pop(m));
    assert_int_equal(kf_model_layers(m), 0);
    refuses(kf_model_error(m), KF_USAGE, "not yet been built");
    assert_ok(kf_sequential_add(m, kf_dense(5)));
    assert_layers(m, "dense_3");
    assert_good(m);
    kf_graph_free(g);
}

static void waits(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_sequential_new(g, .name = "late");
    assert_ok(kf_sequential_add(m, kf_dense(3)));
    assert_ok(kf_sequential_add(m, kf_dense(2, .name = "end")));
    assert_layers(m, "dense_1 end");
    assert_int_equal(kf_model_weights(m), 0);
    assert_ptr_equal(kf_model_get_layer(m, "end", KF_NO_INDEX), kf_model_layer_at(m, 1));
    assert_ok(kf_sequential_pop(m));
    assert_ok(kf_sequential_add(m, kf_dense(7)));
    kf_tensor *y = kf_apply(kf_model_layer(m), kf_input(g, {4}));
    assert_shape(kf_tensor_shape(y), "(None, 7)");
    assert_good(m);
    assert_string_equal(kf_model_input_name(m, 0), "late_input");
    assert_int_equal(y->node->index, 1);
    refuses(kf_sequential_add(m, kf_dense(1)), KF_USAGE, "was called on a tensor already");
    refuses(kf_sequential_pop(m), KF_USAGE, "cannot change any more");
    assert_int_equal(kf_graph_error(g), KF_OK);
    kf_graph_free(g);
}

static void learns_from_first(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *outer = kf_sequential_new(g), *empty = kf_sequential_new(g);
    assert_ok(kf_sequential_add(outer, kf_model_layer(make_mlp(g))));
    assert_ok(kf_sequential_add(outer, kf_dense(1)));
    assert_layers(outer, "model_1 dense_4");
    assert_string_equal(kf_model_input_name(outer, 0), "model_1_input");
    kf_model *by_layer = kf_sequential_new(g);
    assert_ok(kf_sequential_add(by_layer, kf_input(g, {3}, .name = "here")->node->layer));
    assert_ok(kf_sequential_add(by_layer, kf_dense(1)));
    assert_string_equal(kf_model_input_name(by_layer, 0), "here");
    refuses(kf_sequential_add(kf_sequential_new(g), kf_model_layer(empty)), KF_USAGE,
            "Cannot add an empty model");
    kf_graph_free(g);
}

static void fails_once(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_sequential_new(g, .input_shape = {4});
    refuses(kf_sequential_add(m, NULL), KF_USAGE, "must be an instance of class Layer");
    refuses(kf_sequential_add(NULL, kf_dense(1)), KF_USAGE, "the model is NULL");
    assert_int_equal(kf_sequential_add(m, kf_dense(-1)), KF_INVALID);
    assert_fails(m, KF_INVALID, "units");
    refuses(kf_sequential_add(m, kf_dense(1)), KF_INVALID, "units");
    kf_model *functional = make_mlp(kf_graph_new());
    refuses(kf_sequential_add(functional, kf_dense(1)), KF_USAGE, "is no Sequential");
    kf_graph_free(kf_model_graph(functional));
    kf_graph_free(g);
    assert_int_not_equal(kf_model_error(kf_sequential_new(NULL)), KF_OK);
}

/* Printed, read, and printed again: the same text. */
static void assert_round_trip(const kf_model *m, const char *words) {
    char *text, *again;
    assert_ok(kf_model_to_json(m, &text));
    if (!strstr(text, words)) fail_msg("expected %s in %s", words, text);
    kf_graph *h = kf_graph_new();
    kf_model *n = kf_model_from_json(h, text);
    assert_int_equal(kf_model_layers(n), kf_model_layers(m));
    assert_ok(kf_model_to_json(n, &again));
    assert_string_equal(again, text);
    kf_free(text);
    kf_free(again);
    kf_graph_free(h);
}

static void saved(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_sequential_new(g);
    assert_ok(kf_sequential_add(m, kf_dense(3)));
    assert_round_trip(m, "\"config\": {\"name\": \"sequential_1\", \"layers\": [{\"class_name\": "
                         "\"Dense\", \"config\": {\"name\": \"dense_1\", \"trainable\": true, "
                         "\"units\": 3");
    const kf_shape shape = {2, {KF_ANY, 4}};
    assert_ok(kf_sequential_build(m, &shape));
    assert_good(m);
    assert_round_trip(m, "\"build_input_shape\": [null, 4]}");
    kf_model *known = kf_sequential_new(g, .input_shape = {4});
    assert_ok(kf_sequential_add(known, kf_dense(3)));
    assert_round_trip(known, "\"trainable\": true, \"batch_input_shape\": [null, 4]");
    assert_int_not_equal(kf_model_error(kf_sequential_new(g, .dtype = "text")), KF_OK);
    assert_says("dtype must be one of float32, int32; got 'text'");
    kf_graph_free(g);
}

/* The embedding alone would say (None, None), and Flatten could not be loaded. */
static void an_embedding_keeps_the_length_it_was_given(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_sequential_new(g, .input_shape = {5});
    assert_ok(kf_sequential_add(m, kf_embedding(7, 3)));
    assert_ok(kf_sequential_add(m, kf_flatten()));
    assert_ok(kf_sequential_add(m, kf_dense(2)));
    assert_round_trip(m, "\"batch_input_shape\": [null, 5], \"dtype\": \"float32\"");
    kf_graph_free(g);
}

static void clones(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new(), *h = kf_graph_new();
    kf_model *m = make_mlp(g), *same = kf_model_clone(g, m), *other = kf_model_clone(h, m);
    assert_good(same);
    assert_good(other);
    assert_layers(same, "input_1 dense_1 dense_2 dense_3");
    assert_string_equal(kf_model_name(other), "model_1");
    assert_int_equal(kf_model_parameters(other, NULL), 55050);
    assert_ptr_not_equal(kf_model_weight(same, 0), kf_model_weight(m, 0));
    kf_weight *mine = kf_model_weight(m, 0), *its = kf_model_weight(same, 0);
    assert_memory_not_equal(mine->data, its->data, 64 * sizeof(float));
    assert_int_not_equal(kf_model_error(kf_model_clone(NULL, m)), KF_OK);
    kf_graph_free(g);
    kf_graph_free(h);
}

static void clones_on_inputs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new(), *h = kf_graph_new();
    kf_tensor *a = kf_input(g, {3}, .name = "a"), *b = kf_input(g, {3}, .name = "b");
    kf_layer *shared = kf_dense(4, .name = "shared");
    kf_tensor *x = kf_apply(shared, a), *y = kf_apply(shared, b);
    kf_tensor *out = kf_apply(kf_subtract(.name = "out"), y, x);
    kf_layer_set_trainable(shared, false);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(out));
    kf_tensor *c = kf_input(h, {3}, .name = "c"), *d = kf_input(h, {3}, .name = "d");
    kf_model *n = kf_model_clone(h, m, .inputs = kf_list(c, d));
    assert_good(n);
    assert_layers(n, "d c shared out");
    assert_ptr_equal(kf_model_input(n, 0), c);
    assert_int_equal(kf_layer_nodes(kf_model_find_layer(n, "shared")), 2);
    assert_false(kf_layer_trainable(kf_model_find_layer(n, "shared")));
    assert_ptr_equal(kf_layer_input_at(kf_model_find_layer(n, "out"), 0)->node->in[0], d);
    kf_model *s = kf_sequential_new(g);
    assert_ok(kf_sequential_add(s, kf_dense(2, .name = "only")));
    kf_model *t = kf_model_clone(h, s, .inputs = kf_list(c));
    assert_good(t);
    assert_string_equal(kf_model_input_name(t, 0), "c");
    assert_layers(t, "only");
    kf_graph_free(g);
    kf_graph_free(h);
}

static void clone_refuses(const kf_model *m, kf_graph *g, kf_tensor *const *inputs,
                          const char *words) {
    const kf_clone_options options = {sizeof options, inputs};
    assert_int_not_equal(kf_model_error(kf_model_clone_with(g, m, &options)), KF_OK);
    assert_says(words);
}

static void clones_refuse_inputs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new(), *h = kf_graph_new();
    kf_model *m = make_mlp(g), *s = kf_sequential_new(g, .input_shape = {4});
    assert_ok(kf_sequential_add(s, kf_dense(2)));
    kf_tensor *a = kf_input(g, {784}), *b = kf_apply(kf_dense(784, .name = "before"), a);
    clone_refuses(m, g, kf_list(a, b), "model_1 has 1 inputs, but its clone was given 2");
    clone_refuses(m, g, kf_list(b), "inputs[0] was generated by layer before");
    clone_refuses(s, g, kf_list(a, b), "we expect at most one tensor");
    clone_refuses(s, g, kf_list(b), "other than an `InputLayer`");
    clone_refuses(m, h, kf_list(a), "is no tensor of the clone's graph");
    kf_graph_free(g);
    kf_graph_free(h);
}

/* What a layer says of its input comes back wherever it stands, as Keras writes it. */
static void inputs_are_kept(void **state) {
    (void)state;
    static const char functional[] =
        "{\"class_name\": \"Model\", \"config\": {\"name\": \"m\", \"layers\": [{\"name\": \"x\", "
        "\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 4], \"dtype\": "
        "\"float32\", \"sparse\": false, \"name\": \"x\"}, \"inbound_nodes\": []}, {\"name\": "
        "\"y\", "
        "\"class_name\": \"Flatten\", \"config\": {\"name\": \"y\", \"trainable\": true, "
        "\"batch_input_shape\": [null, 2, 2], \"dtype\": \"float64\", \"data_format\": "
        "\"channels_last\"}, \"inbound_nodes\": [[[\"r\", 0, 0, {}]]]}, {\"name\": \"r\", "
        "\"class_name\": \"Reshape\", \"config\": {\"name\": \"r\", \"trainable\": true, "
        "\"target_shape\": [2, 2]}, \"inbound_nodes\": [[[\"x\", 0, 0, {}]]]}], \"input_layers\": "
        "[[\"x\", 0, 0]], \"output_layers\": [[\"y\", 0, 0]]}}";
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_from_json(g, functional);
    assert_good(m);
    assert_round_trip(m,
                      "\"name\": \"y\", \"trainable\": true, \"batch_input_shape\": [null, 2, 2], "
                      "\"dtype\": \"float64\", \"data_format\": \"channels_last\"");
    kf_graph_free(g);
}

/* Whatever allocation fails, there is an error and no leak. */
static void any_allocation_fails(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_graph *g = kf_graph_new();
        kf_model *m = kf_sequential_new(g);
        kf_status status = kf_sequential_add(m, kf_dense(3));
        if (status == KF_OK) status = kf_sequential_add(m, kf_dense(2));
        if (status == KF_OK) status = kf_sequential_build(m, &(kf_shape){2, {KF_ANY, 4}});
        if (status == KF_OK) status = kf_sequential_pop(m);
        if (status == KF_OK) status = kf_model_error(kf_model_clone(g, m));
        kf_tensor *x = status == KF_OK ? kf_input(g, {4}) : NULL;
        if (x) status = kf_model_error(kf_model_clone(g, m, .inputs = kf_list(x)));
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        if (all) assert_ok(status);
        if (!all) assert_int_not_equal(status, KF_OK);
        kf_graph_free(g);
        if (all) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a Sequential grows layer by layer", grows),
        SENTENCE("pop takes the last layer away", shrinks),
        SENTENCE("layers wait for an input that the first call brings", waits),
        SENTENCE("a model or an input layer that comes first brings the input", learns_from_first),
        SENTENCE("a layer that fails spoils the model and says why", fails_once),
        SENTENCE("all forms come back from JSON", saved),
        SENTENCE("an embedding keeps the length it was given",
                 an_embedding_keeps_the_length_it_was_given),
        SENTENCE("a clone has weights of its own", clones),
        SENTENCE("a clone stands on the inputs it is given", clones_on_inputs),
        SENTENCE("wrong inputs of a clone are refused", clones_refuse_inputs),
        SENTENCE("a layer keeps what it says of its input", inputs_are_kept),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests_name("sequential", tests, NULL, NULL);
}
