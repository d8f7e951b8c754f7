/* ReduceLROnPlateau: lr becomes max(lr * factor, min_lr) after `patience` epochs without a better
 * value; for `cooldown` epochs after that nothing counts. */
#include "core/train/callbacks/callback.h"

#include "core/base/status.h"

#include <math.h>

typedef kf_reduce_lr_on_plateau_options plateau;

static const kfi_field fields[] = {
    KFI_MONITOR_FIELD(plateau),
    KFI_FIELD(plateau, factor, "factor", kfi_field_real, .otherwise = "0.1",
              .help = "of the learning rate"),
    KFI_FIELD(plateau, patience, "patience", kfi_field_integer, .otherwise = "10",
              .help = "epochs without improvement"),
    KFI_MONITOR_MODE_FIELD(plateau, 5),
    KFI_FIELD(plateau, min_delta, "min_delta", kfi_field_real, .otherwise = "0.0001", .position = 6,
              .help = "what counts as an improvement"),
    KFI_FIELD(plateau, cooldown, "cooldown", kfi_field_integer, .otherwise = "0", .low = 0,
              .high = -1, .position = 7, .help = "epochs to wait after a change"),
    KFI_FIELD(plateau, min_lr, "min_lr", kfi_field_real, .otherwise = "0", .position = 8,
              .help = "the least learning rate"),
    KFI_FIELDS_END,
};

typedef struct watch {
    bool has_best;
    double best;
    int64_t wait, cooldown;
} watch;

static const kfi_field state_fields[] = {
    KFI_FIELD(watch, has_best, "has_best", kfi_field_bool, .otherwise = "False"),
    KFI_FIELD(watch, best, "best", kfi_field_real, .otherwise = "0"),
    KFI_FIELD(watch, wait, "wait", kfi_field_integer, .otherwise = "0"),
    KFI_FIELD(watch, cooldown, "cooldown", kfi_field_integer, .otherwise = "0"),
    KFI_FIELDS_END,
};

static kf_status check(const void *options) {
    const plateau *given = options;
    if (given->factor < 1) return KF_OK;
    return kfi_fail(KF_INVALID, "ReduceLROnPlateau does not support a factor >= 1.0.");
}

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    (void)model;
    kfi_own_callback *own = kfi_callback_own(callback);
    if (!own->goes_on) *(watch *)own->state = (watch){0};
    own->goes_on = false;
    return KF_OK;
}

static bool is_better(const plateau *options, const watch *seen, double value) {
    if (!seen->has_best) return isfinite(value);
    if (kfi_wants_more(options->mode, options->monitor))
        return value > seen->best + options->min_delta;
    return value < seen->best - options->min_delta;
}

static kf_status reduce(const plateau *options, watch *seen, kf_model *model) {
    const double lr = kf_learning_rate(model);
    if (!(lr > options->min_lr)) return KF_OK;
    seen->cooldown = options->cooldown;
    seen->wait = 0;
    return kf_set_learning_rate(model, fmax(lr * options->factor, options->min_lr));
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    (void)epoch;
    kfi_own_callback *own = kfi_callback_own(callback);
    const plateau *options = own->options;
    watch *seen = own->state;
    bool found;
    const double value = kfi_log_value(logs, n_logs, options->monitor, &found);
    const kf_status status = kf_add_log(model, "lr", kf_learning_rate(model));
    if (!found) kfi_callback_warn(model, "Reduce LR on plateau", options->monitor, logs, n_logs);
    if (!found || status != KF_OK) return status;
    if (seen->cooldown > 0) {
        seen->cooldown--;
        seen->wait = 0;
    }
    if (is_better(options, seen, value)) {
        seen->has_best = true;
        seen->best = value;
        seen->wait = 0;
        return KF_OK;
    }
    if (seen->cooldown > 0 || ++seen->wait < options->patience) return KF_OK;
    return reduce(options, seen, model);
}

const kfi_callback_class kfi_callback_reduce_lr_on_plateau = {
    .name = "ReduceLROnPlateau",
    .typed_name = "reduce_lr_on_plateau",
    .fields = fields,
    .options_size = sizeof(plateau),
    .state_fields = state_fields,
    .state_size = sizeof(watch),
    .check = check,
    .hooks = {.on_train_begin = train_begin, .on_epoch_end = epoch_end},
};

kf_callback *kf_reduce_lr_on_plateau_create(const kf_reduce_lr_on_plateau_options *options) {
    return kfi_callback_new(&kfi_callback_reduce_lr_on_plateau, options);
}
