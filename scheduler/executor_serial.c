/* The reference: the caller alone, all tiles of a task one after the other, in rank order. */
#include "scheduler/crew.h"
#include "scheduler/executor.h"

static kf_status run(const kfi_job *job) {
    kfi_crew crew;
    kfi_crew_init(&crew, job->schedule, job->run, job->context, job->trace);
    kfi_crew_run_in_order(&crew);
    return kfi_crew_end(&crew);
}

const kfi_executor kfi_executor_serial = {.name = "serial", .run = run};
