/* A model from Keras's config: the whole, and what functional and sequential models have in common:
 * layers and inputs. The dialects of Keras 2.0 to 2.15 and of Keras 3's .h5 files are understood
 * where they say the same in other words; unknown keys of a layer are ignored with a warning. */
#include "core/base/memory.h"
#include "core/model/dialect.h"
#include "core/model/reading.h"
#include "core/model/unread_key.h"
#include "io/json.h"

#include <string.h>

kf_status kfi_read_member(const kfi_variant *dict, const char *key, kfi_variant_kind kind,
                          const kfi_variant **member) {
    static const char *const wanted[] = {
        [KFI_STRING] = "a string", [KFI_LIST] = "a list", [KFI_DICT] = "a dict"};
    if (!kfi_variant_is(dict, KFI_DICT))
        return kfi_fail(KF_INVALID, "expected a dict with '%s'; got %s", key,
                        kfi_variant_kind_name(dict));
    *member = kfi_variant_get(dict, key);
    if (!*member) return kfi_fail(KF_INVALID, "'%s' is missing", key);
    if (kfi_variant_is(*member, kind)) return KF_OK;
    return kfi_fail(KF_INVALID, "'%s' must be %s; got %s", key, wanted[kind],
                    kfi_variant_kind_name(*member));
}

const char *kfi_read_name(const kfi_variant *entry) {
    const char *name = kfi_variant_text(kfi_variant_get(entry, "name"), NULL);
    if (name) return name;
    return kfi_variant_text(kfi_variant_get(kfi_variant_get(entry, "config"), "name"), NULL);
}

/* The file is wrong, whatever the function that found out blames; but memory stays memory. */
static kf_status blame_file(kf_status status) {
    return status == KF_MEMORY ? KF_MEMORY : kfi_fail(KF_INVALID, "%s", kf_last_error());
}

/* --- inputs ----------------------------------------------------------------------------------- */

bool kfi_reading_has_inputs(const kfi_reading *reading) {
    return reading->n_inputs > 0 && reading->depth == 1;
}

static const kfi_variant *input_shape(const kfi_variant *config) {
    const kfi_variant *shape = kfi_variant_get(config, "batch_input_shape");
    return shape ? shape : kfi_variant_get(config, "batch_shape"); /* Keras 3 */
}

static const kfi_variant *input_type(const kfi_variant *config) {
    const kfi_variant *dtype = kfi_variant_get(config, "dtype");
    return dtype ? dtype : kfi_variant_get(config, "input_dtype"); /* Keras 1 */
}

bool kfi_has_input_shape(const kfi_variant *config) {
    return kfi_variant_is(input_shape(config), KFI_LIST);
}

static kf_status read_dim(const kfi_variant *item, bool batch, int64_t *dim) {
    if (kfi_variant_is(item, KFI_NULL)) {
        *dim = batch ? 0 : KF_ANY; /* kf_input_options: a free batch axis is 0 */
        return KF_OK;
    }
    *dim = kfi_variant_to_integer(item, 0);
    if (*dim >= 1) return KF_OK;
    return kfi_fail(KF_INVALID, "'batch_input_shape' must hold positive integers and null; got %s",
                    kfi_variant_is(item, KFI_INTEGER) ? "a number below 1"
                                                      : kfi_variant_kind_name(item));
}

static kf_status read_shape(const kfi_variant *shape, kf_input_options *options) {
    if (!kfi_variant_is(shape, KFI_LIST))
        return kfi_fail(KF_INVALID, "'batch_input_shape' must be a list; got %s",
                        kfi_variant_kind_name(shape));
    const int64_t rank = kfi_variant_count(shape);
    if (rank < 1 || rank > KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "'batch_input_shape' must have 1 to %d dimensions; got %lld",
                        KF_MAX_RANK, (long long)rank);
    for (int64_t i = 0; i < rank; i++) {
        int64_t *dim = i == 0 ? &options->batch_size : &options->shape[i - 1];
        const kf_status status = read_dim(kfi_variant_at(shape, i), i == 0, dim);
        if (status != KF_OK) return status;
    }
    return KF_OK;
}

