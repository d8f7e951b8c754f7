#include "core/train/files_optimizer.h"

#include "core/train/files_state.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/graph/graph.h"
#include "core/model/model.h"

#include <string.h>
#include <strings.h>

/* --- saving ----------------------------------------------------------------------------------- */

kf_status kfi_optimizer_list(const kf_optimizer *optimizer, kfi_keras_layer *list) {
    if (!optimizer->started) return KF_OK;
    const int32_t n_slots = optimizer->n_slots * optimizer->n_weights;
    list->name = optimizer->class->name;
    list->weights = kfi_alloc((size_t)n_slots + 1, sizeof *list->weights);
    if (!list->weights) return KF_MEMORY;
    if (optimizer->class->iterations_name)
        list->weights[list->n_weights++] =
            (kfi_keras_weight){.name = optimizer->class->iterations_name,
                               .dtype = KF_INT64,
                               .data = &optimizer->iterations};
    for (int32_t i = 0; i < n_slots; i++)
        list->weights[list->n_weights++] = (kfi_keras_weight){.name = optimizer->slots[i]->name,
                                                              .dtype = KF_FLOAT32,
                                                              .shape = optimizer->slots[i]->shape,
                                                              .data = optimizer->slots[i]->data};
    return KF_OK;
}

/* --- what a file lists ------------------------------------------------------------------------ */

/* The state in a file. Numbers come first: iterations, if they are saved, and what tf.keras puts
 * behind them. */
typedef struct saved_state {
    const kfi_keras_weight *iterations, *momentum_cache; /* NULL: not saved */
    const kfi_keras_weight **slots; /* in the order of the optimizer's, where they fit */
    int64_t n_slots;
} saved_state;

static bool is_called(const kfi_keras_weight *weight, const char *name) {
    return weight->shape.rank == 0 && strstr(weight->name, name);
}

/* The first number is the iterations, whatever it is called. Keras since 2.12 lists the learning
 * rate behind it, which the configuration says too; tf.keras Nadam's schedule. */
static int64_t split(const kfi_keras_layer *list, saved_state *state) {
    int64_t i = 0;
    if (i < list->n_weights && list->weights[i].shape.rank == 0)
        state->iterations = &list->weights[i++];
    for (; i < list->n_weights; i++)
        if (is_called(&list->weights[i], "momentum_cache"))
            state->momentum_cache = &list->weights[i];
        else if (!is_called(&list->weights[i], "learning_rate"))
            break;
    return i;
}

/* Keras since 2.11 names an array after its slot and its weight: "Adam/m/dense/kernel:0", or
 * "m/dense/kernel:0". NULL: the name is no such one. */
static const char *slot_name(const kfi_keras_weight *weight, const char *class_name,
                             size_t *length) {
    const size_t prefix = strlen(class_name);
    const char *name = weight->name;
    if (strncasecmp(name, class_name, prefix) == 0 && name[prefix] == '/') name += prefix + 1;
    const char *end = strchr(name, '/');
    if (!end || !strchr(end, ':')) return NULL;
    *length = (size_t)(end - name);
    return name;
}

static bool is_slot(const kfi_keras_weight *weight, const char *class_name, const char *slot,
                    size_t length) {
    size_t own;
    const char *name = slot_name(weight, class_name, &own);
    return name && own == length && strncmp(name, slot, length) == 0;
}

/* There each weight's slots stand together: m and v of the first, m and v of the second. One slot
 * after the other is the order of all other versions, and ours. */
static int64_t sort_by_slot(const kfi_keras_weight *list, int64_t n, const char *class_name,
                            const kfi_keras_weight **sorted) {
    int64_t n_sorted = 0;
    for (int64_t i = 0; i < n; i++) {
        size_t length;
        const char *slot = slot_name(&list[i], class_name, &length);
        bool new = slot != NULL;
        for (int64_t j = 0; j < i && new; j++) new = !is_slot(&list[j], class_name, slot, length);
        for (int64_t j = i; j < n && new; j++)
            if (is_slot(&list[j], class_name, slot, length)) sorted[n_sorted++] = &list[j];
    }
    return n_sorted;
}

/* Keras 3 names an array after its weight and then its slot, "adam/dense_kernel_momentum", and
 * lists the slots of a weight together; Nadam's schedule comes last. */
static bool is_keras3(const saved_state *state) {
    const char *behind = state->iterations ? strrchr(state->iterations->name, '/') : NULL;
    return behind && strcmp(behind, "/iteration") == 0;
}

static bool ends_with(const char *name, const char *slot) {
    const size_t length = strlen(name), own = strlen(slot);
    return length > own && name[length - own - 1] == '_' && strcmp(name + length - own, slot) == 0;
}

static int64_t sort_by_suffix(const kfi_keras_weight *list, int64_t n,
                              const kfi_optimizer_class *class, const kfi_keras_weight **sorted) {
    int64_t n_sorted = 0;
    for (int slot = 0; slot < KFI_OPTIMIZER_MAX_SLOTS && class->keras3_slots[slot]; slot++)
        for (int64_t i = 0; i < n; i++)
            if (ends_with(list[i].name, class->keras3_slots[slot])) sorted[n_sorted++] = &list[i];
    return n_sorted;
}

