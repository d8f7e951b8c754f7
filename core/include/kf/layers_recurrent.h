/* Recurrent layers, their cells, and the layers that make their inputs: Embedding and Masking.
 *
 * A recurrent layer goes through the time axis of x (batch, time, features). Its call may have the
 * initial states as further inputs: kf_apply(decoder, x, h, c). With .return_state the states at
 * the end are its further outputs: kf_tensor_sibling(y, 1). A step that the mask leaves out keeps
 * the states, and its output is the one before it. */
#ifndef KF_LAYERS_RECURRENT_H
#define KF_LAYERS_RECURRENT_H

#include "kf/graph.h"
#include "kf/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What all cells take. */
#define KF_RECURRENT_CELL_OPTIONS                                                                  \
    KF_LAYER_OPTIONS;                                                                              \
    int64_t units;                                                                                 \
    const char *activation; /* tanh */                                                             \
    bool no_bias;                                                                                  \
    const char *kernel_initializer;    /* glorot_uniform */                                        \
    const char *recurrent_initializer; /* orthogonal */                                            \
    const char *bias_initializer;      /* zeros */                                                 \
    const char *kernel_regularizer, *recurrent_regularizer, *bias_regularizer;                     \
    const char *kernel_constraint, *recurrent_constraint, *bias_constraint;                        \
    double dropout;          /* of the inputs, in training: one mask a gate for all steps */       \
    double recurrent_dropout /* of the states */

/* What cells with gates take. Implementation 2 has one dropout mask for all gates. */
#define KF_GATED_CELL_OPTIONS                                                                      \
    KF_RECURRENT_CELL_OPTIONS;                                                                     \
    const char *recurrent_activation; /* of the gates: hard_sigmoid */                             \
    int64_t implementation            /* 1 (default) or 2 */

/* What all recurrent layers take. */
#define KF_RECURRENT_LAYER_OPTIONS                                                                 \
    bool return_sequences; /* all outputs (batch, time, …), not only the last */                 \
    bool return_state;     /* further outputs: the states at the end */                            \
    bool go_backwards;     /* the sequence from its end; outputs in the order they are made */     \
    bool stateful; /* a batch starts where the one before ended, until kf_model_reset_states */    \
    bool unroll    /* Keras's; says what a masked first step gives: zeros, not the state */

/* SimpleRNN: h' = activation(x K + h R + b). */
typedef struct kf_simple_rnn_cell_options {
    KF_RECURRENT_CELL_OPTIONS;
} kf_simple_rnn_cell_options;
typedef struct kf_simple_rnn_options {
    KF_RECURRENT_CELL_OPTIONS;
    const char *activity_regularizer;
    KF_RECURRENT_LAYER_OPTIONS;
} kf_simple_rnn_options;
KF_API kf_layer *kf_simple_rnn_cell_create(const kf_simple_rnn_cell_options *options);
KF_API kf_layer *kf_simple_rnn_create(const kf_simple_rnn_options *options);
#define kf_simple_rnn_cell(...) KF_LAYER(simple_rnn_cell, .units = __VA_ARGS__)
#define kf_simple_rnn(...)      KF_LAYER(simple_rnn, .units = __VA_ARGS__)

/* GRU (Cho et al. 2014), gates z, r, h in this order in all weights: h' = z h + (1 - z) hh with
 * hh = activation(x Kh + (r h) Rh + bh), or with reset_after activation(x Kh + bh + r (h Rh + ch));
 * then the bias is (2, 3 units). */
typedef struct kf_gru_cell_options {
    KF_GATED_CELL_OPTIONS;
    bool reset_after;
} kf_gru_cell_options;
typedef struct kf_gru_options {
    KF_GATED_CELL_OPTIONS;
    bool reset_after;
    const char *activity_regularizer;
    KF_RECURRENT_LAYER_OPTIONS;
} kf_gru_options;
KF_API kf_layer *kf_gru_cell_create(const kf_gru_cell_options *options);
KF_API kf_layer *kf_gru_create(const kf_gru_options *options);
#define kf_gru_cell(...) KF_LAYER(gru_cell, .units = __VA_ARGS__)
#define kf_gru(...)      KF_LAYER(gru, .units = __VA_ARGS__)

/* LSTM (Hochreiter and Schmidhuber 1997), gates i, f, c, o in this order in all weights:
 * c' = f c + i activation(…), h' = o activation(c'). Its states are h and c. */
typedef struct kf_lstm_cell_options {
    KF_GATED_CELL_OPTIONS;
    bool no_unit_forget_bias; /* else the bias of f starts at 1 */
} kf_lstm_cell_options;
typedef struct kf_lstm_options {
    KF_GATED_CELL_OPTIONS;
    bool no_unit_forget_bias;
    const char *activity_regularizer;
    KF_RECURRENT_LAYER_OPTIONS;
} kf_lstm_options;
KF_API kf_layer *kf_lstm_cell_create(const kf_lstm_cell_options *options);
KF_API kf_layer *kf_lstm_create(const kf_lstm_options *options);
#define kf_lstm_cell(...) KF_LAYER(lstm_cell, .units = __VA_ARGS__)
#define kf_lstm(...)      KF_LAYER(lstm, .units = __VA_ARGS__)

/* Cells one on the other, as one cell: kf_stacked_rnn_cells(kf_lstm_cell(64), kf_gru_cell(32)).
 * Its states are those of the last cell first. Takes over the cells, also when it fails: they are
 * copied and freed. */
