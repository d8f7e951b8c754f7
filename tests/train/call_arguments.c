/* Keras's keyword arguments of a call, training= and mask=: what they do, and that files keep them;
 * and a user's function, from a file to training. */
#include "tests/train/support.h"

#include <unistd.h>

enum { ROWS = 4, WIDTH = 32, STEPS = 3, MOST = ROWS * WIDTH };

/* All outputs of the model's first output for one batch, by position. */
static void predict(kf_model *model, const kf_array *arrays, int32_t n_arrays, float *out) {
    ok(kf_predict_on_batch(model, arrays, n_arrays, (float *const[]){out}));
}

/* The same model from its own JSON, in a graph of its own. */
static kf_model *reread(const kf_model *model) {
    char *json;
    ok(kf_model_to_json(model, &json));
    kf_graph *graph = kf_graph_new();
    kf_model *again = kf_model_from_json(graph, json);
    kf_free(json);
    ok(kf_model_error(again));
    return again;
}

static int zeros_of(const float *values, int n) {
    int zeros = 0;
    for (int i = 0; i < n; i++) zeros += values[i] == 0;
    return zeros;
}

static void fill(float *values, int n) {
    for (int i = 0; i < n; i++) values[i] = 1 + (float)(i % 7);
}

/* --- training= -------------------------------------------------------------------------------- */

static kf_model *dropping(kf_graph *graph, kf_training training) {
    kf_tensor *in = kf_input(graph, {WIDTH});
    kf_tensor *out = kf_call(kf_dropout(0.5f), kf_list(in), .training = training);
    return kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
}

static void always_drops(void **state) {
    (void)state;
    static float x[MOST], first[MOST], second[MOST];
    fill(x, MOST);
    kf_graph *graph = kf_graph_new();
    kf_model *model = dropping(graph, KF_TRAINING_ON);
    for (int i = 0; i < 2; i++) {
        const kf_array batch = ARRAY(NULL, x, ROWS, WIDTH);
        predict(model, &batch, 1, first);
        predict(model, &batch, 1, second);
        assert_in_range(zeros_of(first, MOST), MOST / 4, 3 * MOST / 4);
        assert_memory_not_equal(first, second, sizeof first); /* another mask for each batch */
        if (i == 0) model = reread(model);
    }
    kf_graph_free(kf_model_graph(model));
    kf_graph_free(graph);
}

static void never_drops(void **state) {
    (void)state;
    static float x[MOST], y[MOST];
    fill(x, MOST);
    kf_graph *graph = kf_graph_new();
    kf_model *model = dropping(graph, KF_TRAINING_OFF);
    ok(kf_compile(model, .loss = "mse", .optimizer = kf_sgd(0.1f)));
    const kf_array batch = ARRAY(NULL, x, ROWS, WIDTH);
    ok(kf_forward_on_batch(model, &batch, 1, (float *const[]){y}));
    assert_memory_equal(x, y, sizeof x);
    kf_graph_free(graph);
}

/* BatchNormalization of one column: by the batch (1, 3), or by what it has seen, which is 0, 1. */
static void normalizes(kf_training training, bool by_batch) {
    kf_graph *graph = kf_graph_new();
    kf_tensor *in = kf_input(graph, {1});
    kf_layer *layer = kf_batch_normalization();
    kf_tensor *out = kf_call(layer, kf_list(in), .training = training);
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    ok(kf_compile(model, .loss = "mse", .optimizer = kf_sgd(0.1f)));
    const float x[] = {1, 3};
    float y[2], mean;
    predict(model, &ARRAY(NULL, x, 2, 1), 1, y);
    const double expected = by_batch ? -1 / sqrt(1.001) : 1 / sqrt(1.001);
    near((double)y[0], expected);
    ok(kf_weight_get(kf_layer_find_weight(layer, "moving_mean"), &mean, 1));
    assert_true(mean == 0); /* a prediction moves nothing */
    double values[8];
    ok(kf_train_on_batch(model, (kf_array[]){ARRAY(NULL, x, 2, 1), ARRAY(NULL, x, 2, 1)}, 2,
                         values));
    ok(kf_weight_get(kf_layer_find_weight(layer, "moving_mean"), &mean, 1));
    assert_true((mean != 0) == (training != KF_TRAINING_OFF));
    kf_graph_free(graph);
}

static void batch_statistics(void **state) {
    (void)state;
    normalizes(KF_TRAINING_AS_RUN, false);
    normalizes(KF_TRAINING_ON, true);
    normalizes(KF_TRAINING_OFF, false);
}

