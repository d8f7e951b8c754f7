/* MaxoutDense: y = max_k (x W_k + b_k). All products are one: (batch, in) by (in, k out). */
#include "core/layers/kinds/legacy_options.h"
#include "core/layers/rules.h"

typedef kf_maxout_dense_options maxout_options;

/* Keras has `weights` as the fourth positional argument. */
static const kfi_field fields[] = {
    KFI_FIELD(maxout_options, output_dim, "output_dim", kfi_field_integer, .low = 1, .position = 1,
              .help = "numbers in the output"),
    KFI_INITIALIZER_AT(maxout_options, init, "glorot_uniform", 3),
    KFI_FIELD(maxout_options, nb_feature, "nb_feature", kfi_field_integer, .low = 1,
              .otherwise = "4", .position = 2, .help = "of how many the largest is taken"),
    KFI_LEGACY_FIELDS(maxout_options, 5),
};

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const maxout_options *options = layer->options;
    const kf_shape *shape = &in[0].shape;
    kf_status status = kfi_input_ndim(layer, shape, 2);
    if (status != KF_OK) return status;
    if (shape->dims[1] == KF_ANY)
        return kfi_fail(KF_INVALID, "the last dimension of the inputs must be fixed; got shape %s",
                        kfi_shape_string(shape));
    const kfi_weight_options weight = {options->init, options->W_regularizer, options->W_constraint,
                                       false};
    const kfi_weight_options bias = {NULL, options->b_regularizer, options->b_constraint, false};
    status = kfi_layer_add_weight(
        layer, "W", &KFI_SHAPE(options->nb_feature, shape->dims[1], options->output_dim), &weight);
    if (status != KF_OK || options->no_bias) return status;
    return kfi_layer_add_weight(layer, "b", &KFI_SHAPE(options->nb_feature, options->output_dim),
                                &bias);
}

/* (k, in, out) as (in, k out) */
static kfi_value side_by_side(kfi_formula *f, kfi_value w, const kf_shape *shape) {
    const kfi_transpose order = {{1, 0, 2}};
    return kfi_reshape(f, kfi_emit(f, "transpose", &order, w),
                       &KFI_SHAPE(shape->dims[1], shape->dims[0] * shape->dims[2]));
}

static kf_status call(kfi_layer_call *call) {
    const maxout_options *options = call->layer->options;
    const kf_shape w = call->layer->weights[0]->shape, shape = kfi_input_shape(call, 0);
    const int64_t features = w.dims[0], units = w.dims[2];
    kfi_formula *f = call->formula;
    kf_status status = kfi_input_ndim(call->layer, &shape, 2);
    if (status == KF_OK) status = kfi_input_axis(call->layer, &shape, -1, w.dims[1]);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;

    const kfi_value kernel = side_by_side(f, kfi_layer_weight_value(call, 0), &w);
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, call->in[0], kernel);
    if (!options->no_bias) {
        const kfi_value b =
            kfi_reshape(f, kfi_layer_weight_value(call, 1), &KFI_SHAPE(features * units));
        y = kfi_emit(f, "bias_add", NULL, y, b);
    }
    y = kfi_reshape_free(f, y, &KFI_SHAPE(shape.dims[0], features, units));
    call->out[0] = kfi_emit(f, "reduce_max", &(kfi_reduce){.axes = 2}, y);
    return KF_OK;
}

const kfi_layer_class kfi_layer_maxout_dense = {
    .name = "MaxoutDense",
    .fields = fields,
    .options_size = sizeof(maxout_options),
    .build = build,
    .call = call,
};

kf_layer *kf_maxout_dense_create(const kf_maxout_dense_options *options) {
    return kfi_layer_new(&kfi_layer_maxout_dense, options);
}
