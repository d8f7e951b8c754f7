/* What cells share: weights with free names, dropout masks, and the products of dense cells. */
#include "core/layers/recurrent/cell.h"

#include "core/base/memory.h"

#include <string.h>

/* --- weights ---------------------------------------------------------------------------------- */

static bool is_taken(const kf_layer *layer, const char *name) {
    const size_t length = strlen(name);
    for (int64_t i = 0; i < layer->n_weights; i++) {
        const char *taken = strrchr(layer->weights[i]->name, '/') + 1;
        if (strncmp(taken, name, length) == 0 && taken[length] == ':') return true;
    }
    return false;
}

kf_status kfi_cell_add_weight(kfi_cell *cell, const char *name, const kf_shape *shape,
                              kfi_weight_options options, int32_t *index) {
    char *free_name = kfi_strdup(name);
    for (int suffix = 1; free_name && is_taken(cell->layer, free_name); suffix++) {
        kfi_free(free_name);
        free_name = kfi_format("%s_%d", name, suffix);
    }
    if (!free_name) return KF_MEMORY;
    options.frozen = cell->frozen;
    *index = (int32_t)cell->layer->n_weights;
    const kf_status status = kfi_layer_add_weight(cell->layer, free_name, shape, &options);
    kfi_free(free_name);
    return status;
}

void kfi_lstm_states(kfi_formula *formula, const char *activation, const kfi_value gates[4],
                     kfi_value states[2]) {
    const kfi_value kept = kfi_emit(formula, "multiply", NULL, gates[1], states[1]);
    const kfi_value added = kfi_emit(formula, "multiply", NULL, gates[0], gates[2]);
    states[1] = kfi_emit(formula, "add", NULL, kept, added);
    const kfi_value shown = kfi_activate(formula, activation, states[1]);
    states[0] = kfi_emit(formula, "multiply", NULL, gates[3], shown);
}

kf_status kfi_cell_refuse_call(kfi_layer_call *call) {
    return kfi_fail(KF_INVALID, "%s is a cell: give it to an RNN layer", call->layer->class->name);
}

/* --- dropout ---------------------------------------------------------------------------------- */

/* Shapes say nothing about dropout, so a symbolic formula goes without. */
int32_t kfi_dropout_masks(kfi_formula *formula, double rate, const kf_shape *shape, int32_t n,
                          kfi_value *masks) {
    if (!kfi_formula_training(formula) || kfi_formula_symbolic(formula)) return 0;
    if (!(rate > 0 && rate < 1)) return 0;
    const kfi_value ones = kfi_fill(formula, shape, 1);
    for (int32_t i = 0; i < n; i++) {
        const kfi_dropout dropout = {.rate = (float)rate, .stream = kfi_random_stream(formula)};
        masks[i] = kfi_emit(formula, "dropout", &dropout, ones, kfi_random_state(formula));
    }
    return n;
}

/* --- dense cells ------------------------------------------------------------------------------ */

kf_status kfi_dense_build(kfi_cell *cell, const kf_shape *x, int32_t n_gates,
                          const kf_shape *bias_shape) {
    const kfi_dense_cell *options = cell->options;
    const int64_t in_size = x->dims[1], units = options->units;
    const int64_t columns = n_gates * units;
    if (in_size == KF_ANY)
        return kfi_fail(KF_INVALID, "the last dimension of the inputs must be fixed, but is None");
    kf_status status = kfi_cell_add_weight(cell, "kernel", &KFI_SHAPE(in_size, columns),
                                           (kfi_weight_options){options->kernel_initializer,
                                                                options->kernel_regularizer,
                                                                options->kernel_constraint, false},
                                           &cell->kernel);
    if (status == KF_OK)
        status = kfi_cell_add_weight(cell, "recurrent_kernel", &KFI_SHAPE(units, columns),
                                     (kfi_weight_options){options->recurrent_initializer,
                                                          options->recurrent_regularizer,
                                                          options->recurrent_constraint, false},
                                     &cell->recurrent_kernel);
    cell->bias = -1;
    if (status != KF_OK || options->no_bias) return status;
    return kfi_cell_add_weight(cell, "bias", bias_shape,
                               (kfi_weight_options){options->bias_initializer,
                                                    options->bias_regularizer,
                                                    options->bias_constraint, false},
                               &cell->bias);
}

