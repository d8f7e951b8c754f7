/* Making and freeing layers, and what a layer says of itself. Calling one is apply.c. */
#include "core/layers/layer.h"

#include "core/base/memory.h"
#include "core/layers/wrapper.h"

#include <string.h>

/* --- failures --------------------------------------------------------------------------------- */

static const kfi_layer_class no_class = {.name = "Layer"};

/* When there is no memory even for a layer that says so. Nobody writes to it. */
static kf_layer out_of_memory = {
    .class = &no_class,
    .trainable = true,
    .status = KF_MEMORY,
    .message = (char *)"out of memory: a layer could not be made",
};

static kf_layer *allocate(const kfi_layer_class *class) {
    kf_layer *layer = kfi_alloc(1, sizeof *layer);
    if (!layer) return NULL;
    layer->class = class;
    layer->trainable = true;
    return layer;
}

/* The message is kept without the layer's name, which may not be known yet: kf_apply puts it in
 * front. kf_last_error has the class instead. */
static kf_layer *poison(kf_layer *layer, kf_status status) {
    layer->status = status;
    layer->message = kfi_strdup(kf_last_error());
    kfi_within(status, "%s: ", layer->name ? layer->name : layer->class->name);
    return layer;
}

kf_layer *kfi_layer_poisoned(kf_status status) {
    kf_layer *layer = allocate(&no_class);
    if (!layer) return &out_of_memory;
    layer->status = status;
    layer->message = kfi_strdup(kf_last_error());
    return layer;
}

/* --- making ----------------------------------------------------------------------------------- */

static kf_status check_options(const kf_layer *layer) {
    return layer->class->check ? layer->class->check(layer) : KF_OK;
}

static kf_layer *begin(const kfi_layer_class *class) {
    kf_layer *layer = allocate(class);
    if (!layer) return NULL;
    const size_t size = class->options_size ? class->options_size : sizeof(kfi_layer_options);
    layer->options = kfi_alloc(1, size);
    if (layer->options) {
        ((kfi_layer_options *)layer->options)->size = size;
        return layer;
    }
    kfi_free(layer);
    return NULL;
}

static kf_status set_name(kf_layer *layer, const char *name) {
    if (!*name) return kfi_fail(KF_INVALID, "name must not be empty");
    layer->name = kfi_strdup(name);
    return layer->name ? KF_OK : KF_MEMORY;
}

static kf_status copy_options(kf_layer *layer, const kfi_layer_options *from) {
    const size_t size = from ? from->size : 0;
    kf_status status = KF_OK;
    if (size >= sizeof *from) {
        layer->trainable = !from->frozen;
        if (from->name) status = set_name(layer, from->name);
    }
    if (status == KF_OK) status = kfi_fields_copy(layer->class->fields, from, size, layer->options);
    return status == KF_OK ? check_options(layer) : status;
}

kf_layer *kfi_layer_new(const kfi_layer_class *class, const void *options) {
    kf_layer *layer = begin(class);
    if (!layer) return &out_of_memory;
    const kf_status status = copy_options(layer, options);
    return status == KF_OK ? layer : poison(layer, status);
}

/* Arguments of every Keras layer. The second half says nothing here: inputs have their shape and
 * type from kf_input, and a model from its file. */
static const char *const common_arguments[] = {
    "name", "trainable", "dtype", "batch_size", "batch_input_shape", "input_shape",
};

static bool is_common(const kfi_layer_class *class, const char *key) {
    if (class->wraps && strcmp(class->wraps, key) == 0) return true; /* see wrapper.h */
    for (const kfi_field *field = class->fields; field && field->name; field++)
        if (strcmp(field->name, key) == 0) return false; /* InputLayer's dtype is its own */
    for (size_t i = 0; i < sizeof common_arguments / sizeof *common_arguments; i++)
        if (strcmp(common_arguments[i], key) == 0) return true;
    return false;
}

/* The class's own arguments. NULL when memory is gone. */
static kfi_variant *own_arguments(const kfi_layer_class *class, const kfi_variant *arguments) {
    kfi_variant *own = kfi_variant_dict();
    for (int64_t i = 0; own && i < kfi_variant_count(arguments); i++) {
        const char *key = kfi_variant_key_at(arguments, i);
        if (is_common(class, key)) continue;
        const kfi_variant *value = kfi_variant_value_at(arguments, i);
        if (kfi_variant_put(own, key, kfi_variant_copy(value)) == KF_OK) continue;
        kfi_variant_free(own);
        own = NULL;
    }
    return own;
}

