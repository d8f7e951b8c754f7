/* Chains: nodes that run as one step. A product, a convolution or an element-wise op is followed by
 * element-wise ops, each of which reads the one before; a tile of the first hands what it has just
 * finished to the others while it is in the cache. So a bias, an activation, a dropout or the
 * update of a weight costs no pass over memory of its own, and the numbers are those of the nodes
 * one by one.
 *
 * A chain runs where its last node stands in the formula. So
 *   - nobody outside may read a value of the chain before that place;
 *   - nothing that reads a weight may run later than the node that writes over it.
 * And so that nothing waits longer than it would, what the followers read besides must be there
 * when the first node can start: it is computed on the way to that node, or it comes from outside.
 * (Updates are excepted: they wait for all readers of the old weight, and save a pass over a
 * gradient.) */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <string.h>

enum {
    MOST_NODES = 16384,     /* the order of so many nodes takes 32 MB while a plan is made */
    MOST_LOCAL = 512 * 1024 /* floats of a tile's own, kept beside the cache's other guests */
};

typedef struct chaining {
    const kfi_formula *formula;
    const bool *alive;
    int32_t *before, *next; /* of each node: its neighbours in its chain, -1: none */
    int64_t *first_reader;  /* of each value: where its readers begin in `readers` */
    int32_t *readers;       /* nodes, ascending                                    */
    uint64_t *order;        /* bit p of row n: node n needs node p                 */
    size_t words;
} chaining;

static kf_status list_readers(chaining *c) {
    const kfi_formula *formula = c->formula;
    int64_t n_reads = 0;
    for (int64_t n = 0; n < formula->n_nodes; n++) n_reads += formula->nodes[n].n_in;
    c->first_reader = kfi_alloc((size_t)formula->n_values + 1, sizeof *c->first_reader);
    c->readers = kfi_alloc((size_t)n_reads, sizeof *c->readers);
    if (!c->first_reader || !c->readers) return KF_MEMORY;
    for (int64_t n = 0; n < formula->n_nodes; n++)
        for (int i = 0; c->alive[n] && i < formula->nodes[n].n_in; i++)
            c->first_reader[formula->nodes[n].in[i].id + 1]++;
    for (int64_t v = 0; v < formula->n_values; v++) c->first_reader[v + 1] += c->first_reader[v];
    /* filling moves each beginning to its end, which is the next one's beginning */
    for (int64_t n = 0; n < formula->n_nodes; n++)
        for (int i = 0; c->alive[n] && i < formula->nodes[n].n_in; i++)
            c->readers[c->first_reader[formula->nodes[n].in[i].id]++] = (int32_t)n;
    memmove(c->first_reader + 1, c->first_reader,
            (size_t)formula->n_values * sizeof *c->first_reader);
    c->first_reader[0] = 0;
    return KF_OK;
}

static kf_status find_order(chaining *c) {
    const kfi_formula *formula = c->formula;
    c->words = ((size_t)formula->n_nodes + 63) / 64;
    c->order = kfi_alloc((size_t)formula->n_nodes * c->words, sizeof *c->order);
    if (!c->order) return KF_MEMORY;
    for (int64_t n = 0; n < formula->n_nodes; n++) {
        uint64_t *mine = c->order + (size_t)n * c->words;
        for (int i = 0; c->alive[n] && i < formula->nodes[n].n_in; i++) {
            const int32_t p = formula->values[formula->nodes[n].in[i].id].node;
            if (p < 0) continue;
            const uint64_t *theirs = c->order + (size_t)p * c->words;
            for (size_t w = 0; w < c->words; w++) mine[w] |= theirs[w];
            mine[p / 64] |= UINT64_C(1) << (p % 64);
        }
    }
    return KF_OK;
}

static bool needs(const chaining *c, int32_t node, int32_t other) {
    return c->order[(size_t)node * c->words + (size_t)other / 64] >> (other % 64) & 1;
}

