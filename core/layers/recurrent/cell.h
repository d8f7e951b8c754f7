/* A cell is what a recurrent layer does at one time step: from an input and states to an output and
 * new states. A class of cells makes the weights, writes a step as ops, and may know how to write
 * all steps at once. The layer that goes along the time axis is recurrence.h.
 *
 * Cells of Keras are layers; here a cell layer (LSTMCell) only holds options, which those of the
 * plain layer (LSTM) begin with, and the weights belong to the layer that runs the cell. */
#ifndef KFI_LAYERS_CELL_H
#define KFI_LAYERS_CELL_H

#include "core/layers/options.h"
#include "core/layers/rules.h"

enum { KFI_CELL_MAX_STATES = 2, KFI_CELL_MAX_GATES = 4 };

typedef struct kfi_cell kfi_cell;
typedef struct kfi_cell_run kfi_cell_run;

/* All time steps of a sequence. */
typedef struct kfi_sequence {
    kfi_value x;       /* (batch, time, in), in the order of processing */
    kfi_value mask;    /* (batch, time); KFI_NONE: all steps count     */
    kfi_value *states; /* at the start, KFI_NONE for zeros; becomes those at the end */
    kfi_value y;       /* the outputs, (batch, time, units) */
} kfi_sequence;

struct kfi_cell_class {
    int rank;         /* of the sequences that it goes along: 3, or 5 for images */
    int32_t n_states; /* all of one shape; the first one is the output           */
    /* Makes the weights for steps of this shape, with the batch axis. */
    kf_status (*build)(kfi_cell *cell, const kf_shape *x);
    kf_shape (*state_shape)(const kfi_cell *cell, const kf_shape *x);
    /* Once for each formula: dropout masks and what else all steps share. NULL: nothing. */
    void (*begin)(kfi_cell_run *run, const kf_shape *x);
    /* Writes a step: states become the new ones. */
    void (*step)(kfi_cell_run *run, kfi_value x, kfi_value *states);
    /* Writes all steps as one op, where that op does what is asked for. NULL: there is none. */
    bool (*can_write_all)(const kfi_cell_run *run);
    void (*write_all)(kfi_cell_run *run, kfi_sequence *sequence);
};

/* A cell of a layer, made when the layer is built. */
struct kfi_cell {
    const kfi_cell_class *class;
    const void *options;
    kf_layer *layer;                        /* that owns the weights */
    bool frozen;                            /* the cell's own trainable=False */
    int32_t kernel, recurrent_kernel, bias; /* in layer->weights; bias -1: none */
};

/* A cell in a formula that is being written. Masks by gate: 0 of them, one for all, one each. */
struct kfi_cell_run {
    const kfi_cell *cell;
    kfi_formula *formula;
    kfi_value kernel, recurrent_kernel, bias;
    kfi_value recurrent_bias; /* KFI_NONE but for a GRU with reset_after */
    int32_t n_x_masks, n_h_masks;
    kfi_value x_mask[KFI_CELL_MAX_GATES], h_mask[KFI_CELL_MAX_GATES];
    /* The parts of the weights by gate, where gates have masks of their own. */
    kfi_value x_part[KFI_CELL_MAX_GATES], h_part[KFI_CELL_MAX_GATES];
};

/* A weight of the cell, under a name that a cell before it may have taken: kernel, kernel_1 … */
kf_status kfi_cell_add_weight(kfi_cell *cell, const char *name, const kf_shape *shape,
                              kfi_weight_options options, int32_t *index);

/* n dropout masks of a shape: elements are 0 or 1 / (1 - rate). Returns n, or 0 where nothing is
 * dropped. */
int32_t kfi_dropout_masks(kfi_formula *formula, double rate, const kf_shape *shape, int32_t n,
                          kfi_value *masks);

/* States h, c from the values of the gates i, f, c, o. */
void kfi_lstm_states(kfi_formula *formula, const char *activation, const kfi_value gates[4],
                     kfi_value states[2]);

/* Where class->call of a cell layer stands: a cell is called by the layer it is given to. */
kf_status kfi_cell_refuse_call(kfi_layer_call *call);
#define KFI_CELL_CLASS(class_name, type)                                                           \
    .name = (class_name), .options_size = sizeof(type), .supports_masking = true,                  \
    .max_inputs = -1, .call = kfi_cell_refuse_call

/* --- dense cells: options begin with kfi_dense_cell ------------------------------------------- */

typedef kf_simple_rnn_cell_options kfi_dense_cell;

/* kernel (in, n units), recurrent_kernel (units, n units) and bias of this shape. */
kf_status kfi_dense_build(kfi_cell *cell, const kf_shape *x, int32_t n_gates,
                          const kf_shape *bias_shape);
kf_shape kfi_dense_state_shape(const kfi_cell *cell, const kf_shape *x);

/* The masks of a dense cell, one a gate or one for all. */
void kfi_dense_begin(kfi_cell_run *run, const kf_shape *x, int32_t n_gates, bool one_mask);

