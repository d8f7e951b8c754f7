/* Values and nodes of a formula are two growing arrays; a value knows the node that makes it. */
#include "core/graph/formula_internal.h"

#include "core/base/memory.h"

#include <assert.h>
#include <string.h>

kf_status kfi_formula_new(bool symbolic, bool training, kfi_formula **formula) {
    *formula = kfi_alloc(1, sizeof **formula);
    if (!*formula) return KF_MEMORY;
    (*formula)->symbolic = symbolic;
    (*formula)->training = (*formula)->training_run = training;
    (*formula)->random_state = KFI_NONE;
    return KF_OK;
}

void kfi_formula_free(kfi_formula *formula) {
    if (!formula) return;
    for (int64_t i = 0; i < formula->n_nodes; i++) kfi_free(formula->nodes[i].block);
    for (int64_t i = 0; i < formula->n_values; i++) kfi_free(formula->values[i].source);
    kfi_free(formula->nodes);
    kfi_free(formula->values);
    kfi_free(formula->assignments);
    kfi_free(formula->losses);
    kfi_free(formula->keys);
    kfi_free(formula->segments);
    kfi_free(formula);
}

bool kfi_formula_training(const kfi_formula *formula) { return formula->training; }
bool kfi_formula_training_run(const kfi_formula *formula) { return formula->training_run; }
bool kfi_formula_is_random(const kfi_formula *formula) {
    return !kfi_is_none(formula->random_state);
}
bool kfi_formula_symbolic(const kfi_formula *formula) { return formula->symbolic; }
void kfi_formula_be_exact(kfi_formula *formula) { formula->exact = true; }
bool kfi_formula_is_exact(const kfi_formula *formula) { return formula->exact; }

bool kfi_formula_set_training(kfi_formula *formula, bool training) {
    const bool before = formula->training;
    formula->training = training;
    return before;
}

bool kfi_formula_mutes_activity(const kfi_formula *formula) { return formula->mutes_activity; }
bool kfi_formula_mute_activity(kfi_formula *formula, bool mute) {
    const bool before = formula->mutes_activity;
    formula->mutes_activity = mute;
    return before;
}

kf_status kfi_formula_status(const kfi_formula *formula) {
    if (formula->status == KF_OK) return KF_OK;
    return kfi_fail(formula->status, "%s", formula->message);
}

kf_status kfi_formula_fail(kfi_formula *formula, kf_status status) {
    if (status != KF_OK && formula->status == KF_OK) {
        formula->status = status;
        strncpy(formula->message, kf_last_error(), sizeof formula->message - 1);
    }
    return status;
}

kfi_scope kfi_formula_scope(kfi_formula *formula, kfi_scope scope) {
    const kfi_scope before = formula->scope;
    formula->scope = scope;
    return before;
}

const kfi_array *kfi_type(const kfi_formula *formula, kfi_value value) {
    static const kfi_array none;
    return kfi_is_none(value) ? &none : &formula->values[value.id].type;
}

/* --- values ----------------------------------------------------------------------------------- */

static kfi_value add_value(kfi_formula *formula, kfi_formula_value value) {
    if (kfi_formula_fail(formula, kfi_reserve((void **)&formula->values, &formula->values_capacity,
                                              formula->n_values, sizeof value)) != KF_OK)
        return KFI_NONE;
    formula->values[formula->n_values] = value;
    return (kfi_value){(int32_t)formula->n_values++};
}

kfi_value kfi_source(kfi_formula *formula, const char *name, kf_dtype dtype,
                     const kf_shape *shape) {
    if (formula->status != KF_OK) return KFI_NONE;
    char *copy = kfi_strdup(name);
    if (!copy) {
        kfi_formula_fail(formula, KF_MEMORY);
        return KFI_NONE;
    }
    const kfi_value source = add_value(
        formula,
        (kfi_formula_value){.type = {.dtype = dtype, .shape = *shape}, .node = -1, .source = copy});
    if (kfi_is_none(source)) kfi_free(copy);
    return source;
}

static kfi_assignment *find_assignment(const kfi_formula *formula, const kf_weight *weight) {
    for (int64_t i = 0; i < formula->n_assignments; i++)
        if (formula->assignments[i].weight == weight) return &formula->assignments[i];
    return NULL;
}

kfi_value kfi_weight_value(kfi_formula *formula, kf_weight *weight) {
    if (formula->status != KF_OK) return KFI_NONE;
    const kfi_assignment *assigned = find_assignment(formula, weight);
    if (assigned) return assigned->value;
    for (int64_t i = 0; i < formula->n_values; i++)
        if (formula->values[i].weight == weight) return (kfi_value){(int32_t)i};
    return add_value(formula,
                     (kfi_formula_value){.type = {.dtype = KF_FLOAT32, .shape = weight->shape},
                                         .node = -1,
                                         .weight = weight});
}

