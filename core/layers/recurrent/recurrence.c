/* Writing a recurrent layer: its inputs put in order, then all steps as one op where the cell has
 * one that does it, else step by step, then outputs and states.
 *
 * Masks, as Keras on TensorFlow has it: a step that is masked keeps all states, and its output is
 * the first state, which for all cells here is the output of the step before. Unrolled, the output
 * before the first step is zero, even if there is an initial state. */
#include "core/layers/recurrent/recurrence.h"

#include "core/base/memory.h"

#include <string.h>

/* --- building --------------------------------------------------------------------------------- */

static kf_status refuse_stateful(void) {
    return kfi_fail(
        KF_INVALID,
        "If a RNN is stateful, it needs to know its batch size. Specify the batch size of your "
        "input tensors: \n- If using a Sequential model, specify the batch size by passing a "
        "`batch_input_shape` argument to your first layer.\n- If using the functional API, specify "
        "the batch size by passing a `batch_shape` argument to your Input layer.");
}

static kf_status refuse_unroll(void) {
    return kfi_fail(
        KF_INVALID,
        "Cannot unroll a RNN if the time dimension is undefined. \n- If using a Sequential model, "
        "specify the time dimension by passing an `input_shape` or `batch_input_shape` argument to "
        "your first layer. If your first layer is an Embedding, you can also use the "
        "`input_length` argument.\n- If using the functional API, specify the time dimension by "
        "passing a `shape` or `batch_shape` argument to your Input layer.");
}

kf_status kfi_recurrent_refuse_unroll(void) {
    return kfi_fail(KF_INVALID, "Unrolling isn't possible with convolutional RNNs.");
}

/* The shape of one time step. */
static kf_shape step_shape(const kf_shape *sequence) {
    kf_shape step = {.rank = sequence->rank - 1, .dims = {sequence->dims[0]}};
    for (int i = 1; i < step.rank; i++) step.dims[i] = sequence->dims[i + 1];
    return step;
}

static kf_status keep_states(kfi_recurrent *recurrent, int32_t first, const kf_shape *shape,
                             int32_t n) {
    kf_status status = kfi_shape_count(shape) < 0 ? refuse_stateful() : KF_OK;
    for (int32_t i = first; i < first + n && status == KF_OK; i++)
        status = kfi_weight_new("state", shape, &recurrent->states[i]);
    return status;
}

/* Weights, cell by cell: the states of one are the inputs of the next. */
static kf_status build_cells(kfi_recurrent *recurrent, kf_shape x) {
    int32_t first = recurrent->n_states;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < recurrent->n_cells && status == KF_OK; i++) {
        kfi_cell *cell = &recurrent->cells[i];
        status = cell->class->build(cell, &x);
        if (status != KF_OK) break;
        x = cell->class->state_shape(cell, &x);
        first -= cell->class->n_states;
        if (recurrent->states) status = keep_states(recurrent, first, &x, cell->class->n_states);
    }
    return status;
}

static kf_status make_recurrent(kf_layer *layer, const kfi_recurrent_flags *flags,
                                const kfi_cell *cells, int32_t n_cells) {
    kfi_recurrent *recurrent = kfi_alloc(1, sizeof *recurrent);
    if (!recurrent) return KF_MEMORY;
    layer->extra = recurrent;
    recurrent->flags = *flags;
    recurrent->cells = kfi_alloc((size_t)n_cells, sizeof *cells);
    if (!recurrent->cells) return KF_MEMORY;
    recurrent->n_cells = n_cells;
    for (int32_t i = 0; i < n_cells; i++) {
        recurrent->cells[i] = cells[i];
        recurrent->cells[i].layer = layer;
        recurrent->n_states += cells[i].class->n_states;
    }
    if (!flags->stateful) return KF_OK;
    recurrent->states = kfi_alloc((size_t)recurrent->n_states, sizeof *recurrent->states);
    return recurrent->states ? KF_OK : KF_MEMORY;
}

kf_status kfi_recurrent_build(kf_layer *layer, const kfi_array *in,
                              const kfi_recurrent_flags *flags, const kfi_cell *cells,
                              int32_t n_cells) {
    const int rank = cells[0].class->rank;
    const kf_shape *x = &in[0].shape;
    kf_status status = kfi_input_ndim(layer, x, rank);
    if (status == KF_OK && flags->unroll && x->dims[1] == KF_ANY) status = refuse_unroll();
    if (status == KF_OK && flags->stateful && x->dims[0] == KF_ANY) status = refuse_stateful();
    if (status != KF_OK) return status;
    status = make_recurrent(layer, flags, cells, n_cells);
    if (status != KF_OK) return status;
    kfi_recurrent *recurrent = layer->extra;
    recurrent->rank = rank;
    if (1 + recurrent->n_states > KFI_LAYER_MAX_OUTPUTS)
        return kfi_fail(KF_INVALID, "%d states are more than the %d that a layer can have",
                        recurrent->n_states, KFI_LAYER_MAX_OUTPUTS - 1);
    return build_cells(recurrent, step_shape(x));
}

