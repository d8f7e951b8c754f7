/* Runs, one after the other, by a caller and two pool threads: publishing, the gate, searching,
 * parking, waking and the caller's wait for the end. Nobody may be left asleep beside work or
 * beside the end, and what belongs to a run is touched by nobody outside of it.
 *
 * ready_set, park and gate are the sources themselves. What crew.c, worker.c and pool.c do with
 * them is written down here once more, for one crew, tasks that follow nothing, two groups, and one
 * look where they would spin; every wake is worth its while. In the second run the caller leaves
 * all work to the others, as if it had a long task of its own in hand: then a wake-up lost is time
 * lost. Each thread sleeps once with an alarm set, which goes off whenever relacy likes; later ones
 * would hide a wake-up that was lost. */
#include "model.hpp"

#include <sys/syscall.h>
#include <unistd.h>

/* Instead of linux/futex.h: relacy has futexes. */
#define _LINUX_FUTEX_H
#define FUTEX_WAIT_PRIVATE rl::RL_FUTEX_WAIT
#define FUTEX_WAKE_PRIVATE rl::RL_FUTEX_WAKE
#define syscall(number, word, operation, value, alarm, ...)                                        \
    rl::rl_futex(word, operation, value, alarm, NULL, 0, RL_INFO)

#include "scheduler/gate.h"
#include "scheduler/park.c"
#include "scheduler/ready_set.c"

namespace {

enum { N_TASKS = 3, N_RUNS = 2, N_HELPERS = 2, N_WORDS = 1, N_GROUPS = 2 };
const uint64_t helpers = 6, caller = 1; /* seats: 1 and 2 of the pool's park, 0 of the caller's */
const uint64_t of_group[N_GROUPS] = {2, 4}; /* the caller is in group 0 */

bool has_more_for_caller(const void *subject);
bool is_over_for_caller(const void *subject);
bool has_more_for_helper(const void *subject);
int64_t much_later(const void *subject);

struct run : rl::test_suite<run, 1 + N_HELPERS> {
    kfi_gate gate;
    kfi_ready_set ready[N_GROUPS];
    rl::atomic<uint64_t> words[N_GROUPS][N_WORDS];
    rl::atomic<int32_t> unfinished;
    rl::atomic<uint64_t> open_crews;
    rl::atomic<int> stopping;
    kfi_park pool_park, caller_park;
    bool caller_works;   /* in this run */
    rl::var<int> of_run; /* what the caller sets up before the gate opens */
    rl::var<int> payload[N_TASKS];

    void before() {
        atomic_store(&gate.word, 0);
        atomic_store(&open_crews, 0);
        atomic_store(&stopping, 0);
        for (auto &set : ready) atomic_store(&set.top, 0);
        for (auto &set : words)
            for (auto &word : set) atomic_store(&word, 0);
        kfi_park_clear(&pool_park);
        kfi_park_clear(&caller_park);
    }

    /* ---- crew.c ---- */

    bool has_searcher() {
        return kfi_park_searching(&pool_park, helpers) ||
               kfi_park_searching(&caller_park, caller_works ? caller : 0);
    }

    void wake(int group) {
        if (has_searcher() || kfi_park_wake(&pool_park, of_group[group])) return;
        if (!kfi_park_wake(&caller_park, caller_works ? caller : 0))
            kfi_park_wake(&pool_park, helpers);
    }

    /* The first helper is to be up by the time that there is work. */
    void foretell() {
        if (kfi_park_sleeps(&pool_park, of_group[0])) kfi_park_wake(&pool_park, of_group[0]);
    }

    bool has_ready() { return kfi_ready_some(&ready[0]) || kfi_ready_some(&ready[1]); }

    bool has_work() {
        return atomic_load_explicit(&open_crews, memory_order_seq_cst) && has_ready();
    }

    void pass_on() {
        if (!atomic_load_explicit(&open_crews, memory_order_seq_cst)) return;
        for (int group = 0; group < N_GROUPS; group++)
            if (kfi_ready_some(&ready[group])) wake(group);
    }

