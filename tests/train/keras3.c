/* kf_save(.dialect = "3"): what Keras 3's load_model wants of a .h5, and that it is read again. */
#include "tests/io/scratch.h"
#include "tests/train/support.h"

#include "core/train/files_keras3.h"
#include "io/json.h"
#include "io/keras_file.h"

static kfi_variant *parse(const char *text) {
    kfi_variant *value = NULL;
    ok(kfi_json_parse(text, strlen(text), "test", &value));
    return value;
}

/* Compares what was made of `given` and frees both. */
static void assert_says(kfi_variant *given, kfi_variant *made, const char *expected) {
    char *text = NULL;
    assert_non_null(made);
    ok(kfi_json_print(made, &text));
    assert_string_equal(text, expected);
    kfi_free(text);
    kfi_variant_free(made);
    kfi_variant_free(given);
}

static void note_warning(void *context, const char *message) {
    strcat(context, message);
    strcat(context, "; ");
}

static void model_says(const char *given, const char *expected, const char *warnings) {
    char warned[512] = "";
    kf_graph *graph = kf_graph_new();
    kf_graph_on_warning(graph, note_warning, warned);
    kfi_variant *value = parse(given);
    assert_says(value, kfi_keras3_model(value, graph), expected);
    assert_string_equal(warned, warnings);
    kf_graph_free(graph);
}

static void an_input_says_its_batch_shape(void **state) {
    (void)state;
    model_says(
        "{\"class_name\": \"Model\", \"config\": {\"name\": \"m\", \"layers\": [{\"name\": "
        "\"x\", \"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, "
        "4], \"dtype\": \"float32\"}, \"inbound_nodes\": []}], \"input_layers\": [[\"x\", 0, "
        "0]]}}",
        "{\"class_name\": \"Model\", \"config\": {\"name\": \"m\", \"layers\": [{\"name\": "
        "\"x\", \"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 4], "
        "\"dtype\": \"float32\"}, \"inbound_nodes\": []}], \"input_layers\": [[\"x\", 0, "
        "0]]}}",
        "");
}

static void a_sequential_has_its_input(void **state) {
    (void)state;
    model_says("{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": "
               "[{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"batch_input_shape\": "
               "[null, 4], \"dtype\": \"float32\", \"units\": 2}}]}}",
               "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": "
               "[{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 4], "
               "\"dtype\": \"float32\", \"sparse\": false, \"name\": \"d_input\"}}, "
               "{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", \"units\": 2}}]}}",
               "");
}

static void layers_inside_of_layers_name_their_module(void **state) {
    (void)state;
    model_says("{\"class_name\": \"Bidirectional\", \"config\": {\"layer\": {\"class_name\": "
               "\"RNN\", \"config\": {\"cell\": {\"class_name\": \"StackedRNNCells\", \"config\": "
               "{\"cells\": [{\"class_name\": \"GRUCell\", \"config\": {}}]}}}}}}",
               "{\"class_name\": \"Bidirectional\", \"config\": {\"layer\": {\"class_name\": "
               "\"RNN\", \"config\": {\"cell\": {\"class_name\": \"StackedRNNCells\", \"config\": "
               "{\"cells\": [{\"class_name\": \"GRUCell\", \"config\": {}, \"module\": "
               "\"keras.layers\", \"registered_name\": null}]}, \"module\": \"keras.layers\", "
               "\"registered_name\": null}}, \"module\": \"keras.layers\", \"registered_name\": "
               "null}}}",
               "");
    model_says("{\"class_name\": \"TimeDistributed\", \"config\": {\"layer\": {\"class_name\": "
               "\"Model\", \"config\": {\"name\": \"m\", \"layers\": []}}}}",
               "{\"class_name\": \"TimeDistributed\", \"config\": {\"layer\": {\"class_name\": "
               "\"Model\", \"config\": {\"name\": \"m\", \"layers\": []}, \"module\": \"keras\", "
               "\"registered_name\": null}}}",
               "");
}

static void arguments_and_layers_that_are_gone(void **state) {
    (void)state;
    model_says(
        "{\"class_name\": \"SpatialDropout2D\", \"config\": {\"name\": \"s\", \"trainable\": "
        "true, \"rate\": 0.5, \"noise_shape\": null, \"seed\": null}}",
        "{\"class_name\": \"SpatialDropout2D\", \"config\": {\"name\": \"s\", \"rate\": 0.5, "
        "\"seed\": null}}",
        "");
    model_says("{\"class_name\": \"Dense\", \"config\": {\"kernel_initializer\": {\"class_name\": "
               "\"VarianceScaling\", \"config\": {\"distribution\": \"normal\"}}}}",
               "{\"class_name\": \"Dense\", \"config\": {\"kernel_initializer\": {\"class_name\": "
               "\"VarianceScaling\", \"config\": {\"distribution\": \"truncated_normal\"}}}}",
               "");
    model_says("{\"class_name\": \"ThresholdedReLU\", \"config\": {}}",
               "{\"class_name\": \"ThresholdedReLU\", \"config\": {}}",
               "Keras 3 has no layer ThresholdedReLU: it will not load this model; ");
}

