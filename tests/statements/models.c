/* Statements about models: what they are, what may be done with them, how data is named. */
#include "tests/statements/support.h"

static kf_model *make_mlp(kf_graph *g) {
    kf_tensor *in = kf_input(g, {784});
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), in);
    x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *out = kf_apply(kf_dense(10, .activation = "softmax"), x);
    return kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
}

static void s01_layers_are_callable(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_apply(kf_dense(64), kf_input(g, {784}));
    has_shape(x, "(None, 64)");
    has_shape(kf_apply(kf_concatenate(), x, kf_input(g, {3})), "(None, 67)");
    kf_graph_free(g);
}

/* a Sequential and a functional model of the same weights learn the same. */
static void s02_a_model_trains_like_a_sequential(void **state) {
    (void)state;
    enum { N = 8 };
    float x[N * 4], y[N], loss[2][3];
    fill(x, N * 4, 1), fill(y, N, 2);
    for (int which = 0; which < 2; which++) {
        kf_graph *g = kf_graph_new(.seed = 7);
        kf_model *m = kf_sequential_new(g, .input_shape = {4});
        if (which == 0) {
            ok(kf_sequential_add(m, kf_dense(3, .activation = "tanh")));
            ok(kf_sequential_add(m, kf_dense(1)));
        } else {
            kf_tensor *in = kf_input(g, {4}), *h = kf_apply(kf_dense(3, .activation = "tanh"), in);
            m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(kf_apply(kf_dense(1), h)));
        }
        ok(kf_compile(m, .optimizer = kf_sgd(0.1f), .loss = "mse"));
        for (int i = 0; i < 3; i++) {
            double value;
            const kf_array data[] = {ROWS(NULL, x, N, 4), ROWS(NULL, y, N, 1)};
            ok(kf_train_on_batch(m, data, 2, &value));
            loss[which][i] = (float)value;
        }
        kf_graph_free(g);
    }
    assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
    assert_true(loss[0][2] < loss[0][0]);
}

static void s03_models_are_callable(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    kf_tensor *x = kf_input(g, {784}), *y = kf_apply(kf_model_layer(m), x);
    has_shape(y, "(None, 10)");
    kf_model *outer = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_model_error(outer));
    assert_int_equal(kf_model_parameters(outer, NULL), 55050);
    assert_ptr_equal(kf_model_weight(outer, 0), kf_model_weight(m, 0));
    assert_ptr_equal(kf_layer_output_at(kf_model_layer(m), 1), y); /* node 0 is its own */
    assert_ptr_equal(kf_layer_output_at(kf_model_layer(m), 0), kf_model_output(m, 0));
    assert_null(kf_layer_output(kf_model_layer(m)));
    kf_graph_free(g);
}

static void s04_time_distributed_model(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *frames = kf_input(g, {20, 784});
    kf_tensor *y = kf_apply(kf_time_distributed(kf_model_layer(make_mlp(g))), frames);
    has_shape(y, "(None, 20, 10)");
    kf_model *m = kf_model_new(.inputs = kf_list(frames), .outputs = kf_list(y));
    ok(kf_model_error(m));
    assert_int_equal(kf_model_parameters(m, NULL), 55050);
    kf_graph_free(g);
}

/* The headline: main_input and aux_input, main_output and aux_output. */
static kf_model *make_headline(kf_graph *g) {
    kf_tensor *in = kf_input(g, {6}, .dtype = "int32", .name = "main_input");
    kf_tensor *x = kf_apply(kf_embedding(20, 8, .input_length = 6), in);
    x = kf_apply(kf_lstm(5), x);
    kf_tensor *aux_out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "aux_output"), x);
    kf_tensor *aux_in = kf_input(g, {5}, .name = "aux_input");
    x = kf_apply(kf_concatenate(), x, aux_in);
    for (int i = 0; i < 3; i++) x = kf_apply(kf_dense(7, .activation = "relu"), x);
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "main_output"), x);
    return kf_model_new(.inputs = kf_list(in, aux_in), .outputs = kf_list(out, aux_out));
}

enum { HEADLINE_ROWS = 4 };
static int32_t headline_ids[HEADLINE_ROWS * 6];
static float headline_aux[HEADLINE_ROWS * 5], headline_y[HEADLINE_ROWS];

static void make_headline_data(void) {
    for (int i = 0; i < HEADLINE_ROWS * 6; i++) headline_ids[i] = i % 20;
    for (int i = 0; i < HEADLINE_ROWS; i++) headline_y[i] = (float)(i % 2);
    fill(headline_aux, HEADLINE_ROWS * 5, 3);
}

