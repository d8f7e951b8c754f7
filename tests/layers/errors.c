/* What is refused, with which words, and that nothing leaks when memory runs out. */
#include "tests/layers/support.h"

#define FAILS(make, message)                                                                       \
    {                                                                                              \
        kf_graph *g = kf_graph_new();                                                              \
        kf_tensor *made = (make);                                                                  \
        assert_fails(g, made, (message));                                                          \
    }

static void wrong_options(void **state) {
    (void)state;
    FAILS(kf_apply(kf_dense(-1), kf_input(g, {3})),
          "dense_1: units must be an integer of at least 1; got -1");
    FAILS(kf_apply(kf_dense(0), kf_input(g, {3})),
          "dense_1: units is missing: expected an integer");
    FAILS(kf_apply(kf_conv2d(3, {3}, .padding = "sme"), kf_input(g, {8, 8, 1})),
          "conv2d_1: padding must be one of valid, same; got 'sme'");
    FAILS(kf_apply(kf_conv2d(3, {3}, .strides = {2}, .dilation_rate = {2}), kf_input(g, {8, 8, 1})),
          "conv2d_1: strides > 1 not supported in conjunction with dilation_rate > 1");
    FAILS(kf_apply(kf_dense(3, .activation = "rleu", .name = "a"), kf_input(g, {3})),
          "a: activation must be one of linear, relu, sigmoid, softmax, tanh, elu, selu, softplus, "
          "softsign, hard_sigmoid, exponential; got 'rleu'");
    FAILS(kf_apply(kf_dense(3, .kernel_initializer = "he_normal(sead=1)"), kf_input(g, {3})),
          "dense_1: kernel_initializer: he_normal: unknown argument 'sead' (known: seed)");
    FAILS(kf_apply(kf_dense(3, .kernel_regularizer = "l3(0.01)"), kf_input(g, {3})),
          "dense_1: kernel_regularizer must be one of L1L2, l1, l2, l1_l2, L1, L2; got 'l3'");
    FAILS(kf_apply(kf_dense(3, .activity_regularizer = "l1(l1=3)"), kf_input(g, {3})),
          "dense_1: activity_regularizer: l1: unknown argument 'l1' (known: l)");
    FAILS(kf_apply(kf_dense(3, .kernel_constraint = "max_norm(2, axis='a')"), kf_input(g, {3})),
          "dense_1: kernel_constraint: max_norm: axis must be an integer or a list of integers; "
          "got 'a'");
    FAILS(kf_apply(kf_dense(3, .bias_constraint = "unit_norm(axis=1)"), kf_input(g, {3})),
          "dense_1: bias: unit_norm(axis=1): axis 1 is outside of a weight of shape (3,)");
    FAILS(kf_apply(kf_layer_named("Dropout", "rate='half'"), kf_input(g, {3})),
          "dropout_1: rate must be a number; got 'half'");
    FAILS(kf_apply(kf_dropout(0.5f, .noise_shape = {KF_ANY, 1}), kf_input(g, {3, 3})),
          "dropout_1: noise_shape (None, 1) does not stretch to the input's shape (None, 3, 3)");
    FAILS(kf_apply(kf_relu(.max_value = -1), kf_input(g, {3})),
          "re_lu_1: max_value of ReLU layer cannot be negative value: -1");
    FAILS(kf_apply(kf_relu(.negative_slope = -0.5f), kf_input(g, {3})),
          "re_lu_1: negative_slope of ReLU layer cannot be negative value: -0.5");
    FAILS(kf_apply(kf_embedding(3, 2, .embeddings_regularizer = "l3"), kf_input(g, {3})),
          "embedding_1: embeddings_regularizer must be one of L1L2, l1, l2, l1_l2, L1, L2; got "
          "'l3'");
    FAILS(kf_apply(kf_reshape({-1, -1}), kf_input(g, {3})),
          "reshape_1: Can only specify one unknown dimension.");
    FAILS(kf_apply(kf_dense(3, .name = ""), kf_input(g, {3})), "dense_1: name must not be empty");
}

static void creation_says_why_at_once(void **state) {
    (void)state;
    kf_layer *layer = kf_conv2d(3, {3}, .padding = "sme");
    assert_string_equal(kf_last_error(), "Conv2D: padding must be one of valid, same; got 'sme'");
    kf_layer_free(layer);
}

