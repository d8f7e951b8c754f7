/* Sequential: a chain of layers that grows and shrinks at its end. As long as it does not know its
 * input, layers wait; with one, each is applied at once and the model is made anew. */
#include "core/base/memory.h"
#include "core/model/reading.h"

#include <string.h>

/* The input is called after the first layer, so it is made with that. */
static kf_status describe_input(kf_model *model, const kf_sequential_options *given) {
    static const char *const types[] = {"float32", "int32"};
    for (int i = 0; i < 2; i++)
        if (strcmp(given->dtype ? given->dtype : types[0], types[i]) == 0)
            model->start_dtype = types[i];
    if (!model->start_dtype)
        return kfi_fail(KF_INVALID, "dtype must be one of float32, int32; got '%.40s'",
                        given->dtype);
    kf_shape *shape = &model->start_shape;
    shape->dims[0] = given->batch_size ? given->batch_size : KF_ANY;
    while (shape->rank + 1 < KF_MAX_RANK && given->input_shape[shape->rank]) {
        shape->dims[shape->rank + 1] = given->input_shape[shape->rank];
        shape->rank++;
    }
    if (shape->rank > 0) shape->rank++; /* with the batch axis */
    return KF_OK;
}

kf_model *kf_sequential_create(kf_graph *graph, const kf_sequential_options *options) {
    kf_sequential_options given = {0};
    if (options && options->size)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    if (!graph) return kfi_model_poisoned(NULL, kf_graph_error(NULL));
    const kfi_model_parts parts = {.name = given.name, .sequential = true, .frozen = given.frozen};
    kf_model *model = kfi_model_empty(graph, &parts);
    if (!model) return kfi_model_poisoned(graph, kf_last_status());
    const kf_status status = describe_input(model, &given);
    return status == KF_OK ? model : kfi_model_poisoned(graph, status);
}

/* --- the input -------------------------------------------------------------------------------- */

/* Keras names a layer when it is made, kf when it is applied; here the input's name needs it. */
kf_status kfi_layer_ensure_name(kf_layer *layer, kf_graph *graph) {
    if (layer->name) return KF_OK;
    char *prefix = kfi_snake_case(layer->class->name);
    if (prefix) layer->name = kfi_graph_unique_name(graph, prefix);
    kfi_free(prefix);
    return layer->name ? KF_OK : KF_MEMORY;
}

static kf_status make_input(kf_model *model, const char *prefix, const kf_shape *shape,
                            const char *dtype) {
    kf_input_options options = {.size = sizeof options, .dtype = dtype};
    if (shape->rank < 1) return kfi_fail(KF_USAGE, "an input's shape has at least a batch axis");
    if (shape->dims[0] != KF_ANY) options.batch_size = shape->dims[0];
    for (int32_t i = 1; i < shape->rank; i++) options.shape[i - 1] = shape->dims[i];
    char *name = kfi_format("%s_input", prefix);
    if (!name) return KF_MEMORY;
    options.name = name;
    kf_tensor *input = kf_input_create(model->graph, &options);
    kfi_free(name);
    if (input->poisoned) return kf_graph_error(model->graph);
    model->start = input;
    return KF_OK;
}

/* What some layers say of their input themselves: Embedding. Rank 0: nothing. */
static kf_shape own_input_shape(const kf_layer *layer) {
    kf_shape shape = {0};
    for (const kfi_field *field = layer->class->fields; field && field->name; field++) {
        if (strcmp(field->name, "batch_input_shape") != 0) continue;
        const int64_t *dims = (const int64_t *)((const char *)layer->options + field->offset);
        while (shape.rank < KF_MAX_RANK && dims[shape.rank]) {
            shape.dims[shape.rank] = dims[shape.rank];
            shape.rank++;
        }
    }
    return shape;
}

/* The input that the first layer brings with it, if it does. */
static kf_status learn_input(kf_model *model, kf_layer *first) {
    if (model->start_shape.rank > 0) {
        const kf_status status = kfi_layer_ensure_name(first, model->graph);
        if (status != KF_OK) return status;
        return make_input(model, first->name, &model->start_shape, model->start_dtype);
    }
    if (kfi_layer_is_input(first)) {
        model->start = first->nodes[0]->out[0];
        return KF_OK;
    }
    const kf_model *inner = kfi_layer_model(first);
    const kf_shape shape = inner ? KFI_SCALAR : own_input_shape(first);
    if (inner && kf_model_layers(inner) == 0)
        return kfi_fail(KF_USAGE, "Cannot add an empty model to a `Sequential` model.");
    if ((inner && inner->unbuilt) || (!inner && shape.rank == 0)) return KF_OK;
    const kf_status status = kfi_layer_ensure_name(first, model->graph);
    if (status != KF_OK) return status;
    if (inner)
        return make_input(model, first->name, &inner->inputs[0]->shape,
                          kf_dtype_name(inner->inputs[0]->dtype));
    return make_input(model, first->name, &shape, NULL);
}

/* --- changing --------------------------------------------------------------------------------- */

