/* Calling the hooks of a list of callbacks, in the list's order, until one fails. */
#ifndef KFI_TRAIN_CALLBACKS_H
#define KFI_TRAIN_CALLBACKS_H

#include "kf/train.h"

typedef struct kfi_callbacks {
    kf_model *model;
    kf_callback *const *items; /* KF_MAX_CALLBACKS, NULL where there is none */
} kfi_callbacks;

kf_status kfi_callbacks_train_begin(const kfi_callbacks *callbacks);
kf_status kfi_callbacks_train_end(const kfi_callbacks *callbacks);
kf_status kfi_callbacks_epoch_begin(const kfi_callbacks *callbacks, int32_t epoch);
kf_status kfi_callbacks_epoch_end(const kfi_callbacks *callbacks, int32_t epoch, const kf_log *logs,
                                  int32_t n_logs);
kf_status kfi_callbacks_batch_begin(const kfi_callbacks *callbacks, int64_t batch, int64_t rows);
kf_status kfi_callbacks_batch_end(const kfi_callbacks *callbacks, int64_t batch, int64_t rows,
                                  const kf_log *logs, int32_t n_logs);

#endif
