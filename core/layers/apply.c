/* One call of a layer: into any formula (kfi_layer_invoke), and for the first time, on the user's
 * tensors (kf_apply_list), where a symbolic formula works out the shapes and a node is kept. */
#include "core/base/memory.h"
#include "core/layers/layer.h"
#include "core/layers/penalties.h"
#include "core/layers/rules.h"

#include <ctype.h>
#include <string.h>

/* --- messages --------------------------------------------------------------------------------- */

/* Keras's own messages name the layer in their middle: "… layer dense_1 …". */
static bool names_layer(const char *message, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = strstr(message, "ayer "); at; at = strstr(at + 1, "ayer ")) {
        const unsigned char after = (unsigned char)at[5 + strnlen(at + 5, length)];
        if (strncmp(at + 5, name, length) == 0 && !isalnum(after) && after != '_') return true;
    }
    return false;
}

static const char *name_of(const kf_layer *layer) {
    return layer->name ? layer->name : layer->class->name;
}

/* The layer's name before a message that does not have it. */
static kf_status within(const kf_layer *layer, kf_status status) {
    if (status == KF_OK || (layer->name && names_layer(kf_last_error(), layer->name)))
        return status;
    return kfi_within(status, "%s: ", name_of(layer));
}

void kfi_call_take_arguments(kfi_layer_call *call, const kfi_arguments *arguments) {
    call->training = arguments->training;
    call->gives_mask = arguments->has_mask || arguments->no_mask;
    call->mask = arguments->has_mask ? call->in[call->n_in] : KFI_NONE;
}

/* --- into a formula --------------------------------------------------------------------------- */

static kf_status check_count(const kf_layer *layer, int32_t n_in) {
    const bool one = layer->class->min_inputs == 0 && layer->class->max_inputs == 0;
    const int32_t low = one ? 1 : layer->class->min_inputs;
    const int32_t high = one ? 1 : layer->class->max_inputs;
    if (n_in >= low && (high < 0 || n_in <= high)) return KF_OK;
    return kfi_fail(KF_INVALID, "Layer %s expects %s%d inputs, but it received %d input tensors",
                    layer->name,
                    low == high  ? ""
                    : n_in < low ? "at least "
                                 : "at most ",
                    n_in < low ? low : high, n_in);
}

kf_status kfi_layer_build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    if (layer->built) return KF_OK;
    kf_status status = check_count(layer, n_in);
    if (status == KF_OK && layer->class->build) status = layer->class->build(layer, in, n_in);
    layer->built = status == KF_OK;
    if (status == KF_OK || layer->status != KF_OK) return status;
    layer->status = status; /* half of its weights may be there: it cannot be used again */
    layer->message = kfi_strdup(kf_last_error());
    return within(layer, status);
}

static kf_status check_masks(const kfi_layer_call *call) {
    if (call->layer->class->supports_masking) return KF_OK;
    for (int32_t i = 0; i < call->n_in; i++)
        if (!kfi_is_none(call->in_mask[i]))
            return kfi_fail(KF_INVALID,
                            "Layer %s does not support masking, but was passed an input_mask",
                            call->layer->name);
    return KF_OK;
}

int32_t kfi_layer_constants(const kf_layer *layer) {
    const int64_t *count = layer->class->constants ? layer->class->constants(layer) : NULL;
    return count && *count > 0 ? (int32_t)*count : 0;
}

/* Keras tells that the call of the layer's class has no such parameter. */
static kf_status check_arguments(const kfi_layer_call *call) {
    const kfi_layer_class *class = call->layer->class;
    const char *unknown = call->training != KF_TRAINING_AS_RUN && !class->takes_training
                              ? "training"
                          : call->gives_mask && !class->takes_mask ? "mask"
                                                                   : NULL;
    if (!unknown) return KF_OK;
    return kfi_fail(KF_INVALID, "call() got an unexpected keyword argument '%s': %s takes none",
                    unknown, class->name);
}

/* A mask that a user gives says with anything but 0 that a step counts. */
static void take_mask(kfi_layer_call *call) {
    if (!call->gives_mask || kfi_is_none(call->mask)) return;
    kf_shape shape = kfi_type(call->formula, call->mask)->shape;
    if (shape.rank == KF_MAX_RANK) {
        kfi_formula_fail(call->formula, kfi_fail(KF_INVALID, "a mask has at most %d axes; got %s",
                                                 KF_MAX_RANK - 1, kfi_shape_string(&shape)));
        return;
    }
    shape.dims[shape.rank++] = 1;
    const kfi_value column = kfi_reshape_free(call->formula, call->mask, &shape);
    call->mask = kfi_emit(call->formula, "any_not_equal", &(kfi_shaped){.value = 0}, column);
}

