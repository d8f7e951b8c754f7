/* What a functional config says about calls: inbound_nodes, in the words of Keras 2 and 3. Nothing
 * is made here: names become numbers of layers and calls, keywords become arguments. */
#include "core/base/memory.h"
#include "core/model/functional.h"

#include <stdlib.h>
#include <string.h>

/* --- names ------------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b) {
    return strcmp(((const kfi_named *)a)->name, ((const kfi_named *)b)->name);
}

kf_status kfi_functional_sort_names(kfi_functional *all) {
    const int64_t count = all->n_entries;
    all->by_name = kfi_alloc((size_t)count, sizeof *all->by_name);
    if (!all->by_name) return KF_MEMORY;
    for (int64_t i = 0; i < count; i++) all->by_name[i] = (kfi_named){all->entries[i].name, i};
    qsort(all->by_name, (size_t)count, sizeof *all->by_name, compare_names);
    for (int64_t i = 1; i < count; i++) {
        const char *name = all->by_name[i].name;
        if (strcmp(name, all->by_name[i - 1].name) == 0)
            return kfi_fail(KF_INVALID,
                            "The name \"%s\" is used 2 times in the model. All layer names should "
                            "be unique.",
                            name);
    }
    return KF_OK;
}

static const kfi_saved_layer *find_entry(const kfi_functional *all, const char *name) {
    const kfi_named wanted = {.name = name};
    const kfi_named *found =
        bsearch(&wanted, all->by_name, (size_t)all->n_entries, sizeof *all->by_name, compare_names);
    return found ? &all->entries[found->entry] : NULL;
}

/* --- references ------------------------------------------------------------------------------- */

kf_status kfi_functional_reference(const kfi_functional *all, const kfi_variant *item,
                                   const char *key, kfi_reference *read) {
    const char *name = kfi_variant_text(kfi_variant_at(item, 0), NULL);
    const kfi_variant *node = kfi_variant_at(item, 1), *output = kfi_variant_at(item, 2);
    if (!name || !kfi_variant_is(node, KFI_INTEGER) || !kfi_variant_is(output, KFI_INTEGER))
        return kfi_fail(KF_INVALID, "'%s' must hold lists of a layer's name, call and output", key);
    const kfi_saved_layer *from = find_entry(all, name);
    if (!from)
        return kfi_fail(KF_INVALID, "'%s' names the layer '%s', which the model does not have", key,
                        name);
    const int64_t number = kfi_variant_to_integer(node, -1);
    if (number < from->first_node || number - from->first_node >= from->n_calls)
        return kfi_fail(KF_INVALID,
                        "'%s' asks for call %lld of the layer '%s', which has %lld "
                        "calls from %lld on",
                        key, (long long)number, name, (long long)from->n_calls,
                        (long long)from->first_node);
    *read = (kfi_reference){from->first_call + number - from->first_node,
                            kfi_variant_to_integer(output, -1)};
    return KF_OK;
}

static kf_status add_reference(kfi_functional *all, const kfi_variant *item) {
    kf_status status = kfi_reserve((void **)&all->references, &all->references_capacity,
                                   all->n_references, sizeof *all->references);
    if (status == KF_OK)
        status = kfi_functional_reference(all, item, "inbound_nodes",
                                          &all->references[all->n_references]);
    if (status == KF_OK) all->n_references++;
    return status;
}

/* Keras 3: tensors stand anywhere in the arguments, as {"class_name": "__keras_tensor__",
 * "config": {"keras_history": [name, call, output]}}. The JSON's depth bounds the recursion. */
static kf_status add_arguments(kfi_functional *all, const kfi_variant *argument) {
    const kfi_variant *history =
        kfi_variant_get(kfi_variant_get(argument, "config"), "keras_history");
    if (history) return add_reference(all, history);
    if (!kfi_variant_is(argument, KFI_LIST))
        return kfi_fail(KF_INVALID, "'inbound_nodes' has an argument that is no tensor, but %s",
                        kfi_variant_kind_name(argument));
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(argument) && status == KF_OK; i++)
        status = add_arguments(all, kfi_variant_at(argument, i));
    return status;
}

/* A tensor, or a list of them, in the words of either version. */
static kf_status add_tensors(kfi_functional *all, const char *key, const kfi_variant *value) {
    if (kfi_variant_is(value, KFI_NULL)) return KF_OK;
    if (kfi_variant_is(value, KFI_DICT)) return add_arguments(all, value);
    if (!kfi_variant_is(value, KFI_LIST))
        return kfi_fail(KF_INVALID, "'%s' must be a tensor or a list of them; got %s", key,
                        kfi_variant_kind_name(value));
    if (kfi_variant_is(kfi_variant_at(value, 0), KFI_STRING)) return add_reference(all, value);
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(value) && status == KF_OK; i++)
        status = add_tensors(all, key, kfi_variant_at(value, i));
    return status;
}

/* training=True or False. Keras 3 writes False where nobody said anything. */
static kf_status read_training(const kfi_layer_class *class, const kfi_variant *value, bool keras3,
                               kfi_arguments *arguments) {
    if (!value || kfi_variant_is(value, KFI_NULL)) return KF_OK;
    if (!kfi_variant_is(value, KFI_BOOL) && !kfi_variant_is(value, KFI_INTEGER))
        return kfi_fail(KF_INVALID, "'training' must be true, false or null; got %s",
                        kfi_variant_kind_name(value));
    const bool on = kfi_variant_truth(value, kfi_variant_to_integer(value, 0) != 0);
    if (on || (class->takes_training && !keras3))
        arguments->training = on ? KF_TRAINING_ON : KF_TRAINING_OFF;
    return KF_OK;
}

