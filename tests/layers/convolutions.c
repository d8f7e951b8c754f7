/* Convolution, pooling and resizing layers: shapes, weights, configurations, and what is refused.
 * Values are in the golden cases of tests/conformance. */
#include "tests/layers/support.h"

#define FAILS(make, message)                                                                       \
    {                                                                                              \
        kf_graph *g = kf_graph_new();                                                              \
        kf_tensor *made = (make);                                                                  \
        assert_fails(g, made, (message));                                                          \
    }

#define FIRST .data_format = "channels_first"

static void convolutions(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *line = kf_input(g, {20, 3}), *volume = kf_input(g, {7, 6, 5, 2});
    kf_layer *causal = kf_conv1d(4, {3}, .padding = "causal", .dilation_rate = {2});
    assert_shape(kf_apply(causal, line), "(None, 20, 4)");
    assert_weight(causal, 0, "conv1d_1/kernel:0", "(3, 3, 4)");
    assert_weight(causal, 1, "conv1d_1/bias:0", "(4,)");
    assert_shape(kf_apply(kf_conv1d(4, {5}, .strides = {2}), line), "(None, 8, 4)");
    assert_shape(kf_apply(kf_conv1d(4, {2}, FIRST), line), "(None, 4, 2)");
    kf_layer *deep = kf_conv3d(8, {3, 2, 1}, .strides = {2, 1, 1}, .no_bias = true);
    assert_shape(kf_apply(deep, volume), "(None, 3, 5, 5, 8)");
    assert_weight(deep, 0, "conv3d_1/kernel:0", "(3, 2, 1, 2, 8)");
    assert_int_equal(kf_layer_weights(deep), 1);
    assert_shape(kf_apply(kf_conv3d(8, {2}, FIRST, .padding = "same"), volume),
                 "(None, 8, 6, 5, 2)");
    kf_graph_free(g);
}

static void transposed(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *image = kf_input(g, {5, 4, 3}), *open = kf_input(g, {KF_ANY, 4, 3});
    kf_layer *layer = kf_conv2d_transpose(6, {3}, .strides = {2}, .padding = "same");
    assert_shape(kf_apply(layer, image), "(None, 10, 8, 6)");
    assert_shape(kf_apply(layer, open), "(None, None, 8, 6)");
    assert_weight(layer, 0, "conv2d_transpose_1/kernel:0", "(3, 3, 6, 3)");
    assert_weight(layer, 1, "conv2d_transpose_1/bias:0", "(6,)");
    assert_shape(kf_apply(kf_conv2d_transpose(6, {2}, .strides = {3}), image), "(None, 15, 12, 6)");
    assert_shape(kf_apply(kf_conv2d_transpose(6, {5}, .strides = {3}), image), "(None, 17, 14, 6)");
    assert_shape(kf_apply(kf_conv2d_transpose(6, {3}, .dilation_rate = {2}), image),
                 "(None, 9, 8, 6)");
    /* an output padding of 0 is not the same as none */
    kf_tensor *padded = kf_apply(kf_conv2d_transpose(6, {3}, .strides = {2}, .padding = "same",
                                                     .output_padding = {KF_NO_PADDING, 1}),
                                 image);
    assert_shape(padded, "(None, 9, 8, 6)");
    /* no convolution over 8 x 6 has 5 x 4 places: cut from all that the windows reach */
    kf_tensor *even = kf_apply(kf_conv2d_transpose(6, {4}, .strides = {2}, .padding = "same",
                                                   .output_padding = {KF_NO_PADDING}),
                               image);
    assert_shape(even, "(None, 8, 6, 6)");
    kf_layer *deep = kf_conv3d_transpose(2, {2, 3, 2}, .strides = {1, 2, 2}, FIRST);
    assert_shape(kf_apply(deep, kf_input(g, {4, 3, 2, 3})), "(None, 2, 4, 5, 6)");
    assert_weight(deep, 0, "conv3d_transpose_1/kernel:0", "(2, 3, 2, 2, 4)");
    kf_graph_free(g);
}