static void optimizer_says(const char *given, const char *expected, const char *warnings) {
    char warned[512] = "";
    kf_graph *graph = kf_graph_new();
    kf_graph_on_warning(graph, note_warning, warned);
    kfi_variant *value = parse(given);
    assert_says(value, kfi_keras3_optimizer(value, graph), expected);
    assert_string_equal(warned, warnings);
    kf_graph_free(graph);
}

static void optimizers(void **state) {
    (void)state;
    optimizer_says(
        "{\"class_name\": \"Adagrad\", \"config\": {\"lr\": 0.5, \"decay\": 0.0, "
        "\"epsilon\": 1e-07}}",
        "{\"class_name\": \"Adagrad\", \"config\": {\"learning_rate\": 0.5, \"epsilon\": "
        "1e-07, \"initial_accumulator_value\": 0.0}}",
        "");
    optimizer_says("{\"class_name\": \"SGD\", \"config\": {\"clipnorm\": 1.0, \"clipvalue\": 0.5, "
                   "\"lr\": 1.0, \"decay\": 0.25}}",
                   "{\"class_name\": \"SGD\", \"config\": {\"global_clipnorm\": 1.0, "
                   "\"learning_rate\": 1.0}}",
                   "Keras 3 clips by norm or by value: clipvalue is left out; Keras 3 has no decay "
                   "of the learning rate: it is left out; ");
    optimizer_says("{\"class_name\": \"Nadam\", \"config\": {\"lr\": 0.5, \"clipvalue\": 0.5, "
                   "\"schedule_decay\": 0.004}}",
                   "{\"class_name\": \"Nadam\", \"config\": {\"learning_rate\": 0.5, "
                   "\"clipvalue\": 0.5}}",
                   "");
}

static void losses_have_new_names(void **state) {
    (void)state;
    kfi_variant *one = parse("\"logcosh\"");
    assert_says(one, kfi_keras3_losses(one), "\"log_cosh\"");
    kfi_variant *list = parse("[\"kullback_leibler_divergence\", \"mse\", null]");
    assert_says(list, kfi_keras3_losses(list), "[\"kl_divergence\", \"mse\", null]");
    kfi_variant *dict = parse("{\"a\": \"cosine\"}");
    assert_says(dict, kfi_keras3_losses(dict), "{\"a\": \"cosine_similarity\"}");
}

/* a and b of one input. */
static kf_model *two_outputs(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {2}, .name = "x");
    kf_tensor *a = kf_apply(kf_dense(1, .name = "a"), x),
              *b = kf_apply(kf_dense(1, .name = "b"), x);
    return kf_model_new(.inputs = kf_list(x), .outputs = kf_list(a, b));
}

static void metrics_of_several_outputs_are_by_name(void **state) {
    (void)state;
    char warned[512] = "";
    kf_graph *graph = kf_graph_new();
    kf_graph_on_warning(graph, note_warning, warned);
    const kf_model *one = line_model(graph, 1), *two = two_outputs(graph);
    kfi_variant *list = parse("[\"acc\", \"logcosh\"]");
    assert_says(list, kfi_keras3_metrics(list, one), "[\"acc\", \"log_cosh\"]");
    list = parse("[\"acc\"]");
    assert_says(list, kfi_keras3_metrics(list, two), "{\"a\": [\"acc\"], \"b\": [\"acc\"]}");
    list = parse("[[\"acc\"], []]");
    assert_says(list, kfi_keras3_metrics(list, two), "{\"a\": [\"acc\"], \"b\": []}");
    assert_string_equal(warned, "");
    list = parse("{\"a\": [\"cosine\", \"mae\"]}");
    assert_says(list, kfi_keras3_metrics(list, two), "{\"a\": [\"mae\"]}");
    assert_string_equal(warned, "Keras 3 has no metric cosine: it is left out; ");
    kf_graph_free(graph);
}

/* --- files ------------------------------------------------------------------------------------ */

static const char *const all_optimizers[] = {"sgd(momentum=0.9, clipnorm=1.0)",
                                             "rmsprop",
                                             "adagrad",
                                             "adadelta",
                                             "adam",
                                             "adam(amsgrad=True)",
                                             "adamax",
                                             "nadam"};

