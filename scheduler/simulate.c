/* A discrete event simulation: the clock jumps from the end of one piece of work to the next. A
 * virtual worker does what worker.c does with the same thresholds, and each thing takes the time
 * that was measured. What is left out is what the measured times cannot know: caches and the
 * memory's bandwidth, which more workers would share. */
#include "scheduler/simulate.h"

#include "core/base/memory.h"
#include "scheduler/bounds.h"
#include "scheduler/node.h"
#include "scheduler/policy.h"
#include "scheduler/stretches.h"

#include <math.h>
#include <string.h>

/* Measured on two cores: from an announcement to the first work of a worker that spins, and of one
 * that sleeps; claiming a chunk or taking a task. */
static const double NOTICE_NS = 300, WAKE_UP_NS = 20e3, CLAIM_NS = 60;

/* The caller and the first pool thread are up in time for what has been foretold (crew.c). */
enum { MOST_WORKERS = 4096, N_PUNCTUAL = 2 };

typedef struct virtual_worker {
    double now; /* the end of its piece; when idle, since when */
    bool idle, in_loop;
    bool foretold;                 /* its piece was long, and of interest to others */
    int32_t number, stage, n_done; /* of the piece in hand                        */
    int32_t last_piece;            /* the one before now                          */
    int32_t cheap, held;           /* as in worker.c                              */
    double cheap_ns, held_ns, unannounced_ns;
} virtual_worker;

typedef struct virtual_loop {
    int32_t stage, n_chunks, next_chunk, unfinished;
    int32_t cause; /* the piece at whose end it was opened */
} virtual_loop;

typedef struct simulation {
    const kfi_schedule *schedule;
    const double (*stage_ns)[KFI_MAX_STAGES];
    int32_t n_workers;
    virtual_worker *workers;
    virtual_loop *loops;     /* by rank number, like the rest */
    int32_t *waiting, *next; /* predecessors to come; the next cheap task */
    int32_t *cause;          /* the piece that made a task ready */
    double *span_ns;
    _Atomic uint64_t *ready_words, *open_words;
    kfi_ready_set ready, open;
    bool gate;
    kfi_stretches done;
} simulation;

/* ---- pieces ---- */

static double stage_time(const simulation *sim, int32_t number, int32_t stage) {
    return kfi_bounds_stage(sim->schedule, sim->stage_ns, number, stage);
}

/* What a stage of the loop takes, which may be a round. */
static double round_time(const simulation *sim, int32_t number, int32_t stage) {
    const kfi_loop *loop = &sim->schedule->loops[number];
    const int32_t kind = kfi_loop_kind(loop, stage);
    return stage_time(sim, number, kind) / (kind < loop->last ? 1 : loop->n_stages - loop->last);
}

/* The worker begins a piece: `ns` of work on the task. Of the two things that it waited for, the
 * work before it and what made this one possible, the later one is its cause. */
static void begin_piece(simulation *sim, virtual_worker *w, int32_t number, int32_t stage,
                        double ns, int32_t made_possible_by) {
    const int32_t own = w->last_piece;
    int32_t cause = made_possible_by;
    const double possible = kfi_stretches_end(&sim->done, cause);
    if (own != KFI_NONE && (cause == KFI_NONE || kfi_stretches_end(&sim->done, own) > possible))
        cause = own;
    const double end = w->now + CLAIM_NS + ns;
    w->last_piece = kfi_stretches_add(&sim->done, &(kfi_stretch){number, cause, w->now, end});
    w->number = number;
    w->stage = stage;
    w->now = end;
    w->idle = false;
}

/* ---- making work known ---- */

static void wake(virtual_worker *w, double now, double delay_ns) {
    w->now = fmax(now, w->now) + delay_ns;
    w->idle = false;
    w->number = KFI_NONE;
}

/* Workers that spin all see what is new; if none does, one that sleeps is woken for it. */
static void notify(simulation *sim, double now, bool foretold, bool may_wake) {
    virtual_worker *asleep = NULL;
    bool seen = false;
    for (int32_t i = 0; i < sim->n_workers; i++) {
        virtual_worker *w = &sim->workers[i];
        if (!w->idle) continue;
        if (now - w->now < KFI_SPIN_NS || (foretold && i < N_PUNCTUAL)) {
            wake(w, now, NOTICE_NS);
            seen = true;
        } else if (!asleep)
            asleep = w;
    }
    if (!seen && asleep && may_wake) wake(asleep, now, WAKE_UP_NS);
}

