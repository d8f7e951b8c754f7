/* Rows of options: recurrent layers, their cells, and the wrappers. */
#ifndef KF_TESTS_LAYERS_OPTIONS_RECURRENT_H
#define KF_TESTS_LAYERS_OPTIONS_RECURRENT_H

#include "tests/layers/options_run.h"

#define INITIALIZERS                                                                               \
    "kernel_initializer=random_normal(0.0, 0.5), recurrent_initializer=glorot_normal, "            \
    "bias_initializer=random_uniform(-1.0, 1.0), "
#define PENALTIES                                                                                  \
    "kernel_regularizer=l2(0.1), recurrent_regularizer=l1_l2(0.01, 0.1), "                         \
    "bias_regularizer=l2(0.2), "
#define CONSTRAINTS                                                                                \
    "kernel_constraint=max_norm(0.5), recurrent_constraint=unit_norm, bias_constraint=non_neg, "
#define CELL_WEIGHTS  INITIALIZERS PENALTIES CONSTRAINTS
#define LAYER_WEIGHTS CELL_WEIGHTS "activity_regularizer=l2(0.1), "
#define DROPS         "dropout=0.4, recurrent_dropout=0.3, "

/* Rows of the layers of units. `more`: what only this one takes, ended by a comma. */
#define DENSE_RECURRENT(name, more)                                                                \
    {name, name, "units=3", .in = {FLOATS(3, 4, 2)}},                                              \
        {name ", all outputs and states", name,                                                    \
         "units=3, return_sequences=True, return_state=True", .in = {FLOATS(3, 4, 2)}},            \
        {name ", backwards, unrolled", name,                                                       \
         "units=2, go_backwards=True, unroll=True, return_sequences=True",                         \
         .in = {FLOATS(2, 4, 3)}},                                                                 \
        {name " with masked steps", name, "units=3, return_sequences=True",                        \
         .in = {INPUT(STEPS, 3, 5, 2)}},                                                           \
        {name " with masked steps, backwards", name, "units=3, go_backwards=True",                 \
         .in = {INPUT(STEPS, 3, 5, 2)}},                                                           \
        {name " with masked steps, unrolled", name, "units=3, unroll=True, return_sequences=True", \
         .in = {INPUT(STEPS, 3, 5, 2)}},                                                           \
        {name " with dropout", name, "units=3, " DROPS, .in = {FLOATS(3, 4, 2)}},                  \
        {name ", stateful", name, "units=3, stateful=True", .in = {FLOATS(3, 4, 2)},               \
         .fixed_batch = true},                                                                     \
        {name ", frozen", name, "units=3, trainable=False, kernel_regularizer=l2(0.1)",            \
         .in = {FLOATS(3, 4, 2)}},                                                                 \
        {name " without bias", name, "units=3, use_bias=False, activation='sigmoid'",              \
         .in = {FLOATS(3, 4, 2)}},                                                                 \
        {name ", an activation that is no part of its op", name,                                   \
         "units=3, activation='softsign', return_sequences=True", .in = {FLOATS(2, 3, 2)}},        \
    {                                                                                              \
        name ", all that weights may have", name, "units=3, " more LAYER_WEIGHTS, .in = {          \
            FLOATS(2, 3, 2)                                                                        \
        }                                                                                          \
    }

#define GATED(name)                                                                                \
    {name ", other gates", name, "units=3, recurrent_activation='sigmoid'",                        \
     .in = {FLOATS(3, 4, 2)}},                                                                     \
        {name ", implementation 2", name, "units=3, implementation=2", .in = {FLOATS(3, 4, 2)}}, { \
        name ", implementation 2 with dropout", name, "units=3, implementation=2, " DROPS, .in = { \
            FLOATS(3, 4, 2)                                                                        \
        }                                                                                          \
    }

#define CELL(name, arguments)                                                                      \
    "cell={'class_name': '" name "', 'config': {'units': 3, " arguments "}}"
#define JSON_WEIGHTS                                                                               \
    "'kernel_initializer': 'ones', 'recurrent_initializer': 'he_uniform', "                        \
    "'bias_initializer': 'ones', 'kernel_regularizer': 'l2', 'recurrent_regularizer': 'l2', "      \
    "'bias_regularizer': 'l2', 'kernel_constraint': 'unit_norm', "                                 \
    "'recurrent_constraint': 'max_norm', 'bias_constraint': 'non_neg', 'activation': 'sigmoid'"
#define JSON_DROPS "'use_bias': False, 'dropout': 0.3, 'recurrent_dropout': 0.4"

