/* Recurrent layers: shapes, names, errors in Keras's words, and that the ops that go through all
 * steps at once give what the steps give one by one, with their derivatives. Golden cases have the
 * values. */
#include "core/layers/recurrent/recurrence.h"
#include "kf/model.h"
#include "tests/layers/support.h"

#include <math.h>

static void shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {7, 3});
    assert_shape(kf_apply(kf_lstm(4), x), "(None, 4)");
    assert_shape(kf_apply(kf_gru(4, .return_sequences = true), x), "(None, 7, 4)");
    assert_shape(kf_apply(kf_simple_rnn(2, .return_sequences = true), kf_input(g, {KF_ANY, 3})),
                 "(None, None, 2)");
    kf_tensor *y = kf_apply(kf_lstm(4, .return_state = true, .return_sequences = true), x);
    assert_shape(kf_tensor_sibling(y, 2), "(None, 4)");
    kf_tensor *image = kf_input(g, {5, 3, 8, 9});
    assert_shape(kf_apply(kf_conv_lstm2d(2, {3}, .data_format = "channels_first"), image),
                 "(None, 2, 6, 7)");
    assert_shape(kf_apply(kf_embedding(10, 6), kf_input(g, {5}, .dtype = "int32")), "(None, 5, 6)");
    kf_graph_free(g);
}

static void weights(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {7, 3});
    kf_layer *lstm = kf_lstm(2), *gru = kf_gru(2, .reset_after = true);
    kf_apply(lstm, x);
    kf_apply(gru, x);
    assert_weight(lstm, 0, "lstm_1/kernel:0", "(3, 8)");
    assert_weight(lstm, 1, "lstm_1/recurrent_kernel:0", "(2, 8)");
    assert_weight(gru, 2, "gru_1/bias:0", "(2, 6)");
    float bias[8];
    assert_int_equal(kf_weight_get(kf_layer_weight(lstm, 2), bias, 8), KF_OK);
    for (int i = 0; i < 8; i++) assert_true(bias[i] == (i == 2 || i == 3));
    kf_layer *stack =
        kf_rnn(kf_stacked_rnn_cells(kf_lstm_cell(4), kf_gru_cell(2)), .return_state = true);
    kf_tensor *y = kf_apply(stack, x);
    assert_good(g);
    assert_weight(stack, 0, "rnn_1/kernel:0", "(3, 16)");
    assert_weight(stack, 3, "rnn_1/kernel_1:0", "(4, 6)");
    assert_shape(kf_tensor_sibling(y, 1), "(None, 2)"); /* states of the last cell first */
    assert_shape(kf_tensor_sibling(y, 3), "(None, 4)");
    kf_graph_free(g);
}

static void errors(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    assert_fails(g, kf_apply(kf_lstm(4), kf_input(g, {3})),
                 "Input 0 is incompatible with layer lstm_1: expected ndim=3, found ndim=2");
    g = kf_graph_new();
    kf_tensor *x = kf_input(g, {7, 3}), *h = kf_input(g, {4});
    assert_fails(g, kf_apply(kf_lstm(4), x, h),
                 "lstm_1: Layer has 2 states but was passed 1 initial states.");
    g = kf_graph_new();
    assert_fails(g, kf_apply(kf_lstm_cell(4), kf_input(g, {3})),
                 "lstm_cell_1: LSTMCell is a cell: give it to an RNN layer");
    g = kf_graph_new();
    assert_fails(g, kf_apply(kf_rnn(kf_dense(4)), kf_input(g, {7, 3})),
                 "rnn_1: cell must be a SimpleRNNCell, GRUCell, LSTMCell, ConvLSTM2DCell or "
                 "StackedRNNCells; got 'Dense'");
    g = kf_graph_new();
    kf_tensor *bad = kf_apply(kf_gru(4, .stateful = true), kf_input(g, {7, 3}));
    assert_true(bad->poisoned);
    kf_graph_error(g);
    assert_non_null(strstr(kf_last_error(), "If a RNN is stateful, it needs to know its batch"));
    kf_graph_free(g);
    g = kf_graph_new();
    bad = kf_apply(kf_gru(4, .unroll = true), kf_input(g, {KF_ANY, 3}));
    assert_true(bad->poisoned);
    kf_graph_error(g);
    assert_non_null(strstr(kf_last_error(), "Cannot unroll a RNN if the time dimension is"));
    kf_graph_free(g);
}

/* --- all steps at once ------------------------------------------------------------------------ */

