/* Configurations: Keras's keys, order and values, and the same again after reading. */
#include "tests/layers/support.h"

#define GLOROT "VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform', seed=None)"
#define NO_PENALTIES                                                                               \
    "'kernel_regularizer': None, 'bias_regularizer': None, 'activity_regularizer': None, "         \
    "'kernel_constraint': None, 'bias_constraint': None}"

static void print_config(const kf_layer *layer, char *text, size_t size) {
    kfi_variant *config = kfi_fields_config(layer->class->fields, layer->options);
    assert_non_null(config);
    kfi_value_print(config, text, size);
    kfi_variant_free(config);
}

/* The layer has this configuration, and so has the layer made from it. */
static void config_is(kf_layer *layer, const char *expected) {
    char text[1500];
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

static void kernels(void **state) {
    (void)state;
    config_is(kf_dense(6, .activation = "tanh"),
              "{'units': 6, 'activation': 'tanh', 'use_bias': True, 'kernel_initializer': " GLOROT
              ", 'bias_initializer': Zeros(), " NO_PENALTIES);
    config_is(kf_conv2d(3, {3}, .padding = "same", .no_bias = true, .strides = {2, 1}),
              "{'filters': 3, 'kernel_size': [3, 3], 'strides': [2, 1], 'padding': 'same', "
              "'data_format': 'channels_last', 'dilation_rate': [1, 1], 'activation': 'linear', "
              "'use_bias': False, 'kernel_initializer': " GLOROT
              ", 'bias_initializer': Zeros(), " NO_PENALTIES);
}

static void others(void **state) {
    (void)state;
    config_is(kf_max_pooling2d(.pool_size = {3, 2}),
              "{'pool_size': [3, 2], 'padding': 'valid', 'strides': [3, 2], "
              "'data_format': 'channels_last'}");
    config_is(kf_average_pooling2d(.strides = {1}, .data_format = "channels_first"),
              "{'pool_size': [2, 2], 'padding': 'valid', 'strides': [1, 1], "
              "'data_format': 'channels_first'}");
    config_is(kf_global_average_pooling2d(), "{'data_format': 'channels_last'}");
    config_is(kf_flatten(), "{'data_format': 'channels_last'}");
    config_is(kf_reshape({-1, 2}), "{'target_shape': [-1, 2]}");
    config_is(kf_dropout(0.3f), "{'rate': 0.3, 'noise_shape': None, 'seed': None}");
    config_is(kf_dropout(0.5f, .seed = 7), "{'rate': 0.5, 'noise_shape': None, 'seed': 7}");
    config_is(kf_dropout(0.333333333333),
              "{'rate': 0.333333333333, 'noise_shape': None, 'seed': None}");
    config_is(kf_leaky_relu(.alpha = 0.1), "{'alpha': 0.10000000149011612}"); /* cast_to_floatx */
    config_is(kf_activation("relu"), "{'activation': 'relu'}");
    config_is(kf_add(), "{}");
    config_is(kf_concatenate(.axis = 1), "{'axis': 1}");
    config_is(kf_batch_normalization(.momentum = 0.8f),
              "{'axis': -1, 'momentum': 0.8, 'epsilon': 0.001, 'center': True, 'scale': True, "
              "'beta_initializer': Zeros(), 'gamma_initializer': Ones(), "
              "'moving_mean_initializer': Zeros(), 'moving_variance_initializer': Ones(), "
              "'beta_regularizer': None, 'gamma_regularizer': None, 'beta_constraint': None, "
              "'gamma_constraint': None}");
}

static void embedding(void **state) {
    (void)state;
    config_is(kf_embedding(3, 2, .embeddings_regularizer = "l2", .activity_regularizer = "l1(0.5)",
                           .embeddings_constraint = "non_neg", .mask_zero = true),
              "{'batch_input_shape': [None, None], 'dtype': 'float32', 'input_dim': 3, "
              "'output_dim': 2, "
              "'embeddings_initializer': RandomUniform(minval=-0.05, maxval=0.05, seed=None), "
              "'embeddings_regularizer': L1L2(l1=0.0, l2=0.009999999776482582), "
              "'activity_regularizer': L1L2(l1=0.5, l2=0.0), 'embeddings_constraint': NonNeg(), "
              "'mask_zero': True, 'input_length': None}");
}

static void legacy_layers(void **state) {
    (void)state;
    config_is(kf_maxout_dense(3, .W_regularizer = "l2", .no_bias = true),
              "{'output_dim': 3, 'init': " GLOROT ", 'nb_feature': 4, "
              "'W_regularizer': L1L2(l1=0.0, l2=0.009999999776482582), 'b_regularizer': None, "
              "'activity_regularizer': None, 'W_constraint': None, 'b_constraint': None, "
              "'bias': False, 'input_dim': None}");
    config_is(kf_layer_named("MaxoutDense", "3, 2, 'ones'"),
              "{'output_dim': 3, 'init': Ones(), 'nb_feature': 2, 'W_regularizer': None, "
              "'b_regularizer': None, 'activity_regularizer': None, 'W_constraint': None, "
              "'b_constraint': None, 'bias': True, 'input_dim': None}");
    config_is(kf_highway(.activation = "relu", .input_dim = 5),
              "{'init': " GLOROT ", 'activation': 'relu', 'W_regularizer': None, "
              "'b_regularizer': None, 'activity_regularizer': None, 'W_constraint': None, "
              "'b_constraint': None, 'bias': True, 'input_dim': 5}");
}

/* tf.keras's l1 and l2 are classes of their own. */
static void regularizers_of_tf_keras(void **state) {
    (void)state;
    config_is(kf_highway(.W_regularizer = "L2(l2=0.5)", .b_regularizer = "L1(l1=0.25)",
                         .activity_regularizer = "L2"),
              "{'init': " GLOROT ", 'activation': 'linear', "
              "'W_regularizer': L1L2(l1=0.0, l2=0.5), 'b_regularizer': L1L2(l1=0.25, l2=0.0), "
              "'activity_regularizer': L1L2(l1=0.0, l2=0.009999999776482582), "
              "'W_constraint': None, 'b_constraint': None, 'bias': True, 'input_dim': None}");
}

static void zero_is_said_by_keywords(void **state) {
    (void)state;
    config_is(kf_layer_named("Dropout", "0, seed=0"),
              "{'rate': 0.0, 'noise_shape': None, 'seed': 0}");
    config_is(kf_layer_named("Concatenate", "axis=0"), "{'axis': 0}");
    config_is(kf_batch_normalization(.momentum = KF_ZERO, .no_center = true, .no_scale = true),
              "{'axis': -1, 'momentum': 0.0, 'epsilon': 0.001, 'center': False, 'scale': False, "
              "'beta_initializer': Zeros(), 'gamma_initializer': Ones(), "
              "'moving_mean_initializer': Zeros(), 'moving_variance_initializer': Ones(), "
              "'beta_regularizer': None, 'gamma_regularizer': None, 'beta_constraint': None, "
              "'gamma_constraint': None}");
}

static void aliases_become_classes(void **state) {
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"zeros", "Zeros()"},
        {"one", "Ones()"},
        {"constant(0.3)", "Constant(value=0.3)"},
        {"normal", "RandomNormal(mean=0.0, stddev=0.05, seed=None)"},
        {"random_uniform(-1, 1, 5)", "RandomUniform(minval=-1.0, maxval=1.0, seed=5)"},
        {"TruncatedNormal(stddev=0.1)", "TruncatedNormal(mean=0.0, stddev=0.1, seed=None)"},
        {"glorot_uniform", GLOROT},
        {"GlorotUniform(dtype='float32')", GLOROT},
        {"he_normal(3)",
         "VarianceScaling(scale=2.0, mode='fan_in', distribution='normal', seed=3)"},
        {"lecun_uniform",
         "VarianceScaling(scale=1.0, mode='fan_in', distribution='uniform', seed=None)"},
        {"VarianceScaling(scale=0.5)",
         "VarianceScaling(scale=0.5, mode='fan_in', distribution='normal', seed=None)"},
        {"orthogonal", "Orthogonal(gain=1.0, seed=None)"},
        {"identity(gain=0.5)", "Identity(gain=0.5)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kf_layer *layer = kf_dense(1, .bias_initializer = rows[i].text);
        char text[1500], expected[400];
        if (layer->status != KF_OK) fail_msg("%s: %s", rows[i].text, layer->message);
        print_config(layer, text, sizeof text);
        snprintf(expected, sizeof expected, "'bias_initializer': %s,", rows[i].json);
        if (!strstr(text, expected)) fail_msg("%s not in %s", expected, text);
        kf_layer_free(layer);
    }
}

