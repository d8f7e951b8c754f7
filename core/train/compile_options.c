/* kf_compile: the options struct in C becomes what Keras's compile was given: a loss for all
 * outputs or a dict by output, and so on. */
#include "core/train/training.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <math.h>
#include <string.h>

/* A Sequential that is not built yet has one output, its last layer's. */
static int32_t count_outputs(const kf_model *model) {
    return model->unbuilt ? 1 : model->n_outputs;
}

static const char *output_name(const kf_model *model, int32_t output) {
    if (!model->unbuilt) return kf_model_output_name(model, output);
    return model->n_pending > 0 ? model->pending[model->n_pending - 1]->name : "";
}

/* 0 is the default; KF_ZERO is a given zero. */
static bool is_weight_given(double weight) { return weight != 0 || signbit(weight); }

static bool is_given(const kf_output_options *entry) {
    return entry->output || entry->loss || is_weight_given(entry->loss_weight) ||
           entry->metrics[0] || entry->weighted_metrics[0] || entry->sample_weight_mode;
}

static bool has_outputs(const kf_compile_options *options) {
    for (int i = 0; i < KF_MAX_OUTPUTS; i++)
        if (is_given(&options->outputs[i])) return true;
    return false;
}

/* The entry for an output, by its name or else by its position; NULL: none. */
static const kf_output_options *entry_for(const kf_compile_options *options, const kf_model *model,
                                          int32_t output) {
    const char *name = output_name(model, output);
    for (int i = 0; i < KF_MAX_OUTPUTS; i++) {
        const kf_output_options *entry = &options->outputs[i];
        if (entry->output && strcmp(entry->output, name) == 0) return entry;
    }
    if (output >= KF_MAX_OUTPUTS) return NULL;
    const kf_output_options *entry = &options->outputs[output];
    return is_given(entry) && !entry->output ? entry : NULL;
}

static kf_status check_positions(const kf_compile_options *options, const kf_model *model) {
    for (int i = count_outputs(model); i < KF_MAX_OUTPUTS; i++) {
        if (is_given(&options->outputs[i]) && !options->outputs[i].output)
            return kfi_fail(KF_USAGE, "outputs[%d] is given, but the model has %d outputs", i,
                            count_outputs(model));
        if (is_weight_given(options->loss_weights[i]))
            return kfi_fail(KF_USAGE, "loss_weights[%d] is given, but the model has %d outputs", i,
                            count_outputs(model));
    }
    return KF_OK;
}

/* --- losses ----------------------------------------------------------------------------------- */

static kfi_variant *name_or_null(const char *name) {
    return name ? kfi_variant_string(name) : kfi_variant_null();
}

static kf_status put_unless_known(kfi_variant *dict, const char *key, const char *value) {
    if (kfi_variant_get(dict, key)) return KF_OK;
    return kfi_variant_put(dict, key, name_or_null(value));
}

/* Names that are no output's go in too: the check of a dict's keys reports them. */
static kfi_variant *losses_by_output(const kf_compile_options *options, const kf_model *model) {
    kfi_variant *losses = kfi_variant_dict();
    kf_status status = losses ? KF_OK : KF_MEMORY;
    for (int32_t i = 0; i < count_outputs(model) && status == KF_OK; i++) {
        const kf_output_options *entry = entry_for(options, model, i);
        const char *loss = entry && entry->loss ? entry->loss : options->loss;
        if (loss) status = put_unless_known(losses, output_name(model, i), loss);
    }
    for (int i = 0; i < KF_MAX_OUTPUTS && status == KF_OK; i++)
        if (options->outputs[i].output)
            status = put_unless_known(losses, options->outputs[i].output, options->outputs[i].loss);
    if (status == KF_OK) return losses;
    kfi_variant_free(losses);
    return NULL;
}

/* --- metrics ---------------------------------------------------------------------------------- */

static kf_status append_names(kfi_variant *list, const char *const *names) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_METRICS && names[i] && status == KF_OK; i++)
        status = kfi_variant_append(list, kfi_variant_string(names[i]));
    return status;
}

/* `metrics` or, if weighted, `weighted_metrics`: of all outputs, and of one alone. */
static const char *const *names_for_all(const kf_compile_options *options, bool weighted) {
    return weighted ? options->weighted_metrics : options->metrics;
}

static const char *const *names_for(const kf_output_options *entry, bool weighted) {
    return weighted ? entry->weighted_metrics : entry->metrics;
}

/* Keras's `metrics or []`. */
static kfi_variant *metrics_for_all(const kf_compile_options *options, bool weighted) {
    kfi_variant *list = kfi_variant_list();
    if (list && append_names(list, names_for_all(options, weighted)) == KF_OK) return list;
    kfi_variant_free(list);
    return NULL;
}