static void wrong_inputs(void **state) {
    (void)state;
    FAILS(kf_input(g, {3, -7}), "Input: shape[1] must be at least 1, or KF_ANY; got -7");
    FAILS(kf_input(g, {1, 1, 1, 1, 1, 1, 1, 1}, .name = "deep"),
          "deep: a shape has at most 7 axes besides the batch");
    FAILS(kf_input(g, {3}, .dtype = "float16"),
          "InputLayer: dtype must be one of float32, int32; got 'float16'");
    FAILS(kf_input(g, {3}, .batch_size = -2), "Input: batch_size must be at least 0; got -2");
    assert_null(kf_input(NULL, {3}));
    assert_string_equal(kf_last_error(), "kf_input: the graph is NULL");
}

static void wrong_shapes(void **state) {
    (void)state;
    FAILS(kf_apply(kf_dense(3), kf_input(g, {0})),
          "Input 0 is incompatible with layer dense_1: expected min_ndim=2, found ndim=1");
    FAILS(kf_apply(kf_dense(3), kf_input(g, {4, KF_ANY})),
          "dense_1: The last dimension of the inputs to `Dense` should be defined. Found `None`.");
    FAILS(kf_apply(kf_conv2d(3, {3}), kf_input(g, {8, 8})),
          "Input 0 is incompatible with layer conv2d_1: expected ndim=4, found ndim=3");
    FAILS(kf_apply(kf_conv2d(3, {3}), kf_input(g, {8, 8, KF_ANY})),
          "conv2d_1: The channel dimension of the inputs should be defined. Found `None`.");
    FAILS(kf_apply(kf_max_pooling2d(), kf_input(g, {8})),
          "Input 0 is incompatible with layer max_pooling2d_1: expected ndim=4, found ndim=2");
    FAILS(kf_apply(kf_flatten(), kf_input(g, {8})),
          "Input 0 is incompatible with layer flatten_1: expected min_ndim=3, found ndim=2");
    FAILS(kf_apply(kf_flatten(), kf_input(g, {8, KF_ANY})),
          "flatten_1: The shape of the input to \"Flatten\" is not fully defined (got (8, None). "
          "Make sure to pass a complete \"input_shape\" or \"batch_input_shape\" argument to the "
          "first layer in your model.");
    FAILS(kf_apply(kf_reshape({5, -1}), kf_input(g, {8})),
          "reshape_1: cannot reshape (None, 8) to (None, 5, 1): total size of new array must be "
          "unchanged");
    FAILS(kf_apply(kf_batch_normalization(.axis = 1), kf_input(g, {KF_ANY, 4})),
          "batch_normalization_1: Axis 1 of input tensor should have a defined dimension but the "
          "layer received an input with shape (None, None, 4).");
    FAILS(kf_apply(kf_batch_normalization(.axis = 5), kf_input(g, {4})),
          "batch_normalization_1: axis 5 is outside of the input's shape (None, 4)");
    FAILS(kf_apply(kf_activation("relu"), kf_input(g, {4}, .dtype = "int32")),
          "activation_1: input 0 must be float32, but it is int32");
}

static void too_small_for_a_window(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *made = kf_apply(kf_conv2d(3, {5}), kf_input(g, {3, 3, 1}));
    assert_true(made->poisoned);
    kf_graph_error(g);
    assert_non_null(strstr(kf_last_error(), "conv2d_1: "));
    assert_non_null(strstr(kf_last_error(), "negative dimension"));
    kf_graph_free(g);
}

