/* What a layer is to the graph: a class that creates weights and writes itself as ops, an instance
 * with options and weights, and one node for each of its calls. */
#ifndef KFI_LAYERS_LAYER_H
#define KFI_LAYERS_LAYER_H

#include "core/base/fields.h"
#include "core/graph/formula.h"
#include "core/graph/graph.h"
#include "kf/layers.h"

/* One call of a layer while a formula is being written: at kf_apply (symbolic, shapes only) and
 * again for every plan. */
typedef struct kfi_layer_call {
    kf_layer *layer;
    kfi_formula *formula;
    int32_t n_in, n_out; /* n_out is preset to 1 */
    const kfi_value *in;
    const kfi_value *in_mask; /* float32, 1 where a step counts; KFI_NONE: no mask */
    kfi_value *out;           /* room for KFI_LAYER_MAX_OUTPUTS */
    kfi_value *out_mask;      /* preset: the first input's mask if the class passes masks */
    kf_training training;
    /* What kfi_call_mask gives instead of the mask of the first input. */
    bool gives_mask;
    kfi_value mask;
} kfi_layer_call;

/* The mask a class goes by that takes one. What goes on to the next layer is made from in_mask. */
static inline kfi_value kfi_call_mask(const kfi_layer_call *call) {
    return call->gives_mask ? call->mask : call->in_mask[0];
}

enum { KFI_LAYER_MAX_OUTPUTS = 64 };

typedef struct kfi_cell_class kfi_cell_class; /* core/layers/recurrent/cell.h */

typedef struct kfi_layer_class {
    const char *name;                /* Keras's class: "Conv2D"; auto names are its snake case */
    const kfi_field *fields;         /* NULL: no options of its own (beyond name and frozen)    */
    size_t options_size;             /* of a struct that starts with KF_LAYER_OPTIONS           */
    int32_t min_inputs, max_inputs;  /* 0, 0: exactly one; max -1: any number               */
    bool supports_masking;           /* else a masked input is refused, as in Keras         */
    bool takes_training, takes_mask; /* arguments of a call: kf_call */
    /* Checks options that one field alone cannot (no weights yet). NULL: nothing to check. */
    kf_status (*check)(const kf_layer *layer);
    /* Creates the weights for inputs of these types, with kfi_layer_add_weight. NULL: none. */
    kf_status (*build)(kf_layer *layer, const kfi_array *in, int32_t n_in);
    /* Writes the layer as ops into call->out. Errors: kfi_fail; the layer's name is put in front.
     */
    kf_status (*call)(kfi_layer_call *call);
    /* The layers inside, for wrappers and models; NULL: none. */
    int32_t (*inner)(const kf_layer *layer, kf_layer *const **inner);
    void (*free)(kf_layer *layer); /* what `extra` holds; NULL: nothing */
    /* Whether samples of a batch depend on each other (batch statistics, states that stay), so that
     * the layer cannot be called on parts of a batch. NULL: they never do. */
    bool (*whole_batch)(const kf_layer *layer);
    /* What each output adds to the loss, beside what activity_regularizer says; NULL: nothing. */
    kfi_value (*penalty)(const kf_layer *layer, kfi_formula *formula, kfi_value output);
    /* Wrappers (wrapper.h): the key of Keras's config that has the layer inside, and what takes it
     * over when the wrapper is made. NULL for all others. */
    const char *wraps;
    kf_status (*wrap)(kf_layer *layer, kf_layer *inner);
    /* What is kept from one run to the next (stateful recurrent layers), none before the layer is
     * built. NULL: nothing. */
    int32_t (*states)(const kf_layer *layer, kf_weight *const **states);
    /* Where it is kept how many of the last inputs are Keras's `constants`; NULL: it takes none. */
    int64_t *(*constants)(const kf_layer *layer);
    const kfi_cell_class *cell; /* of a cell: what recurrent layers do with it; NULL: it is none */
} kfi_layer_class;

typedef struct kfi_layer_options {
    KF_LAYER_OPTIONS;
} kfi_layer_options;

struct kf_layer {
    const kfi_layer_class *class;
    kf_graph *graph; /* NULL until first applied */
    char *name;      /* NULL until first applied, unless given */
    bool trainable, built;
    void *options; /* the class's struct: own copy, defaults filled in */
    void *extra;   /* a wrapper's inner layer, a model */
    kf_weight **weights;
    int64_t n_weights, weights_capacity;
    kfi_node **nodes;
    int64_t n_nodes, nodes_capacity;
    kf_status status; /* why it is poisoned, with its message */
    char *message;
    int32_t frozen_around; /* frozen layers around it, while they are being called */
    char *scope;           /* what its weights' names begin with; NULL: its name   */
    kfi_variant *input;    /* what its config says it receives: batch_input_shape, dtype; or NULL */
    kf_layer *holder;      /* the wrapper that frees it, until a graph does        */
    kf_layer *adopted, *beside; /* layers freed with this one, as a list: see apply.c   */
};

