/* What a layer knows of its calls, with Keras's messages. */
#include "core/layers/layer.h"

/* What one asks of a node: its inputs or its outputs. */
typedef struct side {
    const char *name; /* in messages: "input" */
    const char *none; /* of a layer that was never called */
    int32_t (*count)(const kfi_node *node);
    const kf_tensor *(*tensor)(const kfi_node *node, int32_t index);
} side;

/* An input layer's input is its output: Keras's placeholder. */
static int32_t count_inputs(const kfi_node *node) { return node->n_in > 0 ? node->n_in : 1; }
static const kf_tensor *input(const kfi_node *node, int32_t index) {
    return node->n_in > 0 ? node->in[index] : node->out[0];
}

static int32_t count_outputs(const kfi_node *node) { return node->n_out; }
static const kf_tensor *output(const kfi_node *node, int32_t index) { return node->out[index]; }

static const side inputs = {"input", "is not connected, no input to return.", count_inputs, input};
static const side outputs = {"output", "has no inbound nodes.", count_outputs, output};

static const char *name_of(const kf_layer *layer) {
    return layer->name ? layer->name : layer->class->name;
}

static kf_status check_layer(const kf_layer *layer) {
    if (!layer) return kfi_fail(KF_USAGE, "the layer is NULL");
    if (layer->status == KF_OK || layer->n_nodes > 0) return KF_OK;
    return kfi_fail(layer->status, "%s: %s", name_of(layer),
                    layer->message ? layer->message : "out of memory");
}

int32_t kf_layer_nodes(const kf_layer *layer) { return layer ? (int32_t)layer->n_nodes : 0; }

/* --- nodes ------------------------------------------------------------------------------------ */

/* Node `index`, counted from the end if negative. What is asked for is "input", "output shape"…:
 * the side and what of it. */
static kf_status find_node(const kf_layer *layer, int32_t index, const side *of, const char *what,
                           const kfi_node **node) {
    const kf_status status = check_layer(layer);
    if (status != KF_OK) return status;
    const int64_t count = layer->n_nodes, at = index < 0 ? count + index : index;
    if (count == 0)
        return kfi_fail(KF_USAGE, "The layer has never been called and thus has no defined %s%s.",
                        of->name, what);
    if (at < 0 || at >= count)
        return kfi_fail(KF_USAGE,
                        "Asked to get %s%s at node %d, but the layer has only %lld inbound nodes.",
                        of->name, what, index, (long long)count);
    *node = layer->nodes[at];
    return KF_OK;
}

/* `what` is " mask" or nothing. */
static kf_status refuse_several(const kf_layer *layer, const side *of, const char *what) {
    return kfi_fail(KF_USAGE,
                    "Layer %s has multiple inbound nodes, hence the notion of \"layer %s%s\" is "
                    "ill-defined. Use `get_%s%s_at(node_index)` instead.",
                    name_of(layer), of->name, what, of->name, what[0] ? "_mask" : "");
}

/* --- tensors ---------------------------------------------------------------------------------- */

static kf_tensor *tensor_at(const kf_layer *layer, int32_t index, const side *of) {
    const kfi_node *node = NULL;
    if (find_node(layer, index, of, "", &node) != KF_OK) return NULL;
    return (kf_tensor *)of->tensor(node, 0);
}

static kf_tensor *only_tensor(const kf_layer *layer, const side *of) {
    if (check_layer(layer) != KF_OK) return NULL;
    if (layer->n_nodes == 1) return (kf_tensor *)of->tensor(layer->nodes[0], 0);
    if (layer->n_nodes == 0)
        kfi_fail(KF_USAGE, "Layer %s %s", name_of(layer), of->none);
    else
        refuse_several(layer, of, "");
    return NULL;
}

kf_tensor *kf_layer_output(const kf_layer *layer) { return only_tensor(layer, &outputs); }
kf_tensor *kf_layer_input(const kf_layer *layer) { return only_tensor(layer, &inputs); }

kf_tensor *kf_layer_output_at(const kf_layer *layer, int32_t node) {
    return tensor_at(layer, node, &outputs);
}

kf_tensor *kf_layer_input_at(const kf_layer *layer, int32_t node) {
    return tensor_at(layer, node, &inputs);
}

