/* Going through a reader without training. */
#ifndef KFI_TRAIN_EVALUATE_H
#define KFI_TRAIN_EVALUATE_H

#include "core/train/callbacks.h"
#include "core/train/reader.h"

/* The averages over the reader's rows into values, one for each of metrics_names. KF_STOPPED if
 * kf_stop_training was called meanwhile. */
kf_status kfi_evaluate(kfi_training *training, kfi_reader *reader, const kfi_run_options *run,
                       const kfi_callbacks *callbacks, double *values);

/* Opens a reader over all rows for kf_evaluate and kf_predict, and notes their number for the
 * progress callback. */
kf_status kfi_reader_for(kfi_training *training, const kfi_mode *mode, kf_dataset *data,
                         const kf_run_options *options, kfi_reader *reader);

#endif
