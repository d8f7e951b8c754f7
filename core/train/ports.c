/* Matching data to inputs and targets. The messages are those of Keras 2.2.4's
 * standardize_input_data. */
#include "core/train/sample_weights.h"

#include "core/base/status.h"

#include <string.h>

static kf_shape sample_shape(const kf_shape *shape) {
    kf_shape sample = {.rank = shape->rank > 0 ? shape->rank - 1 : 0};
    memcpy(sample.dims, shape->dims + 1, (size_t)sample.rank * sizeof *sample.dims);
    return sample;
}

static kfi_port input_port(const kf_model *model, int32_t index) {
    const kf_tensor *input = model->inputs[index];
    return (kfi_port){.name = kf_model_input_name(model, index),
                      .dtype = input->dtype,
                      .shape = sample_shape(&input->shape),
                      .index = index};
}

static kfi_port target_port(const kf_model *model, const kfi_target *target, int32_t index) {
    const kfi_measure *loss = target->loss;
    kfi_port port = {.name = kf_model_output_name(model, index),
                     .dtype = loss->labels ? KF_INT32 : KF_FLOAT32,
                     .shape = sample_shape(&model->outputs[index]->shape),
                     .is_target = true,
                     .is_temporal = target->is_temporal,
                     .index = index};
    if (loss->labels && port.shape.rank > 0) port.shape.dims[port.shape.rank - 1] = 1;
    return port;
}

kf_status kfi_ports_of(const kfi_training *training, bool with_targets, kfi_ports *ports) {
    const kf_model *model = training->model;
    const int32_t most = model->n_inputs + (with_targets ? model->n_outputs : 0);
    if (most > KFI_MAX_BATCH_FIELDS)
        return kfi_fail(KF_INVALID, "%s has %d inputs and targets, at most %d are supported",
                        kf_model_name(model), most, KFI_MAX_BATCH_FIELDS);
    ports->n = ports->n_inputs = model->n_inputs;
    for (int32_t i = 0; i < model->n_inputs; i++) ports->items[i] = input_port(model, i);
    for (int32_t i = 0; with_targets && i < model->n_outputs; i++) {
        const kfi_target *target = &training->compiled->targets[i];
        if (target->loss) ports->items[ports->n++] = target_port(model, target, i);
    }
    return KF_OK;
}

/* --- which field goes where ------------------------------------------------------------------- */

static kf_status missing(const kfi_ports *ports, const kf_dataset *dataset, const char *name) {
    kfi_name_list needed = {""}, given = {""};
    for (int32_t i = 0; i < ports->n; i++) kfi_name_list_add(&needed, ports->items[i].name);
    for (int32_t i = 0; i < dataset->n_fields; i++)
        if (dataset->fields[i].name) kfi_name_list_add(&given, dataset->fields[i].name);
    return kfi_fail(KF_INVALID,
                    "No data provided for \"%s\". Need data for each key in: [%s], the data has "
                    "[%s]",
                    name, needed.text, given.text);
}

static kf_status wrong_number(const kfi_ports *ports, int32_t n_fields) {
    kfi_name_list needed = {""};
    for (int32_t i = 0; i < ports->n; i++) kfi_name_list_add(&needed, ports->items[i].name);
    return kfi_fail(KF_INVALID,
                    "Error when checking model %s: the list of arrays that you are passing to your "
                    "model is not the size the model expected. Expected to see %d array(s), for "
                    "[%s], but instead got %d",
                    n_fields < ports->n_inputs ? "input" : "target", ports->n, needed.text,
                    n_fields);
}

static bool has_names(const kf_dataset *dataset) {
    for (int32_t i = 0; i < dataset->n_fields; i++)
        if (dataset->fields[i].name) return true;
    return false;
}

/* Data that also has targets may be predicted on: what follows the inputs is left alone. Behind the
 * targets there may be as many weights. */
static kf_status find_fields(const kfi_ports *ports, const kf_dataset *dataset, int32_t *fields) {
    const bool named = has_names(dataset);
    const int32_t n_targets = ports->n - ports->n_inputs, more = dataset->n_fields - ports->n;
    if (!named && (more < 0 || (n_targets > 0 && more != 0 && more != n_targets)))
        return wrong_number(ports, dataset->n_fields);
    for (int32_t i = 0; i < ports->n; i++) {
        fields[i] = named ? kfi_dataset_find(dataset, ports->items[i].name) : i;
        if (fields[i] < 0) return missing(ports, dataset, ports->items[i].name);
    }
    return KF_OK;
}

