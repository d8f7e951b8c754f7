/* A reader goes through a range of a dataset's rows in batches, in an order that may change from
 * epoch to epoch, and lets the pipeline fill the next ones meanwhile. */
#ifndef KFI_TRAIN_READER_H
#define KFI_TRAIN_READER_H

#include "core/base/random.h"
#include "core/train/pass.h"

typedef struct kfi_reader {
    kfi_feed feed;
    int64_t first, count; /* rows of the dataset    */
    int64_t batch_size;   /* at most count          */
    int32_t workers, max_queue_size;
    int64_t *order; /* rows in the order they are read; NULL: as they are */
    kfi_pipeline *pipeline;
} kfi_reader;

/* Options of kf_fit and the others: data_workers 0 is one thread, KF_ANY none. The reader must stay
 * where it is until kfi_reader_close. */
kf_status kfi_reader_open(kfi_reader *reader, const kfi_feed *feed, int64_t first, int64_t count,
                          int64_t batch_size, int32_t data_workers, int32_t max_queue_size);
void kfi_reader_close(kfi_reader *reader); /* also one of zeros */

/* Keras's shuffling, before kfi_reader_start. `kind` is "true": any order; "batch": batches keep
 * their rows and come in any order, a short rest stays last; "false": as the rows are. */
kf_status kfi_reader_shuffle(kfi_reader *reader, const char *kind, kfi_random random);

/* From the first batch. Then kfi_reader_next until *batch is NULL. */
kf_status kfi_reader_start(kfi_reader *reader);
kf_status kfi_reader_next(kfi_reader *reader, const kfi_batch **batch);

/* Which rows of the dataset a batch has. */
kfi_rows kfi_reader_rows(const kfi_reader *reader, const kfi_batch *batch);

#endif
