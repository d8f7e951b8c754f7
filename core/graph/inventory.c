/* What lies in a plan's arena: for those who want to know why it is so large. */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

/* What the storage is made for. */
static void describe(const kfi_plan *plan, int32_t value, kfi_stretch *stretch) {
    const kfi_formula_node *node = &plan->formula->nodes[plan->formula->values[value].node];
    const int32_t whole = plan->pieces[value].whole;
    stretch->op = node->op->name;
    stretch->scope = node->scope;
    stretch->shape = plan->formula->values[whole >= 0 ? whole : value].type.shape;
}

/* The first output that is written to each storage. */
static void describe_outputs(const kfi_plan *plan, kfi_stretch *by_storage) {
    for (int64_t n = 0; n < plan->formula->n_nodes; n++) {
        const kfi_formula_node *node = &plan->formula->nodes[n];
        for (int i = 0; plan->step_of_node[n] >= 0 && i < node->n_out; i++) {
            kfi_stretch *stretch = &by_storage[plan->storage_of_value[node->out[i].id]];
            if (!stretch->op) describe(plan, node->out[i].id, stretch);
        }
    }
}

static void describe_scratch(const kfi_plan *plan, kfi_stretch *by_storage) {
    for (int32_t s = 0; s < plan->n_steps; s++) {
        if (plan->steps[s].scratch < 0) continue;
        const kfi_formula_node *node = &plan->formula->nodes[plan->steps[s].parts[0].node];
        by_storage[plan->steps[s].scratch] =
            (kfi_stretch){.op = node->op->name, .scope = node->scope, .is_scratch = true};
    }
}

/* From the one that ends last down to the ground. */
static void mark_peak(const kfi_plan *plan, kfi_stretch *by_storage) {
    int32_t top = -1;
    for (int32_t i = 0; i < plan->n_storages; i++) {
        const kfi_storage *storage = &plan->storages[i];
        if (!kfi_storage_in_arena(storage) || storage->bytes == 0) continue;
        if (by_storage[i].offset + by_storage[i].bytes == plan->peak_bytes) top = i;
    }
    for (; top >= 0; top = plan->storages[top].below) by_storage[top].at_peak = true;
}

static void measure(const kfi_plan *plan, const kfi_storage *storage, kfi_stretch *stretch) {
    stretch->bytes = kfi_placed_bytes(storage->bytes);
    stretch->offset = storage->offset;
    stretch->is_kept = storage->kept;
    stretch->first = storage->n_users > 0 ? storage->users[0] : storage->writer;
    stretch->last = storage->n_users > 0 ? storage->users[storage->n_users - 1] : storage->writer;
    if (storage->kept) stretch->last = plan->n_steps - 1;
}

kf_status kfi_plan_stretches(const kfi_plan *plan, kfi_stretch **stretches, int64_t *n) {
    *n = 0;
    *stretches = kfi_alloc((size_t)plan->n_storages, sizeof **stretches);
    if (!*stretches) return KF_MEMORY;
    describe_outputs(plan, *stretches);
    describe_scratch(plan, *stretches);
    for (int64_t i = 0; i < plan->n_storages; i++)
        measure(plan, &plan->storages[i], &(*stretches)[i]);
    mark_peak(plan, *stretches);
    for (int64_t i = 0; i < plan->n_storages; i++)
        if (kfi_storage_in_arena(&plan->storages[i])) (*stretches)[(*n)++] = (*stretches)[i];
    return KF_OK;
}
