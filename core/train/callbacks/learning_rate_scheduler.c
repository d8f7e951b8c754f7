/* LearningRateScheduler: lr of an epoch = schedule(epoch, lr before it), or, without a function,
 * lr of the first epoch * factor^floor(epoch / every). */
#include "core/train/callbacks/callback.h"

#include "core/base/status.h"

#include <math.h>

typedef kf_learning_rate_scheduler_options scheduler;

static const kfi_field fields[] = {
    KFI_FIELD(scheduler, factor, "factor", kfi_field_real, .otherwise = "0.5", .low = 0, .high = -1,
              .help = "of the learning rate, every so many epochs"),
    KFI_FIELD(scheduler, every, "every", kfi_field_integer, .otherwise = "1", .low = 1, .high = -1,
              .help = "so many epochs"),
    KFI_FIELDS_END,
};

typedef struct start {
    bool begun;
    double lr; /* of the first epoch */
} start;

static const kfi_field state_fields[] = {
    KFI_FIELD(start, begun, "begun", kfi_field_bool, .otherwise = "False"),
    KFI_FIELD(start, lr, "lr", kfi_field_real, .otherwise = "0"),
    KFI_FIELDS_END,
};

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    kfi_own_callback *own = kfi_callback_own(callback);
    if (!own->goes_on) *(start *)own->state = (start){true, kf_learning_rate(model)};
    own->goes_on = false;
    return KF_OK;
}

static kf_status epoch_begin(kf_callback *callback, kf_model *model, int32_t epoch) {
    kfi_own_callback *own = kfi_callback_own(callback);
    const scheduler *options = own->options;
    const start *first = own->state;
    const double lr = options->schedule
                          ? options->schedule(options->context, epoch, kf_learning_rate(model))
                          : first->lr * pow(options->factor, (double)(epoch / options->every));
    if (!isfinite(lr))
        return kfi_fail(KF_USAGE, "LearningRateScheduler: the rate of epoch %d is %g", epoch, lr);
    return kf_set_learning_rate(model, lr);
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    (void)callback, (void)epoch, (void)logs, (void)n_logs;
    return kf_add_log(model, "lr", kf_learning_rate(model));
}

const kfi_callback_class kfi_callback_learning_rate_scheduler = {
    .name = "LearningRateScheduler",
    .typed_name = "learning_rate_scheduler",
    .fields = fields,
    .options_size = sizeof(scheduler),
    .state_fields = state_fields,
    .state_size = sizeof(start),
    .hooks = {.on_train_begin = train_begin,
              .on_epoch_begin = epoch_begin,
              .on_epoch_end = epoch_end},
};

/* The function is no text and has no field: it is taken over by itself. */
kf_callback *kf_learning_rate_scheduler_create(const kf_learning_rate_scheduler_options *options) {
    kf_callback *made = kfi_callback_new(&kfi_callback_learning_rate_scheduler, options);
    if (kf_callback_error(made) != KF_OK || !options) return made;
    scheduler *own = kfi_callback_own(made)->options;
    own->schedule = options->schedule;
    own->context = options->context;
    return made;
}