/* Makes a layer from the user's struct (kfi_fields_copy) or from keyword arguments; never NULL: on
 * failure a poisoned layer, at worst a static one. For the kf_x_create functions. */
kf_layer *kfi_layer_new(const kfi_layer_class *class, const void *options);
kf_layer *kfi_layer_from_arguments(const kfi_layer_class *class, const kfi_variant *arguments,
                                   void (*unknown)(void *context, const char *key), void *context);
/* The same for a wrapper class, around a layer that it takes over. */
kf_layer *kfi_wrapper_from_arguments(const kfi_layer_class *class, const kfi_variant *arguments,
                                     void (*unknown)(void *context, const char *key), void *context,
                                     kf_layer *inner);
/* The layer that a wrapper was made around; NULL for all others. */
kf_layer *kfi_wrapped(const kf_layer *layer);
void kfi_layer_destroy(kf_layer *layer);

/* A layer that stands for the failure kf_last_error tells of. Never NULL. */
kf_layer *kfi_layer_poisoned(kf_status status);

/* Whether its class has what it receives among its options: Embedding. */
bool kfi_layer_declares_input(const kf_layer *layer);

/* Gives the layer a name, if it has none yet (prefix NULL: its class in snake case), and hands it
 * over to the graph. On failure it stays the caller's. */
kf_status kfi_layer_join(kf_layer *layer, kf_graph *graph, const char *prefix);
/* The layer inside a wrapper is freed with it, unless it belongs to a graph or another already. */
void kfi_layer_hold(kf_layer *holder, kf_layer *inner);
/* One call of the layer, made by hand: a node with room for n_in inputs and n_out outputs, to be
 * filled by the caller. NULL when memory is gone. */
kfi_node *kfi_layer_add_node(kf_layer *layer, int32_t n_in, int32_t n_out);

/* A new weight "layer/name:0" filled by the initializer (an object as text). Seeds come from the
 * graph's seed and the weight's number in the graph, so that a model is the same on every run. */
typedef struct kfi_weight_options {
    const char *initializer, *regularizer, *constraint; /* NULL: zeros, none, none */
    bool frozen;                                        /* not trained: moving averages */
} kfi_weight_options;
kf_status kfi_layer_add_weight(kf_layer *layer, const char *name, const kf_shape *shape,
                               const kfi_weight_options *options);
/* Weights for inputs of these types, unless it has been built: what the first call does. A failure
 * poisons the layer. */
kf_status kfi_layer_build(kf_layer *layer, const kfi_array *in, int32_t n_in);
/* The value of weight i in the formula that is being written. Its penalty enters the loss by
 * kfi_layer_invoke, also if the layer stands inside of a wrapper that writes it by itself. */
kfi_value kfi_layer_weight_value(const kfi_layer_call *call, int32_t index);

/* kf_apply_list with arguments; where they have a mask it is the last of the tensors. */
kf_tensor *kfi_layer_apply(kf_layer *layer, kf_tensor *const *inputs, int32_t n_inputs,
                           const kfi_arguments *arguments);

/* Into a call whose inputs are set, with the mask right after them. */
void kfi_call_take_arguments(kfi_layer_call *call, const kfi_arguments *arguments);

/* Writes one call of a layer into a formula, in a scope of its name: mask rules, class->call,
 * activity penalties, the layer's name before messages. Models use it to call their layers. */
kf_status kfi_layer_invoke(kfi_layer_call *call, int32_t node);

/* How many of its last inputs are constants. */
int32_t kfi_layer_constants(const kf_layer *layer);

/* Some layer in it, itself included, needs the batch as a whole. */
bool kfi_layer_whole_batch(const kf_layer *layer);

/* The weight's new value in this formula, an optimizer's, made to satisfy its constraint. */
void kfi_layer_constrain(kfi_formula *formula, kf_weight *weight);

/* Not trained now: frozen itself, or called by a frozen model or wrapper. */
bool kfi_layer_frozen(const kf_layer *layer);

/* The layers inside a layer (a model's, a wrapper's), in order; n 0 for plain ones. */
int32_t kfi_layer_inner(const kf_layer *layer, kf_layer *const **inner);

/* Appends the weights of a layer and of those inside it, Keras's order: of each kind (trained or
 * not) in the order of layers. A weight is trained if it was made so and no layer around it is
 * frozen. */
typedef struct kfi_weight_list {
    kf_weight **items;
    int64_t count, capacity;
} kfi_weight_list;
kf_status kfi_layer_gather(const kf_layer *layer, bool trained, kfi_weight_list *list);

/* The user's function that the graph knows by that name; NULL: there is none. */
const kf_function *kfi_function_find(const kf_graph *graph, const char *name);

/* The class of that name, or NULL; at: NULL past the end. layer_list.h has the list. Models are
 * made by the model room, not here. */
const kfi_layer_class *kfi_layer_class_find(const char *name);
const kfi_layer_class *kfi_layer_class_at(int32_t index);

#endif
