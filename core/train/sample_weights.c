/* The rules and messages are those of Keras 2.2.4's standardize_weights. */
#include "core/train/sample_weights.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- ports ------------------------------------------------------------------------------------ */

/* Keras shows the shapes of whole arrays. */
static kf_shape whole_shape(int64_t samples, const kf_shape *sample) {
    kf_shape whole = {.rank = sample->rank + 1, .dims = {samples}};
    for (int32_t i = 0; i < sample->rank && i + 1 < KF_MAX_RANK; i++)
        whole.dims[i + 1] = sample->dims[i];
    return whole;
}

static kf_status check_shape(const kfi_feed *feed, const kfi_port *target, const kf_shape *given) {
    const kf_shape whole = whole_shape(feed->dataset->samples, given);
    const kf_shape y = whole_shape(feed->dataset->samples, &target->shape);
    if (target->is_temporal && given->rank != 1)
        return kfi_fail(KF_INVALID,
                        "%s: Found a sample_weight array with shape %s. In order to use "
                        "timestep-wise sample weighting, you should pass a 2D sample_weight array.",
                        target->name, kfi_shape_string(&whole));
    if (!target->is_temporal && given->rank != 0)
        return kfi_fail(KF_INVALID,
                        "%s: Found a sample_weight array with shape %s. In order to use "
                        "timestep-wise sample weights, you should specify "
                        "sample_weight_mode=\"temporal\" in kf_compile; if you just mean to use "
                        "sample-wise weights, make sure your sample_weight array is 1D.",
                        target->name, kfi_shape_string(&whole));
    if (target->is_temporal && given->dims[0] != target->shape.dims[0])
        return kfi_fail(KF_INVALID,
                        "%s: Found a sample_weight array with shape %s for an input with shape %s. "
                        "sample_weight cannot be broadcast.",
                        target->name, kfi_shape_string(&whole), kfi_shape_string(&y));
    return KF_OK;
}

static kf_status add_port(kfi_feed *feed, const kfi_port *target, int32_t field) {
    kfi_ports *ports = &feed->ports;
    if (ports->n == KFI_MAX_BATCH_FIELDS)
        return kfi_fail(KF_INVALID, "at most %d inputs, targets and weights are supported",
                        KFI_MAX_BATCH_FIELDS);
    kfi_port port = {
        .name = target->name, .dtype = KF_FLOAT32, .is_weight = true, .index = target->index};
    if (target->is_temporal) port.shape = (kf_shape){.rank = 1, .dims = {target->shape.dims[0]}};
    feed->fields[ports->n] = field;
    feed->row_bytes[ports->n] = (size_t)kfi_shape_count(&port.shape) * sizeof(float);
    ports->items[ports->n++] = port;
    return KF_OK;
}

static int32_t count_targets(const kfi_ports *ports) {
    int32_t n = 0;
    for (int32_t i = 0; i < ports->n; i++) n += ports->items[i].is_target;
    return n;
}

/* The field of one target's weights; -1: there is none. */
static kf_status find_field(const kfi_feed *feed, const char *target, int32_t n_targets,
                            int32_t *field) {
    char *name = kfi_format("%s_sample_weight", target);
    if (!name) return KF_MEMORY;
    *field = kfi_dataset_find(feed->dataset, name);
    if (*field < 0 && n_targets == 1) *field = kfi_dataset_find(feed->dataset, "sample_weight");
    kfi_free(name);
    return KF_OK;
}

static bool has_names(const kf_dataset *dataset) {
    for (int32_t i = 0; i < dataset->n_fields; i++)
        if (dataset->fields[i].name) return true;
    return false;
}

static kf_status check_temporal(const kfi_feed *feed, const kfi_port *target) {
    if (!target->is_temporal || target->shape.rank >= 2) return KF_OK;
    const kf_shape y = whole_shape(feed->dataset->samples, &target->shape);
    return kfi_fail(KF_INVALID,
                    "%s: Found a sample_weight array for an input with shape %s. Timestep-wise "
                    "sample weighting (use of sample_weight_mode=\"temporal\") is restricted to "
                    "outputs that are at least 3D, i.e. that have a time dimension.",
                    target->name, kfi_shape_string(&y));
}

