/* What stands where in a Keras file; what it means is core/model's business. */
#include "io/keras_file.h"

#include "core/base/memory.h"

#include <stdio.h>
#include <string.h>

static void free_text(const char *text) { kfi_free((void *)text); }

static void free_layer(kfi_keras_layer *layer) {
    for (int64_t i = 0; i < layer->n_weights; i++) {
        free_text(layer->weights[i].name);
        free_text(layer->weights[i].path);
    }
    kfi_free(layer->weights);
    free_text(layer->name);
}

void kfi_keras_close(kfi_keras_file *file) {
    if (!file) return;
    free_text(file->keras_version);
    free_text(file->backend);
    free_text(file->model_config);
    free_text(file->training_config);
    for (int64_t i = 0; i < file->n_layers; i++) free_layer(&file->layers[i]);
    kfi_free(file->layers);
    free_layer(&file->optimizer);
    kfi_hdf5_close(file->file);
    kfi_free(file);
}

/* Leaves *text as it is where there is no such attribute. */
static kf_status read_optional(kfi_hdf5 *file, const char *object, const char *name,
                               const char **text) {
    if (*text || !kfi_hdf5_has_attribute(file, object, name)) return KF_OK;
    char *read;
    const kf_status status = kfi_hdf5_read_string(file, object, name, &read);
    *text = read;
    return status;
}

static kf_status read_configs(kfi_keras_file *file, const char *weights) {
    kf_status status = read_optional(file->file, "/", "model_config", &file->model_config);
    if (status == KF_OK)
        status = read_optional(file->file, "/", "training_config", &file->training_config);
    const char *const places[] = {"/", weights};
    for (int i = 0; i < 2; i++) {
        if (status == KF_OK)
            status = read_optional(file->file, places[i], "keras_version", &file->keras_version);
        if (status == KF_OK)
            status = read_optional(file->file, places[i], "backend", &file->backend);
    }
    return status;
}

static kf_status read_weight(kfi_hdf5 *file, const char *group, const char *name,
                             kfi_keras_weight *weight) {
    weight->name = kfi_strdup(name);
    weight->path = kfi_format("%s/%s", group, name);
    if (!weight->name || !weight->path) return KF_MEMORY;
    return kfi_hdf5_describe(file, weight->path, &weight->dtype, &weight->shape);
}

/* The weights that `group` lists, in its order. */
static kf_status read_layer(kfi_hdf5 *file, const char *group, kfi_keras_layer *layer) {
    kfi_strings *names;
    kf_status status = kfi_hdf5_read_strings(file, group, "weight_names", &names);
    if (status != KF_OK) return status;
    layer->weights = kfi_alloc((size_t)names->count, sizeof *layer->weights);
    if (!layer->weights) status = KF_MEMORY;
    for (int64_t i = 0; i < names->count && status == KF_OK; i++) {
        layer->n_weights = i + 1;
        status = read_weight(file, group, names->items[i], &layer->weights[i]);
    }
    kfi_free(names);
    return status;
}

static kf_status read_named_layer(kfi_hdf5 *file, const char *weights, const char *name,
                                  kfi_keras_layer *layer) {
    layer->name = kfi_strdup(name);
    char *group = kfi_format("%s/%s", strcmp(weights, "/") == 0 ? "" : weights, name);
    const kf_status status = layer->name && group ? read_layer(file, group, layer) : KF_MEMORY;
    kfi_free(group);
    return status;
}

static kf_status read_layers(kfi_keras_file *file, const char *weights) {
    kfi_strings *names;
    kf_status status = kfi_hdf5_read_strings(file->file, weights, "layer_names", &names);
    if (status != KF_OK) return status;
    file->layers = kfi_alloc((size_t)names->count, sizeof *file->layers);
    if (!file->layers) status = KF_MEMORY;
    for (int64_t i = 0; i < names->count && status == KF_OK; i++) {
        file->n_layers = i + 1;
        status = read_named_layer(file->file, weights, names->items[i], &file->layers[i]);
    }
    kfi_free(names);
    return status;
}