static void announce(simulation *sim, virtual_worker *w, double cost_ns) {
    w->unannounced_ns += cost_ns;
    const bool worth_it = w->unannounced_ns >= KFI_WAKE_NS;
    if (worth_it) w->unannounced_ns = 0;
    sim->gate = sim->gate || worth_it;
    if (sim->gate) notify(sim, w->now, w->foretold, worth_it);
}

static double publish(simulation *sim, int32_t number) {
    kfi_ready_add(&sim->ready, number / 64, UINT64_C(1) << (number % 64));
    return sim->schedule->nodes[number].cost_ns;
}

/* ---- what a finished task leads to ---- */

static double put_away(simulation *sim, virtual_worker *w, int32_t number) {
    const double cost_ns = sim->schedule->nodes[number].cost_ns;
    if (w->cheap_ns + cost_ns > KFI_KEEP_NS) return publish(sim, number);
    sim->next[number] = w->cheap;
    w->cheap = number;
    w->cheap_ns += cost_ns;
    return 0;
}

static double hold(simulation *sim, virtual_worker *w, int32_t number) {
    const int32_t other = w->held;
    if (other == KFI_NONE) w->held_ns = 0;
    if (other == KFI_NONE || number < other) w->held = number;
    if (other == KFI_NONE) return 0;
    return publish(sim, number < other ? other : number);
}

static int32_t release_successors(simulation *sim, virtual_worker *w, const kfi_node *node) {
    double published_ns = 0;
    int32_t best = KFI_NONE;
    for (int32_t k = node->n_successors - 1; k >= 0; k--) {
        const int32_t number = node->successors[k];
        if (sim->schedule->nodes[number].n_predecessors > 0 && --sim->waiting[number] > 0) continue;
        sim->cause[number] = w->last_piece;
        if (sim->schedule->nodes[number].cost_ns >= KFI_CHEAP_NS) {
            published_ns += hold(sim, w, number);
            continue;
        }
        if (best != KFI_NONE) published_ns += put_away(sim, w, best);
        best = number;
    }
    if (published_ns > 0) announce(sim, w, published_ns);
    return best;
}

static int32_t take_cheap(simulation *sim, virtual_worker *w) {
    const int32_t number = w->cheap;
    w->cheap = sim->next[number];
    w->cheap_ns = w->cheap == KFI_NONE ? 0 : w->cheap_ns - sim->schedule->nodes[number].cost_ns;
    return number;
}

/* The held task, or a far more critical one that stands ready. */
static int32_t better_of(simulation *sim, int32_t held) {
    const int32_t best = kfi_ready_peek(&sim->ready);
    if (best == KFI_NONE || !kfi_schedule_outranks(sim->schedule, best, held, KFI_PREFER_NS))
        return held;
    kfi_ready_remove(&sim->ready, best);
    publish(sim, held);
    return best;
}

static int32_t next_task(simulation *sim, virtual_worker *w, int32_t cheap) {
    if (cheap == KFI_NONE && w->cheap != KFI_NONE) cheap = take_cheap(sim, w);
    const int32_t held = w->held;
    if (cheap == KFI_NONE) {
        w->held = KFI_NONE;
        return held == KFI_NONE ? KFI_NONE : better_of(sim, held);
    }
    if (held == KFI_NONE) return cheap;
    w->held_ns += KFI_LEAST_NS + sim->schedule->nodes[cheap].cost_ns;
    if (w->held_ns > KFI_KEEP_NS) {
        w->held = KFI_NONE;
        announce(sim, w, publish(sim, held));
    }
    return cheap;
}

/* ---- the stages of a task ---- */

/* As in worker.c: what others will find when the task is finished here. */
static double leaves_ns(const simulation *sim, const kfi_node *node) {
    double sum_ns = 0, most_ns = 0;
    for (int32_t k = 0; k < node->n_successors; k++) {
        const kfi_node *next = &sim->schedule->nodes[node->successors[k]];
        if (sim->waiting[node->successors[k]] > 1) continue;
        if (next->one_piece != KFI_NONE) most_ns = fmax(most_ns, next->cost_ns);
        sum_ns += next->cost_ns;
    }
    return sum_ns - most_ns;
}

