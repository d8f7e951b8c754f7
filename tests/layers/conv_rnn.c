/* ConvRNN2D(ConvLSTM2DCell): what ConvLSTM2D is, in two parts. */
#include "tests/layers/run.h"

enum { STEPS = 3, SIDE = 4, OUT = 2 * STEPS * 2 * 2 * 2 };

/* Two samples of one channel through the layer, with the weights it is made with. */
static void run_on_images(kf_layer *layer, trial *run) {
    static float x[2 * STEPS * SIDE * SIDE];
    kfi_random_uniform((kfi_random){5, 1}, -1, 1, x, 2 * STEPS * SIDE * SIDE);
    kf_graph *g = kf_graph_new();
    *run = (trial){.batch = 2, .data = {x}};
    kf_tensor *y = kf_apply(layer, kf_input(g, {STEPS, SIDE, SIDE, 1}));
    assert_good(g);
    assert_shape(y, "(None, 3, 2, 2, 2)");
    run_layer(y, run);
    kf_graph_free(g);
}

static void the_same(void **state) {
    (void)state;
    static trial whole, parts;
    run_on_images(kf_conv_lstm2d(2, {3}, .go_backwards = true, .return_sequences = true), &whole);
    run_on_images(
        kf_conv_rnn2d(kf_conv_lstm2d_cell(2, {3}), .go_backwards = true, .return_sequences = true),
        &parts);
    assert_true(whole.out[0] != 0);
    assert_memory_equal(whole.out, parts.out, OUT * sizeof(float));
}

static void weights(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_conv_rnn2d(kf_conv_lstm2d_cell(2, {3}), .return_state = true);
    kf_tensor *y = kf_apply(layer, kf_input(g, {STEPS, SIDE, SIDE, 1}));
    assert_good(g);
    assert_shape(kf_tensor_sibling(y, 2), "(None, 2, 2, 2)");
    assert_weight(layer, 0, "conv_rn_n2d_1/kernel:0", "(3, 3, 1, 8)");
    assert_weight(layer, 1, "conv_rn_n2d_1/recurrent_kernel:0", "(3, 3, 2, 8)");
    float bias[8];
    check(kf_weight_get(kf_layer_weight(layer, 2), bias, 8));
    for (int i = 0; i < 8; i++) assert_true(bias[i] == (i == 2 || i == 3));
    kf_graph_free(g);
}

static void refusals(void **state) {
    (void)state;
    kf_graph *g;
    FAILS(kf_apply(kf_conv_rnn2d(kf_conv_lstm2d_cell(2, {3}), .unroll = true), kf_input(g, {3})),
          "conv_rn_n2d_1: Unrolling isn't possible with convolutional RNNs.");
    FAILS(kf_apply(kf_conv_rnn2d(kf_lstm_cell(2)), kf_input(g, {3})),
          "conv_rn_n2d_1: cell must be a ConvLSTM2DCell; got 'LSTMCell'");
    FAILS(kf_apply(kf_conv_rnn2d(kf_stacked_rnn_cells(kf_conv_lstm2d_cell(2, {3}))),
                   kf_input(g, {3})),
          "conv_rn_n2d_1: It is not possible at the moment to stack convolutional cells.");
    FAILS(kf_apply(kf_rnn(kf_conv_lstm2d_cell(2, {3})), kf_input(g, {3})),
          "rnn_1: cell must be one of vectors (ConvLSTM2DCell is for ConvRNN2D); got "
          "'ConvLSTM2DCell'");
    FAILS(kf_apply(kf_conv_rnn2d(kf_conv_lstm2d_cell(2, {3}, .strides = {2}, .dilation_rate = {2})),
                   kf_input(g, {3})),
          "ConvLSTM2DCell: strides > 1 are not compatible with dilation_rate > 1");
    FAILS(kf_apply(kf_conv_rnn2d(kf_conv_lstm2d_cell(2, {3})), kf_input(g, {3, 4})),
          "Input 0 is incompatible with layer conv_rn_n2d_1: expected ndim=5, found ndim=3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("ConvRNN2D of a ConvLSTM2DCell is a ConvLSTM2D, bit for bit", the_same),
        SENTENCE("its weights are the layer's, under Keras's names", weights),
        SENTENCE("it takes one cell that convolves, and RNN takes the others", refusals),
    };
    return cmocka_run_group_tests_name("conv_rnn", tests, NULL, NULL);
}
