/* A user's own functions as layers. */
#include "tests/layers/run.h"

static kf_status forward_twice(void *context, const kf_array *in, const kf_shape *shape, float *out,
                               char *message) {
    (void)message;
    const float *x = in[0].data, factor = *(const float *)context;
    for (int64_t i = 0; i < kfi_shape_count(shape); i++) out[i] = factor * x[i];
    return KF_OK;
}

static kf_status gradient_twice(void *context, const kf_array *in, const kf_shape *shape,
                                const float *out, const float *dout, float *const *din,
                                char *message) {
    (void)in, (void)out, (void)message;
    const float factor = *(const float *)context;
    for (int64_t i = 0; i < kfi_shape_count(shape); i++) din[0][i] = factor * dout[i];
    return KF_OK;
}

static kf_status refuse(void *context, const kf_array *in, const kf_shape *shape, float *out,
                        char *message) {
    (void)context, (void)in, (void)shape, (void)out;
    snprintf(message, 256, "not today");
    return KF_INVALID;
}

/* (batch, n), (batch, m) -> (batch): the first of each, added */
static kf_status first_shape(void *context, const kf_shape *in, kf_shape *out, char *message) {
    (void)context;
    if (in[0].rank != 2 || in[1].rank != 2) {
        snprintf(message, 256, "two matrices, please");
        return KF_INVALID;
    }
    *out = KFI_SHAPE(in[0].dims[0]);
    return KF_OK;
}

static kf_status first_forward(void *context, const kf_array *in, const kf_shape *shape, float *out,
                               char *message) {
    (void)context, (void)message;
    const float *a = in[0].data, *b = in[1].data;
    for (int64_t i = 0; i < shape->dims[0]; i++)
        out[i] = a[i * in[0].shape.dims[1]] + b[i * in[1].shape.dims[1]];
    return KF_OK;
}

static float factor = 2;
static const kf_function twice = {.size = sizeof twice,
                                  .name = "twice",
                                  .forward = forward_twice,
                                  .gradient = gradient_twice,
                                  .supports_masking = true,
                                  .context = &factor};
static const kf_function failing = {.size = sizeof failing, .name = "failing", .forward = refuse};
static const kf_function first = {.size = sizeof first,
                                  .name = "first",
                                  .n_inputs = 2,
                                  .shape = first_shape,
                                  .forward = first_forward};

static kf_graph *graph_with_functions(void) {
    kf_graph *g = kf_graph_new();
    check(kf_graph_add_function(g, &twice));
    check(kf_graph_add_function(g, &failing));
    check(kf_graph_add_function(g, &first));
    return g;
}

static const float x4[] = {1, 2, 3, 4}, y4[] = {10, 20, 30, 40};

static void forward(void **state) {
    (void)state;
    kf_graph *g = graph_with_functions();
    trial run = {.batch = 2, .data = {x4, y4}};
    run_layer(kf_apply(kf_lambda("twice"), kf_input(g, {2})), &run);
    VALUES(&run, "(2, 2)", 2, 4, 6, 8);
    run_layer(kf_apply(kf_lambda("first"), kf_input(g, {2}), kf_input(g, {2})), &run);
    VALUES(&run, "(2,)", 11, 33);
    kf_graph_free(g);
}

static void backward(void **state) {
    (void)state;
    kf_graph *g = graph_with_functions();
    kf_layer *layer = kf_lambda("twice");
    kf_apply(layer, kf_input(g, {2}));
    kfi_formula *formula;
    check(kfi_formula_new(false, true, &formula));
    const kfi_value x = kfi_source(formula, "x", KF_FLOAT32, &KFI_SHAPE(2, 2)), none = KFI_NONE;
    kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_mask[KFI_LAYER_MAX_OUTPUTS], dx;
    kfi_layer_call call = {.layer = layer,
                           .formula = formula,
                           .n_in = 1,
                           .in = &x,
                           .in_mask = &none,
                           .out = out,
                           .out_mask = out_mask};
    check(kfi_layer_invoke(&call, 0));
    const kfi_value loss = kfi_emit(formula, "sum_squares", NULL, out[0]);
    check(kfi_differentiate(formula, loss, &x, 1, &dx));
    kfi_plan *plan;
    check(kfi_plan_new(formula, &dx, 1, &plan));
    kfi_plan_feed(plan, x, x4);
    kfi_arena arena = {0};
    check(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 2}));
    assert_near(kfi_plan_result(plan, 0)->data, (const float[]){8, 16, 24, 32}, 4);
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    kf_graph_free(g);
}

