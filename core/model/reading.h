/* Reading a model's config: what the files that read functional models, sequential models and
 * single layers need of each other. Everything read is hostile until checked; messages name the
 * layer and the key. */
#ifndef KFI_MODEL_READING_H
#define KFI_MODEL_READING_H

#include "core/model/model.h"

enum { KFI_READING_MAX_DEPTH = 32 }; /* of models inside models: each is a C frame or two */

typedef struct kfi_reading {
    kf_graph *graph;
    int32_t depth; /* of models inside models */
    /* What the outermost model stands upon instead of inputs of its own; 0: it makes them. */
    kf_tensor *const *inputs;
    int64_t n_inputs;
} kfi_reading;

/* dict[key], which must be of this kind. */
kf_status kfi_read_member(const kfi_variant *dict, const char *key, kfi_variant_kind kind,
                          const kfi_variant **member);

/* A layer from its entry: {"class_name", "config"} and, in functional models, "name". The layer is
 * not applied yet, unless it is an InputLayer; a model's layer is the graph's already. */
kf_status kfi_read_layer(kfi_reading *reading, const kfi_variant *entry, kf_layer **layer);

/* The name of an entry or, if it has none, of its config; NULL: neither. */
const char *kfi_read_name(const kfi_variant *entry);

/* The input that an InputLayer's config, or the config of a Sequential's first layer, describes. */
kf_status kfi_read_input(kfi_reading *reading, const char *name, const kfi_variant *config,
                         kf_tensor **input);
bool kfi_has_input_shape(const kfi_variant *config);

/* Applies a layer, which must work. */
kf_status kfi_read_call(kfi_reading *reading, kf_layer *layer, kf_tensor *const *inputs,
                        int32_t n_inputs, const kfi_arguments *arguments, kf_tensor **output);

/* Gives a layer its name before it is applied, as Keras does: others are called after it. */
kf_status kfi_layer_ensure_name(kf_layer *layer, kf_graph *graph);

/* Whether the model that is being read is the outermost one and has its inputs given. */
bool kfi_reading_has_inputs(const kfi_reading *reading);

/* The whole, from Keras's model_config. */
kf_model *kfi_model_read(kfi_reading *reading, const kfi_variant *model_config);

/* Models, from their config alone. */
kf_status kfi_read_functional(kfi_reading *reading, const kfi_variant *config, kf_model **model);
kf_status kfi_read_sequential(kfi_reading *reading, const kfi_variant *config, kf_model **model);

#endif
