/* BatchNormalization: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, over all axes but
 * one; the mean and (biased) variance of the batch in training, moving averages otherwise.
 * Ioffe and Szegedy 2015.
 *
 *     moving = moving momentum + value (1 - momentum)
 *
 * where value is the batch's mean, and its variance times n / (n - (1 + epsilon)), n elements being
 * averaged. As in Keras 2.2.4 a frozen layer still normalises by the batch in training, but leaves
 * the moving averages alone. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_batch_normalization_options norm_options;

static const kfi_field fields[] = {
    KFI_FIELD(norm_options, axis, "axis", kfi_field_integer, .otherwise = "-1",
              .help = "the axis that is not averaged over"),
    KFI_FIELD(norm_options, momentum, "momentum", kfi_field_real, .otherwise = "0.99",
              .help = "of the moving averages"),
    KFI_FIELD(norm_options, epsilon, "epsilon", kfi_field_real, .otherwise = "0.001", .low = 0,
              .high = 1e30, .help = "added to the variance"),
    KFI_FIELD(norm_options, no_center, "center", kfi_field_not, .otherwise = "True",
              .help = "add beta"),
    KFI_FIELD(norm_options, no_scale, "scale", kfi_field_not, .otherwise = "True",
              .help = "multiply by gamma"),
    KFI_INITIALIZER_FIELD(norm_options, beta_initializer, "zeros"),
    KFI_INITIALIZER_FIELD(norm_options, gamma_initializer, "ones"),
    KFI_INITIALIZER_FIELD(norm_options, moving_mean_initializer, "zeros"),
    KFI_INITIALIZER_FIELD(norm_options, moving_variance_initializer, "ones"),
    KFI_REGULARIZER_FIELD(norm_options, beta_regularizer),
    KFI_REGULARIZER_FIELD(norm_options, gamma_regularizer),
    KFI_CONSTRAINT_FIELD(norm_options, beta_constraint),
    KFI_CONSTRAINT_FIELD(norm_options, gamma_constraint),
    KFI_FIELDS_END,
};

/* Weights in Keras's order: gamma and beta where there are, then the averages. */
static int32_t mean_index(const norm_options *options) {
    return !options->no_scale + !options->no_center;
}

static kf_status add_weights(kf_layer *layer, const kf_shape *shape) {
    const norm_options *options = layer->options;
    const struct {
        const char *name;
        kfi_weight_options weight;
        bool absent;
    } rows[] = {
        {"gamma",
         {options->gamma_initializer, options->gamma_regularizer, options->gamma_constraint, false},
         options->no_scale},
        {"beta",
         {options->beta_initializer, options->beta_regularizer, options->beta_constraint, false},
         options->no_center},
        {"moving_mean", {.initializer = options->moving_mean_initializer, .frozen = true}, false},
        {"moving_variance",
         {.initializer = options->moving_variance_initializer, .frozen = true},
         false},
    };
    kf_status status = KF_OK;
    for (size_t i = 0; status == KF_OK && i < sizeof rows / sizeof *rows; i++)
        if (!rows[i].absent)
            status = kfi_layer_add_weight(layer, rows[i].name, shape, &rows[i].weight);
    return status;
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const norm_options *options = layer->options;
    const kf_shape *shape = &in[0].shape;
    const int axis = kfi_axis(options->axis, shape->rank);
    if (axis < 0)
        return kfi_fail(KF_INVALID, "axis %lld is outside of the input's shape %s",
                        (long long)options->axis, kfi_shape_string(shape));
    if (shape->dims[axis] == KF_ANY)
        return kfi_fail(KF_INVALID,
                        "Axis %lld of input tensor should have a defined dimension but the layer "
                        "received an input with shape %s.",
                        (long long)options->axis, kfi_shape_string(shape));
    return add_weights(layer, &KFI_SHAPE(shape->dims[axis]));
}

/* Elements that one mean is taken of; 0 while shapes are not fixed. */
static int64_t averaged(const kf_shape *shape, int axis) {
    kf_shape others = *shape;
    others.dims[axis] = 1;
    const int64_t count = kfi_shape_count(&others);
    return count < 0 ? 0 : count;
}

static void move_average(kfi_layer_call *call, int32_t index, kfi_value value, float factor) {
    const norm_options *options = call->layer->options;
    const kfi_moving_average moving = {.momentum = (float)options->momentum, .factor = factor};
    const kfi_value next = kfi_emit(call->formula, "moving_average", &moving,
                                    kfi_layer_weight_value(call, index), value);
    kfi_assign(call->formula, call->layer->weights[index], next);
}

static void normalize_by_batch(kfi_layer_call *call, int axis, kfi_value gamma, kfi_value beta) {
    const norm_options *options = call->layer->options;
    const kf_shape shape = kfi_input_shape(call, 0);
    const kfi_batch_norm norm = {.axis = axis, .epsilon = (float)options->epsilon};
    const kfi_value in[] = {call->in[0], gamma, beta};
    kfi_value more[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    call->out[0] = kfi_emit_list(call->formula, "batch_norm", &norm, in, 3, more);
    if (kfi_layer_frozen(call->layer) || !kfi_formula_training_run(call->formula)) return;
    const double n = (double)averaged(&shape, axis);
    const double unbiased = n > 0 ? n / (n - (1 + options->epsilon)) : 1;
    const int32_t mean = mean_index(options);
    move_average(call, mean, more[0], 1);
    move_average(call, mean + 1, more[1], (float)unbiased);
}

static void normalize_by_averages(kfi_layer_call *call, int axis, kfi_value gamma, kfi_value beta) {
    const norm_options *options = call->layer->options;
    const kfi_batch_norm norm = {.axis = axis, .epsilon = (float)options->epsilon};
    const int32_t mean = mean_index(options);
    const kfi_value moving_mean = kfi_layer_weight_value(call, mean);
    const kfi_value moving_variance = kfi_layer_weight_value(call, mean + 1);
    call->out[0] = kfi_emit(call->formula, "batch_norm_inference", &norm, call->in[0], gamma, beta,
                            moving_mean, moving_variance);
}

static kf_status call(kfi_layer_call *call) {
    const norm_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kf_shape shape = kfi_input_shape(call, 0);
    const kf_shape per_channel = call->layer->weights[0]->shape;
    kf_status status = kfi_input_axis(call->layer, &shape, (int)options->axis, per_channel.dims[0]);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;

    const int axis = kfi_axis(options->axis, shape.rank);
    const kfi_value gamma =
        options->no_scale ? kfi_fill(f, &per_channel, 1) : kfi_layer_weight_value(call, 0);
    const kfi_value beta = options->no_center ? kfi_fill(f, &per_channel, 0)
                                              : kfi_layer_weight_value(call, !options->no_scale);
    if (kfi_formula_training(f))
        normalize_by_batch(call, axis, gamma, beta);
    else
        normalize_by_averages(call, axis, gamma, beta);
    return KF_OK;
}

/* Every sample takes part in the mean. */
static bool whole_batch(const kf_layer *layer) {
    (void)layer;
    return true;
}

const kfi_layer_class kfi_layer_batch_normalization = {
    .name = "BatchNormalization",
    .fields = fields,
    .options_size = sizeof(norm_options),
    .supports_masking = true,
    .takes_training = true,
    .build = build,
    .call = call,
    .whole_batch = whole_batch,
};

kf_layer *kf_batch_normalization_create(const kf_batch_normalization_options *options) {
    return kfi_layer_new(&kfi_layer_batch_normalization, options);
}
