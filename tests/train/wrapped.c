/* TimeDistributed with a model inside, and masks that must change numbers. */
#include "tests/layers/support.h"

#include "kf.h"

static void models_keep_their_names(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {8});
    kf_model *model =
        kf_model_new(.inputs = kf_list(in), .outputs = kf_list(kf_apply(kf_dense(3), in)));
    kf_layer *layer = kf_time_distributed(kf_model_layer(model));
    assert_shape(kf_apply(layer, kf_input(g, {20, 8})), "(None, 20, 3)");
    assert_weight(layer, 0, "dense_1/kernel:0", "(8, 3)");
    kf_graph_free(g);
}

/* Two sentences, one of them empty: its code counts for nothing in what follows. */
static void any_element_counts(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *words = kf_input(g, {2, 3}, .dtype = "int32");
    kf_tensor *x = kf_apply(kf_time_distributed(kf_embedding(9, 4, .mask_zero = true)), words);
    x = kf_apply(kf_time_distributed(kf_lstm(3)), x);
    kf_tensor *y = kf_apply(kf_lstm(2, .kernel_initializer = "ones"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(words), .outputs = kf_list(y));
    const int32_t ids[2][6] = {{1, 2, 3, 0, 0, 0}, {1, 2, 3, 4, 0, 0}};
    float out[4];
    const kf_array array = {.data = ids, .dtype = KF_INT32, .shape = {3, {2, 2, 3}}};
    assert_int_equal(kf_predict_on_batch(model, &array, 1, (float *[]){out}), KF_OK);
    float alone[2];
    const kf_array first = {.data = ids[0], .dtype = KF_INT32, .shape = {3, {1, 2, 3}}};
    assert_int_equal(kf_predict_on_batch(model, &first, 1, (float *[]){alone}), KF_OK);
    assert_memory_equal(out, alone, sizeof alone);
    assert_true(out[0] != out[2]);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a model inside keeps the names of its weights", models_keep_their_names),
        SENTENCE("a step counts if any of its elements does", any_element_counts),
    };
    return cmocka_run_group_tests_name("wrapped", tests, NULL, NULL);
}
