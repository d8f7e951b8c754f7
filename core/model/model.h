/* A model: a part of the graph in the order its layers run, and what training hangs on it. */
#ifndef KFI_MODEL_MODEL_H
#define KFI_MODEL_MODEL_H

#include "core/layers/layer.h"
#include "io/keras_file.h"
#include "kf/model.h"

/* One call of a layer that belongs to this model (a node of the graph), in running order. */
typedef struct kfi_model_node {
    kfi_node *node;
    int32_t depth;     /* distance to the outputs: Keras's depth */
    int32_t layer;     /* its layer, in model->layers; -1: a Sequential's hidden input layer */
    int32_t call;      /* which call of its layer this is to Keras's files and summaries */
    int32_t first_out; /* its first output, among the model's values */
    int32_t *in;       /* by input: the node of this model that made it */
} kfi_model_node;

struct kf_model {
    kf_graph *graph;
    kf_layer *layer; /* the model as a layer: its name, nodes, trainable flag; extra = this */
    bool sequential; /* made from or saved as a Sequential */
    int32_t n_inputs, n_outputs;
    kf_tensor **inputs, **outputs;
    kf_layer **layers; /* by decreasing depth */
    int32_t n_layers;
    kfi_model_node *nodes; /* every input of a node comes before it */
    int32_t n_nodes;
    int32_t *calls;                      /* the nodes again, layer by layer, each one's in order */
    int32_t *input_nodes, *output_nodes; /* which nodes made the inputs and outputs */
    int32_t n_values;                    /* outputs of all nodes */
    int32_t *producers;                  /* what the nodes' `in` point into */
    int64_t n_plain_calls;               /* calls of plain layers, those inside models counted */
    /* A Sequential that has no layer yet, or does not know its input: no nodes, and nothing of the
     * above. Its input, where that is made; what it will be, where that was said (rank 0: it was
     * not); and the layers that wait for one. */
    bool unbuilt;
    kf_tensor *start;
    kf_shape start_shape;
    const char *start_dtype;
    kf_layer **pending;
    int64_t n_pending, pending_capacity;
    bool built_by_shape; /* the input was told apart from the layers */
    kf_status status;    /* why it is poisoned */
    char *message;
    /* Training's own (compiled state, plans, arena), freed with the model. */
    void *training;
    void (*free_training)(void *training);
};

/* Inputs or outputs of a model; a list without its final NULL stops here. */
enum { KFI_MODEL_MAX_ENDS = 4096 };

/* What a new model is made from: Model(inputs, outputs), or a Sequential's input and output. */
typedef struct kfi_model_parts {
    const char *name; /* NULL: model_1, sequential_1 … */
    bool sequential, frozen;
    kf_tensor *const *inputs, *const *outputs;
    int64_t n_inputs, n_outputs;
} kfi_model_parts;
kf_model *kfi_model_make(kf_graph *graph, const kfi_model_parts *parts); /* never NULL */

/* (Re)makes all that follows from the inputs and outputs: nodes, layers, node 0. */
kf_status kfi_model_renew(kf_model *model, kf_tensor *input, kf_tensor *output);
/* Forgets all that, and what training made of it. */
void kfi_model_clear(kf_model *model);
/* A Sequential without layers, owned by the graph; NULL on failure. */
kf_model *kfi_model_empty(kf_graph *graph, const kfi_model_parts *parts);

/* The states of its stateful layers, all of them in a row of so many numbers (states.c). */
int64_t kfi_model_count_states(const kf_model *model);
void kfi_model_get_states(const kf_model *model, float *values);
void kfi_model_set_states(kf_model *model, const float *values);

/* The model as a layer, its own node 0 made; the graph's. */
kf_status kfi_model_make_layer(kf_model *model, const kfi_model_parts *parts);
/* Makes node 0, or brings it up to date. */
kf_status kfi_model_set_own_node(kf_model *model);

/* Builds a Sequential that is called before it knows its input (sequential.c). */
kf_status kfi_sequential_build(kf_model *model, const kf_shape *shape);
/* KF_OK, or why the model is poisoned: unlike for kf_model_error, one that is not built yet is
 * well. */
kf_status kfi_model_check(const kf_model *model);
/* Adds a layer without making the model anew after it; takes it over. */
kf_status kfi_sequential_defer(kf_model *model, kf_layer *layer);

/* The model that this layer is, or NULL for any other layer. */
kf_model *kfi_layer_model(const kf_layer *layer);

/* Whether a layer is an InputLayer, whose node 0 has no inputs. */
bool kfi_layer_is_input(const kf_layer *layer);

/* Finds all nodes and layers between inputs and outputs (network.c), or says why it is no model. */
kf_status kfi_model_map(kf_model *model);

/* Writes the whole model into a formula: values (and masks, KFI_NONE for none) of the inputs in, of
 * the outputs out. in_mask and out_mask may be NULL. */
kf_status kfi_model_lower(const kf_model *model, kfi_formula *formula, const kfi_value *in,
                          const kfi_value *in_mask, kfi_value *out, kfi_value *out_mask);

/* {"class_name": "Model", "config": …} as Keras 2.2.4's model_config, and back. */
kfi_variant *kfi_model_config(const kf_model *model);
kf_model *kfi_model_from_config(kf_graph *graph, const kfi_variant *model_config);

/* Fills names, shapes and data pointers of the model's weights, layer by layer, for
 * kfi_keras_write; freed with kfi_model_content_free. */
kf_status kfi_model_content(const kf_model *model, kfi_keras_file *content);
void kfi_model_content_free(kfi_keras_file *content);

/* All weights of a layer in the order of files: trained ones, then the others. */
kf_status kfi_list_weights(const kf_layer *layer, kfi_weight_list *list);

/* Reads the weights of an open file into a model that was just made from it: layers that have
 * weights are paired in order, counts and shapes must agree. */
kf_status kfi_model_read_weights(kf_model *model, kfi_keras_file *file);

/* A model from the config of an open file. Weights that the file could not fill are refused before
 * memory is taken for them. */
kf_model *kfi_model_from_file(kf_graph *graph, const kfi_variant *model_config,
                              const kfi_keras_file *file);

/* A model that stands for a failure; keeps kf_last_error's message. Never NULL. */
kf_model *kfi_model_poisoned(kf_graph *graph, kf_status status);

#endif