int32_t kf_layer_node_inputs(const kf_layer *layer, int32_t node) {
    const kfi_node *found = NULL;
    return find_node(layer, node, &inputs, "", &found) == KF_OK ? count_inputs(found) : 0;
}

kf_tensor *kf_layer_node_input(const kf_layer *layer, int32_t node, int32_t index) {
    const kfi_node *found = NULL;
    if (find_node(layer, node, &inputs, "", &found) != KF_OK) return NULL;
    if (index >= 0 && index < count_inputs(found)) return (kf_tensor *)input(found, index);
    kfi_fail(KF_USAGE, "asked for input %d of a call with %d inputs", index, count_inputs(found));
    return NULL;
}

/* --- shapes ----------------------------------------------------------------------------------- */

static bool same_shapes(const kfi_node *a, const kfi_node *b, const side *of) {
    if (of->count(a) != of->count(b)) return false;
    for (int32_t i = 0; i < of->count(a); i++)
        if (!kfi_shape_equal(&of->tensor(a, i)->shape, &of->tensor(b, i)->shape)) return false;
    return true;
}

/* The unbalanced quote is Keras's. */
static kf_status common_shape(const kf_layer *layer, const side *of, kf_shape *shape) {
    const kfi_node *first = NULL;
    const kf_status status = find_node(layer, 0, of, " shape", &first);
    if (status != KF_OK) return status;
    for (int64_t i = 1; i < layer->n_nodes; i++)
        if (!same_shapes(first, layer->nodes[i], of))
            return kfi_fail(KF_USAGE,
                            "The layer \"%s has multiple inbound nodes, with different %s shapes. "
                            "Hence the notion of \"%s shape\" is ill-defined for the layer. Use "
                            "`get_%s_shape_at(node_index)` instead.",
                            name_of(layer), of->name, of->name, of->name);
    *shape = of->tensor(first, 0)->shape;
    return KF_OK;
}

static kf_status shape_at(const kf_layer *layer, int32_t index, const side *of, kf_shape *shape) {
    const kfi_node *node = NULL;
    const kf_status status = find_node(layer, index, of, " shape", &node);
    if (status == KF_OK) *shape = of->tensor(node, 0)->shape;
    return status;
}

kf_status kf_layer_input_shape(const kf_layer *layer, kf_shape *shape) {
    return common_shape(layer, &inputs, shape);
}

kf_status kf_layer_output_shape(const kf_layer *layer, kf_shape *shape) {
    return common_shape(layer, &outputs, shape);
}

kf_status kf_layer_input_shape_at(const kf_layer *layer, int32_t node, kf_shape *shape) {
    return shape_at(layer, node, &inputs, shape);
}

kf_status kf_layer_output_shape_at(const kf_layer *layer, int32_t node, kf_shape *shape) {
    return shape_at(layer, node, &outputs, shape);
}

/* --- masks ------------------------------------------------------------------------------------ */

bool kf_tensor_mask(const kf_tensor *tensor, kf_shape *mask) {
    const bool masked = tensor && tensor->masked;
    if (mask) *mask = masked ? tensor->mask_shape : KFI_SCALAR;
    return masked;
}

static kf_status mask_at(const kf_layer *layer, int32_t index, const side *of, kf_shape *mask) {
    const kfi_node *node = NULL;
    const kf_status status = find_node(layer, index, of, " mask", &node);
    if (status == KF_OK) kf_tensor_mask(of->tensor(node, 0), mask);
    return status;
}

/* Keras says the same of no call as of several. */
static kf_status only_mask(const kf_layer *layer, const side *of, kf_shape *mask) {
    const kf_status status = check_layer(layer);
    if (status != KF_OK) return status;
    return layer->n_nodes == 1 ? mask_at(layer, 0, of, mask) : refuse_several(layer, of, " mask");
}

kf_status kf_layer_input_mask(const kf_layer *layer, kf_shape *mask) {
    return only_mask(layer, &inputs, mask);
}

kf_status kf_layer_output_mask(const kf_layer *layer, kf_shape *mask) {
    return only_mask(layer, &outputs, mask);
}

kf_status kf_layer_input_mask_at(const kf_layer *layer, int32_t node, kf_shape *mask) {
    return mask_at(layer, node, &inputs, mask);
}

kf_status kf_layer_output_mask_at(const kf_layer *layer, int32_t node, kf_shape *mask) {
    return mask_at(layer, node, &outputs, mask);
}
