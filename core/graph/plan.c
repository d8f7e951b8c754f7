/* Building a plan: which nodes of the formula run, where their values live, who waits for whom. */
#include "core/graph/plan_internal.h"

#include "core/base/memory.h"

#include <string.h>

/* --- which nodes run -------------------------------------------------------------------------- */

/* A value that a weight is to have is written straight over the weight if the op allows it, nobody
 * else reads the new value, and everybody who reads the old one was written before. */
static bool can_overwrite(const kfi_formula *formula, const kfi_assignment *assignment) {
    const kfi_formula_value *value = &formula->values[assignment->value.id];
    if (value->node < 0) return false;
    const kfi_formula_node *maker = &formula->nodes[value->node];
    int output = 0;
    while (maker->out[output].id != assignment->value.id) output++;
    const int input = maker->op->in_place[output] - 1;
    if (maker->op->is_view || input < 0 || input >= maker->n_in) return false;
    if (formula->values[maker->in[input].id].weight != assignment->weight) return false;
    for (int64_t n = 0; n < formula->n_nodes; n++)
        for (int i = 0; i < formula->nodes[n].n_in; i++) {
            const int32_t read = formula->nodes[n].in[i].id;
            if (read == assignment->value.id) return false;
            const int32_t shown = kfi_viewed(formula, read);
            if (formula->values[shown].weight == assignment->weight && n > value->node)
                return false;
            if (read == maker->in[input].id && n == value->node && i != input) return false;
        }
    return true;
}

/* Other assigned values get a copy at the end of the formula, which is written over the weight. */
static void add_copies(kfi_formula *formula) {
    for (int64_t i = 0; i < formula->n_assignments; i++) {
        kfi_assignment *assignment = &formula->assignments[i];
        if (can_overwrite(formula, assignment)) continue;
        formula->scope = (kfi_scope){assignment->weight->name, 0, KFI_UPDATE};
        const kfi_value copy =
            kfi_emit(formula, "affine", &(kfi_affine){.scale = 1}, assignment->value);
        if (formula->status == KF_OK) formula->assignments[i].value = copy;
    }
}

static void mark_value(const kfi_formula *formula, bool *alive, kfi_value value) {
    const int32_t node = formula->values[value.id].node;
    if (node >= 0) alive[node] = true;
}

/* A node is alive if a result or an assignment needs it. */
static void find_alive(const kfi_plan *plan, bool *alive) {
    const kfi_formula *formula = plan->formula;
    memset(alive, 0, (size_t)formula->n_nodes * sizeof *alive);
    for (int32_t i = 0; i < plan->n_results; i++) mark_value(formula, alive, plan->results[i]);
    for (int64_t i = 0; i < formula->n_assignments; i++)
        mark_value(formula, alive, formula->assignments[i].value);
    for (int64_t n = formula->n_nodes - 1; n >= 0; n--)
        for (int i = 0; alive[n] && i < formula->nodes[n].n_in; i++)
            mark_value(formula, alive, formula->nodes[n].in[i]);
}

/* --- where values live ------------------------------------------------------------------------ */

int32_t kfi_plan_add_storage(kfi_plan *plan, kfi_storage storage) {
    if (kfi_reserve((void **)&plan->storages, &plan->storages_capacity, plan->n_storages,
                    sizeof storage) != KF_OK)
        return -1;
    plan->storages[plan->n_storages] = storage;
    return (int32_t)plan->n_storages++;
}

static int32_t storage_of_weight(kfi_plan *plan, const kf_weight *weight) {
    for (int64_t i = 0; i < plan->n_storages; i++)
        if (plan->storages[i].outside == weight->data) return (int32_t)i;
    return kfi_plan_add_storage(plan, (kfi_storage){.outside = weight->data, .writer = -1});
}

/* How many nodes that run, results and assignments read each value, counting views as readers. */
static void count_readers(const kfi_plan *plan, const bool *alive, int32_t *readers) {
    const kfi_formula *formula = plan->formula;
    for (int64_t n = 0; n < formula->n_nodes; n++)
        for (int i = 0; alive[n] && i < formula->nodes[n].n_in; i++)
            readers[formula->nodes[n].in[i].id]++;
    for (int32_t i = 0; i < plan->n_results; i++) readers[plan->results[i].id]++;
    for (int64_t i = 0; i < formula->n_assignments; i++)
        readers[formula->assignments[i].value.id]++;
}

