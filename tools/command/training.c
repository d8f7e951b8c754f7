/* sched_getaffinity needs _GNU_SOURCE, which the build defines. */
#include "training.h"

#include "report.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 4096 };

/* What the texts of the options become, and where the parts of those texts live meanwhile. */
struct settings {
    kf_model *model;
    kf_compile_options compile;
    int32_t n_outputs, n_weights; /* n_weights: those without a name */
    char text[MOST_TEXT];
    size_t used;
};

static kf_status keep(struct settings *settings, const char *text, const char **kept) {
    const size_t bytes = strlen(text) + 1;
    if (bytes > MOST_TEXT - settings->used)
        return tool_fail(KF_USAGE, "losses and metrics together are longer than %d bytes",
                         MOST_TEXT);
    char *copy = settings->text + settings->used;
    memcpy(copy, text, bytes);
    settings->used += bytes;
    *kept = copy;
    return KF_OK;
}

/* The entry of an output, made at its first mention. */
static kf_status find_output(struct settings *settings, const char *name,
                             kf_output_options **entry) {
    for (int32_t i = 0; i < settings->n_outputs; i++) {
        *entry = &settings->compile.outputs[i];
        if (strcmp((*entry)->output, name) == 0) return KF_OK;
    }
    for (int32_t i = 0; i < kf_model_outputs(settings->model); i++) {
        if (strcmp(kf_model_output_name(settings->model, i), name) != 0) continue;
        if (settings->n_outputs == KF_MAX_OUTPUTS) break;
        *entry = &settings->compile.outputs[settings->n_outputs++];
        (*entry)->output = kf_model_output_name(settings->model, i);
        return KF_OK;
    }
    return tool_fail(KF_USAGE, "the model has no output '%s'; its first is '%s'", name,
                     kf_model_output_name(settings->model, 0));
}

static kf_status set_loss(void *context, const char *output, const char *loss) {
    struct settings *settings = context;
    if (output == NULL) return keep(settings, loss, &settings->compile.loss);
    kf_output_options *entry = NULL;
    const kf_status status = find_output(settings, output, &entry);
    return status != KF_OK ? status : keep(settings, loss, &entry->loss);
}

/* Those without a name are for the outputs in their order. */
static kf_status set_loss_weight(void *context, const char *output, const char *text) {
    struct settings *settings = context;
    if (output == NULL && settings->n_weights >= kf_model_outputs(settings->model))
        return tool_fail(KF_USAGE, "--loss-weights: the model has %d outputs; '%s' is one too many",
                         kf_model_outputs(settings->model), text);
    if (output == NULL) output = kf_model_output_name(settings->model, settings->n_weights++);
    kf_output_options *entry = NULL;
    const kf_status status = find_output(context, output, &entry);
    if (status != KF_OK) return status;
    char *end;
    const double weight = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(weight))
        return tool_fail(KF_USAGE, "--loss-weights: '%s' is not a number", text);
    entry->loss_weight = weight == 0 ? KF_ZERO : weight;
    return KF_OK;
}

static kf_status add_to(struct settings *settings, const char **list, const char *metric) {
    int32_t n = 0;
    while (n < KF_MAX_METRICS && list[n] != NULL) n++;
    if (n == KF_MAX_METRICS) return tool_fail(KF_USAGE, "more than %d metrics", KF_MAX_METRICS);
    return keep(settings, metric, &list[n]);
}

static kf_status add_metric(void *context, const char *output, const char *metric) {
    struct settings *settings = context;
    if (output == NULL) return add_to(settings, settings->compile.metrics, metric);
    kf_output_options *entry = NULL;
    const kf_status status = find_output(settings, output, &entry);
    return status != KF_OK ? status : add_to(settings, entry->metrics, metric);
}

static kf_status add_weighted_metric(void *context, const char *output, const char *metric) {
    struct settings *settings = context;
    if (output == NULL) return add_to(settings, settings->compile.weighted_metrics, metric);
    kf_output_options *entry = NULL;
    const kf_status status = find_output(settings, output, &entry);
    return status != KF_OK ? status : add_to(settings, entry->weighted_metrics, metric);
}

