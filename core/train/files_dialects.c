#include "core/train/files_dialects.h"

#include "core/base/fields.h"
#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/graph/graph.h"
#include "core/train/measure.h"
#include "core/train/optimizer.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* --- names of objects ------------------------------------------------------------------------- */

/* Classes of tf.keras whose functions are not called after them, by _to_snake_case. */
static const char *const named_otherwise[][2] = {
    {"KLDivergence", "kullback_leibler_divergence"},
    {"LogCosh", "logcosh"},
    {"TopKCategoricalAccuracy", "top_k_categorical_accuracy"},
    {"SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy"},
    {"Accuracy", "accuracy"},
};

/* "SparseCategoricalCrossentropy" is sparse_categorical_crossentropy. */
static char *function_name(const char *class_name) {
    for (size_t i = 0; i < sizeof named_otherwise / sizeof *named_otherwise; i++)
        if (strcmp(named_otherwise[i][0], class_name) == 0)
            return kfi_strdup(named_otherwise[i][1]);
    return kfi_snake_case(class_name);
}

/* And back: an underscore and the start make a capital. */
static char *class_name_of(const char *function) {
    for (size_t i = 0; i < sizeof named_otherwise / sizeof *named_otherwise; i++)
        if (strcmp(named_otherwise[i][1], function) == 0) return kfi_strdup(named_otherwise[i][0]);
    char *name = kfi_alloc(strlen(function) + 1, 1);
    if (!name) return NULL;
    size_t n = 0;
    bool starts = true;
    for (const char *at = function; *at; at++) {
        if (*at != '_') name[n++] = (char)(starts ? toupper((unsigned char)*at) : *at);
        starts = *at == '_';
    }
    return name;
}

/* Functions that later versions call otherwise. */
static const char *const renamed[][2] = {
    {"log_cosh", "logcosh"},
    {"kl_divergence", "kullback_leibler_divergence"},
};

static const char *our_name(const char *function) {
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i][0], function) == 0) return renamed[i][1];
    return function;
}

static bool is_object(const kfi_variant *saved) {
    return kfi_variant_is(saved, KFI_DICT) &&
           kfi_variant_text(kfi_variant_get(saved, "class_name"), NULL);
}

static kf_status copy_of(const kfi_variant *saved, kfi_variant **usual) {
    *usual = saved ? kfi_variant_copy(saved) : kfi_variant_null();
    return *usual ? KF_OK : KF_MEMORY;
}

/* --- what objects are given ------------------------------------------------------------------- */

static bool is_default(const kfi_variant *value, double usual) {
    if (!value || kfi_variant_is(value, KFI_NULL)) return true;
    if (kfi_variant_is(value, KFI_BOOL)) return (kfi_variant_truth(value, false) ? 1 : 0) == usual;
    return kfi_variant_to_real(value, (double)NAN) == usual;
}

/* A sum over a batch instead of a mean depends on its size; other thresholds have no function. */
static kf_status check_config(const char *class_name, const kfi_variant *config) {
    const char *reduction = kfi_variant_text(kfi_variant_get(config, "reduction"), "auto");
    if (strcmp(reduction, "sum") == 0 || strcmp(reduction, "none") == 0)
        return kfi_fail(KF_INVALID,
                        "%s(reduction='%s') is not supported: losses are means over the batch",
                        class_name, reduction);
    if (!is_default(kfi_variant_get(config, "threshold"), 0.5))
        return kfi_fail(KF_INVALID, "%s(threshold=…) is not supported: it is 0.5", class_name);
    if (!is_default(kfi_variant_get(config, "axis"), -1))
        return kfi_fail(KF_INVALID, "%s(axis=…) is not supported: it is the last", class_name);
    return KF_OK;
}

/* Those that our functions take, unless they are what they are anyway. */
static kfi_variant *arguments_of(const kfi_variant *config) {
    static const struct {
        const char *name;
        double usual;
    } known[] = {{"from_logits", 0}, {"label_smoothing", 0}, {"k", 5}};
    kfi_variant *arguments = kfi_variant_dict();
    for (size_t i = 0; arguments && i < sizeof known / sizeof *known; i++) {
        const kfi_variant *value = kfi_variant_get(config, known[i].name);
        if (is_default(value, known[i].usual)) continue;
        if (kfi_variant_put(arguments, known[i].name, kfi_variant_copy(value)) == KF_OK) continue;
        kfi_variant_free(arguments);
        return NULL;
    }
    return arguments;
}

