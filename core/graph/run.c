/* Running a plan: point the arrays at their memory, hand the tiles to the scheduler. */
#include "core/graph/plan_internal.h"

#include "core/base/clock.h"
#include "scheduler/pool.h"

#include <pthread.h>
#include <string.h>

void kfi_plan_feed(kfi_plan *plan, kfi_value source, const void *data) {
    plan->storages[plan->storage_of_value[source.id]].outside = data;
}

bool kfi_plan_send(kfi_plan *plan, int32_t result, void *data) {
    const int32_t value = plan->results[result].id;
    kfi_storage *storage = &plan->storages[plan->storage_of_value[value]];
    const bool free = !storage->outside && !storage->is_source &&
                      storage->bytes == kfi_array_bytes(&plan->formula->values[value].type);
    if (data ? !free : !storage->sent) return false;
    storage->outside = data;
    storage->sent = data != NULL;
    plan->bound = NULL;
    return true;
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
        const kfi_formula_node *node = &plan->formula->nodes[slot->node];
        if (node->op->index_input - 1 != slot->input) continue;
        const kfi_array *of = &plan->formula->values[node->in[node->op->index_of].id].type;
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

/* Where a value begins, which may be inside of a concatenation. */
static void *address_of(const kfi_plan *plan, kfi_value value, const void *buffer) {
    char *start = address(plan, plan->storage_of_value[value.id], buffer);
    const int32_t shown = kfi_viewed(plan->formula, value.id);
    const kfi_piece *piece = &plan->pieces[shown];
    if (piece->whole < 0) return start;
    return start + (size_t)piece->first * kf_dtype_size(plan->formula->values[shown].type.dtype);
}

/* Whether the part is the concatenation that this input is a piece of. */
static bool is_in_place(const kfi_plan *plan, const kfi_formula_node *node, int i) {
    const int32_t shown = kfi_viewed(plan->formula, node->in[i].id);
    return plan->pieces[shown].whole == node->out[0].id;
}

static void bind_results(kfi_plan *plan, const void *buffer) {
    for (int32_t i = 0; i < plan->n_results; i++)
        plan->result_arrays[i].data = address_of(plan, plan->results[i], buffer);
}

static void bind_part(const kfi_plan *plan, const kfi_part *part, const void *buffer) {
    const kfi_formula_node *node = &plan->formula->nodes[part->node];
    kfi_array *in = (kfi_array *)part->call.in, *out = (kfi_array *)part->call.out;
    for (int i = 0; i < node->n_in; i++)
        in[i].data = is_in_place(plan, node, i) ? NULL : address_of(plan, node->in[i], buffer);
    for (int i = 0; i < node->n_out; i++) out[i].data = address_of(plan, node->out[i], buffer);
}

static void bind(kfi_plan *plan, const void *buffer) {
    for (int32_t s = 0; s < plan->n_steps; s++) {
        kfi_step *step = &plan->steps[s];
        for (int32_t p = 0; p < step->n_parts; p++) bind_part(plan, &step->parts[p], buffer);
        if (step->scratch >= 0) step->parts[0].call.scratch = address(plan, step->scratch, buffer);
    }
    plan->bound = buffer;
}

/* --- running ---------------------------------------------------------------------------------- */

typedef struct running {
    const kfi_plan *plan;
    char *scratch; /* of worker 0, the others' follow */
    kfi_learning *learning;
} running;

/* A part's call with arrays of its own, for pointing them at a worker's scratch. */
typedef struct own_call {
    kfi_call call;
    kfi_array in[KFI_CHAIN_INPUTS], out[KFI_OP_MAX_OUTPUTS];
} own_call;

static void copy_call(own_call *own, const kfi_part *part) {
    own->call = part->call;
    memcpy(own->in, part->call.in, (size_t)part->call.n_in * sizeof *own->in);
    memcpy(own->out, part->call.out, (size_t)part->call.n_out * sizeof *own->out);
    own->call.in = own->in;
    own->call.out = own->out;
}

/* Where a local array would begin, of which the scratch holds the elements from `first` on. */
static void *local_data(char *held, int64_t first) {
    return (void *)((uintptr_t)held - (uintptr_t)first * sizeof(float));
}

/* Points output 0 of part p and what the next part reads of it at the worker's scratch. */
static void localize(const kfi_plan *plan, const kfi_step *step, own_call *calls, int32_t p,
                     char *scratch, int64_t first) {
    const kfi_part *part = &step->parts[p];
    if (part->local_at < 0) return;
    void *data = local_data(scratch + part->local_at, first);
    calls[p].out[0].data = data;
    if (p + 1 == step->n_parts) return;
    const int32_t value = plan->formula->nodes[part->node].out[0].id;
    const kfi_formula_node *next = &plan->formula->nodes[step->parts[p + 1].node];
    for (int i = 0; i < next->n_in; i++)
        if (next->in[i].id == value) calls[p + 1].in[i].data = data;
}

/* Brings in what part p reads of pieces. */
static void fetch(const kfi_step *step, own_call *calls, int32_t p, char *scratch, kfi_span span) {
    for (int32_t f = 0; f < step->n_ferries; f++) {
        const kfi_ferry *ferry = &step->ferries[f];
        if (ferry->part != p || ferry->input < 0) continue;
        char *run = scratch + ferry->local_at;
        kfi_piece_fetch(&ferry->piece, step->parts[p].call.in[ferry->input].data, span,
                        (float *)(void *)run);
        calls[p].in[ferry->input].data = local_data(run, span.begin);
    }
}

/* Sends what the last part has made where its rows belong. */
static void put(const kfi_step *step, const own_call *calls, kfi_span span) {
    const int32_t last = step->n_parts - 1;
    for (int32_t f = 0; f < step->n_ferries; f++)
        if (step->ferries[f].input < 0)
            kfi_piece_put(&step->ferries[f].piece,
                          (const float *)calls[last].out[0].data + span.begin, span,
                          step->parts[last].call.out[0].data);
}

/* The tile of the first part, then what it finished, run by run, through the parts that follow. */
static void run_chain(const kfi_plan *plan, const kfi_step *step, const kfi_tile *tile,
                      char *scratch) {
    own_call calls[KFI_CHAIN_PARTS];
    const kfi_op *op = step->parts[0].op;
    const kfi_region region = op->region(&step->parts[0].call, tile->stage, tile->tile);
    for (int32_t p = 0; p < step->n_parts; p++) copy_call(&calls[p], &step->parts[p]);
    for (int32_t p = 0; p < step->n_parts; p++)
        localize(plan, step, calls, p, scratch, region.first);
    fetch(step, calls, 0, scratch, (kfi_span){region.first, region.first + region.width});
    op->stages[tile->stage].kernel(&calls[0].call, tile->tile, scratch);
    const bool whole = region.width == region.stride;
    const int64_t runs = whole && region.rows ? 1 : region.rows;
    const int64_t width = whole ? region.rows * region.width : region.width;
    for (int64_t r = 0; r < runs && width > 0; r++) {
        const int64_t begin = region.first + r * region.stride;
        const kfi_span span = {begin, begin + width};
        for (int32_t p = 1; p < step->n_parts; p++) {
            fetch(step, calls, p, scratch, span);
            calls[p].call.part = span;
            step->parts[p].op->stages[0].kernel(&calls[p].call, 0, NULL);
        }
        put(step, calls, span);
    }
}

static kf_status run_tile(void *context, const kfi_tile *tile) {
    const running *run = context;
    const kfi_step *step = &run->plan->steps[tile->task];
    const kfi_part *part = &step->parts[0];
    if (part->op->run) return part->op->run(&part->call);
    char *scratch = run->scratch + (size_t)tile->worker * run->plan->scratch_bytes;
    if (step->n_parts > 1 || step->n_ferries > 0)
        run_chain(run->plan, step, tile, scratch);
    else
        part->op->stages[tile->stage].kernel(&part->call, tile->tile, scratch);
    return KF_OK;
}

static kf_status run_timed_tile(void *context, const kfi_tile *tile) {
    const running *run = context;
    const int64_t start_ns = kfi_now_ns();
    const kf_status status = run_tile(context, tile);
    kfi_learning_add(run->learning, tile->task, kfi_now_ns() - start_ns);
    return status;
}

static void prepare_threads(void) { kfi_pool_on_enter(kfi_ops_enter_thread, kfi_ops_leave_thread); }

static kf_status check_fed(const kfi_plan *plan) {
    for (int64_t i = 0; i < plan->n_slots; i++)
        if (!plan->storages[plan->slots[i].storage].outside)
            return kfi_fail(
                KF_USAGE, "'%s' was not fed",
                source_name(plan,
                            plan->formula->nodes[plan->slots[i].node].in[plan->slots[i].input]));
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
    running context = {plan, (char *)arena->buffer + plan->peak_bytes, &plan->learning};
    const bool timed = kfi_learning_begin_run(&plan->learning, plan->schedule, run.workers);
    status = kfi_run(plan->schedule, timed ? run_timed_tile : run_tile, &context, &run);
    if (status == KF_OK) kfi_learning_end_run(&plan->learning, plan->schedule, run.workers);
    return status;
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
    const kfi_formula_node *node = &plan->formula->nodes[step->parts[0].node];
    kfi_step_info info = {.op = node->op->name,
                          .scope = node->scope,
                          .cost = step->cost,
                          .cost_ns = step->cost_ns,
                          .shape = step->parts[0].call.out[0].shape};
    for (int i = 0; i < step->n_stages; i++) info.tiles += kfi_step_tiles(step, i);
    return info;
}

int32_t kfi_plan_waits_for(const kfi_plan *plan, int32_t step, const int32_t **steps) {
    *steps = plan->steps[step].waits_for;
    return plan->steps[step].n_waits_for;
}

bool kfi_plan_has_learnt(const kfi_plan *plan) { return plan->learning.n_runs >= KFI_LEARNING_END; }

kf_status kfi_plan_simulate(const kfi_plan *plan, const double (*stage_ns)[KFI_MAX_STAGES],
                            int32_t workers, kfi_simulated *result, double *limiting_ns) {
    return kfi_simulate(plan->schedule, stage_ns, workers, result, limiting_ns);
}