/* Keras 0.x: counts instead of names, layer_0 … at the root and param_0 … in each. The limit is far
 * above any network and keeps a hostile count from being allocated. */
enum { MOST_COUNTED = 1 << 16 };

static kf_status read_count(kfi_hdf5 *file, const char *group, const char *name, int64_t *count) {
    const kf_status status = kfi_hdf5_read_integer(file, group, name, count);
    if (status == KF_OK && (*count < 0 || *count > MOST_COUNTED))
        return kfi_fail(KF_INVALID, "%s: '%s' has an absurd %s of %lld", kfi_hdf5_path(file), group,
                        name, (long long)*count);
    return status;
}

static kf_status read_counted_layer(kfi_hdf5 *file, int64_t index, kfi_keras_layer *layer) {
    char group[32], name[32];
    snprintf(group, sizeof group, "/layer_%lld", (long long)index);
    layer->name = kfi_strdup(group + 1);
    if (!layer->name) return KF_MEMORY;
    int64_t count;
    kf_status status = read_count(file, group, "nb_params", &count);
    if (status != KF_OK) return status;
    layer->weights = kfi_alloc((size_t)count, sizeof *layer->weights);
    if (!layer->weights) return KF_MEMORY;
    for (int64_t i = 0; i < count && status == KF_OK; i++) {
        layer->n_weights = i + 1;
        snprintf(name, sizeof name, "param_%lld", (long long)i);
        status = read_weight(file, group, name, &layer->weights[i]);
    }
    return status;
}

static kf_status read_counted_layers(kfi_keras_file *file) {
    int64_t count;
    kf_status status = read_count(file->file, "/", "nb_layers", &count);
    if (status != KF_OK) return status;
    file->layers = kfi_alloc((size_t)count, sizeof *file->layers);
    if (!file->layers) return KF_MEMORY;
    for (int64_t i = 0; i < count && status == KF_OK; i++) {
        file->n_layers = i + 1;
        status = read_counted_layer(file->file, i, &file->layers[i]);
    }
    return status;
}

static kf_status read_optimizer(kfi_keras_file *file) {
    if (!kfi_hdf5_exists(file->file, "/optimizer_weights")) return KF_OK;
    file->optimizer.name = kfi_strdup("optimizer_weights");
    if (!file->optimizer.name) return KF_MEMORY;
    return read_layer(file->file, "/optimizer_weights", &file->optimizer);
}

static bool has_layers(kfi_hdf5 *file, const char *group) {
    return kfi_hdf5_has_attribute(file, group, "layer_names") ||
           kfi_hdf5_has_attribute(file, group, "layer_names0");
}

static kf_status read_all(kfi_keras_file *file) {
    const bool model = kfi_hdf5_exists(file->file, "/model_weights");
    const char *weights = model ? "/model_weights" : "/";
    if (!model && kfi_hdf5_has_attribute(file->file, "/", "nb_layers"))
        return read_counted_layers(file);
    if (!has_layers(file->file, weights))
        return kfi_fail(KF_INVALID,
                        "%s is no Keras file: neither '/model_weights' nor '/' has an attribute "
                        "'layer_names'",
                        kfi_hdf5_path(file->file));
    kf_status status = read_configs(file, weights);
    if (status == KF_OK) status = read_layers(file, weights);
    if (status == KF_OK && model) status = read_optimizer(file);
    return status;
}

kf_status kfi_keras_open(const char *path, kfi_keras_file **file) {
    *file = NULL;
    kfi_keras_file *opened = kfi_alloc(1, sizeof *opened);
    if (!opened) return KF_MEMORY;
    kf_status status = kfi_hdf5_open(path, &opened->file);
    if (status == KF_OK) status = read_all(opened);
    if (status == KF_OK)
        *file = opened;
    else
        kfi_keras_close(opened);
    return status;
}

