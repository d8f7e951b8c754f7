/* Running a plan: point the arrays at their memory, hand the tiles to the scheduler. */
#include "core/graph/plan_internal.h"
#include "scheduler/pool.h"

#include <pthread.h>

void kfi_plan_feed(kfi_plan *plan, kfi_value source, const void *data) {
    plan->storages[plan->storage_of_value[source.id]].outside = data;
}

/* --- fed indices ------------------------------------------------------------------------------ */

/* Indices are int32, or float32 and cut to whole numbers; NaN is outside. */
static int64_t first_outside(kf_dtype dtype, const void *indices, int64_t count, int64_t limit) {
    const int32_t *whole = indices;
    const float *cut = indices;
    for (int64_t i = 0; i < count; i++) {
        const bool inside = dtype == KF_INT32 ? whole[i] >= 0 && whole[i] < limit
                                              : cut[i] > -1 && cut[i] < (float)limit;
        if (!inside) return i;
    }
    return -1;
}

static int64_t index_at(kf_dtype dtype, const void *indices, int64_t i) {
    if (dtype == KF_INT32) return ((const int32_t *)indices)[i];
    const float index = ((const float *)indices)[i];
    return index > -0x1p62f && index < 0x1p62f ? (int64_t)index : INT64_MIN;
}

/* The name of the source that a value shows. */
static const char *source_name(const kfi_plan *plan, kfi_value value) {
    for (;;) {
        const kfi_formula_value *at = &plan->formula->values[value.id];
        if (at->node < 0) return at->source;
        value = plan->formula->nodes[at->node].in[0];
    }
}

bool kfi_plan_bad_index(const kfi_plan *plan, kfi_bad_index *bad) {
    for (int64_t i = 0; i < plan->n_slots; i++) {
        const kfi_slot *slot = &plan->slots[i];
        const kfi_step *step = &plan->steps[slot->step];
        const kfi_formula_node *node = &plan->formula->nodes[step->node];
        if (node->op->index_input - 1 != slot->input) continue;
        const kfi_array *of = &step->call.in[node->op->index_of];
        const int axis = kfi_axis(node->op->index_axis, of->shape.rank);
        const int64_t limit = of->shape.dims[axis], count = kfi_shape_count(&slot->array->shape);
        const void *indices = plan->storages[slot->storage].outside;
        const int64_t at = first_outside(slot->array->dtype, indices, count, limit);
        if (at < 0) continue;
        const kf_shape *shape = &slot->array->shape;
        *bad = (kfi_bad_index){.source = source_name(plan, node->in[slot->input]),
                               .row = shape->rank ? at / (count / shape->dims[0]) : 0,
                               .value = index_at(slot->array->dtype, indices, at),
                               .limit = limit};
        return true;
    }
    return false;
}

/* --- binding ---------------------------------------------------------------------------------- */

static void *address(const kfi_plan *plan, int32_t storage, const void *buffer) {
    const kfi_storage *at = &plan->storages[storage];
    if (at->outside || at->is_source) return (void *)at->outside;
    return (char *)buffer + at->offset;
}

static void bind_results(kfi_plan *plan, const void *buffer) {
    for (int32_t i = 0; i < plan->n_results; i++)
        plan->result_arrays[i].data =
            address(plan, plan->storage_of_value[plan->results[i].id], buffer);
}

static void bind(kfi_plan *plan, const void *buffer) {
    for (int32_t s = 0; s < plan->n_steps; s++) {
        kfi_step *step = &plan->steps[s];
        const kfi_formula_node *node = &plan->formula->nodes[step->node];
        kfi_array *in = (kfi_array *)step->call.in, *out = (kfi_array *)step->call.out;
        for (int i = 0; i < node->n_in; i++)
            in[i].data = address(plan, plan->storage_of_value[node->in[i].id], buffer);
        for (int i = 0; i < node->n_out; i++)
            out[i].data = address(plan, plan->storage_of_value[node->out[i].id], buffer);
        if (step->scratch >= 0) step->call.scratch = address(plan, step->scratch, buffer);
    }
    plan->bound = buffer;
}

/* --- running ---------------------------------------------------------------------------------- */

typedef struct running {
    const kfi_plan *plan;
    char *scratch; /* of worker 0, the others' follow */
} running;

static kf_status run_tile(void *context, const kfi_tile *tile) {
    const running *run = context;
    const kfi_step *step = &run->plan->steps[tile->task];
    const kfi_op *op = run->plan->formula->nodes[step->node].op;
    if (op->run) return op->run(&step->call);
    void *local = run->scratch + (size_t)tile->worker * run->plan->scratch_bytes;
    op->stages[tile->stage].kernel(&step->call, tile->tile, local);
    return KF_OK;
}

static void prepare_threads(void) { kfi_pool_on_enter(kfi_ops_enter_thread, kfi_ops_leave_thread); }

static kf_status check_fed(const kfi_plan *plan) {
    for (int64_t i = 0; i < plan->n_slots; i++)
        if (!plan->storages[plan->slots[i].storage].outside)
            return kfi_fail(
                KF_USAGE, "'%s' was not fed",
                source_name(plan, plan->formula->nodes[plan->steps[plan->slots[i].step].node]
                                      .in[plan->slots[i].input]));
    return KF_OK;
}

kf_status kfi_plan_run(kfi_plan *plan, kfi_arena *arena, const kfi_run_options *options) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_threads);
    kfi_run_options run = *options;
    run.workers = kfi_workers_clamp(run.workers);
    kf_status status = check_fed(plan);
    if (status == KF_OK)
        status =
            kfi_arena_reserve(arena, plan->peak_bytes + (size_t)run.workers * plan->scratch_bytes);
    if (status != KF_OK) return status;
    if (plan->bound != arena->buffer) bind(plan, arena->buffer);
    for (int64_t i = 0; i < plan->n_slots; i++)
        plan->slots[i].array->data = (void *)plan->storages[plan->slots[i].storage].outside;
    bind_results(plan, arena->buffer);
    running context = {plan, (char *)arena->buffer + plan->peak_bytes};
    return kfi_run(plan->schedule, run_tile, &context, &run);
}

int32_t kfi_plan_workers(int32_t asked) { return kfi_workers_clamp(asked); }

const kfi_array *kfi_plan_result(const kfi_plan *plan, int32_t index) {
    return &plan->result_arrays[index];
}

/* --- what a plan is --------------------------------------------------------------------------- */

size_t kfi_plan_peak_bytes(const kfi_plan *plan) { return plan->peak_bytes; }
size_t kfi_plan_scratch_bytes(const kfi_plan *plan) { return plan->scratch_bytes; }
int32_t kfi_plan_steps(const kfi_plan *plan) { return plan->n_steps; }

kfi_step_info kfi_plan_step(const kfi_plan *plan, int32_t index) {
    const kfi_step *step = &plan->steps[index];
    const kfi_formula_node *node = &plan->formula->nodes[step->node];
    kfi_step_info info = {.op = node->op->name,
                          .scope = node->scope,
                          .cost = step->cost,
                          .cost_ns = step->cost_ns,
                          .shape = step->call.out[0].shape};
    for (int i = 0; i < step->n_stages; i++) info.tiles += step->tiles[i];
    return info;
}

int32_t kfi_plan_waits_for(const kfi_plan *plan, int32_t step, const int32_t **steps) {
    *steps = plan->steps[step].waits_for;
    return plan->steps[step].n_waits_for;
}