static void foretell(simulation *sim, virtual_worker *w, int32_t number) {
    const kfi_node *node = &sim->schedule->nodes[number];
    w->foretold = node->one_piece != KFI_NONE && node->cost_ns >= KFI_LONG_NS &&
                  leaves_ns(sim, node) >= KFI_WAKE_NS;
    sim->gate = sim->gate || w->foretold;
}

static void begin_chunk(simulation *sim, virtual_worker *w, int32_t number) {
    virtual_loop *loop = &sim->loops[number];
    const int32_t chunk = loop->next_chunk++;
    if (loop->next_chunk == loop->n_chunks) kfi_ready_remove(&sim->open, number);
    const kfi_loop *shape = &sim->schedule->loops[number];
    const int64_t first = kfi_loop_tile(shape, loop->stage, loop->n_chunks, chunk);
    const int64_t last = kfi_loop_tile(shape, loop->stage, loop->n_chunks, chunk + 1);
    const double share = (double)(last - first) / shape->tiles[kfi_loop_kind(shape, loop->stage)];
    begin_piece(sim, w, number, loop->stage, share * round_time(sim, number, loop->stage),
                loop->cause);
    w->in_loop = true;
    w->foretold = false;
}

/* Begins the next piece of the task from `stage` on; false if nothing is left of it. */
static bool begin_stage(simulation *sim, virtual_worker *w, int32_t number, int32_t stage) {
    const kfi_loop *shape = &sim->schedule->loops[number];
    for (; stage < shape->n_stages; stage++) {
        const int32_t n_chunks = kfi_loop_chunks(shape, stage, sim->n_workers);
        if (n_chunks == 0) continue;
        w->in_loop = false;
        if (n_chunks == 1) {
            foretell(sim, w, number);
            const double ns = stage_time(sim, number, kfi_loop_kind(shape, stage));
            begin_piece(sim, w, number, kfi_loop_last(shape, stage), ns, sim->cause[number]);
            return true;
        }
        sim->loops[number] = (virtual_loop){stage, n_chunks, 0, n_chunks,
                                            stage ? w->last_piece : sim->cause[number]};
        kfi_ready_add(&sim->open, number / 64, UINT64_C(1) << (number % 64));
        announce(sim, w, KFI_WAKE_NS);
        w->n_done = 0;
        begin_chunk(sim, w, number);
        return true;
    }
    return false;
}

static bool begin_open_loop(simulation *sim, virtual_worker *w) {
    bool hid = false;
    const int32_t ready = kfi_ready_peek(&sim->ready), open = kfi_ready_first(&sim->open, &hid);
    if (open == KFI_NONE || (ready != KFI_NONE && ready < open)) return false;
    w->n_done = 0;
    begin_chunk(sim, w, open);
    return true;
}

static int32_t take_published(simulation *sim) {
    bool hid = false;
    return kfi_ready_take(&sim->ready, &hid);
}

/* Once work is found, somebody else is sent to look if there is more. */
static void pass_on(simulation *sim, double now) {
    if (kfi_ready_some(&sim->ready) || kfi_ready_some(&sim->open)) notify(sim, now, false, true);
}

/* After the end of task `number` (KFI_NONE: after none): on with what it leads to, else with the
 * best of what others have published or opened. */
static void go_on(simulation *sim, virtual_worker *w, int32_t number) {
    for (;;) {
        if (number != KFI_NONE) {
            const int32_t cheap = release_successors(sim, w, &sim->schedule->nodes[number]);
            number = next_task(sim, w, cheap);
        }
        const double now = w->now;
        if (number == KFI_NONE) {
            if (begin_open_loop(sim, w)) {
                pass_on(sim, now);
                return;
            }
            number = take_published(sim);
            w->idle = number == KFI_NONE;
            if (w->idle) return;
            pass_on(sim, now);
        }
        if (begin_stage(sim, w, number, 0)) return;
    }
}

/* The worker's piece has ended. */
static void end_piece(simulation *sim, virtual_worker *w) {
    const int32_t number = w->number;
    bool finished = number != KFI_NONE;
    if (finished && w->in_loop) {
        virtual_loop *loop = &sim->loops[number];
        w->n_done++;
        const int32_t best = kfi_ready_peek(&sim->ready);
        if (loop->next_chunk < loop->n_chunks && (best == KFI_NONE || best > number)) {
            begin_chunk(sim, w, number);
            return;
        }
        loop->unfinished -= w->n_done;
        finished = loop->unfinished == 0;
    }
    if (!finished)
        go_on(sim, w, KFI_NONE);
    else if (!begin_stage(sim, w, number, w->stage + 1))
        go_on(sim, w, number);
}

