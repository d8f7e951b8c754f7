/* One batch from arrays in memory: train, test, predict, and the passes that change nothing. */
#include "core/train/budget.h"
#include "core/train/deferred.h"
#include "core/train/pass.h"
#include "core/train/sample_weights.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

/* The arrays in the ports' types. */
typedef struct one_batch {
    kfi_training *training;
    kf_dataset *dataset;
    kfi_feed feed;
    kfi_class_weights classes;
    int64_t rows;
    void *data[KFI_MAX_BATCH_FIELDS];
    kfi_pass *pass;
} one_batch;

static void release(one_batch *batch) {
    for (int32_t i = 0; i < batch->feed.ports.n; i++)
        if (!batch->feed.given[i])
            kfi_free_buffer(batch->data[i], (size_t)batch->rows * batch->feed.row_bytes[i]);
    kf_dataset_free(batch->dataset);
    kfi_class_weights_free(&batch->classes);
}

/* Keras compares inputs with targets before anything else. */
static kf_status check_lengths(const kfi_training *training, const kf_array *arrays, int32_t n) {
    const int32_t n_inputs = training->model->n_inputs;
    if (n <= n_inputs || n_inputs == 0) return KF_OK;
    for (int32_t i = 0; i < n; i++)
        if (arrays[i].name || arrays[i].shape.rank == 0) return KF_OK;
    const int64_t inputs = arrays[0].shape.dims[0], targets = arrays[n_inputs].shape.dims[0];
    if (inputs == targets) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "Input arrays should have the same number of samples as target arrays. Found "
                    "%lld input samples and %lld target samples.",
                    (long long)inputs, (long long)targets);
}

/* Weights by class are for training alone, as in Keras. */
static kf_status weigh(one_batch *batch, const kf_batch_options *options) {
    kf_batch_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kf_status status =
        kfi_class_weights_resolve(batch->training, given.class_weight, &batch->classes);
    if (status == KF_OK) status = kfi_feed_weigh(&batch->feed, &batch->classes);
    if (status == KF_OK)
        kfi_class_weights_warn(batch->training->model->graph, batch->feed.unweighed);
    return status;
}

/* An array of the port's type serves as it is; others are converted. */
static kf_status find_data(one_batch *batch, int32_t port, const kf_array *arrays) {
    const int32_t field = batch->feed.fields[port];
    const kf_array *array = field >= 0 ? &arrays[field] : NULL;
    const kf_dtype dtype = batch->feed.ports.items[port].dtype;
    if (array && array->dtype == dtype && (uintptr_t)array->data % kf_dtype_size(dtype) == 0) {
        batch->feed.given[port] = true;
        batch->data[port] = (void *)array->data; /* plans do not write to what they are fed */
        return KF_OK;
    }
    batch->data[port] = kfi_alloc_buffer((size_t)batch->rows * batch->feed.row_bytes[port]);
    return batch->data[port] ? KF_OK : KF_MEMORY;
}

static kf_status read_arrays(one_batch *batch, const kfi_mode *mode, const kf_array *arrays,
                             int32_t n_arrays, const kf_batch_options *options) {
    kfi_ports ports;
    kf_status status = kfi_ports_of(batch->training, mode->targets, &ports);
    if (status == KF_OK) status = check_lengths(batch->training, arrays, n_arrays);
    if (status != KF_OK) return status;
    batch->dataset = kf_dataset_arrays(arrays, n_arrays);
    if (!batch->dataset) return kf_last_status();
    batch->rows = batch->dataset->samples;
    if (batch->rows == 0) return kfi_fail(KF_INVALID, "the batch has no samples");
    status = kfi_feed_match(&ports, batch->dataset, &batch->feed);
    if (status == KF_OK && options) status = weigh(batch, options);
    for (int32_t i = 0; i < batch->feed.ports.n && status == KF_OK; i++)
        status = find_data(batch, i, arrays);
    return status == KF_OK ? kfi_feed_read(&batch->feed, &(kfi_rows){0}, batch->rows, batch->data)
                           : status;
}

