/* All steps of a dense cell as one op, after one product for all inputs (ops/recurrence.h). The ops
 * know only some activations; for the rest there are the steps one by one. */
#include "core/layers/recurrent/cell.h"

#include <string.h>

static bool find_squash(const char *activation, kfi_squash *squash) {
    static const char *const names[KFI_SQUASHES] = {
        [KFI_LINEAR] = "linear",   [KFI_TANH] = "tanh",
        [KFI_SIGMOID] = "sigmoid", [KFI_HARD_SIGMOID] = "hard_sigmoid",
        [KFI_RELU] = "relu",
    };
    for (int i = 0; i < KFI_SQUASHES; i++)
        if (strcmp(activation ? activation : "linear", names[i]) == 0) {
            *squash = (kfi_squash)i;
            return true;
        }
    return false;
}

/* (batch, units) of the last step; a symbolic formula may not know which that is. */
static kfi_value last_step(kfi_formula *f, kfi_value y) {
    const kf_shape shape = kfi_type(f, y)->shape;
    if (shape.rank != 3) return KFI_NONE; /* the formula has failed */
    const kfi_slice last = {
        .axis = 1, .start = shape.dims[1] == KF_ANY ? 0 : shape.dims[1] - 1, .size = 1};
    return kfi_reshape_free(f, kfi_emit(f, "slice", &last, y),
                            &KFI_SHAPE(shape.dims[0], shape.dims[2]));
}

bool kfi_cell_can_fuse(const kfi_fusion *fusion) {
    kfi_squash squash;
    return find_squash(fusion->activation, &squash) &&
           find_squash(fusion->gate_activation, &squash);
}

/* The dropout masks of the states, (masks, batch, units). */
static kfi_value stack_masks(kfi_cell_run *run) {
    kfi_formula *f = run->formula;
    kfi_value masks[KFI_CELL_MAX_GATES];
    for (int32_t i = 0; i < run->n_h_masks; i++) {
        const kf_shape shape = kfi_type(f, run->h_mask[i])->shape;
        masks[i] = kfi_reshape(f, run->h_mask[i], &KFI_SHAPE(1, shape.dims[0], shape.dims[1]));
    }
    if (run->n_h_masks == 1) return masks[0];
    return kfi_emit_list(f, "concatenate", &(kfi_slice){.axis = 0}, masks, run->n_h_masks, NULL);
}

void kfi_cell_fuse(kfi_cell_run *run, const kfi_fusion *fusion, kfi_sequence *all) {
    kfi_formula *f = run->formula;
    const kfi_cell_class *class = run->cell->class;
    kfi_recurrence how = {.has_states = !kfi_is_none(all->states[0]),
                          .has_mask = !kfi_is_none(all->mask),
                          .has_bias = !kfi_is_none(run->recurrent_bias),
                          .reset_after = fusion->reset_after,
                          .drops = run->n_h_masks};
    find_squash(fusion->activation, &how.activation);
    find_squash(fusion->gate_activation, &how.gate_activation);
    const kfi_value z = kfi_dense_inputs(run, all->x);
    kfi_value in[5 + KFI_CELL_MAX_STATES] = {z, run->recurrent_kernel}, more[KFI_OP_MAX_OUTPUTS];
    int n = 2;
    if (how.has_bias) in[n++] = run->recurrent_bias;
    for (int32_t i = 0; how.has_states && i < class->n_states; i++) in[n++] = all->states[i];
    if (how.has_mask) in[n++] = all->mask;
    if (how.drops > 0) in[n++] = stack_masks(run);
    for (int i = 0; i < KFI_OP_MAX_OUTPUTS; i++) more[i] = KFI_NONE;
    all->y = kfi_emit_list(f, fusion->op, &how, in, n, more);
    all->states[0] = last_step(f, all->y);
    for (int32_t i = 1; i < class->n_states; i++) all->states[i] = last_step(f, more[i - 1]);
}
