/* What comes out of layers, and what weights they make. */
#include "tests/layers/support.h"

static void input_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    assert_shape(kf_input(g, {784}), "(None, 784)");
    assert_shape(kf_input(g, {KF_ANY, 3}, .batch_size = 8), "(8, None, 3)");
    assert_shape(kf_input(g, {0}), "(None,)");
    kf_tensor *ids = kf_input(g, {100}, .dtype = "int32", .name = "ids");
    assert_int_equal(kf_tensor_dtype(ids), KF_INT32);
    assert_string_equal(kf_layer_name(ids->node->layer), "ids");
    kf_graph_free(g);
}

static void dense_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *dense = kf_dense(4, .activation = "relu");
    assert_shape(kf_apply(dense, kf_input(g, {3})), "(None, 4)");
    assert_int_equal(kf_layer_weights(dense), 2);
    assert_weight(dense, 0, "dense_1/kernel:0", "(3, 4)");
    assert_weight(dense, 1, "dense_1/bias:0", "(4,)");
    kf_layer *plain = kf_dense(5, .no_bias = true, .name = "plain");
    assert_shape(kf_apply(plain, kf_input(g, {7, 3})), "(None, 7, 5)");
    assert_int_equal(kf_layer_weights(plain), 1);
    assert_weight(plain, 0, "plain/kernel:0", "(3, 5)");
    assert_shape(kf_apply(kf_dense(5), kf_input(g, {KF_ANY, 6, 3})), "(None, None, 6, 5)");
    assert_shape(kf_apply(kf_dense(5), kf_input(g, {6, 3}, .batch_size = 2)), "(2, 6, 5)");
    kf_graph_free(g);
}

static void conv2d_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *image = kf_input(g, {32, 28, 3});
    kf_layer *conv = kf_conv2d(16, {3, 5});
    assert_shape(kf_apply(conv, image), "(None, 30, 24, 16)");
    assert_weight(conv, 0, "conv2d_1/kernel:0", "(3, 5, 3, 16)");
    assert_weight(conv, 1, "conv2d_1/bias:0", "(16,)");
    assert_shape(kf_apply(kf_conv2d(2, {3}, .strides = {2}, .padding = "same"), image),
                 "(None, 16, 14, 2)");
    assert_shape(kf_apply(kf_conv2d(2, {3}, .dilation_rate = {2, 1}), image), "(None, 28, 26, 2)");
    assert_shape(kf_apply(kf_conv2d(2, {3}), kf_input(g, {KF_ANY, KF_ANY, 3})),
                 "(None, None, None, 2)");
    kf_layer *first = kf_conv2d(2, {3}, .data_format = "channels_first");
    assert_shape(kf_apply(first, kf_input(g, {3, 32, 28})), "(None, 2, 30, 26)");
    assert_weight(first, 0, "conv2d_5/kernel:0", "(3, 3, 3, 2)");
    kf_graph_free(g);
}

static void pooling_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *image = kf_input(g, {9, 8, 3});
    assert_shape(kf_apply(kf_max_pooling2d(), image), "(None, 4, 4, 3)");
    assert_shape(kf_apply(kf_max_pooling2d(.padding = "same"), image), "(None, 5, 4, 3)");
    assert_shape(kf_apply(kf_average_pooling2d(.pool_size = {3}, .strides = {1, 2}), image),
                 "(None, 7, 3, 3)");
    assert_shape(kf_apply(kf_average_pooling2d(.data_format = "channels_first"), image),
                 "(None, 9, 4, 1)");
    assert_shape(kf_apply(kf_global_average_pooling2d(), image), "(None, 3)");
    assert_shape(kf_apply(kf_global_average_pooling2d(.data_format = "channels_first"), image),
                 "(None, 9)");
    kf_graph_free(g);
}

static void reshaping_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *image = kf_input(g, {7, 6, 4});
    assert_shape(kf_apply(kf_flatten(), image), "(None, 168)");
    assert_shape(kf_apply(kf_flatten(.data_format = "channels_first"), image), "(None, 168)");
    assert_shape(kf_apply(kf_reshape({21, -1}), image), "(None, 21, 8)");
    assert_shape(kf_apply(kf_reshape({168}), image), "(None, 168)");
    assert_shape(kf_apply(kf_reshape({-1, 4}), kf_input(g, {KF_ANY, 8})), "(None, None, 4)");
    assert_shape(kf_apply(kf_reshape({2, 3}), kf_input(g, {6}, .batch_size = 5)), "(5, 2, 3)");
    kf_graph_free(g);
}

