/* Weights by name, in other shapes, from other versions; and files that lie about their size. */
#include "tests/model/support.h"

#include "tests/io/scratch.h"

static void assert_ok(kf_status status) {
    if (status != KF_OK) fail_msg("%s", kf_last_error());
}

static void fill(kf_model *model, float value) {
    for (int32_t i = 0; i < kf_model_weights(model); i++) {
        kf_weight *weight = kf_model_weight(model, i);
        for (int64_t k = 0; k < weight->count; k++) weight->data[k] = value;
    }
}

static float first_of(const kf_model *model, const char *name) {
    return kf_model_find_weight(model, name)->data[0];
}

/* 4 -> a (units) -> b (2) */
static kf_model *make_pair(kf_graph *g, int64_t units, const char *second) {
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(units, .name = "a"), in);
    kf_tensor *y = kf_apply(kf_dense(2, .name = second), x);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(y));
    assert_good(m);
    return m;
}

#define LOAD(model, file, ...)                                                                     \
    kf_load_weights_with(model, scratch(file), KF_OPTIONS(kf_load_weights_options, __VA_ARGS__))

static void by_name(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_pair(g, 3, "b"), *n = make_pair(g, 3, "c");
    fill(m, 1);
    fill(n, 2);
    assert_ok(kf_save_weights(m, scratch("named.h5")));
    assert_ok(LOAD(n, "named.h5", .by_name = true));
    assert_true(first_of(n, "a/kernel:0") == 1);
    assert_true(first_of(n, "c/kernel:0") == 2);
    kf_graph_free(g);
}

static void mismatches(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_pair(g, 3, "b"), *n = make_pair(g, 5, "b");
    fill(m, 1);
    fill(n, 2);
    assert_ok(kf_save_weights(m, scratch("mismatch.h5")));
    assert_int_equal(LOAD(n, "mismatch.h5", .by_name = true), KF_INVALID);
    assert_says("Layer #0 (named \"a\"), weight a/kernel:0 has shape (4, 5), but the saved weight");
    assert_true(first_of(n, "b/bias:0") == 2);
    assert_ok(LOAD(n, "mismatch.h5", .by_name = true, .skip_mismatch = true));
    assert_true(first_of(n, "a/kernel:0") == 2);
    assert_true(first_of(n, "b/kernel:0") == 2);
    assert_true(first_of(n, "b/bias:0") == 1); /* the only one that fits */
    assert_int_equal(LOAD(n, "mismatch.h5", .skip_mismatch = true), KF_INVALID);
    kf_graph_free(g);
}

static void note_warning(void *context, const char *message) {
    strcat(context, message);
    strcat(context, "; ");
}

static void what_stays_unloaded_is_said(void **state) {
    (void)state;
    char warned[1024] = "";
    kf_graph *g = kf_graph_new();
    kf_model *m = make_pair(g, 3, "b"), *n = make_pair(g, 5, "c");
    kf_graph_on_warning(g, note_warning, warned);
    assert_ok(kf_save_weights(m, scratch("named.h5")));
    assert_ok(LOAD(n, "named.h5", .by_name = true, .skip_mismatch = true));
    assert_string_equal(
        warned, "Skipping loading of weights for layer a due to mismatch in shape (a/kernel:0: (4, "
                "5) vs (4, 3)).; Skipping loading of weights for layer a due to mismatch in shape "
                "(a/bias:0: (5,) vs (3,)).; the file has no weights for, which keep theirs: c; the "
                "model has no layers for the file's weights of: b; ");
    warned[0] = '\0';
    assert_ok(LOAD(m, "named.h5", .by_name = true));
    assert_string_equal(warned, "");
    kf_graph_free(g);
}

static void other_counts_are_skipped(void **state) {
    (void)state;
    char warned[1024] = "";
    kf_graph *g = kf_graph_new();
    kf_model *m = make_pair(g, 3, "b");
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *out = kf_apply(kf_dense(3, .no_bias = true, .name = "a"), in);
    kf_model *n = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    kf_graph_on_warning(g, note_warning, warned);
    fill(m, 1);
    fill(n, 2);
    assert_ok(kf_save_weights(m, scratch("named.h5")));
    assert_int_equal(LOAD(n, "named.h5", .by_name = true), KF_INVALID);
    assert_says("expects 1 weight(s), but the saved weights have 2 element(s)");
    warned[0] = '\0';
    assert_ok(LOAD(n, "named.h5", .by_name = true, .skip_mismatch = true));
    assert_true(first_of(n, "a/kernel:0") == 2);
    if (!strstr(warned, "due to mismatch in number of weights (1 vs 2)")) fail_msg("%s", warned);
    kf_graph_free(g);
}

