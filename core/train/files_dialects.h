/* training_config as Keras's versions write it. Ours is that of 2.2.4. */
#ifndef KFI_TRAIN_FILES_DIALECTS_H
#define KFI_TRAIN_FILES_DIALECTS_H

#include "core/base/variant.h"

/* What tf.keras says with objects, as 2.2.4's names: loss objects, metric objects and wrappers,
 * lists of lists of metrics. Fails for what 2.2.4 cannot say (from_logits, label_smoothing). The
 * result is the caller's. */
kf_status kfi_dialect_losses(const kfi_variant *saved, kfi_variant **usual);
kf_status kfi_dialect_metrics(const kfi_variant *saved, kfi_variant **usual);

/* An optimizer_config of ours as Keras 3 reads it: learning_rate for lr, no decay. Takes it over;
 * NULL when memory is gone. */
kfi_variant *kfi_dialect_3(kfi_variant *optimizer_config);

#endif
