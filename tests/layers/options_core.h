/* Rows of options: layers that are neither windows nor recurrent. */
#ifndef KF_TESTS_LAYERS_OPTIONS_CORE_H
#define KF_TESTS_LAYERS_OPTIONS_CORE_H

#include "tests/layers/options_run.h"

static const option_row core_rows[] = {
    {"Dense", "Dense", "units=4, activation='tanh'", .in = {FLOATS(3, 5)}},
    {"Dense without bias, over the last of three axes", "Dense",
     "units=3, use_bias=False, activation='selu'", .in = {FLOATS(2, 3, 4)}},
    {"Dense, masked", "Dense", "units=3", .in = {INPUT(STEPS, 2, 4, 3)}},
    {"Dense, frozen", "Dense", "units=3, trainable=False, kernel_regularizer=l2(0.1)",
     .in = {FLOATS(3, 5)}},
    {"Dense, all that weights may have", "Dense",
     "units=3, kernel_initializer=orthogonal(0.5), bias_initializer=constant(0.3), "
     "kernel_regularizer=l1(0.1), bias_regularizer=l1_l2(0.1, 0.2), "
     "activity_regularizer=l1_l2(0.01, 0.1), "
     "kernel_constraint=min_max_norm(0.5, 0.9, rate=0.5), bias_constraint=unit_norm",
     .in = {FLOATS(3, 4)}, .seed = 1},
    {"Dense by other initializers", "Dense",
     "units=4, kernel_initializer=identity(0.7), bias_initializer=truncated_normal(0.0, 0.3)",
     .in = {FLOATS(3, 4)}},

    {"MaxoutDense", "MaxoutDense", "output_dim=3, nb_feature=2", .in = {FLOATS(3, 4)}},
    {"MaxoutDense without bias", "MaxoutDense", "output_dim=2, bias=False", .in = {FLOATS(3, 4)}},
    {"MaxoutDense, all that weights may have", "MaxoutDense",
     "output_dim=3, init=lecun_normal, input_dim=4, W_regularizer=l2(0.1), b_regularizer=l2(0.2), "
     "activity_regularizer=l2(0.1), W_constraint=max_norm(0.5), b_constraint=non_neg",
     .in = {FLOATS(3, 4)}},
    {"Highway", "Highway", "activation='tanh'", .in = {FLOATS(3, 4)}},
    {"Highway without bias", "Highway", "bias=False", .in = {FLOATS(3, 4)}},
    {"Highway, all that weights may have", "Highway",
     "init=he_uniform, input_dim=4, W_regularizer=l2(0.1), b_regularizer=l2(0.2), "
     "activity_regularizer=l2(0.1), W_constraint=max_norm(0.5), b_constraint=non_neg",
     .in = {FLOATS(3, 4)}},

    {"Activation relu", "Activation", "activation='relu'", .in = {FLOATS(3, 7)}},
    {"Activation relu with arguments", "Activation",
     "activation={'class_name': 'relu', 'config': {'alpha': 0.2, 'max_value': 0.45, "
     "'threshold': 0.12}}",
     .in = {FLOATS(3, 7)}},
    {"Activation softmax", "Activation", "activation='softmax'", .in = {FLOATS(3, 2, 4)}},
    {"Activation softmax over another axis", "Activation",
     "activation={'class_name': 'softmax', 'config': {'axis': 1}}", .in = {FLOATS(3, 2, 4)}},
    {"Activation elu", "Activation", "activation='elu'", .in = {FLOATS(3, 7)}},
    {"Activation selu", "Activation", "activation='selu'", .in = {FLOATS(3, 7)}},
    {"Activation softplus", "Activation", "activation='softplus'", .in = {FLOATS(3, 7)}},
    {"Activation softsign", "Activation", "activation='softsign'", .in = {FLOATS(3, 7)}},
    {"Activation tanh", "Activation", "activation='tanh'", .in = {FLOATS(3, 7)}},
    {"Activation sigmoid", "Activation", "activation='sigmoid'", .in = {FLOATS(3, 7)}},
    {"Activation hard_sigmoid", "Activation", "activation='hard_sigmoid'", .in = {FLOATS(3, 7)}},
    {"Activation exponential", "Activation", "activation='exponential'", .in = {FLOATS(3, 7)}},
    {"Activation linear", "Activation", "activation='linear'", .in = {FLOATS(3, 7)}},

    {"LeakyReLU", "LeakyReLU", "alpha=0.1", .in = {FLOATS(3, 7)}},
    {"ELU", "ELU", "alpha=0.5", .in = {FLOATS(3, 7)}},
    {"ThresholdedReLU", "ThresholdedReLU", "theta=0.45", .in = {FLOATS(3, 7)}},
    {"ReLU", "ReLU", "max_value=0.45", .in = {FLOATS(3, 7)}},
    {"ReLU with a slope", "ReLU", "negative_slope=0.3", .in = {FLOATS(3, 7)}},
    {"ReLU with all arguments", "ReLU", "max_value=0.64, negative_slope=0.1, threshold=0.26",
     .in = {FLOATS(3, 7)}},
    {"ReLU with a threshold below 0", "ReLU", "threshold=-0.31", .in = {FLOATS(3, 7)}},
    {"Softmax", "Softmax", "", .in = {FLOATS(3, 5)}},
    {"Softmax over another axis", "Softmax", "axis=1", .in = {FLOATS(2, 4, 3)}},
    {"PReLU", "PReLU", "alpha_initializer=constant(0.2)", .in = {FLOATS(3, 4, 2)}},
    {"PReLU with shared axes", "PReLU",
     "shared_axes=[1, 2], alpha_initializer=random_uniform(0.1, 0.5), alpha_regularizer=l2(0.3), "
     "alpha_constraint=max_norm(0.2)",
     .in = {FLOATS(2, 3, 2, 3)}},

    {"BatchNormalization", "BatchNormalization", "", .in = {FLOATS(5, 3)}},
    {"BatchNormalization of another axis", "BatchNormalization",
     "axis=1, momentum=0.5, epsilon=0.1", .in = {FLOATS(3, 2, 3, 2)}},
    {"BatchNormalization without beta", "BatchNormalization", "center=False",
     .in = {FLOATS(4, 2, 3)}},
    {"BatchNormalization without gamma", "BatchNormalization", "scale=False",
     .in = {FLOATS(4, 2, 3)}},
    {"BatchNormalization, frozen", "BatchNormalization", "trainable=False", .in = {FLOATS(5, 3)}},
    {"BatchNormalization, all that weights may have", "BatchNormalization",
     "beta_initializer=random_normal(0.0, 0.5), gamma_initializer=random_uniform(0.5, 1.5), "
     "moving_mean_initializer=ones, moving_variance_initializer=constant(2.0), "
     "beta_regularizer=l2(0.1), gamma_regularizer=l1_l2(0.1, 0.2), beta_constraint=non_neg, "
     "gamma_constraint=max_norm(0.7)",
     .in = {FLOATS(5, 3)}},

    {"Dropout", "Dropout", "rate=0.4", .in = {FLOATS(3, 8)}},
    {"Dropout with a shape and a seed", "Dropout", "rate=0.5, noise_shape=(None, 1, 4), seed=3",
     .in = {FLOATS(3, 2, 4)}},
    {"SpatialDropout1D", "SpatialDropout1D", "rate=0.4, noise_shape=(None, 1, 1), seed=0",
     .in = {FLOATS(3, 2, 4)}},
    {"SpatialDropout2D", "SpatialDropout2D", "rate=0.4, noise_shape=(None, 1, 1, 1), seed=3",
     .in = {FLOATS(3, 2, 2, 4)}},
    {"SpatialDropout2D, channels first", "SpatialDropout2D",
     "rate=0.4, data_format='channels_first'", .in = {FLOATS(3, 4, 2, 2)}},
    {"SpatialDropout3D", "SpatialDropout3D", "rate=0.4, noise_shape=(None, 1, 1, 1, 1), seed=3",
     .in = {FLOATS(2, 2, 2, 2, 4)}},
    {"SpatialDropout3D, channels first", "SpatialDropout3D",
     "rate=0.4, data_format='channels_first'", .in = {FLOATS(2, 4, 2, 2, 2)}},
    {"GaussianNoise", "GaussianNoise", "stddev=0.5", .in = {FLOATS(3, 8)}},
    {"GaussianDropout", "GaussianDropout", "rate=0.3", .in = {FLOATS(3, 8)}},
    {"AlphaDropout", "AlphaDropout", "rate=0.3", .in = {FLOATS(3, 8)}},
    {"AlphaDropout with a shape and a seed", "AlphaDropout",
     "rate=0.3, noise_shape=(None, 1, 4), seed=5", .in = {FLOATS(3, 2, 4)}},

    {"Flatten", "Flatten", "", .in = {FLOATS(2, 3, 4)}},
    {"Flatten, channels first", "Flatten", "data_format='channels_first'",
     .in = {FLOATS(2, 3, 4, 2)}},
    {"Reshape", "Reshape", "target_shape=(4, -1)", .in = {FLOATS(2, 3, 8)}},
    {"Permute", "Permute", "dims=(3, 1, 2)", .in = {FLOATS(2, 3, 4, 2)}},
    {"RepeatVector", "RepeatVector", "n=3", .in = {FLOATS(2, 5)}},
    {"Masking", "Masking", "", .in = {INPUT(STEPS, 3, 4, 2)}},
    {"Masking of another value", "Masking", "mask_value=2.0", .in = {FLOATS(3, 4, 2)}},
    {"ActivityRegularization", "ActivityRegularization", "l1=0.3, l2=0.2", .in = {FLOATS(3, 8)}},
    {"Lambda", "Lambda", "function='cube'", .in = {FLOATS(3, 5)}},
    {"Embedding", "Embedding", "input_dim=6, output_dim=3, input_length=4",
     .in = {INPUT(IDS, 3, 4)}},
    {"Embedding, all that weights may have", "Embedding",
     "input_dim=5, output_dim=2, mask_zero=True, embeddings_initializer=he_uniform, "
     "embeddings_regularizer=l1_l2(0.01, 0.1), activity_regularizer=l2(0.1), "
     "embeddings_constraint=unit_norm(1)",
     .in = {INPUT(IDS, 2, 3)}},
};