static void depthwise(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *line = kf_input(g, {9, 3}), *image = kf_input(g, {7, 6, 3});
    kf_layer *layer = kf_depthwise_conv2d({3}, .depth_multiplier = 2);
    assert_shape(kf_apply(layer, image), "(None, 5, 4, 6)");
    assert_weight(layer, 0, "depthwise_conv2d_1/depthwise_kernel:0", "(3, 3, 3, 2)");
    assert_weight(layer, 1, "depthwise_conv2d_1/bias:0", "(6,)");
    assert_shape(kf_apply(kf_depthwise_conv2d({3}, FIRST, .padding = "same"), image),
                 "(None, 7, 6, 3)");
    kf_layer *separable = kf_separable_conv2d(5, {3, 2}, .depth_multiplier = 4);
    assert_shape(kf_apply(separable, image), "(None, 5, 5, 5)");
    assert_weight(separable, 0, "separable_conv2d_1/depthwise_kernel:0", "(3, 2, 3, 4)");
    assert_weight(separable, 1, "separable_conv2d_1/pointwise_kernel:0", "(1, 1, 12, 5)");
    assert_weight(separable, 2, "separable_conv2d_1/bias:0", "(5,)");
    assert_shape(kf_apply(kf_separable_conv1d(5, {3}, .padding = "causal"), line), "(None, 9, 5)");
    kf_graph_free(g);
}

static void locally_connected(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *line = kf_locally_connected1d(5, {3}, .strides = {2});
    assert_shape(kf_apply(line, kf_input(g, {9, 2})), "(None, 4, 5)");
    assert_weight(line, 0, "locally_connected1d_1/kernel:0", "(4, 6, 5)");
    assert_weight(line, 1, "locally_connected1d_1/bias:0", "(4, 5)");
    kf_layer *image = kf_locally_connected2d(3, {2, 3}, FIRST);
    assert_shape(kf_apply(image, kf_input(g, {4, 5, 6})), "(None, 3, 4, 4)");
    assert_weight(image, 0, "locally_connected2d_1/kernel:0", "(16, 24, 3)");
    assert_weight(image, 1, "locally_connected2d_1/bias:0", "(4, 4, 3)");
    kf_graph_free(g);
}

static void pooling(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *line = kf_input(g, {9, 3}), *volume = kf_input(g, {4, 5, 6, 7});
    assert_shape(kf_apply(kf_max_pooling1d(), line), "(None, 4, 3)");
    assert_shape(kf_apply(kf_average_pooling1d(.padding = "same", FIRST), line), "(None, 9, 2)");
    assert_shape(kf_apply(kf_max_pooling3d(.strides = {1, 2, 3}), volume), "(None, 3, 2, 2, 7)");
    assert_shape(kf_apply(kf_average_pooling3d(.pool_size = {3}, FIRST), volume),
                 "(None, 4, 1, 2, 2)");
    assert_shape(kf_apply(kf_global_max_pooling1d(), line), "(None, 3)");
    assert_shape(kf_apply(kf_global_max_pooling1d(FIRST), line), "(None, 9)");
    assert_shape(kf_apply(kf_global_average_pooling1d(FIRST), line), "(None, 9)");
    assert_shape(kf_apply(kf_global_max_pooling2d(), kf_input(g, {KF_ANY, KF_ANY, 8})),
                 "(None, 8)");
    assert_shape(kf_apply(kf_global_max_pooling3d(FIRST), volume), "(None, 4)");
    assert_shape(kf_apply(kf_global_average_pooling3d(), volume), "(None, 7)");
    kf_graph_free(g);
}

static void resizing(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *line = kf_input(g, {9, 3}), *image = kf_input(g, {4, KF_ANY, 3});
    kf_tensor *volume = kf_input(g, {4, 5, 6, 7});
    assert_shape(kf_apply(kf_up_sampling1d(), line), "(None, 18, 3)");
    assert_shape(kf_apply(kf_up_sampling2d(.factors = {2, 3}), image), "(None, 8, None, 3)");
    assert_shape(kf_apply(kf_up_sampling2d(FIRST, .interpolation = "bilinear"), image),
                 "(None, 4, None, 6)");
    assert_shape(kf_apply(kf_up_sampling3d(.factors = {1, 2, 3}), volume), "(None, 4, 10, 18, 7)");
    assert_shape(kf_apply(kf_zero_padding1d(.padding = {0, 2}), line), "(None, 11, 3)");
    assert_shape(kf_apply(kf_zero_padding2d(.padding = {{1, 2}, {1}}), image),
                 "(None, 7, None, 3)");
    assert_shape(kf_apply(kf_zero_padding3d(FIRST), volume), "(None, 4, 7, 8, 9)");
    assert_shape(kf_apply(kf_cropping1d(.cropping = {1, 2}), line), "(None, 6, 3)");
    assert_shape(kf_apply(kf_cropping2d(), image), "(None, 4, None, 3)");
    assert_shape(kf_apply(kf_cropping3d(.cropping = {{1}, {0, 1}, {2, 2}}), volume),
                 "(None, 3, 4, 2, 7)");
    assert_shape(kf_apply(kf_spatial_dropout1d(0.5f), line), "(None, 9, 3)");
    kf_graph_free(g);
}

