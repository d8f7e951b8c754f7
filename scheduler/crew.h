/* A crew is the caller and the pool's threads at work on one run of one schedule: what they share.
 *
 * Crews stand in a small fixed table. Pool threads may look at a crew's `workers` and at the tops
 * of its ready sets at any time; for everything else they must be inside: they count themselves in
 * at the gate, and the caller leaves only when the gate is shut and nobody is inside. The gate
 * opens when there is enough work to wake somebody, so a tiny run never meets another thread. */
#ifndef KFI_SCHEDULER_CREW_H
#define KFI_SCHEDULER_CREW_H

#include "scheduler/gate.h"
#include "scheduler/node.h"
#include "scheduler/park.h"
#include "scheduler/pool.h"

#include <stdatomic.h>
#include <stdbool.h>

/* What every run goes through stands together in the program: a run that comes after a pause waits
 * for each page of code. */
#define KFI_HOT __attribute__((hot))

enum { KFI_CREWS = 16, KFI_MESSAGE_BYTES = 1024 };

/* The failure to report so far: of the first task in the caller's order. */
typedef struct kfi_failure {
    kf_status status;
    int32_t task, stage;
    int64_t tile;
    char message[KFI_MESSAGE_BYTES];
} kfi_failure;

typedef struct kfi_crew {
    /* Written by the caller, before the gate opens. */
    kfi_schedule *schedule;
    kfi_tile_function run;
    void *context;
    kfi_trace *trace;
    bool is_open; /* by worker 0, and for it */

    _Atomic int32_t workers;  /* by the caller; also read from outside, where they are hints   */
    _Atomic int32_t n_groups; /* likewise: of workers that share a cache                       */
    _Atomic bool crowded;     /* more workers than CPUs: likewise                              */
    _Atomic bool failed;      /* by those who fail; relaxed: skipping is no promise, and at    */
                              /* the end everything has happened before                       */
    uint8_t group[KFI_MAX_WORKERS]; /* of each worker: by the caller, before the gate opens    */

    _Alignas(64) kfi_gate gate; /* opened and shut by the caller                              */
    _Atomic int32_t unfinished; /* tasks without successors that are not finished             */
    kfi_ready_set ready[KFI_GROUPS]; /* tasks nobody has begun, by the group that made them so */
    kfi_ready_set open; /* tasks whose loop may have chunks to claim                  */
    kfi_failure failure;

    /* When the long piece that a worker has in hand will be done: what leads to work for others,
     * and what ends a task without successors. 0: none. By the worker; hints for those at rest. */
    _Atomic int64_t work_at[KFI_MAX_WORKERS], exit_at[KFI_MAX_WORKERS];
} kfi_crew;

/* Who runs a piece, and the end of the piece before if nothing came in between (tracing: one look
 * at the clock instead of two), else 0. */
typedef struct kfi_hand {
    int32_t worker;
    int64_t clock;
} kfi_hand;

/* Tiles [first, end) of a stage. */
typedef struct kfi_piece {
    int32_t number, stage;
    int64_t first, end;
} kfi_piece;

/* A chunk of a stage of a loop; and what one worker runs at once if it is not cut up: the stage, of
 * the last one all rounds. */
static inline kfi_piece kfi_piece_of_chunk(const kfi_loop *loop, int32_t number, int32_t stage,
                                           int32_t n_chunks, int32_t chunk) {
    return (kfi_piece){number, kfi_loop_kind(loop, stage),
                       kfi_loop_tile(loop, stage, n_chunks, chunk),
                       kfi_loop_tile(loop, stage, n_chunks, chunk + 1)};
}

static inline kfi_piece kfi_piece_of_stage(const kfi_loop *loop, int32_t number, int32_t stage) {
    return (kfi_piece){number, kfi_loop_kind(loop, stage), kfi_loop_tile(loop, stage, 1, 0),
                       kfi_loop_tile(loop, kfi_loop_last(loop, stage), 1, 1)};
}

/* Stores the failure of a tile, with this thread's message, if no other comes before it. */
void kfi_crew_fail(kfi_crew *crew, const kfi_tile *tile, kf_status status);

static inline void kfi_crew_run_tiles(kfi_crew *crew, const kfi_hand *hand,
                                      const kfi_piece *piece) {
    kfi_tile tile = {crew->schedule->nodes[piece->number].task, piece->stage, piece->first,
                     hand->worker};
    for (; tile.tile < piece->end; tile.tile++) {
        if (atomic_load_explicit(&crew->failed, memory_order_relaxed)) return;
        const kf_status status = crew->run(crew->context, &tile);
        if (status != KF_OK) kfi_crew_fail(crew, &tile, status);
    }
}

