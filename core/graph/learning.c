#include "core/graph/learning.h"

#include "core/base/clock.h"
#include "core/base/memory.h"

#include <stdlib.h>

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

/* A lone worker has nobody to be tried against: then the trial waits for a run of several. */
static bool is_trial(const kfi_learning *learning, int32_t workers) {
    return learning->n_runs >= KFI_LEARNING_END && !kfi_learning_is_done(learning) && workers > 1;
}

/* Trials alone come last, and all in a row: what the cache holds is what it would hold then. */
static bool is_alone(const kfi_learning *learning) {
    return learning->n_runs >= KFI_LEARNING_END + KFI_LEARNING_TRIALS;
}

bool kfi_learning_begin_run(kfi_learning *learning, kfi_schedule *schedule, int32_t workers) {
    if (is_trial(learning, workers)) {
        kfi_schedule_keep_alone(schedule, is_alone(learning));
        learning->began_ns = kfi_now_ns();
    }
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

static void end_timing(kfi_learning *learning, kfi_schedule *schedule) {
    if (is_due(learning)) take_times(learning);
    if (++learning->n_runs < KFI_LEARNING_END) return;
    kfi_schedule_recost(schedule, learning->least_ns);
    kfi_learning_clear(learning);
    if (!kfi_schedule_is_short(schedule)) learning->n_runs = KFI_LEARNING_DONE;
}

static int by_length(const void *first, const void *second) {
    const int64_t a = *(const int64_t *)first, b = *(const int64_t *)second;
    return (a > b) - (a < b);
}

/* The median: a worker that wakes too late to take part makes a run together seem as good as one
 * alone, and what else goes on here can make any run long. */
static int64_t median(int64_t ns[KFI_LEARNING_TRIALS]) {
    qsort(ns, KFI_LEARNING_TRIALS, sizeof *ns, by_length);
    return ns[KFI_LEARNING_TRIALS / 2];
}

static void end_trial(kfi_learning *learning, kfi_schedule *schedule) {
    const int32_t trial = learning->n_runs++ - KFI_LEARNING_END;
    const int64_t ns = kfi_now_ns() - learning->began_ns;
    learning->trial_ns[trial / KFI_LEARNING_TRIALS][trial % KFI_LEARNING_TRIALS] = ns;
    if (!kfi_learning_is_done(learning)) return;
    kfi_schedule_keep_alone(schedule,
                            median(learning->trial_ns[1]) <= median(learning->trial_ns[0]));
}

void kfi_learning_end_run(kfi_learning *learning, kfi_schedule *schedule, int32_t workers) {
    if (learning->n_runs < KFI_LEARNING_END)
        end_timing(learning, schedule);
    else if (is_trial(learning, workers))
        end_trial(learning, schedule);
}
