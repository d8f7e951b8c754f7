/* Compiling a task graph: upward ranks, the renumbering by rank, the chunks of every stage.
 *
 *   rank(task) = cost(task) + max over successors of rank(successor)
 *
 * is the length of the longest way from the task to the end (Topcuoglu, Hariri, Wu, "Performance-
 * effective and low-complexity task scheduling for heterogeneous computing", 2002). */
#include "scheduler/schedule.h"

#include "core/base/memory.h"
#include "scheduler/node.h"
#include "scheduler/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LONGEST_COST_NS = 1e12;
static const double RANK_STEP_NS = 1; /* so that a successor's rank is lower even at no cost */

/* A chunk is this long at least: at 50 to 100 ns to claim one, the overhead stays below 0.5 %. */
static const double CHUNK_NS = 20e3;
/* Of a task of rounds: handing a chunk of one to another worker and waiting for it takes 0.8 us. */
static const double ROUND_CHUNK_NS = 3e3;
/* More chunks than this gain nothing in balance for KFI_MAX_WORKERS workers. */
enum { MAX_CHUNKS = 1024 };

void kfi_schedule_free(kfi_schedule *schedule) {
    if (!schedule) return;
    const size_t n = (size_t)schedule->n_tasks;
    kfi_free_buffer(schedule->nodes, (n + 1) * sizeof(kfi_node));
    kfi_free_buffer(schedule->loops, n * sizeof(kfi_loop));
    kfi_free((void *)schedule->ready_words);
    kfi_free((void *)schedule->open_words);
    kfi_free(schedule->successors);
    kfi_free(schedule->cost_ns);
    kfi_free(schedule->first_edge);
    kfi_free(schedule->edges);
    kfi_free(schedule->tiles);
    kfi_free(schedule->n_stages);
    kfi_free(schedule->rounds);
    kfi_free(schedule->n_predecessors);
    kfi_free(schedule->topological);
    kfi_free(schedule->ranked);
    kfi_free(schedule->number);
    kfi_free(schedule->span_ns);
    kfi_free(schedule);
}

static kf_status check_task(const kfi_task *task, int32_t index, int32_t n_tasks) {
    if (task->n_stages < 1 || task->n_stages > KFI_MAX_STAGES)
        return kfi_fail(KF_INVALID, "task %d has %d stages; 1 to %d are possible", index,
                        task->n_stages, KFI_MAX_STAGES);
    for (int32_t s = 0; s < task->n_stages; s++)
        if (task->tiles[s] < 0 || task->tiles[s] > INT32_MAX)
            return kfi_fail(KF_INVALID, "task %d: stage %d has %lld tiles; 0 to %d are possible",
                            index, s, (long long)task->tiles[s], INT32_MAX);
    const int64_t last = task->tiles[task->n_stages - 1];
    /* stages and rounds are counted together, too */
    if (task->rounds < 0 || (last > 0 && task->rounds > (INT32_MAX - KFI_MAX_STAGES) / last))
        return kfi_fail(KF_INVALID, "task %d has %d rounds of %lld tiles", index, task->rounds,
                        (long long)last);
    if (task->n_successors < 0)
        return kfi_fail(KF_INVALID, "task %d has %d successors", index, task->n_successors);
    for (int32_t k = 0; k < task->n_successors; k++)
        if (task->successors[k] < 0 || task->successors[k] >= n_tasks)
            return kfi_fail(KF_INVALID, "task %d: successor %d is not one of the %d tasks", index,
                            task->successors[k], n_tasks);
    return KF_OK;
}

static kf_status check_tasks(const kfi_task *tasks, int32_t n_tasks, int64_t *n_edges) {
    if (n_tasks < 0) return kfi_fail(KF_INVALID, "a schedule of %d tasks", n_tasks);
    for (int32_t i = 0; i < n_tasks; i++) {
        const kf_status status = check_task(&tasks[i], i, n_tasks);
        if (status != KF_OK) return status;
        *n_edges += tasks[i].n_successors;
    }
    return KF_OK;
}

