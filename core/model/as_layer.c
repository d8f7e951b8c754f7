/* A model is a layer whose call calls its layers again. Its node 0 is its own inside, from its
 * inputs to its outputs; calls from outside follow, as in Keras. */
#include "core/base/memory.h"
#include "core/model/model.h"

#include <string.h>

/* Models that call each other twice double the work with each level, and a hostile file may have
 * many levels. No real model comes near this. */
enum { MAX_PLAIN_CALLS = 1 << 17 };

static kf_status call_model(kfi_layer_call *call) {
    const kf_model *model = call->layer->extra;
    if (call->n_in != model->n_inputs)
        return kfi_fail(KF_INVALID, "the model has %d inputs, but was called on %d tensors",
                        model->n_inputs, call->n_in);
    if (model->n_outputs > KFI_LAYER_MAX_OUTPUTS)
        return kfi_fail(KF_INVALID, "a model that is called has up to %d outputs; this one has %d",
                        KFI_LAYER_MAX_OUTPUTS, model->n_outputs);
    if (model->n_plain_calls > MAX_PLAIN_CALLS)
        return kfi_fail(KF_INVALID,
                        "the models inside make %lld calls of layers; up to %d are "
                        "supported",
                        (long long)model->n_plain_calls, MAX_PLAIN_CALLS);
    if (call->gives_mask && call->n_in > 1)
        return kfi_fail(KF_INVALID, "mask= is for models with one input; this one has %d",
                        call->n_in);
    const kfi_value mask = kfi_call_mask(call);
    call->n_out = model->n_outputs;
    return kfi_model_lower(model, call->formula, call->in, call->n_in > 1 ? call->in_mask : &mask,
                           call->out, call->out_mask);
}

/* A Sequential that was made without an input learns it at the first call. */
static kf_status build_model(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    if (n_in != 1) return kfi_fail(KF_INVALID, "a Sequential has one input; got %d", n_in);
    return kfi_sequential_build(layer->extra, &in[0].shape);
}

static int32_t inner_layers(const kf_layer *layer, kf_layer *const **inner) {
    const kf_model *model = layer->extra;
    *inner = model->layers;
    return model->n_layers;
}

#define MODEL_CLASS(class_name)                                                                    \
    {                                                                                              \
        .name = (class_name), .options_size = sizeof(kfi_layer_options), .min_inputs = 1,          \
        .max_inputs = -1, .supports_masking = true, .takes_training = true, .takes_mask = true,    \
        .build = build_model, .call = call_model, .inner = inner_layers                            \
    }
static const kfi_layer_class model_class = MODEL_CLASS("Model");
static const kfi_layer_class sequential_class = MODEL_CLASS("Sequential");

kf_model *kfi_layer_model(const kf_layer *layer) {
    return layer->class->call == call_model ? layer->extra : NULL;
}

kf_status kfi_model_set_own_node(kf_model *model) {
    kf_layer *layer = model->layer;
    kfi_node *node = layer->n_nodes > 0
                         ? layer->nodes[0]
                         : kfi_layer_add_node(layer, model->n_inputs, model->n_outputs);
    if (!node) return KF_MEMORY;
    node->number = kfi_graph_next_call(model->graph);
    memcpy(node->in, model->inputs, (size_t)model->n_inputs * sizeof *node->in);
    memcpy(node->out, model->outputs, (size_t)model->n_outputs * sizeof *node->out);
    layer->built = true;
    return KF_OK;
}

kf_status kfi_model_make_layer(kf_model *model, const kfi_model_parts *parts) {
    const kfi_layer_class *class = parts->sequential ? &sequential_class : &model_class;
    const kfi_layer_options options = {
        .size = sizeof options, .name = parts->name, .frozen = parts->frozen};
    kf_layer *layer = kfi_layer_new(class, &options);
    kf_status status = layer->status;
    model->layer = layer;
    layer->extra = model;
    if (status == KF_OK && !model->unbuilt) status = kfi_model_set_own_node(model);
    if (status == KF_OK) status = kfi_layer_join(layer, model->graph, NULL);
    if (status == KF_OK) return KF_OK;
    model->layer = NULL;
    kf_layer_free(layer);
    return status;
}