kfi_value kfi_random_state(kfi_formula *formula) {
    if (kfi_is_none(formula->random_state))
        formula->random_state = kfi_source(formula, "random state", KF_INT64, &KFI_SHAPE(2));
    return formula->random_state;
}

uint32_t kfi_random_stream(kfi_formula *formula) { return formula->n_streams++; }

/* --- ops -------------------------------------------------------------------------------------- */

/* One block for what a node holds: inputs, outputs, attributes. */
static bool allocate_node(kfi_formula_node *node, const kfi_op *op, int n_in, int n_out) {
    const size_t values = sizeof(kfi_value) * (size_t)(n_in + n_out);
    const size_t aligned = (values + 15) / 16 * 16;
    node->block = kfi_alloc(1, aligned + op->attributes_size);
    if (!node->block) return false;
    node->in = node->block;
    node->out = node->in + n_in;
    node->attributes = op->attributes_size ? (char *)node->block + aligned : NULL;
    return true;
}

kf_status kfi_formula_rewrite(kfi_formula *formula, int64_t node, const char *op,
                              const kfi_value *in, int n_in) {
    kfi_formula_node *old = &formula->nodes[node], new = *old;
    new.op = kfi_op_find(op);
    new.n_in = n_in;
    assert(new.op &&new.op->attributes_size == old->op->attributes_size);
    if (!allocate_node(&new, new.op, n_in, old->n_out)) return KF_MEMORY;
    memcpy(new.in, in, (size_t)n_in * sizeof *in);
    memcpy(new.out, old->out, (size_t)old->n_out * sizeof *old->out);
    if (new.attributes) memcpy(new.attributes, old->attributes, new.op->attributes_size);
    kfi_free(old->block);
    *old = new;
    return KF_OK;
}

kf_status kfi_formula_join(kfi_formula *formula, int64_t node, const char *op, const kfi_value *in,
                           int n_in, const kfi_value *out, int n_out) {
    kfi_formula_node *old = &formula->nodes[node], new = *old;
    new.op = kfi_op_find(op);
    new.n_in = n_in;
    new.n_out = n_out;
    assert(new.op &&new.op->attributes_size == 0);
    if (!allocate_node(&new, new.op, n_in, n_out)) return KF_MEMORY;
    memcpy(new.in, in, (size_t)n_in * sizeof *in);
    memcpy(new.out, out, (size_t)n_out * sizeof *out);
    for (int i = 0; i < n_out; i++) formula->values[out[i].id].node = (int32_t)node;
    kfi_free(old->block);
    *old = new;
    return KF_OK;
}

int32_t kfi_viewed(const kfi_formula *formula, int32_t value) {
    int32_t node = formula->values[value].node;
    while (node >= 0 && formula->nodes[node].op->is_view) {
        value = formula->nodes[node].in[0].id;
        node = formula->values[value].node;
    }
    return value;
}

/* Whether a value comes from node `first` or a later one, views looked through. */
static bool is_since(const kfi_formula *formula, kfi_value value, int64_t first) {
    int32_t node = formula->values[value.id].node;
    while (node >= first && formula->nodes[node].op->is_view)
        node = formula->values[formula->nodes[node].in[0].id].node;
    return node >= first;
}

/* What a new node has to wait for: nothing, if something it reads does so already. */
static kfi_node_range held(const kfi_formula *formula, const kfi_value *in, int n_in) {
    const kfi_hold *hold = &formula->hold;
    for (int i = 0; i < n_in && hold->after.first < hold->after.last; i++)
        if (is_since(formula, in[i], hold->inside)) return (kfi_node_range){0, 0};
    return hold->after;
}

static kf_status infer(const kfi_formula *formula, const kfi_op *op, const void *attributes,
                       const kfi_value *in, int n_in, kfi_shaping *shaping) {
    kfi_array *types = kfi_alloc((size_t)n_in, sizeof *types);
    if (!types) return KF_MEMORY;
    for (int i = 0; i < n_in; i++) types[i] = formula->values[in[i].id].type;
    *shaping = (kfi_shaping){.attributes = attributes, .n_in = n_in, .n_out = 1, .in = types};
    const kf_status status = op->infer(shaping);
    shaping->in = NULL;
    kfi_free(types);
    return status;
}