static kf_status allocate(kfi_schedule *schedule) {
    const size_t n = (size_t)schedule->n_tasks, words = (size_t)kfi_ready_words(schedule->n_tasks);
    const size_t n_edges = (size_t)schedule->n_edges;
    const int have_all =
        (schedule->nodes = kfi_alloc_buffer((n + 1) * sizeof(kfi_node))) &&
        (schedule->loops = kfi_alloc_buffer(n * sizeof(kfi_loop))) &&
        (schedule->ready_words = kfi_alloc(KFI_GROUPS * words, sizeof(uint64_t))) &&
        (schedule->open_words = kfi_alloc(words, sizeof(uint64_t))) &&
        (schedule->successors = kfi_alloc(n_edges + n, sizeof(int32_t))) &&
        (schedule->cost_ns = kfi_alloc(n, sizeof(double))) &&
        (schedule->first_edge = kfi_alloc(n + 1, sizeof(int64_t))) &&
        (schedule->edges = kfi_alloc(n_edges, sizeof(int32_t))) &&
        (schedule->tiles = kfi_alloc(n, sizeof *schedule->tiles)) &&
        (schedule->n_stages = kfi_alloc(n, sizeof(int32_t))) &&
        (schedule->rounds = kfi_alloc(n, sizeof(int32_t))) &&
        (schedule->n_predecessors = kfi_alloc(n, sizeof(int32_t))) &&
        (schedule->topological = kfi_alloc(n, sizeof(int32_t))) &&
        (schedule->ranked = kfi_alloc(n, sizeof(kfi_ranked))) &&
        (schedule->number = kfi_alloc(n, sizeof(int32_t))) &&
        (schedule->span_ns = kfi_alloc(n, sizeof(double)));
    return have_all ? KF_OK : KF_MEMORY;
}

static void copy_tasks(kfi_schedule *schedule, const kfi_task *tasks) {
    int64_t edge = 0;
    for (int32_t i = 0; i < schedule->n_tasks; i++) {
        const kfi_task *task = &tasks[i];
        schedule->n_stages[i] = task->n_stages;
        const bool repeats = task->rounds > 1 && task->tiles[task->n_stages - 1] > 0;
        schedule->rounds[i] = repeats ? task->rounds : 1;
        for (int32_t s = 0; s < task->n_stages; s++)
            schedule->tiles[i][s] = (int32_t)task->tiles[s];
        schedule->first_edge[i] = edge;
        for (int32_t k = 0; k < task->n_successors; k++) {
            schedule->edges[edge++] = task->successors[k];
            schedule->n_predecessors[task->successors[k]]++;
        }
    }
    schedule->first_edge[schedule->n_tasks] = edge;
}

/* Kahn's algorithm; `number` counts the predecessors not yet placed. */
static kf_status sort_topologically(kfi_schedule *schedule) {
    int32_t *missing = schedule->number, *order = schedule->topological, n_placed = 0;
    for (int32_t i = 0; i < schedule->n_tasks; i++) {
        missing[i] = schedule->n_predecessors[i];
        if (!missing[i]) order[n_placed++] = i;
    }
    for (int32_t next = 0; next < n_placed; next++)
        for (int64_t e = schedule->first_edge[order[next]];
             e < schedule->first_edge[order[next] + 1]; e++)
            if (--missing[schedule->edges[e]] == 0) order[n_placed++] = schedule->edges[e];
    for (int32_t i = 0; i < schedule->n_tasks; i++)
        if (missing[i]) return kfi_fail(KF_INVALID, "task %d waits for itself: a cycle", i);
    return KF_OK;
}

static int more_critical(const void *first, const void *second) {
    const kfi_ranked *a = first, *b = second;
    if (a->rank != b->rank) return a->rank > b->rank ? -1 : 1;
    return a->task < b->task ? -1 : 1;
}

