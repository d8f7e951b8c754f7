/* Pieces: values that are written where a concatenation wants them, so that it copies nothing.
 *
 * Along the first axis that is longer than 1 a piece is one run of the whole: it just lives there.
 * Along a later one its rows stand apart, and no kernel knows of that. There the last part of a
 * chain puts what a tile has finished, out of the worker's scratch, into its rows; and an
 * element-wise op that reads the piece has a tile's share of it fetched into the scratch. Both are
 * copies within the cache, of what goes through it anyway. So such a piece must be
 *   - made by a chain (or one step) whose tiles say what they finish, and that ends there; not by
 *     another concatenation, which takes no part in that;
 *   - read, besides by the concatenation, by element-wise ops only;
 *   - no result of the plan, and large enough that a copy costs more than a step.
 * All other values are copied by the concatenation, as the kernel does it. */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <string.h>

enum { LEAST_BYTES = 64 * 1024 };

/* A concatenation while its inputs are looked at. */
typedef struct joining {
    kfi_plan *plan;
    const bool *alive;
    int32_t node;
    kfi_piece next; /* where its next input would live */
} joining;

static const kfi_array *type_of(const kfi_plan *plan, int32_t value) {
    return &plan->formula->values[value].type;
}

static bool is_result(const kfi_plan *plan, int32_t value) {
    for (int32_t i = 0; i < plan->n_results; i++)
        if (plan->results[i].id == value) return true;
    return false;
}

static bool is_assigned(const kfi_plan *plan, int32_t value) {
    for (int64_t i = 0; i < plan->formula->n_assignments; i++)
        if (plan->formula->assignments[i].value.id == value) return true;
    return false;
}

/* Whether the value is made by a step, once, and for nobody outside. */
static bool is_free(const kfi_plan *plan, int32_t value) {
    const int32_t node = plan->formula->values[value].node;
    return node >= 0 && plan->pieces[value].whole < 0 && !is_result(plan, value) &&
           !is_assigned(plan, value);
}

static bool is_concatenate(const kfi_formula_node *node) {
    return strcmp(node->op->name, "concatenate") == 0;
}

/* A concatenation that has pieces of its own stays where it is. */
static bool has_pieces(const kfi_plan *plan, const kfi_formula_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        const int32_t value = kfi_viewed(plan->formula, node->in[i].id);
        if (plan->pieces[value].whole == node->out[0].id) return true;
    }
    return false;
}

/* --- pieces whose rows stand apart ------------------------------------------------------------ */

static bool is_made_by_tiles(const kfi_plan *plan, int32_t value) {
    const int32_t node = plan->formula->values[value].node;
    if (plan->formula->nodes[node].out[0].id != value || plan->chain_next[node] >= 0) return false;
    return kfi_step_local_floats(&plan->steps[plan->step_of_node[node]]) >= 0;
}

static bool reads(const kfi_formula_node *node, int32_t value) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i].id == value) return true;
    return false;
}

/* Whether a node can read a value element by element, as its tiles come to it. */
static bool reads_by_elements(const kfi_plan *plan, int32_t n, int32_t value) {
    const kfi_formula_node *node = &plan->formula->nodes[n];
    if (!node->op->element_wise || node->n_in > KFI_CHAIN_INPUTS) return false;
    const kf_shape *read = &type_of(plan, value)->shape;
    const kf_shape *made = &type_of(plan, node->out[0].id)->shape;
    return kfi_shape_count(read) == kfi_shape_count(made) &&
           kfi_step_local_floats(&plan->steps[plan->step_of_node[n]]) >= 0;
}

static bool can_stand_apart(const joining *join, int32_t value) {
    const kfi_plan *plan = join->plan;
    const kfi_array *type = type_of(plan, value);
    if (type->dtype != KF_FLOAT32 || kfi_array_bytes(type) < LEAST_BYTES) return false;
    if (!is_made_by_tiles(plan, value)) return false;
    for (int32_t n = 0; n < plan->formula->n_nodes; n++) {
        const kfi_formula_node *node = &plan->formula->nodes[n];
        if (!join->alive[n] || n == join->node || !reads(node, value)) continue;
        if (node->op->is_view || !reads_by_elements(plan, n, value)) return false;
    }
    return true;
}