static void train_some(kf_model *model, const char *optimizer) {
    float x[4][2] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}}, y[4] = {1, 0, 1, 0};
    const kf_array arrays[] = {{"x", x, KF_FLOAT32, {2, {4, 2}}},
                               {"a", y, KF_FLOAT32, {2, {4, 1}}},
                               {"b", y, KF_FLOAT32, {2, {4, 1}}}};
    if (optimizer)
        ok(kf_compile(model, .optimizer = kf_optimizer_named(optimizer), .loss = "logcosh",
                      .metrics = {"mae"}));
    for (int i = 0; i < 3; i++) ok(kf_train_on_batch(model, arrays, 3, NULL));
}

static void assert_same_weights(const kf_model *one, const kf_model *other) {
    assert_int_equal(kf_model_weights(one), kf_model_weights(other));
    for (int32_t i = 0; i < kf_model_weights(one); i++) {
        float a[4], b[4];
        const kf_shape shape = kf_weight_shape(kf_model_weight(one, i));
        const int64_t count = shape.dims[0] * (shape.rank > 1 ? shape.dims[1] : 1);
        ok(kf_weight_get(kf_model_weight(one, i), a, count));
        ok(kf_weight_get(kf_model_weight(other, i), b, count));
        assert_memory_equal(a, b, (size_t)count * sizeof(float));
    }
}

/* The two kernels have the same shape, so that a wrong order would not show itself by shapes. */
static void state_comes_back(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof all_optimizers / sizeof *all_optimizers; i++) {
        kf_graph *graph = kf_graph_new(), *other = kf_graph_new();
        kf_model *model = two_outputs(graph);
        train_some(model, all_optimizers[i]);
        ok(kf_save(model, scratch("three.h5"), .dialect = "3"));
        kf_model *loaded = kf_load(other, scratch("three.h5"));
        ok(kf_model_error(loaded));
        train_some(model, NULL);
        train_some(loaded, NULL);
        assert_same_weights(model, loaded);
        kf_graph_free(graph);
        kf_graph_free(other);
    }
}

static void state_is_in_the_order_of_keras_3(void **state) {
    (void)state;
    static const char *const names[] = {"adam/iteration",           "adam/learning_rate",
                                        "adam/0_a_kernel_momentum", "adam/0_a_kernel_velocity",
                                        "adam/1_a_bias_momentum",   "adam/1_a_bias_velocity",
                                        "adam/2_b_kernel_momentum"};
    kf_graph *graph = kf_graph_new();
    kf_model *model = two_outputs(graph);
    train_some(model, "adam");
    ok(kf_save(model, scratch("three.h5"), .dialect = "3"));
    kfi_keras_file *file = NULL;
    ok(kfi_keras_open(scratch("three.h5"), &file));
    assert_int_equal(file->optimizer.n_weights, 2 + 2 * 4);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(file->optimizer.weights[i].name, names[i]);
    int64_t iterations = 0;
    ok(kfi_keras_read_weight(file, &file->optimizer.weights[0], KF_INT64, &iterations));
    assert_int_equal(iterations, 3);
    kfi_keras_close(file);
    kf_graph_free(graph);
}

static void other_dialects_are_refused(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    refuses(kf_save(line_model(graph, 1), "x.h5", .dialect = "1"), KF_USAGE,
            "dialect must be one of 2.2, 3; got '1'");
    kf_graph_free(graph);
}

static void any_allocation_fails(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = two_outputs(graph);
    train_some(model, "adam");
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        const kf_status status = kf_save(model, scratch("three.h5"), .dialect = "3");
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_true(status == KF_OK || status == KF_MEMORY);
        if (all) break; /* what is only for tidiness may be missed: leftovers of others */
    }
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an input says its batch_shape", an_input_says_its_batch_shape),
        SENTENCE("a Sequential has its input", a_sequential_has_its_input),
        SENTENCE("layers inside of layers name their module",
                 layers_inside_of_layers_name_their_module),
        SENTENCE("arguments and layers that are gone", arguments_and_layers_that_are_gone),
        SENTENCE("optimizers have their new options", optimizers),
        SENTENCE("losses have new names", losses_have_new_names),
        SENTENCE("metrics of several outputs are by name", metrics_of_several_outputs_are_by_name),
        SENTENCE("the optimizer's state comes back", state_comes_back),
        SENTENCE("the optimizer's state is in the order of Keras 3",
                 state_is_in_the_order_of_keras_3),
        SENTENCE("other dialects are refused", other_dialects_are_refused),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
