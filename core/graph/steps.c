/* The steps of a plan: what each of them calls, what it costs, and whom it waits for. */
#include "core/graph/plan_internal.h"

#include "core/base/memory.h"

#include <string.h>

/* --- who waits for whom ----------------------------------------------------------------------- */

/* The step that makes a value, looking through views; -1 if it comes from outside. */
static int32_t maker_step(const kfi_plan *plan, kfi_value value) {
    const int32_t node = plan->formula->values[kfi_viewed(plan->formula, value.id)].node;
    return node < 0 ? -1 : plan->step_of_node[node];
}

static void wait_for(kfi_step *step, int32_t other) {
    int32_t at = step->n_waits_for;
    while (at > 0 && step->waits_for[at - 1] > other) at--;
    if (at > 0 && step->waits_for[at - 1] == other) return;
    memmove(step->waits_for + at + 1, step->waits_for + at,
            (size_t)(step->n_waits_for - at) * sizeof *step->waits_for);
    step->waits_for[at] = other;
    step->n_waits_for++;
}

static kf_status add_user(kfi_storage *storage, int32_t step) {
    const kf_status status = kfi_reserve((void **)&storage->users, &storage->users_capacity,
                                         storage->n_users, sizeof *storage->users);
    if (status == KF_OK) storage->users[storage->n_users++] = step;
    return status;
}

static kf_status add_users(kfi_plan *plan, int32_t s) {
    const kfi_step *step = &plan->steps[s];
    kf_status status = KF_OK;
    for (int32_t p = 0; p < step->n_parts; p++) {
        const kfi_formula_node *node = &plan->formula->nodes[step->parts[p].node];
        for (int i = 0; i < node->n_in && status == KF_OK; i++)
            status = add_user(&plan->storages[plan->storage_of_value[node->in[i].id]], s);
        for (int i = 0; i < node->n_out && status == KF_OK; i++)
            status = add_user(&plan->storages[plan->storage_of_value[node->out[i].id]], s);
    }
    if (status == KF_OK && step->scratch >= 0) status = add_user(&plan->storages[step->scratch], s);
    return status;
}

/* A step waits for the makers of its inputs, for what the formula says it comes after, and, if it
 * writes over a weight, for all who use the old value. (Users of a storage taken over in the arena
 * are its makers: nothing to add.) */
static void link_part(kfi_plan *plan, int32_t s, const kfi_formula_node *node) {
    kfi_step *step = &plan->steps[s];
    for (int i = 0; i < node->n_in; i++) {
        const int32_t maker = maker_step(plan, node->in[i]);
        if (maker >= 0 && maker != s) wait_for(step, maker);
    }
    for (int64_t n = node->after.first; n < node->after.last; n++)
        if (plan->step_of_node[n] >= 0) wait_for(step, plan->step_of_node[n]);
    for (int i = 0; i < node->n_out; i++) {
        const kfi_storage *storage = &plan->storages[plan->storage_of_value[node->out[i].id]];
        for (int64_t u = 0; storage->outside && u < storage->n_users; u++)
            wait_for(step, storage->users[u]);
    }
}