kf_status kfi_sample_weights_match(kfi_feed *feed) {
    const int32_t n = feed->ports.n, n_targets = count_targets(&feed->ports);
    const bool named = has_names(feed->dataset);
    const bool follow = !named && feed->dataset->n_fields == n + n_targets;
    kf_status status = KF_OK;
    for (int32_t i = feed->ports.n_inputs; i < n && status == KF_OK; i++) {
        const kfi_port *target = &feed->ports.items[i];
        int32_t field = follow ? i + n_targets : -1;
        status = check_temporal(feed, target);
        if (status == KF_OK && named) status = find_field(feed, target->name, n_targets, &field);
        if (status != KF_OK || field < 0) continue;
        status = check_shape(feed, target, &feed->dataset->fields[field].shape);
        if (status == KF_OK) status = add_port(feed, target, field);
    }
    return status;
}

/* --- weights by class ------------------------------------------------------------------------- */

/* The output that weights are for; -1 with a message. */
static int32_t output_of(const kfi_training *training, const kf_class_weighting *entry) {
    const kf_model *model = training->model;
    const kfi_compiled *compiled = training->compiled;
    kfi_name_list outputs = {""};
    int32_t n_trained = 0, trained = 0;
    for (int32_t i = 0; i < model->n_outputs; i++) {
        const char *name = kf_model_output_name(model, i);
        if (!compiled->targets[i].loss) continue;
        if (entry->output && strcmp(name, entry->output) == 0) return i;
        kfi_name_list_add(&outputs, name);
        n_trained++;
        trained = i;
    }
    if (!entry->output && n_trained == 1) return trained;
    if (entry->output)
        kfi_fail(KF_USAGE,
                 "Unknown entry in class_weight dictionary: \"%s\". Only expected the following "
                 "keys: [%s]",
                 entry->output, outputs.text);
    else
        kfi_fail(KF_USAGE,
                 "The model has multiple outputs, so `class_weight` should say which it is for: "
                 "one of [%s]",
                 outputs.text);
    return -1;
}

