/* Merges: values, broadcasting, masks, and the modes of Keras 1. */
#include "tests/layers/run.h"

static const float a4[] = {1, 2, 3, 4}, b4[] = {4, -2, 3, 0};

static void elementwise(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(g, {4});
    trial run = {.batch = 1, .data = {a4, b4, a4}};
    run_layer(kf_apply(kf_subtract(), a, b), &run);
    VALUES(&run, "(1, 4)", -3, 4, 0, 4);
    run_layer(kf_apply(kf_average(), a, b, a), &run);
    VALUES(&run, "(1, 4)", 2, 2 / 3.0f, 3, 8 / 3.0f);
    run_layer(kf_apply(kf_maximum(), a, b), &run);
    VALUES(&run, "(1, 4)", 4, 2, 3, 4);
    run_layer(kf_apply(kf_minimum(), a, b), &run);
    VALUES(&run, "(1, 4)", 1, -2, 3, 0);
    kf_graph_free(g);
}

static void broadcasting(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float rows[] = {1, 2, 3, 4, 5, 6}, row[] = {10, 20, 30};
    trial run = {.batch = 1, .data = {rows, row}};
    run_layer(kf_apply(kf_average(), kf_input(g, {2, 3}), kf_input(g, {3})), &run);
    VALUES(&run, "(1, 2, 3)", 5.5f, 11, 16.5f, 7, 12.5f, 18);
    kf_graph_free(g);
}

static void dots(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 2, 1, 0, 1};
    trial run = {.batch = 1, .data = {a, b}};
    run_layer(kf_apply(kf_dot({1}), kf_input(g, {3}), kf_input(g, {3})), &run);
    VALUES(&run, "(1, 1)", 7);
    run_layer(kf_apply(kf_dot({2, 1}), kf_input(g, {2, 3}), kf_input(g, {3, 2})), &run);
    VALUES(&run, "(1, 2, 2)", 5, 5, 14, 11);
    run_layer(kf_apply(kf_dot({-1}), kf_input(g, {2, 3}), kf_input(g, {2, 3})), &run);
    VALUES(&run, "(1, 2, 2)", 7, 4, 16, 10);
    run_layer(kf_apply(kf_dot({1}), kf_input(g, {3, 2}), kf_input(g, {3})), &run);
    VALUES(&run, "(1, 2)", 11, 14);
    kf_graph_free(g);
}

static void dot_over_many_axes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *y = kf_apply(kf_dot({2, 1}), kf_input(g, {2, 2, 2}), kf_input(g, {2, 3}));
    assert_shape(y, "(None, 2, 2, 3)");
    const float a[] = {1, 2, 3, 4, 5, 6, 7, 8}, b[] = {1, 0, 2, 0, 1, 1};
    trial run = {.batch = 1, .data = {a, b}};
    run_layer(y, &run); /* sum over k of a[i, k, j] b[k, l] */
    VALUES(&run, "(1, 2, 2, 3)", 1, 3, 5, 2, 4, 8, 5, 7, 17, 6, 8, 20);
    kf_graph_free(g);
}

static void cosine(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float a[] = {3, 4, 0, 0}, b[] = {4, 3, 1, 1};
    trial run = {.batch = 2, .data = {a, b}};
    kf_tensor *x = kf_input(g, {2}), *y = kf_input(g, {2});
    run_layer(kf_apply(kf_dot({1}, .normalize = true), x, y), &run);
    VALUES(&run, "(2, 1)", 24 / 25.0f, 0);
    run_layer(kf_apply(kf_merge("cos"), x, y), &run);
    VALUES(&run, "(2, 1)", 24 / 25.0f, 0);
    kf_graph_free(g);
}

static void modes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {4}), *b = kf_input(g, {4});
    static const struct {
        const char *mode, *class;
    } known[] = {{"sum", "Add"}, {"mul", "Multiply"}, {"ave", "Average"},       {"max", "Maximum"},
                 {"dot", "Dot"}, {"cos", "Dot"},      {"concat", "Concatenate"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        kf_layer *layer = kf_merge(known[i].mode);
        kf_apply(layer, a, b);
        assert_string_equal(kf_layer_class(layer), known[i].class);
    }
    assert_shape(kf_apply(kf_merge("concat"), a, b), "(None, 8)");
    assert_shape(kf_apply(kf_merge("dot", .dot_axes = {1}, .name = "d"), a, b), "(None, 1)");
    kf_graph_free(g);
    FAILS(kf_apply(kf_merge("join"), kf_input(g, {3}), kf_input(g, {3})),
          "Invalid merge mode: join (known: sum, mul, concat, ave, max, dot, cos)");
}