static void wrong_merges(void **state) {
    (void)state;
    FAILS(kf_apply(kf_add(), kf_input(g, {4})),
          "add_1: A merge layer should be called on a list of at least 2 inputs. Got 1 inputs.");
    FAILS(kf_apply(kf_multiply(), kf_input(g, {4, 3}), kf_input(g, {5, 3})),
          "multiply_1: Operands could not be broadcast together with shapes (4, 3) (5, 3)");
    FAILS(kf_apply(kf_add(), kf_input(g, {4}, .batch_size = 2), kf_input(g, {4}, .batch_size = 3)),
          "add_1: Can not merge tensors with different batch sizes. Got tensors with shapes : [(2, "
          "4), (3, 4)]");
    FAILS(kf_apply(kf_concatenate(), kf_input(g, {4})),
          "concatenate_1: A `Concatenate` layer should be called on a list of at least 2 inputs");
    FAILS(kf_apply(kf_concatenate(), kf_input(g, {4, 3}), kf_input(g, {5, 3})),
          "concatenate_1: A `Concatenate` layer requires inputs with matching shapes except for "
          "the concat axis. Got inputs shapes: [(None, 4, 3), (None, 5, 3)]");
    FAILS(kf_apply(kf_concatenate(.axis = 4), kf_input(g, {4}), kf_input(g, {4})),
          "concatenate_1: axis 4 is outside of the input's shape (None, 4)");
}

static void wrong_calls(void **state) {
    (void)state;
    FAILS(kf_apply(kf_dense(3), kf_input(g, {4}), kf_input(g, {4})),
          "Layer dense_1 expects 1 inputs, but it received 2 input tensors");
    FAILS(kf_apply(NULL, kf_input(g, {4})), "kf_apply: the layer is NULL");
    FAILS(kf_apply(kf_add(), kf_input(g, {4}), NULL), "add_1: input 1 is NULL");
    kf_graph *g = kf_graph_new(), *other = kf_graph_new();
    kf_layer *shared = kf_dense(3);
    kf_tensor *mixed = kf_apply(kf_add(), kf_input(g, {4}), kf_input(other, {4}));
    assert_true(mixed->poisoned);
    kf_graph_error(g);
    assert_string_equal(kf_last_error(), "add_1: input 1 belongs to another graph than input 0");
    assert_int_equal(kf_graph_error(other), KF_OK);
    kf_graph_free(g);
    g = kf_graph_new();
    kf_apply(shared, kf_input(g, {4}));
    kf_tensor *stranger = kf_apply(shared, kf_input(other, {4}));
    assert_fails(other, stranger, "dense_1 belongs to another graph than its input");
    assert_good(g);
    kf_graph_free(g);
    kf_layer *unused = kf_dense(3);
    assert_null(kf_apply(unused, NULL));
    assert_string_equal(kf_last_error(), "Dense: applied to no tensor");
    kf_layer_free(unused);
}

static void another_size_for_a_shared_layer(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *shared = kf_dense(3);
    kf_apply(shared, kf_input(g, {4}));
    kf_tensor *again = kf_apply(shared, kf_input(g, {5}));
    assert_fails(g, again,
                 "Input 0 is incompatible with layer dense_1: expected axis -1 of input shape to "
                 "have value 4 but got shape (None, 5)");
}

static void poison_spreads_quietly(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *bad = kf_apply(kf_dense(-1), kf_input(g, {3}));
    kf_tensor *worse = kf_apply(kf_flatten(), kf_apply(kf_add(), kf_input(g, {3}), bad));
    assert_fails(g, worse, "dense_1: units must be an integer of at least 1; got -1");
}

static void layers_by_name(void **state) {
    (void)state;
    kf_layer *unknown = kf_layer_named("Dens", "units=3");
    assert_non_null(
        strstr(kf_last_error(), "unknown layer class 'Dens' (known: InputLayer, Dense, "));
    kf_layer_free(unknown);
    FAILS(kf_apply(kf_layer_named("MaxPooling2D", "pool=3"), kf_input(g, {3})),
          "max_pooling2d_1: unknown argument 'pool' (known: pool_size, padding, strides, "
          "data_format)");
    FAILS(kf_apply(kf_layer_named("Dense", "units="), kf_input(g, {3})),
          "Dense: expected a value at the end of \"units=\"");
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_layer_named("Dense", "5, relu, name='five', trainable=False");
    assert_shape(kf_apply(layer, kf_input(g, {3})), "(None, 5)");
    assert_string_equal(kf_layer_name(layer), "five");
    assert_false(kf_layer_trainable(layer));
    assert_shape(kf_apply(kf_layer_named("MaxPooling2D", "3, 1, 'same'"), kf_input(g, {9, 9, 1})),
                 "(None, 9, 9, 1)");
    assert_shape(kf_apply(kf_layer_named("Add", NULL), kf_input(g, {2}), kf_input(g, {2})),
                 "(None, 2)");
    kf_graph_free(g);
}

