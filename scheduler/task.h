/* A task graph: what runs, in what order, and what one piece of it costs.
 * The graph is static: built once, run many times. A task is a short list of stages; a stage is
 * tiles that may run at the same time on any workers; stages follow each other. The last one may
 * follow itself, round after round. */
#ifndef KFI_SCHEDULER_TASK_H
#define KFI_SCHEDULER_TASK_H

#include "kf/status.h"

#include <stdint.h>

enum { KFI_MAX_STAGES = 4 };

typedef struct kfi_task {
    int32_t n_stages;              /* 1 … KFI_MAX_STAGES                                    */
    int64_t tiles[KFI_MAX_STAGES]; /* of each stage, at most INT32_MAX; 0 skips the stage   */
    double cost_ns;                /* estimate for the whole task on one worker; work that  */
                                   /* is said to cost less than 20 us stays on one worker   */
    const int32_t *successors;     /* tasks that wait for this one, by index; no duplicates */
    int32_t n_successors;
    int32_t rounds; /* how often the last stage runs, each time for all its  */
                    /* tiles, before the next; 0 is 1. Round r's tiles are   */
                    /* numbered from r tiles on, at most to INT32_MAX        */
} kfi_task;

/* Who runs a tile: `worker` is below the run's number of workers, and no two tiles that run at the
 * same time in one run have the same, so it may index scratch memory. */
typedef struct kfi_tile {
    int32_t task, stage;
    int64_t tile;
    int32_t worker;
} kfi_tile;

/* Runs one tile. A status other than KF_OK (with its message) ends the run: tiles not yet started
 * are skipped, and the run returns the status and message of the failing task with the lowest
 * index in the order of the caller's array among those that failed. */
typedef kf_status (*kfi_tile_function)(void *context, const kfi_tile *tile);

#endif
