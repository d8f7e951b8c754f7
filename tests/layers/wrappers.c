/* TimeDistributed and Bidirectional: names, shapes, masks, flags, who frees what, messages. */
#include "tests/layers/support.h"

#include "kf.h"

#define FAILS(make, message)                                                                       \
    {                                                                                              \
        kf_graph *g = kf_graph_new();                                                              \
        kf_tensor *made = (make);                                                                  \
        assert_fails(g, made, (message));                                                          \
    }

/* --- TimeDistributed -------------------------------------------------------------------------- */

static void steps_share_weights(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_time_distributed(kf_dense(3));
    kf_tensor *y = kf_apply(layer, kf_input(g, {10, 8}));
    assert_shape(y, "(None, 10, 3)");
    assert_int_equal(kf_layer_weights(layer), 2);
    assert_weight(layer, 0, "time_distributed_1/kernel:0", "(8, 3)");
    assert_weight(layer, 1, "time_distributed_1/bias:0", "(3,)");
    assert_shape(kf_apply(layer, kf_input(g, {KF_ANY, 8})), "(None, None, 3)");
    assert_shape(kf_apply(layer, kf_input(g, {4, 8}, .batch_size = 2)), "(2, 4, 3)");
    kf_graph_free(g);
}

static void wrappers_nest(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_time_distributed(kf_time_distributed(kf_dense(3)));
    assert_shape(kf_apply(layer, kf_input(g, {5, 10, 8})), "(None, 5, 10, 3)");
    assert_string_equal(kf_layer_name(layer), "time_distributed_2");
    assert_weight(layer, 0, "time_distributed_2/kernel:0", "(8, 3)");
    kf_layer *both = kf_time_distributed(kf_bidirectional(kf_lstm(4)));
    assert_shape(kf_apply(both, kf_input(g, {5, 10, 8})), "(None, 5, 8)");
    assert_weight(both, 0, "time_distributed_3/forward_lstm_1/kernel:0", "(8, 16)");
    kf_graph_free(g);
}

static void made_from_text(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *steps = kf_layer_named("TimeDistributed", "layer=Dense(3, activation='relu')");
    assert_shape(kf_apply(steps, kf_input(g, {10, 8})), "(None, 10, 3)");
    kf_layer *ways = kf_layer_named("Bidirectional", "layer=GRU(4), merge_mode=None");
    kf_tensor *y = kf_apply(ways, kf_input(g, {10, 8}));
    assert_shape(kf_tensor_sibling(y, 1), "(None, 4)");
    kf_graph_free(g);
}

static void one_trainable_flag(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_dense(3), *layer = kf_time_distributed(dense, .frozen = true);
    kf_apply(layer, kf_input(g, {10, 8}));
    assert_false(kf_layer_trainable(dense));
    kf_layer_set_trainable(layer, true);
    assert_true(kf_layer_trainable(dense));
    kf_layer_set_trainable(dense, false);
    assert_false(kf_layer_trainable(layer));
    kf_graph_free(g);
}

/* A mask of every element of a step: it counts if any of them does. */
static void masks_are_folded(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_apply(kf_masking(), kf_input(g, {10, 8}));
    kf_tensor *y = kf_apply(kf_time_distributed(kf_dense(3)), x);
    assert_true(y->masked);
    assert_string_equal(kfi_shape_string(&y->mask_shape), "(None, 10)");
    kf_tensor *words = kf_input(g, {5, 10}, .dtype = "int32");
    x = kf_apply(kf_time_distributed(kf_embedding(9, 4, .mask_zero = true)), words);
    assert_string_equal(kfi_shape_string(&x->mask_shape), "(None, 5, 10)");
    y = kf_apply(kf_time_distributed(kf_lstm(3)), x);
    assert_shape(y, "(None, 5, 3)");
    assert_string_equal(kfi_shape_string(&y->mask_shape), "(None, 5)");
    kf_graph_free(g);
}

/* --- Bidirectional ---------------------------------------------------------------------------- */

static void both_ways(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {10, 8});
    kf_layer *layer = kf_bidirectional(kf_lstm(4, .return_sequences = true));
    assert_shape(kf_apply(layer, x), "(None, 10, 8)");
    assert_int_equal(kf_layer_weights(layer), 6);
    assert_weight(layer, 0, "bidirectional_1/forward_lstm_1/kernel:0", "(8, 16)");
    assert_weight(layer, 3, "bidirectional_1/backward_lstm_1/kernel:0", "(8, 16)");
    assert_shape(kf_apply(kf_bidirectional(kf_gru(4), .merge_mode = "ave"), x), "(None, 4)");
    kf_tensor *two = kf_apply(kf_bidirectional(kf_gru(4), .merge_mode = "None"), x);
    assert_shape(two, "(None, 4)");
    assert_shape(kf_tensor_sibling(two, 1), "(None, 4)");
    kf_graph_free(g);
}