static void preset_outputs(kfi_layer_call *call) {
    const bool passes = call->layer->class->supports_masking && call->n_in > 0;
    call->n_out = 1;
    for (int32_t i = 0; i < KFI_LAYER_MAX_OUTPUTS; i++) call->out[i] = call->out_mask[i] = KFI_NONE;
    if (passes) call->out_mask[0] = call->in_mask[0];
}

/* A frozen model or wrapper freezes what is inside it for the time of its call. */
static void freeze_inner(const kf_layer *layer, int32_t change) {
    kf_layer *const *inner;
    const int32_t n_inner = kfi_layer_frozen(layer) ? kfi_layer_inner(layer, &inner) : 0;
    for (int32_t i = 0; i < n_inner; i++) inner[i]->frozen_around += change;
}

kf_status kfi_layer_invoke(kfi_layer_call *call, int32_t node) {
    kf_layer *const layer = call->layer;
    kfi_formula *const formula = call->formula;
    kf_status status = kfi_formula_status(formula);
    if (status != KF_OK) return status;
    status = check_count(layer, call->n_in);
    if (status == KF_OK) status = check_masks(call);
    if (status == KF_OK) status = check_arguments(call);
    if (status != KF_OK) return kfi_formula_fail(formula, within(layer, status));

    preset_outputs(call);
    take_mask(call);
    const bool learns = kfi_formula_training(formula);
    if (call->training != KF_TRAINING_AS_RUN)
        kfi_formula_set_training(formula, call->training == KF_TRAINING_ON);
    const kfi_scope around =
        kfi_formula_scope(formula, (kfi_scope){.name = layer->name, .call = node});
    freeze_inner(layer, 1);
    status = layer->class->call(call);
    freeze_inner(layer, -1);
    if (status == KF_OK) kfi_penalize_weights(formula, layer);
    for (int32_t i = 0; status == KF_OK && i < call->n_out; i++)
        kfi_penalize_activity(formula, layer, call->out[i]);
    kfi_formula_scope(formula, around);
    kfi_formula_set_training(formula, learns);
    status = status == KF_OK ? kfi_formula_status(formula) : kfi_formula_fail(formula, status);
    return within(layer, status);
}

/* --- onto tensors ----------------------------------------------------------------------------- */

/* One kf_apply: its tensors are the layer's inputs and then the mask, if it is given one. */
typedef struct application {
    kf_layer *layer;
    kf_graph *graph;
    kf_tensor *const *in;
    int32_t n_in;
    kfi_arguments arguments;
} application;

static int32_t count_inputs(const application *apply) {
    return apply->n_in - apply->arguments.has_mask;
}

static kf_graph *find_graph(const kf_layer *layer, kf_tensor *const *in, int32_t n_in) {
    for (int32_t i = 0; in && i < n_in; i++)
        if (in[i] && in[i]->graph) return in[i]->graph;
    return layer ? layer->graph : NULL;
}

/* An applied layer is the graph's. Where there is no memory to tell the graph, a layer that is
 * already owned takes it: a user may apply it again, so it cannot just be freed. */
static kf_status adopt(const application *apply) {
    kf_layer *const layer = apply->layer;
    const kf_status status = kfi_layer_join(layer, apply->graph, NULL);
    for (int32_t i = 0; status != KF_OK && !layer->graph && i < apply->n_in; i++) {
        const kf_tensor *in = apply->in[i];
        if (!in || in->poisoned || in->graph != apply->graph) continue;
        kf_layer *const host = in->node->layer;
        layer->beside = host->adopted;
        host->adopted = layer;
        layer->graph = apply->graph;
    }
    return status;
}

