#include "scheduler/crew.h"

#include "core/base/clock.h"
#include "core/base/status.h"
#include "scheduler/ring.h"

#include <pthread.h>
#include <stdio.h>

/* Waking costs some 5 µs here and the woken one is late by 30 to 50. */
static const double WAKE_NS = 20e3;

static kfi_crew crews[KFI_CREWS];
static _Atomic uint64_t claimed_crews; /* by callers */
static _Atomic uint64_t open_crews;    /* by callers; pool threads look only at these */

kfi_park kfi_pool_park, kfi_caller_park;

/* ---- running tiles ---- */

static bool comes_first(const kfi_tile *tile, const kfi_failure *failure) {
    if (tile->task != failure->task) return tile->task < failure->task;
    if (tile->stage != failure->stage) return tile->stage < failure->stage;
    return tile->tile < failure->tile;
}

static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER; /* taken only by who fails */

void kfi_crew_fail(kfi_crew *crew, const kfi_tile *tile, kf_status status) {
    kfi_failure *failure = &crew->failure;
    pthread_mutex_lock(&failure_lock);
    const bool first = !atomic_load_explicit(&crew->failed, memory_order_relaxed);
    if (first || comes_first(tile, failure)) {
        failure->status = status;
        failure->task = tile->task;
        failure->stage = tile->stage;
        failure->tile = tile->tile;
        snprintf(failure->message, sizeof failure->message, "%s", kf_last_error());
    }
    atomic_store_explicit(&crew->failed, true, memory_order_relaxed);
    pthread_mutex_unlock(&failure_lock);
}

void kfi_crew_run_traced(kfi_crew *crew, kfi_hand *hand, const kfi_piece *piece) {
    kfi_trace *trace = crew->trace;
    const int64_t start = hand->clock ? hand->clock : kfi_trace_now(trace);
    kfi_crew_run_tiles(crew, hand, piece);
    hand->clock = kfi_trace_now(trace);
    kfi_trace_add(
        trace, &(kfi_trace_record){crew->schedule->nodes[piece->number].task, (int16_t)piece->stage,
                                   (int16_t)hand->worker, (int32_t)piece->first,
                                   (int32_t)(piece->end - piece->first), start, hand->clock});
}

/* ---- beginning and end ---- */

void kfi_crew_arm(kfi_crew *crew, int32_t workers, int32_t n_groups, const uint8_t *group) {
    kfi_schedule *schedule = crew->schedule;
    const int32_t n_words = kfi_ready_words(schedule->n_tasks);
    crew->is_open = false;
    atomic_store_explicit(&crew->crowded, false, memory_order_relaxed);
    atomic_store_explicit(&crew->workers, workers, memory_order_relaxed);
    atomic_store_explicit(&crew->n_groups, n_groups, memory_order_relaxed);
    atomic_store_explicit(&crew->unfinished, schedule->n_exits, memory_order_relaxed);
    for (int32_t w = 0; w < workers; w++) crew->group[w] = group ? group[w] : 0;
    for (int32_t g = 0; g < n_groups; g++)
        kfi_ready_init(&crew->ready[g], schedule->ready_words + g * n_words, schedule->n_tasks);
    kfi_ready_init(&crew->open, schedule->open_words, schedule->n_tasks);
}

static void run_stages(kfi_crew *crew, kfi_hand *hand, int32_t number) {
    const kfi_loop *loop = &crew->schedule->loops[number];
    for (int32_t stage = 0; stage <= loop->last; stage++) {
        const kfi_piece piece = kfi_piece_of_stage(loop, number, stage);
        if (piece.end > piece.first) kfi_crew_run(crew, hand, &piece);
    }
}

KFI_HOT void kfi_crew_run_in_order(kfi_crew *crew) {
    const kfi_schedule *schedule = crew->schedule;
    kfi_hand hand = {0};
    for (int32_t number = 0; number < schedule->n_tasks; number++) {
        const int32_t one_piece = schedule->nodes[number].one_piece;
        if (one_piece == KFI_NONE)
            run_stages(crew, &hand, number);
        else if (one_piece)
            kfi_crew_run(crew, &hand, &(kfi_piece){number, 0, 0, one_piece});
    }
}

kf_status kfi_crew_report(const kfi_crew *crew) {
    return kfi_fail(crew->failure.status, "%s", crew->failure.message);
}

