/* What compile makes of losses, metrics and weights, and what it says when it cannot. */
#include "tests/train/support.h"

/* The names of what is reported, separated by spaces. */
static void reports(const kf_model *model, const char *names) {
    char text[1024] = "";
    for (int32_t i = 0; i < kf_metrics(model); i++) {
        strcat(text, i ? " " : "");
        strcat(text, kf_metrics_name(model, i));
    }
    assert_string_equal(text, names);
}

static void one_output(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    assert_int_equal(kf_metrics(model), 0);
    assert_null(kf_metrics_name(model, 0));
    ok(kf_compile(model, .loss = "categorical_crossentropy", .metrics = {"accuracy", "mse"}));
    reports(model, "loss acc mean_squared_error");
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy", .metrics = {"acc", "ce"}));
    reports(model, "loss acc ce");
    ok(kf_compile(model, .loss = "mse", .metrics = {"acc", "acc", "accuracy"}));
    reports(model, "loss acc acc_1 acc_2");
    kf_graph_free(graph);
}

static void headline(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = headline_model(graph);
    ok(kf_compile(model, .loss = "binary_crossentropy", .loss_weights = {1, 0.2f},
                  .metrics = {"acc", "mse"}));
    reports(model, "loss main_output_loss aux_output_loss main_output_acc "
                   "main_output_mean_squared_error aux_output_acc aux_output_mean_squared_error");
    ok(kf_compile(model, .outputs = {{.output = "aux_output", .loss = "mse", .metrics = {"mse"}},
                                     {.output = "main_output", .loss = "binary_crossentropy"}}));
    reports(model, "loss main_output_loss aux_output_loss aux_output_mean_squared_error");
    ok(kf_compile(model, .outputs = {{.output = "main_output", .loss = "mse"}},
                  .metrics = {"acc"}));
    reports(model, "loss main_output_loss main_output_acc");
    kf_graph_free(graph);
}

/* Accuracy is a different function for different outputs: told apart by their values. */
static void accuracy_suits(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {2}, .name = "x");
    kf_tensor *y = kf_apply(kf_activation("linear", .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    const float predicted[] = {0.9f, 0.6f, 0.2f, 0.4f}, wanted[] = {1, 0, 0, 1};
    const int32_t labels[] = {1, 1};
    double values[2];
    const kf_array floats[] = {ARRAY(NULL, predicted, 2, 2), ARRAY(NULL, wanted, 2, 2)};
    ok(kf_compile(model, .loss = "categorical_crossentropy", .metrics = {"acc"}));
    ok(kf_test_on_batch(model, floats, 2, values));
    near(values[1], 1); /* both rows have their maximum in the right place */
    ok(kf_compile(model, .loss = "binary_crossentropy", .metrics = {"acc"}));
    ok(kf_test_on_batch(model, floats, 2, values));
    near(values[1], 0.5); /* 0.9, 0.2 are right when rounded, 0.6 and 0.4 wrong */
    ok(kf_compile(model, .loss = "binary_crossentropy", .metrics = {"ce"}));
    ok(kf_test_on_batch(model, floats, 2, values));
    near(values[1], values[0]);
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy", .metrics = {"acc"}));
    const kf_array sparse[] = {ARRAY(NULL, predicted, 2, 2), LABELS(NULL, labels, 2, 1)};
    ok(kf_test_on_batch(model, sparse, 2, values));
    near(values[1], 0.5);
    kf_graph_free(graph);
}

static void short_names(void **state) {
    (void)state;
    static const struct {
        const char *given, *meant;
    } names[] = {
        {"mse", "mean_squared_error"},
        {"MSE", "mean_squared_error"},
        {"mae", "mean_absolute_error"},
        {"MAE", "mean_absolute_error"},
        {"mape", "mean_absolute_percentage_error"},
        {"MAPE", "mean_absolute_percentage_error"},
        {"msle", "mean_squared_logarithmic_error"},
        {"MSLE", "mean_squared_logarithmic_error"},
        {"kld", "kullback_leibler_divergence"},
        {"KLD", "kullback_leibler_divergence"},
        {"cosine", "cosine_proximity"},
    };
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 0.5f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ok(kf_compile(model, .loss = names[i].given, .metrics = {names[i].given}));
        assert_string_equal(kf_metrics_name(model, 1), names[i].meant);
    }
    kf_graph_free(graph);
}

