/* Saving and loading a compiled model: nothing is lost, and the same again gives the same bytes. */
#include "tests/io/scratch.h"
#include "tests/train/support.h"

#include "io/keras_file.h"

static kf_model *loaded(kf_graph *graph, const char *path) {
    kf_model *model = kf_load(graph, path);
    ok(kf_model_error(model));
    return model;
}

static bool same_bytes(const char *a, const char *b) {
    const size_t bytes = file_bytes(a);
    if (bytes == 0 || bytes != file_bytes(b)) return false;
    char *left = test_malloc(bytes), *right = test_malloc(bytes);
    FILE *one = fopen(a, "rb"), *other = fopen(b, "rb");
    assert_int_equal(fread(left, 1, bytes, one), bytes);
    assert_int_equal(fread(right, 1, bytes, other), bytes);
    const bool same = memcmp(left, right, bytes) == 0;
    fclose(one);
    fclose(other);
    test_free(left);
    test_free(right);
    return same;
}

/* Trains, saves, loads; evaluates both; trains both on. */
static void goes_on(kf_optimizer *optimizer) {
    float *x = some_numbers(24 * 64, 1);
    int32_t *y = some_labels(24, 3, 2);
    const kf_array arrays[] = {ARRAY("image", x, 24, 8, 8), LABELS("label", y, 24)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    kf_graph *graph = kf_graph_new(), *other = kf_graph_new();
    kf_model *model = vision_model(graph);
    ok(kf_compile(model, .optimizer = optimizer, .loss = "sparse_categorical_crossentropy",
                  .metrics = {"accuracy"}));
    ok(kf_fit(model, data, .epochs = 2, .batch_size = 8));
    ok(kf_save(model, scratch("a.h5"), .no_optimizer = false));
    kf_model *again = loaded(other, scratch("a.h5"));
    assert_int_equal(kf_metrics(again), 2);
    assert_string_equal(kf_metrics_name(again, 1), "acc");
    double before[2], after[2];
    ok(kf_evaluate(model, data, before, .batch_size = 8));
    ok(kf_evaluate(again, data, after, .batch_size = 8));
    assert_memory_equal(before, after, sizeof before);
    ok(kf_save(again, scratch("b.h5"), .no_optimizer = false));
    assert_true(same_bytes(scratch("a.h5"), scratch("b.h5")));
    for (int step = 0; step < 3; step++) {
        ok(kf_train_on_batch(model, arrays, 2, before));
        ok(kf_train_on_batch(again, arrays, 2, after));
        if (strcmp(kf_optimizer_weight_name(model, 0), "training/RMSprop/Variable:0") != 0)
            assert_memory_equal(before, after, sizeof before);
    }
    kf_dataset_free(data);
    kf_graph_free(graph);
    kf_graph_free(other);
    test_free(x);
    test_free(y);
}

static void resumes(void **state) {
    (void)state;
    goes_on(kf_adam(0.002f, .decay = 0.01f));
    goes_on(kf_sgd(0.05f, .momentum = 0.9f, .nesterov = true));
    goes_on(kf_rmsprop(0));
}

/* Two outputs, dicts, weights: what compile was given comes back. */
static void headline(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new(), *other = kf_graph_new();
    kf_model *model = headline_model(graph);
    ok(kf_compile(
        model, .optimizer = kf_adam(0),
        .outputs = {
            {.output = "main_output", .loss = "binary_crossentropy"},
            {.output = "aux_output", .loss = "mse", .loss_weight = 0.2f, .metrics = {"acc"}}}));
    ok(kf_save(model, scratch("a.h5"), .no_optimizer = false));
    kfi_keras_file *file;
    ok(kfi_keras_open(scratch("a.h5"), &file));
    assert_string_equal(
        file->training_config,
        "{\"optimizer_config\": {\"class_name\": \"Adam\", \"config\": {\"lr\": "
        "0.0010000000474974513, \"beta_1\": 0.8999999761581421, \"beta_2\": 0.9990000128746033, "
        "\"decay\": 0.0, \"epsilon\": 1e-07, \"amsgrad\": false}}, \"loss\": {\"main_output\": "
        "\"binary_crossentropy\", \"aux_output\": \"mse\"}, \"metrics\": {\"main_output\": [], "
        "\"aux_output\": [\"acc\"]}, \"sample_weight_mode\": null, \"loss_weights\": "
        "{\"main_output\": 1.0, \"aux_output\": 0.2}}");
    assert_int_equal(file->optimizer.n_weights, 0); /* never trained: Keras saves no state */
    kfi_keras_close(file);
    kf_model *again = loaded(other, scratch("a.h5"));
    assert_int_equal(kf_metrics(again), 4);
    assert_string_equal(kf_metrics_name(again, 3), "aux_output_acc");
    ok(kf_save(again, scratch("b.h5"), .no_optimizer = false));
    assert_true(same_bytes(scratch("a.h5"), scratch("b.h5")));
    kf_graph_free(graph);
    kf_graph_free(other);
}

static void without_optimizer(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new(), *other = kf_graph_new();
    kf_model *model = line_model(graph, 4);
    ok(kf_compile(model, .loss = "mse"));
    ok(kf_save(model, scratch("a.h5"), .no_optimizer = true));
    kf_model *again = loaded(other, scratch("a.h5"));
    assert_int_equal(kf_metrics(again), 0);
    assert_true(weight_of(again) == 4);
    kf_graph_free(graph);
    kf_graph_free(other);
}

/* Writes a file of line_model whose training_config is this text. */
static void save_config(const char *path, const char *text) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 4);
    ok(kf_save(model, path, .no_optimizer = true));
    kfi_keras_file *file;
    ok(kfi_keras_open(path, &file));
    float w = 4;
    kfi_keras_file copy = *file;
    for (int64_t i = 0; i < copy.n_layers; i++)
        for (int64_t j = 0; j < copy.layers[i].n_weights; j++) copy.layers[i].weights[j].data = &w;
    copy.training_config = text;
    ok(kfi_keras_write(path, &copy, NULL, NULL));
    kfi_keras_close(file);
    kf_graph_free(graph);
}

