/* Where batches come from, for the loops of fit, evaluate and predict: the rows of a dataset, or
 * what a generator makes. */
#ifndef KFI_TRAIN_SUPPLY_H
#define KFI_TRAIN_SUPPLY_H

#include "core/train/pass.h"

typedef struct kfi_supply_batch {
    int64_t index;          /* in its epoch */
    int64_t rows;           /* 0: the epoch is over */
    const kfi_ports *ports; /* with the shapes that this batch has */
    void *const *data;      /* by port; valid until the next batch */
    kfi_rows where;         /* for messages */
} kfi_supply_batch;

/* A kind of supply is this struct with its own data behind it. */
typedef struct kfi_supply kfi_supply;
struct kfi_supply {
    int64_t samples, steps; /* of an epoch; KF_ANY: not known beforehand */
    /* The next batches are those of this epoch, from number `first` on. */
    kf_status (*start)(kfi_supply *supply, int32_t epoch, int64_t first);
    kf_status (*next)(kfi_supply *supply, kfi_supply_batch *batch);
    kfi_pipeline_times (*times)(kfi_supply *supply); /* since the epoch's start */
};

#endif
