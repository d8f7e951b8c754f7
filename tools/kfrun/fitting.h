/* What kfrun train does once model and data are there: callbacks, signals, the fit, its results. */
#ifndef KFRUN_FITTING_H
#define KFRUN_FITTING_H

#include "../command/data_file.h"
#include "../command/model_file.h"
#include "../command/training.h"

#include <stdio.h>

typedef struct train_options {
    tool_data_options data;
    tool_training_options training;
    kf_fit_options fit; /* the library's own */
    int64_t verbose;
    tool_weights weights;
    const char *validation_data, *save;
    const char *csv, *tensorboard, *early_stopping, *reduce_lr;
    tool_list callbacks, class_weights;
    bool json, terminate_on_nan, data_times;
} train_options;

/* Trains, prints the results, saves. After SIGINT or SIGTERM the batch is finished, the model saved
 * and the result 128 + the signal's number, as a shell has it. */
kf_status kfrun_fit(kf_model *model, kf_dataset *data, kf_dataset *validation,
                    const train_options *given);

#endif