/* The config's name is what the user may have called it; the function is "fn" or the class. */
static kf_status name_object(const kfi_variant *object, kfi_variant **usual) {
    const char *class_name = kfi_variant_text(kfi_variant_get(object, "class_name"), NULL);
    const kfi_variant *config = kfi_variant_get(object, "config");
    const char *given = kfi_variant_text(kfi_variant_get(config, "fn"), NULL);
    kf_status status = check_config(class_name, config);
    if (status != KF_OK) return status;
    char *function = given ? kfi_strdup(our_name(given)) : function_name(class_name), *text = NULL;
    kfi_variant *arguments = arguments_of(config);
    status = function && arguments ? KF_OK : KF_MEMORY;
    if (status == KF_OK && kfi_variant_count(arguments) > 0)
        status = kfi_object_print(function, arguments, &text);
    if (status == KF_OK) *usual = kfi_variant_string(text ? text : function);
    kfi_free(function);
    kfi_free(text);
    kfi_variant_free(arguments);
    return status != KF_OK || *usual ? status : KF_MEMORY;
}

/* --- losses and metrics ----------------------------------------------------------------------- */

/* Makes one entry out of another. */
typedef kf_status (*convert_entry)(const kfi_variant *saved, kfi_variant **usual);

/* Every entry of a list or dict converted. */
static kf_status convert_all(const kfi_variant *saved, convert_entry convert, kfi_variant **usual) {
    const bool list = kfi_variant_is(saved, KFI_LIST);
    kfi_variant *all = list ? kfi_variant_list() : kfi_variant_dict();
    kf_status status = all ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < kfi_variant_count(saved) && status == KF_OK; i++) {
        kfi_variant *one = NULL;
        status = convert(list ? kfi_variant_at(saved, i) : kfi_variant_value_at(saved, i), &one);
        if (status == KF_OK && list) status = kfi_variant_append(all, one);
        if (status == KF_OK && !list)
            status = kfi_variant_put(all, kfi_variant_key_at(saved, i), one);
    }
    if (status == KF_OK)
        *usual = all;
    else
        kfi_variant_free(all);
    return status;
}

static kf_status name_of(const kfi_variant *saved, kfi_variant **usual) {
    if (is_object(saved)) return name_object(saved, usual);
    if (!kfi_variant_is(saved, KFI_STRING)) return copy_of(saved, usual);
    *usual = kfi_variant_string(our_name(kfi_variant_text(saved, "")));
    return *usual ? KF_OK : KF_MEMORY;
}

/* As a loss, tf.keras's cosine_similarity is our cosine_proximity; as a metric it has the other
 * sign, and no name here. */
static kf_status loss_of(const kfi_variant *saved, kfi_variant **usual) {
    kf_status status = name_of(saved, usual);
    if (status != KF_OK || strcmp(kfi_variant_text(*usual, ""), "cosine_similarity") != 0)
        return status;
    kfi_variant_free(*usual);
    *usual = kfi_variant_string("cosine_proximity");
    return *usual ? KF_OK : KF_MEMORY;
}

static bool is_several(const kfi_variant *saved) {
    return kfi_variant_is(saved, KFI_LIST) ||
           (kfi_variant_is(saved, KFI_DICT) && !is_object(saved));
}

/* A name, or a list or dict of names. */
kf_status kfi_dialect_losses(const kfi_variant *saved, kfi_variant **usual) {
    return is_several(saved) ? convert_all(saved, loss_of, usual) : loss_of(saved, usual);
}

/* The metrics of one output: a list of names. */
static kf_status metrics_of_output(const kfi_variant *saved, kfi_variant **usual) {
    if (kfi_variant_is(saved, KFI_LIST)) return convert_all(saved, name_of, usual);
    kfi_variant *list = kfi_variant_list(), *one = NULL;
    kf_status status = list ? KF_OK : KF_MEMORY;
    if (status == KF_OK && !kfi_variant_is(saved, KFI_NULL)) {
        status = name_of(saved, &one);
        if (status == KF_OK) status = kfi_variant_append(list, one);
    }
    if (status == KF_OK)
        *usual = list;
    else
        kfi_variant_free(list);
    return status;
}

static bool holds_lists(const kfi_variant *list) {
    for (int64_t i = 0; i < kfi_variant_count(list); i++)
        if (kfi_variant_is(kfi_variant_at(list, i), KFI_LIST)) return true;
    return false;
}

/* A list is for every output; tf.keras also writes a list of lists, one for each output in their
 * order, or one for all. */
kf_status kfi_dialect_metrics(const kfi_variant *saved, kfi_variant **usual) {
    if (!is_several(saved)) return copy_of(saved, usual);
    if (kfi_variant_is(saved, KFI_DICT)) return convert_all(saved, metrics_of_output, usual);
    if (!holds_lists(saved)) return convert_all(saved, name_of, usual);
    if (kfi_variant_count(saved) == 1) return metrics_of_output(kfi_variant_at(saved, 0), usual);
    return convert_all(saved, metrics_of_output, usual);
}

/* --- optimizers ------------------------------------------------------------------------------- */

/* Users' classes and, since 2.11, all are registered under a package: "Custom>Adam". */
static const char *plain_class(const kfi_variant *saved) {
    const char *name = kfi_variant_text(kfi_variant_get(saved, "class_name"), "");
    const char *behind = strrchr(name, '>');
    return behind ? behind + 1 : name;
}

