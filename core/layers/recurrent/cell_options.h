/* Options that are cells: RNN's `cell`, StackedRNNCells' `cells`. In Keras's JSON they are
 * {"class_name", "config"}. The options own them: those that a user gives are copied. */
#ifndef KFI_LAYERS_CELL_OPTIONS_H
#define KFI_LAYERS_CELL_OPTIONS_H

#include "core/layers/recurrent/cell.h"

/* A kf_layer *, and a kf_layer ** ended by NULL. */
extern const kfi_field_type kfi_field_cell, kfi_field_cells;

/* All cells in a cell, those of stacks one by one, from the first on. */
typedef struct kfi_cell_list {
    kfi_cell *cells;
    int64_t count, capacity;
} kfi_cell_list;
kf_status kfi_cell_list_add(kfi_cell_list *list, const kf_layer *cell, bool frozen);

/* Names that Keras would have given: lstm_cell_1, and the cells of a stack before it. */
kf_status kfi_cell_name(kf_layer *cell, kf_graph *graph);

/* Frees cells that a user gave; returns the first one that is poisoned's failure. Accepts NULL. */
kf_status kfi_cells_take(kf_layer *const *cells);
void kfi_cells_drop(kf_layer *const *cells);

#endif
