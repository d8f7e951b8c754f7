/* What kf_fit writes into a history. */
#ifndef KFI_TRAIN_HISTORY_H
#define KFI_TRAIN_HISTORY_H

#include "kf/train.h"

/* Forgets what an earlier fit wrote. */
void kfi_history_clear(kf_history *history);

/* One more epoch. A key that is missing now, or was in earlier epochs, has NaN there. */
kf_status kfi_history_append(kf_history *history, const kf_log *logs, int32_t n_logs);

#endif