static kf_status emit(kfi_formula *formula, const char *name, const void *attributes,
                      const kfi_value *in, int n_in, kfi_value out[KFI_OP_MAX_OUTPUTS]) {
    const kfi_op *op = kfi_op_find(name);
    if (!op) return kfi_fail(KF_INVALID, "there is no op '%s'", name);
    for (int i = 0; i < n_in; i++)
        if (kfi_is_none(in[i])) return kfi_fail(KF_INVALID, "%s: input %d is missing", name, i);
    kfi_shaping shaping;
    kf_status status = infer(formula, op, attributes, in, n_in, &shaping);
    if (status != KF_OK) return status;
    status = kfi_reserve((void **)&formula->nodes, &formula->nodes_capacity, formula->n_nodes,
                         sizeof *formula->nodes);
    if (status != KF_OK) return status;

    kfi_formula_node node = {.op = op,
                             .after = held(formula, in, n_in),
                             .n_in = n_in,
                             .n_out = shaping.n_out,
                             .scope = formula->scope};
    if (!allocate_node(&node, op, n_in, shaping.n_out)) return KF_MEMORY;
    for (int i = 0; i < n_in; i++) node.in[i] = in[i];
    if (node.attributes) memcpy(node.attributes, attributes, op->attributes_size);
    for (int i = 0; i < node.n_out; i++) {
        out[i] = node.out[i] =
            add_value(formula, (kfi_formula_value){.type = shaping.out[i],
                                                   .node = (int32_t)formula->n_nodes});
        if (kfi_is_none(out[i])) {
            kfi_free(node.block);
            return formula->status;
        }
    }
    formula->nodes[formula->n_nodes++] = node;
    return KF_OK;
}

kfi_value kfi_emit_list(kfi_formula *formula, const char *op, const void *attributes,
                        const kfi_value *in, int n_in, kfi_value *more) {
    kfi_value out[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    if (formula->status == KF_OK)
        kfi_formula_fail(formula, emit(formula, op, attributes, in, n_in, out));
    const int n_out = formula->status == KF_OK ? formula->nodes[formula->n_nodes - 1].n_out : 0;
    for (int i = 1; more && i < n_out; i++) more[i - 1] = out[i];
    return formula->status == KF_OK ? out[0] : KFI_NONE;
}

kfi_value kfi_fill(kfi_formula *formula, const kf_shape *shape, float value) {
    return kfi_emit_list(formula, "fill", &(kfi_shaped){.shape = *shape, .value = value}, NULL, 0,
                         NULL);
}

kfi_value kfi_reshape(kfi_formula *formula, kfi_value x, const kf_shape *shape) {
    return kfi_emit(formula, "reshape", &(kfi_shaped){.shape = *shape}, x);
}

/* --- what a run leaves behind ----------------------------------------------------------------- */

void kfi_assign(kfi_formula *formula, kf_weight *weight, kfi_value value) {
    if (formula->status != KF_OK || formula->symbolic) return;
    if (!kfi_shape_equal(&weight->shape, &kfi_type(formula, value)->shape)) {
        kfi_formula_fail(formula, kfi_fail(KF_INVALID, "%s has shape %s, its new value %s",
                                           weight->name, kfi_shape_string(&weight->shape),
                                           kfi_shape_string(&kfi_type(formula, value)->shape)));
        return;
    }
    kfi_assignment *before = find_assignment(formula, weight);
    if (before)
        before->value = value;
    else if (kfi_formula_fail(formula,
                              kfi_reserve((void **)&formula->assignments,
                                          &formula->assignments_capacity, formula->n_assignments,
                                          sizeof *formula->assignments)) == KF_OK)
        formula->assignments[formula->n_assignments++] = (kfi_assignment){weight, value};
}

void kfi_drop_assignments(kfi_formula *formula) { formula->n_assignments = 0; }

bool kfi_formula_once(kfi_formula *formula, const void *key) {
    for (int64_t i = 0; i < formula->n_keys; i++)
        if (formula->keys[i] == key) return false;
    if (kfi_formula_fail(formula, kfi_reserve((void **)&formula->keys, &formula->keys_capacity,
                                              formula->n_keys, sizeof key)) == KF_OK)
        formula->keys[formula->n_keys++] = key;
    return true;
}

void kfi_add_loss(kfi_formula *formula, kfi_value scalar) {
    if (formula->status == KF_OK &&
        kfi_formula_fail(formula, kfi_reserve((void **)&formula->losses, &formula->losses_capacity,
                                              formula->n_losses, sizeof scalar)) == KF_OK)
        formula->losses[formula->n_losses++] = scalar;
}

int32_t kfi_added_losses(const kfi_formula *formula, const kfi_value **losses) {
    *losses = formula->losses;
    return (int32_t)formula->n_losses;
}
