/* Steps that go through one weight together. Where few rows pass a large dense layer, all of the
 * way back is memory: dx = dy wT reads w, and w's update, which follows dw = xT dy in a chain
 * (chain.c), reads and writes it. Both go through w row by row, so the two products become one node
 * (ops/matmul_gradients.c), whose tile updates its rows while they are in the cache: w comes from
 * memory once.
 *
 * The chain then runs where its first node stands, since dx has readers long before the update's
 * place. So
 *   - all that the chain reads must be there by then;
 *   - whoever reads a weight that it writes over must stand before it.
 * The numbers stay what they were. */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <string.h>

enum {
    LEAST_BYTES = 8 << 20
}; /* of a weight: what a core keeps in its cache is read for nothing */

typedef struct joining {
    kfi_plan *plan;
    bool *alive;
    int32_t first, last; /* of the chain */
} joining;

static const kfi_formula_node *node_at(const kfi_plan *plan, int32_t node) {
    return &plan->formula->nodes[node];
}

static int32_t last_of(const kfi_plan *plan, int32_t node) {
    while (plan->chain_next[node] >= 0) node = plan->chain_next[node];
    return node;
}

static const kf_weight *weight_shown(const kfi_plan *plan, kfi_value value) {
    return plan->formula->values[kfi_viewed(plan->formula, value.id)].weight;
}

static bool in_chain(const joining *join, int32_t node) {
    for (int32_t m = join->last; m >= 0; m = join->plan->chain_before[m])
        if (m == node) return true;
    return false;
}

static bool is_product(const kfi_formula_node *node, bool transpose_a, bool transpose_b) {
    if (strcmp(node->op->name, "matmul") != 0) return false;
    const kfi_matmul *by = node->attributes;
    return by->transpose_a == transpose_a && by->transpose_b == transpose_b;
}

static bool is_thin(const kfi_plan *plan, const kfi_formula_node *dw) {
    const kfi_array *type = &plan->formula->values[dw->out[0].id].type;
    const kf_shape *x = &plan->formula->values[dw->in[0].id].type.shape;
    return kfi_array_bytes(type) >= LEAST_BYTES && x->dims[0] <= KFI_THIN_ROWS &&
           type->shape.dims[1] >= KFI_THIN_SHORTEST && type->shape.dims[1] <= KFI_THIN_LONGEST;
}

/* The weight that the chain's last node writes over with its first output; NULL: none. */
static kf_weight *written(const joining *join) {
    const kfi_formula *formula = join->plan->formula;
    const kfi_formula_node *node = &formula->nodes[join->last];
    for (int64_t a = 0; a < formula->n_assignments; a++)
        if (formula->assignments[a].value.id == node->out[0].id)
            return formula->assignments[a].weight;
    return NULL;
}

/* The node that makes dx of the same dy and the weight; -1: none. */
static int32_t find_dx(const joining *join, const kf_weight *weight) {
    const kfi_formula *formula = join->plan->formula;
    const kfi_value dy = formula->nodes[join->first].in[1];
    for (int32_t n = 0; n < formula->n_nodes; n++) {
        const kfi_formula_node *node = &formula->nodes[n];
        if (!join->alive[n] || !is_product(node, false, true)) continue;
        if (formula->values[node->in[1].id].weight == weight &&
            kfi_viewed(formula, node->in[0].id) == kfi_viewed(formula, dy.id))
            return n;
    }
    return -1;
}

/* --- what must hold --------------------------------------------------------------------------- */

static bool stands_before(const joining *join, int32_t node) {
    return last_of(join->plan, node) < join->first;
}

/* Whether all that the node reads, the chain's own values apart, is there by then. */
static bool finds_its_inputs(const joining *join, const kfi_formula_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        const int32_t shown = kfi_viewed(join->plan->formula, node->in[i].id);
        const int32_t maker = join->plan->formula->values[shown].node;
        if (maker >= 0 && !in_chain(join, maker) && !stands_before(join, maker)) return false;
    }
    return true;
}

static bool is_written_over(const joining *join, const kf_weight *weight) {
    const kfi_formula *formula = join->plan->formula;
    for (int64_t a = 0; a < formula->n_assignments; a++) {
        if (formula->assignments[a].weight != weight) continue;
        const int32_t maker = formula->values[formula->assignments[a].value.id].node;
        if (maker >= 0 && in_chain(join, maker)) return true;
    }
    return false;
}

static bool may_read(const joining *join, int32_t n, int32_t dx) {
    const kfi_plan *plan = join->plan;
    const kfi_formula_node *node = node_at(plan, n);
    const int32_t value = node_at(plan, dx)->out[0].id;
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i].id == value && n < join->first) return false;
        const kf_weight *weight = weight_shown(plan, node->in[i]);
        if (weight && is_written_over(join, weight) && !stands_before(join, n)) return false;
    }
    return true;
}

static bool may_join(const joining *join, int32_t dx) {
    const kfi_plan *plan = join->plan;
    if (!finds_its_inputs(join, node_at(plan, dx))) return false;
    for (int32_t m = join->last; m >= 0; m = plan->chain_before[m])
        if (!finds_its_inputs(join, node_at(plan, m))) return false;
    for (int32_t n = 0; n < plan->formula->n_nodes; n++)
        if (join->alive[n] && n != dx && !in_chain(join, n) && !may_read(join, n, dx)) return false;
    return true;
}

/* --- joining ---------------------------------------------------------------------------------- */

/* dx is made by the chain's first node, and what followed it in a chain of its own goes alone. */
static kf_status join_nodes(const joining *join, int32_t dx) {
    kfi_plan *plan = join->plan;
    const kfi_formula_node *of_x = node_at(plan, dx), *of_w = node_at(plan, join->first);
    const kfi_value in[] = {of_w->in[0], of_w->in[1], of_x->in[1]};
    const kfi_value out[] = {of_w->out[0], of_x->out[0]};
    const kf_status status =
        kfi_formula_join(plan->formula, join->first, "matmul_gradients", in, 3, out, 2);
    if (status != KF_OK) return status;
    const int32_t follower = plan->chain_next[dx];
    if (follower >= 0) plan->chain_before[follower] = -1;
    plan->chain_next[dx] = -1;
    join->alive[dx] = false;
    plan->is_joined[join->first] = true;
    return KF_OK;
}

static kf_status try_chain(const joining *join) {
    const kfi_formula_node *dw = node_at(join->plan, join->first);
    if (!is_product(dw, true, false) || !is_thin(join->plan, dw)) return KF_OK;
    const kf_weight *weight = written(join);
    const int32_t dx = weight ? find_dx(join, weight) : -1;
    return dx >= 0 && may_join(join, dx) ? join_nodes(join, dx) : KF_OK;
}

kf_status kfi_plan_join(kfi_plan *plan, bool *alive) {
    const int64_t n_nodes = plan->formula->n_nodes;
    plan->is_joined = kfi_alloc((size_t)n_nodes, sizeof *plan->is_joined);
    kf_status status = plan->is_joined ? KF_OK : KF_MEMORY;
    for (int32_t n = 0; n < n_nodes && status == KF_OK; n++) {
        if (!alive[n] || plan->chain_before[n] >= 0 || plan->chain_next[n] < 0) continue;
        status = try_chain(&(joining){plan, alive, n, last_of(plan, n)});
    }
    return status;
}
