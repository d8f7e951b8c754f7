/* Going through a supply without training. */
#ifndef KFI_TRAIN_EVALUATE_H
#define KFI_TRAIN_EVALUATE_H

#include "core/train/callbacks.h"
#include "core/train/reader.h"

/* The averages over all rows of the supply into values, one for each of metrics_names. KF_STOPPED
 * if kf_stop_training was called meanwhile. `epoch` is the supply's. */
kf_status kfi_evaluate(kfi_training *training, kfi_supply *supply, int32_t epoch,
                       const kfi_run_options *run, const kfi_callbacks *callbacks, double *values);

/* The outputs for all rows of the supply, batch by batch to the sink. */
kf_status kfi_predict_supply(kfi_training *training, kfi_supply *supply,
                             const kf_run_options *options, kf_sink sink, void *context);

/* Opens a supply over all rows for kf_evaluate and kf_predict, and notes their number for the
 * progress callback. The reader is the caller's to close. */
kf_status kfi_reader_for(kfi_training *training, const kfi_mode *mode, kf_dataset *data,
                         const kf_run_options *options, kfi_reader_feed *feed);

#endif