    bool is_done() { return atomic_load_explicit(&unfinished, memory_order_seq_cst) == 0; }

    void exit_task(bool is_helper) {
        if (atomic_fetch_sub_explicit(&unfinished, 1, memory_order_seq_cst) == 1 && is_helper)
            kfi_park_wake(&caller_park, caller);
    }

    /* ---- worker.c ---- */

    /* The first helper is of the caller's group, the second one is not. */
    bool work(bool *fresh, int number_of_run, int seat) {
        const bool is_helper = seat != 0;
        const int own = seat == 2 ? 1 : 0;
        int32_t task = kfi_ready_take(&ready[own], fresh);
        if (task == KFI_NONE) task = kfi_ready_take(&ready[1 - own], fresh);
        if (task == KFI_NONE) return false;
        if (*fresh) pass_on();
        *fresh = false;
        RL_ASSERT(PLAIN(payload[task]) == 10 * number_of_run + task);
        PLAIN(payload[task]) = -1;
        exit_task(is_helper);
        return true;
    }

    /* ---- executor_steal.c ---- */

    void call(int number_of_run) {
        PLAIN(of_run) = number_of_run;
        caller_works = number_of_run == 1;
        atomic_store_explicit(&unfinished, N_TASKS, memory_order_relaxed);
        for (int group = 0; group < N_GROUPS; group++)
            kfi_ready_init(&ready[group], words[group], 64 * N_WORDS);
        kfi_gate_open(&gate);
        atomic_fetch_or_explicit(&open_crews, 1, memory_order_seq_cst);
        if (caller_works) foretell();
        for (int task = 0; task < N_TASKS; task++) {
            PLAIN(payload[task]) = 10 * number_of_run + task;
            kfi_ready_add(&ready[0], 0, UINT64_C(1) << task);
            wake(0);
        }
        bool fresh = false;
        kfi_rest rest = {-1, false, caller_works ? has_more_for_caller : is_over_for_caller,
                         much_later, this};
        while (!is_done()) {
            if (caller_works && work(&fresh, number_of_run, 0)) continue;
            if (is_done()) continue;
            kfi_park_rest(&caller_park, 0, &rest);
            rest.expected = NULL;
            fresh = true;
        }
        atomic_fetch_and_explicit(&open_crews, 0, memory_order_relaxed);
        kfi_gate_shut(&gate);
        for (auto &data : payload) RL_ASSERT(PLAIN(data) == -1);
    }

    /* ---- pool.c ---- */

    void stop() {
        atomic_store(&stopping, 1);
        while (kfi_park_wake(&pool_park, helpers)) continue;
    }

    void help(int seat) {
        bool fresh = false;
        kfi_rest rest = {-1, false, has_more_for_helper, seat == 1 ? much_later : NULL, this};
        while (!atomic_load_explicit(&stopping, memory_order_seq_cst)) {
            if (has_work() && kfi_gate_enter(&gate)) {
                const int number_of_run = PLAIN(of_run);
                bool has_worked = false;
                while (work(&fresh, number_of_run, seat)) has_worked = true;
                kfi_gate_leave(&gate);
                if (has_worked) continue;
            }
            kfi_park_rest(&pool_park, seat, &rest);
            rest.expected = NULL;
            fresh = true;
        }
    }

    void thread(unsigned index) {
        if (index) {
            help((int)index);
            return;
        }
        for (int k = 1; k <= N_RUNS; k++) call(k);
        stop();
    }
};

bool has_more_for_caller(const void *subject) {
    run *self = (run *)subject;
    return self->is_done() || self->has_ready();
}

bool is_over_for_caller(const void *subject) { return ((run *)subject)->is_done(); }

bool has_more_for_helper(const void *subject) {
    run *self = (run *)subject;
    return atomic_load_explicit(&self->stopping, memory_order_seq_cst) || self->has_work();
}

int64_t much_later(const void *) { return 1000000000; }

} // namespace

int main(int argc, char **argv) { return explore<run>(argc, argv); }