static void refuses_config(const char *text, const char *words) {
    save_config(scratch("c.h5"), text);
    kf_graph *graph = kf_graph_new();
    kf_model *model = kf_load(graph, scratch("c.h5"));
    assert_int_not_equal(kf_model_error(model), KF_OK);
    says(words);
    says("c.h5");
    kf_graph_free(graph);
    graph = kf_graph_new();
    const kf_load_options plain = {.size = sizeof plain, .no_compile = true};
    model = kf_load_with(graph, scratch("c.h5"), &plain);
    ok(kf_model_error(model));
    assert_true(weight_of(model) == 4);
    kf_graph_free(graph);
}

#define SGD_CONFIG "\"optimizer_config\": {\"class_name\": \"SGD\", \"config\": {\"lr\": 0.5}}"

static void strange_configs(void **state) {
    (void)state;
    refuses_config("{\"optimizer_config\": {\"class_name\": \"Nope\", \"config\": {}}, \"loss\": "
                   "\"mse\"}",
                   "Unknown optimizer: Nope");
    refuses_config("{" SGD_CONFIG ", \"loss\": \"nope\"}", "Unknown loss function:nope");
    refuses_config("{" SGD_CONFIG ", \"loss\": {\"z\": \"mse\"}}",
                   "Unknown entry in loss dictionary: \"z\"");
    refuses_config("{" SGD_CONFIG ", \"loss\": [\"mse\", \"mse\"]}",
                   "it should have one entry per model outputs");
    refuses_config("{" SGD_CONFIG ", \"loss\": 5}", "no loss to optimize");
    refuses_config("{" SGD_CONFIG ", \"loss\": [7]}", "the loss of y must be a name");
    refuses_config("{" SGD_CONFIG ", \"loss\": \"mse\", \"metrics\": \"acc\"}",
                   "Type of `metrics` argument not understood");
    refuses_config("{" SGD_CONFIG ", \"loss\": \"mse\", \"metrics\": [{}]}",
                   "a metric of y must be a name");
    refuses_config("{\"optimizer_config\": 3, \"loss\": \"mse\"}", "class_name");
    refuses_config("{\"optimizer_config\": {\"class_name\": \"SGD\", \"config\": [1]}, "
                   "\"loss\": \"mse\"}",
                   "SGD: 'config' must be a dict; got a list");
    refuses_config("[1, 2", "training_config");
    refuses_config("{\"optimizer_config\": {\"class_name\": \"SGD\", \"config\": {\"lr\": "
                   "\"fast\"}}, \"loss\": \"mse\"}",
                   "lr");
    refuses_config("{\"optimizer_config\": {\"class_name\": \"Adam\", \"config\": "
                   "{\"learning_rate\": {\"class_name\": \"ExponentialDecay\", \"config\": {}}}}, "
                   "\"loss\": \"mse\"}",
                   "Adam: lr must be a number; got ExponentialDecay()");
}