static kf_status check_application(const application *apply) {
    const kf_layer *layer = apply->layer;
    if (count_inputs(apply) < 1)
        return kfi_fail(KF_USAGE, "%s: applied to no tensor", name_of(layer));
    for (int32_t i = 0; i < apply->n_in; i++) {
        if (!apply->in[i]) return kfi_fail(KF_USAGE, "%s: input %d is NULL", name_of(layer), i);
        if (apply->in[i]->graph != apply->graph)
            return kfi_fail(KF_USAGE, "%s: input %d belongs to another graph than input 0",
                            name_of(layer), i);
    }
    if (layer->graph && layer->graph != apply->graph)
        return kfi_fail(KF_USAGE, "%s belongs to another graph than its input", layer->name);
    if (layer->status == KF_OK) return KF_OK;
    kfi_fail(layer->status, "%s", layer->message ? layer->message : "out of memory");
    return layer->name ? within(layer, layer->status) : layer->status;
}

static kf_tensor *find_poisoned(const application *apply) {
    for (int32_t i = 0; i < apply->n_in; i++)
        if (apply->in[i] && apply->in[i]->poisoned) return apply->in[i];
    return NULL;
}

static kf_status build(const application *apply) {
    if (apply->layer->built) return KF_OK;
    kfi_array *types = kfi_alloc((size_t)apply->n_in, sizeof *types);
    if (!types) return KF_MEMORY;
    for (int32_t i = 0; i < apply->n_in; i++)
        types[i] = (kfi_array){.dtype = apply->in[i]->dtype, .shape = apply->in[i]->shape};
    const kf_status status = kfi_layer_build(apply->layer, types, count_inputs(apply));
    kfi_free(types);
    return status;
}

/* A source for each input and each mask. */
static void write_inputs(const application *apply, kfi_formula *formula, kfi_value *in,
                         kfi_value *in_mask) {
    for (int32_t i = 0; i < apply->n_in; i++) {
        const kf_tensor *tensor = apply->in[i];
        in[i] = kfi_source(formula, "input", tensor->dtype, &tensor->shape);
        in_mask[i] = KFI_NONE;
        if (tensor->masked)
            in_mask[i] = kfi_source(formula, "mask", KF_FLOAT32, &tensor->mask_shape);
    }
}

static kf_status fill_node(const application *apply, const kfi_layer_call *call, kfi_node *node) {
    for (int32_t i = 0; i < node->n_in; i++) node->in[i] = apply->in[i];
    node->arguments = apply->arguments;
    node->number = kfi_graph_next_call(apply->graph);
    for (int32_t i = 0; i < node->n_out; i++) {
        const kfi_array *type = kfi_type(call->formula, call->out[i]);
        kf_tensor *out = kfi_tensor_new(apply->graph, node, i, type->dtype, &type->shape);
        if (!out) return KF_MEMORY;
        out->masked = !kfi_is_none(call->out_mask[i]);
        out->mask_shape = kfi_type(call->formula, call->out_mask[i])->shape;
        node->out[i] = out;
    }
    return KF_OK;
}

static void drop_last_node(kf_layer *layer) {
    kfi_node *node = layer->nodes[--layer->n_nodes];
    kfi_free(node->in);
    kfi_free(node->out);
    kfi_free(node);
}

static kf_status write_call(const application *apply, kfi_layer_call *call, kfi_node **node) {
    const kf_status status = kfi_layer_invoke(call, (int32_t)apply->layer->n_nodes);
    if (status != KF_OK) return status;
    *node = kfi_layer_add_node(apply->layer, apply->n_in, call->n_out);
    if (!*node) return KF_MEMORY;
    if (fill_node(apply, call, *node) == KF_OK) return KF_OK;
    drop_last_node(apply->layer);
    return KF_MEMORY;
}

/* Calls the layer in a symbolic formula of its own, which is only needed for the shapes. */
static kf_status call_symbolically(const application *apply, kfi_node **node) {
    kfi_formula *formula;
    kf_status status = kfi_formula_new(true, false, &formula);
    if (status != KF_OK) return status;
    kfi_value *in = kfi_alloc(2 * (size_t)apply->n_in, sizeof *in);
    if (in) {
        kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_mask[KFI_LAYER_MAX_OUTPUTS];
        write_inputs(apply, formula, in, in + apply->n_in);
        kfi_layer_call call = {.layer = apply->layer,
                               .formula = formula,
                               .n_in = count_inputs(apply),
                               .in = in,
                               .in_mask = in + apply->n_in,
                               .out = out,
                               .out_mask = out_mask};
        kfi_call_take_arguments(&call, &apply->arguments);
        status = write_call(apply, &call, node);
    } else {
        status = KF_MEMORY;
    }
    kfi_free(in);
    kfi_formula_free(formula);
    return status;
}