/* One row of each kind of input for each elementwise merge. */
#define MERGES(name)                                                                               \
    {name, name, "", .in = {FLOATS(2, 5), FLOATS(2, 5)}},                                          \
        {name " of masked sequences", name, "",                                                    \
         .in = {INPUT(STEPS, 2, 4, 2), INPUT(STEPS, 2, 4, 2)}},                                    \
    {                                                                                              \
        name " of shapes that stretch", name, "", .in = { FLOATS(2, 4), FLOATS(2, 3, 4) }          \
    }
#define MERGES_OF_THREE(name)                                                                      \
    MERGES(name), {name " of three", name, "", .in = {FLOATS(2, 5), FLOATS(2, 5), FLOATS(2, 5)}},  \
    {                                                                                              \
        name " of three that stretch", name, "", .in = {                                           \
            FLOATS(2, 1, 3),                                                                       \
            FLOATS(2, 4, 1),                                                                       \
            FLOATS(2, 3)                                                                           \
        }                                                                                          \
    }

static const option_row merge_rows[] = {
    MERGES_OF_THREE("Add"),
    MERGES("Subtract"),
    MERGES_OF_THREE("Multiply"),
    MERGES_OF_THREE("Average"),
    MERGES_OF_THREE("Maximum"),
    MERGES_OF_THREE("Minimum"),
    {"Concatenate", "Concatenate", "", .in = {FLOATS(2, 3), FLOATS(2, 4), FLOATS(2, 1)}},
    {"Concatenate along the steps", "Concatenate", "axis=1",
     .in = {INPUT(STEPS, 2, 3, 2), INPUT(STEPS, 2, 4, 2)}},
    {"Dot of vectors", "Dot", "axes=1", .in = {FLOATS(3, 4), FLOATS(3, 4)}},
    {"Dot of matrices", "Dot", "axes=(2, 1)", .in = {FLOATS(2, 3, 4), FLOATS(2, 4, 2)}},
    {"Dot, normalized", "Dot", "axes=(1, 2), normalize=True",
     .in = {FLOATS(2, 4, 2), FLOATS(2, 3, 4)}},
    {"Dot of a vector and a matrix", "Dot", "axes=(1, 1)", .in = {FLOATS(2, 4), FLOATS(2, 4, 3)}},
};

#endif
