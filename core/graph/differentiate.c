/* Reverse-mode differentiation: walk the nodes backwards; each op writes its derivative as ops;
 * what arrives at a value from several readers is added before it goes on. The order of all
 * additions is the reverse order of writing, so it never depends on who runs what.
 *
 * What segments send back to one value (a weight, mostly) is added as it comes, so that it need not
 * be kept for each of them. In an economical formula the nodes of a segment are written once more
 * when the walk comes to it, and its derivative reads their values instead of those of the way
 * forward; all of that waits for what was written since the segment before (formula.h). */
#include "core/graph/formula_internal.h"

#include "core/base/memory.h"

#include <stdlib.h>
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
    kfi_value *stand_in;       /* by value: itself, or what was computed again */
    int64_t n_segments;        /* those that the walk has not passed */
    kfi_node_range segment;    /* the one it is in; empty: none */
    int64_t phase;             /* the first node written since a segment was begun or entered */
} backward;

static kfi_value emit_derivative(kfi_derivation *derivation, const char *op, const void *attributes,
                                 const kfi_value *in, int n_in, kfi_value *more) {
    const kfi_value simpler = kfi_simplified(derivation->formula, op, attributes, in, n_in);
    if (!kfi_is_none(simpler)) return simpler;
    return kfi_emit_list(derivation->formula, op, attributes, in, n_in, more);
}

/* The node that made a gradient, if it only set a slice's gradient into zeros; else NULL. */
static const kfi_formula_node *unslice_of(const backward *pass, kfi_value gradient) {
    const int32_t maker = pass->formula->values[gradient.id].node;
    if (maker < 0) return NULL;
    const kfi_formula_node *node = &pass->formula->nodes[maker];
    return strcmp(node->op->name, "unslice") == 0 ? node : NULL;
}

/* Whether the value was there before the segment that the walk is in. */
static bool is_outside(const backward *pass, kfi_value value) {
    return pass->segment.first < pass->segment.last &&
           pass->formula->values[value.id].node < pass->segment.first;
}

static void arrive(backward *pass, kfi_value at, kfi_value gradient) {
    arrived *list = &pass->arrived[at.id];
    kfi_value *last = list->count > 0 ? &list->items[list->count - 1] : NULL;
    if (last && is_outside(pass, at) && !unslice_of(pass, *last) && !unslice_of(pass, gradient)) {
        *last = kfi_emit(pass->formula, "add", NULL, *last, gradient);
        return;
    }
    const kf_status status =
        kfi_reserve((void **)&list->items, &list->capacity, list->count, sizeof *list->items);
    if (kfi_formula_fail(pass->formula, status) == KF_OK) list->items[list->count++] = gradient;
}

static int by_start(const void *left, const void *right) {
    const kfi_slice *a = (*(const kfi_formula_node *const *)left)->attributes;
    const kfi_slice *b = (*(const kfi_formula_node *const *)right)->attributes;
    return a->start < b->start ? -1 : a->start > b->start;
}

/* Slices that cover their axis without overlap send back pieces, which need no zeros around them:
 * the sum is one piece after the other. KFI_NONE if that is not so. */
static kfi_value total_of_slices(backward *pass, const arrived *list) {
    const kfi_formula_node **parts = kfi_alloc((size_t)list->count, sizeof *parts);
    kfi_value *pieces = kfi_alloc((size_t)list->count, sizeof *pieces);
    kfi_value sum = KFI_NONE;
    int64_t n = 0;
    while (parts && n < list->count && (parts[n] = unslice_of(pass, list->items[n]))) n++;
    if (parts && pieces && n == list->count) {
        qsort(parts, (size_t)n, sizeof *parts, by_start);
        const kfi_slice *first = parts[0]->attributes;
        int64_t end = 0;
        for (int64_t i = 0; i < n; i++) {
            const kfi_slice *part = parts[i]->attributes;
            const bool goes_on = part->axis == first->axis && part->start == end;
            end = goes_on ? end + part->size : -1; /* no slice starts at -1 */
            pieces[i] = parts[i]->in[0];
        }
        const kfi_slice along = {.axis = first->axis};
        if (end == first->total)
            sum = kfi_emit_list(pass->formula, "concatenate", &along, pieces, (int)n, NULL);
    }
    kfi_free(parts);
    kfi_free(pieces);
    return sum;
}