/* Whether only one node reads the value, through views or not. */
static bool is_read_once(const kfi_formula *formula, int32_t value, const int32_t *readers) {
    int32_t node = formula->values[value].node;
    while (readers[value] == 1 && node >= 0 && formula->nodes[node].op->is_view) {
        value = formula->nodes[node].in[0].id;
        node = formula->values[value].node;
    }
    return readers[value] == 1;
}

/* The input whose place output `i` may take: its only reader is this node and it lives in the
 * arena. -1 if none. */
static int32_t taken_over(const kfi_plan *plan, const kfi_formula_node *node, int i,
                          const int32_t *readers) {
    const int input = node->op->in_place[i] - 1;
    if (input < 0 || input >= node->n_in) return -1;
    const int32_t value = node->in[input].id;
    const int32_t storage = plan->storage_of_value[value];
    if (plan->storages[storage].writer < 0 || plan->storages[storage].outside) return -1;
    if (plan->storages[storage].holds_pieces) return -1;
    if (!is_read_once(plan->formula, value, readers)) return -1;
    if (kfi_array_bytes(&plan->formula->values[value].type) !=
        kfi_array_bytes(&plan->formula->values[node->out[i].id].type))
        return -1;
    return storage;
}

static int32_t storage_of_output(kfi_plan *plan, const kfi_formula_node *node, int i,
                                 const int32_t *readers, int32_t step) {
    const kfi_formula *formula = plan->formula;
    for (int64_t a = 0; a < formula->n_assignments; a++)
        if (formula->assignments[a].value.id == node->out[i].id)
            return storage_of_weight(plan, formula->assignments[a].weight);
    const int32_t whole = plan->pieces[node->out[i].id].whole;
    const int32_t value = whole >= 0 ? whole : node->out[i].id;
    if (plan->storage_of_value[value] >= 0) return plan->storage_of_value[value];
    const int32_t taken = whole >= 0 ? -1 : taken_over(plan, node, i, readers);
    if (taken >= 0) return taken;
    const int32_t made = kfi_plan_add_storage(
        plan, (kfi_storage){.bytes = kfi_array_bytes(&formula->values[value].type),
                            .writer = step,
                            .holds_pieces = whole >= 0});
    if (made >= 0) plan->storage_of_value[value] = made;
    return made;
}

static int32_t storage_of_leaf(kfi_plan *plan, const kfi_formula_value *value) {
    if (value->weight) return storage_of_weight(plan, value->weight);
    return kfi_plan_add_storage(plan, (kfi_storage){.is_source = true, .writer = -1});
}

/* A chain runs where its last node stands, a joined one where its first does. */
static void number_steps(kfi_plan *plan, const bool *alive) {
    const kfi_formula *formula = plan->formula;
    for (int64_t n = 0; n < formula->n_nodes; n++) plan->step_of_node[n] = -1;
    for (int32_t n = 0; n < formula->n_nodes; n++) {
        if (!alive[n] || formula->nodes[n].op->is_view || plan->step_of_node[n] >= 0) continue;
        int32_t last = n;
        while (plan->is_joined[n] && plan->chain_next[last] >= 0) last = plan->chain_next[last];
        if (plan->chain_next[last] >= 0) continue;
        for (int32_t m = last; m >= 0; m = plan->chain_before[m])
            plan->step_of_node[m] = plan->n_steps;
        plan->n_steps++;
    }
}

/* Gives every value that is alive its storage. */
static kf_status assign_storages(kfi_plan *plan, const bool *alive, const int32_t *readers) {
    const kfi_formula *formula = plan->formula;
    for (int64_t v = 0; v < formula->n_values; v++) plan->storage_of_value[v] = -1;
    for (int64_t v = 0; v < formula->n_values; v++) {
        if (formula->values[v].node >= 0) continue;
        plan->storage_of_value[v] = storage_of_leaf(plan, &formula->values[v]);
        if (plan->storage_of_value[v] < 0) return KF_MEMORY;
    }
    for (int64_t n = 0; n < formula->n_nodes; n++) {
        const kfi_formula_node *node = &formula->nodes[n];
        for (int i = 0; alive[n] && i < node->n_out; i++) {
            const int32_t storage = node->op->is_view ? plan->storage_of_value[node->in[0].id]
                                                      : storage_of_output(plan, node, i, readers,
                                                                          plan->step_of_node[n]);
            if (storage < 0) return KF_MEMORY;
            plan->storage_of_value[node->out[i].id] = storage;
        }
    }
    for (int32_t i = 0; i < plan->n_results; i++)
        plan->storages[plan->storage_of_value[plan->results[i].id]].kept = true;
    return KF_OK;
}