static kf_status read_common(kf_layer *layer, const kfi_variant *arguments) {
    const kfi_variant *trainable = kfi_variant_get(arguments, "trainable");
    const kfi_variant *name = kfi_variant_get(arguments, "name");
    if (trainable && !kfi_variant_is(trainable, KFI_BOOL))
        return kfi_fail(KF_INVALID, "trainable must be True or False; got %s",
                        kfi_variant_kind_name(trainable));
    layer->trainable = kfi_variant_truth(trainable, true);
    if (kfi_variant_is(name, KFI_NULL)) return KF_OK;
    if (!kfi_variant_is(name, KFI_STRING))
        return kfi_fail(KF_INVALID, "name must be a string; got %s", kfi_variant_kind_name(name));
    return set_name(layer, kfi_variant_text(name, ""));
}

static kf_status read_arguments(kf_layer *layer, const kfi_variant *arguments,
                                void (*unknown)(void *context, const char *key), void *context) {
    if (arguments && !kfi_variant_is(arguments, KFI_DICT))
        return kfi_fail(KF_INVALID, "the configuration must be a dict; got %s",
                        kfi_variant_kind_name(arguments));
    kf_status status = read_common(layer, arguments);
    if (status != KF_OK) return status;
    kfi_variant *own = own_arguments(layer->class, arguments);
    if (!own) return KF_MEMORY;
    status = kfi_fields_parse(layer->class->fields, own, layer->options, unknown, context);
    kfi_variant_free(own);
    return status == KF_OK ? check_options(layer) : status;
}

kf_layer *kfi_layer_from_arguments(const kfi_layer_class *class, const kfi_variant *arguments,
                                   void (*unknown)(void *context, const char *key), void *context) {
    kf_layer *layer = begin(class);
    if (!layer) return &out_of_memory;
    const kf_status status = read_arguments(layer, arguments, unknown, context);
    return status == KF_OK ? layer : poison(layer, status);
}

/* --- freeing ---------------------------------------------------------------------------------- */

void kfi_layer_hold(kf_layer *holder, kf_layer *inner) {
    if (inner->graph || inner->holder || inner == &out_of_memory) return;
    inner->holder = holder;
    inner->beside = holder->adopted;
    holder->adopted = inner;
}

/* A graph has it now. */
static void let_go(kf_layer *inner) {
    if (!inner->holder) return;
    kf_layer **at = &inner->holder->adopted;
    while (*at != inner) at = &(*at)->beside;
    *at = inner->beside;
    inner->holder = inner->beside = NULL;
}

static void free_nodes(kf_layer *layer) {
    for (int64_t i = 0; i < layer->n_nodes; i++) {
        kfi_free(layer->nodes[i]->in);
        kfi_free(layer->nodes[i]->out);
        kfi_free(layer->nodes[i]);
    }
    kfi_free(layer->nodes);
}

void kfi_layer_destroy(kf_layer *layer) {
    if (!layer || layer == &out_of_memory) return;
    while (layer->adopted) {
        kf_layer *child = layer->adopted;
        layer->adopted = child->beside;
        kfi_layer_destroy(child);
    }
    if (layer->class->free) layer->class->free(layer);
    if (layer->options) kfi_fields_release(layer->class->fields, layer->options);
    kfi_free(layer->options);
    for (int64_t i = 0; i < layer->n_weights; i++) kfi_weight_free(layer->weights[i]);
    kfi_free(layer->weights);
    free_nodes(layer);
    kfi_free(layer->name);
    kfi_free(layer->scope);
    kfi_variant_free(layer->input);
    kfi_free(layer->message);
    kfi_free(layer);
}

bool kfi_layer_declares_input(const kf_layer *layer) {
    for (const kfi_field *field = layer->class->fields; field && field->name; field++)
        if (strcmp(field->name, "batch_input_shape") == 0) return true;
    return false;
}

void kf_layer_free(kf_layer *layer) {
    if (layer && !layer->graph && !layer->holder) kfi_layer_destroy(layer);
}

