/* ConvLSTM2D: an LSTM whose products are convolutions (Shi et al. 2015):
 *
 *     i = s(x * Ki + h * Ri + bi)    f, o likewise    c' = f c + i activation(x * Kc + h * Rc + bc)
 *     h' = o activation(c')
 *
 * The convolution of x has the layer's strides, padding and dilation, that of h none and "same".
 * Inputs and states are (batch, rows, columns, channels), or channels first. */
#include "core/layers/recurrent/recurrence.h"

#include <string.h>

typedef kf_conv_lstm2d_cell_options cell_options;
typedef kf_conv_lstm2d_options layer_options;

#define CONVOLUTION_FIELDS(type)                                                                   \
    KFI_FIELD(type, filters, "filters", kfi_field_integer, .low = 1, .position = 1,                \
              .help = "channels of the output"),                                                   \
        KFI_FIELD(type, kernel_size, "kernel_size", kfi_field_sizes, .count = 2, .low = 1,         \
                  .high = 1 << 20, .position = 2, .help = "rows and columns of the kernel"),       \
        KFI_FIELD(type, strides, "strides", kfi_field_sizes, .count = 2, .low = 1,                 \
                  .high = 1 << 20, .otherwise = "1", .position = 3,                                \
                  .help = "steps of the kernel"),                                                  \
        KFI_FIELD(type, padding, "padding", kfi_field_choice, .otherwise = "valid",                \
                  .choices = "valid|same", .position = 4, .help = "what to do at the borders"),    \
        KFI_FIELD(type, data_format, "data_format", kfi_field_choice,                              \
                  .otherwise = "channels_last", .choices = "channels_last|channels_first",         \
                  .position = 5, .help = "where the channels axis stands"),                        \
        KFI_FIELD(type, dilation_rate, "dilation_rate", kfi_field_sizes, .count = 2, .low = 1,     \
                  .high = 1 << 20, .otherwise = "1", .position = 6,                                \
                  .help = "distance of the kernel's elements"),                                    \
        KFI_CELL_ACTIVATION_FIELD(type, 7), KFI_CELL_GATE_FIELD(type, "hard_sigmoid", 8),          \
        KFI_CELL_WEIGHT_FIELDS(type, 9), KFI_CELL_UNIT_FORGET_BIAS_FIELD(type, 13),                \
        KFI_CELL_REGULARIZER_FIELDS(type, 14)

static const kfi_field cell_fields[] = {
    CONVOLUTION_FIELDS(cell_options),
    KFI_CELL_CONSTRAINT_FIELDS(cell_options, 17),
    KFI_CELL_DROPOUT_FIELDS(cell_options, 20),
    KFI_FIELDS_END,
};

static const kfi_field fields[] = {
    KFI_RECURRENT_FLAG_FIELDS(layer_options, 24), CONVOLUTION_FIELDS(layer_options),
    KFI_CELL_ACTIVITY_FIELD(layer_options, 17),   KFI_CELL_CONSTRAINT_FIELDS(layer_options, 18),
    KFI_CELL_DROPOUT_FIELDS(layer_options, 21),   KFI_FIELDS_END,
};

/* --- the cell --------------------------------------------------------------------------------- */

static int channel_axis(const cell_options *options) {
    return kfi_channels_first(options->data_format) ? 1 : 3;
}

static kf_status add_kernels(kfi_cell *cell, int64_t channels) {
    const cell_options *options = cell->options;
    const int64_t *size = options->kernel_size, filters = options->filters;
    kf_status status = kfi_cell_add_weight(
        cell, "kernel", &KFI_SHAPE(size[0], size[1], channels, 4 * filters),
        (kfi_weight_options){options->kernel_initializer, options->kernel_regularizer,
                             options->kernel_constraint, false},
        &cell->kernel);
    if (status != KF_OK) return status;
    return kfi_cell_add_weight(
        cell, "recurrent_kernel", &KFI_SHAPE(size[0], size[1], filters, 4 * filters),
        (kfi_weight_options){options->recurrent_initializer, options->recurrent_regularizer,
                             options->recurrent_constraint, false},
        &cell->recurrent_kernel);
}

