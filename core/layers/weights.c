/* A layer's weights: made at its first call, gathered for training, saving and counting. */
#include "core/base/memory.h"
#include "core/layers/initializers/initializer.h"
#include "core/layers/layer.h"
#include "core/layers/penalties.h"

#include <string.h>

/* Weights have streams of their own, apart from those of dropout and shuffling. */
static kfi_random weight_stream(kf_graph *graph) {
    enum { WEIGHTS = 0x77656967 }; /* any number that other uses of the seed do not take */
    const kfi_random all = kfi_random_fold(kfi_graph_random(graph), WEIGHTS);
    return kfi_random_fold(all, kfi_graph_next_weight(graph));
}

static kf_status make_weight(kf_layer *layer, const char *name, const kf_shape *shape,
                             const kfi_weight_options *options, kf_weight **weight) {
    char *full_name = kfi_format("%s/%s:0", layer->scope ? layer->scope : layer->name, name);
    if (!full_name) return KF_MEMORY;
    kf_status status = kfi_graph_allow_weight(layer->graph, shape);
    if (status == KF_OK) status = kfi_weight_new(full_name, shape, weight);
    kfi_free(full_name);
    if (status != KF_OK) return status;
    (*weight)->layer = layer;
    (*weight)->trainable = !options->frozen;
    (*weight)->regularizer = options->regularizer;
    (*weight)->constraint = options->constraint;
    const kfi_random stream = weight_stream(layer->graph);
    if (options->initializer)
        status = kfi_initialize(options->initializer, stream, shape, (*weight)->data);
    if (status == KF_OK && options->constraint)
        status = kfi_constraint_check(options->constraint, shape);
    return kfi_within(status, "%s: ", name);
}

kf_status kfi_layer_add_weight(kf_layer *layer, const char *name, const kf_shape *shape,
                               const kfi_weight_options *options) {
    static const kfi_weight_options plain;
    kf_status status = kfi_reserve((void **)&layer->weights, &layer->weights_capacity,
                                   layer->n_weights, sizeof *layer->weights);
    if (status != KF_OK) return status;
    kf_weight *weight = NULL;
    status = make_weight(layer, name, shape, options ? options : &plain, &weight);
    if (status == KF_OK)
        layer->weights[layer->n_weights++] = weight;
    else
        kfi_weight_free(weight);
    return status;
}

kfi_value kfi_layer_weight_value(const kfi_layer_call *call, int32_t index) {
    return kfi_weight_value(call->formula, call->layer->weights[index]);
}

/* --- gathering -------------------------------------------------------------------------------- */

static kf_status append(kfi_weight_list *list, kf_weight *weight) {
    const kf_status status =
        kfi_reserve((void **)&list->items, &list->capacity, list->count, sizeof *list->items);
    if (status == KF_OK) list->items[list->count++] = weight;
    return status;
}

static kf_status append_own(const kf_layer *layer, bool trained, kfi_weight_list *list) {
    kf_status status = KF_OK;
    for (int64_t i = 0; status == KF_OK && i < layer->n_weights; i++)
        if (layer->weights[i]->trainable == trained) status = append(list, layer->weights[i]);
    return status;
}

/* Those of one kind, as if this layer (not those inside it) were not frozen. */
static kf_status gather_thawed(const kf_layer *layer, bool trained, kfi_weight_list *list) {
    kf_layer *const *inner;
    const int32_t n_inner = kfi_layer_inner(layer, &inner);
    kf_status status = append_own(layer, trained, list);
    for (int32_t i = 0; status == KF_OK && i < n_inner; i++)
        status = kfi_layer_gather(inner[i], trained, list);
    return status;
}

/* A frozen layer has no trained weights; those it would have come first among the others. */
kf_status kfi_layer_gather(const kf_layer *layer, bool trained, kfi_weight_list *list) {
    if (layer->trainable) return gather_thawed(layer, trained, list);
    if (trained) return KF_OK;
    const kf_status status = gather_thawed(layer, true, list);
    return status == KF_OK ? gather_thawed(layer, false, list) : status;
}

static kf_status gather_all(const kf_layer *layer, kfi_weight_list *list) {
    const kf_status status = kfi_layer_gather(layer, true, list);
    return status == KF_OK ? kfi_layer_gather(layer, false, list) : status;
}

