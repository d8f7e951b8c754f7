/* Regularizers, ActivityRegularization and constraints. */
#include "core/layers/constraints.h"
#include "core/layers/options.h"
#include "tests/layers/run.h"

static void penalties_are_sums(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_dense(2, .no_bias = true, .kernel_regularizer = "l1_l2(l1=0.5, l2=0.25)");
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    set_weight(layer, 0, (float[]){1, -2, 3, 0}, 4);
    trial run = {.batch = 2, .data = {(float[]){1, 1, 1, 1}}};
    run_layer(y, &run);
    assert_near(&run.loss, (float[]){0.5f * 6 + 0.25f * 14}, 1);
    kf_graph_free(g);
}

static void activity_counts_the_whole_batch(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    trial run = {.batch = 2, .data = {(float[]){1, -2, 3, 0}}};
    run_layer(kf_apply(kf_activity_regularization(.l1 = 0.5, .l2 = 0.25), kf_input(g, {2})), &run);
    VALUES(&run, "(2, 2)", 1, -2, 3, 0);
    assert_near(&run.loss, (float[]){0.5f * 6 + 0.25f * 14}, 1);
    kf_layer *layer = kf_dense(1, .activity_regularizer = "l2(1.0)");
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    set_weight(layer, 0, (float[]){1, 1}, 2);
    run_layer(y, &run);
    assert_near(&run.loss, (float[]){10}, 1); /* (1 - 2)^2 + 3^2 */
    kf_graph_free(g);
}

/* Both calls in one formula: the kernel counts once, what comes out twice. */
static void shared_layers(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_dense(3, .kernel_regularizer = "l2", .activity_regularizer = "l1");
    kf_tensor *in = kf_input(g, {2});
    kf_apply(layer, in);
    kfi_formula *formula;
    check(kfi_formula_new(false, false, &formula));
    const kfi_value x = kfi_source(formula, "x", KF_FLOAT32, &KFI_SHAPE(4, 2)), none = KFI_NONE;
    const kfi_value *losses;
    for (int i = 0; i < 2; i++) {
        kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_mask[KFI_LAYER_MAX_OUTPUTS];
        kfi_layer_call call = {.layer = layer,
                               .formula = formula,
                               .n_in = 1,
                               .in = &x,
                               .in_mask = &none,
                               .out = out,
                               .out_mask = out_mask};
        check(kfi_layer_invoke(&call, i));
    }
    assert_int_equal(kfi_added_losses(formula, &losses), 3);
    kfi_formula_free(formula);
    kf_graph_free(g);
}

/* As in Keras 2.2.4: a wrapper's penalty is that of the layer inside, on the wrapper's output;
 * TimeDistributed adds it a second time, and forgets those of the layers of a model inside. */
static void wrappers(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_dense(1, .activity_regularizer = "l2(1.0)", .kernel_regularizer = "l1(1)");
    trial run = {.batch = 1, .data = {(float[]){1, -2, 3, 0}}};
    kf_tensor *y = kf_apply(kf_time_distributed(dense), kf_input(g, {2, 2}));
    set_weight(dense, 0, (float[]){1, 1}, 2);
    run_layer(y, &run);
    assert_near(&run.loss, (float[]){2 * 10 + 2}, 1);
    y = kf_apply(kf_time_distributed(kf_activity_regularization(.l2 = 1)), kf_input(g, {2, 2}));
    run_layer(y, &run);
    assert_near(&run.loss, (float[]){2 * 14}, 1);

    kf_layer *rnn = kf_simple_rnn(1, .activation = "linear", .activity_regularizer = "l2(1.0)",
                                  .kernel_initializer = "ones", .recurrent_initializer = "ones");
    y = kf_apply(kf_bidirectional(rnn, .merge_mode = "sum"), kf_input(g, {4, 1}));
    run_layer(y, &run);
    VALUES(&run, "(1, 1)", 4);
    assert_near(&run.loss, (float[]){16}, 1); /* and not 2^2 + 2^2 */
    kf_graph_free(g);
}