static void refusals(void **state) {
    (void)state;
    FAILS(kf_apply(kf_conv1d(3, {3}, .padding = "sme"), kf_input(g, {8, 1})),
          "conv1d_1: padding must be one of valid, same, causal; got 'sme'");
    FAILS(kf_apply(kf_conv1d(3, {3}, .padding = "causal", .data_format = "channels_first"),
                   kf_input(g, {1, 8})),
          "conv1d_1: When using causal padding in `Conv1D`, `data_format` must be "
          "\"channels_last\" (temporal data).");
    FAILS(kf_apply(kf_conv3d(3, {3}, .padding = "causal"), kf_input(g, {8, 8, 8, 1})),
          "conv3d_1: padding must be one of valid, same; got 'causal'");
    FAILS(kf_apply(kf_conv1d(3, {3}, .strides = {2}, .dilation_rate = {2}), kf_input(g, {8, 1})),
          "conv1d_1: strides > 1 not supported in conjunction with dilation_rate > 1");
    FAILS(kf_apply(kf_conv1d(3, {3}), kf_input(g, {8, 8, 1})),
          "Input 0 is incompatible with layer conv1d_1: expected ndim=3, found ndim=4");
    FAILS(kf_apply(kf_conv1d(3, {3}), kf_input(g, {8, KF_ANY})),
          "conv1d_1: The channel dimension of the inputs should be defined. Found `None`.");
    FAILS(kf_apply(kf_conv2d_transpose(3, {3}, .strides = {2}, .output_padding = {1, 2}),
                   kf_input(g, {8, 8, 1})),
          "conv2d_transpose_1: Stride (2, 2) must be greater than output padding (1, 2)");
    FAILS(kf_apply(kf_depthwise_conv2d({3}, .depth_multiplier = -1), kf_input(g, {8, 8, 1})),
          "depthwise_conv2d_1: depth_multiplier must be an integer of at least 1; got -1");
    FAILS(kf_apply(kf_zero_padding2d(.padding = {{1, -2}}), kf_input(g, {8, 8, 1})),
          "zero_padding2d_1: padding must be an integer, 2 integers or 2 pairs of integers, none "
          "negative; got [[1, -2], [0, 0]]");
    FAILS(kf_apply(kf_cropping1d(.cropping = {2, 2}), kf_input(g, {4, 1})),
          "cropping1d_1: an axis of 4 cannot lose 4 elements");
    FAILS(kf_apply(kf_layer_named("Cropping1D", "(1, 2, 3)"), kf_input(g, {4, 1})),
          "cropping1d_1: cropping must be an integer or 2 integers, none negative; got [1, 2, 3]");
    FAILS(kf_apply(kf_up_sampling2d(.interpolation = "cubic"), kf_input(g, {8, 8, 1})),
          "up_sampling2d_1: interpolation must be one of nearest, bilinear; got 'cubic'");
    FAILS(kf_apply(kf_global_max_pooling2d(), kf_input(g, {8, 1})),
          "Input 0 is incompatible with layer global_max_pooling2d_1: expected ndim=4, found "
          "ndim=3");
}

static void locally_connected_refusals(void **state) {
    (void)state;
    FAILS(kf_apply(kf_locally_connected1d(5, {3}, .padding = "same"), kf_input(g, {9, 2})),
          "locally_connected1d_1: Invalid border mode for LocallyConnected1D (only \"valid\" is "
          "supported): same");
    FAILS(kf_apply(kf_locally_connected2d(5, {3}), kf_input(g, {KF_ANY, 9, 2})),
          "locally_connected2d_1: The spatial dimensions of the inputs to a LocallyConnected2D "
          "layer should be fully-defined, but layer received the inputs shape (None, None, 9, 2)");
    FAILS(kf_apply(kf_locally_connected1d(5, {3}), kf_input(g, {2, 2})),
          "locally_connected1d_1: a window of 3 does not fit into an input of shape (None, 2, 2)");
}