typedef struct kf_stacked_rnn_cells_options {
    KF_LAYER_OPTIONS;
    kf_layer **cells; /* ended by NULL */
} kf_stacked_rnn_cells_options;
KF_API kf_layer *kf_stacked_rnn_cells_create(const kf_stacked_rnn_cells_options *options);
#define kf_stacked_rnn_cells(...)                                                                  \
    KF_LAYER(stacked_rnn_cells, .cells = (kf_layer *[]){__VA_ARGS__, NULL})

/* RNN: a cell along the time axis. Takes over the cell, as kf_stacked_rnn_cells does. A call's
 * constants are for cells that use some: a stack takes them and hands them to those of its cells
 * that do (none of Keras's own does); a plain cell refuses them. */
typedef struct kf_rnn_options {
    KF_LAYER_OPTIONS;
    kf_layer *cell;
    KF_RECURRENT_LAYER_OPTIONS;
    int64_t num_constants; /* how many of its inputs are constants: kf_call sets it */
} kf_rnn_options;
KF_API kf_layer *kf_rnn_create(const kf_rnn_options *options);
#define kf_rnn(...) KF_LAYER(rnn, .cell = __VA_ARGS__)

/* ConvLSTM2D (Shi et al. 2015): an LSTM whose products are convolutions; x (batch, time, rows,
 * columns, in), or (batch, time, in, rows, columns) for channels_first. */
#define KF_CONV_LSTM2D_CELL_OPTIONS                                                                \
    KF_LAYER_OPTIONS;                                                                              \
    int64_t filters;                                                                               \
    int64_t kernel_size[2];                                                                        \
    int64_t strides[2];       /* 1 */                                                              \
    const char *padding;      /* "valid" (default) or "same"; that of the states is always same */ \
    const char *data_format;  /* "channels_last" (default) or "channels_first" */                  \
    int64_t dilation_rate[2]; /* 1 */                                                              \
    const char *activation, *recurrent_activation; /* tanh, hard_sigmoid */                        \
    bool no_bias;                                                                                  \
    const char *kernel_initializer, *recurrent_initializer, *bias_initializer;                     \
    bool no_unit_forget_bias;                                                                      \
    const char *kernel_regularizer, *recurrent_regularizer, *bias_regularizer;                     \
    const char *kernel_constraint, *recurrent_constraint, *bias_constraint;                        \
    double dropout, recurrent_dropout
typedef struct kf_conv_lstm2d_cell_options {
    KF_CONV_LSTM2D_CELL_OPTIONS;
} kf_conv_lstm2d_cell_options;
typedef struct kf_conv_lstm2d_options {
    KF_CONV_LSTM2D_CELL_OPTIONS;
    const char *activity_regularizer;
    KF_RECURRENT_LAYER_OPTIONS;
} kf_conv_lstm2d_options;
KF_API kf_layer *kf_conv_lstm2d_cell_create(const kf_conv_lstm2d_cell_options *options);
KF_API kf_layer *kf_conv_lstm2d_create(const kf_conv_lstm2d_options *options);
#define kf_conv_lstm2d_cell(...) KF_LAYER(conv_lstm2d_cell, .filters = __VA_ARGS__)
#define kf_conv_lstm2d(...)      KF_LAYER(conv_lstm2d, .filters = __VA_ARGS__)

/* ConvRNN2D: what RNN is, for a ConvLSTM2DCell: kf_conv_rnn2d(kf_conv_lstm2d_cell(8, {3})). As in
 * Keras 2.2.4, it is not possible to stack such cells or to unroll them. */
typedef kf_rnn_options kf_conv_rnn2d_options;
KF_API kf_layer *kf_conv_rnn2d_create(const kf_conv_rnn2d_options *options);
#define kf_conv_rnn2d(...) KF_LAYER(conv_rnn2d, .cell = __VA_ARGS__)

/* Embedding: whole numbers from 0 to input_dim - 1 become rows of the table (input_dim,
 * output_dim): (batch, …) -> (batch, …, output_dim). kf_embedding(10000, 64). A number outside of
 * the table is an error that names it. */
typedef struct kf_embedding_options {
    KF_LAYER_OPTIONS;
    int64_t input_dim, output_dim;
    const char *embeddings_initializer; /* uniform */
    const char *embeddings_regularizer, *activity_regularizer;
    const char *embeddings_constraint;
    bool mask_zero;                         /* steps whose number is 0 do not count */
    int64_t input_length;                   /* of the sequences; 0: any */
    int64_t batch_input_shape[KF_MAX_RANK]; /* for Keras's files: (None, input_length) */
    const char *dtype;                      /* likewise: float32 */
} kf_embedding_options;
KF_API kf_layer *kf_embedding_create(const kf_embedding_options *options);
#define kf_embedding(input_dimension, ...)                                                         \
    KF_LAYER(embedding, .input_dim = (input_dimension), .output_dim = __VA_ARGS__)

/* Masking: steps whose features are all mask_value become 0 and do not count. */
typedef struct kf_masking_options {
    KF_LAYER_OPTIONS;
    double mask_value; /* 0 */
} kf_masking_options;
KF_API kf_layer *kf_masking_create(const kf_masking_options *options);
#define kf_masking(...) KF_LAYER(masking, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
