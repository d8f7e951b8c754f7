/* A functional model from its config: first all layers are made, then every call that their
 * inbound_nodes list, each after the calls it reads from, whatever the order in the file. */
#include "core/base/memory.h"
#include "core/model/reading.h"

#include <stdlib.h>
#include <string.h>

/* One layer of the file and its calls, which stand together among all calls. An InputLayer has one
 * call that is made already. */
typedef struct saved_layer {
    const char *name;
    const kfi_variant *config; /* its item of 'layers' */
    kf_layer *layer;
    int64_t first_call, n_calls;
    int64_t first_node; /* number of its first call in the file and in the layer */
} saved_layer;

/* An output of a call: what the file writes as [name, call, output]. */
typedef struct reference {
    int64_t call;
    int64_t output;
} reference;

typedef enum progress { WAITING, BEGUN, MADE } progress;

typedef struct saved_call {
    int64_t entry;
    int64_t first_input, n_inputs; /* among all references */
    int64_t next_need;             /* which of the calls it waits for is looked at next */
    kfi_arguments arguments;
    kf_tensor *output; /* the first, once made */
    progress progress;
} saved_call;

typedef struct named {
    const char *name;
    int64_t entry;
} named;

typedef struct functional {
    kfi_reading *reading;
    const kfi_variant *config;
    saved_layer *entries;
    int64_t n_entries;
    named *by_name; /* entries in the order of names */
    saved_call *calls;
    int64_t n_calls;
    reference *references;
    int64_t n_references, references_capacity;
} functional;

static void release(functional *all) {
    for (int64_t i = 0; i < all->n_entries; i++)
        if (all->entries[i].layer) kf_layer_free(all->entries[i].layer); /* if never applied */
    kfi_free(all->entries);
    kfi_free(all->by_name);
    kfi_free(all->calls);
    kfi_free(all->references);
}

/* --- layers ----------------------------------------------------------------------------------- */

/* The input tensor that was given for this entry of the outermost model; NULL: none was. */
static kf_tensor *given_input(const functional *all, const char *name) {
    const kfi_variant *inputs = kfi_variant_get(all->config, "input_layers");
    const bool given = kfi_reading_has_inputs(all->reading);
    for (int64_t i = 0; given && i < all->reading->n_inputs; i++) {
        const kfi_variant *input = kfi_variant_at(kfi_variant_at(inputs, i), 0);
        if (strcmp(kfi_variant_text(input, ""), name) == 0) return all->reading->inputs[i];
    }
    return NULL;
}

static kf_status make_layer(functional *all, saved_layer *entry) {
    const kf_tensor *given = given_input(all, entry->name);
    if (!given) return kfi_read_layer(all->reading, entry->config, &entry->layer);
    entry->layer = given->node->layer;
    return KF_OK;
}

static kf_status read_entry(functional *all, const kfi_variant *config) {
    saved_layer *entry = &all->entries[all->n_entries];
    entry->config = config;
    entry->name = kfi_read_name(config);
    if (!entry->name)
        return kfi_fail(KF_INVALID, "'layers'[%lld] has no name", (long long)all->n_entries);
    all->n_entries++;
    const kfi_variant *nodes;
    kf_status status =
        kfi_within(kfi_read_member(config, "inbound_nodes", KFI_LIST, &nodes), "%s: ", entry->name);
    if (status == KF_OK) status = make_layer(all, entry);
    if (status != KF_OK) return status;
    const bool is_input = kfi_layer_is_input(entry->layer);
    if (is_input && kfi_variant_count(nodes) > 0)
        return kfi_fail(KF_INVALID, "%s: 'inbound_nodes' of an InputLayer must be empty",
                        entry->name);
    entry->first_node = kfi_layer_model(entry->layer) ? 1 : 0;
    entry->first_call = all->n_calls;
    entry->n_calls = is_input ? 1 : kfi_variant_count(nodes);
    all->n_calls += entry->n_calls;
    return KF_OK;
}