/* --- the schedule ----------------------------------------------------------------------------- */

kf_status kfi_plan_make_schedule(kfi_plan *plan) {
    kfi_schedule_free(plan->schedule);
    plan->schedule = NULL;
    int64_t n_edges = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) n_edges += plan->steps[s].n_waits_for;
    kfi_task *tasks = kfi_alloc((size_t)plan->n_steps, sizeof *tasks);
    int32_t *edges = kfi_alloc((size_t)n_edges, sizeof *edges);
    int32_t *filled = kfi_alloc((size_t)plan->n_steps, sizeof *filled);
    kf_status status = tasks && edges && filled ? KF_OK : KF_MEMORY;
    if (status == KF_OK) {
        for (int32_t s = 0; s < plan->n_steps; s++)
            for (int32_t i = 0; i < plan->steps[s].n_waits_for; i++)
                tasks[plan->steps[s].waits_for[i]].n_successors++;
        int32_t *next = edges;
        for (int32_t s = 0; s < plan->n_steps; s++) {
            const kfi_step *step = &plan->steps[s];
            tasks[s].n_stages = step->n_stages;
            memcpy(tasks[s].tiles, step->tiles, sizeof step->tiles);
            tasks[s].rounds = step->rounds;
            tasks[s].cost_ns = step->cost_ns;
            tasks[s].successors = next;
            next += tasks[s].n_successors;
        }
        for (int32_t s = 0; s < plan->n_steps; s++)
            for (int32_t i = 0; i < plan->steps[s].n_waits_for; i++) {
                const int32_t before = plan->steps[s].waits_for[i];
                edges[tasks[before].successors - edges + filled[before]++] = s;
            }
        status = kfi_schedule_new(tasks, plan->n_steps, &plan->schedule);
    }
    kfi_free(tasks);
    kfi_free(edges);
    kfi_free(filled);
    return status;
}

/* --- arrays that are fed ---------------------------------------------------------------------- */

static bool is_fed(const kfi_plan *plan, kfi_value value) {
    return plan->storages[plan->storage_of_value[value.id]].is_source;
}

static void list_slots_of(kfi_plan *plan, const kfi_part *part) {
    const kfi_formula_node *node = &plan->formula->nodes[part->node];
    for (int i = 0; i < node->n_in; i++)
        if (is_fed(plan, node->in[i]))
            plan->slots[plan->n_slots++] = (kfi_slot){(kfi_array *)&part->call.in[i], part->node, i,
                                                      plan->storage_of_value[node->in[i].id]};
}

