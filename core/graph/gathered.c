/* Rows of a table that products alone read are gathered by these, block by block, in the cache
 * (ops/gathered_product.c): an embedding's output, several megabytes of it, is nowhere. Both the
 * product of a layer and that of its kernel's gradient may read it so; what the table's own
 * gradient needs does not read it (simplify.c). */
#include "core/graph/plan_internal.h"

#include <string.h>

enum {
    LEAST_COLUMNS = 16,      /* of the product: a vector      */
    MOST_KERNEL = 512 * 1024 /* floats that stay in the cache */
};

typedef struct gathering {
    kfi_plan *plan;
    const bool *alive;
    kfi_value table, ids;
} gathering;

static const kf_shape *shape_of(const kfi_plan *plan, kfi_value value) {
    return &kfi_type(plan->formula, value)->shape;
}

static bool is_result(const kfi_plan *plan, kfi_value value) {
    for (int32_t i = 0; i < plan->n_results; i++)
        if (plan->results[i].id == value.id) return true;
    for (int64_t i = 0; i < plan->formula->n_assignments; i++)
        if (plan->formula->assignments[i].value.id == value.id) return true;
    return false;
}

/* Whether the node reads the table before anything is written over it. */
static bool comes_in_time(const gathering *g, int64_t n) {
    const kfi_formula *formula = g->plan->formula;
    const kf_weight *weight = formula->values[kfi_viewed(formula, g->table.id)].weight;
    for (int64_t a = 0; weight && a < formula->n_assignments; a++)
        if (formula->assignments[a].weight == weight &&
            formula->values[formula->assignments[a].value.id].node < n)
            return false;
    return true;
}

/* Whether node n is a product of the gathered rows, as such, and something else. */
static bool is_product(const gathering *g, int64_t n, kfi_value rows) {
    const kfi_plan *plan = g->plan;
    const kfi_formula_node *node = &plan->formula->nodes[n];
    if (strcmp(node->op->name, "matmul") != 0 || node->in[0].id != rows.id) return false;
    const kfi_matmul *by = node->attributes;
    const int64_t width = shape_of(plan, g->table)->dims[1];
    const int64_t columns = shape_of(plan, node->out[0])->dims[1];
    return !by->transpose_b && node->in[1].id != rows.id &&
           shape_of(plan, rows)->dims[1] == width && columns >= LEAST_COLUMNS &&
           width * columns <= MOST_KERNEL && comes_in_time(g, n);
}

static bool reads(const kfi_formula_node *node, kfi_value value) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i].id == value.id) return true;
    return false;
}

/* Whether products alone read the rows, or other views of them. */
static bool only_products_read(const gathering *g, kfi_value rows) {
    const kfi_formula *formula = g->plan->formula;
    if (is_result(g->plan, rows)) return false;
    for (int64_t n = formula->values[rows.id].node + 1; n < formula->n_nodes; n++) {
        const kfi_formula_node *node = &formula->nodes[n];
        if (!g->alive[n] || !reads(node, rows)) continue;
        const bool is_fine =
            node->op->is_view ? only_products_read(g, node->out[0]) : is_product(g, n, rows);
        if (!is_fine) return false;
    }
    return true;
}

static kf_status fuse_readers(const gathering *g, kfi_value rows) {
    kfi_formula *formula = g->plan->formula;
    kf_status status = KF_OK;
    for (int64_t n = 0; n < formula->n_nodes && status == KF_OK; n++) {
        const kfi_formula_node *node = &formula->nodes[n];
        if (!g->alive[n] || !reads(node, rows)) continue;
        const kfi_value in[] = {g->table, g->ids, node->in[node->n_in - 1]};
        status = node->op->is_view ? fuse_readers(g, node->out[0])
                                   : kfi_formula_rewrite(formula, n, "gathered_product", in, 3);
    }
    return status;
}

kf_status kfi_plan_fuse_gathers(kfi_plan *plan, const bool *alive) {
    const kfi_formula *formula = plan->formula;
    kf_status status = KF_OK;
    for (int64_t n = 0; n < formula->n_nodes && status == KF_OK; n++) {
        const kfi_formula_node *node = &formula->nodes[n];
        if (!alive[n] || strcmp(node->op->name, "gather") != 0) continue;
        if (node->after.first < node->after.last)
            continue; /* its readers would have to wait, too */
        const gathering g = {plan, alive, node->in[0], node->in[1]};
        const kfi_value rows = node->out[0];
        if (only_products_read(&g, rows)) status = fuse_readers(&g, rows);
    }
    return status;
}