static int compare(const void *a, const void *b) {
    const kfi_class_weight *x = a, *y = b;
    if (x->output != y->output) return x->output < y->output ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

void kfi_class_weights_free(kfi_class_weights *weights) {
    kfi_free(weights->items);
    *weights = (kfi_class_weights){0};
}

kf_status kfi_class_weights_resolve(const kfi_training *training, const kf_class_weighting *given,
                                    kfi_class_weights *resolved) {
    *resolved = (kfi_class_weights){0};
    int32_t n = 0;
    for (const kf_class_weighting *list = given; list && list->items; list++) n += list->n;
    if (n == 0) return KF_OK;
    resolved->items = kfi_alloc((size_t)n, sizeof *resolved->items);
    if (!resolved->items) return KF_MEMORY;
    for (const kf_class_weighting *list = given; list->items; list++) {
        const int32_t output = output_of(training, list);
        if (output < 0) return kf_last_status();
        for (int32_t i = 0; i < list->n; i++)
            resolved->items[resolved->n++] =
                (kfi_class_weight){output, (double)list->items[i].label, list->items[i].weight};
    }
    qsort(resolved->items, (size_t)n, sizeof *resolved->items, compare);
    for (int32_t i = 1; i < n; i++)
        if (compare(&resolved->items[i - 1], &resolved->items[i]) == 0)
            return kfi_fail(KF_USAGE, "class_weight has class %g twice", resolved->items[i].label);
    return KF_OK;
}

static bool has_classes(const kfi_class_weights *weights, int32_t output) {
    for (int32_t i = 0; i < weights->n; i++)
        if (weights->items[i].output == output) return true;
    return false;
}

static bool has_weights(const kfi_ports *ports, int32_t output) {
    for (int32_t i = 0; i < ports->n; i++)
        if (ports->items[i].is_weight && ports->items[i].index == output) return true;
    return false;
}

kf_status kfi_feed_weigh(kfi_feed *feed, const kfi_class_weights *weights) {
    const int32_t n = feed->ports.n;
    feed->classes = weights;
    for (int32_t i = 0; i < n; i++) {
        const kfi_port *port = &feed->ports.items[i];
        if (!port->is_target || !has_classes(weights, port->index)) continue;
        if (has_weights(&feed->ports, port->index)) {
            feed->unweighed = port->name; /* as in Keras, class_weight yields */
            continue;
        }
        if (port->shape.rank > 1)
            return kfi_fail(KF_INVALID, "`class_weight` not supported for 3+ dimensional targets.");
        const kf_status status = add_port(feed, port, -1);
        if (status != KF_OK) return status;
    }
    return KF_OK;
}

void kfi_class_weights_warn(const kf_graph *graph, const char *unweighed) {
    if (unweighed)
        kfi_graph_warn(graph,
                       "%s: Found both `sample_weight` and `class_weight`: `class_weight` argument "
                       "will be ignored.",
                       unweighed);
}

/* The class of one row: the place of its largest number, or its only number. */
static double class_of(const kfi_port *target, const void *data, int64_t row) {
    const int64_t n = kfi_shape_count(&target->shape);
    if (target->dtype == KF_INT32) return ((const int32_t *)data)[row * n];
    const float *values = (const float *)data + row * n;
    if (n == 1) return (double)values[0];
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (values[i] > values[best]) best = i;
    return (double)best;
}

static const kfi_class_weight *look_up(const kfi_class_weights *weights, int32_t output,
                                       double label) {
    if (label != label) return NULL;
    const kfi_class_weight key = {.output = output, .label = label};
    return bsearch(&key, weights->items, (size_t)weights->n, sizeof key, compare);
}

/* All classes of the batch that have no weight, in Python's notation of a set. */
static kf_status missing_classes(const kfi_feed *feed, const kfi_port *target, int64_t rows,
                                 const void *data) {
    enum { SHOWN = 8 };
    double missing[SHOWN];
    int n = 0;
    char text[SHOWN * 32] = "";
    for (int64_t row = 0; row < rows && n < SHOWN; row++) {
        const double label = class_of(target, data, row);
        bool known = look_up(feed->classes, target->index, label) != NULL;
        for (int i = 0; i < n; i++) known = known || missing[i] == label;
        if (known) continue;
        missing[n] = label;
        const size_t used = strlen(text);
        const bool whole = target->dtype == KF_FLOAT32 && kfi_shape_count(&target->shape) == 1 &&
                           label == (double)(int64_t)label;
        snprintf(text + used, sizeof text - used, "%s%g%s", n++ ? ", " : "", label,
                 whole ? ".0" : "");
    }
    return kfi_fail(KF_INVALID,
                    "%s: `class_weight` must contain all classes in the data. The classes {%s} "
                    "exist in the data but not in `class_weight`.",
                    target->name, text);
}

static kf_status fill_port(const kfi_feed *feed, const kfi_port *target, int64_t rows,
                           const void *data, float *weights) {
    for (int64_t row = 0; row < rows; row++) {
        const kfi_class_weight *found =
            look_up(feed->classes, target->index, class_of(target, data, row));
        if (!found) return missing_classes(feed, target, rows, data);
        weights[row] = found->weight;
    }
    return KF_OK;
}

/* The place of the port of an output's targets. */
static int32_t target_of(const kfi_ports *ports, int32_t output) {
    int32_t i = ports->n_inputs;
    while (ports->items[i].index != output) i++;
    return i;
}

kf_status kfi_class_weights_fill(const kfi_feed *feed, int64_t rows, void *const *data) {
    kf_status status = KF_OK;
    for (int32_t i = feed->ports.n_inputs; i < feed->ports.n && status == KF_OK; i++) {
        const kfi_port *port = &feed->ports.items[i];
        if (!port->is_weight || feed->fields[i] >= 0) continue;
        const int32_t target = target_of(&feed->ports, port->index);
        status = fill_port(feed, &feed->ports.items[target], rows, data[target], data[i]);
    }
    return status;
}

/* --- checking --------------------------------------------------------------------------------- */

kf_status kfi_sample_weights_check(const kfi_ports *ports, const kfi_rows *where, int64_t rows,
                                   void *const *data) {
    for (int32_t i = ports->n_inputs; i < ports->n; i++) {
        if (!ports->items[i].is_weight) continue;
        const float *weights = data[i];
        const int64_t n = rows * kfi_shape_count(&ports->items[i].shape);
        int64_t at = 0;
        while (at < n && weights[at] == 0) at++;
        if (at == n)
            return kfi_fail(KF_INVALID,
                            "batch %lld: the weights of all its samples for %s are 0, so that it "
                            "has no loss",
                            (long long)where->batch, ports->items[i].name);
    }
    return KF_OK;
}