static void other_dialects(void **state) {
    (void)state;
    save_config(scratch("d.h5"),
                "{\"optimizer_config\": {\"class_name\": \"RMSprop\", \"config\": {\"name\": "
                "\"RMSprop\", \"learning_rate\": 0.25, \"rho\": 0.5, \"momentum\": 0.0, "
                "\"centered\": false, \"clipnorm\": null}}, \"loss\": [\"MSE\"], \"metrics\": "
                "[[\"mse\"]], \"weighted_metrics\": null, \"loss_weights\": [0.5]}");
    kf_graph *graph = kf_graph_new();
    kf_model *model = loaded(graph, scratch("d.h5"));
    near(kf_learning_rate(model), 0.25);
    assert_int_equal(kf_metrics(model), 2);
    kf_graph_free(graph);
}

static void keep_warning(void *context, const char *message) { strcpy(context, message); }

/* The state of a model of two weights, with one that is compiled for one. */
static void foreign_state(void **state) {
    (void)state;
    static const float x[] = {1, 2}, y[] = {0, 0};
    const kf_array arrays[] = {ARRAY("x", x, 2), ARRAY("y", y, 2)};
    kf_graph *graph = kf_graph_new(), *other = kf_graph_new();
    kf_model *model = line_model(graph, 4);
    ok(kf_compile(model, .optimizer = kf_adam(0.5f), .loss = "mse"));
    ok(kf_train_on_batch(model, arrays, 2, NULL));
    ok(kf_save(model, scratch("a.h5"), .no_optimizer = false));
    kfi_keras_file *file;
    ok(kfi_keras_open(scratch("a.h5"), &file));
    float w = 4;
    kfi_keras_file copy = *file;
    copy.layers[1].weights[0].data = &w;
    kfi_keras_weight strange = {"v:0", KF_FLOAT32, {1, {1}}, &w, NULL};
    copy.optimizer = (kfi_keras_layer){"optimizer", 1, &strange};
    ok(kfi_keras_write(scratch("f.h5"), &copy, NULL, NULL));
    kfi_keras_close(file);
    char warning[1024] = "";
    kf_graph_on_warning(other, keep_warning, warning);
    model = loaded(other, scratch("f.h5"));
    if (!strstr(warning,
                "f.h5: Error in loading the saved optimizer state. As a result, your model "
                "is starting with a freshly initialized optimizer."))
        fail_msg("the warning is \"%s\"", warning);
    near(kf_learning_rate(model), 0.5);
    assert_int_equal(kf_metrics(model), 1);
    float iterations = 1;
    ok(kf_optimizer_weight_get(model, 0, &iterations, 1));
    assert_true(iterations == 0);
    ok(kf_train_on_batch(model, arrays, 2, NULL));
    kf_graph_free(graph);
    kf_graph_free(other);
}

enum { MOST_STATE = 8 };

/* A model of a kernel and a bias after two steps, and its optimizer's arrays as `names` lists them:
 * `from[i]` is the place of array i in Keras 2.2.4's order, -1 one number that is not there. */
