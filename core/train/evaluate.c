/* kf_evaluate: the loss and metrics, averaged over the samples as Keras's test_loop does. */
#include "core/train/evaluate.h"

#include "core/train/deferred.h"

#include "core/base/memory.h"
#include "core/base/status.h"

static kf_status test_batch(kfi_training *training, const kfi_supply_batch *batch,
                            const kfi_run_options *run, kf_log *logs) {
    kfi_pass *pass = NULL;
    kf_status status = kfi_pass_for(training, &kfi_mode_test, batch->ports, batch->rows, &pass);
    if (status == KF_OK) status = kfi_pass_run(training, pass, batch->data, &batch->where, run);
    for (int32_t i = 0; i < training->compiled->n_names && status == KF_OK; i++)
        logs[i] = (kf_log){training->compiled->names[i], kfi_pass_value(pass, i)};
    return status;
}

static kf_status test_all(kfi_training *training, kfi_supply *supply, const kfi_run_options *run,
                          const kfi_callbacks *callbacks, kf_log *logs, double *sums,
                          int64_t *seen) {
    const int32_t n = training->compiled->n_names;
    const int before = atomic_load(&training->stop); /* a fit that ends may validate once more */
    kfi_supply_batch batch;
    kf_status status = KF_OK;
    while (status == KF_OK && (status = supply->next(supply, &batch)) == KF_OK && batch.rows > 0) {
        status = kfi_callbacks_batch_begin(callbacks, batch.index, batch.rows);
        if (status == KF_OK) status = test_batch(training, &batch, run, logs);
        if (status != KF_OK) return status;
        for (int32_t i = 0; i < n; i++) sums[i] += logs[i].value * (double)batch.rows;
        *seen += batch.rows;
        status = kfi_callbacks_batch_end(callbacks, batch.index, batch.rows, logs, n);
        if (status == KF_OK && atomic_load(&training->stop) != before)
            status = kfi_fail(KF_STOPPED, "stopped at batch %lld", (long long)batch.index);
    }
    return status;
}

kf_status kfi_evaluate(kfi_training *training, kfi_supply *supply, int32_t epoch,
                       const kfi_run_options *run, const kfi_callbacks *callbacks, double *values) {
    const int32_t n = training->compiled->n_names;
    int64_t seen = 0;
    kf_log *logs = kfi_alloc((size_t)n, sizeof *logs);
    double *sums = kfi_alloc((size_t)n, sizeof *sums);
    kf_status status = logs && sums ? KF_OK : KF_MEMORY;
    if (status == KF_OK) status = supply->start(supply, epoch, 0);
    if (status == KF_OK) status = test_all(training, supply, run, callbacks, logs, sums, &seen);
    for (int32_t i = 0; i < n && status == KF_OK; i++) values[i] = sums[i] / (double)seen;
    kfi_free(logs);
    kfi_free(sums);
    return status;
}

kf_status kfi_reader_for(kfi_training *training, const kfi_mode *mode, kf_dataset *data,
                         const kf_run_options *options, kfi_reader_feed *feed) {
    if (!data) return kfi_fail(KF_USAGE, "the dataset is NULL");
    kfi_ports ports;
    kfi_feed fields;
    kf_status status = kfi_ports_of(training, mode->targets, &ports);
    if (status == KF_OK) status = kfi_feed_match(&ports, data, &fields);
    if (status == KF_OK && options->steps == 0)
        status = kfi_check_stateful(training->model, data->samples, options->batch_size);
    if (status != KF_OK) return status;
    atomic_store(&training->stop, KFI_GO);
    training->progress =
        (kfi_progress_state){.samples = options->steps > 0 ? options->steps : data->samples,
                             .counts_steps = options->steps > 0};
    status = kfi_reader_open(&feed->reader, &fields, 0, data->samples, options->batch_size,
                             options->data_workers, options->max_queue_size);
    if (status == KF_OK)
        status = kfi_reader_repeat(&feed->reader, options->steps, options->batch_size, "steps");
    if (status == KF_OK) kfi_reader_supply(feed);
    return status;
}

kf_status kf_evaluate_with(kf_model *model, kf_dataset *data, double *values,
                           const kf_run_options *options) {
    kf_run_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kfi_training *training = NULL;
    kfi_reader_feed feed = {0};
    kf_status status = kfi_deferred_build(model, data);
    if (status == KF_OK) status = kfi_training_compiled(model, &training);
    if (status == KF_OK) status = kfi_reader_for(training, &kfi_mode_test, data, &given, &feed);
    if (status == KF_OK && feed.reader.count == 0)
        status = kfi_fail(KF_INVALID, "the data has no samples");
    const kfi_callbacks callbacks = {model, given.callbacks};
    if (status == KF_OK)
        status = kfi_evaluate(training, &feed.supply, 0,
                              &(kfi_run_options){.workers = given.threads}, &callbacks, values);
    kfi_reader_close(&feed.reader);
    return status;
}
