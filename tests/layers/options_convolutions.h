/* Rows of options: convolutions, pooling, borders. */
#ifndef KF_TESTS_LAYERS_OPTIONS_CONVOLUTIONS_H
#define KF_TESTS_LAYERS_OPTIONS_CONVOLUTIONS_H

#include "tests/layers/options_run.h"

#define SAME  "padding='same', "
#define FIRST "data_format='channels_first', "
#define WEIGHTED                                                                                   \
    "kernel_initializer=random_normal(0.0, 0.5), bias_initializer=random_uniform(-1.0, 1.0), "     \
    "kernel_regularizer=l2(0.1), bias_regularizer=l1_l2(0.01, 0.1), "                              \
    "activity_regularizer=l2(0.1), kernel_constraint=max_norm(0.5), bias_constraint=non_neg"
#define DEPTHWISE                                                                                  \
    "bias_initializer=random_uniform(-1.0, 1.0), bias_regularizer=l2(0.1), "                       \
    "activity_regularizer=l2(0.1), bias_constraint=non_neg, "                                      \
    "depthwise_initializer=he_normal, depthwise_regularizer=l1_l2(0.01, 0.1), "                    \
    "depthwise_constraint=unit_norm(axis=[0, 1])"
#define POINTWISE                                                                                  \
    ", pointwise_initializer=lecun_uniform, pointwise_regularizer=l2(0.1), "                       \
    "pointwise_constraint=max_norm(0.5)"

