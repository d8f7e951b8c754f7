/* The training state of a model, and what can be asked of it. */
#include "core/train/deferred.h"
#include "core/train/pass.h"
#include "core/train/standing.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kfi_options_copy(void *to, size_t to_bytes, const void *from) {
    if (!from) return;
    const size_t given = *(const size_t *)from;
    memcpy(to, from, given < to_bytes ? given : to_bytes);
}

void kfi_name_list_add(kfi_name_list *list, const char *name) {
    const size_t used = strlen(list->text);
    snprintf(list->text + used, sizeof list->text - used, "%s'%s'", used ? ", " : "", name);
}

void kfi_compiled_free(kfi_compiled *compiled) {
    if (!compiled) return;
    kf_optimizer_free(compiled->optimizer);
    for (int32_t i = 0; compiled->targets && i < compiled->n_outputs; i++)
        kfi_free(compiled->targets[i].metrics);
    kfi_free(compiled->targets);
    kfi_free(compiled->weights);
    for (int32_t i = 0; i < compiled->n_names; i++) kfi_free(compiled->names[i]);
    kfi_free(compiled->names);
    kfi_variant_free(compiled->loss);
    kfi_variant_free(compiled->metrics);
    kfi_variant_free(compiled->weighted_metrics);
    kfi_variant_free(compiled->loss_weights);
    kfi_variant_free(compiled->sample_weight_mode);
    kfi_free(compiled);
}

kfi_compiled kfi_compiled_as_given(const kfi_compile_arguments *arguments) {
    return (kfi_compiled){.optimizer = arguments->optimizer,
                          .loss = arguments->loss,
                          .metrics = arguments->metrics,
                          .weighted_metrics = arguments->weighted_metrics,
                          .loss_weights = arguments->loss_weights,
                          .sample_weight_mode = arguments->sample_weight_mode};
}

static void free_training(void *state) {
    kfi_training *training = state;
    kfi_passes_free(training);
    kfi_compiled_free(training->compiled);
    kfi_deferred_forget(training);
    kfi_arena_free(&training->arena);
    kfi_standing_free(training->standing);
    kfi_free(training);
}

kf_status kfi_training_begin(kf_model *model, kfi_training **training) {
    const kf_status status = kfi_model_check(model);
    if (status != KF_OK) return status;
    if (!model->training) {
        kfi_training *made = kfi_alloc(1, sizeof *made);
        if (!made) return KF_MEMORY;
        made->model = model;
        atomic_init(&made->stop, 0);
        model->training = made;
        model->free_training = free_training;
    }
    *training = model->training;
    return KF_OK;
}

kf_status kfi_training_of(kf_model *model, kfi_training **training) {
    kf_status status = kf_model_error(model);
    if (status == KF_OK) status = kfi_training_begin(model, training);
    return status == KF_OK ? kfi_deferred_finish(*training) : status;
}

kf_status kfi_training_compiled(kf_model *model, kfi_training **training) {
    const kf_status status = kfi_training_of(model, training);
    if (status != KF_OK || (*training)->compiled) return status;
    return kfi_fail(KF_USAGE, "You must compile a model before training/testing. Use "
                              "kf_compile(model, .optimizer = …, .loss = …).");
}

/* NULL for a model that is poisoned or not compiled. */
static const kfi_compiled *compiled_of(const kf_model *model) {
    const kfi_training *training = model ? model->training : NULL;
    return training ? training->compiled : NULL;
}

int32_t kf_metrics(const kf_model *model) {
    const kfi_compiled *compiled = compiled_of(model);
    return compiled ? compiled->n_names : 0;
}

const char *kf_metrics_name(const kf_model *model, int32_t index) {
    const kfi_compiled *compiled = compiled_of(model);
    return compiled && index >= 0 && index < compiled->n_names ? compiled->names[index] : NULL;
}

void kf_stop_training(kf_model *model) {
    kfi_training *training = model->training;
    if (training) atomic_store(&training->stop, KFI_STOP);
}

void kf_suspend_training(kf_model *model) {
    kfi_training *training = model->training;
    if (training) atomic_store(&training->stop, KFI_SUSPEND);
}

kfi_random kfi_training_random(const kfi_training *training) {
    kfi_random random = kfi_graph_random(training->model->graph);
    if (training->has_seed) random.key = training->seed;
    return random;
}

/* --- the optimizer ---------------------------------------------------------------------------- */

double kf_learning_rate(const kf_model *model) {
    const kfi_compiled *compiled = compiled_of(model);
    const kfi_optimizer_options *options = compiled ? compiled->optimizer->options : NULL;
    return options ? options->lr : 0;
}

kf_status kf_set_learning_rate(kf_model *model, double lr) {
    kfi_training *training = NULL;
    const kf_status status = kfi_training_compiled(model, &training);
    if (status != KF_OK) return status;
    kfi_optimizer_options *options = training->compiled->optimizer->options;
    options->lr = (double)(float)lr;
    return KF_OK;
}

/* The list that Keras saves: iterations first where the class saves them, then the slots. */
typedef struct listed {
    const kf_optimizer *optimizer; /* NULL: no such item */
    const kf_weight *slot;         /* NULL: iterations   */
} listed;

static int32_t count_listed(const kf_optimizer *optimizer) {
    return optimizer->n_slots * optimizer->n_weights + (optimizer->class->iterations_name ? 1 : 0);
}

static listed item_at(const kf_model *model, int32_t index) {
    const kfi_compiled *compiled = compiled_of(model);
    if (!compiled || index < 0 || index >= count_listed(compiled->optimizer)) return (listed){0};
    const int32_t slot = index - (compiled->optimizer->class->iterations_name ? 1 : 0);
    return (listed){compiled->optimizer, slot < 0 ? NULL : compiled->optimizer->slots[slot]};
}

int32_t kf_optimizer_weights(const kf_model *model) {
    const kfi_compiled *compiled = compiled_of(model);
    return compiled ? count_listed(compiled->optimizer) : 0;
}

const char *kf_optimizer_weight_name(const kf_model *model, int32_t index) {
    const listed item = item_at(model, index);
    if (!item.optimizer) return NULL;
    return item.slot ? item.slot->name : item.optimizer->class->iterations_name;
}

kf_shape kf_optimizer_weight_shape(const kf_model *model, int32_t index) {
    const listed item = item_at(model, index);
    return item.slot ? item.slot->shape : KFI_SCALAR;
}

kf_status kf_optimizer_weight_get(const kf_model *model, int32_t index, float *out, int64_t count) {
    const listed item = item_at(model, index);
    if (!item.optimizer)
        return kfi_fail(KF_USAGE, "there is no optimizer weight %d, the optimizer has %d", index,
                        kf_optimizer_weights(model));
    if (item.slot) return kf_weight_get(item.slot, out, count);
    if (count != 1)
        return kfi_fail(KF_USAGE, "%s is one number, got room for %lld",
                        item.optimizer->class->iterations_name, (long long)count);
    *out = (float)item.optimizer->iterations;
    return KF_OK;
}
