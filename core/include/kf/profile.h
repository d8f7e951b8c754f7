/* Where does the time of a step go: by step, by call of a layer, by worker. */
#ifndef KF_PROFILE_H
#define KF_PROFILE_H

#include "kf/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kf_profile kf_profile;

enum { KF_PROFILE_SIMULATIONS = 16 };

typedef struct kf_profile_options {
    size_t size;
    int64_t batch_size; /* 32 */
    int32_t steps;      /* 10, after as many to warm up, 5 at most */
    int32_t threads;    /* 0: all CPUs */
    bool inference;     /* profile predict instead of a training step */
    kf_dataset *data;   /* NULL: random numbers and labels */
    /* numbers of workers to replay a mean step for on virtual workers, 1 … 4096 each; ends at 0 */
    int32_t simulate[KF_PROFILE_SIMULATIONS];
} kf_profile_options;
/* Runs the steps (training changes the weights) and measures. NULL on failure (kf_last_error). */
KF_API kf_profile *kf_profile_run_with(kf_model *model, const kf_profile_options *options);
#define kf_profile_run(...) KF_PROFILE_RUN_CALL(__VA_ARGS__, .size = sizeof(kf_profile_options))
#define KF_PROFILE_RUN_CALL(model, ...)                                                            \
    kf_profile_run_with((model), &(kf_profile_options){__VA_ARGS__})
KF_API void kf_profile_free(kf_profile *profile); /* accepts NULL */

/* The whole. Times are per step, in nanoseconds, the mean over the steps. */
typedef struct kf_profile_totals {
    int32_t steps, workers;
    double wall_ns;       /* of a step                                              */
    double work_ns;       /* sum over all tiles                                     */
    double span_ns;       /* longest chain of measured steps                        */
    double parallelism;   /* work / wall: workers kept busy                         */
    double flops;         /* of a step, by the ops' own count                       */
    size_t planned_bytes; /* the arena                                              */
} kf_profile_totals;
KF_API kf_profile_totals kf_profile_total(const kf_profile *profile);

/* One node: a call of a layer in one direction. */
typedef struct kf_profile_node {
    const char *name;         /* layer */
    int32_t call;             /* which call of it */
    const char *direction;    /* "forward", "backward", "update" */
    int64_t calls;            /* op tasks run, over all steps */
    double total_ns, mean_ns; /* over all steps; per step */
    double share;             /* of the work */
    double flops;             /* per step */
    double worker_share[64];  /* of this node's time, by worker */
    int32_t worker;           /* the one that did most of it */
} kf_profile_node;
KF_API int32_t kf_profile_nodes(const kf_profile *profile); /* by total time, largest first */
KF_API const kf_profile_node *kf_profile_node_at(const kf_profile *profile, int32_t index);

/* One record of the trace: what a worker did from when to when, since the first step's start. */
typedef struct kf_profile_event {
    const char *name, *op, *direction;
    int32_t call, worker, step; /* step: which of the measured steps */
    int64_t start_ns, end_ns;
    int32_t tiles;
} kf_profile_event;
KF_API int64_t kf_profile_events(const kf_profile *profile);
KF_API kf_profile_event kf_profile_event_at(const kf_profile *profile, int64_t index);

/* What so many workers would make of the step: the measured times of its tiles, replayed by the
 * rules of the scheduler. What sharing caches and memory costs is in them as far as the workers
 * that were measured share it. */
typedef struct kf_profile_simulation {
    int32_t workers;
    double step_ns;    /* from start to end                                                 */
    double bound_ns;   /* no schedule is faster: max(work / workers, span), a span in which
                        * every tile of an op has a worker of its own                       */
    double efficiency; /* work / (workers * step_ns)                                        */
} kf_profile_simulation;
KF_API int32_t kf_profile_simulations(const kf_profile *profile);
KF_API const kf_profile_simulation *kf_profile_simulation_at(const kf_profile *profile,
                                                             int32_t index);
/* How long the step of simulation `index` had to wait for the node of kf_profile_node_at(node),
 * going back from its end: nodes with much of it are what limits the step. */
KF_API double kf_profile_limiting_ns(const kf_profile *profile, int32_t index, int32_t node);

/* What the step takes, in bytes. All but the weights and what the optimizer keeps is there only
 * while a step runs. */
typedef struct kf_profile_memory {
    size_t arena;   /* of values: totals.planned_bytes                                      */
    size_t serial;  /* what of it would be in use at once if steps ran one after the other  */
    size_t scratch; /* of all workers                                                       */
    size_t weights, optimizer, batch;
} kf_profile_memory;
KF_API kf_profile_memory kf_profile_memory_total(const kf_profile *profile);

/* A stretch of the arena: an output of an op with what is written over it, or what an op needs
 * besides. The plan knows of each when the steps begin and end that use it. */
typedef struct kf_profile_stretch {
    const char *name, *op, *direction; /* whose it is: the layer, the first op */
    int32_t call;
    const char *kind; /* "value"; "result", which is kept; "scratch" */
    kf_shape shape;   /* of the output; of rank 0 for scratch        */
    size_t bytes, offset;
    int32_t first_step, last_step;   /* of the plan, in the order of the formula */
    const char *last_name, *last_op; /* who uses it last in that order           */
    bool at_peak; /* one of the pile that makes the arena so large: they add up to it */
} kf_profile_stretch;
/* First the pile from the top of the arena to its bottom, then the others, largest first. */
KF_API int32_t kf_profile_stretches(const kf_profile *profile);
KF_API const kf_profile_stretch *kf_profile_stretch_at(const kf_profile *profile, int32_t index);

#ifdef __cplusplus
}
#endif
#endif
