/* What a layer knows of its calls, with Keras's messages. */
#include "core/layers/layer.h"

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

/* Node `index`, counted from the end if negative; `what` is "output" or "input". */
static const kfi_node *node_at(const kf_layer *layer, int32_t index, const char *what) {
    if (check_layer(layer) != KF_OK) return NULL;
    const int64_t count = layer->n_nodes, at = index < 0 ? count + index : index;
    if (count == 0)
        kfi_fail(KF_USAGE, "The layer has never been called and thus has no defined %s.", what);
    else if (at < 0 || at >= count)
        kfi_fail(KF_USAGE, "Asked to get %s at node %d, but the layer has only %lld inbound nodes.",
                 what, index, (long long)count);
    else
        return layer->nodes[at];
    return NULL;
}

/* The only node; `none` completes Keras's message for a layer that was never called. */
static const kfi_node *only_node(const kf_layer *layer, const char *what, const char *none) {
    if (check_layer(layer) != KF_OK) return NULL;
    if (layer->n_nodes == 1) return layer->nodes[0];
    if (layer->n_nodes == 0)
        kfi_fail(KF_USAGE, "Layer %s %s", name_of(layer), none);
    else
        kfi_fail(KF_USAGE,
                 "Layer %s has multiple inbound nodes, hence the notion of \"layer %s\" is "
                 "ill-defined. Use `get_%s_at(node_index)` instead.",
                 name_of(layer), what, what);
    return NULL;
}

static kf_tensor *first_output(const kfi_node *node) { return node ? node->out[0] : NULL; }

/* An input layer's input is its output: Keras's placeholder. */
static kf_tensor *first_input(const kfi_node *node) {
    if (!node) return NULL;
    return node->n_in > 0 ? node->in[0] : node->out[0];
}

kf_tensor *kf_layer_output(const kf_layer *layer) {
    return first_output(only_node(layer, "output", "has no inbound nodes."));
}

kf_tensor *kf_layer_input(const kf_layer *layer) {
    return first_input(only_node(layer, "input", "is not connected, no input to return."));
}

kf_tensor *kf_layer_output_at(const kf_layer *layer, int32_t node) {
    return first_output(node_at(layer, node, "output"));
}

kf_tensor *kf_layer_input_at(const kf_layer *layer, int32_t node) {
    return first_input(node_at(layer, node, "input"));
}
