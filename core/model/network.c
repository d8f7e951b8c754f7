/* Which calls of which layers lie between a model's inputs and outputs, and in which order they
 * run: Keras's Network. A call's depth is its longest way to an output; calls run by decreasing
 * depth, and so every call comes after those it reads from. The order depends on the structure
 * alone, so that a model that was saved and loaded runs as before. */
#include "core/base/memory.h"
#include "core/model/model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct found_call {
    kfi_node *node;
    int32_t depth;
    int32_t seen; /* 1 + its rank in the order in which depths became known; 0: not yet */
} found_call;

typedef struct found_layer {
    kf_layer *layer;
    int32_t depth;
    int32_t seen; /* rank in the order of the walk */
} found_layer;

typedef struct frame {
    kfi_node *node;
    int32_t next_input;
} frame;

/* Places by address of a node or a layer: open addressing, at most half full. */
typedef struct place_slot {
    const void *key;
    int32_t place;
} place_slot;

typedef struct place_map {
    place_slot *slots;
    int64_t n_slots, n_used; /* n_slots: a power of 2, or 0 */
} place_map;

typedef struct network {
    kf_model *model;
    place_map places;  /* of calls by node: ON_THE_WAY or the index in calls; of layers by layer */
    found_call *calls; /* at first in the order of the walk: each one after those it reads from */
    found_layer *layers;
    frame *stack;
    int64_t n_calls, n_layers, n_stack;
    int64_t calls_capacity, layers_capacity, stack_capacity;
} network;

enum { ON_THE_WAY = -1 };

static void release(network *net) {
    kfi_free(net->places.slots);
    kfi_free(net->calls);
    kfi_free(net->layers);
    kfi_free(net->stack);
}

bool kfi_layer_is_input(const kf_layer *layer) {
    return strcmp(layer->class->name, "InputLayer") == 0;
}

/* A model's node 0 is its own inside, not a call. */
static int32_t first_call(const kf_layer *layer) { return kfi_layer_model(layer) ? 1 : 0; }

/* --- places ----------------------------------------------------------------------------------- */

