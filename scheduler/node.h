/* What a schedule is made of: one cache line for a task's place in the graph, another for its
 * tiles. A task is named by its rank number here: 0 is the most critical one. */
#ifndef KFI_SCHEDULER_NODE_H
#define KFI_SCHEDULER_NODE_H

#include "scheduler/ready_set.h"
#include "scheduler/schedule.h"

enum { KFI_NEAR_SUCCESSORS = 7, KFI_GROUPS = 8 }; /* groups: of workers, at most */

typedef struct kfi_node {
    /* Predecessors still to come. Counted down by those who finish one; whoever brings the last
     * stores n_predecessors back, so the node is armed for the next run. */
    _Alignas(64) _Atomic(int32_t) waiting;
    int32_t n_predecessors;
    int32_t n_successors;
    int32_t task;              /* the caller's index                                        */
    const int32_t *successors; /* rank numbers, the most critical first                     */
    float cost_ns;             /* 0 if there is no tile to run                              */
    int32_t next;              /* the next of the cheap tasks that a worker keeps: by it    */
    int32_t one_piece;         /* its tiles if it is one chunk of one stage, else KFI_NONE  */
    int32_t near[KFI_NEAR_SUCCESSORS]; /* where `successors` points to if they are so few   */
} kfi_node;

_Static_assert(sizeof(kfi_node) == 64, "a task is one cache line");

typedef struct kfi_loop {
    /* Counts up; a claim is good if the value was below KFI_CLAIMS_END. A loop that is not open
     * stands at or above it. So a thread that comes too late, even by a whole stage, either claims
     * a chunk that is really free or gets nothing. */
    _Alignas(64) _Atomic(uint32_t) claims;
    _Atomic(int32_t) unfinished; /* chunks of the open stage; who brings it to 0 goes on      */
    int32_t stage, n_chunks;     /* of the open stage: by its opener, before `claims` opens   */
    int32_t turn;                /* likewise: which chunk is claimed first                    */
    int32_t n_stages;            /* a round is a stage here: so many more after `last`        */
    int32_t last;
    int32_t tiles[KFI_MAX_STAGES]; /* up to the last                                          */
    int32_t most_chunks[KFI_MAX_STAGES]; /* as many as are worth a chunk's overhead          */
} kfi_loop;

_Static_assert(sizeof(kfi_loop) == 64, "a loop is one cache line");

static const uint32_t KFI_CLAIMS_END = UINT32_C(1) << 31;

typedef struct kfi_ranked {
    double rank;
    int32_t task;
} kfi_ranked;

struct kfi_schedule {
    int32_t n_tasks, n_exits;
    double total_ns;
    double shared_ns;     /* what others can take off the caller at most  */
    bool alone;           /* it has turned out faster on the caller alone */
    _Atomic(int) running; /* by kfi_run */

    kfi_node *nodes; /* n_tasks by rank number, and one whose successors are the first tasks   */
    kfi_loop *loops; /* by rank number                                                        */
    _Atomic(uint64_t) *ready_words, *open_words; /* all zero between runs; ready: by group       */
    int32_t *successors;                         /* of nodes with more than KFI_NEAR_SUCCESSORS  */

    /* As the caller gave it, by the caller's index: what recost starts from. */
    int64_t n_edges;
    double *cost_ns;
    int64_t *first_edge; /* n_tasks + 1 */
    int32_t *edges;
    int32_t (*tiles)[KFI_MAX_STAGES];
    int32_t *n_stages, *rounds, *n_predecessors;
    int32_t *topological; /* an order in which predecessors come first */
    kfi_ranked *ranked;
    int32_t *number; /* the rank number of each task */
    double *span_ns; /* by rank number: from its start to the end, every chunk on its own worker */
};

/* Is task `a`, by rank number, more critical than b by more than `ns`? */
static inline bool kfi_schedule_outranks(const kfi_schedule *schedule, int32_t a, int32_t b,
                                         double ns) {
    return schedule->ranked[a].rank - schedule->ranked[b].rank > ns;
}

/* How many chunks the stage is cut into for so many workers; 0 if it has no tiles. */
int32_t kfi_loop_chunks(const kfi_loop *loop, int32_t stage, int32_t workers);

/* Which of the task's stages a stage of the loop is. */
static inline int32_t kfi_loop_kind(const kfi_loop *loop, int32_t stage) {
    return stage < loop->last ? stage : loop->last;
}

/* The tiles of one chunk are [kfi_loop_tile(…, chunk), kfi_loop_tile(…, chunk + 1)). */
static inline int64_t kfi_loop_tile(const kfi_loop *loop, int32_t stage, int32_t n_chunks,
                                    int32_t chunk) {
    const int32_t kind = kfi_loop_kind(loop, stage);
    const int64_t tiles = loop->tiles[kind];
    return tiles * (stage - kind) + tiles * chunk / n_chunks;
}

/* The last of the stages that one worker runs at once if this one is not cut up: all rounds. */
static inline int32_t kfi_loop_last(const kfi_loop *loop, int32_t stage) {
    return stage < loop->last ? stage : loop->n_stages - 1;
}

/* Lets chunks of the stage be claimed. Nobody else may have the task in hand. */
void kfi_loop_open(kfi_loop *loop, int32_t stage, int32_t n_chunks);

/* The number of a chunk that is now this thread's, KFI_NONE if none is left. */
static inline int32_t kfi_loop_claim(kfi_loop *loop) {
    if (atomic_load_explicit(&loop->claims, memory_order_relaxed) >= KFI_CLAIMS_END)
        return KFI_NONE;
    /* acquire: `stage` and `n_chunks`, and what the stages before have written */
    const uint32_t claim = atomic_fetch_add_explicit(&loop->claims, 1, memory_order_acquire);
    return claim >= KFI_CLAIMS_END ? KFI_NONE : loop->n_chunks - (int32_t)(KFI_CLAIMS_END - claim);
}

/* The chunk that is claimed by this number. */
static inline int32_t kfi_loop_turned(const kfi_loop *loop, int32_t claim) {
    return (claim + loop->turn) % loop->n_chunks;
}

/* True for the one who brings the stage's last chunks: everything in it has happened by now. */
static inline bool kfi_loop_finish(kfi_loop *loop, int32_t n_done) {
    return atomic_fetch_sub_explicit(&loop->unfinished, n_done, memory_order_acq_rel) == n_done;
}

/* Whether the task waits for one predecessor at most: a hint while others run. */
static inline bool kfi_node_is_last(const kfi_node *node) {
    return node->n_predecessors <= 1 ||
           atomic_load_explicit(&node->waiting, memory_order_relaxed) == 1;
}

/* One predecessor is finished. True for the last one: the node is ready, and armed again. */
static inline bool kfi_node_arrive(kfi_node *node, bool alone) {
    if (node->n_predecessors <= 1) return true;
    /* The last one needs no exchange: acquire shows it all that the others did before theirs. */
    const int32_t waiting = atomic_load_explicit(&node->waiting, memory_order_acquire);
    if (alone && waiting != 1) {
        atomic_store_explicit(&node->waiting, waiting - 1, memory_order_relaxed);
        return false;
    }
    if (waiting != 1 && atomic_fetch_sub_explicit(&node->waiting, 1, memory_order_acq_rel) != 1)
        return false;
    /* relaxed: the next to read it comes after this run */
    atomic_store_explicit(&node->waiting, node->n_predecessors, memory_order_relaxed);
    return true;
}

#endif
