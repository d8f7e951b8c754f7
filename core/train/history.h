/* What kf_fit writes into a history. */
#ifndef KFI_TRAIN_HISTORY_H
#define KFI_TRAIN_HISTORY_H

#include "core/base/variant.h"
#include "io/pipeline.h"
#include "kf/train.h"

/* Forgets what an earlier fit wrote. */
void kfi_history_clear(kf_history *history);

/* One more epoch. A key that is missing now, or was in earlier epochs, has NaN there. */
kf_status kfi_history_append(kf_history *history, const kf_log *logs, int32_t n_logs);

/* Who waited for whom in the last epoch. */
void kfi_history_times(kf_history *history, kfi_pipeline_times times);

/* All but the times as a dict, and back; NULL: out of memory. */
kfi_variant *kfi_history_variant(const kf_history *history);
kf_status kfi_history_load(kf_history *history, const kfi_variant *saved);

#endif