static const option_row convolution_rows[] = {
    {"Conv1D with strides", "Conv1D", "filters=3, kernel_size=3, strides=2",
     .in = {FLOATS(2, 8, 3)}},
    {"Conv1D, causal and dilated", "Conv1D",
     "filters=3, kernel_size=3, padding='causal', dilation_rate=2, use_bias=False",
     .in = {FLOATS(2, 7, 3)}},
    {"Conv1D, causal with strides", "Conv1D",
     "filters=2, kernel_size=4, padding='causal', strides=3, activation='sigmoid'",
     .in = {FLOATS(2, 7, 3)}},
    {"Conv1D, channels first", "Conv1D",
     "filters=3, kernel_size=2, " SAME FIRST "activation='tanh'", .in = {FLOATS(2, 3, 5)}},
    {"Conv1D, all that weights may have", "Conv1D", "filters=3, kernel_size=2, " WEIGHTED,
     .in = {FLOATS(2, 5, 2)}},

    {"Conv2D with strides and padding", "Conv2D",
     "filters=3, kernel_size=(3, 2), strides=(2, 3), " SAME "use_bias=False",
     .in = {FLOATS(2, 5, 6, 2)}},
    {"Conv2D, dilated, channels first", "Conv2D",
     "filters=2, kernel_size=(2, 3), dilation_rate=(2, 1), " FIRST "activation='softmax'",
     .in = {FLOATS(2, 2, 4, 5)}},
    {"Conv2D, padded, strides, channels first", "Conv2D",
     "filters=2, kernel_size=3, strides=2, " SAME FIRST "activation='softplus'",
     .in = {FLOATS(2, 2, 4, 5)}},
    {"Conv2D, dilated and padded", "Conv2D",
     "filters=2, kernel_size=3, dilation_rate=2, " SAME "activation='elu'",
     .in = {FLOATS(2, 6, 5, 2)}},
    {"Conv2D, a window of 1", "Conv2D", "filters=4, kernel_size=1", .in = {FLOATS(2, 3, 4, 3)}},
    {"Conv2D, many channels", "Conv2D", "filters=17, kernel_size=3, " SAME,
     .in = {FLOATS(2, 6, 6, 9)}},
    {"Conv2D, all that weights may have", "Conv2D", "filters=3, kernel_size=2, " WEIGHTED,
     .in = {FLOATS(2, 4, 3, 2)}},

    {"Conv3D with strides and padding", "Conv3D",
     "filters=2, kernel_size=(2, 3, 2), strides=(2, 1, 2), " SAME, .in = {FLOATS(2, 3, 3, 4, 2)}},
    {"Conv3D, dilated, channels first", "Conv3D",
     "filters=2, kernel_size=2, dilation_rate=(1, 2, 1), " FIRST
     "activation='tanh', use_bias=False",
     .in = {FLOATS(2, 2, 3, 4, 3)}},
    {"Conv3D, all that weights may have", "Conv3D", "filters=2, kernel_size=2, " WEIGHTED,
     .in = {FLOATS(1, 3, 3, 2, 2)}},

    {"Conv2DTranspose with strides", "Conv2DTranspose",
     "filters=3, kernel_size=(3, 2), strides=(2, 3)", .in = {FLOATS(2, 3, 2, 2)}},
    {"Conv2DTranspose with output padding", "Conv2DTranspose",
     "filters=2, kernel_size=3, strides=2, output_padding=1, " SAME "activation='tanh'",
     .in = {FLOATS(2, 3, 4, 2)}},
    {"Conv2DTranspose, an even window with output padding", "Conv2DTranspose",
     "filters=2, kernel_size=2, strides=3, output_padding=(1, 2), " SAME "use_bias=False",
     .in = {FLOATS(2, 3, 2, 2)}},
    {"Conv2DTranspose, output padding without padding", "Conv2DTranspose",
     "filters=2, kernel_size=3, strides=2, output_padding=1", .in = {FLOATS(2, 3, 2, 2)}},
    {"Conv2DTranspose, dilated, channels first", "Conv2DTranspose",
     "filters=2, kernel_size=2, dilation_rate=2, " FIRST, .in = {FLOATS(2, 2, 3, 4)}},
    {"Conv2DTranspose, padded, channels first", "Conv2DTranspose",
     "filters=2, kernel_size=3, strides=2, " SAME FIRST, .in = {FLOATS(2, 2, 3, 4)}},
    {"Conv2DTranspose, all that weights may have", "Conv2DTranspose",
     "filters=3, kernel_size=2, " WEIGHTED, .in = {FLOATS(2, 3, 3, 2)}},

    {"Conv3DTranspose with strides", "Conv3DTranspose",
     "filters=2, kernel_size=(2, 1, 3), strides=(1, 2, 2), " SAME, .in = {FLOATS(1, 2, 3, 2, 2)}},
    {"Conv3DTranspose with output padding", "Conv3DTranspose",
     "filters=2, kernel_size=3, strides=2, output_padding=1, " SAME "use_bias=False",
     .in = {FLOATS(1, 2, 2, 2, 2)}},
    {"Conv3DTranspose, channels first", "Conv3DTranspose",
     "filters=2, kernel_size=2, " FIRST "activation='tanh'", .in = {FLOATS(1, 2, 3, 2, 2)}},
    {"Conv3DTranspose, all that weights may have", "Conv3DTranspose",
     "filters=2, kernel_size=2, " WEIGHTED, .in = {FLOATS(1, 2, 2, 2, 2)}},

    {"DepthwiseConv2D with strides", "DepthwiseConv2D",
     "kernel_size=(3, 2), strides=2, " SAME "depth_multiplier=2, activation='tanh'",
     .in = {FLOATS(2, 4, 5, 3)}},
    {"DepthwiseConv2D, channels first", "DepthwiseConv2D", "kernel_size=2, " FIRST "use_bias=False",
     .in = {FLOATS(2, 3, 4, 3)}},
    {"DepthwiseConv2D, dilated", "DepthwiseConv2D", "kernel_size=2, dilation_rate=(2, 1)",
     .in = {FLOATS(2, 4, 5, 3)}},
    {"DepthwiseConv2D, all that weights may have", "DepthwiseConv2D", "kernel_size=2, " DEPTHWISE,
     .in = {FLOATS(2, 3, 4, 2)}, .seed = 2},

    {"SeparableConv1D with strides", "SeparableConv1D",
     "filters=2, kernel_size=3, strides=2, " SAME "depth_multiplier=2, activation='tanh'",
     .in = {FLOATS(2, 6, 3)}},
    {"SeparableConv1D, causal and dilated", "SeparableConv1D",
     "filters=2, kernel_size=2, padding='causal', dilation_rate=2, use_bias=False",
     .in = {FLOATS(2, 6, 3)}},
    {"SeparableConv1D, channels first", "SeparableConv1D", "filters=2, kernel_size=2, " FIRST,
     .in = {FLOATS(2, 3, 5)}},
    {"SeparableConv1D, all that weights may have", "SeparableConv1D",
     "filters=2, kernel_size=2, " DEPTHWISE POINTWISE, .in = {FLOATS(2, 5, 2)}, .seed = 2},
    {"SeparableConv2D with strides", "SeparableConv2D",
     "filters=2, kernel_size=(3, 2), strides=2, " SAME "depth_multiplier=2, activation='tanh'",
     .in = {FLOATS(2, 4, 5, 2)}},
    {"SeparableConv2D, dilated, channels first", "SeparableConv2D",
     "filters=2, kernel_size=2, dilation_rate=2, " FIRST "use_bias=False",
     .in = {FLOATS(2, 2, 4, 5)}},
    {"SeparableConv2D, all that weights may have", "SeparableConv2D",
     "filters=2, kernel_size=2, " DEPTHWISE POINTWISE, .in = {FLOATS(2, 4, 3, 2)}, .seed = 2},

    {"LocallyConnected1D with strides", "LocallyConnected1D",
     "filters=2, kernel_size=3, strides=2, activation='tanh'", .in = {FLOATS(2, 7, 2)}},
    {"LocallyConnected1D, channels first", "LocallyConnected1D",
     "filters=3, kernel_size=2, strides=2, " FIRST, .in = {FLOATS(2, 2, 5)}},
    {"LocallyConnected1D without bias", "LocallyConnected1D",
     "filters=2, kernel_size=2, use_bias=False", .in = {FLOATS(2, 4, 3)}},
    {"LocallyConnected1D, all that weights may have", "LocallyConnected1D",
     "filters=2, kernel_size=2, " WEIGHTED, .in = {FLOATS(2, 4, 2)}},
    {"LocallyConnected2D with strides", "LocallyConnected2D",
     "filters=2, kernel_size=(2, 3), strides=(2, 1), activation='tanh'",
     .in = {FLOATS(2, 4, 4, 2)}},
    {"LocallyConnected2D, channels first", "LocallyConnected2D", "filters=3, kernel_size=2, " FIRST,
     .in = {FLOATS(2, 2, 3, 4)}},
    {"LocallyConnected2D without bias", "LocallyConnected2D",
     "filters=2, kernel_size=2, use_bias=False", .in = {FLOATS(2, 3, 4, 2)}},
    {"LocallyConnected2D, all that weights may have", "LocallyConnected2D",
     "filters=2, kernel_size=2, " WEIGHTED, .in = {FLOATS(2, 3, 3, 1)}},
};

