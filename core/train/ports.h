/* The ports of a model are what a batch brings: its inputs, and the targets of the outputs that are
 * trained. A feed says which field of a dataset goes into which port, as Keras matches them. */
#ifndef KFI_TRAIN_PORTS_H
#define KFI_TRAIN_PORTS_H

#include "core/train/training.h"
#include "io/dataset.h"
#include "io/pipeline.h"

typedef struct kfi_port {
    const char *name; /* of the input's or output's layer */
    kf_dtype dtype;
    kf_shape shape; /* of one sample; may have KF_ANY */
    bool is_target;
    int32_t index; /* of the input or output */
} kfi_port;

typedef struct kfi_ports {
    int32_t n, n_inputs; /* inputs first */
    kfi_port items[KFI_MAX_BATCH_FIELDS];
} kfi_ports;

/* The inputs, and the targets if asked for (of a compiled model). */
kf_status kfi_ports_of(const kfi_training *training, bool with_targets, kfi_ports *ports);

typedef struct kfi_feed {
    kf_dataset *dataset;
    kfi_ports ports;                      /* with shapes as the data has them: none is KF_ANY */
    int32_t fields[KFI_MAX_BATCH_FIELDS]; /* by port, the dataset's field */
    size_t row_bytes[KFI_MAX_BATCH_FIELDS];
} kfi_feed;

/* By name if the fields have names, else by position. Errors in Keras's words. */
kf_status kfi_feed_match(const kfi_ports *ports, kf_dataset *dataset, kfi_feed *feed);

#endif