#define CELLS(name, more)                                                                          \
    {"RNN of a " name, "RNN", CELL(name, JSON_WEIGHTS more) ", return_state=True",                 \
     .in = {FLOATS(2, 3, 2)}},                                                                     \
    {                                                                                              \
        "RNN of a " name " with dropout", "RNN", CELL(name, JSON_DROPS) ", go_backwards=True",     \
            .in = {                                                                                \
                FLOATS(2, 3, 2)                                                                    \
            }                                                                                      \
    }

static const option_row recurrent_rows[] = {
    DENSE_RECURRENT("SimpleRNN", ""),
    {"SimpleRNN with an initial state", "SimpleRNN", "units=2",
     .in = {FLOATS(3, 4, 2), FLOATS(3, 2)}},

    DENSE_RECURRENT("GRU", ""),
    GATED("GRU"),
    {"GRU, the reset gate after the product", "GRU", "units=3, reset_after=True",
     .in = {FLOATS(3, 4, 2)}},
    {"GRU, the reset gate after the product, dropped", "GRU",
     "units=3, reset_after=True, implementation=2, " DROPS, .in = {FLOATS(3, 4, 2)}},
    {"GRU, reset after, an activation that is no part of its op", "GRU",
     "units=3, reset_after=True, activation='softsign'", .in = {FLOATS(3, 4, 2)}},
    {"GRU, reset after, masked, without bias", "GRU",
     "units=3, reset_after=True, use_bias=False, return_sequences=True",
     .in = {INPUT(STEPS, 3, 5, 2)}},
    {"GRU with an initial state and masked steps", "GRU", "units=2, return_sequences=True",
     .in = {INPUT(STEPS, 3, 4, 2), FLOATS(3, 2)}},

    DENSE_RECURRENT("LSTM", "unit_forget_bias=False, "),
    GATED("LSTM"),
    {"LSTM with initial states", "LSTM", "units=2, return_state=True",
     .in = {FLOATS(3, 4, 2), FLOATS(3, 2), FLOATS(3, 2)}},
    {"LSTM with initial states and masked steps, unrolled", "LSTM",
     "units=2, unroll=True, return_sequences=True",
     .in = {INPUT(STEPS, 3, 4, 2), FLOATS(3, 2), FLOATS(3, 2)}},

    CELLS("SimpleRNNCell", ""),
    CELLS("GRUCell", ", 'recurrent_activation': 'sigmoid', 'implementation': 2, "
                     "'reset_after': True"),
    CELLS("LSTMCell", ", 'recurrent_activation': 'sigmoid', 'implementation': 2, "
                      "'unit_forget_bias': False"),
    {"RNN of a stack", "RNN",
     "cell={'class_name': 'StackedRNNCells', 'config': {'cells': ["
     "{'class_name': 'LSTMCell', 'config': {'units': 2}}, "
     "{'class_name': 'GRUCell', 'config': {'units': 3}}]}}, return_sequences=True, "
     "return_state=True",
     .in = {FLOATS(2, 3, 2)}},
    {"RNN of a stack, stateful, unrolled", "RNN",
     "cell={'class_name': 'StackedRNNCells', 'config': {'cells': ["
     "{'class_name': 'SimpleRNNCell', 'config': {'units': 2}}, "
     "{'class_name': 'LSTMCell', 'config': {'units': 2}}]}}, stateful=True, unroll=True",
     .in = {FLOATS(2, 3, 2)}, .fixed_batch = true},

    {"ConvLSTM2D", "ConvLSTM2D", "filters=2, kernel_size=(2, 3), return_sequences=True",
     .in = {FLOATS(2, 2, 3, 4, 1)}},
    {"ConvLSTM2D with strides and padding", "ConvLSTM2D",
     "filters=2, kernel_size=3, strides=(2, 1), " SAME "activation='sigmoid'",
     .in = {FLOATS(2, 2, 3, 3, 1)}},
    {"ConvLSTM2D, dilated, channels first", "ConvLSTM2D",
     "filters=2, kernel_size=2, dilation_rate=2, " FIRST "recurrent_activation='sigmoid', "
     "return_state=True",
     .in = {FLOATS(2, 2, 1, 4, 3)}},
    {"ConvLSTM2D, backwards", "ConvLSTM2D",
     "filters=1, kernel_size=2, go_backwards=True, use_bias=False", .in = {FLOATS(2, 3, 3, 2, 2)}},
    {"ConvLSTM2D with dropout", "ConvLSTM2D", "filters=1, kernel_size=2, " DROPS,
     .in = {FLOATS(2, 2, 3, 3, 2)}},
    {"ConvLSTM2D, stateful", "ConvLSTM2D", "filters=1, kernel_size=2, stateful=True",
     .in = {FLOATS(2, 2, 3, 3, 2)}, .fixed_batch = true},
    {"ConvRNN2D of a ConvLSTM2DCell", "ConvRNN2D",
     "cell={'class_name': 'ConvLSTM2DCell', 'config': {'filters': 2, 'kernel_size': [2, 3], "
     "'strides': [1, 2], 'padding': 'same', 'unit_forget_bias': False, "
     "'recurrent_activation': 'sigmoid', " JSON_WEIGHTS "}}, return_sequences=True, "
     "return_state=True, go_backwards=True",
     .in = {FLOATS(2, 2, 3, 4, 1)}},
    {"ConvRNN2D with dropout, dilated, channels first, stateful", "ConvRNN2D",
     "cell={'class_name': 'ConvLSTM2DCell', 'config': {'filters': 1, 'kernel_size': [2, 2], "
     "'dilation_rate': [2, 1], 'data_format': 'channels_first', " JSON_DROPS "}}, stateful=True",
     .in = {FLOATS(2, 2, 1, 4, 3)}, .fixed_batch = true},
    {"ConvLSTM2D, all that weights may have", "ConvLSTM2D",
     "filters=1, kernel_size=2, unit_forget_bias=False, " LAYER_WEIGHTS,
     .in = {FLOATS(2, 2, 3, 2, 2)}},
};

