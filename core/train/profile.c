/* Profiles: runs a pass with a trace and adds its records up, by node of the model. */
#include "kf/profile.h"

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/train/profile_memory.h"
#include "core/train/sample_batch.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WORKERS = 64 };

/* A record of the trace, with the node instead of the plan's step. */
typedef struct traced {
    int32_t node;
    const char *op;
    int32_t worker, step, tiles;
    int64_t start_ns, end_ns;
} traced;

struct kf_profile {
    kf_profile_totals totals;
    kf_profile_node *nodes; /* names are their own copies */
    int64_t n_nodes, nodes_capacity;
    traced *events;
    int64_t n_events, events_capacity;
    int32_t *by_time; /* nodes in the order they are shown */
    kf_profile_simulation simulations[KF_PROFILE_SIMULATIONS];
    int32_t n_simulations;
    double *limiting_ns; /* [simulation][node] */
    kfi_profile_memory memory;
};

/* While it is measured. */
typedef struct measuring {
    kf_profile *profile;
    const kfi_pass *pass;
    kfi_trace *trace;
    int32_t *node_of_step;       /* of the plan */
    double *elapsed_ns;          /* of the plan's steps, first start to last end, over all runs */
    int64_t *first_ns, *last_ns; /* of the plan's steps in this run */
    double (*stage_ns)[KFI_MAX_STAGES]; /* of the plan's steps, over all runs */
    int64_t origin_ns;
} measuring;

/* --- nodes ------------------------------------------------------------------------------------ */

static int32_t find_node(const kf_profile *profile, const char *name, int32_t call,
                         const char *direction) {
    for (int64_t i = 0; i < profile->n_nodes; i++) {
        const kf_profile_node *node = &profile->nodes[i];
        if (node->call == call && node->direction == direction && strcmp(node->name, name) == 0)
            return (int32_t)i;
    }
    return -1;
}

static kf_status add_node(kf_profile *profile, const char *name, int32_t call,
                          const char *direction) {
    const kf_status status = kfi_reserve((void **)&profile->nodes, &profile->nodes_capacity,
                                         profile->n_nodes, sizeof *profile->nodes);
    if (status != KF_OK) return status;
    char *copy = kfi_strdup(name);
    if (!copy) return KF_MEMORY;
    profile->nodes[profile->n_nodes++] =
        (kf_profile_node){.name = copy, .call = call, .direction = direction};
    return KF_OK;
}

/* Every step of the plan belongs to a node: the scope it was written in. */
static kf_status find_nodes(measuring *measure, int32_t runs) {
    const kfi_plan *plan = measure->pass->plan;
    for (int32_t s = 0; s < kfi_plan_steps(plan); s++) {
        const kfi_step_info info = kfi_plan_step(plan, s);
        const char *name = info.scope.name ? info.scope.name : info.op;
        const char *direction = kfi_direction_names[info.scope.direction];
        int32_t node = find_node(measure->profile, name, info.scope.call, direction);
        if (node < 0) {
            const kf_status status = add_node(measure->profile, name, info.scope.call, direction);
            if (status != KF_OK) return status;
            node = (int32_t)measure->profile->n_nodes - 1;
        }
        measure->node_of_step[s] = node;
        measure->profile->nodes[node].calls += runs;
        measure->profile->nodes[node].flops += info.cost.flops;
        measure->profile->totals.flops += info.cost.flops;
    }
    return KF_OK;
}

/* --- records ---------------------------------------------------------------------------------- */

static kf_status add_record(measuring *measure, const kfi_trace_record *record, int32_t run) {
    kf_profile *profile = measure->profile;
    const kf_status status = kfi_reserve((void **)&profile->events, &profile->events_capacity,
                                         profile->n_events, sizeof *profile->events);
    if (status != KF_OK) return status;
    const int32_t node = measure->node_of_step[record->task];
    profile->events[profile->n_events++] =
        (traced){.node = node,
                 .op = kfi_plan_step(measure->pass->plan, record->task).op,
                 .worker = record->worker,
                 .step = run,
                 .tiles = record->n_tiles,
                 .start_ns = record->start_ns - measure->origin_ns,
                 .end_ns = record->end_ns - measure->origin_ns};
    const double spent = (double)(record->end_ns - record->start_ns);
    profile->nodes[node].total_ns += spent;
    profile->nodes[node].worker_share[record->worker % MOST_WORKERS] += spent;
    profile->totals.work_ns += spent;
    measure->stage_ns[record->task][record->stage] += spent;
    int64_t *first = &measure->first_ns[record->task], *last = &measure->last_ns[record->task];
    if (*first == 0 || record->start_ns < *first) *first = record->start_ns;
    if (record->end_ns > *last) *last = record->end_ns;
    return KF_OK;
}

