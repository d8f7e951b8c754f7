/* Weights from Keras's files into a model, paired in order or by the layers' names. Everything that
 * can be wrong with the file's structure is found before the first number is read. */
#include "core/base/memory.h"
#include "core/model/weight_source.h"

#include <stdio.h>
#include <string.h>

enum { LISTED_BYTES = 512 }; /* bytes of a list of names in a message */

/* What is read into which weight. */
typedef struct pairing {
    kf_model *model;
    kfi_keras_file *file;
    kf_load_weights_options options;
    kfi_weight_source *sources;
    int64_t n_sources, capacity;
    char kept[LISTED_BYTES], unused[LISTED_BYTES]; /* names for the report on loading by name */
} pairing;

/* --- one layer -------------------------------------------------------------------------------- */

static kf_status refuse_count(const pairing *all, const kf_layer *layer, int64_t index,
                              const kfi_keras_layer *saved, int64_t count) {
    if (all->options.by_name)
        return kfi_fail(KF_INVALID,
                        "Layer #%lld (named \"%s\") expects %lld weight(s), but the saved weights "
                        "have %lld element(s).",
                        (long long)index, layer->name, (long long)count,
                        (long long)saved->n_weights);
    return kfi_fail(KF_INVALID,
                    "Layer #%lld (named \"%s\" in the current model) was found to correspond to "
                    "layer %s in the save file. However the new layer %s expects %lld weights, but "
                    "the saved weights have %lld elements.",
                    (long long)index, layer->name, saved->name, layer->name, (long long)count,
                    (long long)saved->n_weights);
}

static bool fits(const pairing *all, const kfi_weight_source *source) {
    if (kfi_shape_equal(&source->weight->shape, &source->shape)) return true;
    const bool plain = source->n_parts == 1 && !source->arrange;
    return all->options.reshape && plain &&
           kfi_shape_count(&source->shape) == source->weight->count;
}

static kf_status refuse_shape(const kf_layer *layer, int64_t index,
                              const kfi_weight_source *source) {
    return kfi_fail(KF_INVALID,
                    "Layer #%lld (named \"%s\"), weight %s has shape %s, but the saved weight %s "
                    "has shape %s.",
                    (long long)index, layer->name, source->weight->name,
                    kfi_shape_string(&source->weight->shape), source->parts[0]->name,
                    kfi_shape_string(&source->shape));
}

/* Keras's warnings, with the weight's name in the second. */
static kf_status skip_count(const pairing *all, const kf_layer *layer, const kfi_keras_layer *saved,
                            int64_t count) {
    kfi_graph_warn(all->model->graph,
                   "Skipping loading of weights for layer %s due to mismatch in number of weights "
                   "(%lld vs %lld).",
                   layer->name, (long long)count, (long long)saved->n_weights);
    return KF_OK;
}

static kf_status skip_shape(const pairing *all, const kf_layer *layer,
                            const kfi_weight_source *source) {
    kfi_graph_warn(all->model->graph,
                   "Skipping loading of weights for layer %s due to mismatch in shape (%s: %s vs "
                   "%s).",
                   layer->name, source->weight->name, kfi_shape_string(&source->weight->shape),
                   kfi_shape_string(&source->shape));
    return KF_OK;
}

static kf_status reserve(pairing *all, int64_t more) {
    kf_status status = KF_OK;
    void *grown = all->sources;
    while (status == KF_OK && all->n_sources + more > all->capacity) {
        status = kfi_reserve(&grown, &all->capacity, all->capacity, sizeof *all->sources);
        all->sources = grown;
    }
    return status;
}

/* `index` is the layer's number for messages: among those of the file that have weights. */
static kf_status pair_weights(pairing *all, const kf_layer *layer, int64_t index,
                              const kfi_keras_layer *saved, const kfi_weight_list *list) {
    kf_status status = reserve(all, list->count);
    if (status != KF_OK) return status;
    kfi_weight_source *sources = all->sources + all->n_sources;
    int64_t n_sources;
    status = kfi_weight_sources(all->file, saved, list->items, list->count, sources, &n_sources);
    const bool skip = all->options.by_name && all->options.skip_mismatch;
    if (status == KF_OK && n_sources != list->count)
        status = skip ? skip_count(all, layer, saved, list->count)
                      : refuse_count(all, layer, index, saved, list->count);
    for (int64_t i = 0; i < n_sources && status == KF_OK; i++) {
        if (fits(all, &sources[i]))
            all->sources[all->n_sources++] = sources[i];
        else
            status = skip ? skip_shape(all, layer, &sources[i])
                          : refuse_shape(layer, index, &sources[i]);
    }
    return status;
}

static kf_status pair_layer(pairing *all, const kf_layer *layer, int64_t index,
                            const kfi_keras_layer *saved) {
    kfi_weight_list list = {0};
    kf_status status = kfi_list_weights(layer, &list);
    if (status == KF_OK) status = pair_weights(all, layer, index, saved, &list);
    kfi_free(list.items);
    return status;
}

/* --- pairing ---------------------------------------------------------------------------------- */

static const kfi_keras_layer *next_with_weights(const kfi_keras_file *file, int64_t *next) {
    while (*next < file->n_layers)
        if (file->layers[(*next)++].n_weights > 0) return &file->layers[*next - 1];
    return NULL;
}

static kf_status has_weights(const kf_layer *layer, bool *has) {
    kfi_weight_list list = {0};
    const kf_status status = kfi_list_weights(layer, &list);
    *has = list.count > 0;
    kfi_free(list.items);
    return status;
}

