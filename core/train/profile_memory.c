#include "core/train/profile_memory.h"

#include "core/base/memory.h"
#include "core/train/budget.h"

#include <stdlib.h>

const char *const kfi_direction_names[] = {"forward", "backward", "update"};

/* The pile from its top to the ground, then by size; among equals by who comes first. */
static int by_place(const void *left, const void *right) {
    const kfi_stretch *a = left, *b = right;
    if (a->at_peak != b->at_peak) return a->at_peak ? -1 : 1;
    if (a->at_peak && a->offset != b->offset) return a->offset > b->offset ? -1 : 1;
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* A name that outlives the graph. */
static const char *name_of(const kfi_scope *scope, const char *op) {
    return kfi_strdup(scope->name ? scope->name : op);
}

static kf_status add_stretch(kfi_profile_memory *memory, const kfi_plan *plan,
                             const kfi_stretch *from) {
    const kfi_step_info last = kfi_plan_step(plan, from->last);
    kf_profile_stretch *to = &memory->stretches[memory->n_stretches++];
    *to = (kf_profile_stretch){.name = name_of(&from->scope, from->op),
                               .op = from->op,
                               .direction = kfi_direction_names[from->scope.direction],
                               .call = from->scope.call,
                               .kind = from->is_scratch ? "scratch"
                                       : from->is_kept  ? "result"
                                                        : "value",
                               .shape = from->shape,
                               .bytes = from->bytes,
                               .offset = from->offset,
                               .first_step = from->first,
                               .last_step = from->last,
                               .last_name = name_of(&last.scope, last.op),
                               .last_op = last.op,
                               .at_peak = from->at_peak};
    return to->name && to->last_name ? KF_OK : KF_MEMORY;
}

/* The most that lives at one step, if none starts before the one before it has ended. */
static size_t serial_bytes(const kfi_plan *plan, const kfi_stretch *stretches, int64_t n) {
    size_t most = 0;
    for (int32_t s = 0; s < kfi_plan_steps(plan); s++) {
        size_t alive = 0;
        for (int64_t i = 0; i < n; i++)
            if (stretches[i].first <= s && stretches[i].last >= s) alive += stretches[i].bytes;
        if (alive > most) most = alive;
    }
    return most;
}

static size_t batch_bytes(const kfi_sample_batch *batch) {
    size_t bytes = 0;
    for (int32_t i = 0; i < batch->ports.n; i++) bytes += (size_t)batch->rows * batch->row_bytes[i];
    return bytes;
}

static kf_status list_stretches(kfi_profile_memory *memory, const kfi_plan *plan) {
    kfi_stretch *stretches;
    int64_t n;
    kf_status status = kfi_plan_stretches(plan, &stretches, &n);
    if (status != KF_OK) return status;
    qsort(stretches, (size_t)n, sizeof *stretches, by_place);
    memory->total.serial = serial_bytes(plan, stretches, n);
    memory->stretches = kfi_alloc((size_t)n, sizeof *memory->stretches);
    if (!memory->stretches) status = KF_MEMORY;
    for (int64_t i = 0; i < n && status == KF_OK; i++)
        status = add_stretch(memory, plan, &stretches[i]);
    kfi_free(stretches);
    return status;
}

kf_status kfi_profile_memory_find(kfi_profile_memory *memory, const kfi_training *training,
                                  const kfi_plan *plan, const kfi_sample_batch *batch,
                                  int32_t workers) {
    kfi_kept kept;
    const kf_status status = kfi_kept_of(training, &kept);
    if (status != KF_OK) return status;
    memory->total = (kf_profile_memory){.arena = kfi_plan_peak_bytes(plan),
                                        .scratch = (size_t)workers * kfi_plan_scratch_bytes(plan),
                                        .weights = kept.weights,
                                        .optimizer = kept.optimizer,
                                        .batch = batch_bytes(batch)};
    return list_stretches(memory, plan);
}

void kfi_profile_memory_free(kfi_profile_memory *memory) {
    for (int32_t i = 0; i < memory->n_stretches; i++) {
        kfi_free((char *)memory->stretches[i].name);
        kfi_free((char *)memory->stretches[i].last_name);
    }
    kfi_free(memory->stretches);
    *memory = (kfi_profile_memory){0};
}
