/* Model files as Keras 2.2.4's save() and load_model() write and read them: the model, how it was
 * compiled, and the optimizer's state. */
#include "core/train/deferred.h"
#include "core/train/files_dialects.h"
#include "core/train/files_keras3.h"
#include "core/train/files_optimizer.h"
#include "core/train/files_state.h"
#include "core/train/training.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "io/json.h"

#include <string.h>

/* --- training_config -------------------------------------------------------------------------- */

static kfi_variant *copy_or_null(const kfi_variant *variant) {
    return variant ? kfi_variant_copy(variant) : kfi_variant_null();
}

static kfi_variant *objects_or_null(const kfi_variant *names) {
    kfi_variant *saved = NULL;
    return kfi_dialect_objects(names, &saved) == KF_OK ? saved : NULL;
}

/* Frees the one and gives the other. */
static kfi_variant *exchanged(kfi_variant *one, kfi_variant *other) {
    kfi_variant_free(one);
    return other;
}

static kfi_variant *training_config(const kfi_compiled *compiled, const kf_model *model,
                                    bool keras3) {
    kfi_variant *optimizer = kfi_optimizer_config(compiled->optimizer);
    kfi_variant *loss = objects_or_null(compiled->loss), *config = kfi_variant_dict();
    kfi_variant *metrics = objects_or_null(compiled->metrics);
    if (keras3 && optimizer && loss && metrics) {
        optimizer = exchanged(optimizer, kfi_keras3_optimizer(optimizer, model->graph));
        loss = exchanged(loss, kfi_keras3_losses(loss));
        metrics = exchanged(metrics, kfi_keras3_metrics(metrics, model));
    }
    const struct {
        const char *key;
        kfi_variant *item;
    } items[] = {{"optimizer_config", optimizer},
                 {"loss", loss},
                 {"metrics", metrics},
                 {"sample_weight_mode", copy_or_null(compiled->sample_weight_mode)},
                 {"loss_weights", copy_or_null(compiled->loss_weights)}};
    kf_status status = config ? KF_OK : KF_MEMORY;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (status == KF_OK)
            status = kfi_variant_put(config, items[i].key, items[i].item);
        else
            kfi_variant_free(items[i].item);
    if (status == KF_OK) return config;
    kfi_variant_free(config);
    return NULL;
}

/* Prints and frees a variant; NULL stands for one that could not be made. */
static kf_status print_config(kfi_variant *config, const char **text) {
    char *printed = NULL;
    const kf_status status = config ? kfi_json_print(config, &printed) : KF_MEMORY;
    kfi_variant_free(config);
    *text = printed;
    return status;
}

/* --- saving ----------------------------------------------------------------------------------- */

/* Before the first step there is nothing that Keras would lose. */
static kf_status write_state(void *context, kfi_hdf5 *file) {
    const kfi_training *training = context;
    return training->compiled->optimizer->started ? kfi_state_write(training, file) : KF_OK;
}

static kfi_variant *model_config(const kf_model *model, bool keras3) {
    kfi_variant *config = kfi_model_config(model);
    return config && keras3 ? exchanged(config, kfi_keras3_model(config, model->graph)) : config;
}

static kf_status list_optimizer(const kfi_compiled *compiled, bool keras3, kfi_keras3_list *list) {
    if (keras3) return kfi_keras3_list_make(compiled, list);
    return kfi_optimizer_list(compiled->optimizer, &list->layer);
}

static void free_list(kfi_keras3_list *list, bool keras3) {
    keras3 ? kfi_keras3_list_free(list) : kfi_free(list->layer.weights);
}

static kf_status write_file(kfi_training *training, const kf_save_options *options,
                            const char *path, const kfi_keras_file *content) {
    const kfi_compiled waiting =
        training->waiting ? kfi_compiled_as_given(training->waiting) : (kfi_compiled){0};
    const kfi_compiled *given = training->waiting ? &waiting : training->compiled;
    const kfi_compiled *compiled = options->no_optimizer ? NULL : given;
    const bool keras3 = options->dialect && strcmp(options->dialect, "3") == 0;
    kfi_keras_file file = *content;
    file.keras_version = "2.2.4";
    file.backend = "tensorflow";
    file.model_config = file.training_config = NULL;
    kfi_keras3_list list = {.learning_rate = 0};
    kf_status status = print_config(model_config(training->model, keras3), &file.model_config);
    if (status == KF_OK && compiled)
        status =
            print_config(training_config(compiled, training->model, keras3), &file.training_config);
    if (status == KF_OK && compiled) status = list_optimizer(compiled, keras3, &list);
    file.optimizer = list.layer;
    if (status == KF_OK)
        status = kfi_keras_write(
            path, &file, compiled && compiled == training->compiled ? write_state : NULL, training);
    kfi_free((char *)file.model_config);
    kfi_free((char *)file.training_config);
    free_list(&list, keras3);
    return status;
}

