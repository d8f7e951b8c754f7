/* A run is a function of the seed and the data alone, also if it is broken and goes on. */
#include "core/train/evaluate.h"
#include "core/train/history.h"
#include "core/train/standing.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

/* --- set-up ----------------------------------------------------------------------------------- */

static kf_status make_names(kfi_fitting *fit) {
    const kfi_compiled *compiled = fit->training->compiled;
    fit->n_names = compiled->n_names;
    fit->val_names = kfi_alloc((size_t)fit->n_names, sizeof *fit->val_names);
    for (int32_t i = 0; fit->val_names && i < fit->n_names; i++) {
        fit->val_names[i] = kfi_format("val_%s", compiled->names[i]);
        if (!fit->val_names[i]) return KF_MEMORY;
    }
    return fit->val_names ? KF_OK : KF_MEMORY;
}

static kf_status prepare(kfi_fitting *fit) {
    kf_status status = make_names(fit);
    if (status == KF_OK) status = kfi_logs_make(&fit->logs, 2 * fit->n_names);
    if (status != KF_OK) return status;
    fit->sums = kfi_alloc((size_t)fit->n_names, sizeof *fit->sums);
    if (!fit->sums) return KF_MEMORY;
    if (!fit->history) fit->history = fit->own_history = kf_history_new();
    if (!fit->history) return KF_MEMORY;
    kfi_history_clear(fit->history);
    fit->epoch = fit->initial_epoch;
    return fit->resume ? kfi_standing_apply(fit->training->standing, fit) : KF_OK;
}

static void release(kfi_fitting *fit) {
    for (int32_t i = 0; fit->val_names && i < fit->n_names; i++) kfi_free(fit->val_names[i]);
    kfi_free(fit->val_names);
    kfi_free(fit->sums);
    kfi_logs_release(&fit->logs);
    kf_history_free(fit->own_history);
}

const char *kfi_fitting_name(const kfi_fitting *fit, const char *name) {
    for (int32_t i = 0; i < fit->n_names; i++) {
        if (strcmp(fit->training->compiled->names[i], name) == 0)
            return fit->training->compiled->names[i];
        if (strcmp(fit->val_names[i], name) == 0) return fit->val_names[i];
    }
    return NULL;
}

/* --- an epoch --------------------------------------------------------------------------------- */

static int wanted(const kfi_fitting *fit) { return atomic_load(&fit->training->stop); }

static kf_status suspended(const kfi_fitting *fit) {
    return kfi_fail(KF_STOPPED, "suspended after batch %lld of epoch %d", (long long)fit->batch,
                    fit->epoch + 1);
}

/* The logs of a batch have the places of the epoch's. */
static kf_status train_batch(kfi_fitting *fit, const kfi_supply_batch *batch) {
    kfi_pass *pass = NULL;
    kf_log *logs = fit->logs.items;
    kf_status status = kfi_callbacks_batch_begin(&fit->callbacks, batch->index, batch->rows);
    if (status == KF_OK)
        status = kfi_pass_for(fit->training, &kfi_mode_train, batch->ports, batch->rows, &pass);
    if (status == KF_OK)
        status = kfi_pass_run(fit->training, pass, batch->data, &batch->where, &fit->run);
    if (status != KF_OK) return status;
    for (int32_t i = 0; i < fit->n_names; i++) {
        logs[i] = (kf_log){fit->training->compiled->names[i], kfi_pass_value(pass, i)};
        fit->sums[i] += logs[i].value * (double)batch->rows;
    }
    fit->seen += batch->rows;
    fit->batch++;
    return kfi_callbacks_batch_end(&fit->callbacks, batch->index, batch->rows, logs, fit->n_names);
}

static kf_status save_between(const kfi_fitting *fit) {
    const int64_t every = fit->checkpoint_batches;
    if (!fit->checkpoint || every == 0 || fit->batch % every != 0) return KF_OK;
    return kf_save(fit->callbacks.model, fit->checkpoint, .no_optimizer = false);
}

static kf_status train_batches(kfi_fitting *fit) {
    kfi_supply_batch batch;
    kf_status status = fit->train->start(fit->train, fit->epoch, fit->batch);
    while (status == KF_OK && (status = fit->train->next(fit->train, &batch)) == KF_OK &&
           batch.rows > 0) {
        status = train_batch(fit, &batch);
        if (status == KF_OK) status = save_between(fit);
        if (wanted(fit) != KFI_GO) break;
    }
    return status;
}