/* A nested model is one layer of the file, whatever else has changed around it. */
static void a_nested_model_is_paired_by_its_name(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *inner = make_pair(g, 3, "b");
    kf_tensor *x = kf_input(g, {4});
    kf_tensor *y = kf_apply(kf_model_layer(inner), x);
    kf_model *m = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    fill(m, 1);
    assert_ok(kf_save_weights(m, scratch("nested.h5")));
    fill(m, 2);
    kf_tensor *before = kf_input(g, {7});
    kf_tensor *first = kf_apply(kf_dense(4, .name = "first"), before);
    kf_tensor *z = kf_apply(kf_model_layer(inner), first);
    kf_model *n = kf_model_new(.inputs = kf_list(before), .outputs = kf_list(z));
    assert_good(n);
    assert_ok(LOAD(n, "nested.h5", .by_name = true));
    assert_true(first_of(n, "a/kernel:0") == 1);
    assert_true(first_of(n, "b/kernel:0") == 1);
    assert_int_equal(LOAD(n, "nested.h5", .by_name = false), KF_INVALID);
    assert_says("a weight file containing 1 layers into a model with 2 layers");
    kf_graph_free(g);
}

/* A shared layer stands in the file once, and order by position is the model's. */
static void shared_layers_and_another_order(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *shared = kf_dense(2, .name = "shared");
    kf_tensor *x = kf_input(g, {2}), *y = kf_input(g, {2});
    kf_tensor *a = kf_apply(shared, x), *b = kf_apply(shared, y);
    kf_tensor *sum = kf_apply(kf_add(), a, b);
    kf_tensor *out = kf_apply(kf_dense(2, .name = "last"), sum);
    kf_model *m = kf_model_new(.inputs = kf_list(x, y), .outputs = kf_list(out));
    assert_good(m);
    fill(m, 1);
    kf_model_find_weight(m, "last/bias:0")->data[0] = 5;
    assert_ok(kf_save_weights(m, scratch("shared.h5")));
    kf_tensor *in = kf_input(g, {2});
    kf_tensor *other = kf_apply(kf_dense(2, .name = "last"), in);
    kf_tensor *end = kf_apply(kf_dense(2, .name = "shared"), other);
    kf_model *n = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(end));
    assert_good(n);
    assert_ok(LOAD(n, "shared.h5", .by_name = true));
    assert_true(first_of(n, "last/bias:0") == 5);
    assert_true(first_of(n, "shared/bias:0") == 1);
    assert_ok(LOAD(n, "shared.h5", .by_name = false));
    assert_true(first_of(n, "last/bias:0") == 1);
    assert_true(first_of(n, "shared/bias:0") == 5);
    kf_graph_free(g);
}

/* A file of a few arrays, as an older version wrote it. */
static void write_old(const char *path, const char *version, const kfi_keras_layer *layer) {
    const kfi_keras_file content = {
        .keras_version = version, .n_layers = 1, .layers = (kfi_keras_layer *)layer};
    assert_ok(kfi_keras_write(path, &content, NULL, NULL));
}

static void reshaped(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *out = kf_apply(kf_dense(3, .no_bias = true), in);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    float values[12];
    for (int i = 0; i < 12; i++) values[i] = (float)i;
    kfi_keras_weight weight = {.name = "k:0", .shape = KFI_SHAPE(2, 6), .data = values};
    write_old(scratch("reshape.h5"), "2.2.4", &(kfi_keras_layer){"d", 1, &weight});
    assert_int_equal(kf_load_weights(m, scratch("reshape.h5")), KF_INVALID);
    assert_ok(LOAD(m, "reshape.h5", .reshape = true));
    assert_memory_equal(kf_model_weight(m, 0)->data, values, sizeof values);
    kf_graph_free(g);
}

