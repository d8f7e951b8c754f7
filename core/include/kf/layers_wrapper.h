/* Layers around layers. */
#ifndef KF_LAYERS_WRAPPER_H
#define KF_LAYERS_WRAPPER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Applies a layer, or a model (kf_model_layer), to every time step with the same weights: (batch,
 * time, …) -> (batch, time, …). The layer inside is taken over; it may be shared with other
 * wrappers. kf_time_distributed(kf_dense(8)).
 *
 * A model's steps are computed in parts of a fixed size, which depends on shapes alone: when memory
 * is short (kf_compile's memory_limit_bytes) the parts run one after the other, and training
 * computes their values twice instead of keeping them, with the same results to the last bit. */
typedef struct kf_time_distributed_options {
    KF_LAYER_OPTIONS;
    kf_layer *layer;
} kf_time_distributed_options;
KF_API kf_layer *kf_time_distributed_create(const kf_time_distributed_options *options);
#define kf_time_distributed(...) KF_LAYER(time_distributed, .layer = __VA_ARGS__)

/* A recurrent layer (LSTM, GRU, SimpleRNN, RNN, ConvLSTM2D) along the sequence and a copy of it
 * from the end; merge_mode says what becomes of the two outputs. Initial states are further inputs
 * of the call, those of the way forward first; with return_state the states at the end are its
 * further outputs, in the same order. The layer given is taken over: it only says what both are
 * like. kf_bidirectional(kf_lstm(64, .return_sequences = true), .merge_mode = "sum"). */
typedef struct kf_bidirectional_options {
    KF_LAYER_OPTIONS;
    kf_layer *layer;
    const char *merge_mode; /* "concat" (default), "sum", "mul", "ave"; "None": two outputs */
    int64_t num_constants;  /* how many of its inputs are constants: kf_call sets it */
} kf_bidirectional_options;
KF_API kf_layer *kf_bidirectional_create(const kf_bidirectional_options *options);
#define kf_bidirectional(...) KF_LAYER(bidirectional, .layer = __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
