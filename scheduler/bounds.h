/* What no order and no number of workers can beat, by measured times. */
#ifndef KFI_SCHEDULER_BOUNDS_H
#define KFI_SCHEDULER_BOUNDS_H

#include "scheduler/schedule.h"

/* What all tiles of a stage took, by rank number; 0 if the time makes no sense. */
double kfi_bounds_stage(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES],
                        int32_t number, int32_t stage);

/* Of all tiles together. */
double kfi_bounds_work(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES]);

/* The longest way, on which each stage of a task takes at least its longest tile. `from` has room
 * for all tasks. */
double kfi_bounds_span(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES],
                       double *from);

#endif