static int32_t first_of(const chaining *c, int32_t node) {
    while (c->before[node] >= 0) node = c->before[node];
    return node;
}

static int32_t last_of(const chaining *c, int32_t node) {
    while (c->next[node] >= 0) node = c->next[node];
    return node;
}

static int32_t length_of(const chaining *c, int32_t last) {
    int32_t length = 0;
    for (int32_t m = last; m >= 0; m = c->before[m]) length++;
    return length;
}

/* --- what may follow what --------------------------------------------------------------------- */

static bool is_assigned(const kfi_formula *formula, const kfi_formula_node *node) {
    for (int64_t a = 0; a < formula->n_assignments; a++)
        for (int i = 0; i < node->n_out; i++)
            if (formula->assignments[a].value.id == node->out[i].id) return true;
    return false;
}

/* Whether a reader of the chain's values other than `follower` stands before it. */
static bool is_read_before(const chaining *c, int32_t last, int32_t follower) {
    for (int32_t m = last; m >= 0; m = c->before[m]) {
        const kfi_formula_node *member = &c->formula->nodes[m];
        for (int i = 0; i < member->n_out; i++)
            for (int64_t r = c->first_reader[member->out[i].id];
                 r < c->first_reader[member->out[i].id + 1]; r++)
                if (c->readers[r] != c->next[m] && c->readers[r] < follower) return true;
    }
    return false;
}

static bool in_chain(const chaining *c, int32_t last, int32_t node) {
    for (int32_t m = last; m >= 0; m = c->before[m])
        if (m == node) return true;
    return false;
}

/* Whether all that the follower reads is there when the chain can start. */
static bool finds_its_inputs(const chaining *c, int32_t last, int32_t follower) {
    const kfi_formula_node *node = &c->formula->nodes[follower];
    const int32_t first = first_of(c, last);
    for (int i = 0; i < node->n_in; i++) {
        const int32_t maker = c->formula->values[node->in[i].id].node;
        if (maker >= 0 && !needs(c, first, maker) && !in_chain(c, last, maker)) return false;
    }
    return true;
}

/* A member of the chain must not read, as a whole, a weight that the follower writes piece by
 * piece. */
static bool reads_what_it_writes(const chaining *c, int32_t last, int32_t follower) {
    const kfi_formula *formula = c->formula;
    const kfi_formula_node *node = &formula->nodes[follower];
    if (!is_assigned(formula, node)) return false;
    for (int32_t m = last; m >= 0; m = c->before[m])
        for (int i = 0; i < formula->nodes[m].n_in; i++) {
            const kf_weight *weight =
                formula->values[kfi_viewed(formula, formula->nodes[m].in[i].id)].weight;
            for (int j = 0; weight && j < node->n_in; j++)
                if (formula->values[node->in[j].id].weight == weight) return true;
        }
    return false;
}

static bool same_count(const kfi_formula *formula, kfi_value a, kfi_value b) {
    const kfi_array *x = &formula->values[a.id].type, *y = &formula->values[b.id].type;
    return x->dtype == KF_FLOAT32 && y->dtype == KF_FLOAT32 &&
           kfi_shape_count(&x->shape) == kfi_shape_count(&y->shape);
}

/* The node whose chain `follower` continues by its input i; -1 if it does not. */
static int32_t continued(const chaining *c, int32_t follower, int i) {
    const kfi_formula *formula = c->formula;
    const kfi_formula_node *node = &formula->nodes[follower];
    const int32_t last = formula->values[node->in[i].id].node;
    if (last < 0 || c->next[last] >= 0) return -1;
    const kfi_formula_node *before = &formula->nodes[last];
    if (length_of(c, last) == KFI_CHAIN_PARTS) return -1;
    if (!before->op->region || before->out[0].id != node->in[i].id) return -1;
    if (before->n_in > KFI_CHAIN_INPUTS || !same_count(formula, node->in[i], node->out[0]))
        return -1;
    if (is_read_before(c, last, follower) || reads_what_it_writes(c, last, follower)) return -1;
    return is_assigned(formula, node) || finds_its_inputs(c, last, follower) ? last : -1;
}