static const option_row wrapper_rows[] = {
    {"TimeDistributed Dense", "TimeDistributed",
     "layer=Dense(units=3, activation='tanh', kernel_regularizer=l2(0.1), "
     "activity_regularizer=l2(0.1))",
     .in = {FLOATS(2, 4, 3)}},
    {"TimeDistributed Conv2D of a fixed batch", "TimeDistributed",
     "layer=Conv2D(filters=2, kernel_size=2)", .in = {FLOATS(2, 3, 3, 4, 1)}, .fixed_batch = true},
    {"TimeDistributed BatchNormalization", "TimeDistributed",
     "layer=BatchNormalization(momentum=0.5)", .in = {FLOATS(2, 4, 3)}},
    {"TimeDistributed LSTM", "TimeDistributed", "layer=LSTM(units=2)", .in = {FLOATS(2, 3, 3, 2)}},
    {"TimeDistributed, frozen", "TimeDistributed", "layer=Dense(units=2), trainable=False",
     .in = {FLOATS(2, 4, 3)}},
    {"TimeDistributed TimeDistributed", "TimeDistributed",
     "layer=TimeDistributed(layer=Dense(units=2))", .in = {FLOATS(2, 3, 2, 3)}},
    {"Bidirectional LSTM, both ends beside each other", "Bidirectional", "layer=LSTM(units=2)",
     .in = {FLOATS(2, 4, 3)}},
    {"Bidirectional GRU, sequences added", "Bidirectional",
     "layer=GRU(units=2, return_sequences=True), merge_mode='sum'", .in = {INPUT(STEPS, 3, 4, 2)}},
    {"Bidirectional SimpleRNN, multiplied", "Bidirectional",
     "layer=SimpleRNN(units=3, go_backwards=True), merge_mode='mul'", .in = {FLOATS(2, 4, 3)}},
    {"Bidirectional LSTM, averaged", "Bidirectional",
     "layer=LSTM(units=2, return_sequences=True), merge_mode='ave'", .in = {FLOATS(2, 4, 3)}},
    {"Bidirectional LSTM, two outputs and states", "Bidirectional",
     "layer=LSTM(units=2, return_state=True), merge_mode=None", .in = {FLOATS(2, 4, 3)}},
    {"Bidirectional GRU with initial states", "Bidirectional", "layer=GRU(units=2)",
     .in = {FLOATS(2, 4, 3), FLOATS(2, 2), FLOATS(2, 2)}},
    {"Bidirectional LSTM with dropout and penalties", "Bidirectional",
     "layer=LSTM(units=2, " DROPS "kernel_regularizer=l2(0.1), activity_regularizer=l2(0.1))",
     .in = {FLOATS(2, 4, 3)}},
    {"Bidirectional ConvLSTM2D", "Bidirectional",
     "layer=ConvLSTM2D(filters=1, kernel_size=2, return_sequences=True)",
     .in = {FLOATS(2, 2, 3, 3, 1)}},
};

#endif
