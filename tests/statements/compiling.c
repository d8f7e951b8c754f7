/* Statements about compile: its arguments, the loss that is minimised, weights of samples. */
#include "tests/statements/line.h"

#include "core/train/training.h"

static const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1}, zeros[8];

/* Outputs a = x and b = 2 x of one input. */
static kf_model *make_pair(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *a = kf_apply(kf_dense(1, .no_bias = true, .name = "a"), x);
    kf_tensor *b =
        kf_apply(kf_dense(1, .no_bias = true, .name = "b", .kernel_regularizer = "l2(0.25)"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(a, b));
    ok(kf_model_error(model));
    ok(kf_weight_set(kf_model_weight(model, 0), (const float[]){1}, 1));
    ok(kf_weight_set(kf_model_weight(model, 1), (const float[]){2}, 1));
    return model;
}

static void s23_without_a_loss_layers_must_add_one(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    const kf_array data[] = {ROWS("x", ones, 2, 1)};
    double loss;
    kf_model *none = make_line(graph);
    assert_int_equal(kf_compile(none, .optimizer = kf_sgd(0.5)), KF_USAGE);
    says("The model cannot be compiled because it has no loss to optimize.");
    kf_model *pair = make_pair(graph);
    ok(kf_compile(pair, .optimizer = kf_sgd(0.5))); /* 0.25 b^2 */
    assert_int_equal(kf_metrics(pair), 1);
    ok(kf_train_on_batch(pair, data, 1, &loss));
    near(loss, 1);
    float b;
    ok(kf_weight_get(kf_model_weight(pair, 1), &b, 1));
    near((double)b, 2 - 0.5 * 1);
    kf_dataset *dataset = kf_dataset_arrays(data, 1);
    ok(kf_fit(pair, dataset, .epochs = 2));
    ok(kf_evaluate(pair, dataset, &loss));
    near(loss, 0.25 * pow(1.5 * 0.75 * 0.75, 2));
    ok(kf_compile(pair, .optimizer = kf_adam(0.001), .loss = "mse", .metrics = {"mae"},
                  .weighted_metrics = {"mse"}, .loss_weights = {1, 0.5}));
    kf_dataset_free(dataset);
    kf_graph_free(graph);
}

/* The pair's losses for x = 1 and targets 0 are 1 and 4, its penalty 1. */
static const kf_array *pair_data(void) {
    static kf_array data[3];
    data[0] = ROWS("x", ones, 2, 1);
    data[1] = ROWS("a", zeros, 2, 1);
    data[2] = ROWS("b", zeros, 2, 1);
    return data;
}

static void s24_the_loss_is_the_weighted_sum_and_the_penalties(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *pair = make_pair(graph);
    double values[3];
    ok(kf_compile(pair, .loss = "mse"));
    ok(kf_test_on_batch(pair, pair_data(), 3, values));
    near(values[0], 1 + 4 + 1);
    near(values[1], 1);
    near(values[2], 4);
    ok(kf_compile(pair, .loss = "mse", .loss_weights = {0.5, 0.2}));
    ok(kf_test_on_batch(pair, pair_data(), 3, values));
    near(values[0], 0.5 * 1 + 0.2 * 4 + 1);
    near(values[2], 4); /* reported without its weight */
    kf_graph_free(graph);
}

static void s25_coefficients_go_by_output_name(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *pair = make_pair(graph);
    double values[3];
    ok(kf_compile(pair, .loss = "mse", .outputs = {{"b", .loss_weight = 0.2}}));
    ok(kf_test_on_batch(pair, pair_data(), 3, values));
    near(values[0], 1 + 0.2 * 4 + 1); /* a counts 1 */
    assert_int_equal(kf_compile(pair, .loss = "mse", .outputs = {{"c", .loss_weight = 0.2}}),
                     KF_USAGE);
    says_of("Unknown entry in loss");
    says_of("\"c\"");
    kf_graph_free(graph);
}

/* y = w x by timestep: (3 steps, 1). */
static kf_model *make_steps(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {3, 1}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(1, .no_bias = true, .name = "y"), x);
    kf_tensor *z = kf_apply(kf_activation("linear", .name = "z"), y);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y, z));
    ok(kf_model_error(model));
    ok(kf_weight_set(kf_model_weight(model, 0), (const float[]){1}, 1));
    return model;
}

