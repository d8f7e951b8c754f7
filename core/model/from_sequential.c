/* A Sequential from its config: a chain of layers, each applied to the one before. The first says
 * what it receives, or is an InputLayer or a model, which knows; else the layers wait. */
#include "core/base/memory.h"
#include "core/model/reading.h"

#include <string.h>

static bool is_input_entry(const kfi_variant *entry) {
    return strcmp(kfi_variant_text(kfi_variant_get(entry, "class_name"), ""), "InputLayer") == 0;
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
static kf_status imply_input(kfi_reading *reading, const kfi_variant *entry, kf_layer *first,
                             kf_tensor **input) {
    kf_status status = kfi_layer_ensure_name(first, reading->graph);
    if (status != KF_OK) return status;
    char *name = kfi_format("%s_input", first->name);
    if (!name) return KF_MEMORY;
    const kf_model *inner = kfi_layer_model(first);
    const kfi_variant *first_config = kfi_variant_get(entry, "config");
    if (inner)
        status = copy_input(reading, name, inner->inputs[0], input);
    else
        status = kfi_read_input(reading, name, first_config, input);
    kfi_free(name);
    return status;
}

static kf_status add_layer(kfi_reading *reading, const kfi_variant *entry, kf_tensor **input,
                           kf_tensor **output) {
    kf_layer *layer;
    kf_status status = kfi_read_layer(reading, entry, &layer);
    if (status != KF_OK) return status;
    if (!*input) {
        status = imply_input(reading, entry, layer, input);
        *output = *input;
    }
    if (status == KF_OK)
        status = kfi_read_call(reading, layer, output, 1, &(kfi_arguments){0}, output);
    if (status != KF_OK) kf_layer_free(layer); /* if it was not applied */
    return status;
}

/* hls4ml and others write an InputLayer and the shape in the first layer again; the first counts.
 */
static kf_status add_entries(kfi_reading *reading, const kfi_variant *layers, kf_tensor **input,
                             kf_tensor **output) {
    const int64_t count = kfi_variant_count(layers);
    kf_status status = KF_OK;
    for (int64_t i = 0; i < count && status == KF_OK; i++) {
        const kfi_variant *entry = kfi_variant_at(layers, i);
        if (!is_input_entry(entry)) {
            status = add_layer(reading, entry, input, output);
            continue;
        }
        if (i == 0 && *input) continue; /* another one was given in its place */
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

/* --- models that do not know their input ------------------------------------------------------ */

/* Models inside are looked at in the file: a Sequential of layers that wait does not know either.
 */
static bool knows_input(const kfi_variant *layers, int depth) {
    const kfi_variant *entry = kfi_variant_at(layers, 0),
                      *config = kfi_variant_get(entry, "config");
    if (is_input_entry(entry) || kfi_has_input_shape(config)) return true;
    const char *class_name = kfi_variant_text(kfi_variant_get(entry, "class_name"), "");
    if (strcmp(class_name, "Sequential") != 0)
        return strcmp(class_name, "Model") == 0 || strcmp(class_name, "Functional") == 0;
    if (kfi_variant_get(config, "build_input_shape") || depth == 0) return true;
    const kfi_variant *inside =
        kfi_variant_is(config, KFI_LIST) ? config : kfi_variant_get(config, "layers");
    return knows_input(inside, depth - 1);
}

static kf_status read_build_shape(const kfi_variant *list, kf_shape *shape) {
    const int64_t rank = kfi_variant_count(list);
    if (!kfi_variant_is(list, KFI_LIST) || rank < 1 || rank > KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "'build_input_shape' must be a list of 1 to %d dimensions",
                        KF_MAX_RANK);
    shape->rank = (int32_t)rank;
    for (int64_t i = 0; i < rank; i++) {
        const kfi_variant *dim = kfi_variant_at(list, i);
        shape->dims[i] = kfi_variant_is(dim, KFI_NULL) ? KF_ANY : kfi_variant_to_integer(dim, 0);
        if (shape->dims[i] < KF_ANY || shape->dims[i] == 0)
            return kfi_fail(KF_INVALID, "'build_input_shape' must hold positive integers and null");
    }
    return KF_OK;
}

static kf_status read_waiting(kfi_reading *reading, const kfi_variant *config,
                              const kfi_variant *layers, kf_model *model) {
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(layers) && status == KF_OK; i++) {
        kf_layer *layer;
        status = kfi_read_layer(reading, kfi_variant_at(layers, i), &layer);
        if (status == KF_OK) status = kfi_sequential_defer(model, layer);
    }
    const kfi_variant *built = kfi_variant_get(config, "build_input_shape");
    if (status != KF_OK || !built || kfi_variant_is(built, KFI_NULL)) return status;
    kf_shape shape = {0};
    status = read_build_shape(built, &shape);
    return status == KF_OK ? kfi_sequential_build(model, &shape) : status;
}

/* --- the model -------------------------------------------------------------------------------- */

static kf_status read_known(kfi_reading *reading, const kfi_variant *layers, kfi_model_parts *parts,
                            kf_model **model) {
    kf_tensor *input = kfi_reading_has_inputs(reading) ? reading->inputs[0] : NULL;
    kf_tensor *output = input;
    const kf_status status = add_entries(reading, layers, &input, &output);
    if (status != KF_OK) return status;
    parts->inputs = &input;
    parts->outputs = &output;
    parts->n_inputs = parts->n_outputs = 1;
    *model = kfi_model_make(reading->graph, parts);
    return kf_model_error(*model);
}

kf_status kfi_read_sequential(kfi_reading *reading, const kfi_variant *config, kf_model **model) {
    const kfi_variant *layers = config; /* up to Keras 2.2.2 the config is the list of layers */
    if (!kfi_variant_is(config, KFI_LIST)) {
        const kf_status found = kfi_read_member(config, "layers", KFI_LIST, &layers);
        if (found != KF_OK) return found;
    }
    kfi_model_parts parts = {.name = kfi_variant_text(kfi_variant_get(config, "name"), NULL),
                             .sequential = true};
    const bool knows =
        kfi_reading_has_inputs(reading) || knows_input(layers, KFI_READING_MAX_DEPTH);
    if (kfi_variant_count(layers) > 0 && knows) return read_known(reading, layers, &parts, model);
    *model = kfi_model_empty(reading->graph, &parts);
    return *model ? read_waiting(reading, config, layers, *model) : kf_last_status();
}