/* Keras casts what a model is fed to the input's type; here it is one of two. tf.keras names mixed
 * policies, whose weights are of float32. */
static const char *own_type(const char *name) {
    static const char *const whole[] = {"int64", "int16", "int8", "uint8", "uint16", "uint32"};
    for (size_t i = 0; name && i < sizeof whole / sizeof *whole; i++)
        if (strcmp(name, whole[i]) == 0) return "int32";
    static const char *const real[] = {"float64", "float16", "bfloat16", "mixed_float16",
                                       "mixed_bfloat16"};
    for (size_t i = 0; name && i < sizeof real / sizeof *real; i++)
        if (strcmp(name, real[i]) == 0) return "float32";
    return name;
}

/* A name, or in tf.keras a policy: {"class_name": "Policy", "config": {"name": "float32"}}. */
static kf_status read_dtype(const kfi_variant *dtype, const char **name) {
    const kfi_variant *policy = kfi_variant_get(kfi_variant_get(dtype, "config"), "name");
    *name = own_type(kfi_variant_text(policy ? policy : dtype, NULL));
    if (*name || kfi_variant_is(dtype, KFI_NULL)) return KF_OK;
    return kfi_fail(KF_INVALID, "'dtype' must be a string; got %s", kfi_variant_kind_name(dtype));
}

kf_status kfi_read_input(kfi_reading *reading, const char *name, const kfi_variant *config,
                         kf_tensor **input) {
    kf_input_options options = {.size = sizeof options, .name = name};
    kf_status status = read_shape(input_shape(config), &options);
    if (status == KF_OK) status = read_dtype(input_type(config), &options.dtype);
    if (status != KF_OK) return status;
    if (kfi_variant_truth(kfi_variant_get(config, "sparse"), false) ||
        kfi_variant_truth(kfi_variant_get(config, "ragged"), false))
        return kfi_fail(KF_INVALID, "sparse and ragged inputs are not supported");
    *input = kf_input_create(reading->graph, &options);
    return (*input)->poisoned ? blame_file(kf_graph_error(reading->graph)) : KF_OK;
}

kf_status kfi_read_call(kfi_reading *reading, kf_layer *layer, kf_tensor *const *inputs,
                        int32_t n_inputs, const kfi_arguments *arguments, kf_tensor **output) {
    *output = kfi_layer_apply(layer, inputs, n_inputs, arguments);
    return (*output)->poisoned ? blame_file(kf_graph_error(reading->graph)) : KF_OK;
}

/* --- layers ----------------------------------------------------------------------------------- */

typedef struct unread {
    const kf_graph *graph;
    const char *layer;
    const kfi_variant *config;
} unread;

static void ignore(void *context, const char *key) {
    const unread *by = context;
    if (kfi_unread_key_matters(key, kfi_variant_get(by->config, key)))
        kfi_graph_warn(by->graph, "%s: '%.80s' is unknown and ignored", by->layer, key);
}

/* A layer that says what it receives says so again when it is saved, wherever it stands; Keras then
 * fills in the type. Embedding has it among its own options. */
static kf_status keep_input(kf_layer *layer, const kfi_variant *config) {
    if (!kfi_has_input_shape(config) || kfi_layer_declares_input(layer)) return KF_OK;
    const kfi_variant *dtype = input_type(config);
    const bool named = kfi_variant_is(dtype, KFI_STRING);
    layer->input = kfi_variant_dict();
    kf_status status = layer->input ? KF_OK : KF_MEMORY;
    if (status == KF_OK)
        status = kfi_variant_put(layer->input, "batch_input_shape",
                                 kfi_variant_copy(input_shape(config)));
    if (status == KF_OK)
        status = kfi_variant_put(layer->input, "dtype",
                                 named ? kfi_variant_copy(dtype) : kfi_variant_string("float32"));
    return status;
}