/* The sum of what arrived, or none. Afterwards the sum stands for its parts. */
static kfi_value total(backward *pass, kfi_value at) {
    arrived *list = &pass->arrived[at.id];
    if (list->count == 0) return KFI_NONE;
    if (list->count > 1) {
        kfi_value sum = unslice_of(pass, list->items[0]) ? total_of_slices(pass, list) : KFI_NONE;
        if (kfi_is_none(sum))
            sum = kfi_emit_list(pass->formula, "add_n", NULL, list->items, (int)list->count, NULL);
        list->items[0] = sum;
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

/* The arrays a derivation needs, in one block: types of inputs and outputs, the values that stand
 * for them now, din, wanted. */
typedef struct workspace {
    kfi_array *types;
    kfi_value *in, *out, *din;
    bool *wanted;
} workspace;

static bool make_workspace(const kfi_formula_node *node, workspace *space) {
    const size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
    space->types = kfi_alloc(1, (n_in + n_out) * (sizeof(kfi_array) + sizeof(kfi_value)) +
                                    n_in * (sizeof(kfi_value) + sizeof(bool)));
    if (!space->types) return false;
    space->in = (kfi_value *)(space->types + n_in + n_out);
    space->out = space->in + n_in;
    space->din = space->out + n_out;
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
        space.in[i] = pass->stand_in[node->in[i].id];
        space.wanted[i] = pass->needed[node->in[i].id];
        space.din[i] = KFI_NONE;
    }
    for (int i = 0; i < node->n_out; i++) {
        space.types[node->n_in + i] = pass->formula->values[node->out[i].id].type;
        space.out[i] = pass->stand_in[node->out[i].id];
    }
    kfi_derivation derivation = {.attributes = node->attributes,
                                 .n_in = node->n_in,
                                 .n_out = node->n_out,
                                 .in = space.in,
                                 .out = space.out,
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

/* --- segments --------------------------------------------------------------------------------- */

static kf_status write_again(backward *pass, const kfi_formula_node *node) {
    kfi_value *in = kfi_alloc((size_t)node->n_in, sizeof *in);
    if (!in) return KF_MEMORY;
    for (int i = 0; i < node->n_in; i++) in[i] = pass->stand_in[node->in[i].id];
    kfi_value out[KFI_OP_MAX_OUTPUTS];
    pass->formula->scope = node->scope;
    pass->formula->scope.direction = KFI_BACKWARD;
    out[0] =
        kfi_emit_list(pass->formula, node->op->name, node->attributes, in, node->n_in, out + 1);
    for (int i = 0; pass->formula->status == KF_OK && i < node->n_out; i++)
        pass->stand_in[node->out[i].id] = out[i];
    kfi_free(in);
    return pass->formula->status;
}

/* What is written from here on waits for all that was written since the last segment was entered,
 * or, if this is the first, since the last one was begun on the way forward. */
static void recompute(backward *pass) {
    kfi_formula *formula = pass->formula;
    const int64_t now = formula->n_nodes;
    formula->hold = (kfi_hold){.after = {pass->phase, now}, .inside = now};
    pass->phase = now;
    for (int64_t n = pass->segment.first; n < pass->segment.last; n++) {
        const kfi_formula_node node = formula->nodes[n]; /* a copy: the array grows meanwhile */
        if (kfi_formula_fail(formula, write_again(pass, &node)) != KF_OK) return;
    }
}

/* Before the derivative of node `n`: enters and leaves segments. */
static void follow_segments(backward *pass, int64_t n) {
    kfi_formula *formula = pass->formula;
    if (pass->segment.first < pass->segment.last && n < pass->segment.first) {
        pass->segment = (kfi_node_range){0, 0};
        formula->hold = (kfi_hold){{0, 0}, 0};
    }
    while (pass->n_segments > 0 && n < formula->segments[pass->n_segments - 1].last) {
        const kfi_node_range next = formula->segments[--pass->n_segments];
        if (n < next.first) continue; /* empty */
        pass->segment = next;
        if (formula->economical) recompute(pass);
    }
}

/* --- the walk --------------------------------------------------------------------------------- */

static kf_status walk_back(backward *pass, kfi_value loss) {
    kfi_formula *formula = pass->formula;
    formula->scope.direction = KFI_BACKWARD;
    arrive(pass, loss, kfi_fill(formula, &formula->values[loss.id].type.shape, 1));
    for (int64_t i = pass->n_nodes - 1; i >= 0 && formula->status == KF_OK; i--) {
        follow_segments(pass, i);
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
    backward pass = {.formula = formula,
                     .n_values = formula->n_values,
                     .n_nodes = formula->n_nodes,
                     .n_segments = formula->n_segments,
                     .phase = formula->n_nodes};
    if (pass.n_segments > 0) pass.phase = formula->segments[pass.n_segments - 1].first;
    pass.needed = kfi_alloc((size_t)pass.n_values, sizeof *pass.needed);
    pass.arrived = kfi_alloc((size_t)pass.n_values, sizeof *pass.arrived);
    pass.stand_in = kfi_alloc((size_t)pass.n_values, sizeof *pass.stand_in);
    if (!pass.needed || !pass.arrived || !pass.stand_in) {
        kfi_formula_fail(formula, KF_MEMORY);
    } else {
        for (int64_t i = 0; i < pass.n_values; i++) pass.stand_in[i] = (kfi_value){(int32_t)i};
        mark_needed(&pass, wrt, n_wrt);
        walk_back(&pass, loss);
        for (int32_t i = 0; i < n_wrt; i++) gradients[i] = total(&pass, wrt[i]);
        for (int64_t i = 0; i < pass.n_values; i++) kfi_free(pass.arrived[i].items);
    }
    kfi_free(pass.needed);
    kfi_free(pass.arrived);
    kfi_free(pass.stand_in);
    formula->scope = scope;
    formula->hold = (kfi_hold){{0, 0}, 0};
    return kfi_formula_status(formula);
}
