/* What stateful layers keep from one batch to the next. */
#include "core/model/model.h"

static void reset(kf_layer *layer) {
    if (layer->class->reset_states) layer->class->reset_states(layer);
    kf_layer *const *inner;
    const int32_t n_inner = kfi_layer_inner(layer, &inner);
    for (int32_t i = 0; i < n_inner; i++) reset(inner[i]);
}

kf_status kf_model_reset_states(kf_model *model) {
    const kf_status status = kf_model_error(model);
    for (int32_t i = 0; status == KF_OK && i < model->n_layers; i++) reset(model->layers[i]);
    return status;
}
