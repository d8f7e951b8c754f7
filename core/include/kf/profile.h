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

#ifdef __cplusplus
}
#endif
#endif
