/* What a model that nobody compiled is profiled with. */
#ifndef KFPROF_LOSS_H
#define KFPROF_LOSS_H

#include "kf.h"

/* The loss that goes with the last activation of an output: categorical_crossentropy after
 * softmax, binary_crossentropy after sigmoid, mean_squared_error after anything else. With data
 * whose field for that output holds one integer per sample, sparse_categorical_crossentropy after
 * softmax. `json` is the model's to_json(); `data` may be NULL. */
const char *kfprof_choose_loss(const kf_model *model, int32_t output, const char *json,
                               const kf_dataset *data);

#endif