/* Of several possible predecessors the one written last: it is ready last. */
static void attach(chaining *c, int32_t follower) {
    const kfi_formula_node *node = &c->formula->nodes[follower];
    if (!node->op->element_wise || node->n_in > KFI_CHAIN_INPUTS) return;
    int32_t last = -1;
    for (int i = 0; i < node->n_in; i++) {
        const int32_t candidate = continued(c, follower, i);
        if (candidate > last) last = candidate;
    }
    if (last < 0) return;
    c->next[last] = follower;
    c->before[follower] = last;
}

static void take_apart(chaining *c, int32_t node) {
    for (int32_t m = first_of(c, node), next; m >= 0; m = next) {
        next = c->next[m];
        c->next[m] = c->before[m] = -1;
    }
}

/* Whoever reads a weight runs before the chain that writes over it. */
static bool order_readers(chaining *c, const kfi_assignment *assignment) {
    const kfi_formula *formula = c->formula;
    const int32_t writer = formula->values[assignment->value.id].node;
    bool changed = false;
    for (int64_t n = 0; writer >= 0 && n < formula->n_nodes; n++)
        for (int i = 0; c->alive[n] && i < formula->nodes[n].n_in; i++) {
            const int32_t shown = kfi_viewed(formula, formula->nodes[n].in[i].id);
            if (formula->values[shown].weight != assignment->weight) continue;
            if (last_of(c, (int32_t)n) <= last_of(c, writer)) continue;
            take_apart(c, (int32_t)n);
            changed = true;
        }
    return changed;
}

static void find_chains(chaining *c) {
    const kfi_formula *formula = c->formula;
    for (int32_t n = 0; n < formula->n_nodes; n++)
        if (c->alive[n]) attach(c, n);
    for (bool changed = true; changed;) {
        changed = false;
        for (int64_t a = 0; a < formula->n_assignments; a++)
            changed |= order_readers(c, &formula->assignments[a]);
    }
}

/* In an economical formula nodes wait for others by place, which chains would move. */
static bool may_chain(const kfi_formula *formula) {
    if (formula->economical || formula->n_nodes > MOST_NODES) return false;
    return !formula->unchained;
}

kf_status kfi_plan_chain(kfi_plan *plan, const bool *alive) {
    const kfi_formula *formula = plan->formula;
    plan->chain_before = kfi_alloc((size_t)formula->n_nodes, sizeof *plan->chain_before);
    plan->chain_next = kfi_alloc((size_t)formula->n_nodes, sizeof *plan->chain_next);
    if (!plan->chain_before || !plan->chain_next) return KF_MEMORY;
    for (int64_t n = 0; n < formula->n_nodes; n++) plan->chain_before[n] = plan->chain_next[n] = -1;
    if (!may_chain(formula)) return KF_OK;
    chaining c = {
        .formula = formula, .alive = alive, .before = plan->chain_before, .next = plan->chain_next};
    kf_status status = list_readers(&c);
    if (status == KF_OK) status = find_order(&c);
    if (status == KF_OK) find_chains(&c);
    kfi_free(c.first_reader);
    kfi_free(c.readers);
    kfi_free(c.order);
    return status;
}

/* --- values that only a tile sees ------------------------------------------------------------- */

/* The floats from the first to the last that any tile of the part finishes. */
static int64_t widest_region(const kfi_step *step) {
    const kfi_call *call = &step->parts[0].call;
    const kfi_op *op = step->parts[0].op;
    int64_t widest = 0;
    for (int stage = 0; stage < step->n_stages; stage++)
        for (int64_t tile = 0; tile < step->tiles[stage]; tile++) {
            const kfi_region region = op->region(call, stage, tile);
            const int64_t extent =
                region.rows ? (region.rows - 1) * region.stride + region.width : 0;
            if (extent > widest) widest = extent;
        }
    return widest;
}

