/* The graph: owner of everything made in it, keeper of its first error and of its names. */
#include "core/graph/graph.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_SEED = 20190131, MESSAGE_BYTES = 1024 };

typedef struct owned {
    void *object;
    void (*free)(void *object);
} owned;

typedef struct name_count {
    char *prefix;
    int64_t used;
} name_count;

struct kf_graph {
    uint64_t seed;
    uint64_t n_weights;
    int64_t n_calls;
    int64_t weights_left; /* elements that may still be made; -1: no limit */
    owned *owned;         /* freed last made first, since later objects lean on earlier ones */
    int64_t n_owned, owned_capacity;
    name_count *names;
    int64_t n_names, names_capacity;
    kf_tensor poison;
    kf_status status; /* the first error */
    char message[MESSAGE_BYTES];
    kf_warning_handler warn; /* the user's; NULL: none */
    void *warn_context;
};

kf_graph *kf_graph_create(const kf_graph_options *options) {
    kf_graph *graph = kfi_alloc(1, sizeof *graph);
    if (!graph) return NULL;
    graph->seed = options && options->seed ? options->seed : FIRST_SEED;
    graph->weights_left = -1;
    graph->poison.graph = graph;
    graph->poison.poisoned = true;
    return graph;
}

void kf_graph_free(kf_graph *graph) {
    if (!graph) return;
    while (graph->n_owned > 0) {
        const owned last = graph->owned[--graph->n_owned];
        last.free(last.object);
    }
    for (int64_t i = 0; i < graph->n_names; i++) kfi_free(graph->names[i].prefix);
    kfi_free(graph->names);
    kfi_free(graph->owned);
    kfi_free(graph);
}

kf_status kf_graph_error(const kf_graph *graph) {
    if (!graph) return kfi_fail(KF_USAGE, "the graph is NULL");
    return graph->status == KF_OK ? KF_OK : kfi_fail(graph->status, "%s", graph->message);
}

void kf_graph_on_warning(kf_graph *graph, kf_warning_handler handler, void *context) {
    if (!graph) return;
    graph->warn = handler;
    graph->warn_context = context;
}

void kfi_graph_warn(const kf_graph *graph, const char *format, ...) {
    if (!graph->warn) return;
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    graph->warn(graph->warn_context, message);
}

kf_tensor *kfi_graph_poison(kf_graph *graph, kf_status status) {
    if (graph->status == KF_OK) {
        graph->status = status;
        strncpy(graph->message, kf_last_error(), MESSAGE_BYTES - 1);
    }
    return &graph->poison;
}

kf_status kfi_graph_own(kf_graph *graph, void *object, void (*free)(void *object)) {
    const kf_status status = kfi_reserve((void **)&graph->owned, &graph->owned_capacity,
                                         graph->n_owned, sizeof *graph->owned);
    if (status != KF_OK) {
        free(object);
        return status;
    }
    graph->owned[graph->n_owned++] = (owned){object, free};
    return KF_OK;
}

void *kfi_graph_owned(const kf_graph *graph, void (*free)(void *object), int64_t index) {
    for (int64_t i = 0; i < graph->n_owned; i++)
        if (graph->owned[i].free == free && index-- == 0) return graph->owned[i].object;
    return NULL;
}

kfi_random kfi_graph_random(const kf_graph *graph) { return (kfi_random){graph->seed, 0}; }

uint64_t kfi_graph_next_weight(kf_graph *graph) { return graph->n_weights++; }

int64_t kfi_graph_next_call(kf_graph *graph) { return graph->n_calls++; }

int64_t kfi_graph_limit_weights(kf_graph *graph, int64_t elements) {
    const int64_t before = graph->weights_left;
    graph->weights_left = elements;
    return before;
}

kf_status kfi_graph_allow_weight(kf_graph *graph, const kf_shape *shape) {
    const int64_t count = kfi_shape_count(shape);
    if (graph->weights_left < 0 || count < 0) return KF_OK; /* a bad shape is told of elsewhere */
    if (count > graph->weights_left)
        return kfi_fail(KF_INVALID,
                        "a weight of shape %s is larger than all that the file holds for it",
                        kfi_shape_string(shape));
    graph->weights_left -= count;
    return KF_OK;
}

/* --- names ------------------------------------------------------------------------------------ */

static name_count *find_name(kf_graph *graph, const char *prefix) {
    for (int64_t i = 0; i < graph->n_names; i++)
        if (strcmp(graph->names[i].prefix, prefix) == 0) return &graph->names[i];
    if (kfi_reserve((void **)&graph->names, &graph->names_capacity, graph->n_names,
                    sizeof *graph->names) != KF_OK)
        return NULL;
    char *copy = kfi_strdup(prefix);
    if (!copy) return NULL;
    graph->names[graph->n_names] = (name_count){copy, 0};
    return &graph->names[graph->n_names++];
}

char *kfi_graph_unique_name(kf_graph *graph, const char *prefix) {
    name_count *name = find_name(graph, prefix);
    return name ? kfi_format("%s_%lld", prefix, (long long)++name->used) : NULL;
}

/* Keras's _to_snake_case: an underscore before a capital that a lower-case letter or digit follows
 * (MaxPooling2D, GRUCell), and between a lower-case letter and a capital (ReLU); a leading
 * underscore gets "private" before it. */
char *kfi_snake_case(const char *class_name) {
    char *text = kfi_alloc(2 * strlen(class_name) + sizeof "private", 1);
    if (!text) return NULL;
    char *at = text;
    if (class_name[0] == '_') at = stpcpy(at, "private");
    for (size_t i = 0; class_name[i]; i++) {
        const unsigned char c = (unsigned char)class_name[i];
        const unsigned char next = (unsigned char)class_name[i + 1];
        const bool after_lower = i > 0 && islower((unsigned char)class_name[i - 1]);
        if (i > 0 && isupper(c) && (islower(next) || isdigit(next) || after_lower)) *at++ = '_';
        *at++ = (char)tolower(c);
    }
    return text;
}

/* --- tensors ---------------------------------------------------------------------------------- */

kf_tensor *kfi_tensor_new(kf_graph *graph, kfi_node *node, int32_t index, kf_dtype dtype,
                          const kf_shape *shape) {
    kf_tensor *tensor = kfi_alloc(1, sizeof *tensor);
    if (!tensor) return NULL;
    *tensor =
        (kf_tensor){.graph = graph, .dtype = dtype, .shape = *shape, .node = node, .index = index};
    return kfi_graph_own(graph, tensor, kfi_free) == KF_OK ? tensor : NULL;
}

kf_tensor *kf_tensor_sibling(kf_tensor *tensor, int32_t index) {
    if (!tensor || tensor->poisoned) return tensor;
    if (index >= 0 && index < tensor->node->n_out) return tensor->node->out[index];
    return kfi_graph_poison(tensor->graph,
                            kfi_fail(KF_USAGE, "asked for output %d of a call with %d outputs",
                                     index, tensor->node->n_out));
}

kf_shape kf_tensor_shape(const kf_tensor *tensor) { return tensor->shape; }
kf_dtype kf_tensor_dtype(const kf_tensor *tensor) { return tensor->dtype; }