enum { BATCH = 19, TIME = 5, IN = 3, UNITS = 4, MOST = BATCH * TIME * 8 };

typedef struct outcome {
    float values[12][MOST];
    int64_t counts[12];
    int32_t n;
} outcome;

/* The outputs and the derivatives of the sum of all their squares. With `steps` the layer takes the
 * way of masked unrolled layers with states, which goes step by step. */
static void run(kf_layer *layer, int32_t n_states, bool steps, outcome *all) {
    static float x[MOST], mask[BATCH * TIME], h[3][BATCH * UNITS];
    kfi_random_uniform((kfi_random){5, 1}, -1, 1, x, BATCH * TIME * IN);
    kfi_random_uniform((kfi_random){5, 2}, -1, 1, h[0], 3 * BATCH * UNITS);
    for (int i = 0; i < BATCH * TIME; i++) mask[i] = i % TIME == 0 || i % 7 != 2;
    ((kfi_recurrent *)layer->extra)->flags.unroll = steps;
    kfi_formula *f;
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    const kfi_value random = kfi_random_state(f);
    kfi_value in[4] = {kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(BATCH, TIME, IN))};
    kfi_value masks[4] = {kfi_source(f, "mask", KF_FLOAT32, &KFI_SHAPE(BATCH, TIME)), KFI_NONE,
                          KFI_NONE, KFI_NONE};
    for (int32_t i = 0; i < n_states; i++)
        in[i + 1] = kfi_source(f, "state", KF_FLOAT32, &KFI_SHAPE(BATCH, UNITS));
    kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_mask[KFI_LAYER_MAX_OUTPUTS], wrt[8], results[12];
    kfi_layer_call call = {.layer = layer,
                           .formula = f,
                           .n_in = 1 + n_states,
                           .in = in,
                           .in_mask = masks,
                           .out = out,
                           .out_mask = out_mask};
    assert_int_equal(kfi_layer_invoke(&call, 0), KF_OK);
    kfi_value loss = KFI_NONE;
    for (int32_t i = 0; i < call.n_out; i++) {
        const kfi_value square = kfi_emit(f, "square", NULL, out[i]);
        const uint32_t axes = (1u << kfi_type(f, square)->shape.rank) - 1;
        const kfi_value sum = kfi_emit(f, "reduce_sum", &(kfi_reduce){.axes = axes}, square);
        loss = i ? kfi_emit(f, "add", NULL, loss, sum) : sum;
        results[i] = out[i];
    }
    int32_t n_wrt = 0;
    for (int32_t i = 0; i <= n_states; i++) wrt[n_wrt++] = in[i];
    for (int32_t i = 0; i < 3; i++) wrt[n_wrt++] = kfi_layer_weight_value(&call, i);
    all->n = call.n_out + n_wrt;
    assert_int_equal(kfi_differentiate(f, loss, wrt, n_wrt, results + call.n_out), KF_OK);
    kfi_plan *plan;
    assert_int_equal(kfi_plan_new(f, results, all->n, &plan), KF_OK);
    kfi_plan_feed(plan, in[0], x);
    kfi_plan_feed(plan, masks[0], mask);
    kfi_plan_feed(plan, random, (const int64_t[]){3, 4});
    for (int32_t i = 0; i < n_states; i++) kfi_plan_feed(plan, in[i + 1], h[i]);
    kfi_arena arena = {0};
    assert_int_equal(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}), KF_OK);
    for (int32_t i = 0; i < all->n; i++) {
        const kfi_array *result = kfi_plan_result(plan, i);
        all->counts[i] = kfi_shape_count(&result->shape);
        memcpy(all->values[i], result->data, (size_t)all->counts[i] * sizeof(float));
    }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
}

static void agrees(kf_layer *layer, int32_t n_states) {
    static outcome fused, stepped;
    kf_graph *g = kf_graph_new();
    kf_apply(layer, kf_input(g, {TIME, IN}));
    assert_good(g);
    run(layer, n_states, false, &fused);
    run(layer, n_states, true, &stepped);
    assert_int_equal(fused.n, stepped.n);
    for (int32_t i = 0; i < fused.n; i++) {
        assert_int_equal(fused.counts[i], stepped.counts[i]);
        for (int64_t k = 0; k < fused.counts[i]; k++)
            if (!(fabsf(fused.values[i][k] - stepped.values[i][k]) <=
                  2e-5f * (1 + fabsf(stepped.values[i][k]))))
                fail_msg("%s: result %d[%d] is %g at once, %g step by step", layer->name, (int)i,
                         (int)k, (double)fused.values[i][k], (double)stepped.values[i][k]);
    }
    kf_graph_free(g);
}