int32_t kf_layer_weights(const kf_layer *layer) {
    kfi_weight_list list = {0};
    const kf_status status = layer ? gather_all(layer, &list) : KF_OK;
    kfi_free(list.items);
    return status == KF_OK ? (int32_t)list.count : 0;
}

kf_weight *kf_layer_weight(const kf_layer *layer, int32_t index) {
    kfi_weight_list list = {0};
    kf_weight *weight = NULL;
    kf_status status = layer ? gather_all(layer, &list) : KF_OK;
    if (status == KF_OK && (index < 0 || index >= list.count))
        status = kfi_fail(KF_USAGE, "asked for weight %d of %s, which has %lld", index,
                          layer ? kf_layer_name(layer) : "no layer", (long long)list.count);
    if (status == KF_OK) weight = list.items[index];
    kfi_free(list.items);
    return weight;
}

/* The end of "dense_1/kernel:0" that the layer itself gave: "kernel". */
static bool is_own_name(const kf_weight *weight, const char *name) {
    const char *slash = strrchr(weight->name, '/'), *own = slash ? slash + 1 : weight->name;
    const size_t length = strlen(name);
    return strncmp(own, name, length) == 0 && (!own[length] || own[length] == ':');
}

kf_weight *kf_layer_find_weight(const kf_layer *layer, const char *name) {
    kfi_weight_list list = {0};
    kf_weight *whole = NULL, *own = NULL;
    kf_status status = layer && name ? gather_all(layer, &list)
                                     : kfi_fail(KF_USAGE, "the layer or the weight's name is NULL");
    for (int64_t i = 0; status == KF_OK && i < list.count; i++) {
        if (!whole && strcmp(list.items[i]->name, name) == 0) whole = list.items[i];
        if (!own && is_own_name(list.items[i], name)) own = list.items[i];
    }
    if (status == KF_OK && !whole && !own)
        kfi_fail(KF_USAGE, "%s has no weight '%s'", kf_layer_name(layer), name);
    kfi_free(list.items);
    return whole ? whole : own;
}

int64_t kf_layer_parameters(const kf_layer *layer) {
    kfi_weight_list list = {0};
    if (layer && layer->class->build && !layer->built) {
        const char *name = layer->name ? layer->name : layer->class->name;
        kfi_fail(KF_USAGE,
                 "You tried to call `count_params` on %s, but the layer isn't built. You can build "
                 "it by applying it to a tensor.",
                 name);
        return -1;
    }
    const kf_status status = layer ? gather_all(layer, &list) : KF_OK;
    int64_t count = 0;
    for (int64_t i = 0; i < list.count; i++) count += list.items[i]->count;
    kfi_free(list.items);
    return status == KF_OK ? count : -1;
}

static kf_status check_values(const kf_layer *layer, const kfi_weight_list *list,
                              const kf_array *values, int32_t n_values) {
    if (n_values != list->count)
        return kfi_fail(KF_USAGE,
                        "You called `set_weights(weights)` on layer \"%s\" with a  weight list of "
                        "length %d, but the layer was expecting %lld weights.",
                        kf_layer_name(layer), n_values, (long long)list->count);
    for (int32_t i = 0; i < n_values; i++) {
        const kf_weight *weight = list->items[i];
        if (values[i].dtype != KF_FLOAT32 || !values[i].data)
            return kfi_fail(KF_USAGE, "%s: its values must be float32", weight->name);
        if (!kfi_shape_equal(&values[i].shape, &weight->shape))
            return kfi_fail(KF_USAGE,
                            "Layer weight shape %s not compatible with provided weight shape %s",
                            kfi_shape_string(&weight->shape), kfi_shape_string(&values[i].shape));
    }
    return KF_OK;
}

kf_status kf_layer_set_weights(kf_layer *layer, const kf_array *values, int32_t n_values) {
    if (!layer || (!values && n_values > 0))
        return kfi_fail(KF_USAGE, "kf_layer_set_weights: the layer or the values are NULL");
    kfi_weight_list list = {0};
    kf_status status = gather_all(layer, &list);
    if (status == KF_OK) status = check_values(layer, &list, values, n_values);
    for (int32_t i = 0; status == KF_OK && i < n_values; i++)
        status = kf_weight_set(list.items[i], values[i].data, list.items[i]->count);
    kfi_free(list.items);
    return status;
}
