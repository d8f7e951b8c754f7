/* Weights of samples or timesteps in losses: fields of the data, or numbers by class. They are
 * ports behind the targets, there only for the outputs that have some: elsewhere all weights are 1.
 */
#ifndef KFI_TRAIN_SAMPLE_WEIGHTS_H
#define KFI_TRAIN_SAMPLE_WEIGHTS_H

#include "core/train/ports.h"

/* Adds a port for each target that the data has weights for: a field "<output>_sample_weight", or
 * "sample_weight" where one output alone is trained; without names as many fields more as there
 * are targets. Errors in Keras's words. */
kf_status kfi_sample_weights_match(kfi_feed *feed);

/* class_weight, ready to look up. */
typedef struct kfi_class_weight {
    int32_t output;
    double label;
    float weight;
} kfi_class_weight;

struct kfi_class_weights {
    int32_t n;
    kfi_class_weight *items; /* by output, then label */
};

/* given: a list, may be NULL. The result is freed also on failure. */
kf_status kfi_class_weights_resolve(const kfi_training *training, const kf_class_weighting *given,
                                    kfi_class_weights *resolved);
void kfi_class_weights_free(kfi_class_weights *weights);

/* Adds a port for each target that has weights by class and none by sample; `weights` stays where
 * it is as long as the feed. */
kf_status kfi_feed_weigh(kfi_feed *feed, const kfi_class_weights *weights);

/* Warns, in Keras's words, of weights by class that do not count: of the output of that name, if it
 * is not NULL. */
void kfi_class_weights_warn(const kf_graph *graph, const char *unweighed);

/* Fills the ports of weights by class from the targets in `data`. */
kf_status kfi_class_weights_fill(const kfi_feed *feed, int64_t rows, void *const *data);

/* Fails, naming the batch, if all weights of one output are 0: its loss would be 0 / 0 and every
 * weight of the model not a number after it, which Keras lets happen. */
kf_status kfi_sample_weights_check(const kfi_ports *ports, const kfi_rows *where, int64_t rows,
                                   void *const *data);

#endif
