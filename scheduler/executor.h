/* What an executor is: a name, and a way to run a schedule. */
#ifndef KFI_SCHEDULER_EXECUTOR_H
#define KFI_SCHEDULER_EXECUTOR_H

#include "scheduler/schedule.h"

typedef struct kfi_job {
    kfi_schedule *schedule; /* of one task at least */
    kfi_tile_function run;
    void *context;
    kfi_trace *trace; /* may be NULL */
    int32_t workers;  /* as asked for: not clamped yet */
} kfi_job;

struct kfi_executor {
    const char *name;
    kf_status (*run)(const kfi_job *job);
};

extern const kfi_executor kfi_executor_steal, kfi_executor_omp, kfi_executor_serial;

#endif
