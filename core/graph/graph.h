/* The symbolic side: tensors, the nodes that made them, and the graph that owns it all. */
#ifndef KFI_GRAPH_GRAPH_H
#define KFI_GRAPH_GRAPH_H

#include "core/base/random.h"
#include "core/base/shape.h"
#include "kf/graph.h"

typedef struct kfi_node kfi_node;

struct kf_tensor {
    kf_graph *graph;
    kf_dtype dtype;
    kf_shape shape;
    kfi_node *node; /* the call that made it */
    int32_t index;  /* which of its outputs  */
    bool masked;    /* a mask comes with it  */
    kf_shape mask_shape;
    bool poisoned;
};

/* What a call was told beside the tensors it is applied to: Keras's keyword arguments. */
typedef struct kfi_arguments {
    kf_training training;
    bool has_mask; /* its last input is the mask to go by */
    bool no_mask;  /* mask=None: it goes by none, also where one comes with the input */
} kfi_arguments;

/* One call of a layer on tensors. */
struct kfi_node {
    kf_layer *layer;
    kfi_arguments arguments;
    int32_t index; /* in layer->nodes */
    int32_t n_in, n_out;
    kf_tensor **in, **out;
    int64_t number; /* of all calls in the graph, in the order they were made */
};

/* Keeps the first failure of a graph and returns the graph's poisoned tensor. */
kf_tensor *kfi_graph_poison(kf_graph *graph, kf_status status);

/* Tells the graph's warning handler, if there is one; kf_last_error stays as it is. */
void kfi_graph_warn(const kf_graph *graph, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* A name nobody in the graph has: "dense" -> "dense_3". Freed with kfi_free. */
char *kfi_graph_unique_name(kf_graph *graph, const char *prefix);
char *kfi_snake_case(const char *class_name); /* Keras's rule: Conv2D -> conv2d */

/* Hands an object over to the graph; on failure it is freed at once. */
kf_status kfi_graph_own(kf_graph *graph, void *object, void (*free)(void *object));

/* The object number `index` (from 0) of those that this function frees; NULL: past the last. */
void *kfi_graph_owned(const kf_graph *graph, void (*free)(void *object), int64_t index);

kfi_random kfi_graph_random(const kf_graph *graph); /* the seed as a stream            */
uint64_t kfi_graph_next_weight(kf_graph *graph);    /* 0, 1, 2 … in the order of calls */
int64_t kfi_graph_next_call(kf_graph *graph);       /* the same for calls of layers    */

/* While a model is read from a file, its weights may have this many elements, since the file says
 * what there is to fill them with; -1: no limit. Returns the limit before. */
int64_t kfi_graph_limit_weights(kf_graph *graph, int64_t elements);
kf_status kfi_graph_allow_weight(kf_graph *graph, const kf_shape *shape);

/* A tensor made by node, output index; owned by the graph. NULL when memory is gone. */
kf_tensor *kfi_tensor_new(kf_graph *graph, kfi_node *node, int32_t index, kf_dtype dtype,
                          const kf_shape *shape);

#endif