void kfi_recurrent_free(kf_layer *layer) {
    kfi_recurrent *recurrent = layer->extra;
    if (!recurrent) return;
    for (int32_t i = 0; recurrent->states && i < recurrent->n_states; i++)
        kfi_weight_free(recurrent->states[i]);
    kfi_free(recurrent->states);
    kfi_free(recurrent->cells);
    kfi_free(recurrent);
}

int32_t kfi_recurrent_states(const kf_layer *layer, kf_weight *const **states) {
    const kfi_recurrent *recurrent = layer->extra;
    *states = recurrent ? recurrent->states : NULL;
    return *states ? recurrent->n_states : 0;
}

bool kfi_recurrent_whole_batch(const kf_layer *layer) {
    const kfi_recurrent *recurrent = layer->extra;
    return recurrent && recurrent->states;
}

/* --- inputs ----------------------------------------------------------------------------------- */

/* One call while it is written. States are in Keras's order throughout. */
typedef struct writing {
    kfi_layer_call *call;
    kfi_recurrent *recurrent;
    kfi_formula *formula;
    kfi_cell_run *runs; /* by cell */
    int32_t n_given;    /* initial states among the inputs; after them come constants */
    kf_shape shape;     /* of the inputs */
    kfi_value x, mask;  /* in the order of processing */
    kfi_value states[KFI_LAYER_MAX_OUTPUTS];
    kf_shape state_shapes[KFI_LAYER_MAX_OUTPUTS];
    kfi_value y; /* the outputs of all steps, or none if only the last is asked for */
} writing;

static kf_status check_states(const writing *write) {
    const kfi_layer_call *call = write->call;
    const int32_t given = write->n_given, expected = write->recurrent->n_states;
    if (given != expected)
        return kfi_fail(KF_INVALID, "Layer has %d states but was passed %d initial states.",
                        expected, given);
    for (int32_t i = 0; i < given; i++) {
        const kf_shape shape = kfi_input_shape(call, i + 1);
        const kfi_shape_text wanted = kfi_shape_print(&write->state_shapes[i]);
        if (!kfi_shape_fits(&shape, &write->state_shapes[i]))
            return kfi_fail(KF_INVALID,
                            "An `initial_state` was passed that is not compatible with "
                            "`cell.state_size`: state %d must have shape %s, got %s",
                            i, wanted.text, kfi_shape_string(&shape));
    }
    return KF_OK;
}

static kf_status check_input(const writing *write) {
    const kf_layer *layer = write->call->layer;
    kf_status status = kfi_input_ndim(layer, &write->shape, write->recurrent->rank);
    if (status == KF_OK) status = kfi_input_floats(write->call);
    if (status == KF_OK && write->shape.dims[1] == 0)
        status = kfi_fail(KF_INVALID, "the sequence has no time steps");
    if (status == KF_OK && write->recurrent->states && write->shape.dims[0] == KF_ANY &&
        !kfi_formula_symbolic(write->formula))
        status = refuse_stateful();
    const kfi_value given = kfi_call_mask(write->call);
    if (status != KF_OK || kfi_is_none(given)) return status;
    const kf_shape mask = kfi_type(write->formula, given)->shape;
    if (mask.rank == 2) return KF_OK;
    return kfi_fail(KF_INVALID, "a mask must have shape (batch, time), got %s",
                    kfi_shape_string(&mask));
}

/* Those of the call, else those of the batch before, else zeros (KFI_NONE). */
static void take_states(writing *write) {
    const kfi_recurrent *recurrent = write->recurrent;
    for (int32_t i = 0; i < recurrent->n_states; i++) {
        write->states[i] = KFI_NONE;
        if (write->n_given > 0)
            write->states[i] = write->call->in[i + 1];
        else if (recurrent->states)
            write->states[i] = kfi_weight_value(write->formula, recurrent->states[i]);
    }
}

static void take_inputs(writing *write) {
    write->x = write->call->in[0];
    write->mask = kfi_call_mask(write->call);
    if (!write->recurrent->flags.go_backwards) return;
    write->x = kfi_emit(write->formula, "reverse", &(kfi_along){1}, write->x);
    if (!kfi_is_none(write->mask))
        write->mask = kfi_emit(write->formula, "reverse", &(kfi_along){1}, write->mask);
}

