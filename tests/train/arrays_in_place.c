/* Batches from arrays are read where they are, and predictions written where they are wanted. */
#include "tests/train/support.h"

enum { ROWS = 37, IN = 29, OUT = 3 };

static kf_model *two_outputs(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {IN}, .name = "x");
    kf_tensor *hidden = kf_apply(kf_dense(17, .activation = "tanh"), x);
    kf_tensor *y = kf_apply(kf_dense(OUT, .activation = "softmax", .name = "y"), hidden);
    return kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y, hidden, y, x));
}

static void fill_floats(float *values, int count) {
    for (int i = 0; i < count; i++) values[i] = (float)((i * 37) % 101) / 101 - 0.5f;
}

/* An output, the same one again, one from inside, and the input itself. */
static void outputs_of_all_kinds(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new(.seed = 3);
    kf_model *model = two_outputs(graph);
    float x[ROWS * IN], before[ROWS * IN], y[2][ROWS * OUT], hidden[ROWS * 17], same[ROWS * IN];
    fill_floats(x, ROWS * IN);
    memcpy(before, x, sizeof x);
    for (int round = 0; round < 3; round++) {
        memset(y, 0x5a, sizeof y);
        memset(hidden, 0x5a, sizeof hidden);
        float *outputs[] = {y[0], round == 1 ? NULL : hidden, y[1], same};
        ok(kf_predict_on_batch(model, &ARRAY("x", x, ROWS, IN), 1, outputs));
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        assert_memory_equal(same, before, sizeof same);
        assert_memory_equal(x, before, sizeof x);
        for (int row = 0; row < ROWS; row++)
            assert_true(fabsf(y[0][OUT * row] + y[0][OUT * row + 1] + y[0][OUT * row + 2] - 1) <
                        1e-5f);
        for (int i = 0; round != 1 && i < ROWS * 17; i++) assert_true(fabsf(hidden[i]) <= 1);
    }
    kf_graph_free(graph);
}

/* Predictions before and after somebody else's buffer was written are in the arena again. */
static void the_next_run_is_not_written_there(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new(.seed = 3);
    kf_model *model = two_outputs(graph);
    float x[ROWS * IN], y[ROWS * OUT], again[ROWS * OUT];
    fill_floats(x, ROWS * IN);
    ok(kf_predict_on_batch(model, &ARRAY("x", x, ROWS, IN), 1, (float *[]){y, NULL, NULL, NULL}));
    memcpy(again, y, sizeof y);
    for (int i = 0; i < ROWS * IN; i++) x[i] = -x[i];
    ok(kf_predict_on_batch(model, &ARRAY("x", x, ROWS, IN), 1,
                           (float *[]){NULL, NULL, NULL, NULL}));
    assert_memory_equal(y, again, sizeof y);
    kf_graph_free(graph);
}

/* Even where the input is: it is read whole before. */
static void over_the_input(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new(.seed = 3);
    kf_tensor *in = kf_input(graph, {IN}, .name = "x");
    kf_tensor *out = kf_apply(kf_dense(IN, .activation = "relu"), in);
    kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
    float x[ROWS * IN], apart[ROWS * IN];
    fill_floats(x, ROWS * IN);
    ok(kf_predict_on_batch(model, &ARRAY("x", x, ROWS, IN), 1, (float *[]){apart}));
    ok(kf_predict_on_batch(model, &ARRAY("x", x, ROWS, IN), 1, (float *[]){x}));
    assert_memory_equal(x, apart, sizeof x);
    kf_graph_free(graph);
}

/* Where an array begins changes no bit of what is learnt from it. */
static void any_address(void **state) {
    (void)state;
    static float x[ROWS * IN + 16], y[ROWS * OUT + 16];
    double losses[16];
    for (int offset = 0; offset < 16; offset++) {
        kf_graph *graph = kf_graph_new(.seed = 3);
        kf_tensor *in = kf_input(graph, {IN}, .name = "x");
        kf_tensor *out = kf_apply(kf_dense(OUT, .name = "y"), in);
        kf_model *model = kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
        ok(kf_compile(model, .loss = "mse", .optimizer = kf_sgd(0.1f)));
        fill_floats(x + offset, ROWS * IN);
        fill_floats(y + offset, ROWS * OUT);
        const kf_array arrays[] = {ARRAY("x", x + offset, ROWS, IN),
                                   ARRAY("y", y + offset, ROWS, OUT)};
        for (int step = 0; step < 3; step++)
            ok(kf_train_on_batch(model, arrays, 2, &losses[offset]));
        assert_true(losses[offset] == losses[0]);
        kf_graph_free(graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("outputs of all kinds arrive", outputs_of_all_kinds),
        SENTENCE("the next run does not write there", the_next_run_is_not_written_there),
        SENTENCE("an output may lie over the input", over_the_input),
        SENTENCE("where an array begins changes no bit", any_address),
    };
    return cmocka_run_group_tests_name("arrays in place", tests, NULL, NULL);
}
