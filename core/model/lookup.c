/* Asking a model what it is made of. Everything accepts NULL and poisoned models, which have
 * nothing. */
#include "core/base/memory.h"
#include "core/model/model.h"

#include <stdlib.h>
#include <string.h>

static bool has(int32_t index, int32_t count) { return index >= 0 && index < count; }

/* A model that no graph could own has no layer either; one that says why is made for the asker,
 * and belongs to the graph it is applied in. */
kf_layer *kf_model_layer(kf_model *model) {
    return model && model->layer ? model->layer : kfi_layer_poisoned(kf_model_error(model));
}

kf_graph *kf_model_graph(const kf_model *model) { return model ? model->graph : NULL; }

const char *kf_model_name(const kf_model *model) {
    return model && model->layer && model->layer->name ? model->layer->name : "";
}

int32_t kf_model_inputs(const kf_model *model) { return model ? model->n_inputs : 0; }
int32_t kf_model_outputs(const kf_model *model) { return model ? model->n_outputs : 0; }

/* The layers of a Sequential that is not built yet are those that wait for its input. */
int32_t kf_model_layers(const kf_model *model) {
    if (!model) return 0;
    return model->unbuilt ? (int32_t)model->n_pending : model->n_layers;
}

kf_tensor *kf_model_input(const kf_model *model, int32_t index) {
    return has(index, kf_model_inputs(model)) ? model->inputs[index] : NULL;
}

kf_tensor *kf_model_output(const kf_model *model, int32_t index) {
    return has(index, kf_model_outputs(model)) ? model->outputs[index] : NULL;
}

const char *kf_model_input_name(const kf_model *model, int32_t index) {
    const kf_tensor *input = kf_model_input(model, index);
    return input ? input->node->layer->name : NULL;
}

const char *kf_model_output_name(const kf_model *model, int32_t index) {
    const kf_tensor *output = kf_model_output(model, index);
    return output ? output->node->layer->name : NULL;
}

kf_layer *kf_model_layer_at(const kf_model *model, int32_t index) {
    if (!has(index, kf_model_layers(model))) return NULL;
    return model->unbuilt ? model->pending[index] : model->layers[index];
}

kf_layer *kf_model_find_layer(const kf_model *model, const char *name) {
    return kf_model_get_layer(model, name, KF_NO_INDEX);
}

/* Keras counts the index from the end if it is negative, but tells only of those too large. */
static kf_layer *layer_by_index(const kf_model *model, int32_t index) {
    const int32_t count = kf_model_layers(model);
    kf_layer *layer = kf_model_layer_at(model, index < 0 ? count + index : index);
    if (!layer)
        kfi_fail(KF_USAGE, "Was asked to retrieve layer at index %d but model only has %d layers.",
                 index, count);
    return layer;
}

kf_layer *kf_model_get_layer(const kf_model *model, const char *name, int32_t index) {
    if (index != KF_NO_INDEX) return layer_by_index(model, index);
    if (!name || !*name) {
        kfi_fail(KF_USAGE, "Provide either a layer name or layer index.");
        return NULL;
    }
    for (int32_t i = 0; i < kf_model_layers(model); i++)
        if (strcmp(kf_layer_name(kf_model_layer_at(model, i)), name) == 0)
            return kf_model_layer_at(model, i);
    kfi_fail(KF_USAGE, "No such layer: %s", name);
    return NULL;
}

int32_t kf_model_weights(const kf_model *model) {
    return model && model->status == KF_OK ? kf_layer_weights(model->layer) : 0;
}

kf_weight *kf_model_weight(const kf_model *model, int32_t index) {
    return model && model->status == KF_OK ? kf_layer_weight(model->layer, index) : NULL;
}

kf_weight *kf_model_find_weight(const kf_model *model, const char *name) {
    if (kf_model_error(model) != KF_OK) return NULL;
    return kf_layer_find_weight(model->layer, name);
}

/* --- parameters ------------------------------------------------------------------------------- */

static int compare_pointers(const void *a, const void *b) {
    const uintptr_t x = (uintptr_t) * (kf_weight *const *)a,
                    y = (uintptr_t) * (kf_weight *const *)b;
    return x < y ? -1 : x > y;
}

/* A layer may stand both in the model and in a model inside it: its weights count once. */
static int64_t count_once(kfi_weight_list *list) {
    qsort(list->items, (size_t)list->count, sizeof *list->items, compare_pointers);
    int64_t count = 0;
    for (int64_t i = 0; i < list->count; i++)
        if (i == 0 || list->items[i] != list->items[i - 1]) count += list->items[i]->count;
    return count;
}

/* -1 when memory is gone. */
static int64_t count_weights(const kf_model *model, bool trained) {
    kfi_weight_list list = {0};
    const kf_status status = kfi_layer_gather(model->layer, trained, &list);
    const int64_t count = status != KF_OK ? -1 : list.count ? count_once(&list) : 0;
    kfi_free(list.items);
    return count;
}

int64_t kf_model_parameters(const kf_model *model, int64_t *trainable) {
    const bool whole = model && model->status == KF_OK;
    const int64_t trained = whole ? count_weights(model, true) : 0;
    const int64_t others = whole ? count_weights(model, false) : 0;
    if (trainable) *trainable = trained;
    return trained < 0 || others < 0 ? -1 : trained + others;
}

void kf_free(void *text) { kfi_free(text); }
