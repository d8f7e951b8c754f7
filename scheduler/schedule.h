/* A schedule is a task graph made ready to run: tasks renumbered by descending upward rank, one
 * cache line each. Running it allocates nothing and takes no lock. */
#ifndef KFI_SCHEDULER_SCHEDULE_H
#define KFI_SCHEDULER_SCHEDULE_H

#include "scheduler/task.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kfi_schedule kfi_schedule;
typedef struct kfi_trace kfi_trace; /* trace.h */

/* Compiles `tasks` (copied). Fails with KF_INVALID on a cycle or an index out of range. */
kf_status kfi_schedule_new(const kfi_task *tasks, int32_t n_tasks, kfi_schedule **schedule);
void kfi_schedule_free(kfi_schedule *schedule); /* accepts NULL */

/* New costs (measured ones, say) by the caller's task index; between runs only. Changes the order,
 * never the results. */
void kfi_schedule_recost(kfi_schedule *schedule, const double *cost_ns);

/* Whether it is so short that the caller alone may be faster: what others fetch from its cache, and
 * leave in theirs for the next run, can cost more than they take over. Only a trial tells. */
bool kfi_schedule_is_short(const kfi_schedule *schedule);
/* From now on, until it is recost, the caller runs it alone; or not. Between runs only. */
void kfi_schedule_keep_alone(kfi_schedule *schedule, bool alone);
/* Whether the caller runs it alone, however many workers are asked for. */
bool kfi_schedule_is_for_one(const kfi_schedule *schedule);

/* An executor runs a schedule: "steal" (the work-stealing pool), "omp" (OpenMP tasks) or "serial"
 * (the reference: the caller alone, in rank order). */
typedef struct kfi_executor kfi_executor;
const kfi_executor *kfi_executor_find(const char *name); /* NULL if unknown */
const kfi_executor *kfi_executor_default(void);          /* KF_EXECUTOR, else steal */
const char *kfi_executor_name(const kfi_executor *executor);

typedef struct kfi_run_options {
    const kfi_executor *executor; /* NULL: the default                              */
    int32_t workers;              /* including the caller; 0: kfi_workers_default() */
    kfi_trace *trace;             /* NULL: none                                     */
} kfi_run_options;

/* Runs every tile of the schedule once and returns when all are done. The caller is worker 0 and
 * works too. Several threads may run different schedules at the same time; they share the pool's
 * workers. One schedule runs once at a time. */
kf_status kfi_run(kfi_schedule *schedule, kfi_tile_function run, void *context,
                  const kfi_run_options *options);

#endif
