/* The optimizer's state in a Keras file: iterations and arrays. What a version calls its arrays and
 * in which order it lists them is in files_optimizer.c alone. */
#ifndef KFI_TRAIN_FILES_OPTIMIZER_H
#define KFI_TRAIN_FILES_OPTIMIZER_H

#include "core/train/training.h"
#include "io/keras_file.h"

/* What Keras 2.2.4 saves of it: nothing before the first step. The list is the caller's, what it
 * points to the optimizer's. */
kf_status kfi_optimizer_list(const kf_optimizer *optimizer, kfi_keras_layer *list);

/* State of another model or optimizer is left alone with a warning, as in Keras; kf's own in the
 * same file, which goes with it, too. */
kf_status kfi_optimizer_read(kfi_keras_file *file, kfi_training *training);

#endif
