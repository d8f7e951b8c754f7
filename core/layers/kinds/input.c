/* InputLayer: where a model's data comes in. It is made together with its only tensor, by
 * kf_input; called again, it hands its input through. */
#include "core/base/memory.h"
#include "core/layers/layer.h"

#include <string.h>

typedef struct input_options {
    KF_LAYER_OPTIONS;
    int64_t batch_input_shape[KF_MAX_RANK];
    const char *dtype;
    bool sparse;
} input_options;

static const kfi_field fields[] = {
    KFI_FIELD(input_options, batch_input_shape, "batch_input_shape", kfi_field_shape, .low = -1,
              .high = 1e15, .help = "the shape with the batch axis; None: not fixed"),
    KFI_FIELD(input_options, dtype, "dtype", kfi_field_choice, .otherwise = "float32",
              .choices = "float32|int32", .help = "what the numbers are"),
    KFI_FIELD(input_options, sparse, "sparse", kfi_field_bool, .otherwise = "False",
              .help = "a sparse placeholder; only False"),
    KFI_FIELDS_END,
};

static kf_status check(const kf_layer *layer) {
    const input_options *options = layer->options;
    if (options->sparse) return kfi_fail(KF_INVALID, "sparse inputs are not supported");
    return KF_OK;
}

static kf_status call(kfi_layer_call *call) {
    call->out[0] = call->in[0];
    return KF_OK;
}

const kfi_layer_class kfi_layer_input = {
    .name = "InputLayer",
    .fields = fields,
    .options_size = sizeof(input_options),
    .supports_masking = true,
    .check = check,
    .call = call,
};

/* The user's options as those of the layer. */
static kf_status translate(const kf_input_options *from, input_options *to) {
    *to = (input_options){.size = sizeof *to, .name = from->name, .dtype = from->dtype};
    if (from->batch_size < 0)
        return kfi_fail(KF_INVALID, "batch_size must be at least 0; got %lld",
                        (long long)from->batch_size);
    to->batch_input_shape[0] = from->batch_size ? from->batch_size : KF_ANY;
    for (int i = 0; i < KF_MAX_RANK && from->shape[i]; i++) {
        if (i + 1 == KF_MAX_RANK)
            return kfi_fail(KF_INVALID, "a shape has at most %d axes besides the batch",
                            KF_MAX_RANK - 1);
        if (from->shape[i] < KF_ANY)
            return kfi_fail(KF_INVALID, "shape[%d] must be at least 1, or KF_ANY; got %lld", i,
                            (long long)from->shape[i]);
        to->batch_input_shape[i + 1] = from->shape[i];
    }
    return KF_OK;
}

static kf_status add_tensor(kf_layer *layer, kf_graph *graph, kf_tensor **tensor) {
    const input_options *options = layer->options;
    const kf_dtype dtype = strcmp(options->dtype, "int32") == 0 ? KF_INT32 : KF_FLOAT32;
    kf_shape shape = {0};
    while (shape.rank < KF_MAX_RANK && options->batch_input_shape[shape.rank]) {
        shape.dims[shape.rank] = options->batch_input_shape[shape.rank];
        shape.rank++;
    }
    layer->built = true;
    kfi_node *node = kfi_layer_add_node(layer, 0, 1);
    if (!node) return KF_MEMORY;
    node->number = kfi_graph_next_call(graph);
    node->out[0] = *tensor = kfi_tensor_new(graph, node, 0, dtype, &shape);
    return *tensor ? KF_OK : KF_MEMORY;
}

static kf_status make_input(kf_graph *graph, const kf_input_options *options, kf_tensor **tensor) {
    input_options own;
    kf_status status = translate(options, &own);
    if (status != KF_OK) return kfi_within(status, "%s: ", options->name ? options->name : "Input");
    kf_layer *layer = kfi_layer_new(&kfi_layer_input, &own);
    status = layer->status;
    if (status == KF_OK) status = kfi_layer_join(layer, graph, "input");
    if (status != KF_OK) {
        kf_layer_free(layer);
        return status;
    }
    return add_tensor(layer, graph, tensor);
}

kf_tensor *kf_input_create(kf_graph *graph, const kf_input_options *options) {
    if (!graph) {
        kfi_fail(KF_USAGE, "kf_input: the graph is NULL");
        return NULL;
    }
    if (!options)
        return kfi_graph_poison(graph, kfi_fail(KF_USAGE, "kf_input: the options are NULL"));
    kf_tensor *tensor = NULL;
    const kf_status status = make_input(graph, options, &tensor);
    return status == KF_OK ? tensor : kfi_graph_poison(graph, status);
}
