#include "core/layers/penalties.h"

#include "core/layers/constraints.h"
#include "core/layers/regularizers.h"

#include <string.h>

/* A trainable flag does not matter here: Keras counts the penalties of frozen layers too. */
void kfi_penalize_weights(kfi_formula *formula, const kf_layer *layer) {
    for (int64_t i = 0; i < layer->n_weights; i++) {
        kf_weight *weight = layer->weights[i];
        if (!weight->regularizer || !kfi_formula_once(formula, weight)) continue;
        const kfi_value value = kfi_weight_value(formula, weight);
        kfi_add_loss(formula, kfi_regularize(formula, weight->regularizer, value));
    }
    kf_layer *const *inner;
    const int32_t n_inner = kfi_layer_inner(layer, &inner);
    for (int32_t i = 0; i < n_inner; i++) kfi_penalize_weights(formula, inner[i]);
}

static const char *activity_regularizer(const kf_layer *layer) {
    for (const kfi_field *field = layer->class->fields; field && field->name; field++)
        if (strcmp(field->name, "activity_regularizer") == 0)
            return *(char *const *)((const char *)layer->options + field->offset);
    return NULL;
}

void kfi_penalize_activity(kfi_formula *formula, const kf_layer *layer, kfi_value output) {
    if (kfi_formula_mutes_activity(formula)) return;
    while (kfi_wrapped(layer)) layer = kfi_wrapped(layer);
    if (layer->class->penalty) kfi_add_loss(formula, layer->class->penalty(layer, formula, output));
    const char *regularizer = activity_regularizer(layer);
    if (regularizer && kfi_type(formula, output)->dtype == KF_FLOAT32)
        kfi_add_loss(formula, kfi_regularize(formula, regularizer, output));
}

void kfi_layer_constrain(kfi_formula *formula, kf_weight *weight) {
    if (!weight->constraint) return;
    const kfi_value value = kfi_weight_value(formula, weight);
    kfi_assign(formula, weight, kfi_constrain(formula, weight->constraint, value));
}

kf_status kfi_constraint_check(const char *constraint, const kf_shape *shape) {
    kfi_formula *formula;
    kf_status status = kfi_formula_new(true, false, &formula);
    if (status != KF_OK) return status;
    kfi_constrain(formula, constraint, kfi_source(formula, "weight", KF_FLOAT32, shape));
    status = kfi_formula_status(formula);
    kfi_formula_free(formula);
    return kfi_within(status, "%s: ", constraint);
}