/* A tensor, which becomes the last of the call's inputs, or mask=None: without the mask that comes
 * with the input. Keras 3 writes null where nobody said anything. */
static kf_status add_mask(kfi_functional *all, const kfi_layer_class *class,
                          const kfi_variant *value, bool keras3, kfi_arguments *arguments) {
    const int64_t before = all->n_references;
    if (value && kfi_variant_is(value, KFI_NULL)) arguments->no_mask = class->takes_mask && !keras3;
    if (!value || kfi_variant_is(value, KFI_NULL)) return KF_OK;
    const kf_status status = add_tensors(all, "mask", value);
    arguments->has_mask = all->n_references > before;
    if (status != KF_OK || all->n_references - before == 1) return status;
    return kfi_fail(KF_INVALID, "'mask' must be one tensor; got %lld",
                    (long long)(all->n_references - before));
}

/* Keyword arguments that are tensors are further inputs here, as Keras 2.2.4 has them: the states
 * that a recurrent layer starts from, and its constants. */
static kf_status add_keywords(kfi_functional *all, kfi_saved_call *call,
                              const kfi_variant *keywords, bool keras3) {
    static const char *const known[] = {"initial_state", "constants", "training", "mask"};
    const kfi_layer_class *class = all->entries[call->entry].layer->class;
    if (keywords && !kfi_variant_is(keywords, KFI_DICT) && !kfi_variant_is(keywords, KFI_NULL))
        return kfi_fail(KF_INVALID,
                        "'inbound_nodes' has keyword arguments that are no dict, but %s",
                        kfi_variant_kind_name(keywords));
    for (int64_t i = 0; i < kfi_variant_count(keywords); i++) {
        const char *key = kfi_variant_key_at(keywords, i);
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(key, known[k]) != 0) k++;
        if (k == sizeof known / sizeof *known &&
            !kfi_variant_is(kfi_variant_value_at(keywords, i), KFI_NULL))
            return kfi_fail(KF_INVALID, "calls with the argument '%s' are not supported", key);
    }
    kf_status status = add_tensors(all, known[0], kfi_variant_get(keywords, known[0]));
    if (status == KF_OK) status = add_tensors(all, known[1], kfi_variant_get(keywords, known[1]));
    if (status == KF_OK)
        status =
            read_training(class, kfi_variant_get(keywords, known[2]), keras3, &call->arguments);
    return status == KF_OK
               ? add_mask(all, class, kfi_variant_get(keywords, known[3]), keras3, &call->arguments)
               : status;
}

static kf_status read_keras3_call(kfi_functional *all, kfi_saved_call *call,
                                  const kfi_variant *data) {
    const kf_status status = add_arguments(all, kfi_variant_get(data, "args"));
    return status == KF_OK ? add_keywords(all, call, kfi_variant_get(data, "kwargs"), true)
                           : status;
}

/* The keyword arguments stand with each of the inputs. */
static kf_status read_inputs(kfi_functional *all, kfi_saved_call *call, const kfi_variant *data) {
    if (kfi_variant_is(data, KFI_DICT)) return read_keras3_call(all, call, data);
    if (!kfi_variant_is(data, KFI_LIST))
        return kfi_fail(KF_INVALID, "'inbound_nodes' must hold lists; got %s",
                        kfi_variant_kind_name(data));
    const bool single = kfi_variant_is(kfi_variant_at(data, 0), KFI_STRING);
    const int64_t count = single ? 1 : kfi_variant_count(data);
    kf_status status = KF_OK;
    for (int64_t i = 0; i < count && status == KF_OK; i++)
        status = add_reference(all, single ? data : kfi_variant_at(data, i));
    const kfi_variant *first = single ? data : kfi_variant_at(data, 0);
    return status == KF_OK ? add_keywords(all, call, kfi_variant_at(first, 3), false) : status;
}

static kf_status read_call(kfi_functional *all, int64_t index, const kfi_variant *data,
                           kfi_saved_call *call) {
    *call = (kfi_saved_call){.entry = index, .first_input = all->n_references};
    const kf_status status = read_inputs(all, call, data);
    if (status != KF_OK) return status;
    call->n_inputs = all->n_references - call->first_input;
    if (call->n_inputs >= 1 && call->n_inputs <= INT32_MAX) return KF_OK;
    return kfi_fail(KF_INVALID, "'inbound_nodes' has a call without inputs");
}

kf_status kfi_functional_read_calls(kfi_functional *all) {
    all->calls = kfi_alloc((size_t)all->n_calls, sizeof *all->calls);
    if (!all->calls) return KF_MEMORY;
    for (int64_t i = 0; i < all->n_entries; i++) {
        const kfi_saved_layer *entry = &all->entries[i];
        kfi_saved_call *calls = &all->calls[entry->first_call];
        if (kfi_layer_is_input(entry->layer)) {
            *calls = (kfi_saved_call){
                .entry = i, .output = entry->layer->nodes[0]->out[0], .progress = KFI_MADE};
            continue;
        }
        const kfi_variant *nodes = kfi_variant_get(entry->config, "inbound_nodes");
        for (int64_t k = 0; k < entry->n_calls; k++) {
            const kf_status status = read_call(all, i, kfi_variant_at(nodes, k), &calls[k]);
            if (status != KF_OK) return kfi_within(status, "%s: ", entry->name);
        }
    }
    return KF_OK;
}