/* Once by position, once by name in another order. */
static double train_headline(bool by_name) {
    kf_graph *g = kf_graph_new();
    kf_model *m = make_headline(g);
    ok(kf_model_error(m));
    if (by_name)
        ok(kf_compile(
            m, .optimizer = kf_rmsprop(0.01f),
            .outputs = {
                {.output = "aux_output", .loss = "binary_crossentropy", .loss_weight = 0.2f},
                {.output = "main_output", .loss = "binary_crossentropy"}}));
    else
        ok(kf_compile(m, .optimizer = kf_rmsprop(0.01f), .loss = "binary_crossentropy",
                      .loss_weights = {1, 0.2f}));
    const kf_array ids = {.name = by_name ? "main_input" : NULL,
                          .data = headline_ids,
                          .dtype = KF_INT32,
                          .shape = {2, {HEADLINE_ROWS, 6}}};
    const kf_array aux = ROWS(by_name ? "aux_input" : NULL, headline_aux, HEADLINE_ROWS, 5);
    const kf_array out = ROWS(by_name ? "main_output" : NULL, headline_y, HEADLINE_ROWS, 1);
    const kf_array aux_out = ROWS(by_name ? "aux_output" : NULL, headline_y, HEADLINE_ROWS, 1);
    const kf_array listed[] = {ids, aux, out, aux_out}, named[] = {aux_out, out, aux, ids};
    double values[8] = {0};
    ok(kf_train_on_batch(m, by_name ? named : listed, 4, values));
    ok(kf_train_on_batch(m, by_name ? named : listed, 4, values));
    assert_string_equal(kf_metrics_name(m, 1), "main_output_loss");
    assert_true(values[0] > 0);
    assert_float_equal(values[0], values[1] + 0.2 * values[2], 1e-6);
    kf_graph_free(g);
    return values[0];
}

static void s06_loss_weights_by_list_or_name(void **state) {
    (void)state;
    make_headline_data();
    kf_graph *g = kf_graph_new();
    kf_model *m = make_headline(g);
    assert_int_not_equal(kf_compile(m, .outputs = {{.output = "no_output", .loss = "mse"}}), KF_OK);
    says_of("Unknown entry in loss dictionary: \"no_output\"");
    kf_graph_free(g);
    train_headline(false);
}

static void s07_names_do_what_positions_do(void **state) {
    (void)state;
    make_headline_data();
    assert_true(train_headline(true) == train_headline(false));
}

static void s08_lists_follow_the_model(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_headline(g);
    assert_string_equal(kf_model_input_name(m, 0), "main_input");
    assert_string_equal(kf_model_input_name(m, 1), "aux_input");
    assert_string_equal(kf_model_output_name(m, 0), "main_output");
    assert_string_equal(kf_model_output_name(m, 1), "aux_output");
    kf_graph_free(g);
}

/* 5 x 5, 3 x 3 and pooled towers over the same image. */
static kf_tensor *inception(kf_graph *g, int64_t axis) {
    kf_tensor *image = kf_input(g, {256, 256, 3});
    kf_tensor *a = kf_apply(kf_conv2d(64, {1, 1}, .padding = "same"), image);
    a = kf_apply(kf_conv2d(64, {3, 3}, .padding = "same"), a);
    kf_tensor *b = kf_apply(kf_conv2d(64, {1, 1}, .padding = "same"), image);
    b = kf_apply(kf_conv2d(64, {5, 5}, .padding = "same"), b);
    kf_tensor *c = kf_apply(
        kf_max_pooling2d(.pool_size = {3, 3}, .strides = {1, 1}, .padding = "same"), image);
    c = kf_apply(kf_conv2d(64, {1, 1}, .padding = "same"), c);
    kf_tensor *out = kf_apply(kf_concatenate(.axis = axis), a, b, c);
    assert_int_equal(
        kf_model_parameters(kf_model_new(.inputs = kf_list(image), .outputs = kf_list(out)), NULL),
        140160);
    return out;
}

static void s16_inception_on_both_axes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    has_shape(inception(g, 1), "(None, 768, 256, 64)");
    has_shape(inception(g, 3), "(None, 256, 256, 192)");
    kf_graph_free(g);
}

static void s17_residual_connection(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {256, 256, 3});
    kf_tensor *y = kf_apply(kf_conv2d(3, {3, 3}, .padding = "same"), x);
    kf_tensor *z = kf_apply(kf_add(), x, y);
    has_shape(z, "(None, 256, 256, 3)");
    kf_model *m = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(z));
    assert_int_equal(kf_model_parameters(m, NULL), 84);
    kf_graph_free(g);
}

static kf_model *make_digits(kf_graph *g) {
    kf_tensor *digit = kf_input(g, {27, 27, 1});
    kf_tensor *x = kf_apply(kf_conv2d(64, {3, 3}), digit);
    x = kf_apply(kf_conv2d(64, {3, 3}), x);
    x = kf_apply(kf_flatten(), kf_apply(kf_max_pooling2d(.pool_size = {2, 2}), x));
    return kf_model_new(.inputs = kf_list(digit), .outputs = kf_list(x));
}