static kf_status add_run(measuring *measure, int32_t run) {
    const int32_t n_steps = kfi_plan_steps(measure->pass->plan);
    memset(measure->first_ns, 0, (size_t)n_steps * sizeof *measure->first_ns);
    memset(measure->last_ns, 0, (size_t)n_steps * sizeof *measure->last_ns);
    kf_status status = KF_OK;
    for (int32_t w = 0; w < kfi_trace_workers(measure->trace); w++)
        for (int64_t i = 0; i < kfi_trace_count(measure->trace, w) && status == KF_OK; i++) {
            const kfi_trace_record record = kfi_trace_at(measure->trace, w, i);
            status = add_record(measure, &record, run);
        }
    for (int32_t s = 0; s < n_steps; s++)
        measure->elapsed_ns[s] += (double)(measure->last_ns[s] - measure->first_ns[s]);
    return status;
}

/* --- sums ------------------------------------------------------------------------------------- */

/* The longest chain of steps that wait for each other, each as long as it took from its first
 * tile's start to its last one's end; in place over elapsed_ns. Steps come after those they wait
 * for. */
static double longest_chain(const kfi_plan *plan, double *elapsed_ns) {
    double longest = 0;
    for (int32_t s = 0; s < kfi_plan_steps(plan); s++) {
        const int32_t *before;
        const int32_t n = kfi_plan_waits_for(plan, s, &before);
        double latest = 0;
        for (int32_t i = 0; i < n; i++)
            if (elapsed_ns[before[i]] > latest) latest = elapsed_ns[before[i]];
        elapsed_ns[s] += latest;
        if (elapsed_ns[s] > longest) longest = elapsed_ns[s];
    }
    return longest;
}

static void finish_node(kf_profile_node *node, double work_ns, int32_t runs) {
    node->mean_ns = node->total_ns / runs;
    node->share = work_ns > 0 ? node->total_ns / work_ns : 0;
    for (int32_t w = 0; w < MOST_WORKERS; w++)
        if (node->worker_share[w] > node->worker_share[node->worker]) node->worker = w;
    for (int32_t w = 0; w < MOST_WORKERS && node->total_ns > 0; w++)
        node->worker_share[w] /= node->total_ns;
}

static kf_status sort_nodes(kf_profile *profile) {
    profile->by_time = kfi_alloc((size_t)profile->n_nodes, sizeof *profile->by_time);
    if (!profile->by_time) return KF_MEMORY;
    for (int32_t i = 0; i < profile->n_nodes; i++) {
        int32_t at = i;
        for (; at > 0 &&
               profile->nodes[profile->by_time[at - 1]].total_ns < profile->nodes[i].total_ns;
             at--)
            profile->by_time[at] = profile->by_time[at - 1];
        profile->by_time[at] = i;
    }
    return KF_OK;
}

static kf_status finish(measuring *measure, int32_t runs, double wall_ns) {
    kf_profile_totals *totals = &measure->profile->totals;
    for (int64_t i = 0; i < measure->profile->n_nodes; i++)
        finish_node(&measure->profile->nodes[i], totals->work_ns, runs);
    totals->steps = runs;
    totals->work_ns /= runs;
    totals->wall_ns = wall_ns / runs;
    totals->span_ns = longest_chain(measure->pass->plan, measure->elapsed_ns) / runs;
    totals->parallelism = totals->wall_ns > 0 ? totals->work_ns / totals->wall_ns : 0;
    totals->planned_bytes = kfi_plan_peak_bytes(measure->pass->plan);
    return sort_nodes(measure->profile);
}

/* --- running ---------------------------------------------------------------------------------- */

