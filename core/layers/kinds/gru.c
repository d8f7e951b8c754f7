/* GRU, gates z, r, h:
 *
 *     z = s(x Kz + h Rz + bz)    r = s(x Kr + h Rr + br)    h' = z h + (1 - z) hh
 *     hh = activation(x Kh + (r h) Rh + bh)              Keras's default
 *     hh = activation(x Kh + bh + r (h Rh + ch))         reset_after; z and r have a c too
 *
 * With implementation 2 dropout of the states reaches the h of the last formula, too. */
#include "core/layers/recurrent/recurrence.h"

typedef kf_gru_cell_options cell_options;
typedef kf_gru_options layer_options;

/* --- the cell --------------------------------------------------------------------------------- */

static kf_status build_cell(kfi_cell *cell, const kf_shape *x) {
    const cell_options *options = cell->options;
    const kf_shape bias =
        options->reset_after ? KFI_SHAPE(2, 3 * options->units) : KFI_SHAPE(3 * options->units);
    return kfi_dense_build(cell, x, 3, &bias);
}

static kfi_value bias_row(kfi_cell_run *run, kfi_value bias, int32_t row) {
    const cell_options *options = run->cell->options;
    const kfi_slice one = {.axis = 0, .start = row, .size = 1};
    return kfi_reshape(run->formula, kfi_emit(run->formula, "slice", &one, bias),
                       &KFI_SHAPE(3 * options->units));
}

/* h_part: by gate with masks, else that of z and r together and that of h. */
static void begin(kfi_cell_run *run, const kf_shape *x) {
    const cell_options *options = run->cell->options;
    kfi_dense_begin(run, x, 3, options->implementation == 2);
    if (options->reset_after && !kfi_is_none(run->bias)) {
        const kfi_value both = run->bias;
        run->bias = bias_row(run, both, 0);
        run->recurrent_bias = bias_row(run, both, 1);
    }
}

static kfi_value gate(kfi_cell_run *run, kfi_value x_part, kfi_value h_part) {
    const cell_options *options = run->cell->options;
    const kfi_value z = kfi_emit(run->formula, "add", NULL, x_part, h_part);
    return kfi_activate(run->formula, options->recurrent_activation, z);
}

static kfi_value candidate(kfi_cell_run *run, kfi_value x_part, kfi_value h_part) {
    const cell_options *options = run->cell->options;
    const kfi_value z = kfi_emit(run->formula, "add", NULL, x_part, h_part);
    return kfi_activate(run->formula, options->activation, z);
}

/* z, r and hh from the columns of x, where r comes after the product. */
static void reset_after(kfi_cell_run *run, kfi_value x, kfi_value h, kfi_value gates[3]) {
    kfi_formula *f = run->formula;
    kfi_value inner = kfi_dense_states(run, h);
    if (!kfi_is_none(run->recurrent_bias))
        inner = kfi_emit(f, "bias_add", NULL, inner, run->recurrent_bias);
    for (int32_t i = 0; i < 2; i++)
        gates[i] = gate(run, kfi_gate_columns(run, x, i, 1), kfi_gate_columns(run, inner, i, 1));
    const kfi_value reset =
        kfi_emit(f, "multiply", NULL, gates[1], kfi_gate_columns(run, inner, 2, 1));
    gates[2] = candidate(run, kfi_gate_columns(run, x, 2, 1), reset);
}

/* h with the mask of a gate, if it has one of its own. */
static kfi_value masked_state(kfi_cell_run *run, kfi_value h, int32_t i) {
    return run->n_h_masks > 1 ? kfi_cell_masked(run->formula, h, run->h_mask[i]) : h;
}

static kfi_value recurrent_part(kfi_cell_run *run, int32_t i) {
    return run->n_h_masks > 1 ? run->h_part[i] : kfi_gate_columns(run, run->recurrent_kernel, i, 1);
}

static kfi_value state_product(kfi_cell_run *run, kfi_value h, int32_t i) {
    return kfi_emit(run->formula, "matmul", &(kfi_matmul){0}, h, recurrent_part(run, i));
}