/* x K and the bias, with the masks of the inputs, for x (batch, in) or (batch, time, in); h R, with
 * those of the states. Columns of all gates. */
kfi_value kfi_dense_inputs(kfi_cell_run *run, kfi_value x);
kfi_value kfi_dense_states(kfi_cell_run *run, kfi_value h);

/* x mask, where x may have a time axis that the mask has not. */
kfi_value kfi_cell_masked(kfi_formula *formula, kfi_value x, kfi_value mask);

/* Columns of gates [first, first + n) of a (…, gates units) value. */
kfi_value kfi_gate_columns(kfi_cell_run *run, kfi_value z, int32_t first, int32_t n);

/* All steps as one op, for can_write_all and write_all of dense cells. */
typedef struct kfi_fusion {
    const char *op, *activation, *gate_activation;
    bool reset_after;
} kfi_fusion;
bool kfi_cell_can_fuse(const kfi_fusion *fusion);
void kfi_cell_fuse(kfi_cell_run *run, const kfi_fusion *fusion, kfi_sequence *all);

/* Rows of field tables, with the places of positional arguments from `at` on. */
#define KFI_CELL_UNITS_FIELD(type, at)                                                             \
    KFI_FIELD(type, units, "units", kfi_field_integer, .low = 1, .position = (at),                 \
              .help = "numbers in the output")
#define KFI_CELL_ACTIVATION_FIELD(type, at)                                                        \
    KFI_ACTIVATION_FIELD(type, .otherwise = "tanh", .position = (at))
#define KFI_CELL_GATE_FIELD(type, default_activation, at)                                          \
    KFI_FIELD(type, recurrent_activation, "recurrent_activation", kfi_field_object,                \
              .choices = "activation", .objects = &kfi_activations,                                \
              .otherwise = default_activation, .position = (at), .help = "of the gates")
#define KFI_CELL_INITIALIZER_ROW(type, member, initializer, at)                                    \
    KFI_FIELD(type, member, #member, kfi_field_object, .choices = "initializer",                   \
              .objects = &kfi_initializers, .otherwise = initializer, .position = (at),            \
              .help = "zeros, ones, glorot_uniform, he_normal(seed=1) …")
#define KFI_CELL_WEIGHT_FIELDS(type, at)                                                           \
    KFI_FIELD(type, no_bias, "use_bias", kfi_field_not, .otherwise = "True", .position = (at),     \
              .help = "add a bias"),                                                               \
        KFI_CELL_INITIALIZER_ROW(type, kernel_initializer, "glorot_uniform", (at) + 1),            \
        KFI_CELL_INITIALIZER_ROW(type, recurrent_initializer, "orthogonal", (at) + 2),             \
        KFI_CELL_INITIALIZER_ROW(type, bias_initializer, "zeros", (at) + 3)
#define KFI_CELL_UNIT_FORGET_BIAS_FIELD(type, at)                                                  \
    KFI_FIELD(type, no_unit_forget_bias, "unit_forget_bias", kfi_field_not, .otherwise = "True",   \
              .position = (at), .help = "the bias of the forget gate starts at 1")
#define KFI_CELL_PENALTY_ROW(type, member, kind, at)                                               \
    KFI_FIELD(type, member, #member, kfi_field_object, .otherwise = "None", .choices = kind,       \
              .position = (at), .help = "on the weight")
#define KFI_CELL_REGULARIZER_FIELDS(type, at)                                                      \
    KFI_CELL_PENALTY_ROW(type, kernel_regularizer, "regularizer", at),                             \
        KFI_CELL_PENALTY_ROW(type, recurrent_regularizer, "regularizer", (at) + 1),                \
        KFI_CELL_PENALTY_ROW(type, bias_regularizer, "regularizer", (at) + 2)
#define KFI_CELL_ACTIVITY_FIELD(type, at)                                                          \
    KFI_CELL_PENALTY_ROW(type, activity_regularizer, "regularizer", at)
#define KFI_CELL_CONSTRAINT_FIELDS(type, at)                                                       \
    KFI_CELL_PENALTY_ROW(type, kernel_constraint, "constraint", at),                               \
        KFI_CELL_PENALTY_ROW(type, recurrent_constraint, "constraint", (at) + 1),                  \
        KFI_CELL_PENALTY_ROW(type, bias_constraint, "constraint", (at) + 2)
#define KFI_CELL_DROPOUT_FIELDS(type, at)                                                          \
    KFI_FIELD(type, dropout, "dropout", kfi_field_rate, .otherwise = "0", .position = (at),        \
              .help = "the fraction of the inputs that becomes 0"),                                \
        KFI_FIELD(type, recurrent_dropout, "recurrent_dropout", kfi_field_rate, .otherwise = "0",  \
                  .position = (at) + 1, .help = "the fraction of the states that becomes 0")
#define KFI_CELL_IMPLEMENTATION_FIELD(type, at)                                                    \
    KFI_FIELD(type, implementation, "implementation", kfi_field_integer, .low = 0, .high = 2,      \
              .otherwise = "1", .position = (at), .help = "2: one dropout mask for all gates")

#endif