/* --- shapes ----------------------------------------------------------------------------------- */

/* Whether `longer` is `shorter` with an axis of 1 at its end. */
static bool has_one_more(const kf_shape *longer, const kf_shape *shorter) {
    if (longer->rank != shorter->rank + 1) return false;
    const int64_t last = longer->dims[longer->rank - 1];
    kf_shape cut = *longer;
    cut.rank--;
    return (last == 1 || last == KF_ANY) && kfi_shape_fits(&cut, shorter);
}

/* The port's shape with its free dimensions as the data has them; data and port may differ by an
 * axis of 1 at the end. */
static bool adapt(kf_shape *port, const kf_shape *data) {
    const bool fits = port->rank == data->rank && kfi_shape_fits(port, data);
    if (!fits && !has_one_more(port, data) && !has_one_more(data, port)) return false;
    for (int32_t i = 0; i < port->rank; i++)
        if (port->dims[i] == KF_ANY) port->dims[i] = i < data->rank ? data->dims[i] : 1;
    return true;
}

static kf_status wrong_shape(const kfi_port *port, const kf_shape *data, const char *hint) {
    const char *side = port->is_target ? "target" : "input";
    if (port->shape.rank != data->rank && data->rank > 0) {
        kf_shape whole = {.rank = data->rank < KF_MAX_RANK ? data->rank + 1 : data->rank};
        whole.dims[0] = KF_ANY;
        memcpy(whole.dims + 1, data->dims, (size_t)(whole.rank - 1) * sizeof *whole.dims);
        return kfi_fail(KF_INVALID,
                        "Error when checking %s: expected %s to have %d dimensions, but got array "
                        "with shape %s%s",
                        side, port->name, port->shape.rank + 1, kfi_shape_string(&whole), hint);
    }
    const kf_shape one = data->rank ? *data : KFI_SHAPE(1);
    return kfi_fail(KF_INVALID,
                    "Error when checking %s: expected %s to have shape %s but got array with shape "
                    "%s%s",
                    side, port->name, kfi_shape_string(&port->shape), kfi_shape_string(&one), hint);
}

/* One-hot targets are expected and class numbers came. */
static bool looks_like_labels(const kfi_port *port, const kf_shape *data) {
    return port->is_target && port->dtype == KF_FLOAT32 &&
           (data->rank == 0 || data->dims[data->rank - 1] == 1);
}

kf_status kfi_feed_match(const kfi_ports *ports, kf_dataset *dataset, kfi_feed *feed) {
    *feed = (kfi_feed){.dataset = dataset, .ports = *ports};
    const kf_status status = find_fields(ports, dataset, feed->fields);
    if (status != KF_OK) return status;
    for (int32_t i = 0; i < ports->n; i++) {
        kfi_port *port = &feed->ports.items[i];
        const kf_shape *data = &dataset->fields[feed->fields[i]].shape;
        if (!adapt(&port->shape, data))
            return wrong_shape(port, data,
                               looks_like_labels(port, data)
                                   ? "; if your targets are integer classes, use the loss "
                                     "sparse_categorical_crossentropy"
                                   : "");
        feed->row_bytes[i] = (size_t)kfi_shape_count(&port->shape) * kf_dtype_size(port->dtype);
    }
    return kfi_sample_weights_match(feed);
}

kf_status kfi_feed_read(const kfi_feed *feed, const kfi_rows *where, int64_t rows,
                        void *const *data) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < feed->ports.n && status == KF_OK; i++) {
        const kfi_request what = {.field = feed->fields[i],
                                  .start = where->first,
                                  .rows = rows,
                                  .as = feed->ports.items[i].dtype,
                                  .epoch = where->epoch};
        if (what.field < 0 || feed->given[i]) continue;
        status = where->order ? kfi_dataset_gather(feed->dataset, &what, where->order, data[i])
                              : kfi_dataset_read(feed->dataset, &what, data[i]);
    }
    return status == KF_OK ? kfi_class_weights_fill(feed, rows, data) : status;
}
