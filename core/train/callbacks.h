/* Calling the hooks of a list of callbacks, in the list's order, until one fails. */
#ifndef KFI_TRAIN_CALLBACKS_H
#define KFI_TRAIN_CALLBACKS_H

#include "core/base/variant.h"
#include "core/train/logs.h"

typedef struct kfi_callbacks {
    kf_model *model;
    kf_callback *const *items; /* KF_MAX_CALLBACKS, NULL where there is none */
} kfi_callbacks;

kf_status kfi_callbacks_train_begin(const kfi_callbacks *callbacks);
kf_status kfi_callbacks_train_end(const kfi_callbacks *callbacks);
kf_status kfi_callbacks_epoch_begin(const kfi_callbacks *callbacks, int32_t epoch);
/* A fit goes on in the middle of an epoch, of which `rows` were seen. */
kf_status kfi_callbacks_resume(const kfi_callbacks *callbacks, int32_t epoch, int64_t rows);
/* Each sees what those before it added to the logs. *done, the number of those that were called, is
 * where it begins: a fit may go on in between. */
kf_status kfi_callbacks_epoch_end(const kfi_callbacks *callbacks, int32_t epoch,
                                  const kfi_logs *logs, int32_t *done);
kf_status kfi_callbacks_batch_begin(const kfi_callbacks *callbacks, int64_t batch, int64_t rows);
kf_status kfi_callbacks_batch_end(const kfi_callbacks *callbacks, int64_t batch, int64_t rows,
                                  const kf_log *logs, int32_t n_logs);

#endif