static void rank_tasks(kfi_schedule *schedule) {
    kfi_ranked *ranked = schedule->ranked;
    for (int32_t k = schedule->n_tasks - 1; k >= 0; k--) {
        const int32_t task = schedule->topological[k];
        double below = 0;
        for (int64_t e = schedule->first_edge[task]; e < schedule->first_edge[task + 1]; e++)
            below = fmax(below, ranked[schedule->edges[e]].rank);
        ranked[task] = (kfi_ranked){below + schedule->cost_ns[task] + RANK_STEP_NS, task};
    }
    qsort(ranked, (size_t)schedule->n_tasks, sizeof *ranked, more_critical);
    for (int32_t k = 0; k < schedule->n_tasks; k++) schedule->number[ranked[k].task] = k;
}

static int by_number(const void *first, const void *second) {
    const int32_t a = *(const int32_t *)first, b = *(const int32_t *)second;
    return (a > b) - (a < b);
}

/* Points the node to its sorted successors; returns the room left in `far`. */
static int32_t *place_successors(kfi_node *node, int32_t *far) {
    const bool fits = node->n_successors <= KFI_NEAR_SUCCESSORS;
    qsort(far, (size_t)node->n_successors, sizeof *far, by_number);
    if (fits) memcpy(node->near, far, (size_t)node->n_successors * sizeof *far);
    node->successors = fits ? node->near : far;
    return fits ? far : far + node->n_successors;
}

static void fill_nodes(kfi_schedule *schedule) {
    int32_t *far = schedule->successors;
    schedule->n_exits = 0;
    for (int32_t k = 0; k < schedule->n_tasks; k++) {
        const int32_t task = schedule->ranked[k].task;
        const int64_t *first = &schedule->first_edge[task];
        kfi_node *node = &schedule->nodes[k];
        *node = (kfi_node){.n_predecessors = schedule->n_predecessors[task],
                           .n_successors = (int32_t)(first[1] - first[0]),
                           .task = task,
                           .cost_ns = (float)schedule->cost_ns[task]};
        atomic_init(&node->waiting, node->n_predecessors);
        for (int32_t s = 0; s < node->n_successors; s++)
            far[s] = schedule->number[schedule->edges[first[0] + s]];
        if (!node->n_successors) schedule->n_exits++;
        far = place_successors(node, far);
    }
    kfi_node *start = &schedule->nodes[schedule->n_tasks];
    *start = (kfi_node){.task = KFI_NONE};
    for (int32_t k = 0; k < schedule->n_tasks; k++)
        if (!schedule->nodes[k].n_predecessors) far[start->n_successors++] = k;
    place_successors(start, far);
}

static double count_tiles(const kfi_schedule *schedule, int32_t task) {
    const int32_t last = schedule->n_stages[task] - 1;
    double n_tiles = (double)schedule->rounds[task] * schedule->tiles[task][last];
    for (int32_t s = 0; s < last; s++) n_tiles += schedule->tiles[task][s];
    return n_tiles;
}

/* Every tile of a task is taken to cost the same: the estimate is for the whole task. */
static void fill_loops(kfi_schedule *schedule) {
    for (int32_t k = 0; k < schedule->n_tasks; k++) {
        const int32_t task = schedule->ranked[k].task;
        kfi_loop *loop = &schedule->loops[k];
        *loop = (kfi_loop){.n_stages = schedule->n_stages[task] + schedule->rounds[task] - 1,
                           .last = schedule->n_stages[task] - 1};
        atomic_init(&loop->claims, KFI_CLAIMS_END);
        const double n_tiles = count_tiles(schedule, task);
        const double chunk_ns = schedule->rounds[task] > 1 ? ROUND_CHUNK_NS : CHUNK_NS;
        for (int32_t s = 0; s <= loop->last; s++) {
            loop->tiles[s] = schedule->tiles[task][s];
            const double stage_ns =
                n_tiles ? schedule->cost_ns[task] * loop->tiles[s] / n_tiles : 0;
            const double most = fmin(fmin(loop->tiles[s], MAX_CHUNKS), stage_ns / chunk_ns);
            loop->most_chunks[s] = most < 1 ? 1 : (int32_t)most;
        }
        const bool one_piece = loop->n_stages == 1 && loop->most_chunks[0] == 1;
        schedule->nodes[k].one_piece = one_piece ? loop->tiles[0] : KFI_NONE;
    }
}