static kf_status build_cell(kfi_cell *cell, const kf_shape *x) {
    const cell_options *options = cell->options;
    const int64_t channels = x->dims[channel_axis(options)], filters = options->filters;
    if (channels == KF_ANY)
        return kfi_fail(KF_INVALID, "The channel dimension of the inputs should be defined. Found "
                                    "`None`.");
    kf_status status = add_kernels(cell, channels);
    cell->bias = -1;
    if (status != KF_OK || options->no_bias) return status;
    status = kfi_cell_add_weight(cell, "bias", &KFI_SHAPE(4 * filters),
                                 (kfi_weight_options){options->bias_initializer,
                                                      options->bias_regularizer,
                                                      options->bias_constraint, false},
                                 &cell->bias);
    if (status != KF_OK || options->no_unit_forget_bias) return status;
    float *bias = cell->layer->weights[cell->bias]->data;
    for (int64_t i = filters; i < 2 * filters; i++) bias[i] = 1;
    return KF_OK;
}

static int64_t convolved(const cell_options *options, int axis, int64_t n) {
    if (n == KF_ANY) return KF_ANY;
    const int64_t reach = (options->kernel_size[axis] - 1) * options->dilation_rate[axis];
    const int64_t positions = strcmp(options->padding, "same") == 0 ? n : n - reach;
    return positions <= 0 ? 0 : (positions - 1) / options->strides[axis] + 1;
}

static kf_shape state_shape(const kfi_cell *cell, const kf_shape *x) {
    const cell_options *options = cell->options;
    const int rows = kfi_channels_first(options->data_format) ? 2 : 1;
    kf_shape shape = *x;
    shape.dims[rows] = convolved(options, 0, x->dims[rows]);
    shape.dims[rows + 1] = convolved(options, 1, x->dims[rows + 1]);
    shape.dims[channel_axis(options)] = options->filters;
    return shape;
}

static kfi_value weight_columns(kfi_cell_run *run, kfi_value weight, int32_t gate) {
    const cell_options *options = run->cell->options;
    const kfi_slice columns = {
        .axis = 3, .start = gate * options->filters, .size = options->filters};
    return kfi_emit(run->formula, "slice", &columns, weight);
}

static void begin(kfi_cell_run *run, const kf_shape *x) {
    const cell_options *options = run->cell->options;
    const kf_shape h = state_shape(run->cell, x);
    run->n_x_masks = kfi_dropout_masks(run->formula, options->dropout, x, 4, run->x_mask);
    run->n_h_masks =
        kfi_dropout_masks(run->formula, options->recurrent_dropout, &h, 4, run->h_mask);
    for (int32_t gate = 0; gate < 4; gate++) {
        if (run->n_x_masks) run->x_part[gate] = weight_columns(run, run->kernel, gate);
        if (run->n_h_masks) run->h_part[gate] = weight_columns(run, run->recurrent_kernel, gate);
    }
}

/* x * w with channels last. */
static kfi_value convolve(kfi_cell_run *run, const kfi_conv *conv, kfi_value x, kfi_value w) {
    const cell_options *options = run->cell->options;
    kfi_conv attributes = *conv;
    attributes.exact = kfi_formula_is_exact(run->formula);
    if (kfi_channels_first(options->data_format)) x = kfi_channels_to_last(run->formula, x);
    return kfi_emit(run->formula, "conv", &attributes, x, w);
}

