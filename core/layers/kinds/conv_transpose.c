/* Conv2DTranspose, Conv3DTranspose: the gradient of a convolution by its input, as a layer. With n
 * places on an axis of x, stride s, a (dilated) window of k and output padding p:
 *
 *     out = n s                                  (same)
 *         = n s + max(k - s, 0)                  (valid)
 *         = (n - 1) s + k + p - 2 (k / 2 if same, else 0)   where p is given */
#include "core/layers/borders.h"
#include "core/layers/windows.h"

#define BEFORE_DILATION(struct_type, axes)                                                         \
    KFI_FILTERS_FIELD(struct_type), KFI_KERNEL_SIZE_FIELD(struct_type, axes),                      \
        KFI_STRIDES_FIELD(struct_type, axes), KFI_PADDING_FIELD(struct_type, "valid|same", 0),     \
        KFI_DATA_FORMAT_AT(struct_type, 6)

/* `place` of the activation among positional arguments; output_padding is the fifth. */
#define FROM_ACTIVATION(struct_type, axes, place)                                                  \
    KFI_ACTIVATION_FIELD(struct_type, .otherwise = "linear", .position = (place)),                 \
        KFI_USE_BIAS_AT(struct_type, (place) + 1),                                                 \
        KFI_INITIALIZER_AT(struct_type, kernel_initializer, "glorot_uniform", (place) + 2),        \
        KFI_INITIALIZER_AT(struct_type, bias_initializer, "zeros", (place) + 3),                   \
        KFI_REGULARIZER_AT(struct_type, kernel_regularizer, (place) + 4),                          \
        KFI_REGULARIZER_AT(struct_type, bias_regularizer, (place) + 5),                            \
        KFI_REGULARIZER_AT(struct_type, activity_regularizer, (place) + 6),                        \
        KFI_CONSTRAINT_AT(struct_type, kernel_constraint, (place) + 7),                            \
        KFI_CONSTRAINT_AT(struct_type, bias_constraint, (place) + 8),                              \
        KFI_FIELD(struct_type, output_padding, "output_padding", kfi_field_output_padding,         \
                  .count = (axes), .otherwise = "None", .position = 5,                             \
                  .help = "adds to the output's size"),                                            \
        KFI_FIELDS_END

static const kfi_field fields_2d[] = {
    BEFORE_DILATION(kf_conv2d_transpose_options, 2),
    KFI_DILATION_FIELD(kf_conv2d_transpose_options, 2, 7),
    FROM_ACTIVATION(kf_conv2d_transpose_options, 2, 8),
};

static const kfi_field fields_3d[] = {
    BEFORE_DILATION(kf_conv3d_transpose_options, 3),
    FROM_ACTIVATION(kf_conv3d_transpose_options, 3, 7),
};

static kf_status check(const kf_layer *layer) {
    const kfi_windows windows = kfi_layer_windows(layer);
    const int64_t *padding = kfi_layer_option(layer, "output_padding");
    kf_shape strides = {.rank = windows.spatial}, paddings = strides;
    bool too_much = false;
    for (int i = 0; i < windows.spatial; i++) {
        strides.dims[i] = windows.strides[i];
        paddings.dims[i] = padding[i];
        too_much = too_much || padding[i] >= windows.strides[i];
    }
    if (!too_much) return kfi_windows_check(layer);
    return kfi_fail(KF_INVALID, "Stride %s must be greater than output padding %s",
                    kfi_shape_string(&strides), kfi_shape_string(&paddings));
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    const kfi_windows windows = kfi_layer_windows(layer);
    const int64_t filters = kfi_layer_integer(layer, "filters");
    kf_shape shape = {.rank = windows.spatial + 2};
    kf_status status = kfi_windows_channels(layer, &in[0].shape, &shape.dims[windows.spatial + 1]);
    for (int i = 0; i < windows.spatial; i++) shape.dims[i] = windows.size[i];
    shape.dims[windows.spatial] = filters;
    if (status == KF_OK) status = kfi_add_kernel(layer, "kernel", "kernel", &shape);
    return status == KF_OK ? kfi_add_bias(layer, &KFI_SHAPE(filters)) : status;
}

