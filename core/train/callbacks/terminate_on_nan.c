/* TerminateOnNaN: a loss that is no finite number ends training. */
#include "core/train/callbacks/callback.h"

#include <math.h>

static const kfi_field fields[] = {KFI_FIELDS_END};

static kf_status batch_end(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                           const kf_log *logs, int32_t n_logs) {
    (void)callback, (void)batch, (void)rows;
    bool found;
    const double loss = kfi_log_value(logs, n_logs, "loss", &found);
    if (found && !isfinite(loss)) kf_stop_training(model);
    return KF_OK;
}

const kfi_callback_class kfi_callback_terminate_on_nan = {
    .name = "TerminateOnNaN",
    .typed_name = "terminate_on_nan",
    .fields = fields,
    .options_size = sizeof(kf_terminate_on_nan_options),
    .hooks = {.on_batch_end = batch_end},
};

kf_callback *kf_terminate_on_nan_create(const kf_terminate_on_nan_options *options) {
    return kfi_callback_new(&kfi_callback_terminate_on_nan, options);
}