/* Everything before the run. */
static kf_status prepare(kf_model *model, const kfi_mode *mode, const kf_array *arrays,
                         int32_t n_arrays, const kf_batch_options *options, one_batch *batch) {
    *batch = (one_batch){0};
    kf_status status = kfi_deferred_build_for(model, arrays, n_arrays);
    if (status == KF_OK)
        status = mode->targets ? kfi_training_compiled(model, &batch->training)
                               : kfi_training_of(model, &batch->training);
    if (status == KF_OK) status = read_arrays(batch, mode, arrays, n_arrays, options);
    if (status == KF_OK)
        status = kfi_pass_for(batch->training, mode, &batch->feed.ports, batch->rows, &batch->pass);
    return status;
}

static kf_status run_pass(one_batch *batch) {
    return kfi_pass_run(batch->training, batch->pass, batch->data, &(kfi_rows){0},
                        &(kfi_run_options){0});
}

/* Runs one pass; its results are in batch->pass until release. */
static kf_status run(kf_model *model, const kfi_mode *mode, const kf_array *arrays,
                     int32_t n_arrays, const kf_batch_options *options, one_batch *batch) {
    const kf_status status = prepare(model, mode, arrays, n_arrays, options, batch);
    return status == KF_OK ? run_pass(batch) : status;
}

/* --- values ----------------------------------------------------------------------------------- */

static kf_status run_for_values(kf_model *model, const kfi_mode *mode, const kf_array *arrays,
                                int32_t n_arrays, double *values, const kf_batch_options *options) {
    one_batch batch;
    const kf_status status = run(model, mode, arrays, n_arrays, options, &batch);
    for (int32_t i = 0; status == KF_OK && values && i < batch.training->compiled->n_names; i++)
        values[i] = kfi_pass_value(batch.pass, i);
    release(&batch);
    return status;
}

kf_status kf_train_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                            double *values) {
    return run_for_values(model, &kfi_mode_train, arrays, n_arrays, values, NULL);
}

kf_status kf_train_on_batch_with(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                 double *values, const kf_batch_options *options) {
    return run_for_values(model, &kfi_mode_train, arrays, n_arrays, values, options);
}

kf_status kf_test_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                           double *values) {
    return run_for_values(model, &kfi_mode_test, arrays, n_arrays, values, NULL);
}

/* --- outputs ---------------------------------------------------------------------------------- */

static void copy_floats(const kfi_array *from, float *to) {
    const int64_t count = kfi_shape_count(&from->shape);
    if (from->dtype == KF_FLOAT32)
        memcpy(to, from->data, (size_t)count * sizeof *to);
    else
        for (int64_t i = 0; i < count; i++) to[i] = (float)((const int32_t *)from->data)[i];
}

/* Whether memory is among the arrays that the run reads in place. */
static bool is_read(const one_batch *batch, const void *memory, size_t bytes) {
    const uintptr_t first = (uintptr_t)memory;
    for (int32_t i = 0; i < batch->feed.ports.n; i++) {
        const uintptr_t from = (uintptr_t)batch->data[i];
        const size_t size = (size_t)batch->rows * batch->feed.row_bytes[i];
        if (batch->feed.given[i] && first < from + size && from < first + bytes) return true;
    }
    return false;
}

/* Whether the run writes the output straight to where it is wanted. */
static bool takes_floats(const one_batch *batch, int32_t output, float *to) {
    const kfi_array *result = kfi_plan_result(batch->pass->plan, output);
    const size_t bytes = (size_t)kfi_shape_count(&result->shape) * sizeof *to;
    return result->dtype == KF_FLOAT32 && !is_read(batch, to, bytes) &&
           kfi_plan_send(batch->pass->plan, output, to);
}

