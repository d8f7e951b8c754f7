/* The work-stealing executor: the caller is worker 0, the pool's threads join in. */
#include "scheduler/executor.h"
#include "scheduler/threads.h"
#include "scheduler/worker.h"

#include <assert.h>

/* A run shorter than this in all gains nothing from a second worker. */
static const double ALONE_NS = 20e3;
/* Pinning and its undoing take about 2 µs: worth it from here on. */
static const double PIN_NS = 500e3;

static bool has_more(const void *subject) {
    const kfi_crew *crew = subject;
    return kfi_crew_done(crew) || kfi_crew_has_work(crew);
}

static void work_alone(kfi_crew *crew) {
    kfi_worker worker = kfi_worker_new(crew, 0);
    kfi_worker_start(&worker);
    while (kfi_worker_work(&worker)) continue;
    assert(kfi_crew_done(crew));
}

static void work_together(kfi_crew *crew, bool crowded) {
    kfi_worker worker = kfi_worker_new(crew, 0);
    kfi_worker_start(&worker);
    while (!kfi_crew_done(crew)) {
        if (kfi_worker_work(&worker) || kfi_crew_done(crew)) continue;
        assert(crew->is_open);
        kfi_park_rest(&kfi_caller_park, kfi_crew_seat(crew), kfi_pool_spin_ns(crowded), crowded,
                      has_more, crew);
        worker.fresh = true;
    }
    kfi_crew_close(crew);
}

static kf_status run_alone(const kfi_job *job) {
    kfi_crew crew;
    kfi_crew_init(&crew, job->schedule, job->run, job->context, job->trace);
    work_alone(&crew);
    return kfi_crew_end(&crew);
}

static kf_status run_together(const kfi_job *job, kfi_crew *crew, const kfi_cpus *cpus,
                              int32_t workers) {
    const bool crowded = workers > cpus->usable;
    kfi_pool_need(cpus, workers);
    kfi_crew_init(crew, job->schedule, job->run, job->context, job->trace);
    atomic_store_explicit(&crew->workers, workers, memory_order_relaxed);
    atomic_store_explicit(&crew->crowded, crowded, memory_order_relaxed);
    const bool pinned = kfi_pool_pin_caller(cpus, job->schedule->total_ns >= PIN_NS);
    work_together(crew, crowded);
    if (pinned) kfi_pool_unpin_caller();
    return kfi_crew_end(crew);
}

static kf_status run(const kfi_job *job) {
    if (job->schedule->total_ns < ALONE_NS || job->workers == 1) return run_alone(job);
    const kfi_cpus cpus = kfi_cpus_look();
    const int32_t workers = kfi_cpus_workers(&cpus, job->workers);
    kfi_crew *crew = workers > 1 ? kfi_crew_claim() : NULL;
    if (!crew) return run_alone(job);
    const kf_status status = run_together(job, crew, &cpus, workers);
    kfi_crew_release(crew);
    return status;
}

const kfi_executor kfi_executor_steal = {.name = "steal", .run = run};
