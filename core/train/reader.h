/* A reader goes through a range of a dataset's rows in batches, in an order that may change from
 * epoch to epoch, and lets the pipeline fill the next ones meanwhile. */
#ifndef KFI_TRAIN_READER_H
#define KFI_TRAIN_READER_H

#include "core/base/random.h"
#include "core/train/supply.h"

typedef struct kfi_reader {
    kfi_feed feed;
    int64_t first, count; /* rows of the dataset    */
    int64_t batch_size;   /* at most count          */
    int64_t steps;        /* batches of an epoch, each of all rows; 0: every row comes once */
    int32_t workers, max_queue_size;
    int64_t *order;  /* rows in the order they are read; NULL: as they are */
    int64_t epoch;   /* of training; KF_ANY: no training. Changes while the pipeline rests */
    int64_t skipped; /* batches of this epoch that are not read */
    kfi_pipeline *pipeline;
} kfi_reader;

/* Options of kf_fit and the others: data_workers 0 is one thread, KF_ANY none. The reader must stay
 * where it is until kfi_reader_close. */
kf_status kfi_reader_open(kfi_reader *reader, const kfi_feed *feed, int64_t first, int64_t count,
                          int64_t batch_size, int32_t data_workers, int32_t max_queue_size);
void kfi_reader_close(kfi_reader *reader); /* also one of zeros */

/* Keras's steps for data in arrays, after kfi_reader_open: all rows make one batch, as they are,
 * and it comes that often in an epoch. A batch_size beside them is refused with the option's name;
 * 0 steps change nothing. */
kf_status kfi_reader_repeat(kfi_reader *reader, int64_t steps, int64_t batch_size,
                            const char *option);

/* Layers that keep states need batches of one size: refuses samples that do not make whole ones. */
kf_status kfi_check_stateful(const kf_model *model, int64_t samples, int64_t batch_size);

/* Keras's shuffling, before kfi_reader_start. `kind` is "true": any order; "batch": batches keep
 * their rows and come in any order, a short rest stays last; "false": as the rows are; "window":
 * chunks of the dataset come in any order, and the rows of as many as make `window` rows are mixed.
 */
kf_status kfi_reader_shuffle(kfi_reader *reader, const char *kind, int64_t window,
                             kfi_random random);

/* From the given batch, 0 is the first. Then kfi_reader_next until *batch is NULL; the batches it
 * gives count from there. */
kf_status kfi_reader_start(kfi_reader *reader, int64_t first);
kf_status kfi_reader_next(kfi_reader *reader, const kfi_batch **batch);

/* Which rows of the dataset a batch has. */
kfi_rows kfi_reader_rows(const kfi_reader *reader, const kfi_batch *batch);

/* A reader as a supply: kfi_reader_open fills `reader`, then kfi_reader_supply the rest. */
typedef struct kfi_reader_feed {
    kfi_supply supply; /* first: a kfi_supply is one of these */
    kfi_reader reader;
    bool trains;           /* what is prepared at random is so, and differs by epoch */
    const char *shuffle;   /* NULL: none */
    int64_t window;        /* rows, of shuffle "window" */
    kfi_random random;     /* folded with the epoch */
    const int64_t *follow; /* rows of the batches from now on; NULL or 0: batch_size stays */
} kfi_reader_feed;
void kfi_reader_supply(kfi_reader_feed *feed);

#endif