static kf_status link_step(kfi_plan *plan, int32_t s) {
    kfi_step *step = &plan->steps[s];
    size_t most = 0;
    for (int32_t p = 0; p < step->n_parts; p++) {
        const kfi_formula_node *node = &plan->formula->nodes[step->parts[p].node];
        most += (size_t)node->n_in + (size_t)(node->after.last - node->after.first);
        for (int i = 0; i < node->n_out; i++)
            most += (size_t)plan->storages[plan->storage_of_value[node->out[i].id]].n_users;
    }
    step->waits_for = kfi_alloc(most + 1, sizeof *step->waits_for);
    if (!step->waits_for) return KF_MEMORY;
    for (int32_t p = 0; p < step->n_parts; p++)
        link_part(plan, s, &plan->formula->nodes[step->parts[p].node]);
    return KF_OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Rough costs of this kind of machine, for priorities until they are measured: 50 GFLOP/s, 10 GB/s
 * and 200 ns to get going. */
static double estimate_ns(kfi_cost cost) {
    const double compute = cost.flops / 50, move = cost.bytes / 10;
    return 200 + (compute > move ? compute : move);
}

static kf_status make_part(const kfi_plan *plan, int32_t node_index, kfi_part *part) {
    const kfi_formula_node *node = &plan->formula->nodes[node_index];
    kfi_array *arrays = kfi_alloc((size_t)(node->n_in + node->n_out), sizeof *arrays);
    if (!arrays) return KF_MEMORY;
    for (int i = 0; i < node->n_in; i++) arrays[i] = plan->formula->values[node->in[i].id].type;
    for (int i = 0; i < node->n_out; i++)
        arrays[node->n_in + i] = plan->formula->values[node->out[i].id].type;
    *part = (kfi_part){.op = node->op, .node = node_index, .local_at = -1};
    part->call = (kfi_call){.attributes = node->attributes,
                            .n_in = node->n_in,
                            .n_out = node->n_out,
                            .in = arrays,
                            .out = arrays + node->n_in};
    return KF_OK;
}

/* What follows the first part of a chain finds one of its inputs in the cache. */
static kfi_cost cost_of_part(const kfi_part *part, bool follows) {
    if (!part->op->cost) return (kfi_cost){0};
    kfi_cost cost = part->op->cost(&part->call);
    if (follows) cost.bytes -= (double)kfi_array_bytes(&part->call.out[0]);
    return cost;
}

/* The parts of the step whose last node is `last`. */
static kf_status make_parts(kfi_plan *plan, int32_t last, kfi_step *step) {
    int32_t n = 0;
    for (int32_t m = last; m >= 0; m = plan->chain_before[m]) n++;
    step->parts = kfi_alloc((size_t)n, sizeof *step->parts);
    if (!step->parts) return KF_MEMORY;
    step->n_parts = n;
    kf_status status = KF_OK;
    for (int32_t m = last; m >= 0 && status == KF_OK; m = plan->chain_before[m])
        status = make_part(plan, m, &step->parts[--n]);
    for (int32_t p = 0; p < step->n_parts && status == KF_OK; p++) {
        const kfi_cost cost = cost_of_part(&step->parts[p], p > 0);
        step->cost.flops += cost.flops;
        step->cost.bytes += cost.bytes;
    }
    return status;
}

static kf_status make_step(kfi_plan *plan, int32_t last, kfi_step *step) {
    *step = (kfi_step){.scratch = -1};
    kf_status status = make_parts(plan, last, step);
    if (status != KF_OK) return status;
    const kfi_op *op = step->parts[0].op;
    const kfi_call *call = &step->parts[0].call;
    for (int i = 0; i < KFI_OP_MAX_STAGES && op->stages[i].kernel; i++)
        step->tiles[step->n_stages++] = op->stages[i].tiles ? op->stages[i].tiles(call) : 1;
    step->rounds = op->rounds && step->tiles[step->n_stages - 1] ? (int32_t)op->rounds(call) : 1;
    while (step->n_stages > 1 && step->tiles[step->n_stages - 1] == 0) step->n_stages--;
    step->cost_ns = estimate_ns(step->cost);
    step->scratch_bytes = op->tile_scratch ? (op->tile_scratch(call) + 63) / 64 * 64 : 0;
    const size_t shared = op->scratch ? op->scratch(call) : 0;
    if (shared) {
        step->scratch = kfi_plan_add_storage(
            plan, (kfi_storage){.bytes = shared, .writer = plan->step_of_node[last]});
        if (step->scratch < 0) return KF_MEMORY;
    }
    return KF_OK;
}

kf_status kfi_plan_make_steps(kfi_plan *plan) {
    plan->steps = kfi_alloc((size_t)plan->n_steps, sizeof *plan->steps);
    if (!plan->steps) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int32_t n = 0; n < plan->formula->n_nodes && status == KF_OK; n++) {
        const int32_t s = plan->step_of_node[n];
        if (s < 0 || plan->chain_next[n] >= 0) continue;
        status = make_step(plan, n, &plan->steps[s]);
    }
    return status;
}

kf_status kfi_plan_link_steps(kfi_plan *plan) {
    kf_status status = KF_OK;
    for (int32_t s = 0; s < plan->n_steps && status == KF_OK; s++) {
        status = link_step(plan, s);
        if (status == KF_OK) status = add_users(plan, s);
    }
    return status;
}
