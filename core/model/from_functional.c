/* A functional model from its config: first all layers are made, then every call that their
 * inbound_nodes list, each after the calls it reads from, whatever the order in the file. */
#include "core/base/memory.h"
#include "core/model/functional.h"

#include <string.h>

static void release(kfi_functional *all) {
    for (int64_t i = 0; i < all->n_entries; i++)
        if (all->entries[i].layer) kf_layer_free(all->entries[i].layer); /* if never applied */
    kfi_free(all->entries);
    kfi_free(all->by_name);
    kfi_free(all->calls);
    kfi_free(all->references);
}

/* --- layers ----------------------------------------------------------------------------------- */

/* The input tensor that was given for this entry of the outermost model; NULL: none was. */
static kf_tensor *given_input(const kfi_functional *all, const char *name) {
    const kfi_variant *inputs = kfi_variant_get(all->config, "input_layers");
    const bool given = kfi_reading_has_inputs(all->reading);
    for (int64_t i = 0; given && i < all->reading->n_inputs; i++) {
        const kfi_variant *input = kfi_variant_at(kfi_variant_at(inputs, i), 0);
        if (strcmp(kfi_variant_text(input, ""), name) == 0) return all->reading->inputs[i];
    }
    return NULL;
}

static kf_status make_layer(kfi_functional *all, kfi_saved_layer *entry) {
    const kf_tensor *given = given_input(all, entry->name);
    if (!given) return kfi_read_layer(all->reading, entry->config, &entry->layer);
    entry->layer = given->node->layer;
    return KF_OK;
}

static kf_status read_entry(kfi_functional *all, const kfi_variant *config) {
    kfi_saved_layer *entry = &all->entries[all->n_entries];
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

static kf_status read_entries(kfi_functional *all, const kfi_variant *layers) {
    all->entries = kfi_alloc((size_t)kfi_variant_count(layers), sizeof *all->entries);
    if (!all->entries) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(layers) && status == KF_OK; i++)
        status = read_entry(all, kfi_variant_at(layers, i));
    return status;
}

/* --- calls ------------------------------------------------------------------------------------ */

static kf_status tensor_of(const kfi_functional *all, const kfi_reference *from,
                           kf_tensor **tensor) {
    const kfi_saved_call *made = &all->calls[from->call];
    const kfi_node *node = made->output->node;
    if (from->output < 0 || from->output >= node->n_out)
        return kfi_fail(KF_INVALID, "the layer '%s' has no output %lld, only %d",
                        all->entries[made->entry].name, (long long)from->output, node->n_out);
    *tensor = node->out[from->output];
    return KF_OK;
}

static kf_status make_call(kfi_functional *all, kfi_saved_call *call) {
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
    call->progress = KFI_MADE;
    return status;
}

/* The next call that this one waits for, or -1: the calls it reads from, and before them the call
 * of the same layer that comes before it, since calls are numbered in the order they are made. */
static int64_t next_need(kfi_functional *all, kfi_saved_call *call) {
    const int64_t own = call - all->calls;
    while (call->next_need <= call->n_inputs) {
        const int64_t which = call->next_need++;
        const int64_t previous = own > all->entries[call->entry].first_call ? own - 1 : -1;
        const int64_t need =
            which == 0 ? previous : all->references[call->first_input + which - 1].call;
        if (need >= 0 && all->calls[need].progress != KFI_MADE) return need;
    }
    return -1;
}

/* `stack` has room for all calls: none is on it twice. */
static kf_status make_with_needs(kfi_functional *all, int64_t wanted, int64_t *stack) {
    int64_t n_stack = 0;
    stack[n_stack++] = wanted;
    all->calls[wanted].progress = KFI_BEGUN;
    while (n_stack > 0) {
        kfi_saved_call *top = &all->calls[stack[n_stack - 1]];
        const int64_t need = next_need(all, top);
        if (need >= 0 && all->calls[need].progress == KFI_BEGUN)
            return kfi_fail(KF_INVALID, "The tensor at layer \"%s\" is part of a cycle.",
                            all->entries[all->calls[need].entry].name);
        if (need >= 0) {
            all->calls[need].progress = KFI_BEGUN;
            stack[n_stack++] = need;
            continue;
        }
        const kf_status status = make_call(all, top);
        if (status != KF_OK) return status;
        n_stack--;
    }
    return KF_OK;
}

static kf_status make_calls(kfi_functional *all) {
    int64_t *stack = kfi_alloc((size_t)all->n_calls, sizeof *stack);
    if (!stack) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t i = 0; i < all->n_calls && status == KF_OK; i++)
        if (all->calls[i].progress == KFI_WAITING) status = make_with_needs(all, i, stack);
    kfi_free(stack);
    return status;
}

/* --- the model -------------------------------------------------------------------------------- */

/* input_layers, output_layers: a list of references; Keras 3 writes a single one without it. */
static kf_status read_ends(const kfi_functional *all, const kfi_variant *config, const char *key,
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
        kfi_reference end;
        status = kfi_functional_reference(all, single ? list : kfi_variant_at(list, i), key, &end);
        if (status == KF_OK) status = tensor_of(all, &end, &(*ends)[i]);
    }
    return status;
}

static kf_status make_model(const kfi_functional *all, const kfi_variant *config,
                            kf_model **model) {
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

static kf_status read_all(kfi_functional *all, const kfi_variant *config, kf_model **model) {
    const kfi_variant *layers;
    kf_status status = kfi_read_member(config, "layers", KFI_LIST, &layers);
    if (status == KF_OK) status = read_entries(all, layers);
    if (status == KF_OK) status = kfi_functional_sort_names(all);
    if (status == KF_OK) status = kfi_functional_read_calls(all);
    if (status == KF_OK) status = make_calls(all);
    return status == KF_OK ? make_model(all, config, model) : status;
}

kf_status kfi_read_functional(kfi_reading *reading, const kfi_variant *config, kf_model **model) {
    kfi_functional all = {.reading = reading, .config = config};
    const kf_status status = read_all(&all, config, model);
    release(&all);
    return status;
}