static void messages(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = headline_model(graph);
    refuses(kf_compile(model, .loss = "nope"), KF_INVALID, "Unknown loss function:nope");
    refuses(kf_compile(model, .loss = "mse", .metrics = {"nope"}), KF_INVALID,
            "Unknown metric function:nope");
    refuses(kf_compile(model, .optimizer = NULL), KF_USAGE,
            "The model cannot be compiled because it has no loss to optimize.");
    refuses(kf_compile(model, .outputs = {{.output = "aus_output", .loss = "mse"}}), KF_USAGE,
            "Unknown entry in loss dictionary: \"aus_output\". Only expected the following keys: "
            "['main_output', 'aux_output']");
    refuses(kf_compile(model, .loss = "mse", .loss_weights = {1, 1, 1}), KF_USAGE,
            "loss_weights[2] is given, but the model has 2 outputs");
    refuses(kf_compile(model, .loss = "mse", .metrics = {"sparse_categorical_accuracy"}),
            KF_INVALID, "needs integer labels");
    assert_int_equal(kf_metrics(model), 0);
    refuses(kf_compile(NULL, .loss = "mse"), KF_USAGE, "NULL");
    kf_graph_free(graph);
}

static void failure_changes_nothing(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 0.5f);
    ok(kf_compile(model, .optimizer = kf_sgd(0.25f), .loss = "mse", .metrics = {"mse"}));
    assert_int_not_equal(kf_compile(model, .loss = "nope"), KF_OK);
    reports(model, "loss mean_squared_error");
    near(kf_learning_rate(model), 0.25);
    kf_graph_free(graph);
}

static void not_compiled(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    const float one[] = {1};
    const kf_array batch[] = {ARRAY("x", one, 1, 1), ARRAY("y", one, 1, 1)};
    refuses(kf_train_on_batch(model, batch, 2, NULL), KF_USAGE,
            "You must compile a model before training/testing.");
    float y;
    ok(kf_predict_on_batch(model, batch, 1, (float *[]){&y}));
    near((double)y, 1);
    kf_graph_free(graph);
}

