/* Highway: y = t activation(x W + b) + (1 - t) x,   t = sigmoid(x W_carry + b_carry) */
#include "core/layers/kinds/legacy_options.h"
#include "core/layers/rules.h"

typedef kf_highway_options highway_options;

/* Keras has `weights` as the third positional argument. */
static const kfi_field fields[] = {
    KFI_INITIALIZER_AT(highway_options, init, "glorot_uniform", 1),
    KFI_ACTIVATION_FIELD(highway_options, .otherwise = "linear", .position = 2),
    KFI_LEGACY_FIELDS(highway_options, 4),
};

enum { W, W_CARRY, B, B_CARRY };

/* Penalties and constraints are those of W and b alone. */
static kf_status add_weights(kf_layer *layer, int64_t size) {
    const highway_options *options = layer->options;
    const kf_shape matrix = KFI_SHAPE(size, size), vector = KFI_SHAPE(size);
    const struct {
        const char *name;
        const kf_shape *shape;
        kfi_weight_options weight;
    } rows[] = {
        {"W", &matrix, {options->init, options->W_regularizer, options->W_constraint, false}},
        {"W_carry", &matrix, {.initializer = options->init}},
        {"b", &vector, {NULL, options->b_regularizer, options->b_constraint, false}},
        {"b_carry", &vector, {.initializer = "ones"}},
    };
    kf_status status = KF_OK;
    for (int i = 0; status == KF_OK && i < (options->no_bias ? B : B_CARRY + 1); i++)
        status = kfi_layer_add_weight(layer, rows[i].name, rows[i].shape, &rows[i].weight);
    return status;
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const kf_shape *shape = &in[0].shape;
    const kf_status status = kfi_input_ndim(layer, shape, 2);
    if (status != KF_OK) return status;
    if (shape->dims[1] == KF_ANY)
        return kfi_fail(KF_INVALID, "the last dimension of the inputs must be fixed; got shape %s",
                        kfi_shape_string(shape));
    return add_weights(layer, shape->dims[1]);
}

static kfi_value product(const kfi_layer_call *call, int32_t matrix, int32_t vector) {
    const highway_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kfi_value y =
        kfi_emit(f, "matmul", &(kfi_matmul){0}, call->in[0], kfi_layer_weight_value(call, matrix));
    if (options->no_bias) return y;
    return kfi_emit(f, "bias_add", NULL, y, kfi_layer_weight_value(call, vector));
}

static kf_status call(kfi_layer_call *call) {
    const highway_options *options = call->layer->options;
    const kf_shape shape = kfi_input_shape(call, 0);
    kfi_formula *f = call->formula;
    kf_status status = kfi_input_ndim(call->layer, &shape, 2);
    if (status == KF_OK)
        status = kfi_input_axis(call->layer, &shape, -1, call->layer->weights[W]->shape.dims[0]);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;

    const kfi_value t = kfi_emit(f, "sigmoid", NULL, product(call, W_CARRY, B_CARRY));
    const kfi_value y = kfi_activate(f, options->activation, product(call, W, B));
    const kfi_value rest = kfi_emit(f, "affine", (&(kfi_affine){-1, 1}), t);
    call->out[0] = kfi_emit(f, "add", NULL, kfi_emit(f, "multiply", NULL, y, t),
                            kfi_emit(f, "multiply", NULL, rest, call->in[0]));
    return KF_OK;
}

const kfi_layer_class kfi_layer_highway = {
    .name = "Highway",
    .fields = fields,
    .options_size = sizeof(highway_options),
    .build = build,
    .call = call,
};

kf_layer *kf_highway_create(const kf_highway_options *options) {
    return kfi_layer_new(&kfi_layer_highway, options);
}