/* --- finding ---------------------------------------------------------------------------------- */

static bool is_read_once(const kfi_plan *plan, const kfi_formula_node *node, int32_t value) {
    int n = 0;
    for (int i = 0; i < node->n_in; i++) n += kfi_viewed(plan->formula, node->in[i].id) == value;
    return n == 1;
}

/* The value that becomes a piece if input i is to be one; -1 if it cannot. */
static int32_t piece_of_input(const joining *join, int i) {
    const kfi_plan *plan = join->plan;
    const kfi_formula_node *node = &plan->formula->nodes[join->node];
    const int32_t read = node->in[i].id, value = kfi_viewed(plan->formula, read);
    if (!is_free(plan, value) || is_result(plan, read) || !is_read_once(plan, node, value))
        return -1;
    const kfi_formula_node *maker = &plan->formula->nodes[plan->formula->values[value].node];
    const bool is_apart = kfi_piece_is_apart(&join->next);
    if (is_concatenate(maker) && (is_apart || has_pieces(plan, maker))) return -1;
    if (!is_apart) return value;
    return value == read && can_stand_apart(join, value) ? value : -1;
}

/* The concatenation has less to copy. */
static void lighten(kfi_step *step, const kfi_array *piece) {
    step->cost.bytes -= 2 * (double)kfi_array_bytes(piece);
}

static void find_pieces_of(joining *join) {
    kfi_plan *plan = join->plan;
    const kfi_formula_node *node = &plan->formula->nodes[join->node];
    const kf_shape *shape = &type_of(plan, node->out[0].id)->shape;
    const int32_t axis = ((const kfi_slice *)node->attributes)->axis;
    kfi_step *step = &plan->steps[plan->step_of_node[join->node]];
    const int64_t rows = kfi_shape_product(shape, 0, axis);
    join->next.stride = kfi_shape_product(shape, axis, shape->rank);
    int copied = 0;
    for (int i = 0; i < node->n_in; i++) {
        const kfi_array *type = type_of(plan, node->in[i].id);
        join->next.width = kfi_shape_product(&type->shape, axis, shape->rank);
        const int64_t after = join->next.first + join->next.width;
        if (rows == 1) join->next.width = join->next.stride; /* one run */
        const int32_t value = piece_of_input(join, i);
        if (value >= 0) {
            plan->pieces[value] = join->next;
            lighten(step, type);
        }
        copied += value < 0;
        join->next.first = after;
    }
    if (copied == 0) step->tiles[0] = 1;
}

static bool takes_pieces(const kfi_plan *plan, int32_t n) {
    const kfi_formula_node *node = &plan->formula->nodes[n];
    if (!is_concatenate(node) || plan->chain_next[n] >= 0 || plan->chain_before[n] >= 0)
        return false;
    return kfi_shape_count(&type_of(plan, node->out[0].id)->shape) > 0 &&
           !is_assigned(plan, node->out[0].id);
}

kf_status kfi_plan_find_pieces(kfi_plan *plan, const bool *alive) {
    const kfi_formula *formula = plan->formula;
    plan->pieces = kfi_alloc((size_t)formula->n_values, sizeof *plan->pieces);
    if (!plan->pieces) return KF_MEMORY;
    for (int64_t v = 0; v < formula->n_values; v++) plan->pieces[v].whole = -1;
    for (int32_t n = 0; n < formula->n_nodes; n++) {
        if (!alive[n] || !takes_pieces(plan, n)) continue;
        joining join = {.plan = plan, .alive = alive, .node = n};
        join.next.whole = formula->nodes[n].out[0].id;
        if (plan->pieces[join.next.whole].whole < 0) find_pieces_of(&join);
    }
    return KF_OK;
}

/* --- ferries ---------------------------------------------------------------------------------- */

static size_t rounded(int64_t floats) { return ((size_t)floats * sizeof(float) + 63) / 64 * 64; }