static kf_status read_entries(functional *all, const kfi_variant *layers) {
    all->entries = kfi_alloc((size_t)kfi_variant_count(layers), sizeof *all->entries);
    if (!all->entries) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(layers) && status == KF_OK; i++)
        status = read_entry(all, kfi_variant_at(layers, i));
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static kf_status sort_names(functional *all) {
    const int64_t count = all->n_entries;
    all->by_name = kfi_alloc((size_t)count, sizeof *all->by_name);
    if (!all->by_name) return KF_MEMORY;
    for (int64_t i = 0; i < count; i++) all->by_name[i] = (named){all->entries[i].name, i};
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

static const saved_layer *find_entry(const functional *all, const char *name) {
    const named wanted = {.name = name};
    const named *found =
        bsearch(&wanted, all->by_name, (size_t)all->n_entries, sizeof *all->by_name, compare_names);
    return found ? &all->entries[found->entry] : NULL;
}

/* --- references ------------------------------------------------------------------------------- */

/* [name, call, output, {keyword arguments}], the last of which Keras leaves out at the ends. */
static kf_status read_reference(const functional *all, const kfi_variant *item, const char *key,
                                reference *read) {
    const char *name = kfi_variant_text(kfi_variant_at(item, 0), NULL);
    const kfi_variant *node = kfi_variant_at(item, 1), *output = kfi_variant_at(item, 2);
    if (!name || !kfi_variant_is(node, KFI_INTEGER) || !kfi_variant_is(output, KFI_INTEGER))
        return kfi_fail(KF_INVALID, "'%s' must hold lists of a layer's name, call and output", key);
    const saved_layer *from = find_entry(all, name);
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
    *read = (reference){from->first_call + number - from->first_node,
                        kfi_variant_to_integer(output, -1)};
    return KF_OK;
}

static kf_status add_reference(functional *all, const kfi_variant *item) {
    kf_status status = kfi_reserve((void **)&all->references, &all->references_capacity,
                                   all->n_references, sizeof *all->references);
    if (status == KF_OK)
        status = read_reference(all, item, "inbound_nodes", &all->references[all->n_references]);
    if (status == KF_OK) all->n_references++;
    return status;
}

/* Keras 3: tensors stand anywhere in the arguments, as {"class_name": "__keras_tensor__",
 * "config": {"keras_history": [name, call, output]}}. The JSON's depth bounds the recursion. */
static kf_status add_arguments(functional *all, const kfi_variant *argument) {
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
static kf_status add_tensors(functional *all, const char *key, const kfi_variant *value) {
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
static kf_status add_mask(functional *all, const kfi_layer_class *class, const kfi_variant *value,
                          bool keras3, kfi_arguments *arguments) {
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
static kf_status add_keywords(functional *all, saved_call *call, const kfi_variant *keywords,
                              bool keras3) {
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

static kf_status read_keras3_call(functional *all, saved_call *call, const kfi_variant *data) {
    const kf_status status = add_arguments(all, kfi_variant_get(data, "args"));
    return status == KF_OK ? add_keywords(all, call, kfi_variant_get(data, "kwargs"), true)
                           : status;
}

/* The keyword arguments stand with each of the inputs. */
static kf_status read_inputs(functional *all, saved_call *call, const kfi_variant *data) {
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

static kf_status read_call(functional *all, int64_t index, const kfi_variant *data,
                           saved_call *call) {
    *call = (saved_call){.entry = index, .first_input = all->n_references};
    const kf_status status = read_inputs(all, call, data);
    if (status != KF_OK) return status;
    call->n_inputs = all->n_references - call->first_input;
    if (call->n_inputs >= 1 && call->n_inputs <= INT32_MAX) return KF_OK;
    return kfi_fail(KF_INVALID, "'inbound_nodes' has a call without inputs");
}

static kf_status read_calls(functional *all) {
    all->calls = kfi_alloc((size_t)all->n_calls, sizeof *all->calls);
    if (!all->calls) return KF_MEMORY;
    for (int64_t i = 0; i < all->n_entries; i++) {
        const saved_layer *entry = &all->entries[i];
        saved_call *calls = &all->calls[entry->first_call];
        if (kfi_layer_is_input(entry->layer)) {
            *calls = (saved_call){
                .entry = i, .output = entry->layer->nodes[0]->out[0], .progress = MADE};
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

/* --- calls ------------------------------------------------------------------------------------ */

static kf_status tensor_of(const functional *all, const reference *from, kf_tensor **tensor) {
    const saved_call *made = &all->calls[from->call];
    const kfi_node *node = made->output->node;
    if (from->output < 0 || from->output >= node->n_out)
        return kfi_fail(KF_INVALID, "the layer '%s' has no output %lld, only %d",
                        all->entries[made->entry].name, (long long)from->output, node->n_out);
    *tensor = node->out[from->output];
    return KF_OK;
}

static kf_status make_call(functional *all, saved_call *call) {
    kf_layer *layer = all->entries[call->entry].layer;
    kf_tensor **inputs = kfi_alloc((size_t)call->n_inputs, sizeof *inputs);
    if (!inputs) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t i = 0; i < call->n_inputs && status == KF_OK; i++)
        status = tensor_of(all, &all->references[call->first_input + i], &inputs[i]);
    if (status == KF_OK)
        status = kfi_read_call(all->reading, layer, inputs, (int32_t)call->n_inputs,
                               &call->arguments, &call->output);
    kfi_free(inputs);
    call->progress = MADE;
    return status;
}

/* The next call that this one waits for, or -1: the calls it reads from, and before them the call
 * of the same layer that comes before it, since calls are numbered in the order they are made. */
static int64_t next_need(functional *all, saved_call *call) {
    const int64_t own = call - all->calls;
    while (call->next_need <= call->n_inputs) {
        const int64_t which = call->next_need++;
        const int64_t previous = own > all->entries[call->entry].first_call ? own - 1 : -1;
        const int64_t need =
            which == 0 ? previous : all->references[call->first_input + which - 1].call;
        if (need >= 0 && all->calls[need].progress != MADE) return need;
    }
    return -1;
}

/* `stack` has room for all calls: none is on it twice. */
static kf_status make_with_needs(functional *all, int64_t wanted, int64_t *stack) {
    int64_t n_stack = 0;
    stack[n_stack++] = wanted;
    all->calls[wanted].progress = BEGUN;
    while (n_stack > 0) {
        saved_call *top = &all->calls[stack[n_stack - 1]];
        const int64_t need = next_need(all, top);
        if (need >= 0 && all->calls[need].progress == BEGUN)
            return kfi_fail(KF_INVALID, "The tensor at layer \"%s\" is part of a cycle.",
                            all->entries[all->calls[need].entry].name);
        if (need >= 0) {
            all->calls[need].progress = BEGUN;
            stack[n_stack++] = need;
            continue;
        }
        const kf_status status = make_call(all, top);
        if (status != KF_OK) return status;
        n_stack--;
    }
    return KF_OK;
}

static kf_status make_calls(functional *all) {
    int64_t *stack = kfi_alloc((size_t)all->n_calls, sizeof *stack);
    if (!stack) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t i = 0; i < all->n_calls && status == KF_OK; i++)
        if (all->calls[i].progress == WAITING) status = make_with_needs(all, i, stack);
    kfi_free(stack);
    return status;
}

/* --- the model -------------------------------------------------------------------------------- */

/* input_layers, output_layers: a list of references; Keras 3 writes a single one without it. */
static kf_status read_ends(const functional *all, const kfi_variant *config, const char *key,
                           kf_tensor ***ends, int64_t *n_ends) {
    const kfi_variant *list;
    kf_status status = kfi_read_member(config, key, KFI_LIST, &list);
    if (status != KF_OK) return status;
    const bool single = kfi_variant_is(kfi_variant_at(list, 0), KFI_STRING);
    const int64_t count = single ? 1 : kfi_variant_count(list);
    if (count < 1 || count > KFI_MODEL_MAX_ENDS)
        return kfi_fail(KF_INVALID, "'%s' must hold 1 to %d tensors; got %lld", key,
                        KFI_MODEL_MAX_ENDS, (long long)count);
    *ends = kfi_alloc((size_t)count, sizeof **ends);
    if (!*ends) return KF_MEMORY;
    *n_ends = count;
    for (int64_t i = 0; i < count && status == KF_OK; i++) {
        reference end;
        status = read_reference(all, single ? list : kfi_variant_at(list, i), key, &end);
        if (status == KF_OK) status = tensor_of(all, &end, &(*ends)[i]);
    }
    return status;
}

static kf_status make_model(const functional *all, const kfi_variant *config, kf_model **model) {
    kf_tensor **inputs = NULL, **outputs = NULL;
    kfi_model_parts parts = {.name = kfi_variant_text(kfi_variant_get(config, "name"), NULL)};
    kf_status status = read_ends(all, config, "input_layers", &inputs, &parts.n_inputs);
    if (status == KF_OK)
        status = read_ends(all, config, "output_layers", &outputs, &parts.n_outputs);
    if (status == KF_OK) {
        parts.inputs = inputs;
        parts.outputs = outputs;
        *model = kfi_model_make(all->reading->graph, &parts);
        status = kf_model_error(*model);
    }
    kfi_free(inputs);
    kfi_free(outputs);
    return status;
}

static kf_status read_all(functional *all, const kfi_variant *config, kf_model **model) {
    const kfi_variant *layers;
    kf_status status = kfi_read_member(config, "layers", KFI_LIST, &layers);
    if (status == KF_OK) status = read_entries(all, layers);
    if (status == KF_OK) status = sort_names(all);
    if (status == KF_OK) status = read_calls(all);
    if (status == KF_OK) status = make_calls(all);
    return status == KF_OK ? make_model(all, config, model) : status;
}

kf_status kfi_read_functional(kfi_reading *reading, const kfi_variant *config, kf_model **model) {
    functional all = {.reading = reading, .config = config};
    const kf_status status = read_all(&all, config, model);
    release(&all);
    return status;
}
