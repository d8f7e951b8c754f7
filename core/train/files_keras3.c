#include "core/train/files_keras3.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/base/variant.h"
#include "core/graph/graph.h"

#include <ctype.h>
#include <string.h>

/* Putting NULL (memory is gone) or putting into NULL fails, so the makers nest without checks. */
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

static void put_copy(kfi_variant **dict, const char *key, const kfi_variant *item) {
    put(dict, key, kfi_variant_copy(item));
}

static bool is_one_of(const char *word, const char *const *words) {
    for (; *words; words++)
        if (strcmp(word, *words) == 0) return true;
    return false;
}

/* --- layers ----------------------------------------------------------------------------------- */

static bool is_class(const kfi_variant *entry, const char *name) {
    return strcmp(kfi_variant_text(kfi_variant_get(entry, "class_name"), ""), name) == 0;
}

static bool is_model(const kfi_variant *entry) {
    return is_class(entry, "Model") || is_class(entry, "Functional") ||
           is_class(entry, "Sequential");
}

static void warn_of_missing(const kfi_variant *entry, const kf_graph *graph) {
    static const char *const missing[] = {"LocallyConnected1D",
                                          "LocallyConnected2D",
                                          "ThresholdedReLU",
                                          "MaxoutDense",
                                          "Highway",
                                          NULL};
    const char *class = kfi_variant_text(kfi_variant_get(entry, "class_name"), "");
    if (is_one_of(class, missing))
        kfi_graph_warn(graph, "Keras 3 has no layer %s: it will not load this model", class);
}

/* Arguments that Keras 3 does not take: what it makes of them it makes anyway. */
static bool is_gone(const kfi_variant *entry, const char *key) {
    static const char *const of_spatial_dropout[] = {"noise_shape", "trainable", NULL};
    const char *class = kfi_variant_text(kfi_variant_get(entry, "class_name"), "");
    if (is_class(entry, "InputLayer")) return false;
    if (strcmp(key, "batch_input_shape") == 0) return true;
    /* the type of the input, which goes with its shape */
    if (strcmp(key, "dtype") == 0)
        return kfi_variant_get(kfi_variant_get(entry, "config"), "batch_input_shape") != NULL;
    return strncmp(class, "SpatialDropout", 14) == 0 && is_one_of(key, of_spatial_dropout);
}

/* Declared ahead, against the house rule: models and wrappers hold layers. */
static kfi_variant *entry_of(const kfi_variant *entry, const kf_graph *graph);

/* A layer inside of a layer is found by its module. */
static kfi_variant *inner_entry(const kfi_variant *entry, const kf_graph *graph) {
    kfi_variant *made = entry_of(entry, graph);
    put(&made, "module", kfi_variant_string(is_model(entry) ? "keras" : "keras.layers"));
    put(&made, "registered_name", kfi_variant_null());
    return made;
}

static kfi_variant *inner_entries(const kfi_variant *entries, const kf_graph *graph) {
    kfi_variant *list = kfi_variant_list();
    for (int64_t i = 0; i < kfi_variant_count(entries); i++)
        append(&list, inner_entry(kfi_variant_at(entries, i), graph));
    return list;
}

/* Keras 3 calls VarianceScaling's "normal" what it is. */
static kfi_variant *option_of(const kfi_variant *value) {
    const kfi_variant *config = kfi_variant_get(value, "config");
    const char *distribution = kfi_variant_text(kfi_variant_get(config, "distribution"), "");
    kfi_variant *made = kfi_variant_copy(value);
    if (strcmp(distribution, "normal") != 0) return made;
    kfi_variant *changed = kfi_variant_copy(config);
    put(&changed, "distribution", kfi_variant_string("truncated_normal"));
    put(&made, "config", changed);
    return made;
}

static kfi_variant *layer_config(const kfi_variant *entry, const kf_graph *graph) {
    const kfi_variant *given = kfi_variant_get(entry, "config");
    kfi_variant *config = kfi_variant_dict();
    for (int64_t i = 0; i < kfi_variant_count(given); i++) {
        const char *key = kfi_variant_key_at(given, i);
        const kfi_variant *value = kfi_variant_value_at(given, i);
        const bool is_entry = kfi_variant_get(value, "class_name") != NULL;
        if (is_gone(entry, key)) continue;
        if (strcmp(key, "batch_input_shape") == 0)
            put_copy(&config, "batch_shape", value);
        else if (is_entry && (strcmp(key, "layer") == 0 || strcmp(key, "cell") == 0))
            put(&config, key, inner_entry(value, graph));
        else if (strcmp(key, "cells") == 0)
            put(&config, key, inner_entries(value, graph));
        else
            put(&config, key, option_of(value));
    }
    return config;
}