/* What a constraint makes of w (2, 2). */
static void becomes(const char *constraint, const float *w, const float *expected) {
    kfi_formula *formula;
    check(kfi_formula_new(false, false, &formula));
    const kfi_value x = kfi_source(formula, "w", KF_FLOAT32, &KFI_SHAPE(2, 2));
    const kfi_value y = kfi_constrain(formula, constraint, x);
    kfi_plan *plan;
    check(kfi_plan_new(formula, &y, 1, &plan));
    kfi_plan_feed(plan, x, w);
    kfi_arena arena = {0};
    check(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}));
    assert_near(kfi_plan_result(plan, 0)->data, expected, 4);
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
}

static void constraints(void **state) {
    (void)state;
    const float w[] = {3, -0.6f, 4, 0.8f}; /* columns of length 5 and 1, rows 3.06 and 4.08 */
    becomes("non_neg", w, (float[]){3, 0, 4, 0.8f});
    becomes("max_norm(2)", w, (float[]){1.2f, -0.6f, 1.6f, 0.8f});
    becomes("MaxNorm", w, (float[]){1.2f, -0.6f, 1.6f, 0.8f});
    becomes("max_norm(max_value=20.0, axis=[0, 1])", w, w);
    becomes("unit_norm", w, (float[]){0.6f, -0.6f, 0.8f, 0.8f});
    becomes(
        "unit_norm(axis=1)", w,
        (float[]){3 / sqrtf(9.36f), -0.6f / sqrtf(9.36f), 4 / sqrtf(16.64f), 0.8f / sqrtf(16.64f)});
    becomes("min_max_norm(2.0, 3.0)", w, (float[]){1.8f, -1.2f, 2.4f, 1.6f});
    becomes("min_max_norm(2.0, 3.0, rate=0.5)", w, (float[]){2.4f, -0.9f, 3.2f, 1.2f});
    const float zero[] = {0, 1, 0, 0};
    becomes("unit_norm", zero, zero); /* no division by 0 */
}

static void json_is(const kfi_object_kind *kind, const char *text, const char *expected) {
    char printed[256], *name;
    kfi_variant *arguments, *json;
    check(kfi_object_parse(text, &name, &arguments));
    check(kind->config(name, arguments, &json));
    kfi_value_print(json, printed, sizeof printed);
    assert_string_equal(printed, expected);
    kfi_free(name);
    kfi_variant_free(arguments);
    kfi_variant_free(json);
}

static void configurations(void **state) {
    (void)state;
    json_is(&kfi_regularizers, "l2", "L1L2(l1=0.0, l2=0.009999999776482582)");
    json_is(&kfi_regularizers, "l1(0.5)", "L1L2(l1=0.5, l2=0.0)");
    json_is(&kfi_regularizers, "L1L2(l2=0.25)", "L1L2(l1=0.0, l2=0.25)");
    json_is(&kfi_constraints, "max_norm", "MaxNorm(max_value=2.0, axis=0)");
    json_is(&kfi_constraints, "MaxNorm(0.5, [0, 1, 2])", "MaxNorm(max_value=0.5, axis=[0, 1, 2])");
    json_is(&kfi_constraints, "nonneg", "NonNeg()");
    json_is(&kfi_constraints, "unitnorm(axis=1)", "UnitNorm(axis=1)");
    json_is(&kfi_constraints, "MinMaxNorm",
            "MinMaxNorm(min_value=0.0, max_value=1.0, rate=1.0, axis=0)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("wrappers count what Keras counts", wrappers),
        SENTENCE("penalties on weights are sums that enter the loss", penalties_are_sums),
        SENTENCE("those on outputs are sums over the whole batch", activity_counts_the_whole_batch),
        SENTENCE("a shared weight counts once, an output at every call", shared_layers),
        SENTENCE("constraints bring weights back", constraints),
        SENTENCE("both are written as Keras writes them", configurations),
    };
    return cmocka_run_group_tests_name("penalties", tests, NULL, NULL);
}