static void states_in_and_out(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {10, 8}), *s = kf_input(g, {4});
    kf_tensor *y = kf_apply(kf_bidirectional(kf_lstm(4, .return_state = true)), x, s, s, s, s);
    assert_shape(y, "(None, 8)");
    assert_int_equal(y->node->n_out, 5);
    assert_shape(kf_tensor_sibling(y, 4), "(None, 4)");
    kf_graph_free(g);
}

static void masks_of_sequences(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_apply(kf_masking(), kf_input(g, {10, 8}));
    kf_tensor *all = kf_apply(kf_bidirectional(kf_gru(4, .return_sequences = true)), x);
    assert_true(all->masked);
    assert_false(kf_apply(kf_bidirectional(kf_gru(4)), x)->masked);
    kf_graph_free(g);
}

/* --- messages and owners ---------------------------------------------------------------------- */

static void refusals(void **state) {
    (void)state;
    FAILS(
        kf_apply(kf_time_distributed(kf_dense(3)), kf_input(g, {8})),
        "Input 0 is incompatible with layer time_distributed_1: expected min_ndim=3, found ndim=2");
    FAILS(kf_apply(kf_time_distributed(NULL), kf_input(g, {4, 8})),
          "TimeDistributed: layer is missing");
    FAILS(kf_apply(kf_time_distributed(kf_dense(-1)), kf_input(g, {4, 8})),
          "Dense: units must be an integer of at least 1; got -1");
    FAILS(kf_apply(kf_bidirectional(kf_dense(3)), kf_input(g, {4, 8})),
          "Bidirectional is for recurrent layers; Dense has no go_backwards");
    FAILS(kf_apply(kf_bidirectional(kf_gru(3), .merge_mode = "max"), kf_input(g, {4, 8})),
          "bidirectional_1: merge_mode: Invalid merge mode. Merge mode should be one of {\"sum\", "
          "\"mul\", \"ave\", \"concat\", None}");
    FAILS(kf_apply(kf_bidirectional(kf_gru(3)), kf_input(g, {4, 8}), kf_input(g, {3})),
          "bidirectional_1: When passing `initial_state` to a Bidirectional RNN, the state should "
          "be a list containing the states of the underlying RNNs. Found: 1");
    FAILS(kf_apply(kf_time_distributed(kf_conv2d(3, {3})),
                   kf_apply(kf_masking(), kf_input(g, {4, 8, 8, 1}))),
          "time_distributed_1: Layer conv2d_1 does not support masking, but was passed an "
          "input_mask");
}

static void nobody_else_frees_it(void **state) {
    (void)state;
    kf_layer *dense = kf_dense(3), *layer = kf_time_distributed(dense);
    kf_layer_free(dense); /* it is the wrapper's */
    kf_layer_free(layer);
    kf_graph *g = kf_graph_new();
    kf_layer *shared = kf_dense(3);
    kf_layer *a = kf_time_distributed(shared), *b = kf_time_distributed(shared);
    kf_apply(b, kf_input(g, {10, 8}));
    kf_apply(a, kf_input(g, {5, 8}));
    assert_int_equal(kf_layer_weights(a), 2);
    assert_ptr_equal(kf_layer_weight(a, 0), kf_layer_weight(b, 0));
    kf_graph_free(g);
}

static void build_all(void) {
    kf_graph *g = kf_graph_new();
    if (!g) return;
    kf_tensor *x = kf_input(g, {10, 8});
    kf_apply(kf_time_distributed(kf_dense(3)), x);
    kf_apply(kf_bidirectional(kf_gru(2, .return_sequences = true), .merge_mode = "sum"), x);
    kf_graph_free(g);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        build_all();
        kfi_fail_allocation(0);
        if (kfi_allocations() - before < nth) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("the time steps share the weights of the layer inside", steps_share_weights),
        SENTENCE("wrappers may stand in wrappers", wrappers_nest),
        SENTENCE("wrappers are made from text", made_from_text),
        SENTENCE("TimeDistributed and the layer inside have one trainable flag",
                 one_trainable_flag),
        SENTENCE("masks are folded with their steps", masks_are_folded),
        SENTENCE("Bidirectional goes both ways with weights of their own", both_ways),
        SENTENCE("states go in and come out, those of the way forward first", states_in_and_out),
        SENTENCE("the mask of a sequence goes on only with the sequence", masks_of_sequences),
        SENTENCE("what cannot be wrapped is refused", refusals),
        SENTENCE("a layer inside is freed once, and may be shared", nobody_else_frees_it),
        SENTENCE("any allocation may fail", any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("wrappers", tests, NULL, NULL);
}
