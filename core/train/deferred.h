/* A Sequential that does not know its input yet can be compiled: what it was given waits until it
 * is built, and the first data builds it, as in Keras. */
#ifndef KFI_TRAIN_DEFERRED_H
#define KFI_TRAIN_DEFERRED_H

#include "core/train/training.h"
#include "io/dataset.h"

/* Keeps the arguments, which it takes over, in the place of older ones; the optimizer is checked at
 * once. */
kf_status kfi_deferred_compile(kfi_training *training, const kfi_compile_arguments *arguments);

/* Compiles a model that is built by now with what waits for it, if anything does. */
kf_status kfi_deferred_finish(kfi_training *training);

void kfi_deferred_forget(kfi_training *training); /* what waits, if anything does */

/* Builds a Sequential that waits for its input for data like this; all others stay as they are. */
kf_status kfi_deferred_build(kf_model *model, const kf_dataset *data);
kf_status kfi_deferred_build_for(kf_model *model, const kf_array *arrays, int32_t n_arrays);

void kfi_compile_arguments_free(const kfi_compile_arguments *arguments); /* what they hold */

#endif