static void reset_before(kfi_cell_run *run, kfi_value x, kfi_value h, kfi_value gates[3]) {
    for (int32_t i = 0; i < 2; i++)
        gates[i] = gate(run, kfi_gate_columns(run, x, i, 1),
                        state_product(run, masked_state(run, h, i), i));
    const kfi_value reset =
        kfi_emit(run->formula, "multiply", NULL, gates[1], masked_state(run, h, 2));
    gates[2] = candidate(run, kfi_gate_columns(run, x, 2, 1), state_product(run, reset, 2));
}

static void step(kfi_cell_run *run, kfi_value x, kfi_value *states) {
    const cell_options *options = run->cell->options;
    kfi_formula *f = run->formula;
    kfi_value z = kfi_dense_inputs(run, x), gates[3];
    kfi_cell_run own = *run;
    if (run->n_h_masks == 1) { /* applied here, once for all */
        states[0] = kfi_cell_masked(f, states[0], run->h_mask[0]);
        own.n_h_masks = 0;
    }
    (options->reset_after ? reset_after : reset_before)(&own, z, states[0], gates);
    const kfi_value kept = kfi_emit(f, "multiply", NULL, gates[0], states[0]);
    const kfi_value rest = kfi_emit(f, "affine", (&(kfi_affine){-1, 1}), gates[0]);
    states[0] = kfi_emit(f, "add", NULL, kept, kfi_emit(f, "multiply", NULL, rest, gates[2]));
}

static kfi_fusion fusion_of(const kfi_cell_run *run) {
    const cell_options *options = run->cell->options;
    return (kfi_fusion){
        .op = "gru",
        .activation = options->activation,
        .gate_activation = options->recurrent_activation,
        .reset_after = options->reset_after,
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
    KFI_CELL_GATE_FIELD(cell_options, "hard_sigmoid", 3),
    KFI_CELL_WEIGHT_FIELDS(cell_options, 4),
    KFI_CELL_REGULARIZER_FIELDS(cell_options, 8),
    KFI_CELL_CONSTRAINT_FIELDS(cell_options, 11),
    KFI_CELL_DROPOUT_FIELDS(cell_options, 14),
    KFI_CELL_IMPLEMENTATION_FIELD(cell_options, 16),
    KFI_FIELD(cell_options, reset_after, "reset_after", kfi_field_bool, .otherwise = "False",
              .position = 17, .help = "the reset gate comes after the product"),
    KFI_FIELDS_END,
};

static const kfi_field fields[] = {
    KFI_RECURRENT_FLAG_FIELDS(layer_options, 18),
    KFI_CELL_UNITS_FIELD(layer_options, 1),
    KFI_CELL_ACTIVATION_FIELD(layer_options, 2),
    KFI_CELL_GATE_FIELD(layer_options, "hard_sigmoid", 3),
    KFI_CELL_WEIGHT_FIELDS(layer_options, 4),
    KFI_CELL_REGULARIZER_FIELDS(layer_options, 8),
    KFI_CELL_ACTIVITY_FIELD(layer_options, 11),
    KFI_CELL_CONSTRAINT_FIELDS(layer_options, 12),
    KFI_CELL_DROPOUT_FIELDS(layer_options, 15),
    KFI_CELL_IMPLEMENTATION_FIELD(layer_options, 17),
    KFI_FIELD(layer_options, reset_after, "reset_after", kfi_field_bool, .otherwise = "False",
              .position = 23, .help = "the reset gate comes after the product"),
    KFI_FIELDS_END,
};

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const layer_options *options = layer->options;
    const kfi_cell cell = {.class = &cell_class, .options = options};
    return kfi_recurrent_build(layer, in, &KFI_RECURRENT_FLAGS(options), &cell, 1);
}

const kfi_layer_class kfi_layer_gru = {
    KFI_RECURRENT_CLASS("GRU", layer_options),
    .fields = fields,
    .build = build,
};

const kfi_layer_class kfi_layer_gru_cell = {
    KFI_CELL_CLASS("GRUCell", cell_options),
    .fields = cell_fields,
    .cell = &cell_class,
};

kf_layer *kf_gru_create(const kf_gru_options *options) {
    return kfi_layer_new(&kfi_layer_gru, options);
}

kf_layer *kf_gru_cell_create(const kf_gru_cell_options *options) {
    return kfi_layer_new(&kfi_layer_gru_cell, options);
}