/* --- models ----------------------------------------------------------------------------------- */

/* The shape and type of what an entry of ours is given, if it says so: the InputLayer's of a model,
 * those of the first layer elsewhere. */
static const kfi_variant *input_of(const kfi_variant *entry) {
    const kfi_variant *config = kfi_variant_get(entry, "config");
    if (kfi_variant_get(config, "batch_input_shape")) return config;
    const kfi_variant *layers = kfi_variant_get(config, "layers");
    for (int64_t i = 0; is_model(entry) && i < kfi_variant_count(layers); i++) {
        const kfi_variant *inner = kfi_variant_at(layers, i);
        if (is_class(inner, "InputLayer")) return kfi_variant_get(inner, "config");
        if (is_class(entry, "Sequential")) return input_of(inner);
    }
    return NULL;
}

/* What 2.2.4 leaves out of a Sequential. Keras 3 takes the batch axis of a first layer's
 * batch_input_shape for one more axis of the samples. */
static void append_input(kfi_variant **layers, const kfi_variant *first) {
    const kfi_variant *input = input_of(first);
    if (!input || is_class(first, "InputLayer")) return;
    const char *name =
        kfi_variant_text(kfi_variant_get(kfi_variant_get(first, "config"), "name"), "");
    char *input_name = kfi_format("%s_input", name);
    kfi_variant *config = kfi_variant_dict(), *entry = kfi_variant_dict();
    put_copy(&config, "batch_shape", kfi_variant_get(input, "batch_input_shape"));
    put_copy(&config, "dtype", kfi_variant_get(input, "dtype"));
    put(&config, "sparse", kfi_variant_bool(false));
    put(&config, "name", input_name ? kfi_variant_string(input_name) : NULL);
    put(&entry, "class_name", kfi_variant_string("InputLayer"));
    put(&entry, "config", config);
    append(layers, entry);
    kfi_free(input_name);
}

static kfi_variant *model_config(const kfi_variant *entry, const kf_graph *graph) {
    const kfi_variant *given = kfi_variant_get(entry, "config");
    const kfi_variant *layers = kfi_variant_get(given, "layers");
    kfi_variant *config = kfi_variant_dict(), *list = kfi_variant_list();
    if (is_class(entry, "Sequential") && !kfi_variant_get(given, "build_input_shape"))
        append_input(&list, kfi_variant_at(layers, 0));
    for (int64_t i = 0; i < kfi_variant_count(layers); i++)
        append(&list, entry_of(kfi_variant_at(layers, i), graph));
    for (int64_t i = 0; i < kfi_variant_count(given); i++) {
        const char *key = kfi_variant_key_at(given, i);
        if (strcmp(key, "layers") != 0) {
            put_copy(&config, key, kfi_variant_value_at(given, i));
        } else {
            put(&config, key, list);
            list = NULL;
        }
    }
    kfi_variant_free(list);
    return config;
}

/* {"class_name", "config"} and, in models, "name" and "inbound_nodes", which are as they were. */
static kfi_variant *entry_of(const kfi_variant *entry, const kf_graph *graph) {
    kfi_variant *made = kfi_variant_dict();
    warn_of_missing(entry, graph);
    for (int64_t i = 0; i < kfi_variant_count(entry); i++) {
        const char *key = kfi_variant_key_at(entry, i);
        if (strcmp(key, "config") != 0)
            put_copy(&made, key, kfi_variant_value_at(entry, i));
        else
            put(&made, key,
                is_model(entry) ? model_config(entry, graph) : layer_config(entry, graph));
    }
    return made;
}

kfi_variant *kfi_keras3_model(const kfi_variant *config, const kf_graph *graph) {
    return entry_of(config, graph);
}

/* --- losses and metrics ----------------------------------------------------------------------- */

static const char *const names[][2] = {
    {"logcosh", "log_cosh"},
    {"kullback_leibler_divergence", "kl_divergence"},
    {"cosine_proximity", "cosine_similarity"},
    {"cosine", "cosine_similarity"},
};

static kfi_variant *renamed(const kfi_variant *name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(kfi_variant_text(name, ""), names[i][0]) == 0)
            return kfi_variant_string(names[i][1]);
    return kfi_variant_copy(name);
}

