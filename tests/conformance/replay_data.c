/* The data of a golden case as arrays for the public API. */
#include "tests/conformance/replaying.h"

#include "core/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Rows [first, first + rows) of the lists, of which some may be NULL. An output that stands twice
 * has the keys name and name#1: then all goes by position. */
int32_t replay_arrays_of(const golden_list *const lists[3], int64_t first, int64_t rows,
                         kf_array *arrays) {
    int32_t n = 0;
    bool repeated = false;
    for (int32_t i = 0; lists[1] && i < lists[1]->n; i++)
        repeated = repeated || strchr(lists[1]->items[i].name, '#');
    for (int l = 0; l < 3; l++)
        for (int32_t i = 0; lists[l] && i < lists[l]->n; i++) {
            const golden_array *from = &lists[l]->items[i];
            const int64_t row = from->shape.dims[0] ? from->count / from->shape.dims[0] : 0;
            arrays[n] = (kf_array){.name = repeated ? NULL : from->name,
                                   .data = (const char *)from->data +
                                           (size_t)(first * row) * kf_dtype_size(from->dtype),
                                   .dtype = from->dtype,
                                   .shape = from->shape};
            arrays[n++].shape.dims[0] = rows;
        }
    return n;
}

int64_t replay_rows(const replay *run) {
    return run->inputs.n ? run->inputs.items[0].shape.dims[0] : 0;
}

int32_t replay_some_arrays(const replay *run, int64_t first, int64_t rows, kf_array *arrays) {
    const golden_list *const lists[] = {&run->inputs, &run->targets, &run->weights};
    return replay_arrays_of(lists, first, rows, arrays);
}

int32_t replay_all_arrays(const replay *run, bool targets, kf_array *arrays) {
    const golden_list *const inputs[] = {&run->inputs, NULL, NULL};
    return targets ? replay_some_arrays(run, 0, replay_rows(run), arrays)
                   : replay_arrays_of(inputs, 0, replay_rows(run), arrays);
}

static int64_t output_index(const replay *run, const char *name) {
    int64_t i = 0;
    while (i < kfi_variant_count(run->names) &&
           strcmp(kfi_variant_text(kfi_variant_at(run->names, i), ""), name) != 0)
        i++;
    return i;
}

/* The file has them in the order of their names; the model in that of its outputs. */
kf_status replay_read_targets(const replay *run, const char *group, golden_list *list) {
    const kf_status status = golden_read(&run->golden, group, NULL, list);
    for (int32_t i = 1; i < list->n; i++)
        for (int32_t k = i; k > 0; k--) {
            golden_array *const before = &list->items[k - 1], later = list->items[k];
            if (output_index(run, before->name) <= output_index(run, later.name)) break;
            list->items[k] = *before;
            *before = later;
        }
    return status;
}

/* Weights of samples under the names that kf finds them by. */
kf_status replay_read_weights(const replay *run, const char *group, golden_list *list) {
    kf_status status = replay_read_targets(run, group, list);
    for (int32_t i = 0; status == KF_OK && i < list->n; i++) {
        char *name = kfi_format("%s_sample_weight", list->items[i].name);
        if (!name) return KF_MEMORY;
        kfi_free(list->items[i].name);
        list->items[i].name = name;
    }
    return status;
}

/* {"0": 0.5, …} */
static kf_status add_classes(replay *run, const kfi_variant *dict, const char *output) {
    const kf_class_weight *items = &run->classes[run->n_classes];
    for (int64_t i = 0; i < kfi_variant_count(dict); i++) {
        if (run->n_classes == GOLDEN_MAX) return kfi_fail(KF_INVALID, "too many classes");
        run->classes[run->n_classes++] =
            (kf_class_weight){(int32_t)strtol(kfi_variant_key_at(dict, i), NULL, 10),
                              kfi_variant_to_real(kfi_variant_value_at(dict, i), 1)};
    }
    run->class_weight[run->n_weighted++] =
        (kf_class_weighting){output, items, (int32_t)kfi_variant_count(dict)};
    return KF_OK;
}

/* Or such a dict for each output. */
static kf_status add_outputs(replay *run, const kfi_variant *dict) {
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(dict) && i < GOLDEN_MAX && status == KF_OK; i++)
        status = add_classes(run, kfi_variant_value_at(dict, i), kfi_variant_key_at(dict, i));
    return status;
}

kf_status replay_read_classes(replay *run) {
    if (!golden_has(&run->golden, "/case/train")) return KF_OK;
    const kf_status status =
        golden_json(&run->golden, "/case/train", "class_weight", &run->class_weights);
    if (status != KF_OK || !kfi_variant_count(run->class_weights)) return status;
    return kfi_variant_is(kfi_variant_value_at(run->class_weights, 0), KFI_DICT)
               ? add_outputs(run, run->class_weights)
               : add_classes(run, run->class_weights, NULL);
}

kf_batch_options replay_batch_options(const replay *run) {
    return (kf_batch_options){.size = sizeof(kf_batch_options), .class_weight = run->class_weight};
}
