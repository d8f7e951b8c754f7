/* kf_fit: what its options mean; the epochs themselves are in fitting.c. */
#include "core/train/deferred.h"
#include "core/train/evaluate.h"
#include "core/train/fit_fields.h"
#include "core/train/fitting.h"
#include "core/train/sample_weights.h"

#include "core/base/status.h"

#include <string.h>

/* Marks the random streams of shuffling among those of the graph's seed. */
enum { SHUFFLE_STREAM = 0x5f1e };

typedef struct fit_call {
    kfi_training *training;
    kf_fit_options options; /* with defaults filled in */
    kfi_class_weights classes;
    kfi_reader_feed train, validation;
    bool validates;
} fit_call;

/* --- options ---------------------------------------------------------------------------------- */

static kf_status check_options(kf_fit_options *options) {
    const kf_status status = kfi_fields_check(kfi_fit_fields, options);
    if (status == KF_INVALID) return kfi_fail(KF_USAGE, "%s", kf_last_error());
    if (options->epochs == 0) options->epochs = 1;
    if (!options->shuffle) options->shuffle = "true";
    return status;
}

/* Keras's rules and words. */
static kf_status check_steps(const kf_fit_options *options) {
    const bool validates = options->validation_data || options->validation_split > 0;
    if (options->validation_steps != 0 && options->steps_per_epoch == 0)
        return kfi_fail(KF_USAGE, "Can only use `validation_steps` when doing step-wise training, "
                                  "i.e. `steps_per_epoch` must be set.");
    if (options->validation_steps != 0 && !validates)
        return kfi_fail(KF_USAGE, "validation_steps is given, but nothing to validate on");
    if (validates && options->steps_per_epoch != 0 && options->validation_steps == 0)
        return kfi_fail(KF_USAGE, "Must specify `validation_steps` to perform validation when "
                                  "doing step-wise training.");
    return KF_OK;
}

/* --- set-up ----------------------------------------------------------------------------------- */

/* The validation rows are the last ones, before any shuffling. int(int(n) * (1. - split)) */
static int64_t training_rows(const kf_fit_options *options, int64_t samples) {
    if (options->validation_data || options->validation_split == 0) return samples;
    return (int64_t)((double)samples * (1.0 - kfi_as_typed(options->validation_split)));
}

static kf_status open_reader(const fit_call *fit, const kfi_feed *feed, int64_t first,
                             int64_t count, kfi_reader *reader) {
    const kf_fit_options *options = &fit->options;
    const bool trains = reader == &fit->train.reader;
    kf_status status = KF_OK;
    if (options->steps_per_epoch == 0)
        status = kfi_check_stateful(fit->training->model, count, options->batch_size);
    if (status == KF_OK)
        status = kfi_reader_open(reader, feed, first, count, options->batch_size,
                                 options->data_workers, options->max_queue_size);
    if (status != KF_OK) return status;
    return kfi_reader_repeat(reader, trains ? options->steps_per_epoch : options->validation_steps,
                             options->batch_size, trains ? "steps_per_epoch" : "validation_steps");
}

static kf_status open_validation(fit_call *fit, const kfi_ports *ports, const kfi_feed *feed,
                                 int64_t split) {
    kf_dataset *data = fit->options.validation_data;
    fit->validates = data || fit->options.validation_split > 0;
    if (!data)
        return open_reader(fit, feed, split, feed->dataset->samples - split,
                           &fit->validation.reader);
    kfi_feed own;
    kf_status status = kfi_within(kfi_feed_match(ports, data, &own), "validation data: ");
    if (status == KF_OK) status = open_reader(fit, &own, 0, data->samples, &fit->validation.reader);
    if (status == KF_OK && data->samples == 0)
        status = kfi_fail(KF_INVALID, "the validation data has no samples");
    return status;
}

static kf_status open_readers(fit_call *fit, kf_dataset *data) {
    if (!data) return kfi_fail(KF_USAGE, "the dataset is NULL");
    if (data->samples == 0) return kfi_fail(KF_INVALID, "the data has no samples");
    kfi_ports ports;
    kfi_feed feed;
    const int64_t split = training_rows(&fit->options, data->samples);
    kf_status status = kfi_ports_of(fit->training, true, &ports);
    if (status == KF_OK) status = kfi_feed_match(&ports, data, &feed);
    if (status == KF_OK)
        status = kfi_class_weights_resolve(fit->training, fit->options.class_weight, &fit->classes);
    if (status == KF_OK) status = kfi_feed_weigh(&feed, &fit->classes);
    if (status == KF_OK) kfi_class_weights_warn(fit->training->model->graph, feed.unweighed);
    if (status == KF_OK) status = open_reader(fit, &feed, 0, split, &fit->train.reader);
    if (status == KF_OK) status = open_validation(fit, &ports, &feed, split);
    const int64_t steps = fit->options.steps_per_epoch;
    fit->training->progress = (kfi_progress_state){
        .samples = steps > 0 ? steps : split,
        .validation_samples = fit->validates && steps == 0 ? fit->validation.reader.count : 0,
        .epochs = fit->options.epochs,
        .counts_steps = steps > 0};
    return status;
}

static void make_supplies(fit_call *fit) {
    kfi_random random = kfi_training_random(fit->training);
    if (fit->options.seed) random.key = fit->options.seed;
    fit->train.random = kfi_random_fold(random, SHUFFLE_STREAM);
    fit->train.trains = true;
    fit->train.shuffle = fit->options.steps_per_epoch > 0 ? NULL : fit->options.shuffle;
    fit->train.window = fit->options.shuffle_window;
    kfi_reader_supply(&fit->train);
    kfi_reader_supply(&fit->validation);
}

static kf_status run(fit_call *fit, kf_model *model) {
    const kf_fit_options *options = &fit->options;
    return kfi_fitting_run(&(kfi_fitting){
        .training = fit->training,
        .callbacks = {model, options->callbacks},
        .run = {.workers = options->threads},
        .train = &fit->train.supply,
        .validation = fit->validates ? &fit->validation.supply : NULL,
        .counts_steps = options->steps_per_epoch > 0,
        .initial_epoch = options->initial_epoch,
        .epochs = options->epochs,
        .history = options->history,
        .resume = options->resume,
        .checkpoint = options->checkpoint,
        .checkpoint_batches = options->checkpoint_batches,
    });
}

kf_status kf_fit_with(kf_model *model, kf_dataset *data, const kf_fit_options *options) {
    fit_call fit = {0};
    kfi_options_copy(&fit.options, sizeof fit.options, options);
    kf_status status = kfi_deferred_build(model, data);
    if (status == KF_OK) status = kfi_training_compiled(model, &fit.training);
    if (status == KF_OK) status = check_options(&fit.options);
    if (status == KF_OK) status = check_steps(&fit.options);
    if (status == KF_OK) status = open_readers(&fit, data);
    if (status == KF_OK) make_supplies(&fit);
    if (status == KF_OK) status = run(&fit, model);
    kfi_reader_close(&fit.train.reader);
    kfi_reader_close(&fit.validation.reader);
    kfi_class_weights_free(&fit.classes);
    return status;
}
