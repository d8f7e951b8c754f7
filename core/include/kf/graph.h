/* Graphs, symbolic tensors, and layers applied to them: Keras's functional API.
 *
 * Making functions never fail in the caller's hands: on an error the graph keeps the first message
 * and everything made from the failed part is poisoned, so that a chain is checked once, by
 * kf_graph_error, kf_model_new's user kf_compile, or any function that returns a kf_status. */
#ifndef KF_GRAPH_H
#define KF_GRAPH_H

#include "kf/tensor.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kf_graph kf_graph;   /* owns every tensor, layer, weight and model made in it */
typedef struct kf_tensor kf_tensor; /* a symbolic array; its batch axis is free (KF_ANY)     */
typedef struct kf_layer kf_layer;
typedef struct kf_model kf_model;
typedef struct kf_weight kf_weight;

/* An options struct with its size, so that it can grow without breaking old programs.
 * Where options follow other arguments, the size is put last by an inner macro, so that ISO C is
 * content with a call that gives none: kf_fit(model, data). */
#define KF_OPTIONS(type, ...) (&(type){.size = sizeof(type), __VA_ARGS__})

/* Zero in an options struct means the default. Where zero itself is meant and the default is not
 * zero, say KF_ZERO (a negative zero): kf_sgd(.lr = KF_ZERO). Numbers are doubles, and are saved as
 * they were typed: 0.1f, which as a double is not 0.1, stands for 0.1 all the same. */
#define KF_ZERO (-0.0)

typedef struct kf_graph_options {
    size_t size;
    uint64_t seed; /* of initial weights, dropout and shuffling; 0: a fixed default */
} kf_graph_options;
KF_API kf_graph *kf_graph_create(const kf_graph_options *options); /* NULL: out of memory */
#define kf_graph_new(...) kf_graph_create(KF_OPTIONS(kf_graph_options, __VA_ARGS__))
KF_API void kf_graph_free(kf_graph *graph); /* and all that it owns; accepts NULL */

/* KF_OK, or the status of the first error in this graph with its message in kf_last_error. */
KF_API kf_status kf_graph_error(const kf_graph *graph);

/* Warnings: what goes on, but not quite as asked, such as a model whose saved optimizer state does
 * not fit it. The handler is called as it happens, by the thread that called kf; the message is its
 * own as long as the call lasts. NULL, as it is at first: nobody is told. */
typedef void (*kf_warning_handler)(void *context, const char *message);
KF_API void kf_graph_on_warning(kf_graph *graph, kf_warning_handler handler, void *context);

/* An input of a model. shape: one sample's, without the batch axis: kf_input(g, {28, 28, 1});
 * KF_ANY for an axis that is not fixed; {0} for one number a sample. */
typedef struct kf_input_options {
    size_t size;
    int64_t shape[KF_MAX_RANK]; /* ends at the first 0 */
    const char *name;           /* NULL: input_1, input_2 … */
    const char *dtype;          /* "float32" (default) or "int32" */
    int64_t batch_size;         /* fixed batch axis; 0: free */
} kf_input_options;
KF_API kf_tensor *kf_input_create(kf_graph *graph, const kf_input_options *options);
#define kf_input(graph, ...)                                                                       \
    kf_input_create((graph), KF_OPTIONS(kf_input_options, .shape = __VA_ARGS__))

/* Applies a layer to tensors: builds its weights at the first call, adds a node at every call.
 * A layer belongs to the graph of the first tensor it is applied to. Returns the first output. */
KF_API kf_tensor *kf_apply_list(kf_layer *layer, kf_tensor *const *inputs, int32_t n_inputs);
#define kf_apply(layer, ...)                                                                       \
    kf_apply_list((layer), (kf_tensor *const[]){__VA_ARGS__},                                      \
                  (int32_t)(sizeof((kf_tensor *const[]){__VA_ARGS__}) / sizeof(kf_tensor *)))

/* A call with more than inputs, Keras's keyword arguments: kf_call(dropout, kf_list(x), .training =
 * KF_TRAINING_ON). Layers that do not know an argument refuse it with Keras's message. */
typedef enum kf_training {
    KF_TRAINING_AS_RUN = 0, /* in fit as in training, else as in prediction */
    KF_TRAINING_ON,         /* dropout drops and BatchNormalization takes the batch's mean always */
    KF_TRAINING_OFF         /* never */
} kf_training;
typedef struct kf_call_options {
    size_t size;
    /* Recurrent layers, TimeDistributed, Bidirectional, the noise layers, BatchNormalization, and
     * models, where it holds for all layers inside. */
    kf_training training;
    /* (batch, steps), not 0 where a step counts: what the layer goes by instead of the mask that
     * comes with its input. As in Keras 2.2.4 the mask that goes on to the next layer is still that
     * of the input. no_mask is mask=None. Layers that use masks and models take it. */
    kf_tensor *mask;
    bool no_mask;
    /* Of recurrent layers, ended by NULL: further inputs, first the states, then the constants. */
    kf_tensor *const *initial_state, *const *constants;
} kf_call_options;
KF_API kf_tensor *kf_call_create(kf_layer *layer, kf_tensor *const *inputs, /* ended by NULL */
                                 const kf_call_options *options);
