/* What Keras 3 reads in a legacy .h5, where it is not what 2.2.4 writes. Its load_model
 * takes 2.2.4's layers and calls, but wants a Sequential's input as a layer of its own, the module
 * of layers inside of layers, and knows neither `lr` nor some old arguments and names. Source:
 * Keras 3, legacy/saving/legacy_h5_format.py and saving_utils.py, models/functional.py and
 * sequential.py, saving/serialization_lib.py, optimizers/base_optimizer.py. */
#ifndef KFI_TRAIN_FILES_KERAS3_H
#define KFI_TRAIN_FILES_KERAS3_H

#include "core/train/training.h"
#include "io/keras_file.h"

/* Configs of ours in the words of Keras 3, the caller's; NULL when memory is gone. What cannot be
 * said there is a warning to the graph. */
kfi_variant *kfi_keras3_model(const kfi_variant *config, const kf_graph *graph);
kfi_variant *kfi_keras3_optimizer(const kfi_variant *config, const kf_graph *graph);
kfi_variant *kfi_keras3_losses(const kfi_variant *losses);
/* A list for all outputs becomes lists by the outputs' names, where the model has several. */
kfi_variant *kfi_keras3_metrics(const kfi_variant *metrics, const kf_model *model);

/* The optimizer's state in Keras 3's order: iteration, learning rate, then the arrays of each
 * weight together. The list's names are its own: kfi_keras3_list_free. */
typedef struct kfi_keras3_list {
    kfi_keras_layer layer;
    float learning_rate;
} kfi_keras3_list;
kf_status kfi_keras3_list_make(const kfi_compiled *compiled, kfi_keras3_list *list);
void kfi_keras3_list_free(kfi_keras3_list *list);

#endif