/* ---- the whole ---- */

static virtual_worker *first_to_act(simulation *sim) {
    virtual_worker *first = NULL;
    for (int32_t i = 0; i < sim->n_workers; i++) {
        virtual_worker *w = &sim->workers[i];
        if (!w->idle && (!first || w->now < first->now)) first = w;
    }
    return first;
}

static void replay(simulation *sim) {
    for (int32_t i = 0; i < sim->n_workers; i++)
        sim->workers[i] = (virtual_worker){.idle = i > 0,
                                           .number = KFI_NONE,
                                           .last_piece = KFI_NONE,
                                           .cheap = KFI_NONE,
                                           .held = KFI_NONE};
    const int32_t n_tasks = sim->schedule->n_tasks;
    for (int32_t k = 0; k < n_tasks; k++) sim->waiting[k] = sim->schedule->nodes[k].n_predecessors;
    go_on(sim, &sim->workers[0], n_tasks);
    for (virtual_worker *w; sim->done.status == KF_OK && (w = first_to_act(sim));)
        end_piece(sim, w);
}

static void find_limits(const simulation *sim, double *limiting_ns) {
    for (int32_t t = 0; t < sim->schedule->n_tasks; t++) limiting_ns[t] = 0;
    const kfi_stretch *list = sim->done.list;
    for (int32_t i = kfi_stretches_last(&sim->done); i != KFI_NONE; i = list[i].cause)
        limiting_ns[sim->schedule->nodes[list[i].number].task] += list[i].end - list[i].start;
}

static bool allocate(simulation *sim) {
    const size_t n = (size_t)sim->schedule->n_tasks, words = (size_t)kfi_ready_words((int32_t)n);
    return (sim->workers = kfi_alloc((size_t)sim->n_workers, sizeof *sim->workers)) &&
           (sim->loops = kfi_alloc(n, sizeof *sim->loops)) &&
           (sim->waiting = kfi_alloc(n, sizeof *sim->waiting)) &&
           (sim->next = kfi_alloc(n, sizeof *sim->next)) &&
           (sim->cause = kfi_alloc(n, sizeof *sim->cause)) &&
           (sim->span_ns = kfi_alloc(n, sizeof *sim->span_ns)) &&
           (sim->ready_words = kfi_alloc(words, sizeof(uint64_t))) &&
           (sim->open_words = kfi_alloc(words, sizeof(uint64_t)));
}

static void release(simulation *sim) {
    kfi_free(sim->workers);
    kfi_free(sim->loops);
    kfi_free(sim->waiting);
    kfi_free(sim->next);
    kfi_free(sim->cause);
    kfi_free(sim->span_ns);
    kfi_free((void *)sim->ready_words);
    kfi_free((void *)sim->open_words);
    kfi_stretches_clear(&sim->done);
}

kf_status kfi_simulate(const kfi_schedule *schedule, const double (*stage_ns)[KFI_MAX_STAGES],
                       int32_t workers, kfi_simulated *result, double *limiting_ns) {
    *result = (kfi_simulated){0};
    if (workers < 1 || workers > MOST_WORKERS)
        return kfi_fail(KF_INVALID, "%d virtual workers; 1 to %d are possible", workers,
                        MOST_WORKERS);
    const int32_t taking_part = kfi_schedule_is_for_one(schedule) ? 1 : workers;
    simulation sim = {.schedule = schedule, .stage_ns = stage_ns, .n_workers = taking_part};
    if (!allocate(&sim)) {
        release(&sim);
        return KF_MEMORY;
    }
    kfi_ready_init(&sim.ready, sim.ready_words, schedule->n_tasks);
    kfi_ready_init(&sim.open, sim.open_words, schedule->n_tasks);
    replay(&sim);
    const int32_t last = kfi_stretches_last(&sim.done);
    *result = (kfi_simulated){.makespan_ns = kfi_stretches_end(&sim.done, last),
                              .work_ns = kfi_bounds_work(schedule, stage_ns),
                              .span_ns = kfi_bounds_span(schedule, stage_ns, sim.span_ns)};
    const kf_status status = sim.done.status;
    if (limiting_ns && status == KF_OK) find_limits(&sim, limiting_ns);
    release(&sim);
    return status;
}