void kfi_crew_run_traced(kfi_crew *crew, kfi_hand *hand, const kfi_piece *piece);

/* Runs the piece unless the run has failed already; stores a failure. Used by every executor. Here,
 * since a step that does nothing takes less time than two calls. */
static inline void kfi_crew_run(kfi_crew *crew, kfi_hand *hand, const kfi_piece *piece) {
    if (crew->trace)
        kfi_crew_run_traced(crew, hand, piece);
    else
        kfi_crew_run_tiles(crew, hand, piece);
}

/* What each crew needs; enough for kfi_crew_run_in_order. */
static inline void kfi_crew_init(kfi_crew *crew, kfi_schedule *schedule, kfi_tile_function run,
                                 void *context, kfi_trace *trace) {
    crew->schedule = schedule;
    crew->run = run;
    crew->context = context;
    crew->trace = trace;
    atomic_store_explicit(&crew->failed, false, memory_order_relaxed);
}

/* The rest of it. `group` has the groups of the workers, below n_groups; NULL: all are one. A crew
 * of one stands in no table. */
void kfi_crew_arm(kfi_crew *crew, int32_t workers, int32_t n_groups, const uint8_t *group);

/* The whole schedule by this thread alone, in the order of ranks, in which predecessors come first.
 * No counters and no sets: where all of it costs little, they would cost most. */
void kfi_crew_run_in_order(kfi_crew *crew);

/* The failure of the run as kfi_fail on this thread. */
kf_status kfi_crew_report(const kfi_crew *crew);

/* The same, or KF_OK. The crew must not run any more. */
static inline kf_status kfi_crew_end(const kfi_crew *crew) {
    if (!atomic_load_explicit(&crew->failed, memory_order_relaxed)) return KF_OK;
    return kfi_crew_report(crew);
}

/* A free crew of the table, given back by kfi_crew_release; NULL if so many callers run at once. */
kfi_crew *kfi_crew_claim(void);
void kfi_crew_release(kfi_crew *crew);
int32_t kfi_crew_seat(const kfi_crew *crew); /* its place in the table, and in kfi_caller_park */

/* The gate: for the caller. kfi_crew_close waits until nobody is inside. */
void kfi_crew_open(kfi_crew *crew);
void kfi_crew_close(kfi_crew *crew);

/* The gate: for pool thread `worker`. An open crew that has work for it, entered; NULL if none. */
kfi_crew *kfi_crew_enter(int32_t worker);
void kfi_crew_leave(kfi_crew *crew);

static inline bool kfi_crew_has_work(const kfi_crew *crew) {
    const int32_t n_groups = atomic_load_explicit(&crew->n_groups, memory_order_relaxed);
    for (int32_t group = 0; group < n_groups; group++)
        if (kfi_ready_some(&crew->ready[group])) return true;
    return kfi_ready_some(&crew->open);
}

static inline bool kfi_crew_done(const kfi_crew *crew) {
    return atomic_load_explicit(&crew->unfinished, memory_order_seq_cst) == 0;
}

/* Is there work anywhere for pool thread `worker`? */
bool kfi_crews_have_work(int32_t worker);

/* Where pool threads wait, by number; and where callers wait for the rest of their run, by seat. */
extern kfi_park kfi_pool_park, kfi_caller_park;

/* Brings one more worker to the crew, unless somebody looks for work already: if it can be one of
 * the group that has the work. */
void kfi_crew_wake(kfi_crew *crew, int32_t group);

/* For a thread that has ceased to search and has found its own: wakes one more for any crew, this
 * one or another, that still has work worth waking for, since publishers relied on the searcher. */
void kfi_crews_pass_on(kfi_crew *own);

/* Tells those who rest that this worker will be done with a long piece in `ns`, and what with.
 * Where that leads to work for others, and nobody will be up by then, somebody is woken. */
void kfi_crew_foretell(kfi_crew *crew, int32_t worker, int64_t ns, bool is_exit);
void kfi_crew_recall(kfi_crew *crew, int32_t worker);

/* When a resting pool thread may look for work again, or the caller for work or the end, by
 * kfi_now_ns; KFI_PARK_NEVER if nothing has been foretold. */
int64_t kfi_crews_expected(int32_t worker);
int64_t kfi_crew_expected(const kfi_crew *crew);

/* In a forked child: no run is under way, and nobody waits. */
void kfi_crews_forget(void);

/* Worker `worker` has finished a task without successors; after the last one the caller is woken.
 */
void kfi_crew_exit(kfi_crew *crew, int32_t worker);

#endif
