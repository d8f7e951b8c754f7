/* The reference: the caller alone, all tiles of a task one after the other, in rank order, which is
 * an order in which predecessors come first. */
#include "scheduler/crew.h"
#include "scheduler/executor.h"

static kf_status run(const kfi_job *job) {
    kfi_crew crew;
    kfi_crew_init(&crew, job->schedule, job->run, job->context, job->trace);
    kfi_hand hand = {0};
    for (int32_t number = 0; number < job->schedule->n_tasks; number++) {
        const kfi_loop *loop = &job->schedule->loops[number];
        for (int32_t stage = 0; stage < loop->n_stages; stage++)
            if (loop->tiles[stage])
                kfi_crew_run(&crew, &hand, &(kfi_piece){number, stage, 0, loop->tiles[stage]});
    }
    return kfi_crew_end(&crew);
}

const kfi_executor kfi_executor_serial = {.name = "serial", .run = run};
