/* Permute and RepeatVector. */
#include "tests/layers/run.h"

static void permute(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float x[] = {1, 2, 3, 4, 5, 6};
    trial run = {.batch = 1, .data = {x}};
    run_layer(kf_apply(kf_permute({2, 1}), kf_input(g, {2, 3})), &run);
    VALUES(&run, "(1, 3, 2)", 1, 4, 2, 5, 3, 6);
    assert_shape(kf_apply(kf_permute({3, 1, 2}), kf_input(g, {2, KF_ANY, 4})),
                 "(None, 4, 2, None)");
    kf_graph_free(g);
    FAILS(kf_apply(kf_permute({1, 1}), kf_input(g, {2, 3})),
          "permute_1: dims must be the numbers 1 to 2 in some order");
    FAILS(kf_apply(kf_permute({1, 3}), kf_input(g, {2, 3})),
          "permute_1: dims must be the numbers 1 to 2 in some order");
    FAILS(kf_apply(kf_permute({2, 1}), kf_input(g, {3})),
          "Input 0 is incompatible with layer permute_1: expected ndim=3, found ndim=2");
}

static void repeat(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    const float x[] = {1, 2, 3, 4};
    trial run = {.batch = 2, .data = {x}};
    run_layer(kf_apply(kf_repeat_vector(3), kf_input(g, {2})), &run);
    VALUES(&run, "(2, 3, 2)", 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4);
    assert_shape(kf_apply(kf_repeat_vector(3), kf_input(g, {KF_ANY})), "(None, 3, None)");
    kf_graph_free(g);
    FAILS(kf_apply(kf_repeat_vector(-2), kf_input(g, {2})),
          "repeat_vector_1: n must be an integer from 1 to 1e+15; got -2");
    FAILS(kf_apply(kf_repeat_vector(2), kf_input(g, {2, 3})),
          "Input 0 is incompatible with layer repeat_vector_1: expected ndim=2, found ndim=3");
}

/* Two channels of three steps, two filters, a window of two; kernel rows are (channel, window), and
 * the bias (places, filters) is reshaped. */
static void locally_connected_channels_first(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_locally_connected1d(2, {2}, .data_format = "channels_first");
    const float x[] = {1, 2, 3, 10, 20, 30};
    trial run = {.batch = 1, .data = {x}};
    kf_tensor *y = kf_apply(layer, kf_input(g, {2, 3}));
    set_weight(layer, 0, (const float[]){1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, 16);
    set_weight(layer, 1, (const float[]){0.1f, 0.2f, 0.3f, 0.4f}, 4);
    run_layer(y, &run);
    VALUES(&run, "(1, 2, 2)", 1 + 0.1f, 3 + 0.2f, 10 + 0.3f, 30 + 0.4f);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("Permute puts a sample's axes in another order", permute),
        SENTENCE("RepeatVector repeats rows as steps", repeat),
        SENTENCE("LocallyConnected1D's channels may come first", locally_connected_channels_first),
    };
    return cmocka_run_group_tests_name("rearranging", tests, NULL, NULL);
}
