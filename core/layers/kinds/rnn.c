/* RNN: a cell along the time axis, and StackedRNNCells: cells one on the other as one cell. The
 * weights are the RNN layer's, as in Keras: rnn_1/kernel, those of the second cell rnn_1/kernel_1.
 */
#include "core/layers/recurrent/cell_options.h"
#include "core/layers/recurrent/recurrence.h"

#include "core/base/memory.h"

typedef kf_rnn_options rnn_options;
typedef kf_stacked_rnn_cells_options stack_options;

/* Keras has the cell first, and get_config has it last. */
static const kfi_field fields[] = {
    KFI_RECURRENT_FLAG_FIELDS(rnn_options, 2),
    KFI_FIELD(rnn_options, num_constants, "num_constants", kfi_field_integer, .otherwise = "None",
              .low = 0, .high = KFI_LAYER_MAX_OUTPUTS, .position = 7, .quiet = true,
              .help = "how many of the last inputs are constants"),
    KFI_FIELD(rnn_options, cell, "cell", kfi_field_cell, .position = 1, .help = "an LSTMCell …"),
    KFI_FIELDS_END,
};

static const kfi_field stack_fields[] = {
    KFI_FIELD(stack_options, cells, "cells", kfi_field_cells, .help = "from the first on"),
    KFI_FIELDS_END,
};

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const rnn_options *options = layer->options;
    kfi_cell_list list = {0};
    kf_status status = kfi_cell_name(options->cell, layer->graph);
    if (status == KF_OK && options->num_constants > 0 && options->cell->class->cell)
        status = kfi_fail(KF_INVALID, "RNN cell does not support constants");
    if (status == KF_OK) status = kfi_cell_list_add(&list, options->cell, false);
    if (status == KF_OK)
        status = kfi_recurrent_build(layer, in, &KFI_RECURRENT_FLAGS(options), list.cells,
                                     (int32_t)list.count, 3);
    kfi_free(list.cells);
    return status;
}

static int64_t *constants(const kf_layer *layer) {
    return &((rnn_options *)layer->options)->num_constants;
}

const kfi_layer_class kfi_layer_rnn = {
    KFI_RECURRENT_CLASS("RNN", rnn_options),
    .fields = fields,
    .build = build,
    .constants = constants,
};

const kfi_layer_class kfi_layer_stacked_rnn_cells = {
    KFI_CELL_CLASS("StackedRNNCells", stack_options),
    .fields = stack_fields,
};

/* The layer, whose options hold copies of the cells; those given are freed in any case. */
static kf_layer *take_over(const kfi_layer_class *class, const void *options,
                           kf_layer *const *cells) {
    const kf_status status = kfi_cells_take(cells);
    kf_layer *layer = status == KF_OK ? kfi_layer_new(class, options) : kfi_layer_poisoned(status);
    kfi_cells_drop(cells);
    return layer;
}

kf_layer *kf_rnn_create(const kf_rnn_options *options) {
    kf_layer *const cells[] = {options ? options->cell : NULL, NULL};
    return take_over(&kfi_layer_rnn, options, cells);
}

kf_layer *kf_stacked_rnn_cells_create(const kf_stacked_rnn_cells_options *options) {
    return take_over(&kfi_layer_stacked_rnn_cells, options, options ? options->cells : NULL);
}