static kf_status prepare(measuring *measure, int32_t runs, int32_t workers) {
    const kfi_plan *plan = measure->pass->plan;
    const size_t n_steps = (size_t)kfi_plan_steps(plan);
    int64_t records = 1 + (int64_t)n_steps; /* a model may hand its input on, in no step */
    for (int32_t s = 0; s < kfi_plan_steps(plan); s++) records += kfi_plan_step(plan, s).tiles;
    measure->node_of_step = kfi_alloc(n_steps, sizeof *measure->node_of_step);
    measure->elapsed_ns = kfi_alloc(n_steps, sizeof *measure->elapsed_ns);
    measure->first_ns = kfi_alloc(n_steps, sizeof *measure->first_ns);
    measure->last_ns = kfi_alloc(n_steps, sizeof *measure->last_ns);
    measure->stage_ns = kfi_alloc(n_steps, sizeof *measure->stage_ns);
    if (!measure->node_of_step || !measure->elapsed_ns || !measure->first_ns || !measure->last_ns ||
        !measure->stage_ns)
        return KF_MEMORY;
    const kf_status status = kfi_trace_new(workers, records, &measure->trace);
    return status == KF_OK ? find_nodes(measure, runs) : status;
}

static kf_status measure_runs(measuring *measure, kfi_training *training, kfi_pass *pass,
                              const kfi_sample_batch *batch, int32_t runs, int32_t workers) {
    const kfi_rows rows = {0};
    kfi_run_options options = {.workers = workers};
    double wall_ns = 0;
    for (int32_t run = 0; run == 0 || (run < runs && !kfi_plan_has_learnt(pass->plan)); run++) {
        const kf_status status = kfi_pass_run(training, pass, batch->data, &rows, &options);
        if (status != KF_OK) return status;
    }
    kf_status status = prepare(measure, runs, workers);
    options.trace = measure->trace;
    for (int32_t run = 0; run < runs && status == KF_OK; run++) {
        kfi_trace_clear(measure->trace);
        const int64_t start = kfi_now_ns();
        if (run == 0) measure->origin_ns = start;
        status = kfi_pass_run(training, pass, batch->data, &rows, &options);
        wall_ns += (double)(kfi_now_ns() - start);
        if (status == KF_OK) status = add_run(measure, run);
    }
    return status == KF_OK ? finish(measure, runs, wall_ns) : status;
}

/* --- virtual workers -------------------------------------------------------------------------- */

static kf_status simulate_one(const measuring *measure, int32_t workers, double *limiting_of_step) {
    kf_profile *profile = measure->profile;
    const kfi_plan *plan = measure->pass->plan;
    const int32_t index = profile->n_simulations;
    kfi_simulated result;
    const kf_status status =
        kfi_plan_simulate(plan, (const double(*)[KFI_MAX_STAGES])measure->stage_ns, workers,
                          &result, limiting_of_step);
    if (status != KF_OK) return status;
    const double share = result.work_ns / workers;
    profile->simulations[profile->n_simulations++] = (kf_profile_simulation){
        .workers = workers,
        .step_ns = result.makespan_ns,
        .bound_ns = share > result.span_ns ? share : result.span_ns,
        .efficiency = result.makespan_ns > 0 ? share / result.makespan_ns : 1};
    for (int32_t s = 0; s < kfi_plan_steps(plan); s++)
        profile->limiting_ns[index * profile->n_nodes + measure->node_of_step[s]] +=
            limiting_of_step[s];
    return KF_OK;
}

/* With the mean times of the runs. */
static kf_status simulate(measuring *measure, const int32_t *workers, int32_t runs) {
    const int32_t n_steps = kfi_plan_steps(measure->pass->plan);
    for (int32_t s = 0; s < n_steps; s++)
        for (int stage = 0; stage < KFI_MAX_STAGES; stage++) measure->stage_ns[s][stage] /= runs;
    double *limiting = kfi_alloc((size_t)n_steps, sizeof *limiting);
    measure->profile->limiting_ns =
        kfi_alloc(KF_PROFILE_SIMULATIONS * (size_t)measure->profile->n_nodes, sizeof(double));
    kf_status status = limiting && measure->profile->limiting_ns ? KF_OK : KF_MEMORY;
    for (int i = 0; i < KF_PROFILE_SIMULATIONS && workers[i] != 0 && status == KF_OK; i++)
        status = simulate_one(measure, workers[i], limiting);
    kfi_free(limiting);
    return status;
}

