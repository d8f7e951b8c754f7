/* A measure compares predictions with targets and gives one number for each sample or timestep:
 * what losses and metrics are before they are averaged. */
#ifndef KFI_TRAIN_MEASURE_H
#define KFI_TRAIN_MEASURE_H

#include "core/base/variant.h"
#include "core/graph/formula.h"

enum { KFI_MEASURE_MAX_ALIASES = 4 };

typedef struct kfi_measure {
    const char *name; /* Keras's function, and the op that computes it */
    const char *aliases[KFI_MEASURE_MAX_ALIASES];
    bool labels; /* targets are class numbers, int32 of shape (…, 1); else floats as predicted */
    const struct kfi_field *fields; /* arguments its name may be given; NULL: none */
    const char *op_of_logits;       /* for predictions that are logits; NULL: there is none */
    const char *op;                 /* NULL: the one of the measure's name */
    double label_smoothing;         /* of the targets, as tf.keras has it */
    const void *attributes;         /* of the op; NULL: it has none */
    bool is_batch_mean;             /* Keras's function gives one number for the whole batch */
    const kf_function *function;    /* the user's, in place of an op; NULL */
} kfi_measure;

/* By name or alias, else the user's function (y_true, y_pred) of that name in the graph. NULL with
 * "Unknown loss function:nope" in kf_last_error. Every loss is a metric too, and some may
 * be given arguments: "top_k_categorical_accuracy(k=3)", "binary_crossentropy(from_logits=True)".
 */
const kfi_measure *kfi_loss_find(kf_graph *graph, const char *name);
const kfi_measure *kfi_metric_find(kf_graph *graph, const char *name);

/* Those of kf's, metrics that are no losses; NULL: no more. */
const kfi_measure *kfi_loss_at(int32_t index);
const kfi_measure *kfi_metric_at(int32_t index);

/* Takes "name(arguments)" apart: *name becomes ours, *arguments all that it takes. A name without
 * arguments, or a function of the user's, stays, and *arguments is NULL. */
kf_status kfi_measure_arguments(const char **name, kfi_variant **arguments);

/* Writes the scores. `labels` says what y_true is. */
kfi_value kfi_measure_score(kfi_formula *formula, const kfi_measure *measure, kfi_value y_true,
                            bool labels, kfi_value y_pred);

/* The mean of scores as Keras 2.2.4 weighs them: scores of masked steps count 0 and are divided by
 * the mean of the mask; then the weighted sum over the number of weights that are not 0. mask and
 * weights may be KFI_NONE. */
kfi_value kfi_measure_mean(kfi_formula *formula, kfi_value score, kfi_value mask,
                           kfi_value weights);

#endif
