/* The losses and metrics by name. A new one is an op (y_true, y_pred) -> score in ops/ and a line
 * here; the user's own are functions of the graph. */
#include "core/train/measure.h"

#include "core/base/fields.h"
#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/model/model.h"

#include <string.h>

/* What names may be given in brackets: the k of Keras's own functions, and what tf.keras's objects
 * are given besides. */
typedef struct arguments {
    kfi_top_k top;
    bool from_logits;
    double label_smoothing;
} arguments;

#define FROM_LOGITS                                                                                \
    KFI_FIELD(arguments, from_logits, "from_logits", kfi_field_bool, .otherwise = "False",         \
              .help = "predictions are what goes into the softmax or sigmoid")

static const kfi_field logits_fields[] = {FROM_LOGITS, KFI_FIELDS_END};

static const kfi_field crossentropy_fields[] = {
    FROM_LOGITS,
    KFI_FIELD(arguments, label_smoothing, "label_smoothing", kfi_field_real, .otherwise = "0",
              .low = 0, .high = 1, .help = "share of the targets that goes to all classes alike"),
    KFI_FIELDS_END,
};

static const kfi_field top_k_fields[] = {
    KFI_FIELD(arguments, top.k, "k", kfi_field_int32, .otherwise = "5", .low = 1, .high = -1,
              .help = "the class is among so many"),
    KFI_FIELDS_END,
};

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
    {.name = "categorical_crossentropy",
     .fields = crossentropy_fields,
     .op_of_logits = "categorical_crossentropy_of_logits"},
    {.name = "sparse_categorical_crossentropy",
     .labels = true,
     .fields = logits_fields,
     .op_of_logits = "sparse_categorical_crossentropy_of_logits"},
    {.name = "binary_crossentropy",
     .fields = crossentropy_fields,
     .op_of_logits = "binary_crossentropy_of_logits"},
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
    {.name = "top_k_categorical_accuracy",
     .fields = top_k_fields,
     .attributes = &top_5,
     .is_batch_mean = true},
    {.name = "sparse_top_k_categorical_accuracy",
     .labels = true,
     .fields = top_k_fields,
     .attributes = &top_5,
     .is_batch_mean = true},
};

const kfi_measure *kfi_loss_at(int32_t index) {
    return index >= 0 && (size_t)index < sizeof losses / sizeof *losses ? &losses[index] : NULL;
}

const kfi_measure *kfi_metric_at(int32_t index) {
    return index >= 0 && (size_t)index < sizeof metrics / sizeof *metrics ? &metrics[index] : NULL;
}

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

/* --- with arguments --------------------------------------------------------------------------- */

/* A measure of the tables, given other arguments. */
typedef struct given_measure {
    kfi_measure measure; /* first: what is found is a kfi_measure */
    arguments by;
} given_measure;

static void free_given(void *measure) { kfi_free(measure); }

static bool is_same(const arguments *a, const arguments *b) {
    return a->top.k == b->top.k && a->from_logits == b->from_logits &&
           a->label_smoothing == b->label_smoothing;
}

static const kfi_measure *measure_given(kf_graph *graph, const kfi_measure *like,
                                        const arguments *by) {
    given_measure *made;
    for (int64_t i = 0; (made = kfi_graph_owned(graph, free_given, i)); i++)
        if (made->measure.name == like->name && is_same(&made->by, by)) return &made->measure;
    made = kfi_alloc(1, sizeof *made);
    if (!made) return NULL;
    *made = (given_measure){.measure = *like, .by = *by};
    if (like->attributes) made->measure.attributes = &made->by.top;
    made->measure.op = by->from_logits ? like->op_of_logits : NULL;
    made->measure.label_smoothing = by->label_smoothing;
    return kfi_graph_own(graph, made, free_given) == KF_OK ? &made->measure : NULL;
}

static const kfi_measure *find_known(const char *name, bool is_loss) {
    const kfi_measure *found =
        is_loss ? NULL : find(metrics, sizeof metrics / sizeof *metrics, name);
    return found ? found : find(losses, sizeof losses / sizeof *losses, name);
}

/* "top_k_categorical_accuracy(k=3)", "binary_crossentropy(from_logits=True)". */
static const kfi_measure *find_with_arguments(kf_graph *graph, const char *text, bool is_loss) {
    const char *kind = is_loss ? "loss" : "metric";
    char *name = NULL;
    kfi_variant *given = NULL;
    arguments by = {0};
    kf_status status = kfi_object_parse(text, &name, &given);
    const kfi_measure *like = status == KF_OK ? find_known(name, is_loss) : NULL;
    if (status == KF_OK && !like)
        status = kfi_fail(KF_INVALID, "Unknown %s function:%s", kind, name);
    else if (status == KF_OK && !like->fields)
        status = kfi_fail(KF_INVALID, "%s %s takes no arguments", kind, name);
    if (status == KF_OK)
        status = kfi_within(kfi_fields_parse(like->fields, given, &by, NULL, NULL), "%s: ", name);
    const kfi_measure *found = status == KF_OK ? measure_given(graph, like, &by) : NULL;
    kfi_free(name);
    kfi_variant_free(given);
    return found;
}

/* --- finding ---------------------------------------------------------------------------------- */

const kfi_measure *kfi_loss_find(kf_graph *graph, const char *name) {
    const kfi_measure *found = find_known(name, true);
    if (!found && strchr(name, '(') && !kfi_function_find(graph, name))
        return find_with_arguments(graph, name, true);
    return found ? found : find_own(graph, name, true);
}

const kfi_measure *kfi_metric_find(kf_graph *graph, const char *name) {
    const kfi_measure *found = find_known(name, false);
    if (!found && strchr(name, '(') && !kfi_function_find(graph, name))
        return find_with_arguments(graph, name, false);
    return found ? found : find_own(graph, name, false);
}

kf_status kfi_measure_arguments(const char **name, kfi_variant **given) {
    *given = NULL;
    if (!strchr(*name, '(')) return KF_OK;
    char *function = NULL;
    kfi_variant *written = NULL;
    arguments by = {0};
    kf_status status = kfi_object_parse(*name, &function, &written);
    const kfi_measure *like = status == KF_OK ? find_known(function, false) : NULL;
    if (status == KF_INVALID || (status == KF_OK && (!like || !like->fields))) {
        status = KF_OK; /* a function of the user's may be called anything */
    } else if (status == KF_OK) {
        status = kfi_fields_parse(like->fields, written, &by, NULL, NULL);
        if (status == KF_OK) *given = kfi_fields_config(like->fields, &by);
        if (status == KF_OK && !*given) status = KF_MEMORY;
        *name = like->name;
    }
    kfi_free(function);
    kfi_variant_free(written);
    return status;
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

/* tf.keras: of n classes, t (1 - s) + s / n; each by itself is one of two. */
static kfi_value smoothed(kfi_formula *formula, const kfi_measure *measure, kfi_value y_true,
                          kfi_value y_pred) {
    const bool binary = strcmp(measure->name, "binary_crossentropy") == 0;
    const double n = binary ? 2 : (double)last_dimension(formula, y_pred);
    const kfi_affine by = {.scale = (float)(1 - measure->label_smoothing),
                           .offset = (float)(measure->label_smoothing / n)};
    return kfi_emit(formula, "affine", &by, y_true);
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
    if (measure->label_smoothing > 0) y_true = smoothed(formula, measure, y_true, y_pred);
    const char *op = measure->op ? measure->op : measure->name;
    const kfi_value score = kfi_emit(formula, op, measure->attributes, y_true, y_pred);
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
