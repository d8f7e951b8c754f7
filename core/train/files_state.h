/* kf's own group in a Keras file, which Keras does not look at:
 *
 *     /kf              attribute "state": JSON of {"format", "seed", "runs", "iterations",
 * "schedule", "fit"}: the random numbers' seed, the steps of the training phase so far, the
 *                      optimizer's steps and Nadam's product, which Keras loses, and where the last
 *                      fit stood (standing.h), null if there was none
 *     /kf/callbacks/I  the numbers of the fit's callback I, where it has some
 *     /kf/states       what its stateful layers kept, where it has some */
#ifndef KFI_TRAIN_FILES_STATE_H
#define KFI_TRAIN_FILES_STATE_H

#include "core/train/training.h"
#include "io/hdf5_file.h"

kf_status kfi_state_write(const kfi_training *training, kfi_hdf5 *file);

/* A file without the group leaves everything as it is. */
kf_status kfi_state_read(kfi_training *training, kfi_hdf5 *file);

#endif