int64_t kfi_step_local_floats(const kfi_step *step) {
    const kfi_part *first = &step->parts[0];
    if (!first->op->region || first->call.n_in > KFI_CHAIN_INPUTS) return -1;
    const int64_t widest = widest_region(step);
    return widest > MOST_LOCAL ? -1 : widest;
}

static kfi_value made_by(const kfi_plan *plan, const kfi_step *step, int32_t part) {
    return plan->formula->nodes[step->parts[part].node].out[0];
}

/* Parts but the last one whose value lives in this storage and is read by the next part alone. */
static int32_t count_inner(const kfi_plan *plan, const kfi_step *step, const int32_t *readers,
                           int32_t storage) {
    int32_t n = 0;
    for (int32_t p = 0; p + 1 < step->n_parts; p++) {
        const int32_t value = made_by(plan, step, p).id;
        n += plan->storage_of_value[value] == storage && readers[value] == 1;
    }
    return n;
}

/* Whether the part may write over what the one before has left in the scratch. */
static bool follows_in_place(const kfi_plan *plan, const kfi_step *step, int32_t part) {
    if (part == 0 || step->parts[part - 1].local_at < 0) return false;
    const kfi_formula_node *node = &plan->formula->nodes[step->parts[part].node];
    const int32_t before = made_by(plan, step, part - 1).id;
    const int input = node->op->in_place[0] - 1;
    if (input < 0 || input >= node->n_in || node->in[input].id != before) return false;
    for (int i = 0; i < node->n_in; i++)
        if (i != input && node->in[i].id == before) return false;
    return true;
}

static void give_local(const kfi_plan *plan, kfi_step *step, int32_t part, int64_t floats) {
    if (follows_in_place(plan, step, part)) {
        step->parts[part].local_at = step->parts[part - 1].local_at;
        return;
    }
    step->parts[part].local_at = (int64_t)step->scratch_bytes;
    step->scratch_bytes += ((size_t)floats * sizeof(float) + 63) / 64 * 64;
}

/* Values between two parts of a step that nobody else sees, in a place that no other value has, are
 * not kept in the arena: each worker has room for what one tile makes of them. So it has for what
 * comes out at the end, if its rows stand apart. */
static void localize(kfi_plan *plan, kfi_step *step, const int32_t *readers,
                     const int32_t *values) {
    const bool is_apart =
        kfi_piece_is_apart(&plan->pieces[made_by(plan, step, step->n_parts - 1).id]);
    if (step->n_parts == 1 && !is_apart) return;
    const int64_t floats = kfi_step_local_floats(step);
    if (floats < 0) return;
    for (int32_t p = 0; p + 1 < step->n_parts; p++) {
        const int32_t at = plan->storage_of_value[made_by(plan, step, p).id];
        kfi_storage *storage = &plan->storages[at];
        if (storage->outside || storage->kept) continue;
        if (values[at] != count_inner(plan, step, readers, at)) continue;
        storage->local = true;
        give_local(plan, step, p, floats);
    }
    if (is_apart) give_local(plan, step, step->n_parts - 1, floats);
}

kf_status kfi_plan_localize(kfi_plan *plan, const int32_t *readers) {
    int32_t *values = kfi_alloc((size_t)plan->n_storages, sizeof *values);
    if (!values) return KF_MEMORY;
    for (int64_t v = 0; v < plan->formula->n_values; v++)
        if (plan->storage_of_value[v] >= 0) values[plan->storage_of_value[v]]++;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        kfi_step *step = &plan->steps[s];
        localize(plan, step, readers, values);
        if (step->scratch_bytes > plan->scratch_bytes) plan->scratch_bytes = step->scratch_bytes;
    }
    kfi_free(values);
    return KF_OK;
}