static void other_layout(kf_optimizer *optimizer, const char *const *names, const int *from, int n,
                         float number) {
    static const float x[] = {1, 2}, y[] = {0, 0, 1, 1};
    const kf_array arrays[] = {ARRAY("x", x, 2), ARRAY("y", y, 2, 2)};
    kf_graph *graph = kf_graph_new(), *other = kf_graph_new();
    kf_tensor *in = kf_input(graph, {1}, .name = "x");
    kf_tensor *out = kf_apply(kf_dense(2, .name = "y"), in);
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    ok(kf_compile(model, .optimizer = optimizer, .loss = "mse"));
    for (int i = 0; i < 2; i++) ok(kf_train_on_batch(model, arrays, 2, NULL));
    ok(kf_save(model, scratch("a.h5"), .no_optimizer = false));
    kfi_keras_file *file;
    ok(kfi_keras_open(scratch("a.h5"), &file));
    kfi_keras_file copy = *file;
    kfi_keras_weight state[MOST_STATE];
    float kernel[2], bias[2], values[MOST_STATE][2];
    for (int i = 0; i < n; i++) {
        state[i] = (kfi_keras_weight){.dtype = KF_FLOAT32, .data = &number};
        if (from[i] >= 0) {
            state[i] = file->optimizer.weights[from[i]];
            ok(kfi_keras_read_weight(file, &state[i], state[i].dtype, values[i]));
            state[i].data = values[i];
        }
        state[i].name = names[i];
    }
    copy.optimizer = (kfi_keras_layer){"optimizer", n, state};
    ok(kfi_keras_read_weight(file, &file->layers[1].weights[0], KF_FLOAT32, kernel));
    ok(kfi_keras_read_weight(file, &file->layers[1].weights[1], KF_FLOAT32, bias));
    copy.layers[1].weights[0].data = kernel;
    copy.layers[1].weights[1].data = bias;
    ok(kfi_keras_write(scratch("f.h5"), &copy, NULL, NULL));
    kfi_keras_close(file);
    char warning[1024] = "";
    kf_graph_on_warning(other, keep_warning, warning);
    kf_model *read = loaded(other, scratch("f.h5"));
    assert_string_equal(warning, "");
    double a, b;
    for (int i = 0; i < 2; i++) {
        ok(kf_train_on_batch(model, arrays, 2, &a));
        ok(kf_train_on_batch(read, arrays, 2, &b));
        assert_true(a == b);
    }
    kf_graph_free(graph);
    kf_graph_free(other);
}

/* Numbers first; each weight's slots together. */
static void later_layouts(void **state) {
    (void)state;
    static const char *const later[] = {"iteration:0",       "learning_rate:0", "Adam/m/y/kernel:0",
                                        "Adam/v/y/kernel:0", "Adam/m/y/bias:0", "Adam/v/y/bias:0"};
    other_layout(kf_adam(0.5f), later, (int[]){0, -1, 1, 3, 2, 4}, 6, 0.5f);
    static const char *const bare[] = {"iteration:0", "m/y/kernel:0", "v/y/kernel:0", "m/y/bias:0",
                                       "v/y/bias:0"};
    other_layout(kf_adam(0.5f), bare, (int[]){0, 1, 3, 2, 4}, 5, 0);
    static const char *const legacy[] = {"Nadam/iter:0",       "Nadam/momentum_cache:0",
                                         "Nadam/y/kernel/m:0", "Nadam/y/bias/m:0",
                                         "Nadam/y/kernel/v:0", "Nadam/y/bias/v:0"};
    float schedule = 1; /* after two steps: beta_1 0.9, schedule_decay 0.004 */
    for (int t = 1; t <= 2; t++) schedule *= 0.9f * (1 - 0.5f * powf(0.96f, (float)t * 0.004f));
    other_layout(kf_nadam(0.5f), legacy, (int[]){0, -1, 1, 2, 3, 4}, 6, schedule);
}

static void missing_file(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = kf_load(graph, scratch("none.h5"));
    assert_int_equal(kf_model_error(model), KF_IO);
    says("none.h5");
    assert_int_equal(kf_graph_error(graph), KF_IO);
    refuses(kf_save(model, scratch("x.h5"), .no_optimizer = true), KF_IO, "none.h5");
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a loaded model evaluates and trains on as the saved one", resumes),
        SENTENCE("what compile was given comes back", headline),
        SENTENCE("a model saved without its optimizer loads uncompiled", without_optimizer),
        SENTENCE("an unknown training configuration is refused, unless it is not wanted",
                 strange_configs),
        SENTENCE("training configurations of later versions are read", other_dialects),
        SENTENCE("optimizer state of another model is a warning", foreign_state),
        SENTENCE("optimizer state is read as later versions list it", later_layouts),
        SENTENCE("a missing file is a poisoned model", missing_file),
    };
    return cmocka_run_group_tests_name("files", tests, make_scratch, remove_scratch);
}
