#include "scheduler/bounds.h"

#include "scheduler/node.h"

#include <math.h>

double kfi_bounds_stage(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES],
                        int32_t number, int32_t stage) {
    const double ns = stage_ns[schedule->nodes[number].task][stage];
    return ns > 0 ? ns : 0;
}

double kfi_bounds_work(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES]) {
    double sum = 0;
    for (int32_t k = 0; k < schedule->n_tasks; k++)
        for (int32_t s = 0; s <= schedule->loops[k].last; s++)
            if (schedule->loops[k].tiles[s] > 0) sum += kfi_bounds_stage(schedule, stage_ns, k, s);
    return sum;
}

double kfi_bounds_span(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES],
                       double *from) {
    double longest = 0;
    for (int32_t k = schedule->n_tasks - 1; k >= 0; k--) {
        const kfi_node *node = &schedule->nodes[k];
        const kfi_loop *loop = &schedule->loops[k];
        double below = 0;
        for (int32_t s = 0; s < node->n_successors; s++)
            below = fmax(below, from[node->successors[s]]);
        for (int32_t s = 0; s <= loop->last; s++)
            if (loop->tiles[s] > 0)
                below += kfi_bounds_stage(schedule, stage_ns, k, s) / loop->tiles[s];
        from[k] = below;
        longest = fmax(longest, below);
    }
    return longest;
}