/* Keras 1's GRU is W, U, b for z, r and h. */
static void keras1_gates(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {5, 1});
    kf_tensor *out = kf_apply(kf_layer_named("GRU", "units=1"), in);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    assert_good(m);
    float values[9];
    kfi_keras_weight weights[9];
    static const char *const names[] = {"Wz", "Uz", "bz", "Wr", "Ur", "br", "Wh", "Uh", "bh"};
    for (int i = 0; i < 9; i++) {
        values[i] = (float)i;
        weights[i] = (kfi_keras_weight){.name = names[i], .data = &values[i]};
        weights[i].shape = i % 3 == 2 ? KFI_SHAPE(1) : KFI_SHAPE(1, 1);
    }
    write_old(scratch("gru.h5"), NULL, &(kfi_keras_layer){"gru_1", 9, weights});
    assert_ok(kf_load_weights(m, scratch("gru.h5")));
    static const float kernel[] = {0, 3, 6}, recurrent[] = {1, 4, 7}, bias[] = {2, 5, 8};
    assert_memory_equal(kf_model_weight(m, 0)->data, kernel, sizeof kernel);
    assert_memory_equal(kf_model_weight(m, 1)->data, recurrent, sizeof recurrent);
    assert_memory_equal(kf_model_weight(m, 2)->data, bias, sizeof bias);
    kf_graph_free(g);
}

/* (filters, in, rows, columns) of a channels_first kernel, as Keras 1 wrote it. */
static void keras1_kernel(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {2, 4, 4});
    kf_tensor *out =
        kf_apply(kf_conv2d(3, {1, 2}, .no_bias = true, .data_format = "channels_first"), in);
    kf_model *m = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    assert_good(m);
    float values[12];
    for (int i = 0; i < 12; i++) values[i] = (float)i;
    kfi_keras_weight weight = {.name = "W", .shape = KFI_SHAPE(3, 2, 1, 2), .data = values};
    write_old(scratch("conv.h5"), "1.2.2", &(kfi_keras_layer){"c", 1, &weight});
    assert_ok(kf_load_weights(m, scratch("conv.h5")));
    const float *kernel = kf_model_weight(m, 0)->data; /* (1, 2, in 2, filters 3) */
    for (int column = 0; column < 2; column++)
        for (int channel = 0; channel < 2; channel++)
            for (int filter = 0; filter < 3; filter++)
                assert_true(kernel[(column * 2 + channel) * 3 + filter] ==
                            values[(filter * 2 + channel) * 2 + column]);
    kf_graph_free(g);
}

/* One layer of 2 units over 3 numbers, weights counted from 0, as cuDNN keeps them. */
static kf_model *load_cudnn(kf_graph *g, const char *class_name, int64_t n_gates) {
    char config[300];
    snprintf(config, sizeof config,
             "{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"%s\", "
             "\"config\": {\"name\": \"r\", \"units\": 2, \"batch_input_shape\": "
             "[null, 5, 3]}}]}",
             class_name);
    kf_model *m = kf_model_from_json(g, config);
    assert_good(m);
    float values[24];
    for (int i = 0; i < 24; i++) values[i] = (float)i;
    kfi_keras_weight weights[] = {{.name = "kernel:0", .data = values},
                                  {.name = "recurrent_kernel:0", .data = values},
                                  {.name = "bias:0", .data = values}};
    weights[0].shape = KFI_SHAPE(3, 2 * n_gates);
    weights[1].shape = KFI_SHAPE(2, 2 * n_gates);
    weights[2].shape = KFI_SHAPE(4 * n_gates);
    write_old(scratch("cudnn.h5"), "2.2.4", &(kfi_keras_layer){"r", 3, weights});
    assert_ok(kf_load_weights(m, scratch("cudnn.h5")));
    return m;
}

