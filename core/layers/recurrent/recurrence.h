/* A recurrent layer: cells along the time axis. What SimpleRNN, GRU, LSTM, RNN and ConvLSTM2D have
 * in common; each of them is a field table, a cell, and calls of these functions. */
#ifndef KFI_LAYERS_RECURRENCE_H
#define KFI_LAYERS_RECURRENCE_H

#include "core/layers/recurrent/cell.h"

/* The layer's options of KF_RECURRENT_LAYER_OPTIONS, wherever they stand in its struct. */
typedef struct kfi_recurrent_flags {
    KF_RECURRENT_LAYER_OPTIONS;
} kfi_recurrent_flags;

/* Keras counts these rows behind all others, though get_config has them first. */
#define KFI_RECURRENT_FLAG_FIELDS(type, at)                                                        \
    KFI_FIELD(type, return_sequences, "return_sequences", kfi_field_bool, .otherwise = "False",    \
              .position = (at), .help = "all outputs, not only the last"),                         \
        KFI_FIELD(type, return_state, "return_state", kfi_field_bool, .otherwise = "False",        \
                  .position = (at) + 1, .help = "further outputs: the states at the end"),         \
        KFI_FIELD(type, go_backwards, "go_backwards", kfi_field_bool, .otherwise = "False",        \
                  .position = (at) + 2, .help = "from the end of the sequence"),                   \
        KFI_FIELD(type, stateful, "stateful", kfi_field_bool, .otherwise = "False",                \
                  .position = (at) + 3, .help = "start where the batch before ended"),             \
        KFI_FIELD(type, unroll, "unroll", kfi_field_bool, .otherwise = "False",                    \
                  .position = (at) + 4, .help = "Keras's; the time axis must be fixed")

/* A recurrent layer's `extra`, made by build. */
typedef struct kfi_recurrent {
    kfi_recurrent_flags flags;
    kfi_cell *cells; /* the first one gets the inputs */
    int32_t n_cells, cells_capacity;
    int32_t rank; /* of the inputs */
    /* All states, Keras's order: those of the last cell first. Stateful layers keep them. */
    int32_t n_states;
    kf_weight **states; /* NULL: not stateful */
} kfi_recurrent;

/* The parts of a class: build with the layer's cells, call, free, states. A layer that is its
 * own cell says which; RNN finds its cell's in its options. */
kf_status kfi_recurrent_build(kf_layer *layer, const kfi_array *in,
                              const kfi_recurrent_flags *flags, const kfi_cell *cells,
                              int32_t n_cells);
kf_status kfi_recurrent_refuse_unroll(void); /* of convolutions, in Keras's words */
kf_status kfi_recurrent_call(kfi_layer_call *call);
void kfi_recurrent_free(kf_layer *layer);
int32_t kfi_recurrent_states(const kf_layer *layer, kf_weight *const **states);
bool kfi_recurrent_whole_batch(const kf_layer *layer);

#define KFI_RECURRENT_CLASS(class_name, type)                                                      \
    .name = (class_name), .options_size = sizeof(type), .min_inputs = 1, .max_inputs = -1,         \
    .supports_masking = true, .takes_training = true, .takes_mask = true,                          \
    .call = kfi_recurrent_call, .free = kfi_recurrent_free, .states = kfi_recurrent_states,        \
    .whole_batch = kfi_recurrent_whole_batch

#define KFI_RECURRENT_FLAGS(options)                                                               \
    ((kfi_recurrent_flags){.return_sequences = (options)->return_sequences,                        \
                           .return_state = (options)->return_state,                                \
                           .go_backwards = (options)->go_backwards,                                \
                           .stateful = (options)->stateful,                                        \
                           .unroll = (options)->unroll})

#endif
