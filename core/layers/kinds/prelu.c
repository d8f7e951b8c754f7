/* PReLU: y = max(x, 0) - alpha max(-x, 0), with a learned alpha for every place of a sample; along
 * shared_axes (which count from 1, as the batch axis is 0) it is one for all. He et al. 2015. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_prelu_options prelu_options;

static const kfi_field fields[] = {
    KFI_INITIALIZER_FIELD(prelu_options, alpha_initializer, "zeros"),
    KFI_REGULARIZER_FIELD(prelu_options, alpha_regularizer),
    KFI_CONSTRAINT_FIELD(prelu_options, alpha_constraint),
    KFI_FIELD(prelu_options, shared_axes, "shared_axes", kfi_field_dims, .otherwise = "None",
              .low = 1, .high = KF_MAX_RANK - 1, .help = "axes with one alpha; 1 is the first"),
    KFI_FIELDS_END,
};

static bool is_shared(const prelu_options *options, int axis) {
    for (int i = 0; i < KF_MAX_RANK && options->shared_axes[i]; i++)
        if (options->shared_axes[i] == axis) return true;
    return false;
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const prelu_options *options = layer->options;
    const kf_shape *shape = &in[0].shape;
    kf_shape alpha = {.rank = shape->rank - 1};
    for (int i = 0; i < KF_MAX_RANK && options->shared_axes[i]; i++)
        if (options->shared_axes[i] >= shape->rank)
            return kfi_fail(KF_INVALID, "shared axis %lld is outside of the input's shape %s",
                            (long long)options->shared_axes[i], kfi_shape_string(shape));
    for (int i = 1; i < shape->rank; i++) {
        alpha.dims[i - 1] = is_shared(options, i) ? 1 : shape->dims[i];
        if (alpha.dims[i - 1] == KF_ANY)
            return kfi_fail(KF_INVALID,
                            "axis %d of the input's shape %s must be fixed or among shared_axes", i,
                            kfi_shape_string(shape));
    }
    const kfi_weight_options weight = {options->alpha_initializer, options->alpha_regularizer,
                                       options->alpha_constraint, false};
    return kfi_layer_add_weight(layer, "alpha", &alpha, &weight);
}

static kf_status check_input(const kfi_layer_call *call) {
    const prelu_options *options = call->layer->options;
    const kf_shape *alpha = &call->layer->weights[0]->shape, shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, alpha->rank + 1);
    for (int i = 1; status == KF_OK && i < shape.rank; i++)
        if (!is_shared(options, i))
            status = kfi_input_axis(call->layer, &shape, i, alpha->dims[i - 1]);
    return status == KF_OK ? kfi_input_floats(call) : status;
}

static kf_status call(kfi_layer_call *call) {
    kfi_formula *f = call->formula;
    const kf_status status = check_input(call);
    if (status != KF_OK) return status;
    const kfi_value x = call->in[0], alpha = kfi_layer_weight_value(call, 0);
    const kfi_value negated = kfi_emit(f, "affine", &(kfi_affine){.scale = -1}, x);
    const kfi_value below = kfi_emit(f, "relu", NULL, negated);
    call->out[0] = kfi_emit(f, "subtract", NULL, kfi_emit(f, "relu", NULL, x),
                            kfi_emit(f, "multiply", NULL, below, alpha));
    return KF_OK;
}

const kfi_layer_class kfi_layer_prelu = {
    .name = "PReLU",
    .fields = fields,
    .options_size = sizeof(prelu_options),
    .supports_masking = true,
    .build = build,
    .call = call,
};

kf_layer *kf_prelu_create(const kf_prelu_options *options) {
    return kfi_layer_new(&kfi_layer_prelu, options);
}
