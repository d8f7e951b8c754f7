/* SimpleRNN: h' = activation(x K + h R + b). */
#include "core/layers/recurrent/recurrence.h"

typedef kf_simple_rnn_cell_options cell_options;
typedef kf_simple_rnn_options layer_options;

/* --- the cell --------------------------------------------------------------------------------- */

static kf_status build_cell(kfi_cell *cell, const kf_shape *x) {
    const cell_options *options = cell->options;
    return kfi_dense_build(cell, x, 1, &KFI_SHAPE(options->units));
}

static void begin(kfi_cell_run *run, const kf_shape *x) { kfi_dense_begin(run, x, 1, true); }

static void step(kfi_cell_run *run, kfi_value x, kfi_value *states) {
    const cell_options *options = run->cell->options;
    kfi_formula *f = run->formula;
    kfi_value z = kfi_dense_inputs(run, x);
    z = kfi_emit(f, "add", NULL, z, kfi_dense_states(run, states[0]));
    states[0] = kfi_activate(f, options->activation, z);
}

static kfi_fusion fusion_of(const kfi_cell_run *run) {
    const cell_options *options = run->cell->options;
    return (kfi_fusion){
        .op = "simple_rnn",
        .activation = options->activation,
        .gate_activation = "linear",
    };
}

static bool can_write_all(const kfi_cell_run *run) {
    const kfi_fusion fusion = fusion_of(run);
    return kfi_cell_can_fuse(&fusion);
}

static void write_all(kfi_cell_run *run, kfi_sequence *all) {
    const kfi_fusion fusion = fusion_of(run);
    kfi_cell_fuse(run, &fusion, all);
}

static const kfi_cell_class cell_class = {
    .rank = 3,
    .n_states = 1,
    .build = build_cell,
    .state_shape = kfi_dense_state_shape,
    .begin = begin,
    .step = step,
    .can_write_all = can_write_all,
    .write_all = write_all,
};

/* --- the layers ------------------------------------------------------------------------------- */

static const kfi_field cell_fields[] = {
    KFI_CELL_UNITS_FIELD(cell_options, 1),
    KFI_CELL_ACTIVATION_FIELD(cell_options, 2),
    KFI_CELL_WEIGHT_FIELDS(cell_options, 3),
    KFI_CELL_REGULARIZER_FIELDS(cell_options, 7),
    KFI_CELL_CONSTRAINT_FIELDS(cell_options, 10),
    KFI_CELL_DROPOUT_FIELDS(cell_options, 13),
    KFI_FIELDS_END,
};

static const kfi_field fields[] = {
    KFI_RECURRENT_FLAG_FIELDS(layer_options, 16),
    KFI_CELL_UNITS_FIELD(layer_options, 1),
    KFI_CELL_ACTIVATION_FIELD(layer_options, 2),
    KFI_CELL_WEIGHT_FIELDS(layer_options, 3),
    KFI_CELL_REGULARIZER_FIELDS(layer_options, 7),
    KFI_CELL_ACTIVITY_FIELD(layer_options, 10),
    KFI_CELL_CONSTRAINT_FIELDS(layer_options, 11),
    KFI_CELL_DROPOUT_FIELDS(layer_options, 14),
    KFI_FIELDS_END,
};

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const layer_options *options = layer->options;
    const kfi_cell cell = {.class = &cell_class, .options = options};
    return kfi_recurrent_build(layer, in, &KFI_RECURRENT_FLAGS(options), &cell, 1);
}

const kfi_layer_class kfi_layer_simple_rnn = {
    KFI_RECURRENT_CLASS("SimpleRNN", layer_options),
    .fields = fields,
    .build = build,
};

const kfi_layer_class kfi_layer_simple_rnn_cell = {
    KFI_CELL_CLASS("SimpleRNNCell", cell_options),
    .fields = cell_fields,
    .cell = &cell_class,
};

kf_layer *kf_simple_rnn_create(const kf_simple_rnn_options *options) {
    return kfi_layer_new(&kfi_layer_simple_rnn, options);
}

kf_layer *kf_simple_rnn_cell_create(const kf_simple_rnn_cell_options *options) {
    return kfi_layer_new(&kfi_layer_simple_rnn_cell, options);
}