/* `inside`: what a wrapper wraps, taken over; NULL: the layer is none. */
static kf_status read_plain(const kf_graph *graph, const kfi_layer_class *class, const char *name,
                            const kfi_variant *config, kf_layer *inside, kf_layer **made) {
    unread by = {graph, name ? name : class->name, config};
    kf_layer *layer = inside ? kfi_wrapper_from_arguments(class, config, ignore, &by, inside)
                             : kfi_layer_from_arguments(class, config, ignore, &by);
    kf_status status = layer->status;
    if (status != KF_OK) /* the layer's own message has no name yet, kf_last_error has one */
        status = blame_file(kfi_fail(status, "%s", layer->message ? layer->message : ""));
    else if (!layer->name && name)
        status = (layer->name = kfi_strdup(name)) ? KF_OK : KF_MEMORY;
    if (status == KF_OK) status = keep_input(layer, config);
    if (status == KF_OK)
        *made = layer;
    else
        kf_layer_free(layer);
    return status;
}

static kf_status read_trainable(const kfi_variant *config, bool *trainable) {
    const kfi_variant *flag = kfi_variant_get(config, "trainable");
    if (flag && !kfi_variant_is(flag, KFI_BOOL))
        return kfi_fail(KF_INVALID, "'trainable' must be true or false; got %s",
                        kfi_variant_kind_name(flag));
    *trainable = kfi_variant_truth(flag, true);
    return KF_OK;
}

/* A class that is a model, or NULL. */
typedef kf_status (*model_reader)(kfi_reading *reading, const kfi_variant *config,
                                  kf_model **model);
static model_reader find_reader(const char *class_name) {
    if (strcmp(class_name, "Sequential") == 0) return kfi_read_sequential;
    if (strcmp(class_name, "Model") == 0 || strcmp(class_name, "Functional") == 0)
        return kfi_read_functional;
    return NULL;
}

static kf_status read_model(kfi_reading *reading, model_reader reader, const kfi_variant *config,
                            kf_model **model) {
    if (reading->depth >= KFI_READING_MAX_DEPTH)
        return kfi_fail(KF_INVALID, "models are nested deeper than %d levels",
                        KFI_READING_MAX_DEPTH);
    bool trainable = true;
    kf_status status = read_trainable(config, &trainable);
    if (status != KF_OK) return status;
    reading->depth++;
    status = reader(reading, config, model);
    reading->depth--;
    if (status == KF_OK) (*model)->layer->trainable = trainable;
    return status;
}

/* The layer inside a wrapper: {"layer": {"class_name", "config"}}. */
static kf_status read_inside(kfi_reading *reading, const kfi_variant *config, const char *key,
                             kf_layer **layer) {
    const kfi_variant *entry;
    kf_status status = kfi_read_member(config, key, KFI_DICT, &entry);
    if (status != KF_OK) return status;
    if (reading->depth >= KFI_READING_MAX_DEPTH)
        return kfi_fail(KF_INVALID, "layers are nested deeper than %d levels",
                        KFI_READING_MAX_DEPTH);
    reading->depth++;
    status = kfi_read_layer(reading, entry, layer);
    reading->depth--;
    return status;
}

static kf_status read_named(kfi_reading *reading, const char *class_name, const char *name,
                            const kfi_variant *config, kf_layer **layer) {
    const kfi_layer_class *class = kfi_layer_class_find(class_name);
    if (!class)
        return kfi_fail(KF_INVALID, "unknown layer class '%s' (layer %s)", class_name,
                        name ? name : "without a name");
    kf_layer *inside = NULL;
    kf_status status = KF_OK;
    if (class->wraps) status = read_inside(reading, config, class->wraps, &inside);
    if (status != KF_OK) return status;
    return read_plain(reading->graph, class, name, config, inside, layer);
}

static kf_status read_layer(kfi_reading *reading, const kfi_variant *entry, kf_layer **layer) {
    const kfi_variant *class_text, *config;
    kf_status status = kfi_read_member(entry, "class_name", KFI_STRING, &class_text);
    if (status != KF_OK) return status;
    const char *class_name = kfi_variant_text(class_text, "");
    const model_reader reader = find_reader(class_name);
    if (reader) { /* an old Sequential's config is a list */
        kf_model *model;
        status = read_model(reading, reader, kfi_variant_get(entry, "config"), &model);
        if (status == KF_OK) *layer = model->layer;
        return status;
    }
    status = kfi_read_member(entry, "config", KFI_DICT, &config);
    if (status != KF_OK) return status;
    const char *name = kfi_variant_text(kfi_variant_get(config, "name"), kfi_read_name(entry));
    if (strcmp(class_name, "InputLayer") == 0) {
        kf_tensor *input;
        status = kfi_read_input(reading, name, config, &input);
        if (status == KF_OK) *layer = input->node->layer;
        return status;
    }
    kfi_variant *translated;
    status = kfi_dialect_translate(config, &class_name, &translated);
    if (status != KF_OK) return status;
    status = read_named(reading, class_name, name, translated ? translated : config, layer);
    kfi_variant_free(translated);
    return status;
}