static void a_shared_layer_keeps_its_channels(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_separable_conv1d(4, {3}, FIRST);
    kf_apply(layer, kf_input(g, {3, 9}));
    assert_shape(kf_apply(layer, kf_input(g, {3, 20})), "(None, 4, 18)");
    assert_fails(g, kf_apply(layer, kf_input(g, {2, 9})),
                 "Input 0 is incompatible with layer separable_conv1d_1: expected axis 1 of input "
                 "shape to have value 3 but got shape (None, 2, 9)");
}

/* --- configurations --------------------------------------------------------------------------- */

static void print_config(const kf_layer *layer, char *text, size_t size) {
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    assert_non_null(config);
    kfi_value_print(config, text, size);
    kfi_variant_free(config);
}

/* The layer has this configuration, and so has the layer made from it. */
static void config_is(kf_layer *layer, const char *expected) {
    char text[2000];
    if (layer->status != KF_OK) fail_msg("%s", layer->message);
    print_config(layer, text, sizeof text);
    assert_string_equal(text, expected);
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    kf_layer *again = kfi_layer_from_arguments(layer->class, config, NULL, NULL);
    kfi_variant_free(config);
    if (again->status != KF_OK) fail_msg("%s", again->message);
    print_config(again, text, sizeof text);
    assert_string_equal(text, expected);
    kf_layer_free(layer);
    kf_layer_free(again);
}

static void borders_in_json(void **state) {
    (void)state;
    config_is(kf_zero_padding1d(), "{'padding': [1, 1]}");
    config_is(kf_zero_padding1d(.padding = {1}), "{'padding': [1, 0]}");
    config_is(kf_zero_padding1d(.padding = {KF_NO_PADDING}), "{'padding': [0, 0]}");
    config_is(kf_layer_named("ZeroPadding1D", "2"), "{'padding': [2, 2]}");
    config_is(kf_zero_padding2d(.padding = {{1, 0}, {0, 3}}),
              "{'padding': [[1, 0], [0, 3]], 'data_format': 'channels_last'}");
    config_is(kf_layer_named("ZeroPadding2D", "(1, (2, 3)), 'channels_first'"),
              "{'padding': [[1, 1], [2, 3]], 'data_format': 'channels_first'}");
    config_is(kf_cropping2d(), "{'cropping': [[0, 0], [0, 0]], 'data_format': 'channels_last'}");
    config_is(kf_cropping3d(),
              "{'cropping': [[1, 1], [1, 1], [1, 1]], 'data_format': 'channels_last'}");
}

static void others_in_json(void **state) {
    (void)state;
    config_is(kf_max_pooling1d(.pool_size = {3}),
              "{'strides': [3], 'pool_size': [3], 'padding': 'valid', "
              "'data_format': 'channels_last'}");
    config_is(kf_layer_named("AvgPool1D", "3, 1, 'same'"),
              "{'strides': [1], 'pool_size': [3], 'padding': 'same', "
              "'data_format': 'channels_last'}");
    config_is(kf_up_sampling1d(.factor = 3), "{'size': 3}");
    config_is(kf_up_sampling2d(), "{'size': [2, 2], 'data_format': 'channels_last', "
                                  "'interpolation': 'nearest'}");
    config_is(kf_spatial_dropout2d(0.25f), "{'rate': 0.25, 'noise_shape': None, 'seed': None}");
    config_is(kf_spatial_dropout2d(0.25f, FIRST),
              "{'rate': 0.25, 'noise_shape': None, 'seed': None, "
              "'data_format': 'channels_first'}");
    config_is(kf_global_max_pooling3d(FIRST), "{'data_format': 'channels_first'}");
}

#define GLOROT "VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform', seed=None)"