/* When it is broken off, stateful layers keep what they did before: it may be done again. */
static kf_status evaluate(kfi_fitting *fit, double *values) {
    static kf_callback *const none[KF_MAX_CALLBACKS];
    kf_model *model = fit->training->model;
    kfi_numbers states;
    kf_status status = kfi_states_keep(model, &states);
    if (status == KF_OK)
        status = kfi_evaluate(fit->training, fit->validation, fit->epoch, &fit->run,
                              &(kfi_callbacks){model, none}, values);
    if (status == KF_STOPPED) kfi_states_restore(model, &states);
    kfi_free(states.values);
    return status;
}

/* A stop skips it, and no training at all. Where Keras counts steps it asks after validation: then
 * a stop by the last of them does not skip it. */
static bool skips_validation(const kfi_fitting *fit, int now) {
    const bool whole = fit->counts_steps && fit->batch == fit->train->steps;
    return !fit->validation || fit->seen == 0 || (now == KFI_STOP && !whole);
}

/* Averages of the epoch. */
static kf_status validate(kfi_fitting *fit) {
    const int now = wanted(fit);
    if (now == KFI_SUSPEND) return suspended(fit);
    if (skips_validation(fit, now)) return KF_OK;
    double *values = kfi_alloc((size_t)fit->n_names, sizeof *values);
    if (!values) return KF_MEMORY;
    const kf_status status = evaluate(fit, values);
    for (int32_t i = 0; i < fit->n_names && status == KF_OK; i++)
        fit->logs.items[fit->logs.n++] = (kf_log){fit->val_names[i], values[i]};
    kfi_free(values);
    if (status != KF_STOPPED) return status;
    return wanted(fit) == KFI_SUSPEND ? suspended(fit) : KF_OK;
}

static kf_status begin_epoch(kfi_fitting *fit) {
    if (fit->batch > 0) return kfi_callbacks_resume(&fit->callbacks, fit->epoch, fit->seen);
    fit->seen = 0;
    memset(fit->sums, 0, (size_t)fit->n_names * sizeof *fit->sums);
    return kfi_callbacks_epoch_begin(&fit->callbacks, fit->epoch);
}

static kf_status train_and_validate(kfi_fitting *fit) {
    kf_status status = begin_epoch(fit);
    if (status == KF_OK) status = train_batches(fit);
    if (status != KF_OK) return status;
    fit->logs.n = fit->seen > 0 ? fit->n_names : 0;
    for (int32_t i = 0; i < fit->logs.n; i++)
        fit->logs.items[i] =
            (kf_log){fit->training->compiled->names[i], fit->sums[i] / (double)fit->seen};
    status = validate(fit);
    fit->ended = status == KF_OK;
    fit->callbacks_done = 0;
    return status;
}

static kf_status end_epoch(kfi_fitting *fit) {
    kf_status status =
        kfi_callbacks_epoch_end(&fit->callbacks, fit->epoch, &fit->logs, &fit->callbacks_done);
    if (status == KF_OK) status = kfi_history_append(fit->history, fit->logs.items, fit->logs.n);
    if (status != KF_OK) return status;
    kfi_history_times(fit->history, fit->train->times(fit->train));
    fit->epoch++;
    fit->batch = fit->seen = 0;
    fit->ended = false;
    fit->stopped = wanted(fit) == KFI_STOP;
    if (!fit->checkpoint) return KF_OK;
    return kf_save(fit->callbacks.model, fit->checkpoint, .no_optimizer = false);
}

/* --- the whole -------------------------------------------------------------------------------- */

static kf_status run_epochs(kfi_fitting *fit) {
    kf_status status = kfi_callbacks_train_begin(&fit->callbacks);
    while (status == KF_OK && fit->epoch < fit->epochs && !fit->stopped) {
        if (!fit->ended && wanted(fit) == KFI_SUSPEND) return suspended(fit);
        if (!fit->ended && wanted(fit) == KFI_STOP) break;
        if (!fit->ended) status = train_and_validate(fit);
        if (status == KF_OK) status = end_epoch(fit);
    }
    return status == KF_OK ? kfi_callbacks_train_end(&fit->callbacks) : status;
}

/* Where the fit stands when it is over is kept for kf_save. Keeping it must not fail the fit. */
static void keep_standing(const kfi_fitting *fit) {
    kfi_standing *standing = NULL;
    if (kfi_standing_of(fit, &standing) != KF_OK) return;
    kfi_standing_free(fit->training->standing);
    fit->training->standing = standing;
}

kf_status kfi_fitting_run(kfi_fitting *fit) {
    kfi_training *training = fit->training;
    atomic_store(&training->stop, KFI_GO);
    kf_status status = prepare(fit);
    if (status == KF_OK) {
        training->fit = fit;
        training->logs = &fit->logs;
        status = run_epochs(fit);
        training->fit = NULL;
        training->logs = NULL;
        if (status == KF_OK || status == KF_STOPPED) keep_standing(fit);
    }
    release(fit);
    return status;
}