/* Keras: each gate is kernel.T.reshape(kernel.shape, order='F'), and recurrent_kernel.T. */
static void assert_cudnn_kernels(const kf_model *m, int64_t n_gates) {
    const int64_t s = 2 * n_gates;
    const int64_t kernel[3][2] = {{0, s + 1}, {1, 2 * s}, {s, 2 * s + 1}};
    const int64_t recurrent[2][2] = {{0, s}, {1, s + 1}};
    for (int64_t column = 0; column < s; column++) {
        const int64_t gate = column / 2 * 2, j = column % 2;
        for (int64_t i = 0; i < 3; i++)
            assert_true(kf_model_weight(m, 0)->data[i * s + column] ==
                        (float)(kernel[i][j] + gate));
        for (int64_t i = 0; i < 2; i++)
            assert_true(kf_model_weight(m, 1)->data[i * s + column] ==
                        (float)(recurrent[i][j] + gate));
    }
}

static void assert_config_has(const kf_model *m, const char *words) {
    char *text;
    assert_ok(kf_model_to_json(m, &text));
    assert_non_null(strstr(text, words));
    kf_free(text);
}

static void cudnn(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *lstm = load_cudnn(g, "CuDNNLSTM", 4), *gru = load_cudnn(g, "CuDNNGRU", 3);
    assert_config_has(lstm, "\"class_name\": \"LSTM\"");
    assert_config_has(lstm, "\"recurrent_activation\": \"sigmoid\"");
    assert_config_has(gru, "\"class_name\": \"GRU\"");
    assert_config_has(gru, "\"recurrent_activation\": \"sigmoid\"");
    assert_config_has(gru, "\"reset_after\": true");
    assert_cudnn_kernels(lstm, 4);
    assert_cudnn_kernels(gru, 3);
    for (int i = 0; i < 8; i++) /* its two biases together */
        assert_true(kf_model_weight(lstm, 2)->data[i] == (float)(i + 8 + i));
    for (int i = 0; i < 12; i++) assert_true(kf_model_weight(gru, 2)->data[i] == (float)i);
    kf_graph_free(g);
}

/* A config that asks for more than the file could fill takes no memory. */
static void absurd_units(void **state) {
    (void)state;
    static const char config[] =
        "{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"Dense\", \"config\": "
        "{\"name\": \"d\", \"units\": 1000000000, \"batch_input_shape\": [null, 100]}}]}";
    kfi_variant *parsed;
    assert_ok(kfi_json_parse(config, strlen(config), "config", &parsed));
    kfi_keras_weight weight = {.name = "k:0", .shape = KFI_SHAPE(2, 6)};
    kfi_keras_layer layer = {"d", 1, &weight};
    const kfi_keras_file file = {.n_layers = 1, .layers = &layer};
    kf_graph *g = kf_graph_new();
    assert_fails(kfi_model_from_file(g, parsed, &file), KF_INVALID,
                 "a weight of shape (100, 1000000000) is larger than all that the file holds");
    kf_graph_free(g);
    kfi_variant_free(parsed);
}

/* Whatever fails, the weights stay as they were. */
static void all_or_nothing(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_pair(g, 3, "b");
    fill(m, 1);
    assert_ok(kf_save_weights(m, scratch("whole.h5")));
    fill(m, 2);
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        const kf_status status = kf_load_weights(m, scratch("whole.h5"));
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(status == KF_OK, all);
        for (int32_t i = 0; i < kf_model_weights(m); i++)
            assert_true(kf_model_weight(m, i)->data[0] == (all ? 1 : 2));
        if (all) break;
    }
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("layers are paired by name where that is asked for", by_name),
        SENTENCE("what stays unloaded is said", what_stays_unloaded_is_said),
        SENTENCE("other numbers of weights are skipped", other_counts_are_skipped),
        SENTENCE("a nested model is paired by its name", a_nested_model_is_paired_by_its_name),
        SENTENCE("shared layers stand once, names do not mind another order",
                 shared_layers_and_another_order),
        SENTENCE("what does not fit is refused, or skipped", mismatches),
        SENTENCE("as many numbers in another shape fit if that is asked for", reshaped),
        SENTENCE("Keras 1's gates are put side by side", keras1_gates),
        SENTENCE("Keras 1's kernels are turned", keras1_kernel),
        SENTENCE("cuDNN's LSTM and GRU become Keras's", cudnn),
        SENTENCE("a weight that no file could fill takes no memory", absurd_units),
        SENTENCE("a load that fails changes nothing", all_or_nothing),
    };
    return cmocka_run_group_tests_name("loading", tests, NULL, NULL);
}