static void convolutions_in_json(void **state) {
    (void)state;
    config_is(kf_layer_named("Deconvolution2D", "4, 3, 2, 'same', 0, 'channels_first', 1, 'relu', "
                                                "False, 'ones'"),
              "{'filters': 4, 'kernel_size': [3, 3], 'strides': [2, 2], 'padding': 'same', "
              "'data_format': 'channels_first', 'dilation_rate': [1, 1], 'activation': 'relu', "
              "'use_bias': False, 'kernel_initializer': Ones(), 'bias_initializer': Zeros(), "
              "'kernel_regularizer': None, 'bias_regularizer': None, 'activity_regularizer': None, "
              "'kernel_constraint': None, 'bias_constraint': None, 'output_padding': [0, 0]}");
    config_is(kf_layer_named("DepthwiseConv2D", "3, 1, 'same', 2, None, 'relu', True, 'ones'"),
              "{'kernel_size': [3, 3], 'strides': [1, 1], 'padding': 'same', "
              "'data_format': 'channels_last', 'dilation_rate': [1, 1], 'activation': 'relu', "
              "'use_bias': True, 'bias_initializer': Zeros(), 'bias_regularizer': None, "
              "'activity_regularizer': None, 'bias_constraint': None, 'depth_multiplier': 2, "
              "'depthwise_initializer': Ones(), 'depthwise_regularizer': None, "
              "'depthwise_constraint': None}");
    config_is(kf_layer_named("SeparableConv1D", "4, 3, 1, 'causal', None, 2, 5, 'tanh', False"),
              "{'filters': 4, 'kernel_size': [3], 'strides': [1], 'padding': 'causal', "
              "'data_format': 'channels_last', 'dilation_rate': [2], 'activation': 'tanh', "
              "'use_bias': False, 'bias_initializer': Zeros(), 'bias_regularizer': None, "
              "'activity_regularizer': None, 'bias_constraint': None, 'depth_multiplier': 5, "
              "'depthwise_initializer': " GLOROT ", 'pointwise_initializer': " GLOROT
              ", 'depthwise_regularizer': None, 'pointwise_regularizer': None, "
              "'depthwise_constraint': None, 'pointwise_constraint': None}");
    config_is(kf_locally_connected1d(2, {3}),
              "{'filters': 2, 'kernel_size': [3], 'strides': [1], 'padding': 'valid', "
              "'activation': 'linear', 'use_bias': True, 'kernel_initializer': " GLOROT
              ", 'bias_initializer': Zeros(), 'kernel_regularizer': None, "
              "'bias_regularizer': None, 'activity_regularizer': None, 'kernel_constraint': None, "
              "'bias_constraint': None}");
}