static void failure(void **state) {
    (void)state;
    kf_graph *g = graph_with_functions();
    trial run = {.batch = 2, .data = {x4}};
    kf_tensor *y = kf_apply(kf_lambda("failing"), kf_input(g, {2}));
    assert_int_equal(try_layer(y, &run), KF_INVALID);
    assert_string_equal(kf_last_error(), "function failing failed: not today");
    kf_graph_free(g);
}

static void refusals(void **state) {
    (void)state;
    kf_graph *g;
    FAILS(kf_apply(kf_lambda("thrice"), kf_input(g, {2})),
          "lambda_1: the graph has no function 'thrice': kf_graph_add_function makes it known");
    kf_graph *h = graph_with_functions();
    kf_tensor *y = kf_apply(kf_lambda("twice"), kf_input(h, {2}), kf_input(h, {2}));
    assert_fails(h, y, "lambda_1: function twice takes 1 inputs, got 2");
    h = graph_with_functions();
    y = kf_apply(kf_lambda("first"), kf_input(h, {2, 2}), kf_input(h, {2}));
    assert_fails(h, y,
                 "lambda_1: function first does not take inputs of these shapes: two matrices, "
                 "please");
    h = graph_with_functions();
    assert_int_equal(kf_graph_add_function(h, &twice), KF_USAGE);
    assert_string_equal(kf_last_error(), "the graph has a function twice already");
    kf_function bad = twice;
    bad.name = NULL;
    assert_int_equal(kf_graph_add_function(h, &bad), KF_USAGE);
    kf_graph_free(h);
}

static void files(void **state) {
    (void)state;
    char text[256];
    kf_layer *layer = kf_lambda("twice");
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    kfi_value_print(config, text, sizeof text);
    assert_string_equal(text, "{'function': 'twice', 'function_type': 'function', 'output_shape': "
                              "None, 'output_shape_type': 'raw', 'arguments': {}}");
    kf_layer *again = kfi_layer_from_arguments(layer->class, config, NULL, NULL);
    assert_int_equal(again->status, KF_OK);
    kfi_variant_free(config);
    kf_layer_free(again);
    kf_layer_free(layer);
    kf_layer_free(kf_layer_named("Lambda", "function=['4wEAAAA', None, None], "
                                           "function_type='lambda'"));
    assert_string_equal(kf_last_error(),
                        "Lambda: function must be the name of a function of the graph; this file "
                        "has Python code, which is not run");
    kf_layer_free(kf_layer_named("Lambda", "function='f', arguments={'a': 1}"));
    assert_string_equal(kf_last_error(), "Lambda: arguments must be empty: a function of the graph "
                                         "takes nothing else");
}

static void memory(void **state) {
    (void)state;
    for (int64_t n = 1;; n++) {
        kf_graph *g = kf_graph_new();
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(n);
        kf_status status = kf_graph_add_function(g, &twice);
        if (status == KF_OK) {
            kf_apply(kf_lambda("twice"), kf_input(g, {2}));
            status = kf_graph_error(g);
        }
        kfi_fail_allocation(0);
        const bool enough = kfi_allocations() - before < n;
        kf_graph_free(g);
        if (enough) {
            assert_int_equal(status, KF_OK);
            return;
        }
        assert_int_equal(status, KF_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a function of the graph is a layer", forward),
        SENTENCE("training goes through its own derivative", backward),
        SENTENCE("it may fail, with its message", failure),
        SENTENCE("unknown functions, wrong inputs and names twice are refused", refusals),
        SENTENCE("it is saved by its name; Python code is refused", files),
        SENTENCE("every allocation may fail", memory),
    };
    return cmocka_run_group_tests_name("functions", tests, NULL, NULL);
}
