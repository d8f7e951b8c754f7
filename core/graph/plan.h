/* A plan is the list of steps one batch goes through, with who waits for whom.
 * Built once per batch size and mode; the scheduler runs it, this file never starts a thread. */
#ifndef KFI_GRAPH_PLAN_H
#define KFI_GRAPH_PLAN_H

#include "core/graph/formula.h"
#include "scheduler/schedule.h"
#include "scheduler/simulate.h"
#include "scheduler/trace.h"

typedef struct kfi_plan kfi_plan;

/* The memory of a run's values. Plans that never run at the same time share one. */
typedef struct kfi_arena {
    void *buffer;
    size_t bytes;
} kfi_arena;
kf_status kfi_arena_reserve(kfi_arena *arena, size_t bytes); /* grows; contents are lost */
void kfi_arena_free(kfi_arena *arena);

/* Makes a plan for `results` (kept after a run) and all assignments of the formula, which it takes
 * over, also on failure. Steps that neither needs are dropped. */
kf_status kfi_plan_new(kfi_formula *formula, const kfi_value *results, int32_t n_results,
                       kfi_plan **plan);
void kfi_plan_free(kfi_plan *plan); /* accepts NULL */

/* Where a source's data is for the next run; stays the caller's, and in place until the run ends.
 */
void kfi_plan_feed(kfi_plan *plan, kfi_value source, const void *data);

/* Has the next runs write a result straight to `data`, of its size, instead of the arena; NULL: to
 * the arena again. False if it cannot be (the result is a weight, or fed, or sent elsewhere): then
 * it is where kfi_plan_result says. */
bool kfi_plan_send(kfi_plan *plan, int32_t result, void *data);

/* Looks for a fed index outside its range; returns whether there is one and which. */
typedef struct kfi_bad_index {
    const char *source; /* the source's name                */
    int64_t row;        /* along its first axis             */
    int64_t value, limit;
} kfi_bad_index;
bool kfi_plan_bad_index(const kfi_plan *plan, kfi_bad_index *bad);

/* One run: every step once. The trace's task numbers are step numbers. */
kf_status kfi_plan_run(kfi_plan *plan, kfi_arena *arena, const kfi_run_options *options);

/* The workers a run gets when `asked` are asked for (0: the default). */
int32_t kfi_plan_workers(int32_t asked);

/* A result of the last run, valid until the arena is used again. */
const kfi_array *kfi_plan_result(const kfi_plan *plan, int32_t index);

/* Sizes known before the first run. */
size_t kfi_plan_peak_bytes(const kfi_plan *plan);    /* the arena                          */
size_t kfi_plan_scratch_bytes(const kfi_plan *plan); /* per worker, apart from the arena   */

/* Steps, for profiles and dumps. */
typedef struct kfi_step_info {
    const char *op;
    kfi_scope scope;
    kfi_cost cost;
    double cost_ns; /* estimate */
    int64_t tiles;  /* of all stages */
    kf_shape shape; /* of the first output */
} kfi_step_info;
int32_t kfi_plan_steps(const kfi_plan *plan);
kfi_step_info kfi_plan_step(const kfi_plan *plan, int32_t step);
/* The steps a step waits for. */
int32_t kfi_plan_waits_for(const kfi_plan *plan, int32_t step, const int32_t **steps);

/* What the values of a run take, stretch by stretch of the arena: an op's output, with what is
 * written over it, or what an op needs besides. */
typedef struct kfi_stretch {
    const char *op; /* whose output or scratch it is first */
    kfi_scope scope;
    kf_shape shape;           /* of that output */
    bool is_scratch, is_kept; /* kept: a result */
    bool at_peak;             /* in the pile that makes the arena as large as it is: these lie one
                               * upon the other, and add up to it */
    size_t bytes, offset;     /* as placed: rounded up */
    int32_t first, last;      /* steps that use it, the end of the run where it is kept */
} kfi_stretch;
/* Freed with kfi_free. */
kf_status kfi_plan_stretches(const kfi_plan *plan, kfi_stretch **stretches, int64_t *n);

/* Are its costs measured ones by now (learning.h), so that its schedule stays as it is? */
bool kfi_plan_has_learnt(const kfi_plan *plan);

/* Replays the plan on virtual workers (scheduler/simulate.h); times are by step. */
kf_status kfi_plan_simulate(const kfi_plan *plan, const double (*stage_ns)[KFI_MAX_STAGES],
                            int32_t workers, kfi_simulated *result, double *limiting_ns);

/* Graphviz text of the plan; freed with kfi_free. KF_DUMP_PLAN=dot makes each plan write its own
 * into KF_DUMP_DIR (default: the working directory). */
kf_status kfi_plan_dump(const kfi_plan *plan, char **text);

#endif