static void bad_initializers(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"normal(0, 1, 2, 3)", "Dense: bias_initializer: normal: takes at most 3 arguments"},
        {"he_normal(scale=3)",
         "Dense: bias_initializer: he_normal: unknown argument 'scale' (known: seed)"},
        {"VarianceScaling(mode='fan')",
         "Dense: bias_initializer: VarianceScaling: mode must be one of fan_in, fan_out, fan_avg; "
         "got 'fan'"},
        {"VarianceScaling(scale=-1)",
         "Dense: bias_initializer: VarianceScaling: scale must be a number from 1e-300 to 1e+300; "
         "got -1"},
        {"zeros(1)", "Dense: bias_initializer: zeros: takes at most 0 arguments"},
        {"constant('a')", "Dense: bias_initializer: constant: value must be a number; got 'a'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kf_layer *layer = kf_dense(1, .bias_initializer = rows[i].text);
        assert_int_equal(layer->status, KF_INVALID);
        assert_string_equal(kf_last_error(), rows[i].message);
        kf_layer_free(layer);
    }
    kf_layer_free(kf_dense(1, .kernel_initializer = "nope"));
    assert_non_null(strstr(kf_last_error(), "must be one of Zeros, Ones, Constant"));
    assert_non_null(strstr(kf_last_error(), "HeNormal; got 'nope'"));
}