/* One axis: its size in x and in y, and where y starts in `full`, all that the windows reach. */
typedef struct axis {
    int64_t in, out, full, dropped;
} axis;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static axis describe_axis(const kfi_conv *conv, int i, int64_t size, int64_t n, int64_t padding) {
    const int64_t stride = conv->stride[i], window = (size - 1) * conv->dilation[i] + 1;
    const bool same = conv->padding == KFI_SAME;
    if (n == KF_ANY) return (axis){KF_ANY, KF_ANY, KF_ANY, 0};
    axis a = {.in = n, .full = (n - 1) * stride + window};
    if (padding != KFI_NO_INTEGER)
        a.out = a.full + padding - (same ? window / 2 * 2 : 0);
    else
        a.out = n * stride + (same ? 0 : larger(window - stride, 0));
    a.dropped = same ? larger(a.full - a.out, 0) / 2 : 0;
    return a;
}

/* Whether a convolution over the output would have the input's places, so that its gradient is the
 * layer. Otherwise (an even window with output padding) the output is cut from all that the windows
 * reach. */
static bool is_gradient(const kfi_conv *conv, const axis *axes) {
    for (int i = 0; i < conv->spatial; i++) {
        const int64_t stride = conv->stride[i], window = axes[i].full - (axes[i].in - 1) * stride;
        if (axes[i].in == KF_ANY) continue;
        const int64_t starts = axes[i].out - (conv->padding == KFI_SAME ? 0 : window - 1);
        if ((starts + stride - 1) / stride != axes[i].in) return false;
    }
    return true;
}

static kfi_value cut_from_full(kfi_formula *f, kfi_conv conv, const axis *axes, kfi_value x,
                               kfi_value kernel) {
    kfi_pad pad = {{0}, {0}};
    conv.padding = KFI_VALID;
    for (int i = 0; i < conv.spatial; i++) {
        conv.size[i] = axes[i].full;
        pad.before[1 + i] = -axes[i].dropped;
        pad.after[1 + i] = axes[i].out - axes[i].full + axes[i].dropped;
    }
    return kfi_emit(f, "pad", &pad, kfi_emit(f, "conv_data_gradient", &conv, x, kernel));
}

static kf_status call(kfi_layer_call *call) {
    const kfi_windows windows = kfi_layer_windows(call->layer);
    const int64_t *padding = kfi_layer_option(call->layer, "output_padding");
    const kf_status status =
        kfi_windows_input(call, call->layer->weights[0]->shape.dims[windows.spatial + 1]);
    if (status != KF_OK) return status;
    kfi_formula *f = call->formula;
    kfi_conv conv = kfi_windows_conv(&windows);
    conv.exact = kfi_formula_is_exact(f);
    const kfi_value x = kfi_windows_in(call), kernel = kfi_layer_weight_value(call, 0);
    const kf_shape shape = kfi_type(f, x)->shape;
    axis axes[KFI_MAX_SPATIAL];
    for (int i = 0; i < windows.spatial; i++) {
        axes[i] = describe_axis(&conv, i, windows.size[i], shape.dims[1 + i], padding[i]);
        conv.size[i] = axes[i].out;
    }
    const kfi_value y = is_gradient(&conv, axes)
                            ? kfi_emit(f, "conv_data_gradient", &conv, x, kernel)
                            : cut_from_full(f, conv, axes, x, kernel);
    kfi_windows_out(call, y, 1);
    return KF_OK;
}

#define CLASS(class_name, struct_type, class_fields)                                               \
    {                                                                                              \
        .name = (class_name), .fields = (class_fields), .options_size = sizeof(struct_type),       \
        .check = check, .build = build, .call = call,                                              \
    }

const kfi_layer_class kfi_layer_conv2d_transpose =
    CLASS("Conv2DTranspose", kf_conv2d_transpose_options, fields_2d);
const kfi_layer_class kfi_layer_conv3d_transpose =
    CLASS("Conv3DTranspose", kf_conv3d_transpose_options, fields_3d);

kf_layer *kf_conv2d_transpose_create(const kf_conv2d_transpose_options *options) {
    return kfi_layer_new(&kfi_layer_conv2d_transpose, options);
}

kf_layer *kf_conv3d_transpose_create(const kf_conv3d_transpose_options *options) {
    return kfi_layer_new(&kfi_layer_conv3d_transpose, options);
}
