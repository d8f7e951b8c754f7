/* LSTM, gates i, f, c, o, states h and c:
 *
 *     i = s(x Ki + h Ri + bi)    f = s(x Kf + h Rf + bf)    o = s(x Ko + h Ro + bo)
 *     c' = f c + i activation(x Kc + h Rc + bc)             h' = o activation(c') */
#include "core/layers/recurrent/recurrence.h"

typedef kf_lstm_cell_options cell_options;
typedef kf_lstm_options layer_options;

/* --- the cell --------------------------------------------------------------------------------- */

static kf_status build_cell(kfi_cell *cell, const kf_shape *x) {
    const cell_options *options = cell->options;
    const int64_t units = options->units;
    const kf_status status = kfi_dense_build(cell, x, 4, &KFI_SHAPE(4 * units));
    if (status != KF_OK || cell->bias < 0 || options->no_unit_forget_bias) return status;
    float *bias = cell->layer->weights[cell->bias]->data;
    for (int64_t i = units; i < 2 * units; i++) bias[i] = 1;
    return KF_OK;
}

static void begin(kfi_cell_run *run, const kf_shape *x) {
    const cell_options *options = run->cell->options;
    kfi_dense_begin(run, x, 4, options->implementation == 2);
}

static void step(kfi_cell_run *run, kfi_value x, kfi_value *states) {
    const cell_options *options = run->cell->options;
    kfi_formula *f = run->formula;
    kfi_value z = kfi_dense_inputs(run, x);
    z = kfi_emit(f, "add", NULL, z, kfi_dense_states(run, states[0]));
    kfi_value gates[4];
    for (int32_t i = 0; i < 4; i++)
        gates[i] = kfi_activate(f, i == 2 ? options->activation : options->recurrent_activation,
                                kfi_gate_columns(run, z, i, 1));
    kfi_lstm_states(f, options->activation, gates, states);
}

static kfi_fusion fusion_of(const kfi_cell_run *run) {
    const cell_options *options = run->cell->options;
    return (kfi_fusion){
        .op = "lstm",
        .activation = options->activation,
        .gate_activation = options->recurrent_activation,
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
    .n_states = 2,
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
    KFI_CELL_GATE_FIELD(cell_options, "hard_sigmoid", 3),
    KFI_CELL_WEIGHT_FIELDS(cell_options, 4),
    KFI_CELL_UNIT_FORGET_BIAS_FIELD(cell_options, 8),
    KFI_CELL_REGULARIZER_FIELDS(cell_options, 9),
    KFI_CELL_CONSTRAINT_FIELDS(cell_options, 12),
    KFI_CELL_DROPOUT_FIELDS(cell_options, 15),
    KFI_CELL_IMPLEMENTATION_FIELD(cell_options, 17),
    KFI_FIELDS_END,
};

static const kfi_field fields[] = {
    KFI_RECURRENT_FLAG_FIELDS(layer_options, 19),
    KFI_CELL_UNITS_FIELD(layer_options, 1),
    KFI_CELL_ACTIVATION_FIELD(layer_options, 2),
    KFI_CELL_GATE_FIELD(layer_options, "hard_sigmoid", 3),
    KFI_CELL_WEIGHT_FIELDS(layer_options, 4),
    KFI_CELL_UNIT_FORGET_BIAS_FIELD(layer_options, 8),
    KFI_CELL_REGULARIZER_FIELDS(layer_options, 9),
    KFI_CELL_ACTIVITY_FIELD(layer_options, 12),
    KFI_CELL_CONSTRAINT_FIELDS(layer_options, 13),
    KFI_CELL_DROPOUT_FIELDS(layer_options, 16),
    KFI_CELL_IMPLEMENTATION_FIELD(layer_options, 18),
    KFI_FIELDS_END,
};

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const layer_options *options = layer->options;
    const kfi_cell cell = {.class = &cell_class, .options = options};
    return kfi_recurrent_build(layer, in, &KFI_RECURRENT_FLAGS(options), &cell, 1);
}

const kfi_layer_class kfi_layer_lstm = {
    KFI_RECURRENT_CLASS("LSTM", layer_options),
    .fields = fields,
    .build = build,
};

const kfi_layer_class kfi_layer_lstm_cell = {
    KFI_CELL_CLASS("LSTMCell", cell_options),
    .fields = cell_fields,
    .cell = &cell_class,
};

kf_layer *kf_lstm_create(const kf_lstm_options *options) {
    return kfi_layer_new(&kfi_layer_lstm, options);
}

kf_layer *kf_lstm_cell_create(const kf_lstm_cell_options *options) {
    return kfi_layer_new(&kfi_layer_lstm_cell, options);
}
