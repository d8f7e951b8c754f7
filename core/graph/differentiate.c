/* Reverse-mode differentiation: walk the nodes backwards; each op writes its derivative as ops;
 * what arrives at a value from several readers is added before it goes on. The order of all
 * additions is the reverse order of writing, so it never depends on who runs what. */
#include "core/graph/formula_internal.h"

#include "core/base/memory.h"

#include <string.h>

/* What has arrived at a value so far. */
typedef struct arrived {
    kfi_value *items;
    int64_t count, capacity;
} arrived;

typedef struct backward {
    kfi_formula *formula;
    int64_t n_values, n_nodes; /* of the forward part */
    bool *needed;              /* the value depends on something asked for */
    arrived *arrived;          /* by value */
} backward;

static kfi_value emit_derivative(kfi_derivation *derivation, const char *op, const void *attributes,
                                 const kfi_value *in, int n_in, kfi_value *more) {
    return kfi_emit_list(derivation->formula, op, attributes, in, n_in, more);
}

static void arrive(backward *pass, kfi_value at, kfi_value gradient) {
    arrived *list = &pass->arrived[at.id];
    const kf_status status =
        kfi_reserve((void **)&list->items, &list->capacity, list->count, sizeof *list->items);
    if (kfi_formula_fail(pass->formula, status) == KF_OK) list->items[list->count++] = gradient;
}

/* The sum of what arrived, or none. Afterwards the sum stands for its parts. */
static kfi_value total(backward *pass, kfi_value at) {
    arrived *list = &pass->arrived[at.id];
    if (list->count == 0) return KFI_NONE;
    if (list->count > 1) {
        list->items[0] =
            kfi_emit_list(pass->formula, "add_n", NULL, list->items, (int)list->count, NULL);
        list->count = 1;
    }
    return list->items[0];
}

static void mark_needed(backward *pass, const kfi_value *wrt, int32_t n_wrt) {
    for (int32_t i = 0; i < n_wrt; i++) pass->needed[wrt[i].id] = true;
    for (int64_t i = 0; i < pass->n_nodes; i++) {
        const kfi_formula_node *node = &pass->formula->nodes[i];
        if (!node->op->gradient) continue;
        bool any = false;
        for (int j = 0; j < node->n_in; j++) any = any || pass->needed[node->in[j].id];
        for (int j = 0; any && j < node->n_out; j++) {
            const kfi_value out = node->out[j];
            if (pass->formula->values[out.id].type.dtype == KF_FLOAT32) pass->needed[out.id] = true;
        }
    }
}

/* The arrays a derivation needs, in one block: types of inputs and outputs, wanted, din. */
typedef struct workspace {
    kfi_array *types;
    kfi_value *din;
    bool *wanted;
} workspace;

static bool make_workspace(const kfi_formula_node *node, workspace *space) {
    const size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
    space->types = kfi_alloc(1, (n_in + n_out) * sizeof(kfi_array) +
                                    n_in * (sizeof(kfi_value) + sizeof(bool)));
    if (!space->types) return false;
    space->din = (kfi_value *)(space->types + n_in + n_out);
    space->wanted = (bool *)(space->din + n_in);
    return true;
}

static kf_status differentiate_node(backward *pass, const kfi_formula_node *node) {
    kfi_value dout[KFI_OP_MAX_OUTPUTS];
    bool any = false;
    for (int i = 0; i < node->n_out; i++) {
        dout[i] = pass->needed[node->out[i].id] ? total(pass, node->out[i]) : KFI_NONE;
        any = any || !kfi_is_none(dout[i]);
    }
    if (!any) return KF_OK;
    workspace space;
    if (!make_workspace(node, &space)) return KF_MEMORY;
    for (int i = 0; i < node->n_in; i++) {
        space.types[i] = pass->formula->values[node->in[i].id].type;
        space.wanted[i] = pass->needed[node->in[i].id];
        space.din[i] = KFI_NONE;
    }
    for (int i = 0; i < node->n_out; i++)
        space.types[node->n_in + i] = pass->formula->values[node->out[i].id].type;
    kfi_derivation derivation = {.attributes = node->attributes,
                                 .n_in = node->n_in,
                                 .n_out = node->n_out,
                                 .in = node->in,
                                 .out = node->out,
                                 .dout = dout,
                                 .in_type = space.types,
                                 .out_type = space.types + node->n_in,
                                 .wanted = space.wanted,
                                 .din = space.din,
                                 .emit = emit_derivative,
                                 .formula = pass->formula};
    const kf_status status = node->op->gradient(&derivation);
    for (int i = 0; status == KF_OK && i < node->n_in; i++)
        if (space.wanted[i] && !kfi_is_none(space.din[i])) arrive(pass, node->in[i], space.din[i]);
    kfi_free(space.types);
    return status;
}

static kf_status walk_back(backward *pass, kfi_value loss) {
    kfi_formula *formula = pass->formula;
    formula->scope.direction = KFI_BACKWARD;
    arrive(pass, loss, kfi_fill(formula, &formula->values[loss.id].type.shape, 1));
    for (int64_t i = pass->n_nodes - 1; i >= 0 && formula->status == KF_OK; i--) {
        const kfi_formula_node node = formula->nodes[i]; /* a copy: the array grows meanwhile */
        formula->scope = node.scope;
        formula->scope.direction = KFI_BACKWARD;
        kfi_formula_fail(formula, differentiate_node(pass, &node));
    }
    return formula->status;
}

kf_status kfi_differentiate(kfi_formula *formula, kfi_value loss, const kfi_value *wrt,
                            int32_t n_wrt, kfi_value *gradients) {
    for (int32_t i = 0; i < n_wrt; i++) gradients[i] = KFI_NONE;
    if (formula->status != KF_OK || n_wrt == 0) return kfi_formula_status(formula);
    const kfi_scope scope = formula->scope;
    backward pass = {formula, formula->n_values, formula->n_nodes, NULL, NULL};
    pass.needed = kfi_alloc((size_t)pass.n_values, sizeof *pass.needed);
    pass.arrived = kfi_alloc((size_t)pass.n_values, sizeof *pass.arrived);
    if (!pass.needed || !pass.arrived) {
        kfi_formula_fail(formula, KF_MEMORY);
    } else {
        mark_needed(&pass, wrt, n_wrt);
        walk_back(&pass, loss);
        for (int32_t i = 0; i < n_wrt; i++) gradients[i] = total(&pass, wrt[i]);
        for (int64_t i = 0; i < pass.n_values; i++) kfi_free(pass.arrived[i].items);
    }
    kfi_free(pass.needed);
    kfi_free(pass.arrived);
    formula->scope = scope;
    return kfi_formula_status(formula);
}