kf_status kfi_keras_read_weight(kfi_keras_file *file, const kfi_keras_weight *weight, kf_dtype as,
                                void *out) {
    return kfi_hdf5_read(file->file, weight->path, 0,
                         weight->shape.rank ? weight->shape.dims[0] : 1, as, out);
}

/* A group of weights as Keras writes one: the list of names, then the arrays under them. */
static kf_status write_layer(kfi_hdf5 *file, const char *group, const kfi_keras_layer *layer) {
    const char **names = kfi_alloc((size_t)layer->n_weights, sizeof *names);
    if (!names) return KF_MEMORY;
    for (int64_t i = 0; i < layer->n_weights; i++) names[i] = layer->weights[i].name;
    kf_status status = kfi_hdf5_make_group(file, group);
    if (status == KF_OK)
        status = kfi_hdf5_write_strings(file, group, "weight_names", names, layer->n_weights);
    kfi_free(names);
    for (int64_t i = 0; i < layer->n_weights && status == KF_OK; i++) {
        const kfi_keras_weight *weight = &layer->weights[i];
        char *path = kfi_format("%s/%s", group, weight->name);
        if (!path) return KF_MEMORY;
        status = kfi_hdf5_write(file, path, weight->dtype, &weight->shape, weight->data);
        kfi_free(path);
    }
    return status;
}

static kf_status write_optional(kfi_hdf5 *file, const char *object, const char *name,
                                const char *text) {
    return text ? kfi_hdf5_write_string(file, object, name, text) : KF_OK;
}

/* layer_names, backend and keras_version, then a group for every layer. */
static kf_status write_weights(kfi_hdf5 *file, const char *group, const kfi_keras_file *content) {
    const char **names = kfi_alloc((size_t)content->n_layers, sizeof *names);
    if (!names) return KF_MEMORY;
    for (int64_t i = 0; i < content->n_layers; i++) names[i] = content->layers[i].name;
    const char *object = group[0] ? group : "/";
    kf_status status = kfi_hdf5_make_group(file, object);
    if (status == KF_OK)
        status = kfi_hdf5_write_strings(file, object, "layer_names", names, content->n_layers);
    kfi_free(names);
    if (status == KF_OK) status = write_optional(file, object, "backend", content->backend);
    if (status == KF_OK)
        status = write_optional(file, object, "keras_version", content->keras_version);
    for (int64_t i = 0; i < content->n_layers && status == KF_OK; i++) {
        char *path = kfi_format("%s/%s", group, content->layers[i].name);
        if (!path) return KF_MEMORY;
        status = write_layer(file, path, &content->layers[i]);
        kfi_free(path);
    }
    return status;
}

static kf_status write_model(kfi_hdf5 *file, const kfi_keras_file *content) {
    kf_status status = write_optional(file, "/", "keras_version", content->keras_version);
    if (status == KF_OK) status = write_optional(file, "/", "backend", content->backend);
    if (status == KF_OK) status = write_optional(file, "/", "model_config", content->model_config);
    if (status == KF_OK)
        status = write_optional(file, "/", "training_config", content->training_config);
    if (status == KF_OK) status = write_weights(file, "/model_weights", content);
    if (status == KF_OK && content->optimizer.n_weights > 0)
        status = write_layer(file, "/optimizer_weights", &content->optimizer);
    return status;
}

kf_status kfi_keras_write(const char *path, const kfi_keras_file *content,
                          kf_status (*extra)(void *context, kfi_hdf5 *file), void *context) {
    kfi_hdf5 *file;
    kf_status status = kfi_hdf5_create(path, &file);
    if (status != KF_OK) return status;
    status = content->model_config ? write_model(file, content) : write_weights(file, "", content);
    if (status == KF_OK && extra) status = extra(context, file);
    if (status == KF_OK) status = kfi_hdf5_commit(file);
    kfi_hdf5_close(file);
    return status;
}
