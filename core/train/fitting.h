/* A fit under way: epochs of batches from a supply, as Keras 2.2.4's fit_loop and fit_generator go
 * through them, whatever the supply is. */
#ifndef KFI_TRAIN_FITTING_H
#define KFI_TRAIN_FITTING_H

#include "core/train/callbacks.h"
#include "core/train/supply.h"

typedef struct kfi_fitting {
    kfi_training *training;
    kfi_callbacks callbacks;
    kfi_run_options run;
    kfi_supply *train, *validation; /* validation NULL: none */
    bool counts_steps; /* an epoch is a number of steps: of a generator, or of steps_per_epoch */
    int32_t initial_epoch, epochs;
    kf_history *history; /* the caller's, or NULL: then one of its own */
    bool resume;
    const char *checkpoint; /* NULL: none */
    int64_t checkpoint_batches;

    /* Where it stands. All that follows is kfi_fitting_run's. */
    int32_t epoch;
    int64_t batch, seen;    /* batches and rows of this epoch so far */
    double *sums;           /* of metrics_names over this epoch so far, weighted by rows */
    bool ended;             /* the epoch's batches and validation are done, its logs there */
    int32_t callbacks_done; /* of those that are told so */
    bool stopped;           /* by a callback: no further epoch */
    int32_t n_names;
    kfi_logs logs;
    char **val_names; /* "val_loss" … */
    kf_history *own_history;
} kfi_fitting;

/* From the beginning, or with `resume` from where the model's last fit stood. */
kf_status kfi_fitting_run(kfi_fitting *fit);

/* What the logs of an epoch are called, as a text that lives as long as the fit; NULL if no metric
 * is called so. */
const char *kfi_fitting_name(const kfi_fitting *fit, const char *name);

#endif
