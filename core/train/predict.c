/* kf_predict: outputs of all rows, in order, into arrays or to a sink. */
#include "core/train/deferred.h"
#include "core/train/evaluate.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

/* --- sinks ------------------------------------------------------------------------------------ */

typedef struct arrays {
    const kfi_pass *pass;
    float *const *outputs;
} arrays;

/* A sink that collects all rows. */
static kf_status collect(void *context, int32_t output, int64_t first_row, int64_t rows,
                         const float *values) {
    const arrays *into = context;
    if (!into->outputs[output]) return KF_OK;
    const kf_shape *shape = &kfi_plan_result(into->pass->plan, output)->shape;
    const size_t per_row = (size_t)(kfi_shape_count(shape) / rows);
    memcpy(into->outputs[output] + (size_t)first_row * per_row, values,
           (size_t)rows * per_row * sizeof *values);
    return KF_OK;
}

/* An integer output (a model that hands on its input) becomes floats on the way. */
static kf_status deliver(const kfi_array *result, kf_sink sink, void *context, int32_t output,
                         int64_t first_row, int64_t rows) {
    if (result->dtype == KF_FLOAT32) return sink(context, output, first_row, rows, result->data);
    const int64_t count = kfi_shape_count(&result->shape);
    float *values = kfi_alloc((size_t)count, sizeof *values);
    if (!values) return KF_MEMORY;
    for (int64_t i = 0; i < count; i++) values[i] = (float)((const int32_t *)result->data)[i];
    const kf_status status = sink(context, output, first_row, rows, values);
    kfi_free(values);
    return status;
}

/* --- going through the rows ------------------------------------------------------------------- */

typedef struct predicting {
    kfi_training *training;
    kfi_supply *supply;
    kfi_run_options run;
    kfi_callbacks callbacks;
    kf_sink sink;
    void *context;
    arrays into;
    int64_t rows; /* so far */
} predicting;

static kf_status predict_batch(predicting *predict, const kfi_supply_batch *batch) {
    kfi_pass *pass = NULL;
    kf_status status =
        kfi_pass_for(predict->training, &kfi_mode_predict, batch->ports, batch->rows, &pass);
    if (status == KF_OK)
        status = kfi_pass_run(predict->training, pass, batch->data, &batch->where, &predict->run);
    predict->into.pass = pass;
    for (int32_t i = 0; status == KF_OK && i < predict->training->model->n_outputs; i++)
        status = deliver(kfi_plan_result(pass->plan, i), predict->sink, predict->context, i,
                         predict->rows, batch->rows);
    predict->rows += batch->rows;
    return status;
}

static kf_status predict_all(predicting *predict) {
    kfi_supply_batch batch;
    kf_status status = predict->supply->start(predict->supply, 0, 0);
    while (status == KF_OK && (status = predict->supply->next(predict->supply, &batch)) == KF_OK &&
           batch.rows > 0) {
        status = kfi_callbacks_batch_begin(&predict->callbacks, batch.index, batch.rows);
        if (status == KF_OK) status = predict_batch(predict, &batch);
        if (status == KF_OK)
            status = kfi_callbacks_batch_end(&predict->callbacks, batch.index, batch.rows, NULL, 0);
        if (status == KF_OK && atomic_load(&predict->training->stop))
            status = kfi_fail(KF_STOPPED, "stopped at batch %lld", (long long)batch.index);
    }
    return status;
}

kf_status kfi_predict_supply(kfi_training *training, kfi_supply *supply,
                             const kf_run_options *options, kf_sink sink, void *context) {
    predicting predict = {.training = training,
                          .supply = supply,
                          .run = {.workers = options->threads},
                          .callbacks = {training->model, options->callbacks},
                          .sink = sink,
                          .context = context};
    return predict_all(&predict);
}

static kf_status run(kf_model *model, kf_dataset *data, predicting *predict,
                     const kf_run_options *options) {
    kf_run_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kfi_reader_feed feed = {0};
    predict->run = (kfi_run_options){.workers = given.threads};
    predict->callbacks = (kfi_callbacks){model, given.callbacks};
    predict->supply = &feed.supply;
    kf_status status = kfi_deferred_build(model, data);
    if (status == KF_OK) status = kfi_training_of(model, &predict->training);
    if (status == KF_OK)
        status = kfi_reader_for(predict->training, &kfi_mode_predict, data, &given, &feed);
    if (status == KF_OK) status = predict_all(predict);
    kfi_reader_close(&feed.reader);
    return status;
}

kf_status kf_predict_with(kf_model *model, kf_dataset *data, float *const *outputs,
                          const kf_run_options *options) {
    predicting arrays_of = {.sink = collect, .into = {.outputs = outputs}};
    arrays_of.context = &arrays_of.into;
    return run(model, data, &arrays_of, options);
}

kf_status kf_predict_to(kf_model *model, kf_dataset *data, kf_sink sink, void *context,
                        const kf_run_options *options) {
    return run(model, data, &(predicting){.sink = sink, .context = context}, options);
}