static kf_status profile_model(kf_model *model, const kf_profile_options *options,
                               kf_profile *profile) {
    const kfi_mode *mode = options->inference ? &kfi_mode_predict : &kfi_mode_train;
    const int32_t runs = options->steps > 0 ? options->steps : 10;
    profile->totals.workers = kfi_plan_workers(options->threads);
    kfi_training *training = NULL;
    kfi_pass *pass = NULL;
    kfi_sample_batch batch = {0};
    measuring measure = {.profile = profile};
    kf_status status = options->inference ? kfi_training_of(model, &training)
                                          : kfi_training_compiled(model, &training);
    if (status == KF_OK)
        status = kfi_sample_batch_make(training, mode, options->data, options->batch_size, &batch);
    if (status == KF_OK) status = kfi_pass_for(training, mode, &batch.ports, batch.rows, &pass);
    if (status == KF_OK) {
        measure.pass = pass;
        status = measure_runs(&measure, training, pass, &batch, runs, profile->totals.workers);
        if (status == KF_OK) status = simulate(&measure, options->simulate, runs);
        if (status == KF_OK)
            status = kfi_profile_memory_find(&profile->memory, training, pass->plan, &batch,
                                             profile->totals.workers);
    }
    kfi_sample_batch_free(&batch);
    kfi_trace_free(measure.trace);
    kfi_free(measure.node_of_step);
    kfi_free(measure.elapsed_ns);
    kfi_free(measure.first_ns);
    kfi_free(measure.last_ns);
    kfi_free(measure.stage_ns);
    return status;
}

kf_profile *kf_profile_run_with(kf_model *model, const kf_profile_options *options) {
    kf_profile_options given = {0};
    kfi_options_copy(&given, sizeof given, options);
    kf_profile *profile = kfi_alloc(1, sizeof *profile);
    if (!profile || profile_model(model, &given, profile) == KF_OK) return profile;
    kf_profile_free(profile);
    return NULL;
}

void kf_profile_free(kf_profile *profile) {
    if (!profile) return;
    for (int64_t i = 0; i < profile->n_nodes; i++) kfi_free((char *)profile->nodes[i].name);
    kfi_free(profile->nodes);
    kfi_free(profile->events);
    kfi_free(profile->limiting_ns);
    kfi_profile_memory_free(&profile->memory);
    kfi_free(profile->by_time);
    kfi_free(profile);
}

/* --- answers ---------------------------------------------------------------------------------- */

kf_profile_totals kf_profile_total(const kf_profile *profile) { return profile->totals; }
int32_t kf_profile_nodes(const kf_profile *profile) { return (int32_t)profile->n_nodes; }
int64_t kf_profile_events(const kf_profile *profile) { return profile->n_events; }

const kf_profile_node *kf_profile_node_at(const kf_profile *profile, int32_t index) {
    if (index < 0 || index >= profile->n_nodes) return NULL;
    return &profile->nodes[profile->by_time[index]];
}

kf_profile_event kf_profile_event_at(const kf_profile *profile, int64_t index) {
    if (index < 0 || index >= profile->n_events) return (kf_profile_event){0};
    const traced *at = &profile->events[index];
    const kf_profile_node *node = &profile->nodes[at->node];
    return (kf_profile_event){.name = node->name,
                              .op = at->op,
                              .direction = node->direction,
                              .call = node->call,
                              .worker = at->worker,
                              .step = at->step,
                              .start_ns = at->start_ns,
                              .end_ns = at->end_ns,
                              .tiles = at->tiles};
}

int32_t kf_profile_simulations(const kf_profile *profile) { return profile->n_simulations; }

const kf_profile_simulation *kf_profile_simulation_at(const kf_profile *profile, int32_t index) {
    if (index < 0 || index >= profile->n_simulations) return NULL;
    return &profile->simulations[index];
}

double kf_profile_limiting_ns(const kf_profile *profile, int32_t index, int32_t node) {
    if (index < 0 || index >= profile->n_simulations || node < 0 || node >= profile->n_nodes)
        return 0;
    return profile->limiting_ns[index * profile->n_nodes + profile->by_time[node]];
}

kf_profile_memory kf_profile_memory_total(const kf_profile *profile) {
    return profile->memory.total;
}
int32_t kf_profile_stretches(const kf_profile *profile) { return profile->memory.n_stretches; }

const kf_profile_stretch *kf_profile_stretch_at(const kf_profile *profile, int32_t index) {
    if (index < 0 || index >= profile->memory.n_stretches) return NULL;
    return &profile->memory.stretches[index];
}