static void s26_temporal_weights_are_two_dimensional(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = make_steps(graph);
    static const float x[6] = {1, 2, 3, 4, 5, 6}, by_step[6] = {1, 0, 0, 0, 2, 0},
                       by_sample[2] = {0, 1};
    kf_array data[] = {ROWS(NULL, x, 2, 3, 1), ROWS(NULL, zeros, 2, 3, 1),
                       ROWS(NULL, zeros, 2, 3, 1), ROWS(NULL, by_step, 2, 3),
                       ROWS(NULL, by_sample, 2)};
    double values[3];
    ok(kf_compile(model, .loss = "mse", .outputs = {{"y", .sample_weight_mode = "temporal"}}));
    ok(kf_test_on_batch(model, data, 5, values));
    near(values[1], (1 * 1 + 2 * 25) / 2.0);
    near(values[2], (16 + 25 + 36) / 3.0);
    data[3] = ROWS(NULL, by_sample, 2);
    assert_int_equal(kf_test_on_batch(model, data, 5, values), KF_INVALID);
    says_of("you should pass a 2D sample_weight array");
    kfi_variant *modes = kfi_variant_dict();
    ok(kfi_variant_put(modes, "y", kfi_variant_string("temporal")));
    assert_int_equal(
        kfi_compile(model, kf_optimizer_named("sgd"), kfi_variant_string("mse"), NULL, NULL, modes),
        KF_USAGE);
    says("Output \"z\" missing from sample_weight_modes dictionary");
    kf_graph_free(graph);
}

static void s27_weighted_metrics_follow_sample_or_class_weights(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = make_line(graph);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse", .metrics = {"mae"},
                  .weighted_metrics = {"mae"}));
    assert_string_equal(kf_metrics_name(model, 1), "mean_absolute_error");
    assert_string_equal(kf_metrics_name(model, 2), "weighted_mean_absolute_error");
    const float x[] = {1, 4}, y[] = {0, 1}, weights[] = {1, 3};
    const kf_array data[] = {ROWS("x", x, 2, 1), ROWS("y", y, 2, 1),
                             ROWS("y_sample_weight", weights, 2)};
    double by_sample[3], by_class[3];
    ok(kf_train_on_batch(model, data, 3, by_sample));
    near(by_sample[0], (1 * 1 + 3 * 9) / 2.0);
    near(by_sample[1], (1 + 3) / 2.0);
    near(by_sample[2], (1 * 1 + 3 * 3) / 2.0);
    const kf_batch_options options = {.size = sizeof options,
                                      .class_weight = kf_class_weights({0, 1}, {1, 3})};
    ok(kf_train_on_batch_with(model, data, 2, by_class, &options));
    for (int i = 0; i < 3; i++) near(by_class[i], by_sample[i]);
    kf_graph_free(graph);
}

static void s28_predicting_needs_no_compile(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = make_line(graph);
    kf_dataset *data = count_up(3);
    float got[3];
    ok(kf_predict(model, data, (float *[]){got}));
    near((double)got[2], 3);
    double loss;
    assert_int_equal(kf_evaluate(model, data, &loss), KF_USAGE);
    says_of("You must compile a model before training/testing.");
    kf_dataset_free(data);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("s23 without a loss, layers must add one", s23_without_a_loss_layers_must_add_one),
        SENTENCE("s24 the loss is the weighted sum of losses, and penalties",
                 s24_the_loss_is_the_weighted_sum_and_the_penalties),
        SENTENCE("s25 coefficients go by output name", s25_coefficients_go_by_output_name),
        SENTENCE("s26 temporal weights have two dimensions, and modes name every output",
                 s26_temporal_weights_are_two_dimensional),
        SENTENCE("s27 weighted metrics follow weights by sample or by class",
                 s27_weighted_metrics_follow_sample_or_class_weights),
        SENTENCE("s28 predicting needs no compile", s28_predicting_needs_no_compile),
    };
    return cmocka_run_group_tests_name("compiling", tests, NULL, NULL);
}