kfi_crew *kfi_crew_claim(void) {
    uint64_t claimed = atomic_load_explicit(&claimed_crews, memory_order_relaxed);
    for (;;) {
        const int32_t seat = claimed == UINT64_MAX ? KFI_CREWS : __builtin_ctzll(~claimed);
        if (seat >= KFI_CREWS) return NULL;
        if (atomic_compare_exchange_weak_explicit(&claimed_crews, &claimed,
                                                  claimed | UINT64_C(1) << seat,
                                                  memory_order_acquire, memory_order_relaxed))
            return &crews[seat];
    }
}

int32_t kfi_crew_seat(const kfi_crew *crew) { return (int32_t)(crew - crews); }

static uint64_t seat_bit(const kfi_crew *crew) { return UINT64_C(1) << kfi_crew_seat(crew); }

void kfi_crew_release(kfi_crew *crew) {
    atomic_fetch_and_explicit(&claimed_crews, ~seat_bit(crew), memory_order_release);
}

void kfi_crews_forget(void) {
    failure_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    atomic_store(&claimed_crews, 0);
    atomic_store(&open_crews, 0);
    for (int32_t k = 0; k < KFI_CREWS; k++) atomic_store(&crews[k].gate.word, 0);
    kfi_park_clear(&kfi_pool_park);
    kfi_park_clear(&kfi_caller_park);
}

/* ---- the gate ---- */

void kfi_crew_open(kfi_crew *crew) {
    crew->is_open = true;
    kfi_gate_open(&crew->gate);
    atomic_fetch_or_explicit(&open_crews, seat_bit(crew), memory_order_seq_cst);
}

void kfi_crew_close(kfi_crew *crew) {
    if (!crew->is_open) return;
    atomic_fetch_and_explicit(&open_crews, ~seat_bit(crew), memory_order_relaxed);
    kfi_gate_shut(&crew->gate);
}

void kfi_crew_leave(kfi_crew *crew) { kfi_gate_leave(&crew->gate); }

static bool has_work_for(kfi_crew *crew, int32_t worker) {
    return atomic_load_explicit(&crew->workers, memory_order_relaxed) > worker &&
           kfi_crew_has_work(crew);
}

kfi_crew *kfi_crew_enter(int32_t worker) {
    uint64_t seats = atomic_load_explicit(&open_crews, memory_order_relaxed);
    for (; seats; seats &= seats - 1) {
        kfi_crew *crew = &crews[__builtin_ctzll(seats)];
        if (!has_work_for(crew, worker) || !kfi_gate_enter(&crew->gate)) continue;
        /* asked again: it may be the next caller's crew by now */
        if (atomic_load_explicit(&crew->workers, memory_order_relaxed) > worker) return crew;
        kfi_crew_leave(crew);
    }
    return NULL;
}

bool kfi_crews_have_work(int32_t worker) {
    uint64_t seats = atomic_load_explicit(&open_crews, memory_order_seq_cst);
    for (; seats; seats &= seats - 1)
        if (has_work_for(&crews[__builtin_ctzll(seats)], worker)) return true;
    return false;
}

/* ---- waking ---- */

/* The pool threads that may join: 1 … workers - 1. */
static uint64_t eligible(const kfi_crew *crew) {
    const int32_t workers = atomic_load_explicit(&crew->workers, memory_order_relaxed);
    return (workers < 64 ? (UINT64_C(1) << workers) - 1 : UINT64_MAX) & ~UINT64_C(1);
}

static bool has_searcher(const kfi_crew *crew) {
    /* one who searches without having a CPU helps nobody */
    if (atomic_load_explicit(&crew->crowded, memory_order_relaxed)) return false;
    return kfi_park_searching(&kfi_pool_park, eligible(crew)) ||
           kfi_park_searching(&kfi_caller_park, seat_bit(crew));
}

/* Also for crews that this thread is not in. */
static void wake_any(kfi_crew *crew) {
    if (!has_searcher(crew) && !kfi_park_wake(&kfi_caller_park, seat_bit(crew)))
        kfi_park_wake(&kfi_pool_park, eligible(crew));
}

static uint64_t seats_of_group(const kfi_crew *crew, int32_t group) {
    const int32_t workers = atomic_load_explicit(&crew->workers, memory_order_relaxed);
    uint64_t seats = 0;
    for (int32_t w = 1; w < workers; w++) seats |= (uint64_t)(crew->group[w] == group) << w;
    return seats;
}

