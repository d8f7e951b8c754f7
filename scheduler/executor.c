#include "scheduler/executor.h"

#include "core/base/status.h"
#include "scheduler/crew.h"
#include "scheduler/threads.h"

#include <stdlib.h>
#include <string.h>

/* The first one is the default. */
static const kfi_executor *const executors[] = {&kfi_executor_steal, &kfi_executor_omp,
                                                &kfi_executor_serial};
enum { N_EXECUTORS = sizeof executors / sizeof executors[0] };

const kfi_executor *kfi_executor_find(const char *name) {
    for (int k = 0; k < N_EXECUTORS; k++)
        if (strcmp(executors[k]->name, name) == 0) return executors[k];
    return NULL;
}

/* NULL if KF_EXECUTOR names none. */
static const kfi_executor *executor_of_environment(void) {
    const char *name = getenv("KF_EXECUTOR");
    return name && *name ? kfi_executor_find(name) : executors[0];
}

const kfi_executor *kfi_executor_default(void) {
    const kfi_executor *executor = executor_of_environment();
    return executor ? executor : executors[0];
}

const char *kfi_executor_name(const kfi_executor *executor) { return executor->name; }

KFI_HOT kf_status kfi_run(kfi_schedule *schedule, kfi_tile_function run, void *context,
                          const kfi_run_options *options) {
    static const kfi_run_options defaults;
    if (!options) options = &defaults;
    const kfi_executor *executor =
        options->executor ? options->executor : executor_of_environment();
    if (!executor)
        return kfi_fail(KF_USAGE, "KF_EXECUTOR must be one of steal, omp, serial; got '%s'",
                        getenv("KF_EXECUTOR"));
    if (schedule->n_tasks == 0) return KF_OK;
    if (atomic_exchange_explicit(&schedule->running, 1, memory_order_acquire))
        return kfi_fail(KF_USAGE, "this schedule is being run already");
    kfi_pool_enter();
    const kf_status status =
        executor->run(&(kfi_job){schedule, run, context, options->trace, options->workers});
    kfi_pool_leave();
    atomic_store_explicit(&schedule->running, 0, memory_order_release);
    return status;
}