/* Some messages name the layer already: an unknown class, what kf_input says. */
static bool is_named(const char *message, const char *name) {
    const size_t length = strlen(name);
    return strncmp(message, "unknown layer class", 19) == 0 ||
           (strncmp(message, name, length) == 0 && message[length] == ':');
}

kf_status kfi_read_layer(kfi_reading *reading, const kfi_variant *entry, kf_layer **layer) {
    const kf_status status = read_layer(reading, entry, layer);
    const char *name = kfi_read_name(entry);
    if (status == KF_OK || !name || is_named(kf_last_error(), name)) return status;
    return kfi_within(status, "%s: ", name);
}

/* --- the whole -------------------------------------------------------------------------------- */

static kf_status read_whole(kfi_reading *reading, const kfi_variant *whole, kf_model **model) {
    const kfi_variant *class_name;
    const kf_status status = kfi_read_member(whole, "class_name", KFI_STRING, &class_name);
    if (status != KF_OK) return status;
    const model_reader reader = find_reader(kfi_variant_text(class_name, ""));
    if (!reader)
        return kfi_fail(KF_INVALID,
                        "unknown model class '%s': expected Model, Functional or Sequential",
                        kfi_variant_text(class_name, ""));
    return read_model(reading, reader, kfi_variant_get(whole, "config"), model);
}

/* What fails here tells itself from older failures by the graph's state, so that must be good. */
kf_model *kfi_model_read(kfi_reading *reading, const kfi_variant *model_config) {
    kf_status status = kf_graph_error(reading->graph);
    kf_model *model;
    if (status == KF_OK) status = read_whole(reading, model_config, &model);
    return status == KF_OK ? model : kfi_model_poisoned(reading->graph, status);
}

kf_model *kfi_model_from_config(kf_graph *graph, const kfi_variant *model_config) {
    return kfi_model_read(&(kfi_reading){.graph = graph}, model_config);
}

/* A file whose weights are too few for the model is told so in Keras's words later; what is beyond
 * this much more than it has is refused before memory is taken for it. */
enum { SPARE_ELEMENTS = 1 << 24 };

kf_model *kfi_model_from_file(kf_graph *graph, const kfi_variant *model_config,
                              const kfi_keras_file *file) {
    if (!graph) return kfi_model_from_config(graph, model_config);
    int64_t elements = SPARE_ELEMENTS;
    for (int64_t i = 0; i < file->n_layers; i++)
        for (int64_t k = 0; k < file->layers[i].n_weights; k++)
            if (__builtin_add_overflow(elements, kfi_shape_count(&file->layers[i].weights[k].shape),
                                       &elements))
                elements = INT64_MAX;
    const int64_t before = kfi_graph_limit_weights(graph, elements);
    kf_model *model = kfi_model_from_config(graph, model_config);
    kfi_graph_limit_weights(graph, before);
    return model;
}

kf_model *kf_model_from_json(kf_graph *graph, const char *json) {
    if (!graph) return kfi_model_poisoned(NULL, kf_graph_error(NULL));
    if (!json)
        return kfi_model_poisoned(graph,
                                  kfi_fail(KF_USAGE, "kf_model_from_json: the text is NULL"));
    kfi_variant *whole;
    const kf_status status = kfi_json_parse(json, strlen(json), "model configuration", &whole);
    if (status != KF_OK) return kfi_model_poisoned(graph, status);
    kf_model *model = kfi_model_from_config(graph, whole);
    kfi_variant_free(whole);
    return model;
}