/* The total is the weighted sum; the single losses are not weighted. */
static void loss_weights(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *a = kf_apply(kf_activation("linear", .name = "a"), x);
    kf_tensor *b = kf_apply(kf_activation("linear", .name = "b"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(a, b));
    const float in[] = {1, 2}, ta[] = {0, 0}, tb[] = {4, 2};
    const kf_array batch[] = {ARRAY("x", in, 2), ARRAY("b", tb, 2), ARRAY("a", ta, 2)};
    double values[3];
    ok(kf_compile(model, .loss = "mse", .loss_weights = {1, 0.2f}));
    ok(kf_test_on_batch(model, batch, 3, values));
    near(values[0], 2.5 + 0.2 * 4.5);
    near(values[1], 2.5);
    near(values[2], 4.5);
    ok(kf_compile(model, .loss = "mse", .outputs = {{.output = "b", .loss_weight = KF_ZERO}}));
    ok(kf_test_on_batch(model, batch, 3, values));
    near(values[0], 2.5);
    kf_graph_free(graph);
}

/* Only what is trained takes a target, and moves. */
static void keep_warning(void *context, const char *message) {
    snprintf(context, 512, "%s", message);
}

static void untrained_output(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *a = kf_apply(kf_dense(1, .no_bias = true, .name = "a"), x);
    kf_tensor *b = kf_apply(kf_dense(1, .no_bias = true, .name = "b"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(a, b));
    char warned[512] = "";
    kf_graph_on_warning(graph, keep_warning, warned);
    ok(kf_compile(model, .optimizer = kf_sgd(0.1f), .outputs = {{.output = "a", .loss = "mse"}}));
    assert_non_null(strstr(warned, "Output \"b\" missing from loss dictionary."));
    const float in[] = {1}, target[] = {9};
    const kf_array batch[] = {ARRAY(NULL, in, 1, 1), ARRAY(NULL, target, 1, 1)};
    float before[2], after[2];
    for (int i = 0; i < 2; i++) ok(kf_weight_get(kf_model_weight(model, i), &before[i], 1));
    ok(kf_train_on_batch(model, batch, 2, NULL));
    for (int i = 0; i < 2; i++) ok(kf_weight_get(kf_model_weight(model, i), &after[i], 1));
    assert_true(before[0] != after[0]);
    assert_true(before[1] == after[1]);
    const kf_batch_options options = {.size = sizeof options,
                                      .class_weight = kf_class_weights({9, 2})};
    double plain[2], weighed[2];
    ok(kf_test_on_batch(model, batch, 2, plain));
    ok(kf_train_on_batch_with(model, batch, 2, weighed, &options));
    near(weighed[0], 2 * plain[0]); /* the one that is trained is meant */
    kf_graph_free(graph);
}

/* Four classes; the second likeliest is the right one. */
static void top_k(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {4}, .name = "x");
    kf_tensor *y = kf_apply(kf_activation("linear", .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .loss = "mse",
                  .metrics = {"top_k_categorical_accuracy(k=1)", "top_k_categorical_accuracy(k=2)",
                              "top_k_categorical_accuracy(3)"}));
    assert_string_equal(kf_metrics_name(model, 1), "top_k_categorical_accuracy");
    assert_string_equal(kf_metrics_name(model, 2), "top_k_categorical_accuracy_1");
    const float in[] = {0.1f, 0.5f, 0.3f, 0.1f}, target[] = {0, 0, 1, 0};
    const kf_array batch[] = {ARRAY(NULL, in, 1, 4), ARRAY(NULL, target, 1, 4)};
    double values[4];
    ok(kf_test_on_batch(model, batch, 2, values));
    near(values[1], 0);
    near(values[2], 1);
    near(values[3], 1);
    refuses(kf_compile(model, .loss = "mse", .metrics = {"top_k_categorical_accuracy(k=0)"}),
            KF_INVALID, "top_k_categorical_accuracy: k must be");
    refuses(kf_compile(model, .loss = "mse", .metrics = {"top_k_categorical_accuracy(n=2)"}),
            KF_INVALID, "n");
    refuses(kf_compile(model, .loss = "mse", .metrics = {"binary_accuracy(k=2)"}), KF_INVALID,
            "metric binary_accuracy takes no arguments");
    refuses(kf_compile(model, .loss = "mse", .metrics = {"nope(k=2)"}), KF_INVALID,
            "Unknown metric function:nope");
    ok(kf_test_on_batch(model, batch, 2, values));
    kf_graph_free(graph);
}

static void frozen(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    kf_layer_set_trainable(kf_model_find_layer(model, "y"), false);
    ok(kf_compile(model, .optimizer = kf_sgd(0.1f), .loss = "mse"));
    const float in[] = {1}, target[] = {9};
    const kf_array batch[] = {ARRAY(NULL, in, 1, 1), ARRAY(NULL, target, 1, 1)};
    double loss;
    ok(kf_train_on_batch(model, batch, 2, &loss));
    near(loss, 64);
    assert_true(weight_of(model) == 1);
    kf_layer_set_trainable(kf_model_find_layer(model, "y"), true);
    ok(kf_train_on_batch(model, batch, 2, &loss));
    assert_true(weight_of(model) == 1); /* as in Keras, the flag counts at the next compile */
    ok(kf_compile(model, .optimizer = kf_sgd(0.1f), .loss = "mse"));
    ok(kf_train_on_batch(model, batch, 2, &loss));
    near((double)weight_of(model), 1 + 0.1 * 16);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a model of one output reports loss and metrics", one_output),
        SENTENCE("the headline model reports what Keras reports", headline),
        SENTENCE("accuracy means what suits the output and its loss", accuracy_suits),
        SENTENCE("short names are reported in full", short_names),
        SENTENCE("what is wrong is said in Keras's words", messages),
        SENTENCE("a failed compile leaves the one before", failure_changes_nothing),
        SENTENCE("training needs a compile, predicting does not", not_compiled),
        SENTENCE("the total is the weighted sum of the losses", loss_weights),
        SENTENCE("an output without a loss takes no target and is not trained", untrained_output),
        SENTENCE("a top-k metric may say its k", top_k),
        SENTENCE("frozen weights stay, and the flag counts at the next compile", frozen),
    };
    return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
