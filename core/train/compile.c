/* Compiling: what each output is trained for, resolved as Keras 2.2.4's Model.compile resolves it,
 * with its messages; and the names of what is then reported. */
#include "core/train/deferred.h"
#include "core/train/pass.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

/* --- entries by output ------------------------------------------------------------------------ */

static kfi_name_list list_outputs(const kf_model *model) {
    kfi_name_list list = {""};
    for (int32_t i = 0; i < model->n_outputs; i++)
        kfi_name_list_add(&list, kf_model_output_name(model, i));
    return list;
}

static bool is_output(const kf_model *model, const char *name) {
    for (int32_t i = 0; i < model->n_outputs; i++)
        if (strcmp(kf_model_output_name(model, i), name) == 0) return true;
    return false;
}

/* Checks a dict's keys or a list's length; `what` is the argument's name. */
static kf_status check_entries(const kf_model *model, const kfi_variant *entries,
                               const char *what) {
    const int64_t count = kfi_variant_count(entries);
    if (kfi_variant_is(entries, KFI_LIST) && count != model->n_outputs)
        return kfi_fail(KF_USAGE,
                        "When passing a list as %s, it should have one entry per model outputs. "
                        "The model has %d outputs, but you passed %lld entries",
                        what, model->n_outputs, (long long)count);
    for (int64_t i = 0; kfi_variant_is(entries, KFI_DICT) && i < count; i++) {
        const char *name = kfi_variant_key_at(entries, i);
        if (!is_output(model, name))
            return kfi_fail(KF_USAGE,
                            "Unknown entry in %s dictionary: \"%s\". Only expected the following "
                            "keys: [%s]",
                            what, name, list_outputs(model).text);
    }
    return KF_OK;
}

/* What a list or dict says of an output; NULL if nothing. */
static const kfi_variant *entry_of(const kf_model *model, const kfi_variant *entries,
                                   int32_t output) {
    if (kfi_variant_is(entries, KFI_DICT))
        return kfi_variant_get(entries, kf_model_output_name(model, output));
    return kfi_variant_at(entries, output);
}

/* --- losses ----------------------------------------------------------------------------------- */

static void warn_untrained(const kf_model *model, int32_t output) {
    const char *name = kf_model_output_name(model, output);
    kfi_graph_warn(model->graph,
                   "Output \"%s\" missing from loss dictionary. We assume this was done on "
                   "purpose, and we will not be expecting any data to be passed to \"%s\" during "
                   "training.",
                   name, name);
}

static kf_status resolve_losses(const kf_model *model, kfi_compiled *compiled) {
    const kfi_variant *loss = compiled->loss;
    kf_status status = check_entries(model, loss, "loss");
    for (int32_t i = 0; i < model->n_outputs && status == KF_OK; i++) {
        const kfi_variant *entry =
            kfi_variant_is(loss, KFI_STRING) ? loss : entry_of(model, loss, i);
        if (kfi_variant_is(loss, KFI_DICT) && !entry) warn_untrained(model, i);
        if (kfi_variant_is(entry, KFI_NULL)) continue;
        const char *name = kfi_variant_text(entry, NULL);
        if (!name)
            return kfi_fail(KF_USAGE, "the loss of %s must be a name, got %s",
                            kf_model_output_name(model, i), kfi_variant_kind_name(entry));
        compiled->targets[i].loss = kfi_loss_find(model->graph, name);
        if (!compiled->targets[i].loss) status = kf_last_status();
    }
    return status;
}

static kf_status resolve_loss_weights(const kf_model *model, kfi_compiled *compiled) {
    const kfi_variant *weights = compiled->loss_weights;
    const kf_status status = check_entries(model, weights, "loss_weights");
    if (status != KF_OK) return status;
    for (int32_t i = 0; i < model->n_outputs; i++)
        compiled->targets[i].loss_weight =
            (float)kfi_variant_to_real(entry_of(model, weights, i), 1);
    return KF_OK;
}

/* --- sample weights --------------------------------------------------------------------------- */

static kf_status resolve_mode(const kfi_variant *mode, kfi_target *target) {
    const char *name = kfi_variant_text(mode, NULL);
    target->is_temporal = name && strcmp(name, "temporal") == 0;
    if (target->is_temporal || kfi_variant_is(mode, KFI_NULL)) return KF_OK;
    return kfi_fail(KF_USAGE, "sample_weight_mode should be None or \"temporal\". Found: %s",
                    name ? name : kfi_variant_kind_name(mode));
}

