/* A model as Keras 2.2.4 writes it: get_config of the model and of its layers, key for key in
 * Keras's order. Calls are renumbered: only those of this model count, and the calls of a model
 * inside it start from 1. Reading is from_config.c. */
#include "core/base/memory.h"
#include "core/model/model.h"
#include "io/json.h"

#include <string.h>

/* Putting NULL (memory is gone) or putting into NULL fails, so the makers nest without checks; a
 * container that misses something is given up, and so is all that should have held it. */
static void put(kfi_variant **dict, const char *key, kfi_variant *item) {
    if (kfi_variant_put(*dict, key, item) == KF_OK) return;
    kfi_variant_free(*dict);
    *dict = NULL;
}

static void append(kfi_variant **list, kfi_variant *item) {
    if (kfi_variant_append(*list, item) == KF_OK) return;
    kfi_variant_free(*list);
    *list = NULL;
}

/* --- layers ----------------------------------------------------------------------------------- */

static kfi_variant *shape_config(const kf_shape *shape) {
    kfi_variant *list = kfi_variant_list();
    for (int32_t i = 0; i < shape->rank; i++)
        append(&list,
               shape->dims[i] == KF_ANY ? kfi_variant_null() : kfi_variant_integer(shape->dims[i]));
    return list;
}

static kfi_variant *input_config(const kf_layer *layer) {
    const kf_tensor *input = layer->nodes[0]->out[0];
    kfi_variant *config = kfi_variant_dict();
    put(&config, "batch_input_shape", shape_config(&input->shape));
    put(&config, "dtype", kfi_variant_string(kf_dtype_name(input->dtype)));
    put(&config, "sparse", kfi_variant_bool(false));
    put(&config, "name", kfi_variant_string(layer->name));
    return config;
}

static void put_copies(kfi_variant **config, const kfi_variant *from) {
    for (int64_t i = 0; i < kfi_variant_count(from); i++)
        put(config, kfi_variant_key_at(from, i), kfi_variant_copy(kfi_variant_value_at(from, i)));
}

static void put_fields(kfi_variant **config, const kf_layer *layer) {
    if (!layer->class->fields) return;
    kfi_variant *fields = kfi_fields_config(layer->class->fields, layer->options);
    if (!fields) put(config, "", NULL);
    put_copies(config, fields);
    kfi_variant_free(fields);
}

/* Declared ahead, against the house rule: the configs of models and wrappers hold those of the
 * layers inside them. */
static kfi_variant *config_of(const kf_layer *layer, const kf_tensor *input);

static kfi_variant *wrapped_config(const kf_layer *layer) {
    kfi_variant *entry = kfi_variant_dict();
    put(&entry, "class_name", kfi_variant_string(layer->class->name));
    put(&entry, "config", config_of(layer, NULL));
    return entry;
}

/* `input`: what the layer of a Sequential is the first to receive; NULL: it is not the first. */
static kfi_variant *plain_config(const kf_layer *layer, const kf_tensor *input) {
    kfi_variant *config = kfi_variant_dict();
    put(&config, "name", kfi_variant_string(layer->name));
    put(&config, "trainable", kfi_variant_bool(kf_layer_trainable(layer)));
    if (layer->input) {
        put_copies(&config, layer->input);
    } else if (input) {
        put(&config, "batch_input_shape", shape_config(&input->shape));
        put(&config, "dtype", kfi_variant_string(kf_dtype_name(input->dtype)));
    }
    if (kfi_wrapped(layer)) put(&config, layer->class->wraps, wrapped_config(kfi_wrapped(layer)));
    put_fields(&config, layer);
    /* what the model was given counts more than what an Embedding says of itself */
    if (input) put(&config, "batch_input_shape", shape_config(&input->shape));
    return config;
}

/* --- functional models ------------------------------------------------------------------------ */

static kfi_variant *reference(const kf_model *model, int32_t node, int32_t index) {
    const kfi_model_node *at = &model->nodes[node];
    kfi_variant *list = kfi_variant_list();
    append(&list, kfi_variant_string(at->node->layer->name));
    append(&list, kfi_variant_integer(at->call));
    append(&list, kfi_variant_integer(index));
    return list;
}

/* A mask is written as tf.keras does: Keras 2.2.4 cannot, and would leave it out with a warning. */
static kfi_variant *arguments_config(const kf_model *model, const kfi_model_node *at) {
    const kfi_arguments *arguments = &at->node->arguments;
    const int32_t last = at->node->n_in - 1;
    kfi_variant *keywords = kfi_variant_dict();
    if (arguments->training != KF_TRAINING_AS_RUN)
        put(&keywords, "training", kfi_variant_bool(arguments->training == KF_TRAINING_ON));
    if (arguments->no_mask) put(&keywords, "mask", kfi_variant_null());
    if (arguments->has_mask)
        put(&keywords, "mask", reference(model, at->in[last], at->node->in[last]->index));
    return keywords;
}

/* Keras repeats the keyword arguments of a call with each of its inputs. */
static kfi_variant *call_config(const kf_model *model, const kfi_model_node *at) {
    kfi_variant *call = kfi_variant_list();
    for (int32_t i = 0; i < at->node->n_in - at->node->arguments.has_mask; i++) {
        kfi_variant *input = reference(model, at->in[i], at->node->in[i]->index);
        append(&input, arguments_config(model, at));
        append(&call, input);
    }
    return call;
}

