/* Any allocation may fail: the error is clean, and nothing is lost (the sanitizers look). */
#include "tests/model/support.h"

/* Does the work with its first, second, third … allocation failing, until none fails. */
static void sweep(kf_status (*work)(const void *), const void *context) {
    int64_t n = 1;
    for (;; n++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(n);
        const kf_status status = work(context);
        kfi_fail_allocation(0);
        if (kfi_allocations() - before < n) {
            assert_int_equal(status, KF_OK);
            break;
        }
        if (status != KF_MEMORY)
            fail_msg("allocation %lld: status %d, \"%s\"", (long long)n, (int)status,
                     kf_last_error());
    }
    assert_true(n > 10);
}

static kf_status build(const void *context) {
    (void)context;
    kf_graph *g = kf_graph_new();
    if (!g) return KF_MEMORY;
    kf_tensor *in = kf_input(g, {4});
    kf_tensor *x = kf_apply(kf_dense(3), in);
    kf_model *inner = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(x));
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(g, {4});
    kf_tensor *xa = kf_apply(kf_model_layer(inner), a), *xb = kf_apply(kf_model_layer(inner), b);
    kf_tensor *y = kf_apply(kf_concatenate(), xa, xb);
    kf_model *m = kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(y));
    const kf_status status = kf_model_error(m);
    kf_graph_free(g);
    return status;
}

static kf_status read(const void *config) {
    kf_graph *g = kf_graph_new();
    if (!g) return KF_MEMORY;
    const kf_status status = kf_model_error(kfi_model_from_config(g, config));
    kf_graph_free(g);
    return status;
}

static kf_status print(const void *model) {
    char *text;
    const kf_status status = kf_model_to_json(model, &text);
    assert_true(!text == (status != KF_OK));
    kf_free(text);
    return status;
}

static kf_status summarise(const void *model) {
    char *text;
    const kf_status status = kf_model_summary(model, &text);
    assert_true(!text == (status != KF_OK));
    kf_free(text);
    return status;
}

static kf_status list(const void *model) {
    kfi_keras_file content;
    const kf_status status = kfi_model_content(model, &content);
    kfi_model_content_free(&content);
    return status;
}

static void building(void **state) {
    (void)state;
    sweep(build, NULL);
}

static void reading(void **state) {
    (void)state;
    static const char *const configs[] = {"nested_bn", "sequential_in_sequential", "residual"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char *text = read_config(configs[i]);
        kfi_variant *config;
        assert_int_equal(kfi_json_parse(text, strlen(text), configs[i], &config), KF_OK);
        sweep(read, config);
        kfi_variant_free(config);
        free(text);
    }
}

static void on_models(kf_status (*work)(const void *)) {
    static const char *const configs[] = {"nested_bn", "sequential_in_sequential"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char *text = read_config(configs[i]);
        kf_graph *g = kf_graph_new();
        kf_model *m = kf_model_from_json(g, text);
        assert_good(m);
        sweep(work, m);
        kf_graph_free(g);
        free(text);
    }
}

static void printing(void **state) {
    (void)state;
    on_models(print);
}

static void summarising(void **state) {
    (void)state;
    on_models(summarise);
}

static void listing(void **state) {
    (void)state;
    on_models(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("building a model survives any failing allocation", building),
        SENTENCE("reading a config survives any failing allocation", reading),
        SENTENCE("printing a config survives any failing allocation", printing),
        SENTENCE("a summary survives any failing allocation", summarising),
        SENTENCE("listing weights survives any failing allocation", listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