static void at_once(void **state) {
    (void)state;
    agrees(kf_simple_rnn(UNITS, .return_sequences = true, .return_state = true), 1);
    agrees(kf_lstm(UNITS, .return_sequences = true, .return_state = true), 2);
    agrees(kf_lstm(UNITS, .return_state = true, .recurrent_activation = "sigmoid",
                   .go_backwards = true),
           2);
    agrees(kf_gru(UNITS, .return_sequences = true, .return_state = true), 1);
    agrees(kf_gru(UNITS, .reset_after = true, .recurrent_activation = "sigmoid",
                  .bias_initializer = "random_uniform(-1, 1)", .return_state = true),
           1);
}

static void stacks_at_once(void **state) {
    (void)state;
    agrees(kf_rnn(kf_stacked_rnn_cells(kf_lstm_cell(UNITS, .dropout = 0.3f),
                                       kf_gru_cell(UNITS, .recurrent_dropout = 0.5f)),
                  .return_sequences = true, .return_state = true),
           3);
    agrees(kf_rnn(kf_stacked_rnn_cells(kf_simple_rnn_cell(UNITS), kf_lstm_cell(UNITS)),
                  .go_backwards = true, .return_state = true),
           3);
}

/* The masks are drawn from the same numbers either way. */
static void dropout_at_once(void **state) {
    (void)state;
    agrees(kf_simple_rnn(UNITS, .dropout = 0.3f, .recurrent_dropout = 0.5f, .return_state = true),
           1);
    for (int implementation = 1; implementation <= 2; implementation++) {
        agrees(kf_lstm(UNITS, .dropout = 0.3f, .recurrent_dropout = 0.5f, .return_sequences = true,
                       .return_state = true, .implementation = implementation),
               2);
        agrees(kf_gru(UNITS, .recurrent_dropout = 0.5f, .return_sequences = true,
                      .recurrent_activation = "sigmoid", .implementation = implementation),
               1);
        agrees(kf_gru(UNITS, .recurrent_dropout = 0.5f, .reset_after = true,
                      .bias_initializer = "random_uniform(-1, 1)", .return_state = true,
                      .implementation = implementation),
               1);
    }
}

/* --- constants -------------------------------------------------------------------------------- */

static kf_layer *stack_of_two(void) {
    return kf_rnn(kf_stacked_rnn_cells(kf_lstm_cell(2), kf_gru_cell(2)));
}

static void constants(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {7, 3}), *c = kf_input(g, {5}), *h = kf_input(g, {2});
    kf_layer *rnn = stack_of_two();
    assert_shape(kf_call(rnn, kf_list(x), .constants = kf_list(c)), "(None, 2)");
    assert_int_equal(kf_layer_node_inputs(rnn, 0), 2);
    assert_shape(
        kf_call(rnn, kf_list(x), .initial_state = kf_list(h, h, h), .constants = kf_list(c)),
        "(None, 2)");
    assert_shape(kf_apply(rnn, x, c), "(None, 2)"); /* as a file has it */
    kf_layer *both = kf_bidirectional(stack_of_two());
    assert_shape(kf_call(both, kf_list(x), .constants = kf_list(c)), "(None, 4)");
    assert_shape(kf_call(both, kf_list(x), .initial_state = kf_list(h, h, h, h, h, h),
                         .constants = kf_list(c)),
                 "(None, 4)");
    kfi_variant *config = kfi_fields_config(both->class->fields, both->options);
    assert_int_equal(kfi_variant_to_integer(kfi_variant_get(config, "num_constants"), 0), 1);
    kfi_variant_free(config);
    kf_graph_free(g);
    g = kf_graph_new();
    x = kf_input(g, {7, 3});
    assert_fails(g, kf_call(kf_lstm(2), kf_list(x), .constants = kf_list(x)),
                 "LSTM: call() got an unexpected keyword argument 'constants'");
    g = kf_graph_new();
    x = kf_input(g, {7, 3});
    assert_fails(g, kf_call(kf_rnn(kf_lstm_cell(2)), kf_list(x), .constants = kf_list(x)),
                 "rnn_1: RNN cell does not support constants");
}

/* --- dropout ---------------------------------------------------------------------------------- */