static kf_status resolve_modes(const kf_model *model, kfi_compiled *compiled) {
    const kfi_variant *modes = compiled->sample_weight_mode;
    const bool by_output = kfi_variant_is(modes, KFI_LIST) || kfi_variant_is(modes, KFI_DICT);
    kf_status status = check_entries(model, modes, "sample_weight_mode");
    for (int32_t i = 0; i < model->n_outputs && status == KF_OK; i++) {
        if (!compiled->targets[i].loss) continue;
        const kfi_variant *mode = by_output ? entry_of(model, modes, i) : modes;
        if (kfi_variant_is(modes, KFI_DICT) && !mode)
            return kfi_fail(KF_USAGE, "Output \"%s\" missing from sample_weight_modes dictionary",
                            kf_model_output_name(model, i));
        status = resolve_mode(mode, &compiled->targets[i]);
    }
    return status;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool has_name(const kfi_compiled *compiled, const char *name) {
    for (int32_t i = 0; i < compiled->n_names; i++)
        if (strcmp(compiled->names[i], name) == 0) return true;
    return false;
}

/* Takes `name` over. */
static kf_status add_name(kfi_compiled *compiled, char *name) {
    if (!name) return KF_MEMORY;
    char **names =
        kfi_realloc(compiled->names, (size_t)compiled->n_names + 1, sizeof *compiled->names);
    if (!names) {
        kfi_free(name);
        return KF_MEMORY;
    }
    compiled->names = names;
    compiled->names[compiled->n_names++] = name;
    return KF_OK;
}

/* Keras repeats the names of losses, should two outputs share one. */
static kf_status name_losses(const kf_model *model, kfi_compiled *compiled) {
    kf_status status = add_name(compiled, kfi_strdup("loss"));
    for (int32_t i = 0; i < model->n_outputs && model->n_outputs > 1 && status == KF_OK; i++)
        if (compiled->targets[i].loss)
            status = add_name(compiled, kfi_format("%s_loss", kf_model_output_name(model, i)));
    return status;
}

/* "acc", "main_output_acc", "weighted_acc"; the second of one name is "acc_1", the third "acc_2".
 */
static kf_status name_metric(const kf_model *model, kfi_compiled *compiled, int32_t output,
                             bool weighted, const char *metric) {
    const char *prefix = weighted ? "weighted_" : "";
    char *base = model->n_outputs > 1
                     ? kfi_format("%s_%s%s", kf_model_output_name(model, output), prefix, metric)
                     : kfi_format("%s%s", prefix, metric);
    char *name = base ? kfi_strdup(base) : NULL;
    for (int again = 1; name && has_name(compiled, name); again++) {
        kfi_free(name);
        name = kfi_format("%s_%d", base, again);
    }
    kfi_free(base);
    return add_name(compiled, name);
}

/* --- metrics ---------------------------------------------------------------------------------- */

/* "accuracy" and "crossentropy" mean what suits the output and its loss. */
typedef struct short_name {
    const char *given[2], *reported;
    const char *binary, *sparse, *categorical;
} short_name;

static const short_name short_names[] = {
    {{"accuracy", "acc"},
     "acc",
     "binary_accuracy",
     "sparse_categorical_accuracy",
     "categorical_accuracy"},
    {{"crossentropy", "ce"},
     "ce",
     "binary_crossentropy",
     "sparse_categorical_crossentropy",
     "categorical_crossentropy"},
};

static const short_name *find_short_name(const char *name) {
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        for (int g = 0; g < 2; g++)
            if (strcmp(short_names[i].given[g], name) == 0) return &short_names[i];
    return NULL;
}

static const char *suitable(const short_name *name, const kf_model *model, const kfi_measure *loss,
                            int32_t output) {
    const kf_shape *shape = &model->outputs[output]->shape;
    if (shape->rank > 0 && shape->dims[shape->rank - 1] == 1) return name->binary;
    if (strcmp(loss->name, "binary_crossentropy") == 0) return name->binary;
    return loss->labels ? name->sparse : name->categorical;
}

static kf_status add_metric(const kf_model *model, kfi_compiled *compiled, int32_t output,
                            bool weighted, const kfi_variant *entry) {
    kfi_target *target = &compiled->targets[output];
    const char *name = kfi_variant_text(entry, NULL);
    if (!name)
        return kfi_fail(KF_USAGE, "a metric of %s must be a name, got %s",
                        kf_model_output_name(model, output), kfi_variant_kind_name(entry));
    const short_name *abbreviated = find_short_name(name);
    const kfi_measure *metric = kfi_metric_find(
        model->graph, abbreviated ? suitable(abbreviated, model, target->loss, output) : name);
    if (!metric) return kf_last_status();
    const kfi_measure **metrics =
        kfi_realloc(target->metrics, (size_t)target->n_metrics + 1, sizeof *target->metrics);
    if (!metrics) return KF_MEMORY;
    target->metrics = metrics;
    target->metrics[target->n_metrics++] = metric;
    target->n_weighted += weighted;
    return name_metric(model, compiled, output, weighted,
                       abbreviated ? abbreviated->reported : metric->name);
}

/* A list is for every output, unless it is a list of lists; a dict has a name or list for each. */
static const kfi_variant *metrics_of(const kf_model *model, const kfi_variant *metrics,
                                     int32_t output) {
    const bool nested = kfi_variant_is(kfi_variant_at(metrics, 0), KFI_LIST);
    return nested || kfi_variant_is(metrics, KFI_DICT) ? entry_of(model, metrics, output) : metrics;
}

static kf_status check_metrics(const kf_model *model, const kfi_variant *metrics,
                               const char *what) {
    if (kfi_variant_is(metrics, KFI_NULL)) return KF_OK;
    if (kfi_variant_is(metrics, KFI_DICT) || kfi_variant_is(kfi_variant_at(metrics, 0), KFI_LIST))
        return check_entries(model, metrics, what);
    if (kfi_variant_is(metrics, KFI_LIST)) return KF_OK;
    return kfi_fail(KF_USAGE,
                    "Type of `%s` argument not understood. Expected a list or dictionary, "
                    "found: %s",
                    what, kfi_variant_kind_name(metrics));
}

static kf_status add_metrics(const kf_model *model, kfi_compiled *compiled, int32_t output,
                             bool weighted, const kfi_variant *given) {
    const kfi_variant *metrics = metrics_of(model, given, output);
    if (kfi_variant_is(metrics, KFI_STRING))
        return add_metric(model, compiled, output, weighted, metrics);
    kf_status status = KF_OK;
    for (int64_t m = 0; m < kfi_variant_count(metrics) && status == KF_OK; m++)
        status = add_metric(model, compiled, output, weighted, kfi_variant_at(metrics, m));
    return status;
}

static kf_status resolve_metrics(const kf_model *model, kfi_compiled *compiled) {
    kf_status status = check_metrics(model, compiled->metrics, "metrics");
    if (status == KF_OK)
        status = check_metrics(model, compiled->weighted_metrics, "weighted_metrics");
    for (int32_t i = 0; i < model->n_outputs && status == KF_OK; i++) {
        if (!compiled->targets[i].loss) continue;
        status = add_metrics(model, compiled, i, false, compiled->metrics);
        if (status == KF_OK)
            status = add_metrics(model, compiled, i, true, compiled->weighted_metrics);
    }
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool is_among(kf_weight *const *weights, int32_t n, const kf_weight *weight) {
    for (int32_t i = 0; i < n; i++)
        if (weights[i] == weight) return true;
    return false;
}

/* The trained weights as they are now: a change of a trainable flag needs another compile. */
static kf_status gather_weights(const kf_model *model, kfi_compiled *compiled) {
    kfi_weight_list list = {0};
    const kf_status status = kfi_layer_gather(model->layer, true, &list);
    compiled->weights = list.items;
    for (int64_t i = 0; i < list.count && status == KF_OK; i++)
        if (!is_among(compiled->weights, compiled->n_weights, list.items[i]))
            compiled->weights[compiled->n_weights++] = list.items[i];
    return status;
}

static kf_status resolve(const kf_model *model, kfi_compiled *compiled) {
    compiled->targets = kfi_alloc((size_t)model->n_outputs, sizeof *compiled->targets);
    if (!compiled->targets) return KF_MEMORY;
    compiled->n_outputs = model->n_outputs;
    kf_status status = kfi_optimizer_status(compiled->optimizer);
    if (status == KF_OK) status = resolve_losses(model, compiled);
    if (status == KF_OK) status = resolve_loss_weights(model, compiled);
    if (status == KF_OK) status = resolve_modes(model, compiled);
    if (status == KF_OK) status = name_losses(model, compiled);
    if (status == KF_OK) status = resolve_metrics(model, compiled);
    if (status == KF_OK) status = gather_weights(model, compiled);
    if (status == KF_OK)
        status = kfi_optimizer_attach(compiled->optimizer, compiled->weights, compiled->n_weights);
    return status;
}

/* Puts the new compilation in the old one's place if its losses can be written. */
static kf_status install(kfi_training *training, kfi_compiled *compiled) {
    kfi_compiled *before = training->compiled;
    training->compiled = compiled;
    const kf_status status = kfi_pass_check(training);
    if (status != KF_OK) {
        training->compiled = before;
        return status;
    }
    kfi_passes_free(training);
    kfi_compiled_free(before);
    return KF_OK;
}

kf_status kfi_compile_with(kf_model *model, const kfi_compile_arguments *arguments) {
    kfi_training *training = NULL;
    kf_status status = kfi_training_begin(model, &training);
    if (status == KF_OK && model->unbuilt) return kfi_deferred_compile(training, arguments);
    if (status == KF_OK) kfi_deferred_forget(training);
    kfi_compiled *compiled = kfi_alloc(1, sizeof *compiled);
    if (!compiled) {
        kfi_compile_arguments_free(arguments);
        return KF_MEMORY;
    }
    *compiled = kfi_compiled_as_given(arguments);
    if (status == KF_OK) status = kfi_training_of(model, &training);
    if (status == KF_OK) status = resolve(model, compiled);
    if (status == KF_OK) status = install(training, compiled);
    if (status != KF_OK) kfi_compiled_free(compiled);
    return status;
}

kf_status kfi_compile(kf_model *model, kf_optimizer *optimizer, kfi_variant *loss,
                      kfi_variant *metrics, kfi_variant *loss_weights,
                      kfi_variant *sample_weight_mode) {
    return kfi_compile_with(model,
                            &(kfi_compile_arguments){.optimizer = optimizer,
                                                     .loss = loss,
                                                     .metrics = metrics,
                                                     .loss_weights = loss_weights,
                                                     .sample_weight_mode = sample_weight_mode});
}