static kf_status check_change(const kf_model *model) {
    if (!model) return kfi_fail(KF_USAGE, "the model is NULL");
    if (model->status != KF_OK) return kf_model_error(model);
    if (!model->sequential)
        return kfi_fail(KF_USAGE, "%s is no Sequential: layers cannot be added or removed",
                        kf_model_name(model));
    if (model->layer->n_nodes > 1)
        return kfi_fail(KF_USAGE,
                        "%s was called on a tensor already: its layers cannot change any more",
                        kf_model_name(model));
    return KF_OK;
}

/* A Sequential that failed while it was changed cannot be used again. */
static kf_status spoil(kf_model *model, kf_status status) {
    if (status == KF_OK) return KF_OK;
    model->status = status;
    model->message = kfi_strdup(kf_last_error());
    if (!model->message) model->message = kfi_strdup("a layer could not be added");
    return status;
}

static kf_tensor *end_of(const kf_model *model) {
    return model->unbuilt ? model->start : model->outputs[0];
}

static kf_status apply(kf_layer *layer, kf_tensor **end) {
    kf_graph *graph = (*end)->graph;
    kf_tensor *output = kf_apply_list(layer, end, 1);
    if (output->poisoned) return kf_graph_error(graph);
    if (output->node->n_out > 1)
        return kfi_fail(KF_INVALID,
                        "All layers in a Sequential model should have a single output tensor. For "
                        "multi-output layers, use the functional API.");
    *end = output;
    return KF_OK;
}

/* What it was compiled with before it was built stays; a compilation of other layers does not. */
static kf_status renew(kf_model *model, kf_tensor *end) {
    void *const training = model->unbuilt ? model->training : NULL;
    void (*const free_training)(void *) = model->free_training;
    if (training) model->free_training = NULL;
    model->start = model->unbuilt ? model->start : model->inputs[0];
    model->unbuilt = end == model->start;
    kf_status status = KF_OK;
    if (model->unbuilt)
        kfi_model_clear(model);
    else
        status = kfi_model_renew(model, model->start, end);
    if (!training) return status;
    model->training = training;
    model->free_training = free_training;
    return status;
}

kf_status kfi_sequential_defer(kf_model *model, kf_layer *layer) {
    kf_status status = layer->status;
    if (status != KF_OK) kfi_fail(status, "%s", layer->message ? layer->message : "out of memory");
    if (status == KF_OK)
        status = kfi_reserve((void **)&model->pending, &model->pending_capacity, model->n_pending,
                             sizeof(kf_layer *));
    if (status == KF_OK) status = kfi_layer_ensure_name(layer, model->graph);
    if (status == KF_OK)
        model->pending[model->n_pending++] = layer;
    else
        kf_layer_free(layer);
    return status;
}

kf_status kf_sequential_add(kf_model *model, kf_layer *layer) {
    if (!layer) return kfi_fail(KF_USAGE, "The added layer must be an instance of class Layer.");
    kf_status status = check_change(model);
    const bool first = status == KF_OK && model->unbuilt && model->n_pending == 0;
    if (status == KF_OK && first && !model->start && layer->status == KF_OK)
        status = learn_input(model, layer);
    if (status != KF_OK) {
        kf_layer_free(layer);
        return status;
    }
    if (model->unbuilt && !model->start) return spoil(model, kfi_sequential_defer(model, layer));
    if (kfi_layer_is_input(layer)) {
        if (first && model->start->node->layer == layer) return KF_OK;
        return kfi_fail(KF_USAGE, "an InputLayer can only come first in a Sequential");
    }
    kf_tensor *end = end_of(model);
    status = apply(layer, &end);
    return spoil(model, status == KF_OK ? renew(model, end) : status);
}

kf_status kf_sequential_pop(kf_model *model) {
    const kf_status status = check_change(model);
    if (status != KF_OK) return status;
    if (kf_model_layers(model) == 0) return kfi_fail(KF_USAGE, "There are no layers in the model.");
    if (!model->unbuilt) return spoil(model, renew(model, model->outputs[0]->node->in[0]));
    kf_layer_free(model->pending[--model->n_pending]);
    return KF_OK;
}

/* --- building --------------------------------------------------------------------------------- */

kf_status kfi_sequential_build(kf_model *model, const kf_shape *shape) {
    if (model->status != KF_OK) return kf_model_error(model);
    if (!model->unbuilt) return KF_OK;
    if (model->n_pending == 0)
        return kfi_fail(KF_USAGE, "a Sequential without layers cannot be built or called");
    kf_status status = make_input(model, model->layer->name, shape, NULL);
    kf_tensor *end = model->start;
    model->built_by_shape = true;
    int64_t next = 0; /* an applied layer is the graph's, whatever became of it */
    while (next < model->n_pending && status == KF_OK) status = apply(model->pending[next++], &end);
    for (; next < model->n_pending; next++) kf_layer_free(model->pending[next]);
    model->n_pending = 0;
    return spoil(model, status == KF_OK ? renew(model, end) : status);
}

kf_status kf_sequential_build(kf_model *model, const kf_shape *input_shape) {
    kf_status status = check_change(model);
    if (status != KF_OK) return status;
    if (!input_shape) return kfi_fail(KF_USAGE, "kf_sequential_build: the shape is NULL");
    return kfi_sequential_build(model, input_shape);
}
