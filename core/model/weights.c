/* A model's weights as it writes them into Keras's files: a group for every layer of the model; in
 * the group of a model inside, the weights of its layers by their own names, trained ones first. */
#include "core/base/memory.h"
#include "core/model/model.h"

#include <string.h>

/* layer.weights: trained ones, then the others. */
kf_status kfi_list_weights(const kf_layer *layer, kfi_weight_list *list) {
    const kf_status status = kfi_layer_gather(layer, true, list);
    return status == KF_OK ? kfi_layer_gather(layer, false, list) : status;
}

static bool is_taken(const kfi_keras_layer *layer, int64_t count, const char *name) {
    for (int64_t i = 0; i < count; i++)
        if (strcmp(layer->weights[i].name, name) == 0) return true;
    return false;
}

/* Models inside models may repeat layer names, but the names in one group differ. */
static char *free_name(const kfi_keras_layer *layer, int64_t count, const char *name) {
    char *candidate = kfi_strdup(name);
    for (int64_t suffix = 1; candidate && is_taken(layer, count, candidate); suffix++) {
        kfi_free(candidate);
        candidate = kfi_format("%s_%lld", name, (long long)suffix);
    }
    return candidate;
}

static kf_status describe(const kfi_weight_list *list, kfi_keras_layer *layer) {
    layer->weights = kfi_alloc((size_t)list->count, sizeof *layer->weights);
    if (!layer->weights) return KF_MEMORY;
    for (int64_t i = 0; i < list->count; i++) {
        const kf_weight *weight = list->items[i];
        char *name = free_name(layer, i, weight->name);
        if (!name) return KF_MEMORY;
        layer->weights[layer->n_weights++] = (kfi_keras_weight){
            .name = name, .dtype = KF_FLOAT32, .shape = weight->shape, .data = weight->data};
    }
    return KF_OK;
}

static kf_status describe_layers(const kf_model *model, kfi_keras_file *content) {
    const int32_t n_layers = kf_model_layers(model); /* also of one that is not built yet */
    content->layers = kfi_alloc((size_t)n_layers, sizeof *content->layers);
    if (!content->layers) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < n_layers && status == KF_OK; i++) {
        const kf_layer *own = kf_model_layer_at(model, i);
        kfi_keras_layer *layer = &content->layers[content->n_layers++];
        layer->name = own->name;
        kfi_weight_list list = {0};
        status = kfi_list_weights(own, &list);
        if (status == KF_OK) status = describe(&list, layer);
        kfi_free(list.items);
    }
    return status;
}

kf_status kfi_model_content(const kf_model *model, kfi_keras_file *content) {
    *content = (kfi_keras_file){.keras_version = "2.2.4", .backend = "tensorflow"};
    kf_status status = kfi_model_check(model);
    if (status != KF_OK) return status;
    status = describe_layers(model, content);
    if (status != KF_OK) kfi_model_content_free(content);
    return status;
}

void kfi_model_content_free(kfi_keras_file *content) {
    for (int64_t i = 0; i < content->n_layers; i++) {
        kfi_keras_layer *layer = &content->layers[i];
        for (int64_t k = 0; k < layer->n_weights; k++) kfi_free((char *)layer->weights[k].name);
        kfi_free(layer->weights);
    }
    kfi_free(content->layers);
    *content = (kfi_keras_file){0};
}

kf_status kf_save_weights(const kf_model *model, const char *path) {
    if (!path) return kfi_fail(KF_USAGE, "kf_save_weights: the path is NULL");
    kfi_keras_file content;
    kf_status status = kfi_model_content(model, &content);
    if (status != KF_OK) return status;
    status = kfi_keras_write(path, &content, NULL, NULL);
    kfi_model_content_free(&content);
    return status;
}
