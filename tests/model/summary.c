/* The table of Keras's model.summary(), to the last space. */
#include "tests/model/support.h"

static void assert_summary(const kf_model *model, const char *expected) {
    char *text;
    assert_int_equal(kf_model_summary(model, &text), KF_OK);
    assert_string_equal(text, expected);
    kf_free(text);
}

#define LINE65   "_________________________________________________________________\n"
#define DOUBLE65 "=================================================================\n"
#define HALF98   "_________________________________________________"
#define DOUBLE49 "================================================="
#define LINE98   HALF98 HALF98 "\n"
#define DOUBLE98 DOUBLE49 DOUBLE49 "\n"

static void chain(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    assert_summary(make_mlp(g), LINE65
                   "Layer (type)                 Output Shape              Param #   \n" DOUBLE65
                   "input_1 (InputLayer)         (None, 784)               0         \n" LINE65
                   "dense_1 (Dense)              (None, 64)                50240     \n" LINE65
                   "dense_2 (Dense)              (None, 64)                4160      \n" LINE65
                   "dense_3 (Dense)              (None, 10)                650       \n" DOUBLE65
                   "Total params: 55,050\n"
                   "Trainable params: 55,050\n"
                   "Non-trainable params: 0\n" LINE65);
    kf_graph_free(g);
}

/* Names too long for their column are cut, one short of the next. */
static void connected(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *inner = make_mlp(g);
    kf_tensor *a = kf_input(g, {784}), *b = kf_input(g, {784});
    kf_tensor *xa = kf_apply(kf_model_layer(inner), a), *xb = kf_apply(kf_model_layer(inner), b);
    kf_tensor *y = kf_apply(kf_concatenate(), xa, xb);
    y = kf_apply(kf_dense(1, .frozen = true, .name = "a_layer_with_a_very_long_name"), y);
    assert_summary(
        kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(y)), LINE98
        "Layer (type)                    Output Shape         Param #     Connected to             "
        "        \n" DOUBLE98
        "input_2 (InputLayer)            (None, 784)          0                                    "
        "        \n" LINE98
        "input_3 (InputLayer)            (None, 784)          0                                    "
        "        \n" LINE98
        "model_1 (Model)                 (None, 10)           55050       input_2[0][0]            "
        "        \n"
        "                                                                 input_3[0][0]            "
        "        \n" LINE98
        "concatenate_1 (Concatenate)     (None, 20)           0           model_1[1][0]            "
        "        \n"
        "                                                                 model_1[2][0]            "
        "        \n" LINE98
        "a_layer_with_a_very_long_name ( (None, 1)            21          concatenate_1[0][0]      "
        "        \n" DOUBLE98 "Total params: 55,071\n"
        "Trainable params: 55,050\n"
        "Non-trainable params: 21\n" LINE98);
    kf_graph_free(g);
}

static void several_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {32, 32, 3}), *b = kf_input(g, {64, 64, 3});
    kf_layer *conv = kf_conv2d(16, {3, 3}, .padding = "same");
    kf_apply(conv, a);
    kf_tensor *y = kf_apply(conv, b);
    kf_model *m = kf_model_new(.inputs = kf_list(b), .outputs = kf_list(y));
    char *text;
    assert_int_equal(kf_model_summary(m, &text), KF_OK);
    assert_non_null(
        strstr(text, "conv2d_1 (Conv2D)            multiple                  448       \n"));
    kf_free(text);
    kf_graph_free(g);
}

/* As print_summary cuts: each cell at its column's end, and the last column may end before or
 * beyond the line. */
/* In Keras a mask that is given to a call is no input of it: the model stays a chain. */
static void given_masks(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {3, 2}), *mask = kf_input(g, {3}), *other = kf_input(g, {2});
    kf_tensor *y = kf_call(kf_lstm(2), kf_list(x), .mask = mask);
    y = kf_apply(kf_add(), y, other);
    char *text;
    kf_model *m = kf_model_new(.inputs = kf_list(x, mask, other), .outputs = kf_list(y));
    assert_int_equal(kf_model_summary(m, &text), KF_OK);
    assert_non_null(strstr(text, "    input_1[0][0]            "));
    assert_non_null(strstr(text, "    input_3[0][0]            "));
    assert_null(strstr(text, "    input_2[0][0]            "));
    kf_free(text);
    kf_graph_free(g);
}

static void other_widths(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = make_mlp(g);
    char *text;
    assert_int_equal(kf_model_summary(m, &text, .line_length = 40), KF_OK);
    assert_non_null(strstr(text, "________________________________________\n"
                                 "Layer (type)      Output Shape    Param \n"));
    assert_non_null(strstr(text, "\ndense_1 (Dense)   (None, 64)      50240 \n"));
    kf_free(text);
    assert_int_equal(kf_model_summary(m, &text, .positions = {10, 24, 32}), KF_OK);
    assert_non_null(strstr(text, "\ninput_1 ( (None, 784)   0       \n" LINE65));
    kf_free(text);
    assert_int_equal(kf_model_summary(m, &text, .line_length = 2000), KF_USAGE);
    assert_says("line_length must be from 1 to 1000, got 2000");
    assert_int_equal(kf_model_summary(m, &text, .positions = {.5, 1}), KF_USAGE);
    assert_says("the summary has 3 columns, but 2 positions are given");
    assert_int_equal(kf_model_summary(m, &text, .positions = {9, 5, 30}), KF_USAGE);
    assert_says("positions must grow");
    kf_graph_free(g);
}

static void nowhere(void **state) {
    (void)state;
    assert_int_equal(kf_model_summary(NULL, NULL), KF_USAGE);
    char *text;
    assert_int_equal(kf_model_summary(NULL, &text), KF_USAGE);
    kf_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a chain has three columns in 65 characters", chain),
        SENTENCE("other models have four columns in 98 characters", connected),
        SENTENCE("a layer with outputs of several shapes says multiple", several_shapes),
        SENTENCE("a mask that is given to a call is no connection", given_masks),
        SENTENCE("other widths and columns may be asked for", other_widths),
        SENTENCE("no model has no summary", nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