/* `next` walks along model->calls, which go layer by layer. */
static kfi_variant *calls_config(const kf_model *model, int32_t layer, int32_t *next) {
    kfi_variant *calls = kfi_variant_list();
    for (; *next < model->n_nodes && model->nodes[model->calls[*next]].layer == layer; ++*next)
        if (model->nodes[model->calls[*next]].node->n_in > 0)
            append(&calls, call_config(model, &model->nodes[model->calls[*next]]));
    return calls;
}

static kfi_variant *ends_config(const kf_model *model, kf_tensor *const *ends, const int32_t *nodes,
                                int32_t count) {
    kfi_variant *list = kfi_variant_list();
    for (int32_t i = 0; i < count; i++) append(&list, reference(model, nodes[i], ends[i]->index));
    return list;
}

static kfi_variant *functional_config(const kf_model *model) {
    kfi_variant *layers = kfi_variant_list();
    int32_t next = 0;
    for (int32_t i = 0; i < model->n_layers; i++) {
        const kf_layer *layer = model->layers[i];
        kfi_variant *entry = kfi_variant_dict();
        put(&entry, "name", kfi_variant_string(layer->name));
        put(&entry, "class_name", kfi_variant_string(layer->class->name));
        put(&entry, "config", config_of(layer, NULL));
        put(&entry, "inbound_nodes", calls_config(model, i, &next));
        append(&layers, entry);
    }
    kfi_variant *config = kfi_variant_dict();
    put(&config, "name", kfi_variant_string(kf_model_name(model)));
    put(&config, "layers", layers);
    put(&config, "input_layers",
        ends_config(model, model->inputs, model->input_nodes, model->n_inputs));
    put(&config, "output_layers",
        ends_config(model, model->outputs, model->output_nodes, model->n_outputs));
    return config;
}

/* --- sequential models ------------------------------------------------------------------------ */

/* Keras calls a Sequential's input after its first layer and leaves it out of the file. */
static bool input_is_implied(const kf_model *model) {
    const char *input = kf_model_input_name(model, 0);
    const char *first = model->built_by_shape ? kf_model_name(model) : model->layers[0]->name;
    const size_t length = strlen(first);
    return strncmp(input, first, length) == 0 && strcmp(input + length, "_input") == 0;
}

static void append_sequential(kfi_variant **layers, const kf_layer *layer, kfi_variant *config) {
    kfi_variant *entry = kfi_variant_dict();
    put(&entry, "class_name", kfi_variant_string(layer->class->name));
    put(&entry, "config", config);
    append(layers, entry);
}

/* Without an input: what the layers are, and no more. */
static kfi_variant *waiting_config(const kf_model *model) {
    kfi_variant *layers = kfi_variant_list();
    for (int32_t i = 0; i < kf_model_layers(model); i++) {
        const kf_layer *layer = kf_model_layer_at(model, i);
        append_sequential(&layers, layer, config_of(layer, NULL));
    }
    kfi_variant *config = kfi_variant_dict();
    put(&config, "name", kfi_variant_string(kf_model_name(model)));
    put(&config, "layers", layers);
    return config;
}

static kfi_variant *sequential_config(const kf_model *model) {
    if (model->unbuilt) return waiting_config(model);
    const kf_tensor *input = model->inputs[0];
    kfi_variant *layers = kfi_variant_list();
    const bool implied = model->n_layers > 0 && input_is_implied(model);
    const bool first = !model->built_by_shape; /* its config has the input's shape */
    if (!implied) append_sequential(&layers, input->node->layer, input_config(input->node->layer));
    for (int32_t i = 0; i < model->n_layers; i++)
        append_sequential(&layers, model->layers[i],
                          config_of(model->layers[i], implied && first && i == 0 ? input : NULL));
    kfi_variant *config = kfi_variant_dict();
    put(&config, "name", kfi_variant_string(kf_model_name(model)));
    put(&config, "layers", layers);
    if (model->built_by_shape) put(&config, "build_input_shape", shape_config(&input->shape));
    return config;
}

static kfi_variant *config_of(const kf_layer *layer, const kf_tensor *input) {
    const kf_model *model = kfi_layer_model(layer);
    if (model) return model->sequential ? sequential_config(model) : functional_config(model);
    return kfi_layer_is_input(layer) ? input_config(layer) : plain_config(layer, input);
}

/* --- the whole -------------------------------------------------------------------------------- */

kfi_variant *kfi_model_config(const kf_model *model) {
    const bool waits = model && model->unbuilt && model->status == KF_OK;
    if (!waits && kf_model_error(model) != KF_OK) return NULL;
    kfi_variant *whole = kfi_variant_dict();
    put(&whole, "class_name", kfi_variant_string(model->layer->class->name));
    put(&whole, "config", config_of(model->layer, NULL));
    return whole;
}

kf_status kf_model_to_json(const kf_model *model, char **text) {
    if (!text) return kfi_fail(KF_USAGE, "kf_model_to_json: nowhere to put the text");
    *text = NULL;
    kfi_variant *whole = kfi_model_config(model);
    if (!whole) return kf_last_status();
    put(&whole, "keras_version", kfi_variant_string("2.2.4"));
    put(&whole, "backend", kfi_variant_string("tensorflow"));
    if (!whole) return KF_MEMORY;
    const kf_status printed = kfi_json_print(whole, text);
    kfi_variant_free(whole);
    return printed;
}
