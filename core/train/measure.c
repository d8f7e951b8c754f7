/* The losses and metrics by name. A new one is an op (y_true, y_pred) -> score in ops/ and a line
 * here; the user's own are functions of the graph. */
#include "core/train/measure.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/model/model.h"

#include <string.h>

/* Keras 2.2.4 losses.py */
static const kfi_measure losses[] = {
    {.name = "mean_squared_error", .aliases = {"mse", "MSE"}},
    {.name = "mean_absolute_error", .aliases = {"mae", "MAE"}},
    {.name = "mean_absolute_percentage_error", .aliases = {"mape", "MAPE"}},
    {.name = "mean_squared_logarithmic_error", .aliases = {"msle", "MSLE"}},
    {.name = "squared_hinge"},
    {.name = "hinge"},
    {.name = "categorical_hinge"},
    {.name = "logcosh"},
    {.name = "categorical_crossentropy"},
    {.name = "sparse_categorical_crossentropy", .labels = true},
    {.name = "binary_crossentropy"},
    {.name = "kullback_leibler_divergence", .aliases = {"kld", "KLD"}},
    {.name = "poisson"},
    {.name = "cosine_proximity", .aliases = {"cosine"}},
};

/* The k of the top-k metrics, which Keras's names stand for. */
static const kfi_top_k top_5 = {.k = 5};

/* Keras 2.2.4 metrics.py, beyond the losses */
static const kfi_measure metrics[] = {
    {.name = "binary_accuracy"},
    {.name = "categorical_accuracy"},
    {.name = "sparse_categorical_accuracy", .labels = true},
    {.name = "top_k_categorical_accuracy", .attributes = &top_5, .is_batch_mean = true},
    {.name = "sparse_top_k_categorical_accuracy",
     .labels = true,
     .attributes = &top_5,
     .is_batch_mean = true},
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

/* --- the user's own --------------------------------------------------------------------------- */

static void free_measure(void *measure) { kfi_free(measure); }

/* One for each function that is used so, which the graph keeps. */
static const kfi_measure *measure_of(kf_graph *graph, const kf_function *function) {
    kfi_measure *measure;
    for (int64_t i = 0; (measure = kfi_graph_owned(graph, free_measure, i)); i++)
        if (measure->function == function) return measure;
    measure = kfi_alloc(1, sizeof *measure);
    if (!measure) return NULL;
    measure->name = function->name;
    measure->function = function;
    return kfi_graph_own(graph, measure, free_measure) == KF_OK ? measure : NULL;
}

static const kfi_measure *find_own(kf_graph *graph, const char *name, bool is_loss) {
    const kf_function *function = kfi_function_find(graph, name);
    if (!function) {
        kfi_fail(KF_INVALID, "Unknown %s function:%s", is_loss ? "loss" : "metric", name);
        return NULL;
    }
    if (function->n_inputs != 2) {
        kfi_fail(KF_INVALID, "function %s takes %d inputs; a %s takes two, targets and predictions",
                 name, function->n_inputs, is_loss ? "loss" : "metric");
        return NULL;
    }
    if (is_loss && !function->gradient) {
        kfi_fail(KF_INVALID, "function %s has no gradient, so it cannot be a loss", name);
        return NULL;
    }
    return measure_of(graph, function);
}

/* The scores' shape, if the function does not say another, is the predictions' without the last
 * axis. */
static kfi_value own_score(kfi_formula *formula, const kfi_measure *measure, kfi_value y_true,
                           kfi_value y_pred) {
    const kf_function *function = measure->function;
    const kf_shape in[] = {kfi_type(formula, y_true)->shape, kfi_type(formula, y_pred)->shape};
    kfi_user_function by = {.function = function, .shape = in[1]};
    char message[256] = "";
    by.shape.rank -= by.shape.rank > 0;
    const kf_status status =
        function->shape ? function->shape(function->context, in, &by.shape, message) : KF_OK;
    message[sizeof message - 1] = '\0';
    if (status != KF_OK) {
        kfi_formula_fail(formula,
                         kfi_fail(status, "function %s does not take inputs of these shapes: %s",
                                  measure->name, message[0] ? message : "it does not say why"));
        return KFI_NONE;
    }
    return kfi_emit(formula, "function", &by, y_true, y_pred);
}

/* --- finding ---------------------------------------------------------------------------------- */

const kfi_measure *kfi_loss_find(kf_graph *graph, const char *name) {
    const kfi_measure *found = find(losses, sizeof losses / sizeof *losses, name);
    return found ? found : find_own(graph, name, true);
}

const kfi_measure *kfi_metric_find(kf_graph *graph, const char *name) {
    const kfi_measure *found = find(metrics, sizeof metrics / sizeof *metrics, name);
    if (!found) found = find(losses, sizeof losses / sizeof *losses, name);
    return found ? found : find_own(graph, name, false);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int64_t last_dimension(const kfi_formula *formula, kfi_value value) {
    const kf_shape *shape = &kfi_type(formula, value)->shape;
    return shape->rank ? shape->dims[shape->rank - 1] : 0;
}

static kfi_value mean_of_all(kfi_formula *formula, kfi_value value) {
    const uint32_t axes = (1u << kfi_type(formula, value)->shape.rank) - 1;
    return kfi_emit(formula, "reduce_mean", &(kfi_reduce){.axes = axes}, value);
}

/* The mean of the scores in the place of each: masks and weights then act on it as in Keras, whose
 * function gives the mean alone. */
static kfi_value everywhere(kfi_formula *formula, kfi_value score) {
    const kf_shape shape = kfi_type(formula, score)->shape;
    const kfi_value mean = mean_of_all(formula, score);
    return kfi_emit(formula, "broadcast_to", &(kfi_shaped){.shape = shape}, mean);
}

kfi_value kfi_measure_score(kfi_formula *formula, const kfi_measure *measure, kfi_value y_true,
                            bool labels, kfi_value y_pred) {
    if (measure->function) return own_score(formula, measure, y_true, y_pred);
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
    const kfi_value score = kfi_emit(formula, measure->name, measure->attributes, y_true, y_pred);
    return measure->is_batch_mean ? everywhere(formula, score) : score;
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
