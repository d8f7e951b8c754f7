/* The work-stealing executor: the caller is worker 0, the pool's threads join in. */
#include "scheduler/executor.h"
#include "scheduler/threads.h"
#include "scheduler/worker.h"

#include <assert.h>

/* Pinning and its undoing take about 2 µs: worth it from here on. */
static const double PIN_NS = 500e3;

static bool has_more(const void *subject) {
    const kfi_crew *crew = subject;
    return kfi_crew_done(crew) || kfi_crew_has_work(crew);
}

static int64_t expected(const void *subject) { return kfi_crew_expected(subject); }

/* Worker k is in the group of the CPU that it stands on; if there are more workers than CPUs, in
 * that of one of those. Otherwise nobody knows where a worker is, and all are one group. */
static void arm(kfi_crew *crew, const kfi_cpus *cpus, int32_t workers, kfi_stand stand) {
    const bool crowded = workers > cpus->in_mask;
    uint8_t of_cpu[CPU_SETSIZE], group[KFI_MAX_WORKERS] = {0};
    const bool known = cpus->in_mask && (crowded || stand.caller != KFI_NOWHERE);
    const int32_t n_groups = known ? kfi_cpus_groups(cpus, KFI_GROUPS, of_cpu) : 1;
    for (int32_t w = 0; w < workers && n_groups > 1; w++)
        group[w] = of_cpu[crowded ? w % cpus->in_mask : kfi_stand_of(stand, w)];
    kfi_crew_arm(crew, workers, n_groups, group);
}

static void work_alone(kfi_crew *crew) {
    kfi_worker worker = kfi_worker_new(crew, 0);
    kfi_worker_start(&worker);
    while (kfi_worker_work(&worker)) continue;
    assert(kfi_crew_done(crew));
}

static void work_together(kfi_crew *crew, bool crowded) {
    kfi_worker worker = kfi_worker_new(crew, 0);
    const kfi_rest rest = {kfi_pool_spin_ns(crowded), crowded, has_more, crowded ? NULL : expected,
                           crew};
    kfi_worker_start(&worker);
    while (!kfi_crew_done(crew)) {
        if (kfi_worker_work(&worker) || kfi_crew_done(crew)) continue;
        assert(crew->is_open);
        kfi_park_rest(&kfi_caller_park, kfi_crew_seat(crew), &rest);
        worker.fresh = true;
    }
    kfi_crew_close(crew);
}

static kf_status run_alone(const kfi_job *job) {
    kfi_crew crew;
    kfi_crew_init(&crew, job->schedule, job->run, job->context, job->trace);
    kfi_crew_arm(&crew, 1, 1, NULL);
    work_alone(&crew);
    return kfi_crew_end(&crew);
}

KFI_HOT static kf_status run_in_order(const kfi_job *job) {
    kfi_crew crew;
    kfi_crew_init(&crew, job->schedule, job->run, job->context, job->trace);
    kfi_crew_run_in_order(&crew);
    return kfi_crew_end(&crew);
}

static kf_status run_together(const kfi_job *job, kfi_crew *crew, const kfi_cpus *cpus,
                              int32_t workers) {
    const bool crowded = workers > cpus->usable;
    kfi_pool_need(cpus, workers);
    kfi_crew_init(crew, job->schedule, job->run, job->context, job->trace);
    const kfi_stand stand = kfi_pool_place(cpus, workers, job->schedule->total_ns >= PIN_NS);
    arm(crew, cpus, workers, stand);
    atomic_store_explicit(&crew->crowded, crowded, memory_order_relaxed);
    work_together(crew, crowded);
    kfi_pool_disperse(stand);
    return kfi_crew_end(crew);
}

KFI_HOT static kf_status run(const kfi_job *job) {
    if (kfi_schedule_is_for_one(job->schedule)) return run_in_order(job);
    if (job->workers == 1) return run_alone(job);
    const kfi_cpus cpus = kfi_cpus_look();
    const int32_t workers = kfi_cpus_workers(&cpus, job->workers);
    kfi_crew *crew = workers > 1 ? kfi_crew_claim() : NULL;
    if (!crew) return run_alone(job);
    const kf_status status = run_together(job, crew, &cpus, workers);
    kfi_crew_release(crew);
    return status;
}

const kfi_executor kfi_executor_steal = {.name = "steal", .run = run};