static kf_status set_mode(void *context, const char *output, const char *mode) {
    struct settings *settings = context;
    if (output == NULL) return keep(settings, mode, &settings->compile.sample_weight_mode);
    kf_output_options *entry = NULL;
    const kf_status status = find_output(settings, output, &entry);
    return status != KF_OK ? status : keep(settings, mode, &entry->sample_weight_mode);
}

static kf_status split_all(struct settings *settings, const tool_list *list,
                           kf_status (*item)(void *, const char *, const char *)) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < list->count && status == KF_OK; i++)
        status = tool_split(list->items[i], item, settings);
    return status;
}

/* As soon as one output has something of its own, every output gets an entry: what was given for
 * all is added to what was given for it alone. */
static kf_status spread(struct settings *settings) {
    kf_compile_options *compile = &settings->compile;
    for (int32_t i = 0; settings->n_outputs > 0 && i < kf_model_outputs(settings->model); i++) {
        const char *name = kf_model_output_name(settings->model, i);
        kf_output_options *entry = NULL;
        kf_status status = find_output(settings, name, &entry);
        if (status == KF_OK && entry->loss == NULL) entry->loss = compile->loss;
        for (int32_t m = 0; m < KF_MAX_METRICS && status == KF_OK; m++)
            if (compile->metrics[m] != NULL)
                status = add_metric(settings, name, compile->metrics[m]);
        for (int32_t m = 0; m < KF_MAX_METRICS && status == KF_OK; m++)
            if (compile->weighted_metrics[m] != NULL)
                status = add_weighted_metric(settings, name, compile->weighted_metrics[m]);
        if (status != KF_OK) return status;
    }
    if (settings->n_outputs > 0) compile->loss = NULL;
    if (settings->n_outputs > 0) memset(compile->metrics, 0, sizeof compile->metrics);
    if (settings->n_outputs > 0)
        memset(compile->weighted_metrics, 0, sizeof compile->weighted_metrics);
    return KF_OK;
}

bool tool_training_given(const tool_training_options *options) {
    return options->optimizer != NULL || options->losses.count > 0 ||
           options->loss_weights.count > 0 || options->metrics.count > 0 ||
           options->weighted_metrics.count > 0 || options->modes.count > 0 ||
           options->memory_limit > 0 || options->exact_convolution;
}

kf_status tool_compile(kf_model *model, const tool_training_options *options) {
    if (!tool_training_given(options) && kf_metrics(model) > 0) return KF_OK;
    if (options->losses.count == 0)
        return tool_fail(KF_USAGE, "%s; give --loss, and --optimizer and --metrics if you wish",
                         tool_training_given(options)
                             ? "options of training replace all that the file says"
                             : "the model file does not say how the model is trained");
    struct settings settings = {
        .model = model,
        .compile = {.size = sizeof(kf_compile_options),
                    .exact_convolution = options->exact_convolution,
                    .memory_limit_bytes = (size_t)(options->memory_limit * 1e6)}};
    kf_status status = split_all(&settings, &options->losses, set_loss);
    if (status == KF_OK) status = split_all(&settings, &options->loss_weights, set_loss_weight);
    if (status == KF_OK) status = split_all(&settings, &options->metrics, add_metric);
    if (status == KF_OK)
        status = split_all(&settings, &options->weighted_metrics, add_weighted_metric);
    if (status == KF_OK) status = split_all(&settings, &options->modes, set_mode);
    if (status == KF_OK) status = spread(&settings);
    if (status != KF_OK) return status;
    if (options->optimizer != NULL)
        settings.compile.optimizer = kf_optimizer_named(options->optimizer);
    return tool_fail_kf(kf_compile_with(model, &settings.compile));
}

void tool_check_threads(int64_t threads) {
    cpu_set_t set;
    const char *oversubscribe = getenv("KF_OVERSUBSCRIBE");
    if (oversubscribe != NULL && strcmp(oversubscribe, "1") == 0) return;
    if (sched_getaffinity(0, sizeof set, &set) != 0 || threads <= CPU_COUNT(&set)) return;
    tool_warn("--threads %lld: this process may use %d CPUs, so %d workers run "
              "(KF_OVERSUBSCRIBE=1 lifts this)",
              (long long)threads, CPU_COUNT(&set), CPU_COUNT(&set));
}