#define kf_call(...) KF_CALL(__VA_ARGS__, .size = sizeof(kf_call_options))
#define KF_CALL(layer, inputs, ...)                                                                \
    kf_call_create((layer), (inputs), &(kf_call_options){__VA_ARGS__})

/* Output `index` of the call that made `tensor`, for layers (models) with several outputs. */
KF_API kf_tensor *kf_tensor_sibling(kf_tensor *tensor, int32_t index);

KF_API kf_shape kf_tensor_shape(const kf_tensor *tensor); /* with the batch axis */
KF_API kf_dtype kf_tensor_dtype(const kf_tensor *tensor);

/* A layer that was never applied belongs to nobody: free it. An applied one is the graph's, and
 * this does nothing. */
KF_API void kf_layer_free(kf_layer *layer);
KF_API const char *kf_layer_name(const kf_layer *layer);
KF_API const char *kf_layer_class(const kf_layer *layer); /* "Dense" */
KF_API void kf_layer_set_trainable(kf_layer *layer, bool trainable);
KF_API bool kf_layer_trainable(const kf_layer *layer);

/* Nodes, numbered from 0 in the order of calls; a negative index counts from the end. NULL with
 * Keras's message in kf_last_error (and no poison) where Keras raises. */
KF_API int32_t kf_layer_nodes(const kf_layer *layer);
KF_API kf_tensor *kf_layer_output(const kf_layer *layer);
KF_API kf_tensor *kf_layer_input(const kf_layer *layer);
KF_API kf_tensor *kf_layer_output_at(const kf_layer *layer, int32_t node);
KF_API kf_tensor *kf_layer_input_at(const kf_layer *layer, int32_t node);

/* All inputs of a call, for merges (a mask that it was given is the last); its outputs are siblings
 * (kf_tensor_sibling). 0 and NULL with a message where there is no such node or input. */
KF_API int32_t kf_layer_node_inputs(const kf_layer *layer, int32_t node);
KF_API kf_tensor *kf_layer_node_input(const kf_layer *layer, int32_t node, int32_t index);

/* Shapes of the first input or output, with the batch axis: of the layer if all its calls agree in
 * all of them, else of one node. */
KF_API kf_status kf_layer_input_shape(const kf_layer *layer, kf_shape *shape);
KF_API kf_status kf_layer_output_shape(const kf_layer *layer, kf_shape *shape);
KF_API kf_status kf_layer_input_shape_at(const kf_layer *layer, int32_t node, kf_shape *shape);
KF_API kf_status kf_layer_output_shape_at(const kf_layer *layer, int32_t node, kf_shape *shape);

/* Shapes of the masks that come with the first input and output: (batch, steps); of rank 0 where
 * there is none, which is Keras's None. */
KF_API bool kf_tensor_mask(const kf_tensor *tensor, kf_shape *mask);
KF_API kf_status kf_layer_input_mask(const kf_layer *layer, kf_shape *mask);
KF_API kf_status kf_layer_output_mask(const kf_layer *layer, kf_shape *mask);
KF_API kf_status kf_layer_input_mask_at(const kf_layer *layer, int32_t node, kf_shape *mask);
KF_API kf_status kf_layer_output_mask_at(const kf_layer *layer, int32_t node, kf_shape *mask);

/* Weights in Keras's order: trainable ones first, as the layer made them. */
KF_API int32_t kf_layer_weights(const kf_layer *layer);
KF_API kf_weight *kf_layer_weight(const kf_layer *layer, int32_t index);
/* By the weight's whole name, or its own within the layer: "kernel". NULL: there is none. */
KF_API kf_weight *kf_layer_find_weight(const kf_layer *layer, const char *name);
/* layer.set_weights: all of them, in order, float32. Counts and shapes are checked before the first
 * one changes. */
KF_API kf_status kf_layer_set_weights(kf_layer *layer, const kf_array *values, int32_t n_values);
/* layer.count_params; -1 with a message for a layer that has no weights yet because it was never
 * applied, or when memory is gone. */
KF_API int64_t kf_layer_parameters(const kf_layer *layer);
KF_API const char *kf_weight_name(const kf_weight *weight); /* "dense_1/kernel:0" */
KF_API kf_shape kf_weight_shape(const kf_weight *weight);
KF_API bool kf_weight_trainable(const kf_weight *weight);
KF_API kf_status kf_weight_get(const kf_weight *weight, float *out, int64_t count);
KF_API kf_status kf_weight_set(kf_weight *weight, const float *values, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