kf_shape kfi_dense_state_shape(const kfi_cell *cell, const kf_shape *x) {
    const kfi_dense_cell *options = cell->options;
    return KFI_SHAPE(x->dims[0], options->units);
}

static void split_weight(kfi_cell_run *run, kfi_value weight, int32_t n, kfi_value *parts) {
    for (int32_t gate = 0; gate < n; gate++) parts[gate] = kfi_gate_columns(run, weight, gate, 1);
}

void kfi_dense_begin(kfi_cell_run *run, const kf_shape *x, int32_t n_gates, bool one_mask) {
    const kfi_dense_cell *options = run->cell->options;
    const kf_shape h = kfi_dense_state_shape(run->cell, x);
    const int32_t n = one_mask ? 1 : n_gates;
    run->n_x_masks = kfi_dropout_masks(run->formula, options->dropout, x, n, run->x_mask);
    run->n_h_masks =
        kfi_dropout_masks(run->formula, options->recurrent_dropout, &h, n, run->h_mask);
    if (run->n_x_masks > 1) split_weight(run, run->kernel, n, run->x_part);
    if (run->n_h_masks > 1) split_weight(run, run->recurrent_kernel, n, run->h_part);
}

kfi_value kfi_gate_columns(kfi_cell_run *run, kfi_value z, int32_t first, int32_t n) {
    const kfi_dense_cell *options = run->cell->options;
    const kfi_slice columns = {.axis = kfi_type(run->formula, z)->shape.rank - 1,
                               .start = first * options->units,
                               .size = n * options->units};
    return kfi_emit(run->formula, "slice", &columns, z);
}

kfi_value kfi_cell_masked(kfi_formula *f, kfi_value x, kfi_value mask) {
    const kf_shape shape = kfi_type(f, x)->shape;
    if (shape.rank == 3) mask = kfi_reshape(f, mask, &KFI_SHAPE(shape.dims[0], 1, shape.dims[2]));
    return kfi_emit(f, "multiply", NULL, x, mask);
}

/* x w + bias over the last axis; KFI_NONE: no bias. */
static kfi_value product(kfi_formula *f, kfi_value x, kfi_value w, kfi_value bias) {
    kf_shape shape = kfi_type(f, x)->shape;
    const int last = shape.rank - 1;
    if (last < 1) return KFI_NONE; /* the formula has failed */
    if (last > 1) x = kfi_reshape(f, x, &KFI_SHAPE(KF_ANY, shape.dims[last]));
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, x, w);
    if (!kfi_is_none(bias)) y = kfi_emit(f, "bias_add", NULL, y, bias);
    shape.dims[last] = kfi_type(f, y)->shape.dims[1];
    return last > 1 ? kfi_reshape_free(f, y, &shape) : y;
}

static kfi_value masked_product(kfi_formula *f, kfi_value x, kfi_value w, kfi_value bias,
                                int32_t n_masks, const kfi_value *masks, const kfi_value *parts) {
    if (n_masks == 0) return product(f, x, w, bias);
    if (n_masks == 1) return product(f, kfi_cell_masked(f, x, masks[0]), w, bias);
    kfi_value gates[KFI_CELL_MAX_GATES];
    for (int32_t i = 0; i < n_masks; i++)
        gates[i] = product(f, kfi_cell_masked(f, x, masks[i]), parts[i], KFI_NONE);
    const kfi_slice along = {.axis = kfi_type(f, x)->shape.rank - 1};
    const kfi_value y = kfi_emit_list(f, "concatenate", &along, gates, n_masks, NULL);
    return kfi_is_none(bias) ? y : kfi_emit(f, "bias_add", NULL, y, bias);
}

kfi_value kfi_dense_inputs(kfi_cell_run *run, kfi_value x) {
    return masked_product(run->formula, x, run->kernel, run->bias, run->n_x_masks, run->x_mask,
                          run->x_part);
}

kfi_value kfi_dense_states(kfi_cell_run *run, kfi_value h) {
    return masked_product(run->formula, h, run->recurrent_kernel, KFI_NONE, run->n_h_masks,
                          run->h_mask, run->h_part);
}