/* A task cannot take less than its longest chunks, one of each stage and round. */
static double least_ns(const kfi_schedule *schedule, int32_t number) {
    const kfi_loop *loop = &schedule->loops[number];
    const kfi_node *node = &schedule->nodes[number];
    const double n_tiles = count_tiles(schedule, node->task);
    double least = 0;
    for (int32_t s = 0; s <= loop->last && n_tiles > 0; s++) {
        const int32_t rounds = s < loop->last ? 1 : loop->n_stages - loop->last;
        least += node->cost_ns * rounds * loop->tiles[s] / n_tiles / loop->most_chunks[s];
    }
    return least;
}

/* All but the longest way, and less what handing tasks over costs. */
static void find_shared(kfi_schedule *schedule) {
    double longest = 0;
    for (int32_t k = schedule->n_tasks - 1; k >= 0; k--) {
        const kfi_node *node = &schedule->nodes[k];
        double below = 0;
        for (int32_t s = 0; s < node->n_successors; s++)
            below = fmax(below, schedule->span_ns[node->successors[s]]);
        schedule->span_ns[k] = below + least_ns(schedule, k);
        longest = fmax(longest, schedule->span_ns[k]);
    }
    schedule->shared_ns = schedule->total_ns - longest - schedule->n_tasks * KFI_LEAST_NS;
}

/* Whether more than one worker may be of use. */
static bool is_shared(const kfi_schedule *schedule) {
    return schedule->total_ns >= KFI_ALONE_NS && schedule->shared_ns >= KFI_ALONE_NS / 2;
}

bool kfi_schedule_is_short(const kfi_schedule *schedule) {
    return is_shared(schedule) && schedule->total_ns < KFI_SHORT_NS;
}

void kfi_schedule_keep_alone(kfi_schedule *schedule, bool alone) { schedule->alone = alone; }

bool kfi_schedule_is_for_one(const kfi_schedule *schedule) {
    return schedule->alone || !is_shared(schedule);
}

void kfi_schedule_recost(kfi_schedule *schedule, const double *cost_ns) {
    schedule->total_ns = 0;
    schedule->alone = false;
    for (int32_t i = 0; i < schedule->n_tasks; i++) {
        /* not a number counts as nothing */
        const double cost = cost_ns[i] > 0 ? fmin(cost_ns[i], LONGEST_COST_NS) : 0;
        schedule->cost_ns[i] = count_tiles(schedule, i) > 0 ? cost : 0;
        schedule->total_ns += schedule->cost_ns[i];
    }
    rank_tasks(schedule);
    fill_nodes(schedule);
    fill_loops(schedule);
    find_shared(schedule);
}

static kf_status fill(kfi_schedule *schedule, const kfi_task *tasks) {
    kf_status status = allocate(schedule);
    if (status != KF_OK) return status;
    copy_tasks(schedule, tasks);
    status = sort_topologically(schedule);
    if (status != KF_OK) return status;
    double *cost_ns = kfi_alloc((size_t)schedule->n_tasks, sizeof *cost_ns);
    if (!cost_ns) return KF_MEMORY;
    for (int32_t i = 0; i < schedule->n_tasks; i++) cost_ns[i] = tasks[i].cost_ns;
    kfi_schedule_recost(schedule, cost_ns);
    kfi_free(cost_ns);
    return KF_OK;
}

kf_status kfi_schedule_new(const kfi_task *tasks, int32_t n_tasks, kfi_schedule **schedule) {
    *schedule = NULL;
    int64_t n_edges = 0;
    kf_status status = check_tasks(tasks, n_tasks, &n_edges);
    if (status != KF_OK) return status;
    kfi_schedule *made = kfi_alloc(1, sizeof *made);
    if (!made) return KF_MEMORY;
    made->n_tasks = n_tasks;
    made->n_edges = n_edges;
    status = fill(made, tasks);
    if (status != KF_OK)
        kfi_schedule_free(made);
    else
        *schedule = made;
    return status;
}
