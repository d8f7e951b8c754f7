/* Statements about sequences of word numbers: which numbers an Embedding takes. */
#include "tests/statements/support.h"

enum { WORDS = 10000, LENGTH = 6, ROWS_OF_DATA = 4 };

/* Embedding -> LSTM -> one number, on sequences of word numbers. */
static kf_model *make_reader(kf_graph *g) {
    kf_tensor *words = kf_input(g, {LENGTH}, .name = "main_input", .dtype = "int32");
    kf_tensor *x = kf_apply(kf_embedding(WORDS, 8, .input_length = LENGTH), words);
    kf_tensor *y = kf_apply(kf_dense(1, .activation = "sigmoid"), kf_apply(kf_lstm(5), x));
    return kf_model_new(.inputs = kf_list(words), .outputs = kf_list(y));
}

static kf_array words_array(const int32_t *words) {
    return (kf_array){.name = "main_input",
                      .data = words,
                      .dtype = KF_INT32,
                      .shape = {2, {ROWS_OF_DATA, LENGTH}}};
}

/* "integers between 1 and 10,000" is off by one: the last of 10,000 rows has the number 9999. */
static void s05_number_10000_of_10000_is_refused(void **state) {
    (void)state;
    int32_t words[ROWS_OF_DATA * LENGTH] = {1, 2, 9999, 3};
    float y[ROWS_OF_DATA] = {0, 1, 0, 1}, before[20], after[20], predicted[ROWS_OF_DATA];
    kf_graph *g = kf_graph_new();
    kf_model *m = make_reader(g);
    ok(kf_compile(m, .optimizer = kf_sgd(0.1f), .loss = "binary_crossentropy"));
    const kf_array data[] = {words_array(words), ROWS("dense_1", y, ROWS_OF_DATA, 1)};
    ok(kf_train_on_batch(m, data, 2, NULL));

    words[2 * LENGTH + 1] = 10000;
    kf_weight *bias = kf_model_find_weight(m, "lstm_1/bias:0");
    const int64_t n = kf_weight_shape(bias).dims[0];
    ok(kf_weight_get(bias, before, n));
    assert_int_equal(kf_train_on_batch(m, data, 2, NULL), KF_INVALID);
    says_of("main_input");
    says_of("10000 in row 2");
    says_of("[0, 10000)");
    ok(kf_weight_get(bias, after, n)); /* found before the step: nothing has changed */
    assert_memory_equal(before, after, (size_t)n * sizeof *before);
    assert_int_equal(kf_predict_on_batch(m, data, 1, (float *[]){predicted}), KF_INVALID);
    kf_graph_free(g);
}

static void s19_numbers_up_to_9999_are_taken(void **state) {
    (void)state;
    int32_t words[ROWS_OF_DATA * LENGTH];
    for (int i = 0; i < ROWS_OF_DATA * LENGTH; i++) words[i] = i % 2 ? 9999 - i : 1 + i;
    words[3] = 9999, words[5] = 0;
    float predicted[ROWS_OF_DATA];
    kf_graph *g = kf_graph_new();
    const kf_array data = words_array(words);
    ok(kf_predict_on_batch(make_reader(g), &data, 1, (float *[]){predicted}));
    for (int i = 0; i < ROWS_OF_DATA; i++) assert_true(predicted[i] > 0 && predicted[i] < 1);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("s05 number 10,000 of 10,000 words is refused, by row and range",
                 s05_number_10000_of_10000_is_refused),
        SENTENCE("s19 numbers up to 9999 are taken", s19_numbers_up_to_9999_are_taken),
    };
    return cmocka_run_group_tests_name("sequences", tests, NULL, NULL);
}
