/* What would so many workers make of a schedule? A replay of measured times on virtual workers. */
#ifndef KFI_SCHEDULER_SIMULATE_H
#define KFI_SCHEDULER_SIMULATE_H

#include "scheduler/schedule.h"

typedef struct kfi_simulated {
    double makespan_ns; /* from the start of the run to the end of its last task            */
    double work_ns;     /* T1: of all tiles                                                 */
    double span_ns;     /* Tinf: the longest way through the graph if every tile of a stage */
                        /* had a worker of its own                                          */
} kfi_simulated;

/* Runs the schedule on `workers` (1 … 4096) virtual workers by the rules of the "steal" executor.
 * stage_ns[task][stage] is what all tiles of a stage take on one worker, by the caller's task
 * index. limiting_ns, by task, may be NULL: how much of the makespan went by while that task was
 * what the rest waited for, going back from the end of the last task. */
kf_status kfi_simulate(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES],
                       int32_t workers, kfi_simulated *result, double *limiting_ns);

#endif
