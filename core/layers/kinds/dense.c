/* Dense: y = activation(x kernel + bias), over the last axis. Inputs of higher rank are folded to
 * (all rows, in) for the product. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_dense_options dense_options;

static const kfi_field fields[] = {
    KFI_FIELD(dense_options, units, "units", kfi_field_integer, .low = 1,
              .help = "numbers in the output"),
    KFI_ACTIVATION_FIELD(dense_options, .otherwise = "linear"),
    KFI_KERNEL_FIELDS(dense_options),
    KFI_FIELDS_END,
};

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const dense_options *options = layer->options;
    const kf_shape *shape = &in[0].shape;
    kf_status status = kfi_input_min_ndim(layer, shape, 2);
    if (status != KF_OK) return status;
    const int64_t in_size = shape->dims[shape->rank - 1];
    if (in_size == KF_ANY)
        return kfi_fail(KF_INVALID, "The last dimension of the inputs to `Dense` should be "
                                    "defined. Found `None`.");
    const kfi_weight_options kernel = {options->kernel_initializer, options->kernel_regularizer,
                                       options->kernel_constraint, false};
    status = kfi_layer_add_weight(layer, "kernel", &KFI_SHAPE(in_size, options->units), &kernel);
    if (status != KF_OK || options->no_bias) return status;
    const kfi_weight_options bias = {options->bias_initializer, options->bias_regularizer,
                                     options->bias_constraint, false};
    return kfi_layer_add_weight(layer, "bias", &KFI_SHAPE(options->units), &bias);
}

static kf_status check_input(const kfi_layer_call *call, const kf_shape *shape) {
    const int64_t in_size = call->layer->weights[0]->shape.dims[0];
    kf_status status = kfi_input_min_ndim(call->layer, shape, 2);
    if (status == KF_OK) status = kfi_input_axis(call->layer, shape, -1, in_size);
    return status == KF_OK ? kfi_input_floats(call) : status;
}

static kf_status call(kfi_layer_call *call) {
    const dense_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    kf_shape shape = kfi_input_shape(call, 0);
    const kf_status status = check_input(call, &shape);
    if (status != KF_OK) return status;

    const int64_t in_size = call->layer->weights[0]->shape.dims[0];
    kfi_value x = call->in[0];
    if (shape.rank > 2) x = kfi_reshape(f, x, &KFI_SHAPE(KF_ANY, in_size)); /* (rows, in) */
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, x, kfi_layer_weight_value(call, 0));
    if (!options->no_bias) y = kfi_emit(f, "bias_add", NULL, y, kfi_layer_weight_value(call, 1));
    y = kfi_activate(f, options->activation, y);
    shape.dims[shape.rank - 1] = options->units;
    call->out[0] = shape.rank > 2 ? kfi_reshape_free(f, y, &shape) : y;
    return KF_OK;
}

const kfi_layer_class kfi_layer_dense = {
    .name = "Dense",
    .fields = fields,
    .options_size = sizeof(dense_options),
    .supports_masking = true,
    .build = build,
    .call = call,
};

kf_layer *kf_dense_create(const kf_dense_options *options) {
    return kfi_layer_new(&kfi_layer_dense, options);
}
