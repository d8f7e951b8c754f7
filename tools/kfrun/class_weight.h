/* Weights of classes as typed, or as a JSON file has them: "0:1,1:2.5", {"0": 1, "1": 2.5}, or by
 * output: "main=0:1,1:2.5", {"main": {"0": 1, "1": 2.5}}. */
#ifndef KFRUN_CLASS_WEIGHT_H
#define KFRUN_CLASS_WEIGHT_H

#include "../command/options.h"

typedef struct class_weights class_weights;

/* NULL with a status other than KF_OK: prints what is wrong. A text that begins with '@' names a
 * file, as one that ends in ".json" does. */
kf_status kfrun_class_weights_read(const tool_list *texts, class_weights **weights);

/* The list that kf_fit takes. */
const kf_class_weighting *kfrun_class_weights_list(const class_weights *weights);

void kfrun_class_weights_free(class_weights *weights); /* accepts NULL */

#endif
