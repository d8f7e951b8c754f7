#include "core/train/budget.h"

#include "core/base/machine.h"
#include "core/base/memory.h"
#include "core/base/status.h"

static size_t bytes_of(kf_weight *const *weights, int64_t n) {
    size_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        if (weights[i]) bytes += (size_t)weights[i]->count * sizeof(float);
    return bytes;
}

static size_t bytes_of_optimizer(const kfi_compiled *compiled) {
    if (!compiled || !compiled->optimizer->slots) return 0;
    const kf_optimizer *optimizer = compiled->optimizer;
    return bytes_of(optimizer->slots, (int64_t)optimizer->n_slots * optimizer->n_weights);
}

/* A weight of a layer that stands in two models inside is counted twice: a bit too careful. */
kf_status kfi_kept_of(const kfi_training *training, kfi_kept *kept) {
    kfi_weight_list list = {0};
    const kf_layer *layer = training->model->layer;
    kf_status status = kfi_layer_gather(layer, true, &list);
    if (status == KF_OK) status = kfi_layer_gather(layer, false, &list);
    *kept = (kfi_kept){bytes_of(list.items, list.count), bytes_of_optimizer(training->compiled)};
    kfi_free(list.items);
    return status;
}

/* Weights are there already, so they are no part of what is free. */
kf_status kfi_budget_of(const kfi_training *training, kfi_budget *budget) {
    *budget = (kfi_budget){.given = training->memory_limit > 0, .limit = training->memory_limit};
    if (!budget->given) {
        budget->limit = budget->pass = kfi_memory_free();
        return KF_OK;
    }
    kfi_kept kept;
    const kf_status status = kfi_kept_of(training, &kept);
    budget->kept = kept.weights + kept.optimizer;
    budget->pass = budget->limit > budget->kept ? budget->limit - budget->kept : 0;
    return status;
}

size_t kfi_budget_need(const kfi_plan *plan) {
    return kfi_plan_peak_bytes(plan) + (size_t)kfi_plan_workers(0) * kfi_plan_scratch_bytes(plan);
}

kf_status kfi_budget_check(const kfi_budget *budget, const char *mode, int64_t rows, size_t need) {
    const double mebibyte = 1 << 20;
    if (!budget->given || need <= budget->pass) return KF_OK;
    return kfi_fail(KF_MEMORY,
                    "a batch of %lld needs at least %.1f MiB (%s: %.1f MiB, weights and the "
                    "optimizer's state: %.1f MiB); memory_limit_bytes allows %.1f MiB",
                    (long long)rows, (double)(need + budget->kept) / mebibyte, mode,
                    (double)need / mebibyte, (double)budget->kept / mebibyte,
                    (double)budget->limit / mebibyte);
}
