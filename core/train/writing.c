/* The part that all passes share: sources, the model itself, the targets' sources. */
#include "core/train/writing.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

static kf_shape batch_shape(int64_t rows, const kf_shape *sample) {
    kf_shape shape = {.rank = sample->rank + 1};
    shape.dims[0] = rows;
    memcpy(shape.dims + 1, sample->dims, (size_t)sample->rank * sizeof *sample->dims);
    return shape;
}

static kf_status write_inputs(kfi_writing *writing) {
    for (int32_t i = 0; i < writing->ports->n_inputs; i++) {
        const kfi_port *port = &writing->ports->items[i];
        const int64_t fixed = writing->training->model->inputs[i]->shape.dims[0];
        if (fixed != KF_ANY && writing->rows != KF_ANY && fixed != writing->rows)
            return kfi_fail(KF_INVALID, "%s has a fixed batch size of %lld, got a batch of %lld",
                            port->name, (long long)fixed, (long long)writing->rows);
        const kf_shape shape =
            batch_shape(writing->rows == KF_ANY ? fixed : writing->rows, &port->shape);
        writing->sources[i] = kfi_source(writing->formula, port->name, port->dtype, &shape);
    }
    return KF_OK;
}

/* A target has its output's shape, or that of labels for it. */
static kf_status write_target(kfi_writing *writing, int32_t at) {
    const kfi_port *port = &writing->ports->items[at];
    kf_shape shape = kfi_type(writing->formula, writing->out[port->index])->shape;
    if (port->dtype == KF_INT32 && shape.rank > 0) shape.dims[shape.rank - 1] = 1;
    const kf_shape given = batch_shape(writing->rows, &port->shape);
    if (writing->rows != KF_ANY && !kfi_shape_equal(&shape, &given))
        return kfi_fail(KF_INVALID,
                        "Error when checking target: expected %s to have shape %s but got array "
                        "with shape %s",
                        port->name, kfi_shape_string(&shape), kfi_shape_string(&given));
    writing->sources[at] = kfi_source(writing->formula, port->name, port->dtype, &shape);
    writing->y_true[port->index] = writing->sources[at];
    return KF_OK;
}

static kf_status write_weights(kfi_writing *writing, int32_t at) {
    const kfi_port *port = &writing->ports->items[at];
    const kf_shape shape = batch_shape(writing->rows, &port->shape);
    writing->sources[at] = kfi_source(writing->formula, port->name, port->dtype, &shape);
    writing->weights[port->index] = writing->sources[at];
    return KF_OK;
}

static kf_status allocate(kfi_writing *writing) {
    const kf_model *model = writing->training->model;
    const kfi_compiled *compiled = writing->training->compiled;
    const size_t n_outputs = (size_t)model->n_outputs;
    const size_t n_places = (size_t)model->n_inputs + (size_t)(compiled ? compiled->n_weights : 0);
    const size_t n_names = (size_t)(compiled ? compiled->n_names : 0);
    writing->out = kfi_alloc(n_outputs, sizeof *writing->out);
    writing->out_mask = kfi_alloc(n_outputs, sizeof *writing->out_mask);
    writing->y_true = kfi_alloc(n_outputs, sizeof *writing->y_true);
    writing->weights = kfi_alloc(n_outputs, sizeof *writing->weights);
    writing->results = kfi_alloc(n_outputs + n_places + n_names, sizeof *writing->results);
    writing->places = kfi_alloc(n_places, sizeof *writing->places);
    if (!writing->out || !writing->out_mask || !writing->y_true || !writing->weights ||
        !writing->results || !writing->places)
        return KF_MEMORY;
    for (size_t i = 0; i < n_outputs; i++) writing->weights[i] = KFI_NONE;
    return KF_OK;
}

kf_status kfi_writing_run(kfi_writing *writing) {
    writing->hyper = KFI_NONE;
    kf_status status = allocate(writing);
    if (status == KF_OK) status = write_inputs(writing);
    if (status == KF_OK) status = kfi_formula_status(writing->formula);
    if (status == KF_OK)
        status = kfi_model_lower(writing->training->model, writing->formula, writing->sources, NULL,
                                 writing->out, writing->out_mask);
    for (int32_t i = writing->ports->n_inputs; i < writing->ports->n && status == KF_OK; i++)
        status = writing->ports->items[i].is_weight ? write_weights(writing, i)
                                                    : write_target(writing, i);
    if (status != KF_OK) return status;
    writing->mode->write(writing);
    return kfi_formula_status(writing->formula);
}

void kfi_writing_free(kfi_writing *writing) {
    kfi_free(writing->out);
    kfi_free(writing->out_mask);
    kfi_free(writing->y_true);
    kfi_free(writing->weights);
    kfi_free(writing->results);
    kfi_free(writing->places);
}