static kf_status run_for_outputs(kf_model *model, const kfi_mode *mode, const kf_array *arrays,
                                 int32_t n_arrays, float *const *outputs) {
    one_batch batch;
    kf_status status = prepare(model, mode, arrays, n_arrays, NULL, &batch);
    bool sent[KF_MAX_OUTPUTS] = {false};
    for (int32_t i = 0; status == KF_OK && i < model->n_outputs && i < KF_MAX_OUTPUTS; i++)
        sent[i] = outputs[i] && takes_floats(&batch, i, outputs[i]);
    if (status == KF_OK) status = run_pass(&batch);
    for (int32_t i = 0; status == KF_OK && i < model->n_outputs; i++)
        if (outputs[i] && (i >= KF_MAX_OUTPUTS || !sent[i]))
            copy_floats(kfi_plan_result(batch.pass->plan, i), outputs[i]);
    for (int32_t i = 0; i < KF_MAX_OUTPUTS; i++)
        if (sent[i]) kfi_plan_send(batch.pass->plan, i, NULL);
    release(&batch);
    return status;
}

kf_status kf_predict_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                              float *const *outputs) {
    return run_for_outputs(model, &kfi_mode_predict, arrays, n_arrays, outputs);
}

kf_status kf_forward_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                              float *const *outputs) {
    return run_for_outputs(model, &kfi_mode_forward, arrays, n_arrays, outputs);
}

/* --- gradients -------------------------------------------------------------------------------- */

/* Where no gradient flows it is 0. */
static void copy_gradient(const kfi_pass *pass, int32_t place, int64_t count, float *out) {
    if (pass->results[place] < 0)
        memset(out, 0, (size_t)count * sizeof *out);
    else
        copy_floats(kfi_plan_result(pass->plan, pass->results[place]), out);
}

kf_status kf_gradients_with(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                            float *const *by_weight, float *const *by_input,
                            const kf_batch_options *options) {
    one_batch batch;
    const kf_status status = run(model, &kfi_mode_gradients, arrays, n_arrays, options, &batch);
    const kfi_compiled *compiled = status == KF_OK ? batch.training->compiled : NULL;
    for (int32_t i = 0; compiled && by_weight && i < compiled->n_weights; i++)
        if (by_weight[i]) copy_gradient(batch.pass, i, compiled->weights[i]->count, by_weight[i]);
    for (int32_t i = 0; compiled && by_input && i < model->n_inputs; i++) {
        const int64_t count = batch.rows * kfi_shape_count(&batch.feed.ports.items[i].shape);
        if (by_input[i]) copy_gradient(batch.pass, compiled->n_weights + i, count, by_input[i]);
    }
    release(&batch);
    return status;
}

kf_status kf_gradients(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                       float *const *by_weight, float *const *by_input) {
    return kf_gradients_with(model, arrays, n_arrays, by_weight, by_input, NULL);
}

/* --- memory ----------------------------------------------------------------------------------- */

kf_status kf_planned_peak(kf_model *model, int64_t batch_size, size_t *bytes) {
    kfi_training *training = NULL;
    kfi_ports ports;
    kfi_pass *pass = NULL;
    kf_status status = kfi_training_compiled(model, &training);
    if (status == KF_OK && batch_size < 1)
        status = kfi_fail(KF_USAGE, "batch_size must be positive, got %lld", (long long)batch_size);
    if (status == KF_OK) status = kfi_ports_of(training, true, &ports);
    for (int32_t i = 0; status == KF_OK && i < ports.n; i++)
        if (kfi_shape_count(&ports.items[i].shape) < 0)
            status = kfi_fail(KF_USAGE, "%s has shape %s: its size depends on the data",
                              ports.items[i].name, kfi_shape_string(&ports.items[i].shape));
    if (status == KF_OK)
        status = kfi_pass_for(training, &kfi_mode_train, &ports, batch_size, &pass);
    if (status == KF_OK) *bytes = kfi_budget_need(pass->plan);
    return status;
}
