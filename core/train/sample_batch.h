/* A batch to measure with: the first rows of a dataset, or random numbers of the right shapes. */
#ifndef KFI_TRAIN_SAMPLE_BATCH_H
#define KFI_TRAIN_SAMPLE_BATCH_H

#include "core/train/pass.h"

typedef struct kfi_sample_batch {
    int64_t rows;
    kfi_ports ports;
    size_t row_bytes[KFI_MAX_BATCH_FIELDS];
    void *data[KFI_MAX_BATCH_FIELDS]; /* by port */
} kfi_sample_batch;

/* `rows` 0 is 32; no more than the data has. data NULL: random. Freed also on failure. */
kf_status kfi_sample_batch_make(const kfi_training *training, const kfi_mode *mode,
                                kf_dataset *data, int64_t rows, kfi_sample_batch *batch);
void kfi_sample_batch_free(kfi_sample_batch *batch);

#endif