static kf_status check_counts(const pairing *all) {
    int64_t n_saved = 0, n_layers = 0, next = 0;
    while (next_with_weights(all->file, &next)) n_saved++;
    for (int32_t i = 0; i < all->model->n_layers; i++) {
        bool counts;
        const kf_status status = has_weights(all->model->layers[i], &counts);
        if (status != KF_OK) return status;
        n_layers += counts;
    }
    if (n_saved == n_layers) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "You are trying to load a weight file containing %lld layers into a model with "
                    "%lld layers.",
                    (long long)n_saved, (long long)n_layers);
}

static kf_status pair_in_order(pairing *all) {
    kf_status status = check_counts(all);
    int64_t next = 0, index = 0;
    for (int32_t i = 0; i < all->model->n_layers && status == KF_OK; i++) {
        const kf_layer *layer = all->model->layers[i];
        bool counts;
        status = has_weights(layer, &counts);
        if (status == KF_OK && counts)
            status = pair_layer(all, layer, index++, next_with_weights(all->file, &next));
    }
    return status;
}

static void list_name(char list[LISTED_BYTES], const char *name) {
    const size_t used = strlen(list);
    const int added = snprintf(list + used, LISTED_BYTES - used, "%s%s", used ? ", " : "", name);
    if (used + (size_t)added >= LISTED_BYTES) /* the last names do not fit */
        memcpy(list + LISTED_BYTES - sizeof " …", " …", sizeof " …");
}

static bool is_in_file(const kfi_keras_file *file, const char *name) {
    for (int64_t next = 0;;) {
        const kfi_keras_layer *saved = next_with_weights(file, &next);
        if (!saved) return false;
        if (strcmp(saved->name, name) == 0) return true;
    }
}

/* Keras says nothing of these, so that a name typed wrong is a layer silently left as it was. */
static kf_status report_unpaired(pairing *all) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < all->model->n_layers && status == KF_OK; i++) {
        const kf_layer *layer = all->model->layers[i];
        bool counts;
        status = has_weights(layer, &counts);
        if (status == KF_OK && counts && !is_in_file(all->file, layer->name))
            list_name(all->kept, layer->name);
    }
    if (all->kept[0])
        kfi_graph_warn(all->model->graph, "the file has no weights for, which keep theirs: %s",
                       all->kept);
    if (all->unused[0])
        kfi_graph_warn(all->model->graph, "the model has no layers for the file's weights of: %s",
                       all->unused);
    return status;
}

static kf_status pair_by_name(pairing *all) {
    kf_status status = KF_OK;
    int64_t next = 0, index = 0;
    for (const kfi_keras_layer *saved; status == KF_OK;) {
        saved = next_with_weights(all->file, &next);
        if (!saved) break;
        bool found = false;
        for (int32_t i = 0; i < all->model->n_layers && status == KF_OK; i++) {
            if (strcmp(all->model->layers[i]->name, saved->name) != 0) continue;
            status = pair_layer(all, all->model->layers[i], index, saved);
            found = true;
        }
        if (!found) list_name(all->unused, saved->name);
        index++;
    }
    return status == KF_OK ? report_unpaired(all) : status;
}

/* --- reading ---------------------------------------------------------------------------------- */

static kf_status read_directly(pairing *all) {
    kf_status status = KF_OK;
    for (int64_t i = 0; i < all->n_sources && status == KF_OK; i++)
        status = kfi_weight_source_read(all->file, &all->sources[i], all->sources[i].weight->data);
    return status;
}

static void free_staged(const pairing *all, float **staged) {
    for (int64_t i = 0; i < all->n_sources && staged; i++)
        if (staged[i])
            kfi_free_buffer(staged[i], (size_t)all->sources[i].weight->count * sizeof(float));
    kfi_free(staged);
}

/* Beside the model at first, so that a file that breaks off in the middle changes nothing. */
static kf_status read_staged(pairing *all) {
    float **staged = kfi_alloc((size_t)all->n_sources, sizeof *staged);
    kf_status status = staged ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < all->n_sources && status == KF_OK; i++) {
        staged[i] = kfi_alloc_buffer((size_t)all->sources[i].weight->count * sizeof(float));
        status =
            staged[i] ? kfi_weight_source_read(all->file, &all->sources[i], staged[i]) : KF_MEMORY;
    }
    for (int64_t i = 0; i < all->n_sources && status == KF_OK; i++)
        memcpy(all->sources[i].weight->data, staged[i],
               (size_t)all->sources[i].weight->count * sizeof(float));
    free_staged(all, staged);
    return status;
}

kf_status kfi_model_read_weights(kf_model *model, kfi_keras_file *file) {
    pairing all = {.model = model, .file = file};
    kf_status status = kfi_model_check(model);
    if (status == KF_OK) status = pair_in_order(&all);
    if (status == KF_OK) status = read_directly(&all);
    kfi_free(all.sources);
    return status;
}

static kf_status load(pairing *all) {
    const kf_status status = all->options.by_name ? pair_by_name(all) : pair_in_order(all);
    return status == KF_OK ? read_staged(all) : status;
}

kf_status kf_load_weights_with(kf_model *model, const char *path,
                               const kf_load_weights_options *options) {
    pairing all = {.model = model};
    if (options && options->size)
        memcpy(&all.options, options,
               options->size < sizeof all.options ? options->size : sizeof all.options);
    kf_status status = kf_model_error(model);
    if (status != KF_OK) return status;
    if (!path) return kfi_fail(KF_USAGE, "kf_load_weights: the path is NULL");
    status = kfi_keras_open(path, &all.file);
    if (status != KF_OK) return status;
    status = kfi_within(load(&all), "%s: ", path);
    kfi_free(all.sources);
    kfi_keras_close(all.file);
    return status;
}

kf_status kf_load_weights(kf_model *model, const char *path) {
    return kf_load_weights_with(model, path, NULL);
}