/* Runs the layer in training on ones; the outputs' sum. */
static double train_once(kf_layer *layer, kf_shape shape, int64_t step) {
    static float x[2 * TIME * 5 * 5 * IN];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = 1;
    kfi_formula *f;
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    const kfi_value in = kfi_source(f, "x", KF_FLOAT32, &shape), mask = KFI_NONE;
    kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_mask[KFI_LAYER_MAX_OUTPUTS];
    kfi_layer_call call = {.layer = layer,
                           .formula = f,
                           .n_in = 1,
                           .in = &in,
                           .in_mask = &mask,
                           .out = out,
                           .out_mask = out_mask};
    assert_int_equal(kfi_layer_invoke(&call, 0), KF_OK);
    const kfi_value random = kfi_random_state(f);
    const int64_t state[2] = {1, step};
    kfi_plan *plan;
    assert_int_equal(kfi_plan_new(f, out, 1, &plan), KF_OK);
    kfi_plan_feed(plan, in, x);
    kfi_plan_feed(plan, random, state);
    kfi_arena arena = {0};
    assert_int_equal(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}), KF_OK);
    const kfi_array *result = kfi_plan_result(plan, 0);
    double sum = 0;
    for (int64_t i = 0; i < kfi_shape_count(&result->shape); i++)
        sum += (double)((const float *)result->data)[i];
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    assert_true(isfinite(sum));
    return sum;
}

static void drops(kf_layer *layer, bool image) {
    kf_graph *g = kf_graph_new();
    kf_apply(layer, image ? kf_input(g, {TIME, 5, 5, IN}) : kf_input(g, {TIME, IN}));
    assert_good(g);
    const kf_shape shape = image ? KFI_SHAPE(2, TIME, 5, 5, IN) : KFI_SHAPE(2, TIME, IN);
    const double first = train_once(layer, shape, 1);
    assert_true(first == train_once(layer, shape, 1));
    assert_true(first != train_once(layer, shape, 2));
    kf_graph_free(g);
}

static void dropout(void **state) {
    (void)state;
    drops(kf_simple_rnn(UNITS, .dropout = 0.5f, .recurrent_dropout = 0.5f), false);
    for (int implementation = 1; implementation <= 2; implementation++) {
        drops(kf_lstm(UNITS, .dropout = 0.5f, .implementation = implementation), false);
        drops(kf_lstm(UNITS, .recurrent_dropout = 0.5f, .implementation = implementation), false);
        drops(kf_gru(UNITS, .dropout = 0.5f, .implementation = implementation), false);
        drops(kf_gru(UNITS, .recurrent_dropout = 0.5f, .implementation = implementation), false);
        drops(kf_gru(UNITS, .recurrent_dropout = 0.5f, .reset_after = true,
                     .implementation = implementation),
              false);
    }
    drops(kf_conv_lstm2d(2, {3}, .dropout = 0.5f, .recurrent_dropout = 0.5f), true);
}

/* --- memory ----------------------------------------------------------------------------------- */

static bool make_layers(void) {
    kf_graph *g = kf_graph_new();
    if (!g) return false;
    kf_tensor *x = kf_input(g, {TIME, IN}, .batch_size = 2);
    kf_tensor *y = kf_apply(kf_rnn(kf_stacked_rnn_cells(kf_lstm_cell(2), kf_gru_cell(3)),
                                   .stateful = true, .return_sequences = true),
                            x);
    y = kf_apply(kf_gru(2, .go_backwards = true), kf_apply(kf_masking(), y));
    const bool made = y && !y->poisoned;
    kf_graph_free(g);
    return made;
}

static void failing_allocations(void **state) {
    (void)state;
    int64_t n = 0;
    bool made = false;
    while (!made && n < 5000) {
        kfi_fail_allocation(++n);
        made = make_layers();
        kfi_fail_allocation(0);
    }
    assert_true(made && n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("shapes of outputs and states", shapes),
        SENTENCE("weights have Keras's names, those of a stack numbered ones", weights),
        SENTENCE("errors say what Keras says", errors),
        SENTENCE("all steps at once give what the steps give", at_once),
        SENTENCE("and so for cells on cells", stacks_at_once),
        SENTENCE("and where inputs and states are dropped", dropout_at_once),
        SENTENCE("constants are inputs behind the states", constants),
        SENTENCE("any allocation may fail", failing_allocations),
        SENTENCE("dropout depends on the step of training and on nothing else", dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