/* The call of a model holds for the layers inside, but for those that were told themselves. */
static void nested_models(void **state) {
    (void)state;
    static float x[MOST], y[MOST];
    fill(x, MOST);
    for (int told = 0; told < 2; told++) {
        kf_graph *graph = kf_graph_new();
        kf_model *inside = dropping(graph, told ? KF_TRAINING_OFF : KF_TRAINING_AS_RUN);
        kf_tensor *in = kf_input(graph, {WIDTH});
        kf_tensor *out = kf_call(kf_model_layer(inside), kf_list(in), .training = KF_TRAINING_ON);
        kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
        kf_model *again = reread(model);
        predict(model, &ARRAY(NULL, x, ROWS, WIDTH), 1, y);
        assert_int_equal(zeros_of(y, MOST) > 0, !told);
        predict(again, &ARRAY(NULL, x, ROWS, WIDTH), 1, y);
        assert_int_equal(zeros_of(y, MOST) > 0, !told);
        kf_graph_free(kf_model_graph(again));
        kf_graph_free(graph);
    }
}

/* --- mask= ------------------------------------------------------------------------------------ */

/* The sum over the steps that count, by a SimpleRNN of ones. */
static kf_layer *adding(void) {
    return kf_simple_rnn(1, .activation = "linear", .no_bias = true, .kernel_initializer = "ones",
                         .recurrent_initializer = "ones");
}

static void masks_are_given(void **state) {
    (void)state;
    const float x[] = {1, 2, 4, 8, 16, 32};
    const int32_t counts[] = {1, 0, 7, 0, 1, 0}; /* anything but 0 counts */
    float y[2];
    kf_graph *graph = kf_graph_new();
    kf_tensor *in = kf_input(graph, {STEPS, 1}, .name = "x");
    kf_tensor *mask = kf_input(graph, {STEPS}, .name = "mask", .dtype = "int32");
    kf_tensor *out = kf_call(adding(), kf_list(in), .mask = mask);
    kf_model *model = kf_model_new(.inputs = kf_list(in, mask), .outputs = kf_list(out));
    kf_model *again = reread(model);
    kf_model *const both[] = {model, again};
    for (int i = 0; i < 2; i++) {
        predict(both[i], (kf_array[]){ARRAY(NULL, x, 2, STEPS, 1), LABELS(NULL, counts, 2, STEPS)},
                2, y);
        near((double)y[0], 5);
        near((double)y[1], 16);
    }
    char *json;
    ok(kf_model_to_json(model, &json));
    assert_non_null(strstr(json, "[[[\"x\", 0, 0, {\"mask\": [\"mask\", 0, 0]}]]]"));
    kf_free(json);
    kf_graph_free(kf_model_graph(again));
    kf_graph_free(graph);
}

/* mask=None: the mask that Masking makes is not used, but goes on. */
static void no_mask(void **state) {
    (void)state;
    const float x[] = {1, 0, 4};
    float y[STEPS];
    kf_graph *graph = kf_graph_new();
    kf_tensor *in = kf_input(graph, {STEPS, 1});
    kf_layer *layer = kf_simple_rnn(1, .activation = "linear", .kernel_initializer = "ones",
                                    .recurrent_initializer = "zeros", .return_sequences = true);
    kf_tensor *out = kf_call(layer, kf_list(kf_apply(kf_masking(), in)), .no_mask = true);
    assert_true(kf_tensor_mask(out, NULL));
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    kf_model *again = reread(model);
    predict(again, &ARRAY(NULL, x, 1, STEPS, 1), 1, y);
    near((double)y[1], 0); /* with the mask the step before would be repeated */
    near((double)y[2], 4);
    kf_graph_free(kf_model_graph(again));
    kf_graph_free(graph);
}

