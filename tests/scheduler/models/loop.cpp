/* A loop, and the counters of predecessors: chunks of three stages, opened one after the other by
 * whoever brings the last chunk of the one before, while threads that are late by a stage or a run
 * still claim. Every chunk is run once, and sees all of the stage before. Two arrivals make a node
 * ready once a run, and it is armed again for the next. */
#include "model.hpp"

#include "scheduler/node.h"

#include "scheduler/loop.c"

namespace {

enum { N_CHUNKS = 2, N_STAGES = 2, N_RUNS = 2, N_LOOKS = 3 };

struct loop : rl::test_suite<loop, 3> {
    kfi_loop shared;
    kfi_node node;
    rl::var<int> opened;         /* as `stage` of the loop: written before the word opens */
    rl::var<int> done[N_CHUNKS]; /* which stage a chunk has finished last                 */
    rl::var<int> arrived[2];     /* what led to the node                                  */
    rl::atomic<int> n_ended;

    void before() {
        atomic_store(&shared.claims, KFI_CLAIMS_END);
        atomic_store(&shared.unfinished, 0);
        atomic_store(&node.waiting, 2);
        atomic_store(&n_ended, 0);
        node.n_predecessors = 2;
        for (auto &chunk : done) PLAIN(chunk) = -1;
    }

    void open(int stage) {
        PLAIN(opened) = stage;
        kfi_loop_open(&shared, stage, N_CHUNKS);
    }

    /* A stage is over: the next one, of the next run behind the last. */
    void go_on(int stage) {
        for (auto &chunk : done) RL_ASSERT(PLAIN(chunk) == stage);
        if (stage + 1 < N_STAGES * N_RUNS)
            open(stage + 1);
        else
            atomic_store(&n_ended, 1);
    }

    void work() {
        const int32_t chunk = kfi_loop_claim(&shared);
        if (chunk == KFI_NONE) return;
        const int stage = PLAIN(opened);
        RL_ASSERT(stage == shared.stage && chunk >= 0 && chunk < N_CHUNKS);
        RL_ASSERT(PLAIN(done[chunk]) == stage - 1);
        PLAIN(done[chunk]) = stage;
        if (kfi_loop_finish(&shared, 1)) go_on(stage);
    }

    /* Both threads do this; who comes second begins the next run. */
    void arrive(int who, int run) {
        PLAIN(arrived[who]) = run;
        if (!kfi_node_arrive(&node, false)) return;
        RL_ASSERT(PLAIN(arrived[0]) == run && PLAIN(arrived[1]) == run);
        if (run + 1 == N_RUNS) return;
        arrive(0, run + 1);
        arrive(1, run + 1);
    }

    void thread(unsigned index) {
        if (index == 0) open(0);
        if (index < 2) arrive((int)index, 0);
        for (int k = 0; k < N_LOOKS; k++) work();
    }

    void after() {
        while (!atomic_load_explicit(&n_ended, memory_order_relaxed)) work();
        RL_ASSERT(PLAIN(done[0]) == N_STAGES * N_RUNS - 1);
        RL_ASSERT(atomic_load_explicit(&node.waiting, memory_order_relaxed) == 2);
    }
};

} // namespace

int main(int argc, char **argv) { return explore<loop>(argc, argv); }
