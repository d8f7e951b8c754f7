/* The ports of a model are what a batch brings: its inputs, the targets of the outputs that are
 * trained, and weights of samples. A feed says which field of a dataset goes into which port, as
 * Keras matches them. */
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
    bool is_temporal; /* a target whose weights are by timestep */
    bool is_weight;   /* of an output's samples: see sample_weights.h */
    int32_t index;    /* of the input or output */
} kfi_port;

typedef struct kfi_ports {
    int32_t n, n_inputs; /* inputs first, then targets, then weights */
    kfi_port items[KFI_MAX_BATCH_FIELDS];
} kfi_ports;

/* The inputs, and the targets if asked for (of a compiled model). */
kf_status kfi_ports_of(const kfi_training *training, bool with_targets, kfi_ports *ports);

typedef struct kfi_class_weights kfi_class_weights; /* sample_weights.h */

typedef struct kfi_feed {
    kf_dataset *dataset;
    kfi_ports ports;                      /* with shapes as the data has them: none is KF_ANY */
    int32_t fields[KFI_MAX_BATCH_FIELDS]; /* by port, the dataset's field; -1: weights by class */
    size_t row_bytes[KFI_MAX_BATCH_FIELDS];
    bool given[KFI_MAX_BATCH_FIELDS]; /* by port: the data is there, nothing is to be read */
    const kfi_class_weights *classes; /* NULL: none */
    const char *unweighed; /* an output that has them, but weights by sample too; NULL: none */
} kfi_feed;

/* By name if the fields have names, else by position. The feed has further ports for the weights
 * of samples that the data brings. Errors in Keras's words. */
kf_status kfi_feed_match(const kfi_ports *ports, kf_dataset *dataset, kfi_feed *feed);

/* Which rows of a dataset a batch is: order[i], or first + i without an order. */
typedef struct kfi_rows {
    int64_t first;
    const int64_t *order;
    int64_t batch; /* its number, for messages */
    int64_t epoch; /* of training, for what is prepared at random; KF_ANY: no training */
} kfi_rows;

/* Reads so many rows into data, by port. */
kf_status kfi_feed_read(const kfi_feed *feed, const kfi_rows *where, int64_t rows,
                        void *const *data);

#endif