static void s18_shared_vision_model(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *vision = kf_model_layer(make_digits(g));
    kf_tensor *a = kf_input(g, {27, 27, 1}), *b = kf_input(g, {27, 27, 1});
    kf_tensor *both = kf_apply(kf_concatenate(), kf_apply(vision, a), kf_apply(vision, b));
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid"), both);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(out));
    ok(kf_model_error(m));
    assert_int_equal(kf_layer_parameters(vision), 37568);
    assert_int_equal(kf_model_parameters(m, NULL), 53057);
    kf_graph_free(g);
}

static void s20_question_encoder_from_the_inside(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *question = kf_input(g, {10}, .dtype = "int32");
    kf_tensor *encoded = kf_apply(kf_lstm(8), kf_apply(kf_embedding(50, 6), question));
    kf_tensor *answer = kf_apply(kf_dense(4, .activation = "softmax"), encoded);
    kf_model *first = kf_model_new(.inputs = kf_list(question), .outputs = kf_list(answer));
    kf_model *encoder = kf_model_new(.inputs = kf_list(question), .outputs = kf_list(encoded));
    kf_tensor *other = kf_input(g, {10}, .dtype = "int32");
    kf_tensor *again = kf_apply(kf_model_layer(encoder), other);
    kf_model *second = kf_model_new(.inputs = kf_list(other), .outputs = kf_list(again));
    ok(kf_model_error(second));
    assert_ptr_equal(kf_model_weight(second, 0), kf_model_weight(first, 0));
    kf_graph_free(g);
}

static void s21_an_output_may_stand_twice(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a1 = kf_input(g, {2}), *a2 = kf_input(g, {2});
    kf_tensor *b1 = kf_apply(kf_dense(1), a1), *b3 = kf_apply(kf_dense(1), a2);
    kf_model *m = kf_model_new(.inputs = kf_list(a1, a2), .outputs = kf_list(b1, b3, b3));
    ok(kf_model_error(m));
    assert_int_equal(kf_model_outputs(m), 3);
    assert_string_equal(kf_model_output_name(m, 1), "dense_2");
    assert_string_equal(kf_model_output_name(m, 2), "dense_2");
    kf_graph_free(g);
}

static void s22_layers_inputs_outputs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    assert_int_equal(kf_model_layers(m), 4);
    assert_int_equal(kf_model_inputs(m), 1);
    assert_ptr_equal(kf_model_output(m, 0), kf_layer_output(kf_model_layer_at(m, 3)));
    kf_graph_free(g);
}

static void s51_get_layer(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    kf_layer *first = kf_model_layer_at(m, 1), *last = kf_model_layer_at(m, 3);
    assert_ptr_equal(kf_model_get_layer(m, "dense_1", KF_NO_INDEX), first);
    assert_ptr_equal(kf_model_get_layer(m, "dense_1", 3), last); /* the index wins */
    assert_ptr_equal(kf_model_get_layer(m, NULL, -1), last);
    assert_null(kf_model_get_layer(m, "zz", KF_NO_INDEX));
    says("No such layer: zz");
    assert_null(kf_model_get_layer(m, NULL, 9));
    says("Was asked to retrieve layer at index 9 but model only has 4 layers.");
    assert_null(kf_model_get_layer(m, NULL, KF_NO_INDEX));
    says("Provide either a layer name or layer index.");
    kf_graph_free(g);
}

static void weights_by_name(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    kf_layer *dense = kf_model_get_layer(m, "dense_3", KF_NO_INDEX);
    kf_weight *bias = kf_model_find_weight(m, "dense_3/bias:0");
    assert_non_null(bias);
    assert_ptr_equal(kf_layer_find_weight(dense, "bias"), bias);
    assert_null(kf_layer_find_weight(dense, "gamma"));
    says("dense_3 has no weight 'gamma'");
    float kernel[64 * 10], ten[10], got[10];
    fill(kernel, 640, 4), fill(ten, 10, 5);
    const kf_array values[] = {ROWS(NULL, kernel, 64, 10), ROWS(NULL, ten, 10)};
    ok(kf_layer_set_weights(dense, values, 2));
    ok(kf_weight_get(bias, got, 10));
    assert_memory_equal(got, ten, sizeof got);
    assert_int_equal(kf_layer_set_weights(dense, values, 1), KF_USAGE);
    says("You called `set_weights(weights)` on layer \"dense_3\" with a  weight list of length 1, "
         "but the layer was expecting 2 weights.");
    const kf_array swapped[] = {values[1], values[0]};
    assert_int_equal(kf_layer_set_weights(dense, swapped, 2), KF_USAGE);
    says("Layer weight shape (64, 10) not compatible with provided weight shape (10,)");
    kf_graph_free(g);
}

