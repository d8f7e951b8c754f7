/* The same schedule run by OpenMP tasks: the yardstick for our own scheduler. A task of ours, or a
 * chunk of one of its stages, is a task of theirs; counters decide when it is created. */
#include "scheduler/crew.h"
#include "scheduler/executor.h"
#include "scheduler/threads.h"

#include <omp.h>

static void run_chunk(kfi_crew *crew, int32_t number, int32_t stage, int32_t n_chunks,
                      int32_t chunk) {
    const kfi_loop *loop = &crew->schedule->loops[number];
    kfi_hand hand = {.worker = omp_get_thread_num()};
    const kfi_piece piece = kfi_piece_of_chunk(loop, number, stage, n_chunks, chunk);
    kfi_crew_run(crew, &hand, &piece);
}

/* The last stage that was run: they are all the rounds of one. */
static int32_t run_stage(kfi_crew *crew, int32_t number, int32_t stage) {
    const kfi_loop *loop = &crew->schedule->loops[number];
    kfi_hand hand = {.worker = omp_get_thread_num()};
    const kfi_piece piece = kfi_piece_of_stage(loop, number, stage);
    kfi_crew_run(crew, &hand, &piece);
    return kfi_loop_last(loop, stage);
}

/* Runs stages from `stage` on as long as they are one chunk. The number of chunks of the first one
 * that is more, which is then open; 0 if the task is finished. */
static int32_t open_stage(kfi_crew *crew, int32_t number, int32_t stage) {
    kfi_loop *loop = &crew->schedule->loops[number];
    const int32_t workers = atomic_load_explicit(&crew->workers, memory_order_relaxed);
    for (; stage < loop->n_stages; stage++) {
        const int32_t n_chunks = kfi_loop_chunks(loop, stage, workers);
        if (n_chunks == 1) stage = run_stage(crew, number, stage);
        if (n_chunks <= 1) continue;
        kfi_loop_open(loop, stage, n_chunks);
        return n_chunks;
    }
    return 0;
}

/* A more critical task, of a smaller number, gets the higher priority. */
static int32_t priority_of(const kfi_crew *crew, int32_t number) {
    return crew->schedule->n_tasks - number;
}

typedef void (*follower)(kfi_crew *crew, int32_t number, int32_t chunk);

/* Leaves a task of ours, or a chunk of it, to whichever thread is free. The arguments are written
 * into memory that libomp hands from task to task without the thread sanitizer seeing it: only
 * those writes are excepted from its checks, not what `follow` does. */
__attribute__((no_sanitize("thread"))) static void spawn(follower follow, kfi_crew *crew,
                                                         int32_t number, int32_t chunk) {
#pragma omp task firstprivate(follow, crew, number, chunk) priority(priority_of(crew, number))
    follow(crew, number, chunk);
}

/* What the finished task leads to: the best of it is returned, the rest left to others. */
static int32_t release_successors(kfi_crew *crew, const kfi_node *node, follower follow) {
    kfi_node *nodes = crew->schedule->nodes;
    int32_t best = KFI_NONE;
    for (int32_t k = 0; k < node->n_successors; k++) {
        const int32_t number = node->successors[k];
        if (!kfi_node_arrive(&nodes[number], false)) continue;
        if (best == KFI_NONE)
            best = number;
        else
            spawn(follow, crew, number, KFI_NONE);
    }
    return best;
}

/* Runs a chunk of the task's open stage, or begins the task if `chunk` is KFI_NONE; then goes on
 * with what that makes possible, leaving to others what may run beside it. */
static void proceed(kfi_crew *crew, int32_t number, int32_t chunk) {
    while (number != KFI_NONE) {
        kfi_loop *loop = &crew->schedule->loops[number];
        int32_t stage = 0;
        if (chunk != KFI_NONE) {
            stage = loop->stage + 1;
            run_chunk(crew, number, loop->stage, loop->n_chunks, chunk);
            if (!kfi_loop_finish(loop, 1)) return;
        }
        const int32_t n_chunks = open_stage(crew, number, stage);
        for (int32_t k = 1; k < n_chunks; k++) spawn(proceed, crew, number, k);
        chunk = n_chunks ? 0 : KFI_NONE;
        if (!n_chunks) number = release_successors(crew, &crew->schedule->nodes[number], proceed);
    }
}

static void begin(kfi_crew *crew) {
    const kfi_node *start = &crew->schedule->nodes[crew->schedule->n_tasks];
    for (int32_t k = 0; k < start->n_successors; k++)
        spawn(proceed, crew, start->successors[k], KFI_NONE);
}

static kf_status run(const kfi_job *job) {
    kfi_crew crew;
    const int32_t workers = kfi_workers_clamp(job->workers);
    kfi_crew_init(&crew, job->schedule, job->run, job->context, job->trace);
    kfi_crew_arm(&crew, workers, 1, NULL);
#pragma omp parallel num_threads(workers) default(none) shared(crew)
    {
        kfi_pool_enter();
#pragma omp single
        begin(&crew);
    }
    return kfi_crew_end(&crew);
}

const kfi_executor kfi_executor_omp = {.name = "omp", .run = run};