/* All gates' convolutions, each with its own dropped inputs if there are masks. */
static kfi_value convolve_gates(kfi_cell_run *run, const kfi_conv *conv, kfi_value x, kfi_value w,
                                int32_t n_masks, const kfi_value *masks, const kfi_value *parts) {
    if (n_masks == 0) return convolve(run, conv, x, w);
    kfi_value gates[KFI_CELL_MAX_GATES];
    for (int32_t i = 0; i < n_masks; i++)
        gates[i] =
            convolve(run, conv, kfi_emit(run->formula, "multiply", NULL, x, masks[i]), parts[i]);
    return kfi_emit_list(run->formula, "concatenate", &(kfi_slice){.axis = 3}, gates, n_masks,
                         NULL);
}

static void step(kfi_cell_run *run, kfi_value x, kfi_value *states) {
    const cell_options *options = run->cell->options;
    kfi_formula *f = run->formula;
    const kfi_conv of_x = {
        .spatial = 2,
        .stride = {options->strides[0], options->strides[1]},
        .dilation = {options->dilation_rate[0], options->dilation_rate[1]},
        .padding = strcmp(options->padding, "same") == 0 ? KFI_SAME : KFI_VALID,
    };
    const kfi_conv of_h = {.spatial = 2, .stride = {1, 1}, .dilation = {1, 1}, .padding = KFI_SAME};
    kfi_value z =
        convolve_gates(run, &of_x, x, run->kernel, run->n_x_masks, run->x_mask, run->x_part);
    if (!kfi_is_none(run->bias)) z = kfi_emit(f, "bias_add", NULL, z, run->bias);
    z = kfi_emit(f, "add", NULL, z,
                 convolve_gates(run, &of_h, states[0], run->recurrent_kernel, run->n_h_masks,
                                run->h_mask, run->h_part));
    if (kfi_channels_first(options->data_format)) z = kfi_channels_to_first(f, z);
    kfi_value gates[4];
    for (int32_t i = 0; i < 4; i++) {
        const kfi_slice part = {
            .axis = channel_axis(options), .start = i * options->filters, .size = options->filters};
        gates[i] = kfi_activate(f, i == 2 ? options->activation : options->recurrent_activation,
                                kfi_emit(f, "slice", &part, z));
    }
    kfi_lstm_states(f, options->activation, gates, states);
}

static const kfi_cell_class cell_class = {
    .rank = 5,
    .n_states = 2,
    .build = build_cell,
    .state_shape = state_shape,
    .begin = begin,
    .step = step,
};

/* --- the layers ------------------------------------------------------------------------------- */

static kf_status check_cell(const kf_layer *layer) {
    const cell_options *options = layer->options;
    const bool strided = options->strides[0] > 1 || options->strides[1] > 1;
    const bool dilated = options->dilation_rate[0] > 1 || options->dilation_rate[1] > 1;
    if (strided && dilated)
        return kfi_fail(KF_INVALID, "strides > 1 are not compatible with dilation_rate > 1");
    return KF_OK;
}

static kf_status check(const kf_layer *layer) {
    const layer_options *options = layer->options;
    return options->unroll ? kfi_recurrent_refuse_unroll() : check_cell(layer);
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const layer_options *options = layer->options;
    const kfi_cell cell = {.class = &cell_class, .options = options};
    return kfi_recurrent_build(layer, in, &KFI_RECURRENT_FLAGS(options), &cell, 1);
}

const kfi_layer_class kfi_layer_conv_lstm2d = {
    KFI_RECURRENT_CLASS("ConvLSTM2D", layer_options),
    .fields = fields,
    .check = check,
    .build = build,
};

const kfi_layer_class kfi_layer_conv_lstm2d_cell = {
    KFI_CELL_CLASS("ConvLSTM2DCell", cell_options),
    .fields = cell_fields,
    .check = check_cell,
    .cell = &cell_class,
};

kf_layer *kf_conv_lstm2d_create(const kf_conv_lstm2d_options *options) {
    return kfi_layer_new(&kfi_layer_conv_lstm2d, options);
}

kf_layer *kf_conv_lstm2d_cell_create(const kf_conv_lstm2d_cell_options *options) {
    return kfi_layer_new(&kfi_layer_conv_lstm2d_cell, options);
}