/* The weights' values in this formula, masks for dropout, and the shapes of all states. */
static void begin_cells(writing *write) {
    const kfi_recurrent *recurrent = write->recurrent;
    kf_shape x = step_shape(&write->shape);
    int32_t first = recurrent->n_states;
    for (int32_t i = 0; i < recurrent->n_cells; i++) {
        const kfi_cell *cell = &recurrent->cells[i];
        kfi_cell_run *run = &write->runs[i];
        *run = (kfi_cell_run){.cell = cell, .formula = write->formula, .recurrent_bias = KFI_NONE};
        run->kernel = kfi_layer_weight_value(write->call, cell->kernel);
        run->recurrent_kernel = kfi_layer_weight_value(write->call, cell->recurrent_kernel);
        run->bias = cell->bias < 0 ? KFI_NONE : kfi_layer_weight_value(write->call, cell->bias);
        if (cell->class->begin) cell->class->begin(run, &x);
        x = cell->class->state_shape(cell, &x);
        first -= cell->class->n_states;
        for (int32_t s = 0; s < cell->class->n_states; s++) write->state_shapes[first + s] = x;
    }
}

/* --- step by step ----------------------------------------------------------------------------- */

/* All steps of a sequence (batch, time, …) as values (batch, …): halves of halves, so that the
 * gradients of all steps come together in log2(time) sums and not in one of `time` summands that
 * are each as large as the whole sequence. */
static void split_time(kfi_formula *f, kfi_value x, int64_t steps, const kf_shape *step,
                       kfi_value *out) {
    if (steps == 1) {
        *out = kfi_reshape_free(f, x, step);
        return;
    }
    const kfi_slice first = {.axis = 1, .start = 0, .size = steps / 2};
    const kfi_slice second = {.axis = 1, .start = first.size, .size = steps - first.size};
    split_time(f, kfi_emit(f, "slice", &first, x), first.size, step, out);
    split_time(f, kfi_emit(f, "slice", &second, x), second.size, step, out + first.size);
}

/* The steps [0, steps) of the sequence; a symbolic formula sees only the first. */
static void split_inputs(const writing *write, int64_t steps, kfi_value *x, kfi_value *mask) {
    kfi_formula *f = write->formula;
    kfi_value sequence = write->x, mask_sequence = write->mask;
    const kf_shape step = step_shape(&write->shape), one = KFI_SHAPE(write->shape.dims[0]);
    if (steps != write->shape.dims[1]) {
        const kfi_slice first = {.axis = 1, .start = 0, .size = steps};
        sequence = kfi_emit(f, "slice", &first, sequence);
        if (mask) mask_sequence = kfi_emit(f, "slice", &first, mask_sequence);
    }
    split_time(f, sequence, steps, &step, x);
    if (mask) split_time(f, mask_sequence, steps, &one, mask);
}

/* Steps at the start that have no state begin with zeros. */
static kfi_value zeros(kfi_formula *f, const kf_shape *shape) {
    return kfi_formula_symbolic(f) ? kfi_source(f, "zeros", KF_FLOAT32, shape)
                                   : kfi_fill(f, shape, 0);
}

/* All cells at one time step; each one's output is the next one's input. */
static void write_step(writing *write, kfi_value x, kfi_value mask) {
    const kfi_recurrent *recurrent = write->recurrent;
    kfi_value next[KFI_LAYER_MAX_OUTPUTS];
    int32_t first = recurrent->n_states;
    memcpy(next, write->states, sizeof next);
    for (int32_t i = 0; i < recurrent->n_cells; i++) {
        const kfi_cell_class *class = recurrent->cells[i].class;
        first -= class->n_states;
        class->step(&write->runs[i], x, next + first);
        x = next[first];
    }
    for (int32_t i = 0; i < recurrent->n_states; i++)
        write->states[i] = kfi_is_none(mask) ? next[i]
                                             : kfi_emit(write->formula, "select", NULL, mask,
                                                        next[i], write->states[i]);
}

/* Output values (batch, …) put together along the time axis. */
static kfi_value join_time(kfi_formula *f, kfi_value *steps, int64_t n, const kf_shape *shape) {
    kf_shape one = {.rank = shape->rank + 1, .dims = {shape->dims[0], 1}};
    for (int i = 1; i < shape->rank; i++) one.dims[i + 1] = shape->dims[i];
    for (int64_t t = 0; t < n; t++) steps[t] = kfi_reshape_free(f, steps[t], &one);
    return kfi_emit_list(f, "concatenate", &(kfi_slice){.axis = 1}, steps, (int)n, NULL);
}

/* Whether a masked first step gives zeros though there are states. */
static bool unrolls_mask(const writing *write) {
    const bool has_states = write->n_given > 0 || write->recurrent->states;
    return !kfi_is_none(write->mask) && write->recurrent->flags.unroll && has_states;
}