static const kfi_optimizer_class *class_called(const char *name) {
    const kfi_optimizer_class *class;
    for (int32_t i = 0; (class = kfi_optimizer_at(i)); i++)
        if (strcasecmp(class->name, name) == 0) return class;
    return NULL;
}

/* Our name of an option. tf.keras's Nadam calls its schedule_decay "decay". */
static const char *our_option(const kfi_optimizer_class *class, const char *option) {
    if (strcmp(option, "learning_rate") == 0) return "lr";
    if (strcmp(option, "global_clipnorm") == 0) return "clipnorm";
    if (strcmp(class->name, "Nadam") == 0 && strcmp(option, "decay") == 0) return "schedule_decay";
    return option;
}

static bool has_option(const kfi_optimizer_class *class, const char *option) {
    for (const kfi_field *field = class->fields; field->name; field++)
        if (strcmp(field->name, option) == 0) return true;
    return false;
}

/* An option that no optimizer of ours has, and that changes what is computed. */
static bool is_missed(const char *option, const kfi_variant *value) {
    static const char *const without_effect[] = {"name", "jit_compile", "is_legacy_optimizer",
                                                 "ema_momentum"};
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        if (strcmp(option, without_effect[i]) == 0) return false;
    return !is_default(value, 0);
}

static void warn_of(const kf_graph *graph, const kfi_optimizer_class *class, const char *option,
                    const kfi_variant *value, const char *what) {
    char printed[64];
    kfi_value_print(value, printed, sizeof printed);
    kfi_graph_warn(graph, "%s: %s=%s of tf.keras %s", class->name, option, printed, what);
}

static kf_status options_of(const kfi_optimizer_class *class, const kfi_variant *saved,
                            const kf_graph *graph, kfi_variant *options) {
    const bool tf = kfi_variant_get(saved, "name") != NULL; /* which Keras's own never have */
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(saved) && status == KF_OK; i++) {
        const char *option = kfi_variant_key_at(saved, i), *ours = our_option(class, option);
        const kfi_variant *value = kfi_variant_value_at(saved, i);
        const bool known = has_option(class, ours);
        if (!known && is_missed(option, value))
            warn_of(graph, class, option, value, "is not supported, training goes on without");
        if (!known || kfi_variant_is(value, KFI_NULL)) continue;
        if (tf && strcmp(option, "clipnorm") == 0)
            warn_of(graph, class, option, value,
                    "is for each weight; here it is for all of them together");
        status = kfi_variant_put(options, ours, kfi_variant_copy(value));
    }
    return status;
}

kf_status kfi_dialect_optimizer(const kfi_variant *saved, const kf_graph *graph,
                                kfi_variant **usual) {
    const kfi_variant *config = kfi_variant_get(saved, "config");
    const kfi_optimizer_class *class = class_called(plain_class(saved));
    if (!class || (config && !kfi_variant_is(config, KFI_DICT))) return copy_of(saved, usual);
    kfi_variant *options = kfi_variant_dict(), *made = kfi_variant_dict();
    kf_status status = options && made ? options_of(class, config, graph, options) : KF_MEMORY;
    if (status == KF_OK)
        status = kfi_variant_put(made, "class_name", kfi_variant_string(class->name));
    if (status == KF_OK) {
        status = kfi_variant_put(made, "config", options);
        options = NULL;
    }
    kfi_variant_free(options);
    if (status == KF_OK)
        *usual = made;
    else
        kfi_variant_free(made);
    return status;
}

/* --- and out ---------------------------------------------------------------------------------- */

static kf_status object_of(const char *function, const kfi_variant *arguments,
                           kfi_variant **object) {
    kfi_variant *config = kfi_variant_copy(arguments), *made = kfi_variant_dict();
    char *class_name = class_name_of(function);
    kf_status status = config && made && class_name ? KF_OK : KF_MEMORY;
    if (status == KF_OK) status = kfi_variant_put(config, "name", kfi_variant_string(function));
    if (status == KF_OK)
        status = kfi_variant_put(made, "class_name", kfi_variant_string(class_name));
    if (status == KF_OK) {
        status = kfi_variant_put(made, "config", config);
        config = NULL;
    }
    kfi_free(class_name);
    kfi_variant_free(config);
    if (status == KF_OK)
        *object = made;
    else
        kfi_variant_free(made);
    return status;
}

static kf_status to_object(const kfi_variant *usual, kfi_variant **saved) {
    if (is_several(usual)) return kfi_dialect_objects(usual, saved);
    const char *function = kfi_variant_text(usual, "");
    kfi_variant *arguments = NULL;
    kf_status status = kfi_measure_arguments(&function, &arguments);
    if (status == KF_OK)
        status = arguments ? object_of(function, arguments, saved) : copy_of(usual, saved);
    kfi_variant_free(arguments);
    return status;
}

kf_status kfi_dialect_objects(const kfi_variant *usual, kfi_variant **saved) {
    return is_several(usual) ? convert_all(usual, to_object, saved) : to_object(usual, saved);
}
