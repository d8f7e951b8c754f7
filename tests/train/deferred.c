/* A Sequential that is compiled, and trained, before it knows its input. */
#include "tests/train/support.h"

#include <unistd.h>

static const float x[] = {1, 2, 3, 4, 5, 6, 7, 8}, y[] = {1, 0, 1, 1};

static kf_model *waiting_model(kf_graph *g) {
    kf_model *model = kf_sequential_new(g, .name = "late");
    ok(kf_sequential_add(model, kf_dense(3, .activation = "tanh")));
    ok(kf_sequential_add(model, kf_dense(1, .name = "end")));
    return model;
}

static kf_dataset *unnamed_data(void) {
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){ARRAY(NULL, x, 4, 2), ARRAY(NULL, y, 4, 1)}, 2);
    assert_non_null(data);
    return data;
}

/* The same layers, with the input told at once. */
static void losses_of_known(double *losses) {
    kf_graph *g = kf_graph_new();
    kf_model *model = kf_sequential_new(g, .name = "late", .input_shape = {2});
    ok(kf_sequential_add(model, kf_dense(3, .activation = "tanh")));
    ok(kf_sequential_add(model, kf_dense(1, .name = "end")));
    ok(kf_compile(model, .optimizer = kf_sgd(0.1), .loss = "mse", .metrics = {"mae"}));
    const kf_array arrays[] = {ARRAY(NULL, x, 4, 2), ARRAY(NULL, y, 4, 1)};
    for (int i = 0; i < 2; i++) ok(kf_train_on_batch(model, arrays, 2, losses + 2 * i));
    kf_graph_free(g);
}

static void batches_build(void **state) {
    (void)state;
    double known[4], values[2];
    losses_of_known(known);
    kf_graph *g = kf_graph_new();
    kf_model *model = waiting_model(g);
    ok(kf_compile(model, .optimizer = kf_sgd(0.1), .loss = "mse", .metrics = {"mae"}));
    assert_int_equal(kf_metrics(model), 0);
    const kf_array arrays[] = {ARRAY(NULL, x, 4, 2), ARRAY(NULL, y, 4, 1)};
    for (int i = 0; i < 2; i++) {
        ok(kf_train_on_batch(model, arrays, 2, values));
        assert_true(values[0] == known[2 * i] && values[1] == known[2 * i + 1]);
    }
    assert_string_equal(kf_metrics_name(model, 1), "mean_absolute_error");
    assert_string_equal(kf_model_input_name(model, 0), "late_input");
    kf_graph_free(g);
}

static void fit_builds(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_dataset *data = unnamed_data();
    kf_model *model = waiting_model(g);
    refuses(kf_fit(model, data), KF_USAGE, "You must compile a model before training/testing.");
    model = waiting_model(g);
    ok(kf_compile(model, .outputs = {{.output = "end", .loss = "mse", .loss_weight = 0.5}}));
    ok(kf_fit(model, data, .epochs = 2));
    assert_int_equal(kf_model_parameters(model, NULL), 13);
    double values[1];
    ok(kf_evaluate(model, data, values));
    kf_model *predicts = waiting_model(g), *evaluates = waiting_model(g);
    float out[4];
    ok(kf_predict(predicts, data, (float *const[]){out}));
    ok(kf_compile(evaluates, .loss = "mse"));
    ok(kf_evaluate(evaluates, data, values));
    kf_dataset_free(data);
    kf_graph_free(g);
}

static void building_compiles(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_dataset *data = unnamed_data();
    kf_model *model = waiting_model(g);
    ok(kf_compile(model, .loss = "no such"));
    ok(kf_compile(model, .loss = "mse")); /* the last one counts */
    ok(kf_sequential_build(model, &(kf_shape){2, {KF_ANY, 2}}));
    double values[1];
    ok(kf_evaluate(model, data, values));
    ok(kf_sequential_add(model, kf_dense(1)));
    refuses(kf_evaluate(model, data, values), KF_USAGE, "You must compile a model");
    kf_dataset_free(data);
    kf_graph_free(g);
}

static void mistakes_are_told(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *model = waiting_model(g);
    refuses(kf_compile(model, .optimizer = kf_optimizer_named("adm"), .loss = "mse"), KF_INVALID,
            "adm");
    ok(kf_compile(model, .loss = "nope"));
    const kf_array arrays[] = {ARRAY(NULL, x, 4, 2), ARRAY(NULL, y, 4, 1)};
    refuses(kf_train_on_batch(model, arrays, 2, NULL), KF_INVALID, "Unknown loss function:nope");
    kf_model *named = waiting_model(g);
    ok(kf_compile(named, .loss = "mse"));
    const kf_array wrong[] = {ARRAY("image", x, 4, 2), ARRAY("end", y, 4, 1)};
    refuses(kf_train_on_batch(named, wrong, 2, NULL), KF_INVALID, "no field \"late_input\"");
    const kf_array right[] = {ARRAY("end", y, 4, 1), ARRAY("late_input", x, 4, 2)};
    ok(kf_train_on_batch(named, right, 2, NULL));
    char *text;
    refuses(kf_model_summary(waiting_model(g), &text), KF_USAGE,
            "This model has not yet been built.");
    kf_graph_free(g);
}

/* Keras saves such a model with its compilation and no weights. */
static void it_is_saved(void **state) {
    (void)state;
    char path[256];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/kf_deferred_%ld.h5", folder ? folder : "/tmp", (long)getpid());
    kf_graph *g = kf_graph_new(), *h = kf_graph_new();
    kf_model *model = waiting_model(g);
    ok(kf_compile(model, .optimizer = kf_sgd(0.1), .loss = "mse"));
    ok(kf_save(model, path));
    kf_model *loaded = kf_load(h, path);
    refuses(kf_model_error(loaded), KF_USAGE, "This model has not yet been built.");
    assert_int_equal(kf_model_layers(loaded), 2);
    const kf_array arrays[] = {ARRAY(NULL, x, 4, 2), ARRAY(NULL, y, 4, 1)};
    double known[4], value;
    losses_of_known(known);
    ok(kf_train_on_batch(loaded, arrays, 2, &value));
    assert_true(value == known[0]);
    near(kf_learning_rate(loaded), 0.1);
    assert_int_equal(remove(path), 0);
    kf_graph_free(g);
    kf_graph_free(h);
}

static kf_status compile_and_train(kf_graph *g) {
    kf_model *model = kf_sequential_new(g);
    kf_status status = kf_sequential_add(model, kf_dense(1));
    if (status == KF_OK) status = kf_compile(model, .loss = "mse");
    const kf_array arrays[] = {ARRAY(NULL, x, 4, 2), ARRAY(NULL, y, 4, 1)};
    return status == KF_OK ? kf_test_on_batch(model, arrays, 2, NULL) : status;
}

static void memory_may_run_out(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_graph *g = kf_graph_new();
        const kf_status status = g ? compile_and_train(g) : KF_MEMORY;
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        if (all) ok(status);
        kf_graph_free(g);
        if (all) break;
        assert_int_not_equal(status, KF_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("the first batch builds a Sequential, and it trains as if it had known",
                 batches_build),
        SENTENCE("fit, evaluate and predict build it", fit_builds),
        SENTENCE("a compilation waits until the model is built", building_compiles),
        SENTENCE("what is wrong is said when the model is built", mistakes_are_told),
        SENTENCE("it is saved and loaded before it is built", it_is_saved),
        SENTENCE("any allocation may fail, cleanly", memory_may_run_out),
    };
    return cmocka_run_group_tests_name("deferred", tests, NULL, NULL);
}