kfi_variant *kfi_keras3_losses(const kfi_variant *losses) {
    const bool list = kfi_variant_is(losses, KFI_LIST);
    if (!list && (!kfi_variant_is(losses, KFI_DICT) || kfi_variant_get(losses, "class_name")))
        return renamed(losses);
    kfi_variant *made = list ? kfi_variant_list() : kfi_variant_dict();
    for (int64_t i = 0; i < kfi_variant_count(losses); i++)
        if (list)
            append(&made, renamed(kfi_variant_at(losses, i)));
        else
            put(&made, kfi_variant_key_at(losses, i), renamed(kfi_variant_value_at(losses, i)));
    return made;
}

/* As a metric, Keras 3's cosine_similarity has the other sign, so there is none to name. */
static kfi_variant *metrics_of_output(const kfi_variant *metrics, const kf_graph *graph) {
    static const char *const without[] = {"cosine_proximity", "cosine", NULL};
    if (!kfi_variant_is(metrics, KFI_LIST)) return kfi_variant_copy(metrics);
    kfi_variant *made = kfi_variant_list();
    for (int64_t i = 0; i < kfi_variant_count(metrics); i++) {
        const kfi_variant *metric = kfi_variant_at(metrics, i);
        if (is_one_of(kfi_variant_text(metric, ""), without))
            kfi_graph_warn(graph, "Keras 3 has no metric %s: it is left out",
                           kfi_variant_text(metric, ""));
        else
            append(&made, renamed(metric));
    }
    return made;
}

static bool holds_lists(const kfi_variant *metrics) {
    for (int64_t i = 0; i < kfi_variant_count(metrics); i++)
        if (kfi_variant_is(kfi_variant_at(metrics, i), KFI_LIST)) return true;
    return false;
}

kfi_variant *kfi_keras3_metrics(const kfi_variant *metrics, const kf_model *model) {
    const kf_graph *graph = model->graph;
    const bool by_output = kfi_variant_is(metrics, KFI_LIST) && holds_lists(metrics);
    if (kfi_variant_is(metrics, KFI_LIST) && model->n_outputs == 1 && !by_output)
        return metrics_of_output(metrics, graph);
    if (kfi_variant_is(metrics, KFI_DICT)) {
        kfi_variant *made = kfi_variant_dict();
        for (int64_t i = 0; i < kfi_variant_count(metrics); i++)
            put(&made, kfi_variant_key_at(metrics, i),
                metrics_of_output(kfi_variant_value_at(metrics, i), graph));
        return made;
    }
    if (!kfi_variant_is(metrics, KFI_LIST) || kfi_variant_count(metrics) == 0)
        return kfi_variant_copy(metrics);
    kfi_variant *made = kfi_variant_dict();
    for (int32_t i = 0; i < model->n_outputs; i++)
        put(&made, kf_model_output_name(model, i),
            metrics_of_output(by_output ? kfi_variant_at(metrics, i) : metrics, graph));
    return made;
}

/* --- the optimizer ---------------------------------------------------------------------------- */

/* Keras 3's clipnorm is for each weight by itself; and of norm and value it takes one. */
static void put_option(kfi_variant **config, const char *key, const kfi_variant *value,
                       bool has_clipnorm, const kf_graph *graph) {
    if (strcmp(key, "lr") == 0) {
        put_copy(config, "learning_rate", value);
    } else if (strcmp(key, "clipnorm") == 0) {
        put_copy(config, "global_clipnorm", value);
    } else if (strcmp(key, "clipvalue") == 0 && has_clipnorm) {
        kfi_graph_warn(graph, "Keras 3 clips by norm or by value: clipvalue is left out");
    } else if (strcmp(key, "decay") == 0) {
        if (kfi_variant_to_real(value, 0) > 0)
            kfi_graph_warn(graph, "Keras 3 has no decay of the learning rate: it is left out");
    } else if (strcmp(key, "schedule_decay") != 0) {
        put_copy(config, key, value);
    }
}

kfi_variant *kfi_keras3_optimizer(const kfi_variant *optimizer, const kf_graph *graph) {
    const kfi_variant *given = kfi_variant_get(optimizer, "config");
    const char *class = kfi_variant_text(kfi_variant_get(optimizer, "class_name"), "");
    const bool has_clipnorm = kfi_variant_get(given, "clipnorm") != NULL;
    kfi_variant *config = kfi_variant_dict(), *made = kfi_variant_dict();
    for (int64_t i = 0; i < kfi_variant_count(given); i++)
        put_option(&config, kfi_variant_key_at(given, i), kfi_variant_value_at(given, i),
                   has_clipnorm, graph);
    if (strcmp(class, "Adagrad") == 0) /* there it begins at 0.1 */
        put(&config, "initial_accumulator_value", kfi_variant_real(0));
    put(&made, "class_name", kfi_variant_string(class));
    put(&made, "config", config);
    return made;
}