static void aliases(void **state) {
    (void)state;
    static const struct {
        const char *alias, *class;
    } rows[] = {
        {"Convolution1D", "Conv1D"},
        {"Convolution2D", "Conv2D"},
        {"Convolution3D", "Conv3D"},
        {"Deconvolution3D", "Conv3DTranspose"},
        {"MaxPool2D", "MaxPooling2D"},
        {"AvgPool3D", "AveragePooling3D"},
        {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
        {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
        {"SeparableConvolution2D", "SeparableConv2D"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const kfi_layer_class *class = kfi_layer_class_find(rows[i].alias);
        assert_non_null(class);
        assert_string_equal(class->name, rows[i].class);
    }
}

/* --- values ----------------------------------------------------------------------------------- */

static void check(kf_status status) {
    if (status != KF_OK) fail_msg("%s", kf_last_error());
}

/* The layer that made `tensor`, in training or not, on one batch; out has room for its output. */
static void run_layer(const kf_tensor *tensor, bool training, int64_t batch, const float *data,
                      const float *mask, float *out) {
    const kfi_node *node = tensor->node;
    kfi_formula *formula;
    assert_good(tensor->graph);
    check(kfi_formula_new(false, training, &formula));
    kf_shape shape = node->in[0]->shape;
    shape.dims[0] = batch;
    kfi_value outputs[KFI_LAYER_MAX_OUTPUTS], masks[KFI_LAYER_MAX_OUTPUTS];
    const kfi_value in = kfi_source(formula, "input", KF_FLOAT32, &shape);
    const kf_shape steps = KFI_SHAPE(batch, shape.dims[1]);
    const kfi_value in_mask = mask ? kfi_source(formula, "mask", KF_FLOAT32, &steps) : KFI_NONE;
    kfi_layer_call call = {.layer = node->layer,
                           .formula = formula,
                           .n_in = 1,
                           .in = &in,
                           .in_mask = &in_mask,
                           .out = outputs,
                           .out_mask = masks};
    check(kfi_layer_invoke(&call, node->index));
    const kfi_value random = kfi_random_state(formula);
    kfi_plan *plan;
    check(kfi_plan_new(formula, outputs, 1, &plan));
    kfi_plan_feed(plan, in, data);
    if (mask) kfi_plan_feed(plan, in_mask, mask);
    kfi_plan_feed(plan, random, (const int64_t[]){5, 9});
    kfi_arena arena = {0};
    check(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}));
    const kfi_array *result = kfi_plan_result(plan, 0);
    memcpy(out, result->data, (size_t)kfi_shape_count(&result->shape) * sizeof(float));
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
}

static void assert_floats(const float *got, const float *expected, int count) {
    for (int i = 0; i < count; i++)
        if (!(got[i] - expected[i] < 1e-5f && expected[i] - got[i] < 1e-5f))
            fail_msg("element %d is %g, expected %g", i, (double)got[i], (double)expected[i]);
}

/* A kernel of (1, 10, 100, 1000) on (1, 2, 3), strides 2: the windows reach
 * 1 10 102 1020 203 2030 300 3000; 'same' with padding 0 is 4 long and drops (8 - 4) / 2 = 2. */
static void cut_from_all_that_windows_reach(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_layer *layer = kf_conv2d_transpose(1, {1, 4}, .strides = {1, 2}, .padding = "same",
                                          .output_padding = {KF_NO_PADDING}, .no_bias = true);
    kf_tensor *y = kf_apply(layer, kf_input(g, {1, 3, 1}));
    assert_shape(y, "(None, 1, 4, 1)");
    check(kf_weight_set(kf_layer_weight(layer, 0), (const float[]){1, 10, 100, 1000}, 4));
    float out[4];
    run_layer(y, false, 1, (const float[]){1, 2, 3}, NULL, out);
    assert_floats(out, (const float[]){102, 1020, 203, 2030}, 4);
    kf_graph_free(g);
}

static void channels_fall_together(void **state) {
    (void)state;
    enum { BATCH = 8, ROWS = 3, COLUMNS = 2, CHANNELS = 16 };
    enum { COUNT = BATCH * ROWS * COLUMNS * CHANNELS };
    static float ones[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++) ones[i] = 1;
    kf_graph *g = kf_graph_new();
    kf_tensor *y = kf_apply(kf_spatial_dropout2d(0.5f), kf_input(g, {ROWS, COLUMNS, CHANNELS}));
    run_layer(y, false, BATCH, ones, NULL, out);
    assert_floats(out, ones, COUNT);
    run_layer(y, true, BATCH, ones, NULL, out);
    int kept = 0;
    for (int i = 0; i < COUNT; i++) {
        const int sample = i / (ROWS * COLUMNS * CHANNELS), channel = i % CHANNELS;
        const float first = out[sample * ROWS * COLUMNS * CHANNELS + channel];
        assert_true(out[i] == first && (first == 0 || first == 2));
        kept += first != 0;
    }
    assert_true(kept > COUNT / 4 && kept < COUNT * 3 / 4);
    kf_graph_free(g);
}

static void averages_the_steps_that_count(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_tensor *y = kf_apply(kf_global_average_pooling1d(), kf_input(g, {3, 2}));
    float out[2];
    run_layer(y, false, 1, (const float[]){1, 2, 3, 4, 50, 60}, (const float[]){1, 1, 0}, out);
    assert_floats(out, (const float[]){2, 3}, 2);
    kf_graph_free(g);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("convolutions along one to three axes", convolutions),
        SENTENCE("transposed convolutions grow as Keras says", transposed),
        SENTENCE("depthwise and separable convolutions", depthwise),
        SENTENCE("locally connected layers have weights for each place", locally_connected),
        SENTENCE("pooling along one to three axes", pooling),
        SENTENCE("up-sampling, padding and cropping", resizing),
        SENTENCE("what does not fit is refused with what was expected", refusals),
        SENTENCE("locally connected layers need fixed sizes and no padding",
                 locally_connected_refusals),
        SENTENCE("a shared layer keeps its channels", a_shared_layer_keeps_its_channels),
        SENTENCE("borders are pairs in JSON, whatever they were given as", borders_in_json),
        SENTENCE("pooling and resizing have Keras's keys in Keras's order", others_in_json),
        SENTENCE("convolutions take Keras's positional arguments", convolutions_in_json),
        SENTENCE("older names find the same classes", aliases),
        SENTENCE("an even window with output padding", cut_from_all_that_windows_reach),
        SENTENCE("spatial dropout drops whole channels of a sample", channels_fall_together),
        SENTENCE("a masked average counts its steps", averages_the_steps_that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
