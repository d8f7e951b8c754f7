/* clone_model: the model's config read again, with inputs of its own or on given ones. */
#include "core/model/reading.h"

#include <string.h>

static int64_t count_inputs(kf_tensor *const *inputs) {
    int64_t count = 0;
    while (inputs && count <= KFI_MODEL_MAX_ENDS && inputs[count]) count++;
    return count;
}

/* Keras's two rules for a Sequential; that inputs come from input layers holds for every model. */
static kf_status check_inputs(kf_graph *graph, const kf_model *model, kf_tensor *const *inputs,
                              int64_t count) {
    if (model->sequential && count != 1)
        return kfi_fail(KF_USAGE, "To clone a `Sequential` model, we expect at most one tensor as "
                                  "part of `input_tensors`.");
    if (!model->sequential && count != model->n_inputs)
        return kfi_fail(KF_USAGE, "%s has %d inputs, but its clone was given %lld",
                        kf_model_name(model), model->n_inputs, (long long)count);
    for (int64_t i = 0; i < count; i++) {
        if (inputs[i]->poisoned || inputs[i]->graph != graph)
            return kfi_fail(KF_USAGE, "inputs[%lld] is no tensor of the clone's graph",
                            (long long)i);
        const kf_layer *layer = inputs[i]->node->layer;
        if (kfi_layer_is_input(layer)) continue;
        if (model->sequential)
            return kfi_fail(KF_INVALID,
                            "Cannot clone a `Sequential` model on top of a tensor that comes from "
                            "a Keras layer other than an `InputLayer`. Use the functional API "
                            "instead.");
        return kfi_fail(KF_INVALID,
                        "a clone's inputs must come from input layers; inputs[%lld] was generated "
                        "by layer %s",
                        (long long)i, layer->name);
    }
    return KF_OK;
}

kf_model *kf_model_clone_with(kf_graph *graph, const kf_model *model,
                              const kf_clone_options *options) {
    kf_clone_options given = {0};
    if (options && options->size)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    if (!graph) return kfi_model_poisoned(NULL, kf_graph_error(NULL));
    const int64_t n_inputs = count_inputs(given.inputs);
    kf_status status = kfi_model_check(model);
    if (status == KF_OK && n_inputs > 0)
        status = check_inputs(graph, model, given.inputs, n_inputs);
    if (status != KF_OK) return kfi_model_poisoned(graph, status);
    kfi_variant *config = kfi_model_config(model);
    if (!config) return kfi_model_poisoned(graph, kf_last_status());
    kf_model *clone = kfi_model_read(
        &(kfi_reading){.graph = graph, .inputs = given.inputs, .n_inputs = n_inputs}, config);
    kfi_variant_free(config);
    return clone;
}