/* A layer that makes a mask, which no layer of Keras's list above does yet. */
static kf_status call_masking(kfi_layer_call *call) {
    call->out[0] = call->in[0];
    kf_shape shape = kfi_type(call->formula, call->in[0])->shape;
    shape.rank--;
    call->out_mask[0] = kfi_source(call->formula, "mask", KF_FLOAT32, &shape);
    return KF_OK;
}

static const kfi_layer_class masking_class = {
    .name = "Masker", .options_size = sizeof(kfi_layer_options), .call = call_masking};

static void masks_pass_or_are_refused(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *x = kf_apply(kfi_layer_new(&masking_class, NULL), kf_input(g, {6, 3}));
    assert_true(x->masked);
    kf_tensor *y = kf_apply(kf_dropout(0.5f), kf_apply(kf_dense(4), x));
    assert_true(y->masked);
    assert_string_equal(kfi_shape_string(&y->mask_shape), "(None, 6)");
    kf_tensor *plain = kf_input(g, {6, 3});
    assert_true(kf_apply(kf_add(), plain, x)->masked);
    assert_true(kf_apply(kf_concatenate(), plain, x)->masked);
    kf_tensor *longer = kf_apply(kf_concatenate(.axis = 1), x, x);
    assert_string_equal(kfi_shape_string(&longer->mask_shape), "(None, 12)");
    assert_false(kf_apply(kf_add(), plain, plain)->masked);
    kf_tensor *refused = kf_apply(kf_flatten(), y);
    assert_fails(g, refused,
                 "Layer flatten_1 does not support masking, but was passed an input_mask");
}

/* --- memory ----------------------------------------------------------------------------------- */

/* A layer applied twice, some of its own that nobody else holds, and an error on the way. */
static kf_status build_much(void) {
    kf_graph *g = kf_graph_new();
    if (!g) return KF_MEMORY;
    kf_layer *shared = kf_dense(4, .activation = "relu", .kernel_initializer = "orthogonal");
    kf_tensor *a = kf_apply(shared, kf_input(g, {3}));
    kf_tensor *b = kf_apply(shared, kf_input(g, {3}, .name = "b"));
    kf_tensor *image = kf_apply(kf_reshape({2, 2, 2}), kf_apply(kf_concatenate(), a, b));
    image = kf_apply(kf_conv2d(3, {2}, .data_format = "channels_first"), image);
    image = kf_apply(kf_batch_normalization(.no_scale = true), image);
    kf_apply(kf_layer_named("Dense", "3, 'tanh'"), kf_apply(kf_flatten(), image));
    kf_status status = kf_graph_error(g);
    if (status == KF_OK && kf_layer_weights(shared) != 2) status = KF_MEMORY;
    if (!shared || (!shared->graph && status == KF_OK)) status = KF_USAGE;
    kf_layer_free(shared);
    kf_graph_free(g);
    return status;
}

static void memory_may_run_out(void **state) {
    (void)state;
    if (build_much() != KF_OK) fail_msg("%s", kf_last_error());
    for (int64_t nth = 1;; nth++) {
        kfi_fail_allocation(nth);
        const kf_status status = build_much();
        kfi_fail_allocation(0);
        if (status == KF_OK) {
            assert_true(nth > 100);
            return;
        }
        assert_int_equal(status, KF_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("wrong options are refused in the layer's name", wrong_options),
        SENTENCE("making a wrong layer says why at once", creation_says_why_at_once),
        SENTENCE("wrong inputs are refused", wrong_inputs),
        SENTENCE("wrong shapes are refused in Keras's words", wrong_shapes),
        SENTENCE("a window larger than the input is refused", too_small_for_a_window),
        SENTENCE("wrong merges are refused in Keras's words", wrong_merges),
        SENTENCE("NULL, other graphs and wrong counts are refused", wrong_calls),
        SENTENCE("a shared layer keeps the size it was built for", another_size_for_a_shared_layer),
        SENTENCE("poison spreads and keeps the first message", poison_spreads_quietly),
        SENTENCE("layers are made by Keras's name and arguments", layers_by_name),
        SENTENCE("masks pass through or are refused, as in Keras", masks_pass_or_are_refused),
        SENTENCE("every allocation may fail", memory_may_run_out),
    };
    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
