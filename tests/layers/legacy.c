/* MaxoutDense and Highway: values that can be worked out by hand, and refusals. */
#include "tests/layers/run.h"

static void maxout(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_maxout_dense(2, .nb_feature = 2);
    const float x[] = {1, 2, -1, 3};
    trial run = {.batch = 2, .data = {x}};
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    assert_shape(y, "(None, 2)");
    assert_weight(layer, 0, "maxout_dense_1/W:0", "(2, 2, 2)");
    assert_weight(layer, 1, "maxout_dense_1/b:0", "(2, 2)");
    set_weight(layer, 0, (const float[]){1, 0, 0, 1, -1, 2, 1, 0}, 8); /* x, and (x2 - x1, 2 x1) */
    set_weight(layer, 1, (const float[]){0, 0, 0.5f, -1}, 4);
    run_layer(y, &run);
    VALUES(&run, "(2, 2)", 1.5f, 2, 4.5f, 3);
    kf_graph_free(g);
    FAILS(kf_apply(kf_maxout_dense(2), kf_input(g, {3, 2})),
          "Input 0 is incompatible with layer maxout_dense_1: expected ndim=2, found ndim=3");
    FAILS(kf_apply(kf_maxout_dense(2, .nb_feature = -1), kf_input(g, {3})),
          "maxout_dense_1: nb_feature must be an integer of at least 1; got -1");
}

static void highway(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_highway(.activation = "relu");
    const float x[] = {1, -2};
    trial run = {.batch = 1, .data = {x}};
    kf_tensor *y = kf_apply(layer, kf_input(g, {2}));
    assert_weight(layer, 1, "highway_1/W_carry:0", "(2, 2)");
    assert_weight(layer, 3, "highway_1/b_carry:0", "(2,)");
    float carry[2];
    check(kf_weight_get(kf_layer_weight(layer, 3), carry, 2));
    assert_true(carry[0] == 1 && carry[1] == 1);
    set_weight(layer, 0, (const float[]){0, 2, -1, 0}, 4); /* (-x2, 2 x1) */
    set_weight(layer, 1, (const float[]){0, 0, 0, 0}, 4);
    set_weight(layer, 2, (const float[]){1, -3}, 2);
    set_weight(layer, 3, (const float[]){0, logf(3)}, 2); /* t = (1/2, 3/4) */
    run_layer(y, &run);
    VALUES(&run, "(1, 2)", 0.5f * 3 + 0.5f * 1, 0.75f * 0 + 0.25f * -2);
    kf_graph_free(g);
    FAILS(kf_apply(kf_highway(), kf_input(g, {KF_ANY})),
          "highway_1: the last dimension of the inputs must be fixed; got shape (None, None)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("MaxoutDense is the largest of several products", maxout),
        SENTENCE("Highway mixes its input with what it makes of it", highway),
    };
    return cmocka_run_group_tests_name("legacy", tests, NULL, NULL);
}
