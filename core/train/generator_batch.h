/* What a generator fills, and what becomes of it: arrays in the types and shapes of a model's
 * ports. Buffers are kept and grow as needed, so that going through many batches takes no more
 * memory. */
#ifndef KFI_TRAIN_GENERATOR_BATCH_H
#define KFI_TRAIN_GENERATOR_BATCH_H

#include "core/train/sample_weights.h"
#include "kf/generators.h"

typedef struct kfi_grown {
    void *data;
    size_t bytes;
} kfi_grown;

struct kf_batch {
    int32_t n;
    kf_array arrays[KFI_MAX_BATCH_FIELDS];
    kfi_grown given[KFI_MAX_BATCH_FIELDS]; /* what the arrays' data points to */
    char *names[KFI_MAX_BATCH_FIELDS];
    kf_status status; /* of the calls that filled it */
    char message[256];

    int64_t rows;
    const char *unweighed; /* kfi_feed's */
    kfi_ports ports;
    kfi_grown ready[KFI_MAX_BATCH_FIELDS]; /* by port */
    void *data[KFI_MAX_BATCH_FIELDS];
};

void kfi_batch_release(kf_batch *batch);

/* Empties it for the next fill. */
void kfi_batch_clear(kf_batch *batch);

/* Matches what was filled in with the ports and reads it into `data`. `number` is for messages. */
kf_status kfi_batch_finish(kf_batch *batch, const kfi_ports *ports,
                           const kfi_class_weights *classes, int64_t number);

#endif
