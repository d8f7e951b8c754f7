/* A generator or Sequence as a supply of batches, made ahead by the pipeline's threads. One
 * pipeline lives for all epochs: it fills batches of the next one while the last is validated. */
#ifndef KFI_TRAIN_GENERATOR_SUPPLY_H
#define KFI_TRAIN_GENERATOR_SUPPLY_H

#include "core/base/random.h"
#include "core/train/generator_batch.h"
#include "core/train/supply.h"

#include <pthread.h>

typedef struct kfi_generator_supply {
    kfi_supply supply; /* first: a kfi_supply is one of these */
    const kf_generator *generator;
    kfi_ports ports;
    const kfi_class_weights *classes; /* NULL: none */
    const kf_graph *graph;           /* told once if they do not count; NULL: it was, or need not */
    int32_t initial_epoch, epochs;   /* of the run that it is for */
    int32_t workers, max_queue_size; /* workers 0: none */
    bool shuffle;
    kfi_random random;
    int64_t last_rows; /* of the last batch that was taken; 0: none yet */

    /* The consumer's. */
    kfi_pipeline *pipeline; /* from the first start on */
    int64_t taken;          /* batches of this epoch */
    kfi_pipeline_times before;
    kf_batch *batches; /* by slot of the pipeline */
    int32_t n_batches;
    int64_t first; /* number of the pipeline's batch 0 since the run's beginning */

    /* The threads'; the lock guards it. */
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int64_t all_taken;  /* batches since the run's beginning; the consumer counts them */
    bool closing;       /* the consumer's word that it takes no more */
    int64_t pass;       /* of a Sequence: the one under way */
    int64_t all_filled; /* batches since the run's beginning */
    int64_t filled_ns;  /* when the last of them was */
    int64_t idle_ns;    /* of threads that waited for the rest of a pass to be taken */
    int64_t next;       /* of a generator: the batch whose turn it is */
    bool over;          /* the generator failed or ended */
    int64_t *order;     /* of this pass's batches; NULL: as they are */
} kfi_generator_supply;

/* `steps` 0 is the length; without one it fails with Keras's words about the option of that name.
 * On failure there is nothing to close. */
kf_status kfi_generator_open(kfi_generator_supply *made, const kf_generator *generator,
                             int64_t steps, const char *option);
void kfi_generator_close(kfi_generator_supply *supply); /* also one of zeros */

#endif