kf_status kf_save_with(kf_model *model, const char *path, const kf_save_options *options) {
    kf_save_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    const char *dialect = given.dialect ? given.dialect : "2.2";
    if (strcmp(dialect, "2.2") != 0 && strcmp(dialect, "3") != 0)
        return kfi_fail(KF_USAGE, "dialect must be one of 2.2, 3; got '%s'", dialect);
    kfi_training *training = NULL;
    kf_status status = kfi_training_begin(model, &training);
    if (status == KF_OK && !model->unbuilt) status = kfi_deferred_finish(training);
    if (status != KF_OK) return status;
    kfi_keras_file content = {0};
    status = kfi_model_content(model, &content);
    if (status == KF_OK) status = write_file(training, &given, path, &content);
    kfi_model_content_free(&content);
    return status;
}

/* --- loading ---------------------------------------------------------------------------------- */

static kf_status compile_from(kf_model *model, const kfi_variant *config) {
    kfi_variant *loss = NULL, *metrics = NULL, *optimizer = NULL;
    kf_status status = kfi_dialect_losses(kfi_variant_get(config, "loss"), &loss);
    if (status == KF_OK) status = kfi_dialect_metrics(kfi_variant_get(config, "metrics"), &metrics);
    if (status == KF_OK)
        status = kfi_dialect_optimizer(kfi_variant_get(config, "optimizer_config"), model->graph,
                                       &optimizer);
    kfi_variant *loss_weights = copy_or_null(kfi_variant_get(config, "loss_weights"));
    kfi_variant *mode = copy_or_null(kfi_variant_get(config, "sample_weight_mode"));
    if (status == KF_OK && loss_weights && mode) {
        kf_optimizer *made = kfi_optimizer_from_config(optimizer);
        kfi_variant_free(optimizer);
        return kfi_compile(model, made, loss, metrics, loss_weights, mode);
    }
    kfi_variant_free(loss);
    kfi_variant_free(metrics);
    kfi_variant_free(optimizer);
    kfi_variant_free(loss_weights);
    kfi_variant_free(mode);
    return status == KF_OK ? KF_MEMORY : status;
}

static kf_status restore_training(kf_model *model, kfi_keras_file *file) {
    kfi_variant *config = NULL;
    kf_status status = kfi_json_parse(file->training_config, strlen(file->training_config),
                                      "training_config", &config);
    if (status == KF_OK) status = compile_from(model, config);
    kfi_variant_free(config);
    if (status != KF_OK || model->unbuilt) return status;
    kfi_training *training = NULL;
    status = kfi_training_of(model, &training);
    return status == KF_OK ? kfi_optimizer_read(file, training) : status;
}

static kf_status read_model(kf_graph *graph, kfi_keras_file *file, bool compile, kf_model **model) {
    if (!file->model_config)
        return kfi_fail(KF_INVALID, "No model found in config file: it has weights only");
    kfi_variant *config = NULL;
    kf_status status =
        kfi_json_parse(file->model_config, strlen(file->model_config), "model_config", &config);
    if (status == KF_OK) {
        *model = kfi_model_from_file(graph, config, file);
        status = kfi_model_check(*model);
    }
    kfi_variant_free(config);
    if (status == KF_OK) status = kfi_model_read_weights(*model, file);
    if (status == KF_OK && compile && file->training_config)
        status = restore_training(*model, file);
    return status;
}

kf_model *kf_load_with(kf_graph *graph, const char *path, const kf_load_options *options) {
    kf_load_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kfi_keras_file *file = NULL;
    kf_model *model = NULL;
    kf_status status = kfi_keras_open(path, &file);
    if (status == KF_OK)
        status = kfi_within(read_model(graph, file, !given.no_compile, &model), "%s: ", path);
    kfi_keras_close(file);
    return status == KF_OK ? model : kfi_model_poisoned(graph, status);
}

kf_model *kf_load(kf_graph *graph, const char *path) { return kf_load_with(graph, path, NULL); }
