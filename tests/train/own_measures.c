/* A user's own losses and metrics: functions of the graph, found by name. */
#include "tests/train/support.h"

/* sum_i (p_i - t_i)^4 of each row */
static kf_status fourth(void *context, const kf_array *in, const kf_shape *shape, float *out,
                        char *message) {
    (void)context, (void)message;
    const int64_t rows = shape->dims[0], n = in[1].shape.dims[1];
    const float *t = in[0].data, *p = in[1].data;
    for (int64_t r = 0; r < rows; r++) {
        out[r] = 0;
        for (int64_t i = r * n; i < (r + 1) * n; i++) out[r] += powf(p[i] - t[i], 4);
    }
    return KF_OK;
}

static kf_status through_fourth(void *context, const kf_array *in, const kf_shape *shape,
                                const float *out, const float *dout, float *const *din,
                                char *message) {
    (void)context, (void)out, (void)message;
    const int64_t rows = shape->dims[0], n = in[1].shape.dims[1];
    const float *t = in[0].data, *p = in[1].data;
    for (int64_t i = 0; din[1] && i < rows * n; i++)
        din[1][i] = 4 * powf(p[i] - t[i], 3) * dout[i / n];
    return KF_OK;
}

static kf_status fails(void *context, const kf_array *in, const kf_shape *shape, float *out,
                       char *message) {
    (void)context, (void)in, (void)shape, (void)out;
    strcpy(message, "it is too late");
    return KF_INVALID;
}

static void know(kf_graph *graph) {
    ok(kf_graph_add_function(graph, &(kf_function){.size = sizeof(kf_function),
                                                   .name = "fourth_power",
                                                   .n_inputs = 2,
                                                   .forward = fourth,
                                                   .gradient = through_fourth}));
    ok(kf_graph_add_function(graph, &(kf_function){.size = sizeof(kf_function),
                                                   .name = "distance",
                                                   .n_inputs = 2,
                                                   .forward = fourth}));
    ok(kf_graph_add_function(
        graph, &(kf_function){.size = sizeof(kf_function), .name = "single", .forward = fourth}));
    ok(kf_graph_add_function(
        graph, &(kf_function){
                   .size = sizeof(kf_function), .name = "late", .n_inputs = 2, .forward = fails}));
}

static const float x[] = {1, 2}, zero[] = {0, 0};
static const float weights[] = {3, 0};
#define BATCH                                                                                      \
    ((const kf_array[]){ARRAY("x", x, 2), ARRAY("y", zero, 2), ARRAY("sample_weight", weights, 2)})

static void as_loss(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    know(graph);
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(0.01f), .loss = "fourth_power",
                  .metrics = {"distance", "mse"}, .weighted_metrics = {"distance"}));
    assert_string_equal(kf_metrics_name(model, 1), "distance");
    assert_string_equal(kf_metrics_name(model, 3), "weighted_distance");
    double values[4];
    ok(kf_test_on_batch(model, BATCH, 2, values));
    near(values[0], 8.5);
    near(values[1], 8.5);
    ok(kf_test_on_batch(model, BATCH, 3, values));
    near(values[0], 3);
    near(values[1], 8.5);
    near(values[3], 3);
    ok(kf_train_on_batch(model, BATCH, 2, NULL));
    near((double)weight_of(model), 1 - 0.01 * (4 * 1 + 4 * 8 * 2) / 2);
    kf_graph_free(graph);
}

static void refused(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    know(graph);
    kf_model *model = line_model(graph, 1);
    refuses(kf_compile(model, .loss = "distance"), KF_INVALID, "distance has no gradient");
    refuses(kf_compile(model, .loss = "single"), KF_INVALID, "single takes 1 inputs");
    refuses(kf_compile(model, .loss = "nope"), KF_INVALID, "Unknown loss function:nope");
    refuses(kf_compile(model, .loss = "mse", .metrics = {"nope"}), KF_INVALID,
            "Unknown metric function:nope");
    ok(kf_compile(model, .loss = "mse", .metrics = {"late"}));
    refuses(kf_test_on_batch(model, BATCH, 2, NULL), KF_INVALID, "it is too late");
    kf_graph_free(graph);
}

static void from_a_file(void **state) {
    (void)state;
    const char *folder = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/kf-own-measures-XXXXXX", folder ? folder : "/tmp");
    const int file = mkstemp(path);
    assert_true(file >= 0);
    kf_graph *graph = kf_graph_new();
    know(graph);
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "fourth_power"));
    ok(kf_save(model, path));
    kf_graph *other = kf_graph_new();
    assert_int_not_equal(kf_model_error(kf_load(other, path)), KF_OK);
    says("Unknown loss function:fourth_power");
    kf_graph_free(other);
    other = kf_graph_new();
    know(other);
    kf_model *loaded = kf_load(other, path);
    ok(kf_model_error(loaded));
    double loss;
    ok(kf_test_on_batch(loaded, BATCH, 2, &loss));
    near(loss, 8.5);
    kf_graph_free(other);
    kf_graph_free(graph);
    remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a function of the graph is a loss or a metric", as_loss),
        SENTENCE("one that is none is refused, and one that fails ends the run", refused),
        SENTENCE("a saved model finds its loss by name in the graph", from_a_file),
    };
    return cmocka_run_group_tests_name("own_measures", tests, NULL, NULL);
}
