/* Keras 2.2.4: compile returns early while the model is not built; fit and its like build it by the
 * shape of the first array (Model._set_inputs) and compile it then. */
#include "core/train/deferred.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

void kfi_compile_arguments_free(const kfi_compile_arguments *arguments) {
    kf_optimizer_free(arguments->optimizer);
    kfi_variant_free(arguments->loss);
    kfi_variant_free(arguments->metrics);
    kfi_variant_free(arguments->weighted_metrics);
    kfi_variant_free(arguments->loss_weights);
    kfi_variant_free(arguments->sample_weight_mode);
}

void kfi_deferred_forget(kfi_training *training) {
    if (training->waiting) kfi_compile_arguments_free(training->waiting);
    kfi_free(training->waiting);
    training->waiting = NULL;
}

kf_status kfi_deferred_compile(kfi_training *training, const kfi_compile_arguments *arguments) {
    kf_status status = kfi_optimizer_status(arguments->optimizer);
    kfi_compile_arguments *waiting = status == KF_OK ? kfi_alloc(1, sizeof *waiting) : NULL;
    if (!waiting) {
        kfi_compile_arguments_free(arguments);
        return status == KF_OK ? KF_MEMORY : status;
    }
    *waiting = *arguments;
    kfi_deferred_forget(training);
    training->waiting = waiting;
    return KF_OK;
}

kf_status kfi_deferred_finish(kfi_training *training) {
    if (!training->waiting) return KF_OK;
    const kfi_compile_arguments arguments = *training->waiting;
    kfi_free(training->waiting);
    training->waiting = NULL;
    return kfi_compile_with(training->model, &arguments);
}

/* The field that brings the input: the only name it can have is that of the input to come. */
static kf_status find_input(const kf_model *model, const kf_dataset *data, int32_t *field) {
    char *name = kfi_format("%s_input", kf_model_name(model));
    if (!name) return KF_MEMORY;
    bool named = false;
    for (int32_t i = 0; i < data->n_fields; i++) named |= data->fields[i].name != NULL;
    *field = named ? kfi_dataset_find(data, name) : 0;
    const kf_status status =
        *field >= 0 ? KF_OK
                    : kfi_fail(KF_INVALID,
                               "%s has not yet been built, and the data has no field \"%s\" to "
                               "build it for. Build the model first, or leave the names away.",
                               kf_model_name(model), name);
    kfi_free(name);
    return status;
}

kf_status kfi_deferred_build(kf_model *model, const kf_dataset *data) {
    if (!model || !data || model->status != KF_OK || !model->unbuilt || model->n_pending == 0)
        return KF_OK;
    int32_t field;
    const kf_status status = find_input(model, data, &field);
    if (status != KF_OK) return status;
    kf_shape sample = data->fields[field].shape;
    if (sample.rank == 0) sample = KFI_SHAPE(1); /* Keras makes (n) an (n, 1) */
    if (sample.rank >= KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "a model's input has up to %d dimensions", KF_MAX_RANK);
    kf_shape shape = {.rank = sample.rank + 1, .dims = {KF_ANY}};
    memcpy(shape.dims + 1, sample.dims, (size_t)sample.rank * sizeof *sample.dims);
    return kfi_sequential_build(model, &shape);
}

kf_status kfi_deferred_build_for(kf_model *model, const kf_array *arrays, int32_t n_arrays) {
    if (!model || !model->unbuilt) return KF_OK;
    kf_dataset *data = kf_dataset_arrays(arrays, n_arrays);
    const kf_status status = data ? kfi_deferred_build(model, data) : kf_last_status();
    kf_dataset_free(data);
    return status;
}
