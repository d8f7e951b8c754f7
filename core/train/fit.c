/* kf_fit: epochs of batches, as Keras 2.2.4's fit_loop goes through them. A run is a function of
 * the seed and the data alone. */
#include "core/train/evaluate.h"
#include "core/train/history.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

/* Marks the random streams of shuffling among those of the graph's seed. */
enum { SHUFFLE_STREAM = 0x5f1e };

typedef struct fitting {
    kfi_training *training;
    kf_fit_options options; /* with defaults filled in */
    kfi_run_options run;
    kfi_callbacks callbacks;
    kfi_reader train, validation;
    bool validates;
    kf_log *logs;     /* metrics_names, then the same of the validation */
    char **val_names; /* "val_loss" … */
    double *sums;     /* over the epoch so far, weighted by rows */
    int32_t n_names;
    int64_t seen; /* rows of this epoch so far */
} fitting;

/* --- options ---------------------------------------------------------------------------------- */

static kf_status check_options(kf_fit_options *options) {
    if (options->epochs < 0)
        return kfi_fail(KF_USAGE, "epochs must be positive, got %d", options->epochs);
    if (options->initial_epoch < 0)
        return kfi_fail(KF_USAGE, "initial_epoch must not be negative, got %d",
                        options->initial_epoch);
    if (!(options->validation_split >= 0 && options->validation_split < 1))
        return kfi_fail(KF_USAGE, "validation_split must be from 0 up to less than 1, got %g",
                        (double)options->validation_split);
    if (options->epochs == 0) options->epochs = 1;
    if (!options->shuffle) options->shuffle = "true";
    const char *kind = options->shuffle;
    if (strcmp(kind, "true") != 0 && strcmp(kind, "batch") != 0 && strcmp(kind, "false") != 0)
        return kfi_fail(KF_USAGE, "shuffle must be one of true, batch, false; got '%s'", kind);
    return KF_OK;
}

/* --- set-up ----------------------------------------------------------------------------------- */

/* The validation rows are the last ones, before any shuffling. int(int(n) * (1. - split)) */
static int64_t training_rows(const kf_fit_options *options, int64_t samples) {
    if (options->validation_data || options->validation_split == 0) return samples;
    return (int64_t)((double)samples * (1.0 - kfi_as_typed(options->validation_split)));
}

static kf_status open_reader(const fitting *fit, const kfi_feed *feed, int64_t first, int64_t count,
                             kfi_reader *reader) {
    return kfi_reader_open(reader, feed, first, count, fit->options.batch_size,
                           fit->options.data_workers, fit->options.max_queue_size);
}

static kf_status open_validation(fitting *fit, const kfi_ports *ports, const kfi_feed *feed,
                                 int64_t split) {
    kf_dataset *data = fit->options.validation_data;
    fit->validates = data || fit->options.validation_split > 0;
    if (!data)
        return open_reader(fit, feed, split, feed->dataset->samples - split, &fit->validation);
    kfi_feed own;
    kf_status status = kfi_within(kfi_feed_match(ports, data, &own), "validation data: ");
    if (status == KF_OK) status = open_reader(fit, &own, 0, data->samples, &fit->validation);
    if (status == KF_OK && data->samples == 0)
        status = kfi_fail(KF_INVALID, "the validation data has no samples");
    return status;
}

static kf_status open_readers(fitting *fit, kf_dataset *data) {
    if (!data) return kfi_fail(KF_USAGE, "the dataset is NULL");
    if (data->samples == 0) return kfi_fail(KF_INVALID, "the data has no samples");
    kfi_ports ports;
    kfi_feed feed;
    const int64_t split = training_rows(&fit->options, data->samples);
    kf_status status = kfi_ports_of(fit->training, true, &ports);
    if (status == KF_OK) status = kfi_feed_match(&ports, data, &feed);
    if (status == KF_OK) status = open_reader(fit, &feed, 0, split, &fit->train);
    if (status == KF_OK) status = open_validation(fit, &ports, &feed, split);
    fit->training->progress =
        (kfi_progress_state){.samples = split,
                             .validation_samples = fit->validates ? fit->validation.count : 0,
                             .epochs = fit->options.epochs};
    return status;
}

static kf_status make_logs(fitting *fit) {
    const kfi_compiled *compiled = fit->training->compiled;
    const size_t n = (size_t)compiled->n_names;
    fit->n_names = compiled->n_names;
    fit->logs = kfi_alloc(2 * n, sizeof *fit->logs);
    fit->sums = kfi_alloc(n, sizeof *fit->sums);
    fit->val_names = kfi_alloc(n, sizeof *fit->val_names);
    if (!fit->logs || !fit->sums || !fit->val_names) return KF_MEMORY;
    for (size_t i = 0; i < n; i++) {
        fit->val_names[i] = kfi_format("val_%s", compiled->names[i]);
        if (!fit->val_names[i]) return KF_MEMORY;
        fit->logs[i].name = compiled->names[i];
        fit->logs[n + i].name = fit->val_names[i];
    }
    return KF_OK;
}

static void release(fitting *fit) {
    kfi_reader_close(&fit->train);
    kfi_reader_close(&fit->validation);
    for (int32_t i = 0; fit->val_names && i < fit->n_names; i++) kfi_free(fit->val_names[i]);
    kfi_free(fit->val_names);
    kfi_free(fit->logs);
    kfi_free(fit->sums);
}

