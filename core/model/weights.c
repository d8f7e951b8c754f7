/* A model's weights as Keras's files have them: a group for every layer of the model; in the group
 * of a model inside, the weights of its layers by their own names, trained ones first. */
#include "core/base/memory.h"
#include "core/model/model.h"

#include <string.h>

/* layer.weights: trained ones, then the others. */
static kf_status list_weights(const kf_layer *layer, kfi_weight_list *list) {
    const kf_status status = kfi_layer_gather(layer, true, list);
    return status == KF_OK ? kfi_layer_gather(layer, false, list) : status;
}

/* --- writing ---------------------------------------------------------------------------------- */

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
    content->layers = kfi_alloc((size_t)model->n_layers, sizeof *content->layers);
    if (!content->layers) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < model->n_layers && status == KF_OK; i++) {
        kfi_keras_layer *layer = &content->layers[content->n_layers++];
        layer->name = model->layers[i]->name;
        kfi_weight_list list = {0};
        status = list_weights(model->layers[i], &list);
        if (status == KF_OK) status = describe(&list, layer);
        kfi_free(list.items);
    }
    return status;
}

kf_status kfi_model_content(const kf_model *model, kfi_keras_file *content) {
    *content = (kfi_keras_file){.keras_version = "2.2.4", .backend = "tensorflow"};
    kf_status status = kf_model_error(model);
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

/* --- reading ---------------------------------------------------------------------------------- */

/* A layer of the model and the group of the file it is read from. */
typedef struct layer_pair {
    const kf_layer *layer;
    const kfi_keras_layer *saved;
    kfi_weight_list weights;
} layer_pair;

typedef struct layer_pairs {
    layer_pair *pairs;
    int64_t n_pairs;
} layer_pairs;

static void release(layer_pairs *pairing) {
    for (int64_t i = 0; i < pairing->n_pairs; i++) kfi_free(pairing->pairs[i].weights.items);
    kfi_free(pairing->pairs);
}

static kf_status list_layers(const kf_model *model, layer_pairs *pairing) {
    pairing->pairs = kfi_alloc((size_t)model->n_layers, sizeof *pairing->pairs);
    if (!pairing->pairs) return KF_MEMORY;
    for (int32_t i = 0; i < model->n_layers; i++) {
        layer_pair *next = &pairing->pairs[pairing->n_pairs];
        *next = (layer_pair){.layer = model->layers[i]};
        const kf_status status = list_weights(next->layer, &next->weights);
        if (status != KF_OK || next->weights.count > 0)
            pairing->n_pairs++;
        else
            kfi_free(next->weights.items);
        if (status != KF_OK) return status;
    }
    return KF_OK;
}

static kf_status match_layers(const kfi_keras_file *file, layer_pairs *pairing) {
    int64_t n_saved = 0;
    for (int64_t i = 0; i < file->n_layers; i++) {
        if (file->layers[i].n_weights == 0) continue;
        if (n_saved < pairing->n_pairs) pairing->pairs[n_saved].saved = &file->layers[i];
        n_saved++;
    }
    if (n_saved == pairing->n_pairs) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "You are trying to load a weight file containing %lld layers into a model with "
                    "%lld layers.",
                    (long long)n_saved, (long long)pairing->n_pairs);
}

static kf_status check_pair(const layer_pair *pair, int64_t index) {
    const kf_layer *layer = pair->layer;
    const kfi_keras_layer *saved = pair->saved;
    if (pair->weights.count != saved->n_weights)
        return kfi_fail(KF_INVALID,
                        "Layer #%lld (named \"%s\" in the current model) was found to correspond "
                        "to layer %s in the save file. However the new layer %s expects %lld "
                        "weights, but the saved weights have %lld elements.",
                        (long long)index, layer->name, saved->name, layer->name,
                        (long long)pair->weights.count, (long long)saved->n_weights);
    for (int64_t i = 0; i < saved->n_weights; i++) {
        const kf_weight *weight = pair->weights.items[i];
        const kfi_keras_weight *stored = &saved->weights[i];
        if (!kfi_shape_equal(&weight->shape, &stored->shape))
            return kfi_fail(KF_INVALID,
                            "Layer #%lld (named \"%s\"), weight %s has shape %s, but the saved "
                            "weight %s has shape %s.",
                            (long long)index, layer->name, weight->name,
                            kfi_shape_string(&weight->shape), stored->name,
                            kfi_shape_string(&stored->shape));
    }
    return KF_OK;
}

/* Theano's convolutions flip their kernels, so files it wrote have every spatial axis reversed:
 * together that is the order of all positions, each (in, out) matrix staying as it is. */
static bool is_flipped(const kfi_keras_file *file, const kf_weight *weight) {
    static const char *const classes[] = {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose",
                                          "ConvLSTM2D"};
    if (!file->backend || strcmp(file->backend, "theano") != 0 || weight->shape.rank < 3)
        return false;
    for (size_t i = 0; weight->layer && i < sizeof classes / sizeof *classes; i++)
        if (strcmp(weight->layer->class->name, classes[i]) == 0) return true;
    return false;
}

static void flip(kf_weight *weight) {
    const int rank = weight->shape.rank;
    const int64_t matrix = kfi_shape_product(&weight->shape, rank - 2, rank);
    const int64_t positions = kfi_shape_product(&weight->shape, 0, rank - 2);
    for (int64_t i = 0; i < positions / 2; i++) {
        float *a = weight->data + i * matrix, *b = weight->data + (positions - 1 - i) * matrix;
        for (int64_t k = 0; k < matrix; k++) {
            const float kept = a[k];
            a[k] = b[k];
            b[k] = kept;
        }
    }
}

static kf_status read_pair(kfi_keras_file *file, const layer_pair *pair) {
    for (int64_t i = 0; i < pair->weights.count; i++) {
        kf_weight *weight = pair->weights.items[i];
        const kf_status status =
            kfi_keras_read_weight(file, &pair->saved->weights[i], KF_FLOAT32, weight->data);
        if (status != KF_OK) return status;
        if (is_flipped(file, weight)) flip(weight);
    }
    return KF_OK;
}

/* Everything that the file's structure can get wrong is found before the first weight changes. */
kf_status kfi_model_read_weights(kf_model *model, kfi_keras_file *file) {
    kf_status status = kf_model_error(model);
    if (status != KF_OK) return status;
    layer_pairs pairing = {0};
    status = list_layers(model, &pairing);
    if (status == KF_OK) status = match_layers(file, &pairing);
    for (int64_t i = 0; i < pairing.n_pairs && status == KF_OK; i++)
        status = check_pair(&pairing.pairs[i], i);
    for (int64_t i = 0; i < pairing.n_pairs && status == KF_OK; i++)
        status = read_pair(file, &pairing.pairs[i]);
    release(&pairing);
    return status;
}

kf_status kf_load_weights(kf_model *model, const char *path) {
    kf_status status = kf_model_error(model);
    if (status != KF_OK) return status;
    if (!path) return kfi_fail(KF_USAGE, "kf_load_weights: the path is NULL");
    kfi_keras_file *file;
    status = kfi_keras_open(path, &file);
    if (status != KF_OK) return status;
    status = kfi_within(kfi_model_read_weights(model, file), "%s: ", path);
    kfi_keras_close(file);
    return status;
}