static kfi_variant *metrics_by_output(const kf_compile_options *options, const kf_model *model,
                                      bool weighted) {
    kfi_variant *metrics = kfi_variant_dict();
    kf_status status = metrics ? KF_OK : KF_MEMORY;
    for (int32_t i = 0; i < count_outputs(model) && status == KF_OK; i++) {
        const kf_output_options *entry = entry_for(options, model, i);
        kfi_variant *list = metrics_for_all(options, weighted);
        status = list ? KF_OK : KF_MEMORY;
        if (status == KF_OK && entry) status = append_names(list, names_for(entry, weighted));
        if (status == KF_OK)
            status = kfi_variant_put(metrics, output_name(model, i), list);
        else
            kfi_variant_free(list);
    }
    if (status == KF_OK) return metrics;
    kfi_variant_free(metrics);
    return NULL;
}

static kfi_variant *metrics_of(const kf_compile_options *options, const kf_model *model,
                               bool weighted) {
    for (int i = 0; i < KF_MAX_OUTPUTS; i++)
        if (names_for(&options->outputs[i], weighted)[0])
            return metrics_by_output(options, model, weighted);
    return metrics_for_all(options, weighted);
}

/* --- sample weights --------------------------------------------------------------------------- */

static bool has_own_modes(const kf_compile_options *options) {
    for (int i = 0; i < KF_MAX_OUTPUTS; i++)
        if (options->outputs[i].sample_weight_mode) return true;
    return false;
}

static kfi_variant *modes_of(const kf_compile_options *options, const kf_model *model) {
    if (!has_own_modes(options)) return name_or_null(options->sample_weight_mode);
    kfi_variant *modes = kfi_variant_dict();
    kf_status status = modes ? KF_OK : KF_MEMORY;
    for (int32_t i = 0; i < count_outputs(model) && status == KF_OK; i++) {
        const kf_output_options *entry = entry_for(options, model, i);
        const char *mode = entry && entry->sample_weight_mode ? entry->sample_weight_mode
                                                              : options->sample_weight_mode;
        status = kfi_variant_put(modes, output_name(model, i), name_or_null(mode));
    }
    if (status == KF_OK) return modes;
    kfi_variant_free(modes);
    return NULL;
}

/* --- loss weights ----------------------------------------------------------------------------- */

/* The weight of an output, 1 if none is given. */
static double weight_of(const kf_compile_options *options, const kf_model *model, int32_t output) {
    const kf_output_options *entry = entry_for(options, model, output);
    if (entry && is_weight_given(entry->loss_weight)) return entry->loss_weight + 0.0;
    const double weight = output < KF_MAX_OUTPUTS ? options->loss_weights[output] : 0;
    return is_weight_given(weight) ? weight + 0.0 : 1;
}

static bool has_weights(const kf_compile_options *options) {
    for (int i = 0; i < KF_MAX_OUTPUTS; i++)
        if (is_weight_given(options->loss_weights[i]) ||
            is_weight_given(options->outputs[i].loss_weight))
            return true;
    return false;
}

static kfi_variant *weights_of_all(const kf_compile_options *options, const kf_model *model,
                                   bool by_output) {
    if (!has_weights(options)) return kfi_variant_null();
    kfi_variant *weights = by_output ? kfi_variant_dict() : kfi_variant_list();
    kf_status status = weights ? KF_OK : KF_MEMORY;
    for (int32_t i = 0; i < count_outputs(model) && status == KF_OK; i++) {
        kfi_variant *weight = kfi_variant_real(kfi_as_typed(weight_of(options, model, i)));
        status = by_output ? kfi_variant_put(weights, output_name(model, i), weight)
                           : kfi_variant_append(weights, weight);
    }
    if (status == KF_OK) return weights;
    kfi_variant_free(weights);
    return NULL;
}

/* --- the whole -------------------------------------------------------------------------------- */

kf_status kf_compile_with(kf_model *model, const kf_compile_options *options) {
    kf_compile_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kf_optimizer *optimizer = given.optimizer ? given.optimizer : kf_optimizer_named("rmsprop");
    kfi_training *training = NULL;
    kf_status status = kfi_training_begin(model, &training);
    if (status == KF_OK) status = check_positions(&given, model);
    if (status != KF_OK) {
        kf_optimizer_free(optimizer);
        return status;
    }
    const bool by_output = has_outputs(&given);
    const kfi_compile_arguments arguments = {
        .optimizer = optimizer,
        .loss = by_output ? losses_by_output(&given, model) : name_or_null(given.loss),
        .metrics = metrics_of(&given, model, false),
        .weighted_metrics = metrics_of(&given, model, true),
        .loss_weights = weights_of_all(&given, model, by_output),
        .sample_weight_mode = modes_of(&given, model)};
    if (arguments.loss && arguments.metrics && arguments.weighted_metrics &&
        arguments.loss_weights && arguments.sample_weight_mode) {
        status = kfi_compile_with(model, &arguments);
        if (status == KF_OK) training->memory_limit = given.memory_limit_bytes;
        if (status == KF_OK) training->exact_convolution = given.exact_convolution;
        return status;
    }
    kf_optimizer_free(optimizer);
    kfi_variant_free(arguments.loss);
    kfi_variant_free(arguments.metrics);
    kfi_variant_free(arguments.weighted_metrics);
    kfi_variant_free(arguments.loss_weights);
    kfi_variant_free(arguments.sample_weight_mode);
    return KF_MEMORY;
}