/* The same rows for maxima and means. */
#define POOLINGS(name)                                                                             \
    {name "1D", name "1D", "pool_size=3", .in = {FLOATS(2, 7, 2)}},                                \
        {name "1D with strides", name "1D", "strides=1, " SAME, .in = {FLOATS(2, 5, 3)}},          \
        {name "1D, channels first", name "1D", "pool_size=3, strides=2, " FIRST,                   \
         .in = {FLOATS(2, 3, 7)}},                                                                 \
        {name "2D", name "2D", "pool_size=(3, 2)", .in = {FLOATS(2, 6, 5, 2)}},                    \
        {name "2D with strides", name "2D", "strides=(1, 3), " SAME, .in = {FLOATS(2, 3, 5, 2)}},  \
        {name "2D, channels first", name "2D", "pool_size=3, strides=2, " SAME FIRST,              \
         .in = {FLOATS(2, 2, 5, 4)}},                                                              \
        {name "3D", name "3D", "pool_size=(1, 3, 2)", .in = {FLOATS(1, 2, 3, 4, 2)}},              \
        {name "3D with strides", name "3D", "strides=(1, 2, 1), " SAME,                            \
         .in = {FLOATS(1, 3, 3, 2, 2)}},                                                           \
        {name "3D, channels first", name "3D", FIRST, .in = {FLOATS(2, 2, 2, 4, 2)}},              \
        {"Global" name "1D", "Global" name "1D", "", .in = {FLOATS(2, 5, 3)}},                     \
        {"Global" name "1D, channels first", "Global" name "1D", FIRST, .in = {FLOATS(2, 5, 3)}},  \
        {"Global" name "2D", "Global" name "2D", "", .in = {FLOATS(2, 3, 4, 2)}},                  \
        {"Global" name "2D, channels first", "Global" name "2D", FIRST,                            \
         .in = {FLOATS(2, 3, 4, 2)}},                                                              \
        {"Global" name "3D", "Global" name "3D", "", .in = {FLOATS(2, 3, 2, 2, 2)}}, {             \
        "Global" name "3D, channels first", "Global" name "3D", FIRST, .in = {                     \
            FLOATS(2, 3, 2, 2, 2)                                                                  \
        }                                                                                          \
    }

