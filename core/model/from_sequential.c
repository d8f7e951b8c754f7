/* A Sequential from its config: a chain of layers, each applied to the one before. The first says
 * what it receives, or is an InputLayer or a model, which knows. */
#include "core/base/memory.h"
#include "core/model/reading.h"

#include <string.h>

static bool is_input_entry(const kfi_variant *entry) {
    return strcmp(kfi_variant_text(kfi_variant_get(entry, "class_name"), ""), "InputLayer") == 0;
}

/* Keras names a layer when it is made, kf when it is applied; here the input's name needs it. */
static kf_status ensure_name(kfi_reading *reading, kf_layer *layer) {
    if (layer->name) return KF_OK;
    char *prefix = kfi_snake_case(layer->class->name);
    if (prefix) layer->name = kfi_graph_unique_name(reading->graph, prefix);
    kfi_free(prefix);
    return layer->name ? KF_OK : KF_MEMORY;
}

/* {"batch_input_shape": build_input_shape}, for a Sequential that was built from outside. */
static kf_status read_build_shape(kfi_reading *reading, const char *name, const kfi_variant *config,
                                  kf_tensor **input) {
    const kfi_variant *shape = kfi_variant_get(config, "build_input_shape");
    if (!kfi_variant_is(shape, KFI_LIST))
        return kfi_fail(KF_INVALID, "the first layer has no 'batch_input_shape'");
    kfi_variant *like_a_layer = kfi_variant_dict();
    kf_status status = kfi_variant_put(like_a_layer, "batch_input_shape", kfi_variant_copy(shape));
    if (status == KF_OK) status = kfi_read_input(reading, name, like_a_layer, input);
    kfi_variant_free(like_a_layer);
    return status;
}

static kf_status copy_input(kfi_reading *reading, const char *name, const kf_tensor *like,
                            kf_tensor **input) {
    kf_input_options options = {
        .size = sizeof options, .name = name, .dtype = kf_dtype_name(like->dtype)};
    if (like->shape.dims[0] != KF_ANY) options.batch_size = like->shape.dims[0];
    for (int32_t i = 1; i < like->shape.rank; i++) options.shape[i - 1] = like->shape.dims[i];
    *input = kf_input_create(reading->graph, &options);
    return (*input)->poisoned ? kf_graph_error(reading->graph) : KF_OK;
}

/* The input that the first layer's entry implies, named after it. */
static kf_status imply_input(kfi_reading *reading, const kfi_variant *config,
                             const kfi_variant *entry, kf_layer *first, kf_tensor **input) {
    kf_status status = ensure_name(reading, first);
    if (status != KF_OK) return status;
    char *name = kfi_format("%s_input", first->name);
    if (!name) return KF_MEMORY;
    const kf_model *inner = kfi_layer_model(first);
    const kfi_variant *first_config = kfi_variant_get(entry, "config");
    if (inner)
        status = copy_input(reading, name, inner->inputs[0], input);
    else if (kfi_has_input_shape(first_config))
        status = kfi_read_input(reading, name, first_config, input);
    else
        status = read_build_shape(reading, name, config, input);
    kfi_free(name);
    return status;
}

static kf_status add_layer(kfi_reading *reading, const kfi_variant *config,
                           const kfi_variant *entry, kf_tensor **input, kf_tensor **output) {
    kf_layer *layer;
    kf_status status = kfi_read_layer(reading, entry, &layer);
    if (status != KF_OK) return status;
    if (!*input) {
        status = imply_input(reading, config, entry, layer, input);
        *output = *input;
    }
    if (status == KF_OK) status = kfi_read_call(reading, layer, output, 1, output);
    if (status != KF_OK) kf_layer_free(layer); /* if it was not applied */
    return status;
}

/* hls4ml and others write an InputLayer and the shape in the first layer again; the first counts.
 */
static kf_status add_entries(kfi_reading *reading, const kfi_variant *config,
                             const kfi_variant *layers, kf_tensor **input, kf_tensor **output) {
    const int64_t count = kfi_variant_count(layers);
    kf_status status = KF_OK;
    for (int64_t i = 0; i < count && status == KF_OK; i++) {
        const kfi_variant *entry = kfi_variant_at(layers, i);
        if (!is_input_entry(entry)) {
            status = add_layer(reading, config, entry, input, output);
            continue;
        }
        if (*input)
            return kfi_fail(KF_INVALID, "an InputLayer can only come first in a Sequential");
        kf_layer *layer;
        status = kfi_read_layer(reading, entry, &layer);
        if (status == KF_OK) *input = *output = layer->nodes[0]->out[0];
    }
    if (status == KF_OK && *input == *output)
        return kfi_fail(KF_INVALID, "'layers' of a Sequential has no layer");
    return status;
}

kf_status kfi_read_sequential(kfi_reading *reading, const kfi_variant *config, kf_model **model) {
    const kfi_variant *layers = config; /* up to Keras 2.2.2 the config is the list of layers */
    if (!kfi_variant_is(config, KFI_LIST)) {
        const kf_status found = kfi_read_member(config, "layers", KFI_LIST, &layers);
        if (found != KF_OK) return found;
    }
    kf_tensor *input = NULL, *output = NULL;
    const kf_status status = add_entries(reading, config, layers, &input, &output);
    if (status != KF_OK) return status;
    const kfi_model_parts parts = {.name = kfi_variant_text(kfi_variant_get(config, "name"), NULL),
                                   .sequential = true,
                                   .inputs = &input,
                                   .outputs = &output,
                                   .n_inputs = 1,
                                   .n_outputs = 1};
    *model = kfi_model_make(reading->graph, &parts);
    return kf_model_error(*model);
}