/* "adam/3_dense_1_kernel_momentum": weight 3 of the list is dense_1/kernel:0. */
static char *array_name(const kfi_compiled *compiled, int32_t weight, const char *slot) {
    const kf_optimizer *optimizer = compiled->optimizer;
    const char *of = compiled->weights[weight]->name;
    char *name = kfi_format("%s/%d_%.*s_%s", optimizer->class->name, weight, (int)strcspn(of, ":"),
                            of, slot);
    const size_t prefix = strlen(optimizer->class->name);
    for (size_t i = 0; name && i < prefix; i++) name[i] = (char)tolower((unsigned char)name[i]);
    for (char *at = name ? name + prefix + 1 : NULL; at && *at; at++)
        if (*at == '/') *at = '_';
    return name;
}

static kf_status add(kfi_keras_layer *layer, char *name, kf_dtype dtype, kf_shape shape,
                     const void *data) {
    if (!name) return KF_MEMORY;
    layer->weights[layer->n_weights++] =
        (kfi_keras_weight){.name = name, .dtype = dtype, .shape = shape, .data = data};
    return KF_OK;
}

static kf_status add_array(const kfi_compiled *compiled, int32_t slot, int32_t weight,
                           kfi_keras_layer *layer) {
    const kf_optimizer *optimizer = compiled->optimizer;
    const kf_weight *array = optimizer->slots[slot * optimizer->n_weights + weight];
    return add(layer, array_name(compiled, weight, optimizer->class->keras3_slots[slot]),
               KF_FLOAT32, array->shape, array->data);
}

/* Nadam's, and amsgrad's maxima, are slot after slot there, too. */
static kf_status add_arrays(const kfi_compiled *compiled, kfi_keras_layer *layer) {
    const kf_optimizer *optimizer = compiled->optimizer;
    const kfi_optimizer_class *class = optimizer->class;
    const int32_t n_together = class->keras3_slot_by_slot ? 0 : class->n_slots;
    const int32_t n_filled = kfi_optimizer_full_slots(optimizer);
    kf_status status = KF_OK;
    for (int32_t weight = 0; weight < optimizer->n_weights; weight++)
        for (int32_t slot = 0; slot < n_together && status == KF_OK; slot++)
            status = add_array(compiled, slot, weight, layer);
    for (int32_t slot = n_together; slot < n_filled; slot++)
        for (int32_t weight = 0; weight < optimizer->n_weights && status == KF_OK; weight++)
            status = add_array(compiled, slot, weight, layer);
    return status;
}

static char *number_name(const kf_optimizer *optimizer, const char *what) {
    char *name = kfi_format("%s/%s", optimizer->class->name, what);
    for (char *at = name; at && *at != '/'; at++) *at = (char)tolower((unsigned char)*at);
    return name;
}

kf_status kfi_keras3_list_make(const kfi_compiled *compiled, kfi_keras3_list *list) {
    const kf_optimizer *optimizer = compiled->optimizer;
    *list = (kfi_keras3_list){.learning_rate = 0};
    if (!optimizer->started) return KF_OK;
    const size_t most = (size_t)(optimizer->n_slots * optimizer->n_weights) + 2;
    kfi_keras_layer *layer = &list->layer;
    layer->name = optimizer->class->name;
    layer->weights = kfi_alloc(most, sizeof *layer->weights);
    if (!layer->weights) return KF_MEMORY;
    list->learning_rate = (float)((const kfi_optimizer_options *)optimizer->options)->lr;
    kf_status status = add(layer, number_name(optimizer, "iteration"), KF_INT64,
                           (kf_shape){.rank = 0}, &optimizer->iterations);
    if (status == KF_OK)
        status = add(layer, number_name(optimizer, "learning_rate"), KF_FLOAT32,
                     (kf_shape){.rank = 0}, &list->learning_rate);
    return status == KF_OK ? add_arrays(compiled, layer) : status;
}

void kfi_keras3_list_free(kfi_keras3_list *list) {
    for (int64_t i = 0; i < list->layer.n_weights; i++)
        kfi_free((char *)list->layer.weights[i].name);
    kfi_free(list->layer.weights);
    *list = (kfi_keras3_list){.learning_rate = 0};
}