static void write_steps_into(writing *write, int64_t n, kfi_value *x, kfi_value *mask,
                             kfi_value *y) {
    const bool unrolled_mask = unrolls_mask(write);
    split_inputs(write, n, x, mask);
    for (int32_t i = 0; i < write->recurrent->n_states; i++)
        if (kfi_is_none(write->states[i]))
            write->states[i] = zeros(write->formula, &write->state_shapes[i]);
    kfi_value before = unrolled_mask ? zeros(write->formula, &write->state_shapes[0]) : KFI_NONE;
    for (int64_t t = 0; t < n; t++) {
        write_step(write, x[t], mask ? mask[t] : KFI_NONE);
        y[t] = write->states[0];
        if (unrolled_mask)
            before = y[t] = kfi_emit(write->formula, "select", NULL, mask[t], y[t], before);
    }
}

static kf_status write_steps(writing *write) {
    kfi_formula *f = write->formula;
    const bool symbolic = kfi_formula_symbolic(f);
    const int64_t n = symbolic ? 1 : write->shape.dims[1];
    const bool has_mask = !kfi_is_none(write->mask);
    kfi_value *values = kfi_alloc((size_t)n, 3 * sizeof *values);
    if (!values) return KF_MEMORY;
    kfi_value *x = values, *mask = has_mask ? values + n : NULL, *y = values + 2 * n;
    write_steps_into(write, n, x, mask, y);
    write->call->out[0] = y[n - 1];
    if (write->recurrent->flags.return_sequences) {
        kf_shape whole = {.rank = write->state_shapes[0].rank + 1,
                          .dims = {write->shape.dims[0], write->shape.dims[1]}};
        for (int i = 2; i < whole.rank; i++) whole.dims[i] = write->state_shapes[0].dims[i - 1];
        write->call->out[0] = symbolic ? kfi_source(f, "sequence", KF_FLOAT32, &whole)
                                       : join_time(f, y, n, &write->state_shapes[0]);
    }
    kfi_free(values);
    return KF_OK;
}

/* --- all at once ------------------------------------------------------------------------------ */

static bool knows_all_at_once(const writing *write) {
    const kfi_recurrent *recurrent = write->recurrent;
    for (int32_t i = 0; i < recurrent->n_cells; i++) {
        const kfi_cell_class *class = recurrent->cells[i].class;
        if (!class->write_all || !class->can_write_all(&write->runs[i])) return false;
    }
    return !unrolls_mask(write);
}

/* Cells with an op for all steps, if these ops do everything asked for here: one cell after the
 * other, the outputs of one at all steps being the inputs of the next. */
static bool write_all_at_once(writing *write) {
    const kfi_recurrent *recurrent = write->recurrent;
    kfi_sequence all = {.x = write->x, .mask = write->mask};
    int32_t first = recurrent->n_states;
    if (!knows_all_at_once(write)) return false;
    for (int32_t i = 0; i < recurrent->n_cells; i++) {
        const kfi_cell_class *class = recurrent->cells[i].class;
        first -= class->n_states;
        all.states = write->states + first;
        class->write_all(&write->runs[i], &all);
        all.x = all.y;
    }
    write->call->out[0] = recurrent->flags.return_sequences ? all.y : write->states[0];
    return true;
}

/* --- outputs ---------------------------------------------------------------------------------- */

static void give_outputs(const writing *write) {
    const kfi_recurrent *recurrent = write->recurrent;
    kfi_layer_call *call = write->call;
    if (!recurrent->flags.return_sequences) call->out_mask[0] = KFI_NONE;
    if (recurrent->flags.return_state) {
        call->n_out = 1 + recurrent->n_states;
        for (int32_t i = 0; i < recurrent->n_states; i++) call->out[i + 1] = write->states[i];
    }
    for (int32_t i = 0; recurrent->states && i < recurrent->n_states; i++)
        kfi_assign(write->formula, recurrent->states[i], write->states[i]);
}

static kf_status write_checked(writing *write) {
    begin_cells(write);
    kf_status status = write->n_given != 0 ? check_states(write) : KF_OK;
    if (status != KF_OK) return status;
    take_inputs(write);
    take_states(write);
    if (!write_all_at_once(write)) status = write_steps(write);
    if (status == KF_OK) give_outputs(write);
    return status;
}

kf_status kfi_recurrent_call(kfi_layer_call *call) {
    kfi_recurrent *recurrent = call->layer->extra;
    writing write = {.call = call,
                     .recurrent = recurrent,
                     .formula = call->formula,
                     .n_given = call->n_in - 1 - kfi_layer_constants(call->layer),
                     .shape = kfi_input_shape(call, 0)};
    kf_status status = check_input(&write);
    if (status != KF_OK) return status;
    write.runs = kfi_alloc((size_t)recurrent->n_cells, sizeof *write.runs);
    if (!write.runs) return KF_MEMORY;
    status = write_checked(&write);
    kfi_free(write.runs);
    return status;
}
