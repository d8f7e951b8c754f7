/* training_config as Keras's versions write it. Ours is that of 2.2.4; what Keras 3 reads is in
 * files_keras3.h. */
#ifndef KFI_TRAIN_FILES_DIALECTS_H
#define KFI_TRAIN_FILES_DIALECTS_H

#include "core/base/variant.h"
#include "kf/graph.h"

/* What tf.keras says with objects, as our names, arguments in brackets: loss objects, metric
 * objects and wrappers, lists of lists of metrics. Fails for arguments that our functions do not
 * have. The result is the caller's. */
kf_status kfi_dialect_losses(const kfi_variant *saved, kfi_variant **usual);
kf_status kfi_dialect_metrics(const kfi_variant *saved, kfi_variant **usual);

/* An optimizer_config as Keras 2.2.4 would have written it. What tf.keras says that our optimizers
 * do not do (RMSprop's momentum, weight decay …) is left out; a warning to the graph names it. */
kf_status kfi_dialect_optimizer(const kfi_variant *saved, const kf_graph *graph,
                                kfi_variant **usual);

/* Back: names with arguments, which Keras 2.2.4 cannot save, as tf.keras's objects; lists and dicts
 * of names too. */
kf_status kfi_dialect_objects(const kfi_variant *usual, kfi_variant **saved);

#endif