static void masks_through_wrappers(void **state) {
    (void)state;
    const float x[] = {1, 2, 4}, mask[] = {1, 0, 1};
    float y[2];
    kf_graph *graph = kf_graph_new();
    kf_tensor *in = kf_input(graph, {STEPS, 1}), *counts = kf_input(graph, {STEPS});
    kf_tensor *both = kf_call(kf_bidirectional(adding()), kf_list(in), .mask = counts);
    kf_model *model = kf_model_new(.inputs = kf_list(in, counts), .outputs = kf_list(both));
    const kf_array arrays[] = {ARRAY(NULL, x, 1, STEPS, 1), ARRAY(NULL, mask, 1, STEPS)};
    ok(kf_model_error(model));
    predict(model, arrays, 2, y);
    near((double)y[0], 5);
    near((double)y[1], 5);
    kf_tensor *mean = kf_call(kf_global_average_pooling1d(), kf_list(in), .mask = counts);
    model = kf_model_new(.inputs = kf_list(in, counts), .outputs = kf_list(mean));
    predict(model, arrays, 2, y);
    near((double)y[0], 2.5);

    kf_tensor *rows = kf_input(graph, {1, STEPS, 1}), *row_mask = kf_input(graph, {1, STEPS});
    kf_tensor *sums = kf_call(kf_time_distributed(adding()), kf_list(rows), .mask = row_mask);
    model = kf_model_new(.inputs = kf_list(rows, row_mask), .outputs = kf_list(sums));
    predict(model, (kf_array[]){ARRAY(NULL, x, 1, 1, STEPS, 1), ARRAY(NULL, mask, 1, 1, STEPS)}, 2,
            y);
    near((double)y[0], 5);
    kf_graph_free(graph);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refuses_call(kf_graph *graph, const kf_tensor *made, const char *words) {
    assert_non_null(made);
    assert_int_not_equal(kf_graph_error(graph), KF_OK);
    says(words);
    kf_graph_free(graph);
}

static void refusals(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    refuses_call(g, kf_call(kf_dense(1), kf_list(kf_input(g, {2})), .training = KF_TRAINING_ON),
                 "dense_1: call() got an unexpected keyword argument 'training'");
    g = kf_graph_new();
    kf_tensor *in = kf_input(g, {2});
    refuses_call(g, kf_call(kf_dropout(0.5f), kf_list(in), .mask = in),
                 "dropout_1: call() got an unexpected keyword argument 'mask'");
    g = kf_graph_new();
    in = kf_input(g, {2, 3});
    refuses_call(g, kf_call(kf_lstm(1), kf_list(in), .mask = in, .no_mask = true),
                 "mask and no_mask exclude each other");
    g = kf_graph_new();
    in = kf_input(g, {2, 3});
    refuses_call(g, kf_call(kf_lstm(1), kf_list(in), .mask = in),
                 "lstm_1: a mask must have shape (batch, time), got (None, 2, 3)");
    g = kf_graph_new();
    in = kf_input(g, {2, 3});
    refuses_call(g, kf_call(kf_lstm(1), kf_list(in), .training = (kf_training)7),
                 "training must be");
}

static const char *const file =
    "{\"class_name\": \"Model\", \"config\": {\"name\": \"m\", \"layers\": ["
    "{\"name\": \"in\", \"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, "
    "4], \"dtype\": \"float32\", \"name\": \"in\"}, \"inbound_nodes\": []},"
    "{\"name\": \"last\", \"class_name\": \"%s\", \"config\": {\"name\": \"last\", %s}, "
    "\"inbound_nodes\": [[[\"in\", 0, 0, {%s}]]]}],"
    "\"input_layers\": [[\"in\", 0, 0]], \"output_layers\": [[\"last\", 0, 0]]}}";

static void from_file(const char *class, const char *config, const char *arguments,
                      const char *words) {
    char text[1024];
    snprintf(text, sizeof text, file, class, config, arguments);
    kf_graph *graph = kf_graph_new();
    kf_model *model = kf_model_from_json(graph, text);
    if (words) {
        assert_int_not_equal(kf_model_error(model), KF_OK);
        says(words);
    } else {
        ok(kf_model_error(model));
    }
    kf_graph_free(graph);
}

static void files_of_others(void **state) {
    (void)state;
    from_file("Dropout", "\"rate\": 0.5", "\"training\": true", NULL);
    from_file("Dropout", "\"rate\": 0.5", "\"training\": null", NULL);
    from_file("Dropout", "\"rate\": 0.5", "\"training\": \"yes\"",
              "last: 'training' must be true, false or null; got a string");
    from_file("Dense", "\"units\": 1", "\"training\": false", NULL); /* means nothing there */
    from_file("Dense", "\"units\": 1", "\"training\": true",
              "last: call() got an unexpected keyword argument 'training'");
    from_file("Dense", "\"units\": 1", "\"mask\": null", NULL);
    from_file("Dense", "\"units\": 1", "\"mask\": [\"in\", 0, 0]",
              "last: call() got an unexpected keyword argument 'mask'");
    from_file("Dense", "\"units\": 1", "\"mask\": [\"nobody\", 0, 0]",
              "which the model does not have");
    from_file("Dense", "\"units\": 1", "\"mask\": [[\"in\", 0, 0], [\"in\", 0, 0]]",
              "last: 'mask' must be one tensor; got 2");
    from_file("Dense", "\"units\": 1", "\"scale\": 2",
              "last: calls with the argument 'scale' are not supported");
}

/* --- any allocation --------------------------------------------------------------------------- */

static bool makes_calls(void) {
    kf_graph *graph = kf_graph_new();
    if (!graph) return false;
    kf_tensor *in = kf_input(graph, {STEPS, 2}), *mask = kf_input(graph, {STEPS});
    kf_tensor *out = kf_call(kf_lstm(2), kf_list(in), .mask = mask, .training = KF_TRAINING_ON);
    kf_model *model = kf_model_new(.inputs = kf_list(in, mask), .outputs = kf_list(out));
    char *json = NULL;
    const bool made = kf_model_error(model) == KF_OK && kf_model_to_json(model, &json) == KF_OK;
    kf_free(json);
    kf_graph_free(graph);
    return made;
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    bool made = false;
    for (int64_t n = 1; !made && n < 5000; n++) {
        kfi_fail_allocation(n);
        made = makes_calls();
        kfi_fail_allocation(0);
    }
    assert_true(made);
}

/* --- a user's function, from a file to training ------------------------------------------------
 */

static kf_status scale(void *context, const kf_array *in, const kf_shape *shape, float *out,
                       char *message) {
    (void)context, (void)message;
    for (int64_t i = 0; i < shape->dims[0]; i++) out[i] = 3 * ((const float *)in[0].data)[i];
    return KF_OK;
}

static kf_status scale_back(void *context, const kf_array *in, const kf_shape *shape,
                            const float *out, const float *dout, float *const *din, char *message) {
    (void)context, (void)in, (void)out, (void)message;
    for (int64_t i = 0; i < shape->dims[0]; i++) din[0][i] = 3 * dout[i];
    return KF_OK;
}

static const kf_function triple = {
    .size = sizeof triple, .name = "triple", .forward = scale, .gradient = scale_back};

static void user_functions(void **state) {
    (void)state;
    const char *folder = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/call_arguments_%d.h5", folder ? folder : "/tmp", (int)getpid());
    kf_graph *graph = kf_graph_new();
    ok(kf_graph_add_function(graph, &triple));
    kf_tensor *in = kf_input(graph, {1});
    kf_tensor *out = kf_apply(kf_lambda("triple"), kf_apply(kf_dense(1, .no_bias = true), in));
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    set_weight(model, 0, (const float[]){2});
    ok(kf_compile(model, .loss = "mse", .optimizer = kf_sgd(0.01f)));
    ok(kf_save(model, path));

    kf_graph *stranger = kf_graph_new();
    assert_int_not_equal(kf_model_error(kf_load(stranger, path)), KF_OK);
    says("lambda_1: the graph has no function 'triple'");
    kf_graph *again = kf_graph_new();
    ok(kf_graph_add_function(again, &triple));
    kf_model *loaded = kf_load(again, path);
    ok(kf_model_error(loaded));
    const float x[] = {1, 2}, target[] = {0, 0};
    float y[2];
    predict(loaded, &ARRAY(NULL, x, 2, 1), 1, y);
    near((double)y[1], 12);
    double value[4];
    ok(kf_train_on_batch(loaded, (kf_array[]){ARRAY(NULL, x, 2, 1), ARRAY(NULL, target, 2, 1)}, 2,
                         value));
    near(value[0], (36 + 144) / 2.0);
    near((double)weight_of(loaded), 2 - 0.01 * 90); /* d/dw mean (3 w x)^2 = 2 w 9 mean x^2 */
    kf_graph_free(again);
    kf_graph_free(stranger);
    kf_graph_free(graph);
    remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("training=True: dropout in predictions, another for each batch", always_drops),
        SENTENCE("training=False: none in training", never_drops),
        SENTENCE("BatchNormalization takes the batch's mean, or never", batch_statistics),
        SENTENCE("a model that is called with training=True", nested_models),
        SENTENCE("mask= stands for the mask of the input, and is saved", masks_are_given),
        SENTENCE("mask=None uses none", no_mask),
        SENTENCE("wrappers and pooling take a mask", masks_through_wrappers),
        SENTENCE("other layers refuse arguments in Keras's words", refusals),
        SENTENCE("arguments in files", files_of_others),
        SENTENCE("any allocation may fail", any_allocation_may_fail),
        SENTENCE("a user's function is saved by name, loaded and trained", user_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