static kf_status list_slots(kfi_plan *plan) {
    int64_t n = 0;
    for (int32_t s = 0; s < plan->n_steps; s++)
        for (int32_t p = 0; p < plan->steps[s].n_parts; p++) n += plan->steps[s].parts[p].call.n_in;
    plan->slots = kfi_alloc((size_t)n, sizeof *plan->slots);
    if (!plan->slots) return KF_MEMORY;
    for (int32_t s = 0; s < plan->n_steps; s++)
        for (int32_t p = 0; p < plan->steps[s].n_parts; p++)
            list_slots_of(plan, &plan->steps[s].parts[p]);
    return KF_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static kf_status build(kfi_plan *plan, const kfi_value *results, int32_t n_results) {
    kfi_formula *formula = plan->formula;
    add_copies(formula);
    if (formula->status != KF_OK) return kfi_formula_status(formula);
    plan->results = kfi_alloc((size_t)n_results, sizeof *plan->results);
    plan->result_arrays = kfi_alloc((size_t)n_results, sizeof *plan->result_arrays);
    plan->step_of_node = kfi_alloc((size_t)formula->n_nodes, sizeof *plan->step_of_node);
    plan->storage_of_value = kfi_alloc((size_t)formula->n_values, sizeof *plan->storage_of_value);
    if (!plan->results || !plan->result_arrays || !plan->step_of_node || !plan->storage_of_value)
        return KF_MEMORY;
    plan->n_results = n_results;
    for (int32_t i = 0; i < n_results; i++) {
        plan->results[i] = results[i];
        plan->result_arrays[i] = formula->values[results[i].id].type;
    }
    bool *alive = kfi_alloc((size_t)formula->n_nodes, sizeof *alive);
    int32_t *readers = kfi_alloc((size_t)formula->n_values, sizeof *readers);
    kf_status status = alive && readers ? KF_OK : KF_MEMORY;
    if (status == KF_OK) {
        find_alive(plan, alive);
        status = kfi_plan_fuse_gathers(plan, alive);
    }
    if (status == KF_OK) {
        find_alive(plan, alive);
        status = kfi_plan_chain(plan, alive);
    }
    if (status == KF_OK) status = kfi_plan_join(plan, alive);
    if (status == KF_OK) {
        count_readers(plan, alive, readers);
        number_steps(plan, alive);
        status = kfi_plan_make_steps(plan);
    }
    if (status == KF_OK) status = kfi_plan_find_pieces(plan, alive);
    if (status == KF_OK) status = assign_storages(plan, alive, readers);
    if (status == KF_OK) status = kfi_plan_link_steps(plan);
    if (status == KF_OK) status = kfi_plan_localize(plan, readers);
    if (status == KF_OK) status = kfi_plan_ferry(plan);
    kfi_free(alive);
    kfi_free(readers);
    if (status == KF_OK) status = kfi_plan_bound(plan);
    if (status == KF_OK) status = kfi_plan_make_schedule(plan);
    if (status == KF_OK) status = kfi_learning_init(&plan->learning, plan->n_steps);
    if (status == KF_OK) status = list_slots(plan);
    if (status == KF_OK) status = kfi_plan_dump_if_asked(plan);
    return status;
}

static kf_status check_results(const kfi_formula *formula, const kfi_value *results, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (kfi_is_none(results[i]))
            return kfi_fail(KF_INVALID, "result %d of %d of a plan is missing", i, n);
    return kfi_formula_status(formula);
}

kf_status kfi_plan_new(kfi_formula *formula, const kfi_value *results, int32_t n_results,
                       kfi_plan **plan) {
    *plan = NULL;
    kf_status status = check_results(formula, results, n_results);
    kfi_plan *made = status == KF_OK ? kfi_alloc(1, sizeof *made) : NULL;
    if (!made) {
        kfi_formula_free(formula);
        return status == KF_OK ? KF_MEMORY : status;
    }
    made->formula = formula;
    status = build(made, results, n_results);
    if (status == KF_OK)
        *plan = made;
    else
        kfi_plan_free(made);
    return status;
}

void kfi_plan_free(kfi_plan *plan) {
    if (!plan) return;
    kfi_schedule_free(plan->schedule);
    kfi_learning_clear(&plan->learning);
    for (int32_t s = 0; plan->steps && s < plan->n_steps; s++) {
        for (int32_t p = 0; plan->steps[s].parts && p < plan->steps[s].n_parts; p++)
            kfi_free((void *)plan->steps[s].parts[p].call.in);
        kfi_free(plan->steps[s].parts);
        kfi_free(plan->steps[s].ferries);
        kfi_free(plan->steps[s].waits_for);
    }
    for (int64_t i = 0; i < plan->n_storages; i++) kfi_free(plan->storages[i].users);
    kfi_free(plan->slots);
    kfi_free(plan->steps);
    kfi_free(plan->storages);
    kfi_free(plan->storage_of_value);
    kfi_free(plan->pieces);
    kfi_free(plan->step_of_node);
    kfi_free(plan->chain_before);
    kfi_free(plan->chain_next);
    kfi_free(plan->is_joined);
    kfi_free(plan->result_arrays);
    kfi_free(plan->results);
    kfi_formula_free(plan->formula);
    kfi_free(plan);
}