/* --- whether it fits -------------------------------------------------------------------------- */

static bool fits(const kfi_keras_weight *saved, const kf_weight *slot) {
    if (kfi_shape_equal(&saved->shape, &slot->shape)) return true;
    kfi_fail(KF_INVALID, "%s has shape %s, %s needs %s", saved->name,
             kfi_shape_string(&saved->shape), slot->name, kfi_shape_string(&slot->shape));
    return false;
}

/* Versions of Keras before 2.1.3 do not save Adam's empty list of vhats, and tf.keras no moments
 * that are never used. */
static bool is_count(const kf_optimizer *optimizer, int64_t saved) {
    const int64_t all = (int64_t)optimizer->n_slots * optimizer->n_weights;
    const int64_t used = (int64_t)optimizer->class->n_slots * optimizer->n_weights;
    if (saved == 0 || saved == used || saved == all) return true;
    kfi_fail(KF_INVALID, "it has %lld arrays, %s needs %lld", (long long)saved,
             optimizer->class->name, (long long)all);
    return false;
}

static bool fits_all(const saved_state *state, const kf_optimizer *optimizer) {
    for (int64_t i = 0; i < state->n_slots; i++)
        if (!fits(state->slots[i], optimizer->slots[i])) return false;
    return true;
}

/* Whether the list is state of this optimizer; if not, kf_last_error says why. */
static bool arrange(const kfi_keras_layer *list, const kf_optimizer *optimizer,
                    saved_state *state) {
    const int64_t first = split(list, state);
    const kfi_keras_weight *arrays = list->weights + first;
    int64_t n = list->n_weights - first;
    if (n > 0 && is_keras3(state) && arrays[n - 1].shape.rank == 0 &&
        strcmp(optimizer->class->name, "Nadam") == 0)
        state->momentum_cache = &arrays[--n];
    if (!is_count(optimizer, n)) return false;
    state->slots = kfi_alloc((size_t)n + 1, sizeof *state->slots);
    if (!state->slots) return false;
    state->n_slots = n;
    if (is_keras3(state))
        state->n_slots = sort_by_suffix(arrays, n, optimizer->class, state->slots);
    else if (state->iterations && strcmp(state->iterations->name, "iteration:0") == 0)
        state->n_slots = sort_by_slot(arrays, n, optimizer->class->name, state->slots);
    else
        for (int64_t i = 0; i < n; i++) state->slots[i] = &arrays[i];
    if (state->n_slots == n) return fits_all(state, optimizer);
    kfi_fail(KF_INVALID, "its arrays have unknown names");
    return false;
}

/* --- loading ---------------------------------------------------------------------------------- */

static kf_status read_iterations(kfi_keras_file *file, const kfi_keras_weight *saved,
                                 kf_optimizer *optimizer) {
    const kf_status status = kfi_keras_read_weight(file, saved, KF_INT64, &optimizer->iterations);
    if (status != KF_OK || optimizer->iterations >= 0) return status;
    return kfi_fail(KF_INVALID, "%s must not be negative, got %lld", saved->name,
                    (long long)optimizer->iterations);
}

static kf_status read_state(kfi_keras_file *file, const saved_state *state,
                            kfi_training *training) {
    kf_optimizer *optimizer = training->compiled->optimizer;
    kf_status status = KF_OK;
    if (state->iterations) status = read_iterations(file, state->iterations, optimizer);
    if (status == KF_OK && state->momentum_cache)
        status =
            kfi_keras_read_weight(file, state->momentum_cache, KF_FLOAT32, &optimizer->schedule);
    for (int64_t i = 0; i < state->n_slots && status == KF_OK; i++)
        status =
            kfi_keras_read_weight(file, state->slots[i], KF_FLOAT32, optimizer->slots[i]->data);
    optimizer->started = status == KF_OK;
    training->runs = optimizer->iterations;
    return status == KF_OK ? kfi_state_read(training, file->file) : status;
}

static kf_status warn(const kfi_keras_file *file, const kfi_training *training) {
    if (kf_last_status() == KF_MEMORY) return KF_MEMORY;
    kfi_graph_warn(training->model->graph,
                   "%s: Error in loading the saved optimizer state. As a result, your model is "
                   "starting with a freshly initialized optimizer. (%s)",
                   kfi_hdf5_path(file->file), kf_last_error());
    return KF_OK;
}

kf_status kfi_optimizer_read(kfi_keras_file *file, kfi_training *training) {
    saved_state state = {0};
    if (file->optimizer.n_weights == 0) return kfi_state_read(training, file->file);
    const kf_status status = arrange(&file->optimizer, training->compiled->optimizer, &state)
                                 ? read_state(file, &state, training)
                                 : warn(file, training);
    kfi_free(state.slots);
    return status;
}
