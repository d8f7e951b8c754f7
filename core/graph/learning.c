#include "core/graph/learning.h"

#include "core/base/memory.h"

kf_status kfi_learning_init(kfi_learning *learning, int32_t n_steps) {
    *learning = (kfi_learning){.n_steps = n_steps};
    learning->spent_ns = kfi_alloc((size_t)n_steps, sizeof *learning->spent_ns);
    learning->least_ns = kfi_alloc((size_t)n_steps, sizeof *learning->least_ns);
    return learning->spent_ns && learning->least_ns ? KF_OK : KF_MEMORY;
}

void kfi_learning_clear(kfi_learning *learning) {
    kfi_free((void *)learning->spent_ns);
    kfi_free(learning->least_ns);
    learning->spent_ns = NULL;
    learning->least_ns = NULL;
}

static bool is_due(const kfi_learning *learning) {
    return learning->n_runs >= KFI_LEARNING_BEGIN && learning->n_runs < KFI_LEARNING_END;
}

bool kfi_learning_begin_run(kfi_learning *learning) {
    if (!is_due(learning)) return false;
    for (int32_t s = 0; s < learning->n_steps; s++) /* the run before may have failed */
        atomic_store_explicit(&learning->spent_ns[s], 0, memory_order_relaxed);
    return true;
}

static void take_times(kfi_learning *learning) {
    const bool is_first = learning->n_runs == KFI_LEARNING_BEGIN;
    for (int32_t s = 0; s < learning->n_steps; s++) {
        const double ns =
            (double)atomic_load_explicit(&learning->spent_ns[s], memory_order_relaxed);
        if (is_first || ns < learning->least_ns[s]) learning->least_ns[s] = ns;
    }
}

void kfi_learning_end_run(kfi_learning *learning, kfi_schedule *schedule) {
    if (learning->n_runs >= KFI_LEARNING_END) return;
    if (is_due(learning)) take_times(learning);
    if (++learning->n_runs < KFI_LEARNING_END) return;
    kfi_schedule_recost(schedule, learning->least_ns);
    kfi_learning_clear(learning);
}