void kfi_crew_wake(kfi_crew *crew, int32_t group) {
    const bool several = atomic_load_explicit(&crew->n_groups, memory_order_relaxed) > 1;
    if (several && !has_searcher(crew) &&
        kfi_park_wake(&kfi_pool_park, seats_of_group(crew, group)))
        return;
    wake_any(crew);
}

/* Tasks in one word have similar ranks, so one stands for the others. */
static bool is_worth_waking(const kfi_crew *crew, const kfi_ready_set *ready) {
    const int32_t best = kfi_ready_some(ready) ? kfi_ready_peek(ready) : KFI_NONE;
    return best >= 0 &&
           crew->schedule->nodes[best].cost_ns * kfi_ready_near(ready, best) >= WAKE_NS;
}

static void pass_on_inside(kfi_crew *crew) {
    if (kfi_ready_some(&crew->open)) wake_any(crew);
    const int32_t n_groups = atomic_load_explicit(&crew->n_groups, memory_order_relaxed);
    for (int32_t g = 0; g < n_groups; g++)
        if (is_worth_waking(crew, &crew->ready[g])) kfi_crew_wake(crew, g);
}

void kfi_crews_pass_on(kfi_crew *own) {
    uint64_t seats = atomic_load_explicit(&open_crews, memory_order_seq_cst);
    for (; seats; seats &= seats - 1) {
        kfi_crew *crew = &crews[__builtin_ctzll(seats)];
        if (crew == own)
            pass_on_inside(own);
        else if (kfi_crew_has_work(crew))
            wake_any(crew);
    }
}

/* ---- what is foretold ---- */

/* One thread is up in time for what is foretold, and wakes others if there is more. */
enum { PUNCTUAL_WORKER = 1 };

void kfi_crew_foretell(kfi_crew *crew, int32_t worker, int64_t ns, bool is_exit) {
    _Atomic int64_t *at = is_exit ? crew->exit_at : crew->work_at;
    /* relaxed: whoever does not see it is woken as if it had not been foretold */
    atomic_store_explicit(&at[worker], kfi_now_ns() + ns, memory_order_relaxed);
    const uint64_t punctual = UINT64_C(1) << PUNCTUAL_WORKER;
    if (!is_exit && worker != PUNCTUAL_WORKER && kfi_park_sleeps(&kfi_pool_park, punctual))
        kfi_park_wake(&kfi_pool_park, punctual);
}

void kfi_crew_recall(kfi_crew *crew, int32_t worker) {
    atomic_store_explicit(&crew->work_at[worker], 0, memory_order_relaxed);
    atomic_store_explicit(&crew->exit_at[worker], 0, memory_order_relaxed);
}

/* The earliest time of the workers of the crew that is still to come. */
static int64_t earliest(const kfi_crew *crew, const _Atomic int64_t *at, int64_t now) {
    const int32_t workers = atomic_load_explicit(&crew->workers, memory_order_relaxed);
    int64_t first = KFI_PARK_NEVER;
    for (int32_t w = 0; w < workers; w++) {
        const int64_t when = atomic_load_explicit(&at[w], memory_order_relaxed);
        if (when > now && when < first) first = when;
    }
    return first;
}

int64_t kfi_crews_expected(int32_t worker) {
    int64_t first = KFI_PARK_NEVER;
    if (worker != PUNCTUAL_WORKER) return first;
    const int64_t now = kfi_now_ns();
    uint64_t seats = atomic_load_explicit(&open_crews, memory_order_relaxed);
    for (; seats; seats &= seats - 1) {
        const kfi_crew *crew = &crews[__builtin_ctzll(seats)];
        const int64_t when = earliest(crew, crew->work_at, now);
        if (when < first) first = when;
    }
    return first;
}

int64_t kfi_crew_expected(const kfi_crew *crew) {
    const int64_t now = kfi_now_ns();
    const int64_t work = earliest(crew, crew->work_at, now);
    const int64_t end = earliest(crew, crew->exit_at, now);
    return work < end ? work : end;
}

/* ---- the end ---- */

void kfi_crew_exit(kfi_crew *crew, int32_t worker) {
    /* acquire and release: all tiles happen before the end; seq_cst: the caller may be parking */
    if (atomic_fetch_sub_explicit(&crew->unfinished, 1, memory_order_seq_cst) == 1 && worker != 0)
        kfi_park_wake(&kfi_caller_park, seat_bit(crew));
}