static const option_row window_rows[] = {
    POOLINGS("MaxPooling"),
    POOLINGS("AveragePooling"),
    {"GlobalAveragePooling1D of the steps that count", "GlobalAveragePooling1D", "",
     .in = {INPUT(STEPS, 3, 5, 2)}},

    {"UpSampling1D", "UpSampling1D", "size=3", .in = {FLOATS(2, 4, 3)}},
    {"UpSampling2D", "UpSampling2D", "size=(1, 3)", .in = {FLOATS(2, 3, 4, 2)}},
    {"UpSampling2D, bilinear", "UpSampling2D", "size=(3, 2), interpolation='bilinear'",
     .in = {FLOATS(2, 3, 4, 2)}},
    {"UpSampling2D, bilinear, channels first", "UpSampling2D",
     "size=2, interpolation='bilinear', " FIRST, .in = {FLOATS(2, 2, 3, 4)}},
    {"UpSampling3D", "UpSampling3D", "size=(1, 2, 3)", .in = {FLOATS(1, 2, 3, 2, 2)}},
    {"UpSampling3D, channels first", "UpSampling3D", FIRST, .in = {FLOATS(1, 2, 3, 2, 2)}},

    {"ZeroPadding1D", "ZeroPadding1D", "padding=(2, 1)", .in = {FLOATS(2, 4, 3)}},
    {"ZeroPadding2D", "ZeroPadding2D", "padding=((1, 0), (2, 3))", .in = {FLOATS(2, 3, 4, 2)}},
    {"ZeroPadding2D, channels first", "ZeroPadding2D", "padding=(0, 2), " FIRST,
     .in = {FLOATS(2, 2, 3, 4)}},
    {"ZeroPadding3D", "ZeroPadding3D", "padding=((1, 0), (0, 2), (1, 1))",
     .in = {FLOATS(1, 2, 3, 2, 2)}},
    {"ZeroPadding3D, channels first", "ZeroPadding3D", "padding=2, " FIRST,
     .in = {FLOATS(1, 2, 3, 2, 2)}},
    {"Cropping1D", "Cropping1D", "cropping=(2, 1)", .in = {FLOATS(2, 5, 3)}},
    {"Cropping2D", "Cropping2D", "cropping=((1, 0), (0, 2))", .in = {FLOATS(2, 3, 4, 2)}},
    {"Cropping2D, channels first", "Cropping2D", "cropping=1, " FIRST, .in = {FLOATS(2, 2, 3, 4)}},
    {"Cropping3D", "Cropping3D", "cropping=((1, 0), (0, 1), (0, 0))",
     .in = {FLOATS(1, 2, 3, 2, 2)}},
    {"Cropping3D, channels first", "Cropping3D", "cropping=1, " FIRST,
     .in = {FLOATS(1, 2, 3, 4, 3)}},
};

#endif
