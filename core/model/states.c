/* What stateful layers keep from one batch to the next, as one row of numbers. */
#include "core/model/model.h"

#include <string.h>

/* A walk over the states: what becomes of each, and where its numbers are. */
typedef struct walk {
    void (*visit)(kf_weight *state, float *values); /* NULL: they are only counted */
    float *values;                                  /* NULL: there are none */
    int64_t count;
} walk;

static void visit_layer(const kf_layer *layer, walk *on) {
    kf_weight *const *states = NULL;
    const int32_t n = layer->class->states ? layer->class->states(layer, &states) : 0;
    for (int32_t i = 0; i < n; i++) {
        if (on->visit) on->visit(states[i], on->values ? on->values + on->count : NULL);
        on->count += states[i]->count;
    }
    kf_layer *const *inner;
    const int32_t n_inner = kfi_layer_inner(layer, &inner);
    for (int32_t i = 0; i < n_inner; i++) visit_layer(inner[i], on);
}

static int64_t visit_all(const kf_model *model, walk on) {
    for (int32_t i = 0; i < model->n_layers; i++) visit_layer(model->layers[i], &on);
    return on.count;
}

static void clear(kf_weight *state, float *values) {
    (void)values;
    memset(state->data, 0, (size_t)state->count * sizeof *state->data);
}

static void get(kf_weight *state, float *values) {
    memcpy(values, state->data, (size_t)state->count * sizeof *values);
}

static void set(kf_weight *state, float *values) {
    memcpy(state->data, values, (size_t)state->count * sizeof *values);
}

int64_t kfi_model_count_states(const kf_model *model) { return visit_all(model, (walk){0}); }

void kfi_model_get_states(const kf_model *model, float *values) {
    visit_all(model, (walk){.visit = get, .values = values});
}

void kfi_model_set_states(kf_model *model, const float *values) {
    visit_all(model, (walk){.visit = set, .values = (float *)values});
}

kf_status kf_model_reset_states(kf_model *model) {
    const kf_status status = kf_model_error(model);
    if (status == KF_OK) visit_all(model, (walk){.visit = clear});
    return status;
}
