/* The logs of an epoch: metrics_names, the same of the validation, and what callbacks add. */
#ifndef KFI_TRAIN_LOGS_H
#define KFI_TRAIN_LOGS_H

#include "kf/train.h"

enum { KFI_MOST_ADDED_LOGS = 32 };

typedef struct kfi_logs {
    kf_log *items;
    int32_t n, capacity;
    char *added[KFI_MOST_ADDED_LOGS]; /* names of its own */
    int32_t n_added;
} kfi_logs;

/* Room for `capacity` logs and those that are added. */
kf_status kfi_logs_make(kfi_logs *logs, int32_t capacity);
void kfi_logs_release(kfi_logs *logs); /* also one of zeros */

/* One more, or a new value for one that is there. The name is copied. */
kf_status kfi_logs_put(kfi_logs *logs, const char *name, double value);

#endif