static void unchanged_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_input(g, {5, 3});
    assert_shape(kf_apply(kf_dropout(0.5f), x), "(None, 5, 3)");
    assert_shape(kf_apply(kf_activation("softmax"), x), "(None, 5, 3)");
    kf_layer *norm = kf_batch_normalization();
    assert_shape(kf_apply(norm, x), "(None, 5, 3)");
    assert_int_equal(kf_layer_weights(norm), 4);
    assert_weight(norm, 0, "batch_normalization_1/gamma:0", "(3,)");
    assert_weight(norm, 1, "batch_normalization_1/beta:0", "(3,)");
    assert_weight(norm, 2, "batch_normalization_1/moving_mean:0", "(3,)");
    assert_weight(norm, 3, "batch_normalization_1/moving_variance:0", "(3,)");
    assert_true(kf_weight_trainable(kf_layer_weight(norm, 1)));
    assert_false(kf_weight_trainable(kf_layer_weight(norm, 2)));
    kf_layer *bare = kf_batch_normalization(.axis = 1, .no_center = true, .no_scale = true);
    assert_shape(kf_apply(bare, x), "(None, 5, 3)");
    assert_weight(bare, 0, "batch_normalization_2/moving_mean:0", "(5,)");
    kf_graph_free(g);
}

static void merged_shapes(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *a = kf_input(g, {5, 3}), *b = kf_input(g, {5, 3}), *row = kf_input(g, {3});
    assert_shape(kf_apply(kf_add(), a, b), "(None, 5, 3)");
    assert_shape(kf_apply(kf_add(), a, b, a), "(None, 5, 3)");
    assert_shape(kf_apply(kf_multiply(), row, a), "(None, 5, 3)");
    assert_shape(kf_apply(kf_add(), kf_input(g, {5, 1}), kf_input(g, {1, 3})), "(None, 5, 3)");
    assert_shape(kf_apply(kf_concatenate(), a, kf_input(g, {5, 2}), a), "(None, 5, 8)");
    assert_shape(kf_apply(kf_concatenate(.axis = 1), a, kf_input(g, {2, 3})), "(None, 7, 3)");
    assert_shape(kf_apply(kf_concatenate(.axis = 1), a, kf_input(g, {KF_ANY, 3})),
                 "(None, None, 3)");
    kf_graph_free(g);
}

static void inception(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *in = kf_input(g, {256, 256, 3});
    kf_tensor *towers[3];
    for (int i = 0; i < 3; i++)
        towers[i] = kf_apply(kf_conv2d(64, {3}, .padding = "same", .activation = "relu"), in);
    assert_shape(kf_apply_list(kf_concatenate(.axis = 3), towers, 3), "(None, 256, 256, 192)");
    assert_shape(kf_apply_list(kf_concatenate(.axis = 1), towers, 3), "(None, 768, 256, 64)");
    kf_graph_free(g);
}

static void same_seed_same_weights(void **state) {
    (void)state;
    float first[12], again[12], other[12];
    for (int run = 0; run < 3; run++) {
        kf_graph *g = kf_graph_new(.seed = run < 2 ? 7 : 8);
        kf_layer *dense = kf_dense(4);
        kf_apply(dense, kf_input(g, {3}));
        float *values = run == 0 ? first : run == 1 ? again : other;
        assert_int_equal(kf_weight_get(kf_layer_weight(dense, 0), values, 12), KF_OK);
        kf_graph_free(g);
    }
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
}

static void two_layers_differ(void **state) {
    (void)state;
    float first[9], second[9];
    kf_graph *g = kf_graph_new();
    kf_layer *a = kf_dense(3), *b = kf_dense(3);
    kf_apply(b, kf_apply(a, kf_input(g, {3})));
    assert_int_equal(kf_weight_get(kf_layer_weight(a, 0), first, 9), KF_OK);
    assert_int_equal(kf_weight_get(kf_layer_weight(b, 0), second, 9), KF_OK);
    assert_memory_not_equal(first, second, sizeof first);
    kf_layer *c = kf_dense(3, .kernel_initializer = "he_normal(seed=3)");
    kf_layer *d = kf_dense(3, .kernel_initializer = "he_normal(seed=3)");
    kf_apply(d, kf_apply(c, kf_input(g, {3})));
    assert_int_equal(kf_weight_get(kf_layer_weight(c, 0), first, 9), KF_OK);
    assert_int_equal(kf_weight_get(kf_layer_weight(d, 0), second, 9), KF_OK);
    assert_memory_equal(first, second, sizeof first);
    kf_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an input has a free batch axis, or a fixed one", input_shapes),
        SENTENCE("Dense works on the last axis of any rank", dense_shapes),
        SENTENCE("Conv2D: strides, padding, dilation, free sizes, channels first", conv2d_shapes),
        SENTENCE("pooling: strides default to the window", pooling_shapes),
        SENTENCE("Flatten and Reshape, with -1 and free sizes", reshaping_shapes),
        SENTENCE("Dropout, Activation, BatchNormalization keep the shape", unchanged_shapes),
        SENTENCE("merges insert axes after the batch and stretch", merged_shapes),
        SENTENCE("the inception example, along rows and along channels", inception),
        SENTENCE("the seed decides the initial weights", same_seed_same_weights),
        SENTENCE("layers have weights of their own unless seeded alike", two_layers_differ),
    };
    return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
