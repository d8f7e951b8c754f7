/* What kfrun train does once model and data are there: callbacks, signals, the fit, its results. */
#ifndef KFRUN_FITTING_H
#define KFRUN_FITTING_H

#include "../command/data_file.h"
#include "../command/training.h"

#include <stdio.h>

typedef struct train_options {
    tool_data_options data;
    tool_training_options training;
    int64_t epochs, initial_epoch, batch_size, threads, verbose;
    int64_t data_workers, max_queue_size, shuffle_window, checkpoint_batches;
    double validation_split;
    const char *validation_data, *shuffle, *weights, *save, *checkpoint;
    const char *csv, *tensorboard, *early_stopping, *reduce_lr;
    tool_list callbacks;
    uint64_t seed;
    bool resume, json;
} train_options;

/* Trains, prints the results, saves. After SIGINT or SIGTERM the batch is finished, the model saved
 * and the result 128 + the signal's number, as a shell has it. */
kf_status kfrun_fit(kf_model *model, kf_dataset *data, kf_dataset *validation,
                    const train_options *given);

#endif