/* --- an epoch --------------------------------------------------------------------------------- */

static bool is_stopped(const fitting *fit) { return atomic_load(&fit->training->stop); }

static kf_status train_batch(fitting *fit, const kfi_batch *batch) {
    kfi_pass *pass = NULL;
    const kfi_rows rows = kfi_reader_rows(&fit->train, batch);
    kf_status status = kfi_callbacks_batch_begin(&fit->callbacks, batch->index, batch->rows);
    if (status == KF_OK)
        status = kfi_pass_for(fit->training, &kfi_mode_train, &fit->train.feed.ports, batch->rows,
                              &pass);
    if (status == KF_OK) status = kfi_pass_run(fit->training, pass, batch->data, &rows, &fit->run);
    if (status != KF_OK) return status;
    for (int32_t i = 0; i < fit->n_names; i++) {
        fit->logs[i].value = kfi_pass_value(pass, i);
        fit->sums[i] += fit->logs[i].value * (double)batch->rows;
    }
    fit->seen += batch->rows;
    return kfi_callbacks_batch_end(&fit->callbacks, batch->index, batch->rows, fit->logs,
                                   fit->n_names);
}

static kfi_random shuffle_stream(const fitting *fit, int32_t epoch) {
    kfi_random random = kfi_graph_random(fit->training->model->graph);
    if (fit->options.seed) random.key = fit->options.seed;
    return kfi_random_fold(kfi_random_fold(random, SHUFFLE_STREAM), (uint64_t)epoch);
}

static kf_status train_batches(fitting *fit, int32_t epoch) {
    fit->seen = 0;
    memset(fit->sums, 0, (size_t)fit->n_names * sizeof *fit->sums);
    kf_status status =
        kfi_reader_shuffle(&fit->train, fit->options.shuffle, shuffle_stream(fit, epoch));
    if (status == KF_OK) status = kfi_reader_start(&fit->train);
    const kfi_batch *batch;
    while (status == KF_OK && (status = kfi_reader_next(&fit->train, &batch)) == KF_OK && batch) {
        status = train_batch(fit, batch);
        if (is_stopped(fit)) break;
    }
    return status;
}

/* Averages of the epoch; *n_logs grows by as many. A stop, or no training at all, skips it. */
static kf_status validate(fitting *fit, int32_t *n_logs) {
    static kf_callback *const none[KF_MAX_CALLBACKS];
    if (!fit->validates || is_stopped(fit) || fit->seen == 0) return KF_OK;
    double *values = kfi_alloc((size_t)fit->n_names, sizeof *values);
    if (!values) return KF_MEMORY;
    const kf_status status = kfi_evaluate(fit->training, &fit->validation, &fit->run,
                                          &(kfi_callbacks){fit->callbacks.model, none}, values);
    for (int32_t i = 0; i < fit->n_names && status == KF_OK; i++)
        fit->logs[fit->n_names + i].value = values[i];
    kfi_free(values);
    if (status == KF_OK) *n_logs += fit->n_names;
    return status == KF_STOPPED ? KF_OK : status;
}

static kf_status run_epoch(fitting *fit, int32_t epoch) {
    int32_t n_logs = 0;
    kf_status status = kfi_callbacks_epoch_begin(&fit->callbacks, epoch);
    if (status == KF_OK) status = train_batches(fit, epoch);
    if (status == KF_OK && fit->seen > 0) {
        n_logs = fit->n_names;
        for (int32_t i = 0; i < n_logs; i++) fit->logs[i].value = fit->sums[i] / (double)fit->seen;
        status = validate(fit, &n_logs);
    }
    if (status == KF_OK)
        status = kfi_callbacks_epoch_end(&fit->callbacks, epoch, fit->logs, n_logs);
    if (status == KF_OK && fit->options.history)
        status = kfi_history_append(fit->options.history, fit->logs, n_logs);
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static kf_status run_epochs(fitting *fit) {
    kf_status status = kfi_callbacks_train_begin(&fit->callbacks);
    for (int32_t epoch = fit->options.initial_epoch;
         epoch < fit->options.epochs && status == KF_OK && !is_stopped(fit); epoch++)
        status = run_epoch(fit, epoch);
    return status == KF_OK ? kfi_callbacks_train_end(&fit->callbacks) : status;
}

kf_status kf_fit_with(kf_model *model, kf_dataset *data, const kf_fit_options *options) {
    fitting fit = {0};
    kfi_options_copy(&fit.options, sizeof fit.options, options);
    fit.run.workers = fit.options.threads;
    fit.callbacks = (kfi_callbacks){model, fit.options.callbacks};
    kf_status status = kfi_training_compiled(model, &fit.training);
    if (status == KF_OK) status = check_options(&fit.options);
    if (status == KF_OK) status = open_readers(&fit, data);
    if (status == KF_OK) status = make_logs(&fit);
    if (status == KF_OK) {
        if (fit.options.history) kfi_history_clear(fit.options.history);
        atomic_store(&fit.training->stop, 0);
        status = run_epochs(&fit);
    }
    release(&fit);
    return status;
}