/* --- the layer of itself ---------------------------------------------------------------------- */

const char *kf_layer_name(const kf_layer *layer) { return layer && layer->name ? layer->name : ""; }

const char *kf_layer_class(const kf_layer *layer) { return layer ? layer->class->name : ""; }

void kf_layer_set_trainable(kf_layer *layer, bool trainable) {
    if (!layer || layer == &out_of_memory) return;
    layer->trainable = trainable;
    kf_layer *const *inner;
    const int32_t n_inner = layer->class->wraps ? kfi_layer_inner(layer, &inner) : 0;
    for (int32_t i = 0; i < n_inner; i++) kf_layer_set_trainable(inner[i], trainable);
}

bool kf_layer_trainable(const kf_layer *layer) {
    kf_layer *const *inner;
    if (!layer || !layer->trainable) return false;
    const int32_t n_inner = layer->class->wraps ? kfi_layer_inner(layer, &inner) : 0;
    return n_inner != 1 || kf_layer_trainable(inner[0]);
}

bool kfi_layer_frozen(const kf_layer *layer) {
    return !layer->trainable || layer->frozen_around > 0;
}

int32_t kfi_layer_inner(const kf_layer *layer, kf_layer *const **inner) {
    *inner = NULL;
    return layer->class->inner ? layer->class->inner(layer, inner) : 0;
}

bool kfi_layer_whole_batch(const kf_layer *layer) {
    kf_layer *const *inner;
    const int32_t n_inner = kfi_layer_inner(layer, &inner);
    bool whole = layer->class->whole_batch && layer->class->whole_batch(layer);
    for (int32_t i = 0; i < n_inner && !whole; i++) whole = kfi_layer_whole_batch(inner[i]);
    return whole;
}

/* --- joining a graph -------------------------------------------------------------------------- */

static kf_status name_layer(kf_layer *layer, kf_graph *graph, const char *prefix) {
    if (layer->name) return KF_OK;
    char *snake = prefix ? NULL : kfi_snake_case(layer->class->name);
    if (!prefix && !snake) return KF_MEMORY;
    layer->name = kfi_graph_unique_name(graph, prefix ? prefix : snake);
    kfi_free(snake);
    return layer->name ? KF_OK : KF_MEMORY;
}

/* The graph frees at once what it could not take: by its graph a layer knows that it was taken. */
static void destroy_taken(void *object) {
    kf_layer *layer = object;
    if (layer->graph) kfi_layer_destroy(layer);
}

kf_status kfi_layer_join(kf_layer *layer, kf_graph *graph, const char *prefix) {
    if (layer->graph || layer == &out_of_memory) return KF_OK;
    const bool is_nameless = layer->class == &no_class;
    kf_layer *const inside = kfi_wrapped(layer); /* it was made first, so it is named first */
    kf_status status = inside ? kfi_layer_join(inside, graph, NULL) : KF_OK;
    if (status == KF_OK && !is_nameless) status = name_layer(layer, graph, prefix);
    if (status == KF_OK) status = kfi_graph_own(graph, layer, destroy_taken);
    if (status != KF_OK) return status;
    layer->graph = graph;
    let_go(layer);
    return KF_OK;
}

static kfi_node *allocate_node(int32_t n_in, int32_t n_out) {
    kfi_node *node = kfi_alloc(1, sizeof *node);
    if (!node) return NULL;
    node->in = kfi_alloc((size_t)n_in, sizeof *node->in);
    node->out = kfi_alloc((size_t)n_out, sizeof *node->out);
    if (node->in && node->out) return node;
    kfi_free(node->in);
    kfi_free(node->out);
    kfi_free(node);
    return NULL;
}

kfi_node *kfi_layer_add_node(kf_layer *layer, int32_t n_in, int32_t n_out) {
    if (kfi_reserve((void **)&layer->nodes, &layer->nodes_capacity, layer->n_nodes,
                    sizeof *layer->nodes) != KF_OK)
        return NULL;
    kfi_node *node = allocate_node(n_in, n_out);
    if (!node) return NULL;
    node->layer = layer;
    node->index = (int32_t)layer->n_nodes;
    node->n_in = n_in;
    node->n_out = n_out;
    layer->nodes[layer->n_nodes++] = node;
    return node;
}
