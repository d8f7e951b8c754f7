/* What the models share. A model is a few threads that use the scheduler's own sources; relacy runs
 * it over and over, each time in another interleaving and with other stale values among those that
 * the memory orders allow, and looks for data races, failed assertions, and threads that wait for
 * ever. A VAR is plain memory: reading what another thread wrote without a happens-before is a
 * race. */
#ifndef KFI_TESTS_MODELS_MODEL_HPP
#define KFI_TESTS_MODELS_MODEL_HPP

#include "stdatomic.h"

#include <cstdio>
#include <cstdlib>
#include <stdint.h>

/* Instead of spin.h and clock.h: a look lets the others go on, and time stands still. */
#define KFI_SCHEDULER_SPIN_H
#define KFI_BASE_CLOCK_H

static inline void kfi_spin_step(int32_t, int32_t) { rl::yield(1, RL_INFO); }
static inline int64_t kfi_now_ns() { return 0; }

#define PLAIN(variable) ((variable)(RL_INFO))

/* argv: how many interleavings. 0 if none of them went wrong. */
template <typename model> int explore(int argc, char **argv) {
    rl::test_params parameters;
    parameters.iteration_count = argc > 1 ? strtoull(argv[1], nullptr, 10) : 20000;
    parameters.execution_depth_limit = 5000;
    parameters.search_type = rl::random_scheduler_type;
    return rl::simulate<model>(parameters) ? 0 : 1;
}

#endif
