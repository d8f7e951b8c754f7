/* RNN: a cell along the time axis; ConvRNN2D: the same for cells that convolve; StackedRNNCells:
 * cells one on the other as one cell. The weights are the layer's, as in Keras: rnn_1/kernel, those
 * of the second cell rnn_1/kernel_1. */
#include "core/layers/recurrent/cell_options.h"
#include "core/layers/recurrent/recurrence.h"

#include "core/base/memory.h"

typedef kf_rnn_options rnn_options;
typedef kf_stacked_rnn_cells_options stack_options;

extern const kfi_layer_class kfi_layer_stacked_rnn_cells;

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

/* Each layer takes the cells that go along its sequences. */
static kf_status check_rank(const kf_layer *cell, int rank, const char *wanted) {
    kfi_cell_list list = {0};
    kf_status status = kfi_cell_list_add(&list, cell, false);
    for (int64_t i = 0; status == KF_OK && i < list.count; i++)
        if (list.cells[i].class->rank != rank)
            status = kfi_fail(KF_INVALID, "cell must be %s; got '%s'", wanted, cell->class->name);
    kfi_free(list.cells);
    return status;
}

static kf_status check(const kf_layer *layer) {
    const rnn_options *options = layer->options;
    return check_rank(options->cell, 3, "one of vectors (ConvLSTM2DCell is for ConvRNN2D)");
}

static kf_status check_images(const kf_layer *layer) {
    const rnn_options *options = layer->options;
    if (options->unroll) return kfi_recurrent_refuse_unroll();
    if (options->cell->class == &kfi_layer_stacked_rnn_cells)
        return kfi_fail(KF_INVALID,
                        "It is not possible at the moment to stack convolutional cells.");
    return check_rank(options->cell, 5, "a ConvLSTM2DCell");
}

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
                                     (int32_t)list.count);
    kfi_free(list.cells);
    return status;
}

static int64_t *constants(const kf_layer *layer) {
    return &((rnn_options *)layer->options)->num_constants;
}

const kfi_layer_class kfi_layer_rnn = {
    KFI_RECURRENT_CLASS("RNN", rnn_options),
    .fields = fields,
    .check = check,
    .build = build,
    .constants = constants,
};

const kfi_layer_class kfi_layer_conv_rnn2d = {
    KFI_RECURRENT_CLASS("ConvRNN2D", rnn_options),
    .fields = fields,
    .check = check_images,
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

static kf_layer *take_cell(const kfi_layer_class *class, const rnn_options *options) {
    kf_layer *const cells[] = {options ? options->cell : NULL, NULL};
    return take_over(class, options, cells);
}

kf_layer *kf_rnn_create(const kf_rnn_options *options) {
    return take_cell(&kfi_layer_rnn, options);
}

kf_layer *kf_conv_rnn2d_create(const kf_conv_rnn2d_options *options) {
    return take_cell(&kfi_layer_conv_rnn2d, options);
}

kf_layer *kf_stacked_rnn_cells_create(const kf_stacked_rnn_cells_options *options) {
    return take_over(&kfi_layer_stacked_rnn_cells, options, options ? options->cells : NULL);
}
