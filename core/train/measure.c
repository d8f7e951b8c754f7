/* The losses and metrics by name. A new one is an op (y_true, y_pred) -> score in ops/ and a line
 * here. */
#include "core/train/measure.h"

#include "core/base/status.h"

#include <string.h>

/* Keras 2.2.4 losses.py */
static const kfi_measure losses[] = {
    {.name = "mean_squared_error", .aliases = {"mse", "MSE"}},
    {.name = "binary_crossentropy"},
    {.name = "categorical_crossentropy"},
    {.name = "sparse_categorical_crossentropy", .labels = true},
};

/* Keras 2.2.4 metrics.py, beyond the losses */
static const kfi_measure metrics[] = {
    {.name = "binary_accuracy"},
    {.name = "categorical_accuracy"},
    {.name = "sparse_categorical_accuracy", .labels = true},
};

static bool is_called(const kfi_measure *measure, const char *name) {
    if (strcmp(measure->name, name) == 0) return true;
    for (int i = 0; i < KFI_MEASURE_MAX_ALIASES && measure->aliases[i]; i++)
        if (strcmp(measure->aliases[i], name) == 0) return true;
    return false;
}

static const kfi_measure *find(const kfi_measure *table, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (is_called(&table[i], name)) return &table[i];
    return NULL;
}

const kfi_measure *kfi_loss_find(const char *name) {
    const kfi_measure *found = find(losses, sizeof losses / sizeof *losses, name);
    if (!found) kfi_fail(KF_INVALID, "Unknown loss function:%s", name);
    return found;
}

const kfi_measure *kfi_metric_find(const char *name) {
    const kfi_measure *found = find(metrics, sizeof metrics / sizeof *metrics, name);
    if (!found) found = find(losses, sizeof losses / sizeof *losses, name);
    if (!found) kfi_fail(KF_INVALID, "Unknown metric function:%s", name);
    return found;
}

static int64_t last_dimension(const kfi_formula *formula, kfi_value value) {
    const kf_shape *shape = &kfi_type(formula, value)->shape;
    return shape->rank ? shape->dims[shape->rank - 1] : 0;
}

kfi_value kfi_measure_score(kfi_formula *formula, const kfi_measure *measure, kfi_value y_true,
                            bool labels, kfi_value y_pred) {
    if (measure->labels && !labels) {
        kfi_formula_fail(formula, kfi_fail(KF_INVALID,
                                           "%s needs integer labels as targets, which only "
                                           "sparse_categorical_crossentropy takes",
                                           measure->name));
        return KFI_NONE;
    }
    /* One prediction per sample: a label is then a target of the same shape. */
    if (labels && !measure->labels && last_dimension(formula, y_pred) == 1)
        y_true = kfi_emit(formula, "cast", &(kfi_cast){KF_FLOAT32}, y_true);
    else if (labels && !measure->labels) {
        kfi_formula_fail(formula, kfi_fail(KF_INVALID,
                                           "%s needs targets of the predictions' shape, but the "
                                           "loss takes integer labels",
                                           measure->name));
        return KFI_NONE;
    }
    return kfi_emit(formula, measure->name, NULL, y_true, y_pred);
}

static kfi_value mean_of_all(kfi_formula *formula, kfi_value value) {
    const uint32_t axes = (1u << kfi_type(formula, value)->shape.rank) - 1;
    return kfi_emit(formula, "reduce_mean", &(kfi_reduce){.axes = axes}, value);
}

kfi_value kfi_measure_mean(kfi_formula *formula, kfi_value score, kfi_value mask,
                           kfi_value weights) {
    if (!kfi_is_none(mask)) {
        score = kfi_emit(formula, "multiply", NULL, score, mask);
        score = kfi_emit(formula, "divide", NULL, score, mean_of_all(formula, mask));
    }
    if (kfi_is_none(weights)) return kfi_emit(formula, "weighted_mean", NULL, score);
    return kfi_emit(formula, "weighted_mean", NULL, score, weights);
}
