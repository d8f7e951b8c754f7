/* UpSampling1D, 2D, 3D: the spatial axes a whole number of times as long, one axis after the other;
 * the innermost first, as TensorFlow interpolates. */
#include "core/layers/windows.h"

#include <string.h>

#define FACTORS(struct_type, axes)                                                                 \
    KFI_FIELD(struct_type, factors, "size", kfi_field_sizes, .count = (axes), .low = 1,            \
              .otherwise = "2", .help = "how many times as long each axis becomes")

static const kfi_field fields_1d[] = {
    KFI_FIELD(kf_up_sampling1d_options, factor, "size", kfi_field_integer, .low = 1,
              .otherwise = "2", .help = "how many times as long the axis becomes"),
    KFI_FIELDS_END,
};

static const kfi_field fields_2d[] = {
    FACTORS(kf_up_sampling2d_options, 2),
    KFI_DATA_FORMAT_FIELD(kf_up_sampling2d_options),
    KFI_FIELD(kf_up_sampling2d_options, interpolation, "interpolation", kfi_field_choice,
              .choices = "nearest|bilinear", .otherwise = "nearest",
              .help = "what stands between the elements"),
    KFI_FIELDS_END,
};

static const kfi_field fields_3d[] = {
    FACTORS(kf_up_sampling3d_options, 3),
    KFI_DATA_FORMAT_FIELD(kf_up_sampling3d_options),
    KFI_FIELDS_END,
};

static kf_status stretch(kfi_layer_call *call, const int64_t *factors, int spatial,
                         const char *data_format, bool linear) {
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, spatial + 2);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const int first = kfi_channels_first(data_format) ? 2 : 1;
    kfi_value y = call->in[0];
    for (int i = spatial - 1; i >= 0; i--) {
        const kfi_upsample by = {.axis = first + i, .factor = factors[i], .linear = linear};
        if (factors[i] > 1) y = kfi_emit(call->formula, "upsample", &by, y);
    }
    call->out[0] = y;
    return KF_OK;
}

static kf_status call_1d(kfi_layer_call *call) {
    const kf_up_sampling1d_options *options = call->layer->options;
    return stretch(call, &options->factor, 1, NULL, false);
}

static kf_status call_2d(kfi_layer_call *call) {
    const kf_up_sampling2d_options *options = call->layer->options;
    const bool linear = strcmp(options->interpolation, "bilinear") == 0;
    return stretch(call, options->factors, 2, options->data_format, linear);
}

static kf_status call_3d(kfi_layer_call *call) {
    const kf_up_sampling3d_options *options = call->layer->options;
    return stretch(call, options->factors, 3, options->data_format, false);
}

const kfi_layer_class kfi_layer_up_sampling1d = {
    .name = "UpSampling1D",
    .fields = fields_1d,
    .options_size = sizeof(kf_up_sampling1d_options),
    .call = call_1d,
};

const kfi_layer_class kfi_layer_up_sampling2d = {
    .name = "UpSampling2D",
    .fields = fields_2d,
    .options_size = sizeof(kf_up_sampling2d_options),
    .call = call_2d,
};

const kfi_layer_class kfi_layer_up_sampling3d = {
    .name = "UpSampling3D",
    .fields = fields_3d,
    .options_size = sizeof(kf_up_sampling3d_options),
    .call = call_3d,
};

kf_layer *kf_up_sampling1d_create(const kf_up_sampling1d_options *options) {
    return kfi_layer_new(&kfi_layer_up_sampling1d, options);
}

kf_layer *kf_up_sampling2d_create(const kf_up_sampling2d_options *options) {
    return kfi_layer_new(&kfi_layer_up_sampling2d, options);
}

kf_layer *kf_up_sampling3d_create(const kf_up_sampling3d_options *options) {
    return kfi_layer_new(&kfi_layer_up_sampling3d, options);
}