static void s52_calling_a_layer_is_a_function(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_layer_named("Dense", "64, activation='relu'");
    has_shape(kf_apply_list(dense, (kf_tensor *const[]){kf_input(g, {8})}, 1), "(None, 64)");
    kf_graph_free(g);
}

static void s53_weights_come_with_the_call(void **state) {
    (void)state;
    kf_layer *never = kf_dense(3, .name = "never");
    assert_int_equal(kf_layer_parameters(never), -1);
    says(
        "You tried to call `count_params` on never, but the layer isn't built. You can build it by "
        "applying it to a tensor.");
    kf_layer_free(never);
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_dense(3);
    assert_int_equal(kf_layer_weights(dense), 0);
    kf_apply(dense, kf_input(g, {8}));
    assert_int_equal(kf_layer_weights(dense), 2);
    kf_graph_free(g);
}

static void s54_merge_modes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {3}), *b = kf_input(g, {3});
    static const struct {
        const char *mode, *shape;
    } modes[] = {{"sum", "(None, 3)"}, {"mul", "(None, 3)"}, {"concat", "(None, 6)"},
                 {"ave", "(None, 3)"}, {"max", "(None, 3)"}, {"dot", "(None, 1)"},
                 {"cos", "(None, 1)"}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        has_shape(kf_apply(kf_merge(modes[i].mode), a, b), modes[i].shape);
    ok(kf_graph_error(g));
    kf_graph_free(g);
}

static void s55_keras_1_words_are_read(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_from_json(
        g, "{\"class_name\": \"Model\", \"config\": {\"name\": \"m\", \"layers\": ["
           "{\"class_name\": \"InputLayer\", \"name\": \"a\", \"inbound_nodes\": [], \"config\": "
           "{\"name\": \"a\", \"batch_input_shape\": [null, 4], \"input_dtype\": \"float32\"}},"
           "{\"class_name\": \"Dense\", \"name\": \"b\", \"inbound_nodes\": [[[\"a\", 0, 0]]], "
           "\"config\": {\"name\": \"b\", \"output_dim\": 3, \"init\": \"uniform\", \"bias\": "
           "false}}],"
           "\"input_layers\": [[\"a\", 0, 0]], \"output_layers\": [[\"b\", 0, 0]]}}");
    ok(kf_model_error(m));
    assert_int_equal(kf_model_parameters(m, NULL), 12);
    kf_graph_free(g);
}

static void s56_one_model_may_have_many_outputs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {2}), *b = kf_input(g, {3});
    kf_tensor *x = kf_apply(kf_dense(1), a), *y = kf_apply(kf_dense(2), b);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(x, y));
    ok(kf_model_error(m));
    assert_int_equal(kf_model_inputs(m), 2);
    assert_int_equal(kf_model_outputs(m), 2);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("s01 a layer is called on tensors and returns one", s01_layers_are_callable),
        SENTENCE("s02 a model trains like a Sequential", s02_a_model_trains_like_a_sequential),
        SENTENCE("s03 a model is called like a layer, with its weights", s03_models_are_callable),
        SENTENCE("s04 TimeDistributed(model) in one line", s04_time_distributed_model),
        SENTENCE("s06 loss weights by list or by name", s06_loss_weights_by_list_or_name),
        SENTENCE("s07 inputs and outputs by name", s07_names_do_what_positions_do),
        SENTENCE("s08 data as lists in the model's order", s08_lists_follow_the_model),
        SENTENCE("s16 inception along axis 1 and axis 3", s16_inception_on_both_axes),
        SENTENCE("s17 add([x, y]) is x + y", s17_residual_connection),
        SENTENCE("s18 a shared vision model", s18_shared_vision_model),
        SENTENCE("s20 a model built from the inside of another",
                 s20_question_encoder_from_the_inside),
        SENTENCE("s21 Model([a1, a2], [b1, b3, b3])", s21_an_output_may_stand_twice),
        SENTENCE("s22 layers, inputs, outputs", s22_layers_inputs_outputs),
        SENTENCE("s51 get_layer by name and index", s51_get_layer),
        SENTENCE("weights are found and set by name", weights_by_name),
        SENTENCE("s52 a layer is called as a function is", s52_calling_a_layer_is_a_function),
        SENTENCE("s53 weights come with the first call", s53_weights_come_with_the_call),
        SENTENCE("s54 the old merge modes", s54_merge_modes),
        SENTENCE("s55 Keras 1's words are read", s55_keras_1_words_are_read),
        SENTENCE("s56 one model may have many outputs", s56_one_model_may_have_many_outputs),
    };
    return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