/* The slot of this key, or the empty one it would take. There must be slots. */
static place_slot *probe(const place_map *places, const void *key) {
    const uint64_t mask = (uint64_t)places->n_slots - 1;
    uint64_t at = ((uint64_t)(uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 20; /* golden ratio */
    while (places->slots[at & mask].key && places->slots[at & mask].key != key) at++;
    return &places->slots[at & mask];
}

static kf_status grow(place_map *places) {
    if (2 * places->n_used < places->n_slots) return KF_OK;
    place_map wider = {.n_slots = places->n_slots ? 2 * places->n_slots : 64,
                       .n_used = places->n_used};
    wider.slots = kfi_alloc((size_t)wider.n_slots, sizeof *wider.slots);
    if (!wider.slots) return KF_MEMORY;
    for (int64_t i = 0; i < places->n_slots; i++)
        if (places->slots[i].key) *probe(&wider, places->slots[i].key) = places->slots[i];
    kfi_free(places->slots);
    *places = wider;
    return KF_OK;
}

/* A key that is not there is added with `otherwise`; NULL when memory is gone. */
static int32_t *place_or(place_map *places, const void *key, int32_t otherwise) {
    if (grow(places) != KF_OK) return NULL;
    place_slot *slot = probe(places, key);
    if (!slot->key) {
        *slot = (place_slot){key, otherwise};
        places->n_used++;
    }
    return &slot->place;
}

static bool is_known(const network *net, const void *key) {
    return net->places.n_slots > 0 && probe(&net->places, key)->key;
}

static int32_t *place(const network *net, const void *key) {
    place_slot *slot = probe(&net->places, key);
    assert(slot->key);
    return &slot->place;
}

/* --- the walk from the outputs to the inputs -------------------------------------------------- */

static kf_status enter(network *net, kfi_node *node) {
    if (is_known(net, node)) return KF_OK;
    if (kfi_reserve((void **)&net->stack, &net->stack_capacity, net->n_stack, sizeof *net->stack) !=
            KF_OK ||
        kfi_reserve((void **)&net->layers, &net->layers_capacity, net->n_layers,
                    sizeof *net->layers) != KF_OK)
        return KF_MEMORY;
    if (!place_or(&net->places, node, ON_THE_WAY)) return KF_MEMORY;
    net->stack[net->n_stack++] = (frame){node, 0};
    const int32_t next = (int32_t)net->n_layers;
    const int32_t *known = place_or(&net->places, node->layer, next);
    if (!known) return KF_MEMORY;
    if (*known == next) net->layers[net->n_layers++] = (found_layer){node->layer, 0, next};
    return KF_OK;
}

/* Explicit stack: a chain of a million layers must not need a million C frames. */
static kf_status walk(network *net, kfi_node *output) {
    kf_status status = enter(net, output);
    while (status == KF_OK && net->n_stack > 0) {
        frame *top = &net->stack[net->n_stack - 1];
        kfi_node *node = top->node;
        if (top->next_input < node->n_in) { /* tensors come before their calls: no cycles */
            status = enter(net, node->in[top->next_input++]->node);
            continue;
        }
        net->n_stack--;
        status = kfi_reserve((void **)&net->calls, &net->calls_capacity, net->n_calls,
                             sizeof *net->calls);
        if (status != KF_OK) break;
        *place(net, node) = (int32_t)net->n_calls;
        net->calls[net->n_calls++] = (found_call){node, 0, 0};
    }
    return status;
}

/* Inputs that no output needs belong to the model too: their data is part of its batches. */
static kf_status walk_all(network *net) {
    const kf_model *model = net->model;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < model->n_outputs && status == KF_OK; i++)
        status = walk(net, model->outputs[i]->node);
    for (int32_t i = 0; i < model->n_inputs && status == KF_OK; i++)
        status = walk(net, model->inputs[i]->node);
    return status;
}

/* --- depths ----------------------------------------------------------------------------------- */

static void see(found_call *known, int32_t *n_seen) {
    if (!known->seen) known->seen = ++*n_seen;
}

/* A layer that is shared at several depths takes the largest, and so do its calls met later. */
static void measure_depths(network *net) {
    int32_t n_seen = 0;
    for (int64_t i = net->n_calls - 1; i >= 0; i--) {
        found_call *at = &net->calls[i];
        found_layer *layer = &net->layers[*place(net, at->node->layer)];
        see(at, &n_seen);
        if (at->depth < layer->depth) at->depth = layer->depth;
        layer->depth = at->depth;
        for (int32_t k = 0; k < at->node->n_in; k++) {
            found_call *producer = &net->calls[*place(net, at->node->in[k]->node)];
            see(producer, &n_seen);
            if (producer->depth <= at->depth) producer->depth = at->depth + 1;
        }
    }
}

static int compare(int32_t depth_a, int32_t seen_a, int32_t depth_b, int32_t seen_b) {
    if (depth_a != depth_b) return depth_a > depth_b ? -1 : 1;
    return seen_a < seen_b ? -1 : seen_a > seen_b;
}

static int compare_calls(const void *a, const void *b) {
    const found_call *x = a, *y = b;
    return compare(x->depth, x->seen, y->depth, y->seen);
}

static int compare_layers(const void *a, const void *b) {
    const found_layer *x = a, *y = b;
    return compare(x->depth, x->seen, y->depth, y->seen);
}

static void sort(network *net) {
    qsort(net->calls, (size_t)net->n_calls, sizeof *net->calls, compare_calls);
    qsort(net->layers, (size_t)net->n_layers, sizeof *net->layers, compare_layers);
    for (int64_t i = 0; i < net->n_calls; i++) *place(net, net->calls[i].node) = (int32_t)i;
}

/* --- checks ----------------------------------------------------------------------------------- */

enum { TEXT_BYTES = 600 };

/* As TensorFlow prints a tensor: Tensor("input_1:0", shape=(?, 784), dtype=float32). */
static void print_tensor(const kf_tensor *tensor, char *text) {
    int at = snprintf(text, TEXT_BYTES, "Tensor(\"%.200s:%d\", shape=(", tensor->node->layer->name,
                      tensor->index);
    for (int32_t i = 0; i < tensor->shape.rank; i++) {
        const char *separator = i ? ", " : "";
        if (tensor->shape.dims[i] == KF_ANY)
            at += snprintf(text + at, (size_t)(TEXT_BYTES - at), "%s?", separator);
        else
            at += snprintf(text + at, (size_t)(TEXT_BYTES - at), "%s%lld", separator,
                           (long long)tensor->shape.dims[i]);
    }
    snprintf(text + at, (size_t)(TEXT_BYTES - at), "%s), dtype=%s)",
             tensor->shape.rank == 1 ? "," : "", kf_dtype_name(tensor->dtype));
}

/* The layers of the first `count` calls, as Python prints a list of strings. */
static void print_layers(const network *net, int64_t count, char *text) {
    int at = snprintf(text, TEXT_BYTES, "[");
    for (int64_t i = 0; i < count && at < TEXT_BYTES; i++)
        at += snprintf(text + at, (size_t)(TEXT_BYTES - at), "%s'%s'", i ? ", " : "",
                       net->calls[i].node->layer->name);
    if (at < TEXT_BYTES) snprintf(text + at, (size_t)(TEXT_BYTES - at), "]");
}

/* Every way back from an output must end at an input of the model. */
static kf_status check_connected(network *net) {
    const kf_model *model = net->model;
    bool *given = kfi_alloc((size_t)net->n_calls, sizeof *given);
    if (!given) return KF_MEMORY;
    for (int32_t i = 0; i < model->n_inputs; i++) given[*place(net, model->inputs[i]->node)] = true;
    int64_t missing = 0;
    while (missing < net->n_calls && (given[missing] || net->calls[missing].node->n_in > 0))
        missing++;
    kfi_free(given);
    if (missing == net->n_calls) return KF_OK;
    const kfi_node *node = net->calls[missing].node;
    char tensor[TEXT_BYTES], layers[TEXT_BYTES];
    print_tensor(node->out[0], tensor);
    print_layers(net, missing, layers);
    return kfi_fail(KF_INVALID,
                    "Graph disconnected: cannot obtain value for tensor %s at layer \"%s\". The "
                    "following previous layers were accessed without issue: %s",
                    tensor, node->layer->name, layers);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Files tell layers apart by their names. */
static kf_status check_names(const network *net) {
    const char **names = kfi_alloc((size_t)net->n_layers, sizeof *names);
    if (!names) return KF_MEMORY;
    for (int64_t i = 0; i < net->n_layers; i++) names[i] = net->layers[i].layer->name;
    qsort(names, (size_t)net->n_layers, sizeof *names, compare_names);
    kf_status status = KF_OK;
    for (int64_t i = 0, uses; i < net->n_layers && status == KF_OK; i += uses) {
        uses = 1;
        while (i + uses < net->n_layers && strcmp(names[i], names[i + uses]) == 0) uses++;
        if (uses > 1)
            status = kfi_fail(KF_INVALID,
                              "The name \"%s\" is used %lld times in the model. All layer names "
                              "should be unique.",
                              names[i], (long long)uses);
    }
    kfi_free(names);
    return status;
}

/* --- the result ------------------------------------------------------------------------------- */

/* Keras's Sequential does not count its input layer among its layers. */
static bool is_hidden(const kf_model *model, const kf_layer *layer) {
    return model->sequential && kfi_layer_is_input(layer);
}

static kf_status keep_layers(network *net) {
    kf_model *model = net->model;
    model->layers = kfi_alloc((size_t)net->n_layers, sizeof(kf_layer *));
    if (!model->layers) return KF_MEMORY;
    for (int64_t i = 0; i < net->n_layers; i++) {
        kf_layer *layer = net->layers[i].layer;
        if (!is_hidden(model, layer)) model->layers[model->n_layers++] = layer;
    }
    return KF_OK;
}

static kf_status keep_nodes(network *net) {
    kf_model *model = net->model;
    size_t n_operands = 0;
    for (int64_t i = 0; i < net->n_calls; i++) n_operands += (size_t)net->calls[i].node->n_in;
    model->nodes = kfi_alloc((size_t)net->n_calls, sizeof *model->nodes);
    model->producers = kfi_alloc(n_operands, sizeof *model->producers);
    if (!model->nodes || !model->producers) return KF_MEMORY;
    int32_t *producers = model->producers;
    for (int64_t i = 0; i < net->n_calls; i++) {
        kfi_node *node = net->calls[i].node;
        const kf_model *inner = kfi_layer_model(node->layer);
        const int64_t inside = inner ? inner->n_plain_calls : 1;
        model->nodes[i] = (kfi_model_node){
            .node = node, .depth = net->calls[i].depth, .layer = -1, .in = producers};
        model->nodes[i].first_out = model->n_values;
        model->n_values += node->n_out;
        for (int32_t k = 0; k < node->n_in; k++) *producers++ = *place(net, node->in[k]->node);
        if (__builtin_add_overflow(model->n_plain_calls, inside, &model->n_plain_calls))
            model->n_plain_calls = INT64_MAX;
    }
    model->n_nodes = (int32_t)net->n_calls;
    return KF_OK;
}

/* Calls of a layer that belong to other models do not count: files number the kept ones anew. */
static kf_status number_calls(network *net) {
    kf_model *model = net->model;
    int32_t *calls = model->calls = kfi_alloc((size_t)model->n_nodes, sizeof *model->calls);
    if (!calls) return KF_MEMORY;
    int32_t index = 0;
    for (int64_t i = 0; i < net->n_layers; i++) {
        const kf_layer *layer = net->layers[i].layer;
        const bool hidden = is_hidden(model, layer);
        int32_t kept = first_call(layer);
        for (int64_t k = first_call(layer); k < layer->n_nodes; k++) {
            const kfi_node *node = layer->nodes[k];
            if (!is_known(net, node)) continue;
            kfi_model_node *found = &model->nodes[*place(net, node)];
            found->layer = hidden ? -1 : index;
            found->call = kept++;
            *calls++ = *place(net, node);
        }
        if (!hidden) index++;
    }
    return KF_OK;
}

static kf_status keep_ends(network *net) {
    kf_model *model = net->model;
    model->input_nodes = kfi_alloc((size_t)model->n_inputs, sizeof(int32_t));
    model->output_nodes = kfi_alloc((size_t)model->n_outputs, sizeof(int32_t));
    if (!model->input_nodes || !model->output_nodes) return KF_MEMORY;
    for (int32_t i = 0; i < model->n_inputs; i++)
        model->input_nodes[i] = *place(net, model->inputs[i]->node);
    for (int32_t i = 0; i < model->n_outputs; i++)
        model->output_nodes[i] = *place(net, model->outputs[i]->node);
    return KF_OK;
}

static kf_status map(network *net) {
    kf_status status = walk_all(net);
    if (status != KF_OK) return status;
    measure_depths(net);
    sort(net);
    static kf_status (*const rest[])(network *) = {check_connected, keep_layers, keep_nodes,
                                                   number_calls, keep_ends};
    for (size_t i = 0; i < sizeof rest / sizeof *rest && status == KF_OK; i++)
        status = rest[i](net);
    return status == KF_OK ? check_names(net) : status;
}

kf_status kfi_model_map(kf_model *model) {
    network net = {.model = model};
    const kf_status status = map(&net);
    release(&net);
    return status;
}
