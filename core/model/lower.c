/* Writing a model into a formula: its calls in running order, each layer asked to write itself on
 * the values that its inputs have here. That is how a model is trained, and how it is called. */
#include "core/base/memory.h"
#include "core/model/model.h"

/* The values of all tensors of the model, and of their masks. */
typedef struct lowering {
    const kf_model *model;
    kfi_formula *formula;
    kfi_value *values, *masks;
} lowering;

static void gather(const lowering *low, const kfi_model_node *at, kfi_value *in, kfi_value *masks) {
    for (int32_t i = 0; i < at->node->n_in; i++) {
        const kfi_model_node *producer = &low->model->nodes[at->in[i]];
        const int32_t value = producer->first_out + at->node->in[i]->index;
        in[i] = low->values[value];
        masks[i] = low->masks[value];
    }
}

/* `in` has room for the inputs and then their masks. */
static kf_status lower_call(lowering *low, const kfi_model_node *at, kfi_value *in) {
    const kfi_node *node = at->node;
    kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_mask[KFI_LAYER_MAX_OUTPUTS];
    for (int32_t i = 0; i < KFI_LAYER_MAX_OUTPUTS; i++) out[i] = out_mask[i] = KFI_NONE;
    gather(low, at, in, in + node->n_in);
    kfi_layer_call call = {.layer = node->layer,
                           .formula = low->formula,
                           .n_in = node->n_in - node->arguments.has_mask,
                           .in = in,
                           .in_mask = in + node->n_in,
                           .out = out,
                           .out_mask = out_mask};
    kfi_call_take_arguments(&call, &node->arguments);
    const kf_status status = kfi_layer_invoke(&call, node->index);
    if (status != KF_OK) return status;
    if (call.n_out != node->n_out)
        return kfi_fail(KF_INVALID, "layer %s made %d outputs at first and %d now",
                        node->layer->name, node->n_out, call.n_out);
    for (int32_t i = 0; i < node->n_out; i++) {
        low->values[at->first_out + i] = out[i];
        low->masks[at->first_out + i] = out_mask[i];
    }
    return KF_OK;
}

static kf_status lower_calls(lowering *low) {
    const kf_model *model = low->model;
    int32_t widest = 0;
    for (int32_t i = 0; i < model->n_nodes; i++)
        if (model->nodes[i].node->n_in > widest) widest = model->nodes[i].node->n_in;
    kfi_value *in = kfi_alloc(2 * (size_t)widest, sizeof *in);
    if (!in) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < model->n_nodes && status == KF_OK; i++)
        if (model->nodes[i].node->n_in > 0) /* the others are the inputs */
            status = lower_call(low, &model->nodes[i], in);
    kfi_free(in);
    return status;
}

static kf_status lower(lowering *low, const kfi_value *in, const kfi_value *in_mask, kfi_value *out,
                       kfi_value *out_mask) {
    const kf_model *model = low->model;
    for (int32_t i = 0; i < model->n_values; i++) low->values[i] = low->masks[i] = KFI_NONE;
    for (int32_t i = 0; i < model->n_inputs; i++) {
        const int32_t value = model->nodes[model->input_nodes[i]].first_out;
        low->values[value] = in[i];
        if (in_mask) low->masks[value] = in_mask[i];
    }
    const kf_status status = lower_calls(low);
    for (int32_t i = 0; i < model->n_outputs && status == KF_OK; i++) {
        const int32_t value =
            model->nodes[model->output_nodes[i]].first_out + model->outputs[i]->index;
        out[i] = low->values[value];
        if (out_mask) out_mask[i] = low->masks[value];
    }
    return status;
}

/* A frozen model freezes its layers while it is written, also when nobody calls it as a layer. */
static void freeze(const kf_model *model, int32_t change) {
    for (int32_t i = 0; i < model->n_layers; i++) model->layers[i]->frozen_around += change;
}

kf_status kfi_model_lower(const kf_model *model, kfi_formula *formula, const kfi_value *in,
                          const kfi_value *in_mask, kfi_value *out, kfi_value *out_mask) {
    if (model->status != KF_OK) return kf_model_error(model);
    lowering low = {.model = model, .formula = formula};
    low.values = kfi_alloc((size_t)model->n_values, sizeof *low.values);
    low.masks = kfi_alloc((size_t)model->n_values, sizeof *low.masks);
    const bool frozen = kfi_layer_frozen(model->layer);
    if (frozen) freeze(model, 1);
    const kf_status status =
        low.values && low.masks ? lower(&low, in, in_mask, out, out_mask) : KF_MEMORY;
    if (frozen) freeze(model, -1);
    kfi_free(low.values);
    kfi_free(low.masks);
    return status;
}