static void add_ferry(const kfi_plan *plan, kfi_step *step, int32_t part, int32_t input,
                      kfi_value value) {
    const kfi_piece *piece = &plan->pieces[value.id];
    if (!kfi_piece_is_apart(piece)) return;
    kfi_ferry *ferry = &step->ferries[step->n_ferries++];
    *ferry = (kfi_ferry){.part = part, .input = input, .piece = *piece};
    if (input < 0) return;
    ferry->local_at = (int64_t)step->scratch_bytes;
    step->scratch_bytes += rounded(kfi_step_local_floats(step));
}

static int32_t count_operands(const kfi_plan *plan, const kfi_step *step) {
    int32_t n = 0;
    for (int32_t p = 0; p < step->n_parts; p++) {
        const kfi_formula_node *node = &plan->formula->nodes[step->parts[p].node];
        for (int i = 0; i < node->n_in; i++) n += kfi_piece_is_apart(&plan->pieces[node->in[i].id]);
        n += kfi_piece_is_apart(&plan->pieces[node->out[0].id]);
    }
    return n;
}

/* The concatenation itself skips its pieces, so it needs none of them. */
static kf_status find_ferries(kfi_plan *plan, kfi_step *step) {
    if (is_concatenate(&plan->formula->nodes[step->parts[0].node])) return KF_OK;
    const int32_t n = count_operands(plan, step);
    if (n == 0) return KF_OK;
    step->ferries = kfi_alloc((size_t)n, sizeof *step->ferries);
    if (!step->ferries) return KF_MEMORY;
    for (int32_t p = 0; p < step->n_parts; p++) {
        const kfi_formula_node *node = &plan->formula->nodes[step->parts[p].node];
        for (int i = 0; i < node->n_in; i++) add_ferry(plan, step, p, i, node->in[i]);
        add_ferry(plan, step, p, -1, node->out[0]);
    }
    if (step->scratch_bytes > plan->scratch_bytes) plan->scratch_bytes = step->scratch_bytes;
    return KF_OK;
}

kf_status kfi_plan_ferry(kfi_plan *plan) {
    kf_status status = KF_OK;
    for (int32_t s = 0; s < plan->n_steps && status == KF_OK; s++)
        status = find_ferries(plan, &plan->steps[s]);
    return status;
}

/* --- copying ---------------------------------------------------------------------------------- */

/* What is asked for ahead: hardware does not foresee where the next row begins, and brings in the
 * rows of other pieces. (Measured for rows of 256 bytes: half of that and twice are slower.) */
enum { AHEAD = 2048, LINE = 64 / (int)sizeof(float) };

static int64_t ahead(const kfi_piece *piece) {
    return (AHEAD + piece->width - 1) / piece->width * piece->stride;
}

/* The first stretch of a span that lies within one row: its elements, and where they stand. */
static int64_t first_stretch(const kfi_piece *piece, kfi_span span, int64_t *at) {
    const int64_t row = span.begin / piece->width, column = span.begin % piece->width;
    const int64_t left = piece->width - column, wanted = span.end - span.begin;
    *at = row * piece->stride + column;
    return left < wanted ? left : wanted;
}

void kfi_piece_fetch(const kfi_piece *piece, const float *rows, kfi_span span, float *run) {
    for (int64_t at, n; span.begin < span.end; span.begin += n, run += n) {
        n = first_stretch(piece, span, &at);
        const float *next = rows + at + ahead(piece);
        for (int64_t i = 0; i < n; i += LINE) __builtin_prefetch(next + i, 0, 0);
        memcpy(run, rows + at, (size_t)n * sizeof *run);
    }
}

void kfi_piece_put(const kfi_piece *piece, const float *run, kfi_span span, float *rows) {
    for (int64_t at, n; span.begin < span.end; span.begin += n, run += n) {
        n = first_stretch(piece, span, &at);
        const float *next = rows + at + ahead(piece);
        for (int64_t i = 0; i < n; i += LINE) __builtin_prefetch(next + i, 1);
        memcpy(rows + at, run, (size_t)n * sizeof *run);
    }
}