kf_tensor *kfi_layer_apply(kf_layer *layer, kf_tensor *const *inputs, int32_t n_inputs,
                           const kfi_arguments *arguments) {
    const application apply = {layer, find_graph(layer, inputs, n_inputs), inputs,
                               inputs ? n_inputs : 0, *arguments};
    if (!layer) {
        const kf_status status = kfi_fail(KF_USAGE, "kf_apply: the layer is NULL");
        return apply.graph ? kfi_graph_poison(apply.graph, status) : NULL;
    }
    if (!apply.graph) {
        kfi_fail(KF_USAGE, "%s: applied to no tensor", name_of(layer));
        return NULL;
    }
    kf_status status = adopt(&apply);
    kf_tensor *const poisoned = find_poisoned(&apply);
    if (poisoned) return poisoned;
    kfi_node *node = NULL;
    if (status == KF_OK) status = check_application(&apply);
    if (status == KF_OK) status = build(&apply);
    if (status == KF_OK) status = call_symbolically(&apply, &node);
    return status == KF_OK ? node->out[0] : kfi_graph_poison(apply.graph, status);
}

kf_tensor *kf_apply_list(kf_layer *layer, kf_tensor *const *inputs, int32_t n_inputs) {
    return kfi_layer_apply(layer, inputs, n_inputs, &(kfi_arguments){0});
}

/* --- with arguments --------------------------------------------------------------------------- */

static int32_t append(kf_tensor **all, int32_t n, kf_tensor *const *list) {
    for (; list && *list; list++) {
        if (all) all[n] = *list;
        n++;
    }
    return n;
}

/* Inputs, states, constants and the mask in a row; `all` NULL: only counts them. */
static int32_t line_up(kf_tensor **all, kf_tensor *const *inputs, const kf_call_options *options) {
    kf_tensor *const mask[] = {options->mask, NULL};
    int32_t n = append(all, 0, inputs);
    n = append(all, n, options->initial_state);
    n = append(all, n, options->constants);
    return append(all, n, mask);
}

/* A layer keeps how many there are: later calls may have them as plain inputs, and files do. */
static kf_status set_constants(const kf_layer *layer, const kf_call_options *options) {
    const int32_t n = append(NULL, 0, options->constants);
    int64_t *count = layer->class->constants ? layer->class->constants(layer) : NULL;
    if (n == 0) return KF_OK;
    if (!count)
        return kfi_fail(KF_INVALID, "%s: call() got an unexpected keyword argument 'constants'",
                        name_of(layer));
    *count = n;
    return KF_OK;
}

static kf_status check_options(const kf_layer *layer, const kf_call_options *options) {
    if (options->training < KF_TRAINING_AS_RUN || options->training > KF_TRAINING_OFF)
        return kfi_fail(KF_USAGE, "%s: training must be KF_TRAINING_ON, _OFF or _AS_RUN; got %d",
                        name_of(layer), (int)options->training);
    if (options->mask && options->no_mask)
        return kfi_fail(KF_USAGE, "%s: mask and no_mask exclude each other", name_of(layer));
    return set_constants(layer, options);
}

kf_tensor *kf_call_create(kf_layer *layer, kf_tensor *const *inputs,
                          const kf_call_options *options) {
    kf_call_options own = {0};
    if (options) memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    if (!layer) return kf_apply_list(NULL, inputs, line_up(NULL, inputs, &(kf_call_options){0}));
    const int32_t n = line_up(NULL, inputs, &own);
    kf_tensor **all = kfi_alloc((size_t)n + 1, sizeof *all);
    kf_status status = all ? check_options(layer, &own) : KF_MEMORY;
    kf_tensor *out;
    if (status == KF_OK) {
        line_up(all, inputs, &own);
        const kfi_arguments arguments = {own.training, own.mask != NULL, own.no_mask};
        out = kfi_layer_apply(layer, all, n, &arguments);
    } else {
        const int32_t n_inputs = line_up(NULL, inputs, &(kf_call_options){0});
        const application apply = {layer, find_graph(layer, inputs, n_inputs), inputs, n_inputs,
                                   (kfi_arguments){0}};
        out = apply.graph ? kfi_graph_poison(apply.graph, status) : NULL;
        if (apply.graph) adopt(&apply); /* the graph's, as after any call */
    }
    kfi_free(all);
    return out;
}