static void wrong_merges(void **state) {
    (void)state;
    kf_graph *g;
    FAILS(kf_apply(kf_subtract(), kf_input(g, {3}), kf_input(g, {3}), kf_input(g, {3})),
          "subtract_1: A `Subtract` layer should be called on exactly 2 inputs. Got 3 inputs.");
    FAILS(
        kf_apply(kf_maximum(), kf_input(g, {3})),
        "maximum_1: A merge layer should be called on a list of at least 2 inputs. Got 1 inputs.");
    FAILS(kf_apply(kf_dot({1}), kf_input(g, {3})),
          "dot_1: A `Dot` layer should be called on a list of 2 inputs.");
    FAILS(kf_apply(kf_dot({1}), kf_input(g, {3}), kf_input(g, {4})),
          "dot_1: Dimension incompatibility 3 != 4. Layer shapes: (None, 3), (None, 4)");
    FAILS(kf_apply(kf_dot({2}), kf_input(g, {3}), kf_input(g, {3})),
          "dot_1: axis 2 is not one of a sample of shape (None, 3)");
}

static void masks_agree(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {2, 2}), *b = kf_input(g, {2, 2});
    const float mask_a[] = {1, 0}, mask_b[] = {1, 1}, both[] = {1, 0};
    trial run = {
        .batch = 1, .data = {a4, b4}, .mask = {mask_a, mask_b}, .mask_shape = KFI_SHAPE(1, 2)};
    kf_layer *const layers[] = {kf_subtract(), kf_average(), kf_maximum(), kf_minimum(),
                                kf_concatenate()};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        run_layer(kf_apply(layers[i], a, b), &run);
        assert_string_equal(kfi_shape_string(&run.out_mask_shape), "(1, 2)");
        assert_near(run.out_mask, both, 2);
    }
    run_layer(kf_apply(kf_dot({1}), a, b), &run);
    assert_int_equal(run.out_mask_shape.rank, 0);
    run_layer(kf_apply(kf_concatenate(.axis = 1), a, b), &run);
    assert_string_equal(kfi_shape_string(&run.out_mask_shape), "(1, 4)");
    assert_near(run.out_mask, (const float[]){1, 0, 1, 1}, 4);
    kf_graph_free(g);
}

static void masks_of_deep_inputs(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *y =
        kf_apply(kf_concatenate(.axis = 2), kf_input(g, {2, 1, 2}), kf_input(g, {2, 1, 2}));
    const float mask_a[] = {1, 0}, mask_b[] = {1, 1};
    trial run = {
        .batch = 1, .data = {a4, b4}, .mask = {mask_a, mask_b}, .mask_shape = KFI_SHAPE(1, 2)};
    run_layer(y, &run);
    assert_string_equal(kfi_shape_string(&run.out_mask_shape), "(1, 2)");
    assert_near(run.out_mask, mask_a, 2);
    kf_graph_free(g);
}

/* An input without a mask counts at all its steps. */
static void masks_of_some(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const kf_shape two_steps = KFI_SHAPE(1, 2);
    trial run = {.batch = 1,
                 .data = {(float[]){1, 2}, (float[]){3, 4}},
                 .mask = {(float[]){1, 0}, NULL},
                 .mask_shape = two_steps};
    kf_tensor *a = kf_input(g, {2, 1}), *b = kf_input(g, {2, 1});
    run_layer(kf_apply(kf_concatenate(.axis = 1), a, b), &run);
    VALUES(&run, "(1, 4, 1)", 1, 2, 3, 4);
    assert_string_equal(kfi_shape_string(&run.out_mask_shape), "(1, 4)");
    assert_near(run.out_mask, (float[]){1, 0, 1, 1}, 4);
    run_layer(kf_apply(kf_concatenate(), a, b), &run);
    assert_near(run.out_mask, (float[]){1, 0}, 2);
    kf_tensor *masked = kf_apply(kf_masking(), kf_input(g, {KF_ANY, 3}));
    kf_tensor *y = kf_apply(kf_concatenate(.axis = 1), masked, kf_input(g, {KF_ANY, 3}));
    assert_shape(y, "(None, None, 3)");
    assert_true(kf_tensor_mask(y, NULL));
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an input without a mask counts at all its steps", masks_of_some),
        SENTENCE("Subtract, Average, Maximum and Minimum", elementwise),
        SENTENCE("inputs of lower rank stretch", broadcasting),
        SENTENCE("Dot sums over one axis of each input", dots),
        SENTENCE("and keeps all others", dot_over_many_axes),
        SENTENCE("normalized it is the cosine, 0 for a zero vector", cosine),
        SENTENCE("Keras 1's merge modes are layers of today", modes),
        SENTENCE("wrong merges are refused in Keras's words", wrong_merges),
        SENTENCE("a step counts where all masks agree; Dot has no mask", masks_agree),
        SENTENCE("masks of deep inputs are joined as (batch, steps)", masks_of_deep_inputs),
    };
    return cmocka_run_group_tests_name("merges", tests, NULL, NULL);
}