static void common_arguments(void **state) {
    (void)state;
    kf_layer *layer = kf_layer_named("Dense", "name='d', trainable=False, units=3, dtype=float32, "
                                              "batch_input_shape=(None, 4)");
    assert_int_equal(layer->status, KF_OK);
    assert_string_equal(kf_layer_name(layer), "d");
    assert_false(kf_layer_trainable(layer));
    kf_layer_free(layer);
    kf_layer_free(kf_layer_named("Dense", "3, name=5"));
    assert_string_equal(kf_last_error(), "Dense: name must be a string; got an integer");
    kf_layer_free(kf_layer_named("Dense", "3, trainable='no'"));
    assert_string_equal(kf_last_error(), "Dense: trainable must be True or False; got a string");
}

static void registry(void **state) {
    (void)state;
    assert_string_equal(kfi_layer_class_find("Conv2D")->name, "Conv2D");
    assert_null(kfi_layer_class_find("conv2d"));
    int32_t count = 0;
    while (kfi_layer_class_at(count)) {
        assert_ptr_equal(kfi_layer_class_find(kfi_layer_class_at(count)->name),
                         kfi_layer_class_at(count));
        count++;
    }
    assert_true(count > 50);
    assert_null(kfi_layer_class_at(-1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an embedding's objects are written as Keras writes them", embedding),
        SENTENCE("Dense and Conv2D have Keras's configuration", kernels),
        SENTENCE("and so have the others", others),
        SENTENCE("layers of Keras 1 keep the names of their arguments", legacy_layers),
        SENTENCE("L1 and L2 of tf.keras become L1L2", regularizers_of_tf_keras),
        SENTENCE("zero can be said where it is not the default", zero_is_said_by_keywords),
        SENTENCE("aliases of initializers become Keras's classes", aliases_become_classes),
        SENTENCE("wrong initializers are refused", bad_initializers),
        SENTENCE("name, trainable and what says nothing here are taken", common_arguments),
        SENTENCE("every class is found by its name", registry),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
