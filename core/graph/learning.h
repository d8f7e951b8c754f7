/* What the steps of a plan cost is estimated when it is built and learnt from its first runs: they
 * are timed, and then the schedule is ranked anew, once. That changes the order of the steps and
 * how many tiles a worker takes at a time, never a result. A plan that turns out to be short is
 * then run some times by several workers and some times by one, and stays with what was faster.
 *
 * The first run is left out: it meets cold memory. Of the others the least time of a step counts,
 * not the mean: what others do on the machine only ever adds. */
#ifndef KFI_GRAPH_LEARNING_H
#define KFI_GRAPH_LEARNING_H

#include "scheduler/schedule.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    KFI_LEARNING_BEGIN = 1,
    KFI_LEARNING_END = 5,     /* runs from … to below */
    KFI_LEARNING_TRIALS = 64, /* together, and then as many alone */
    KFI_LEARNING_DONE = KFI_LEARNING_END + 2 * KFI_LEARNING_TRIALS
};

typedef struct kfi_learning {
    int32_t n_runs, n_steps;
    _Atomic(int64_t) *spent_ns; /* in this run, by whoever runs a tile; NULL when all is learnt */
    double *least_ns;           /* in a run so far                                              */
    int64_t began_ns;           /* of a trial                                                   */
    int64_t trial_ns[2][KFI_LEARNING_TRIALS]; /* together, and alone                            */
} kfi_learning;

kf_status kfi_learning_init(kfi_learning *learning, int32_t n_steps);
void kfi_learning_clear(kfi_learning *learning);

/* Before a run by so many workers: are its tiles to be timed? */
bool kfi_learning_begin_run(kfi_learning *learning, kfi_schedule *schedule, int32_t workers);

/* A tile of the step took so long. relaxed: read when the run is over. */
static inline void kfi_learning_add(kfi_learning *learning, int32_t step, int64_t ns) {
    atomic_fetch_add_explicit(&learning->spent_ns[step], ns, memory_order_relaxed);
}

/* After a run that did not fail; the last one that is timed gives the schedule its new costs. */
void kfi_learning_end_run(kfi_learning *learning, kfi_schedule *schedule, int32_t workers);

/* Whether runs have no more to teach. */
static inline bool kfi_learning_is_done(const kfi_learning *learning) {
    return learning->n_runs >= KFI_LEARNING_DONE;
}

#endif
