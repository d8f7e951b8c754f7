/* MaxPooling1D, 2D, 3D and AveragePooling1D, 2D, 3D over windows of the spatial axes. */
#include "core/layers/windows.h"

#include <string.h>

#define POOL_SIZE(struct_type, axes, place)                                                        \
    KFI_SIZES_FIELD(struct_type, pool_size, axes, .otherwise = "2", .position = (place),           \
                    .help = "sizes of the window")
#define STRIDES(struct_type, axes)                                                                 \
    KFI_SIZES_FIELD(struct_type, strides, axes, .otherwise = "None", .position = 2,                \
                    .help = "steps of the window; None: its size")

/* Keras's get_config has another order for one axis than for several. */
static const kfi_field fields_1d[] = {
    STRIDES(kf_pooling1d_options, 1),
    POOL_SIZE(kf_pooling1d_options, 1, 1),
    KFI_PADDING_FIELD(kf_pooling1d_options, "valid|same", 0),
    KFI_DATA_FORMAT_FIELD(kf_pooling1d_options),
    KFI_FIELDS_END,
};

#define POOLING_FIELDS(struct_type, axes)                                                          \
    POOL_SIZE(struct_type, axes, 1), KFI_PADDING_FIELD(struct_type, "valid|same", 3),              \
        STRIDES(struct_type, axes), KFI_DATA_FORMAT_FIELD(struct_type), KFI_FIELDS_END

static const kfi_field fields_2d[] = {POOLING_FIELDS(kf_pooling2d_options, 2)};
static const kfi_field fields_3d[] = {POOLING_FIELDS(kf_pooling3d_options, 3)};

/* No strides means the window's size, and is saved as that. */
static kf_status check(const kf_layer *layer) {
    const kfi_windows windows = kfi_layer_windows(layer);
    int64_t *strides = (int64_t *)kfi_layer_option(layer, "strides");
    if (!strides[0]) memcpy(strides, windows.size, (size_t)windows.spatial * sizeof *strides);
    return KF_OK;
}

static kf_status pool(kfi_layer_call *call, const char *op) {
    const kfi_windows windows = kfi_layer_windows(call->layer);
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, windows.spatial + 2);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const kfi_pool attributes = kfi_windows_pool(&windows);
    const kfi_value y = kfi_emit(call->formula, op, &attributes, kfi_windows_in(call));
    call->out[0] = windows.channels_first ? kfi_channels_to_first(call->formula, y) : y;
    return KF_OK;
}

static kf_status call_max(kfi_layer_call *call) { return pool(call, "max_pool"); }
static kf_status call_average(kfi_layer_call *call) { return pool(call, "average_pool"); }

#define CLASS(class_name, struct_type, class_fields, class_call)                                   \
    {                                                                                              \
        .name = (class_name), .fields = (class_fields), .options_size = sizeof(struct_type),       \
        .check = check, .call = (class_call),                                                      \
    }

const kfi_layer_class kfi_layer_max_pooling1d =
    CLASS("MaxPooling1D", kf_pooling1d_options, fields_1d, call_max);
const kfi_layer_class kfi_layer_max_pooling2d =
    CLASS("MaxPooling2D", kf_pooling2d_options, fields_2d, call_max);
const kfi_layer_class kfi_layer_max_pooling3d =
    CLASS("MaxPooling3D", kf_pooling3d_options, fields_3d, call_max);
const kfi_layer_class kfi_layer_average_pooling1d =
    CLASS("AveragePooling1D", kf_pooling1d_options, fields_1d, call_average);
const kfi_layer_class kfi_layer_average_pooling2d =
    CLASS("AveragePooling2D", kf_pooling2d_options, fields_2d, call_average);
const kfi_layer_class kfi_layer_average_pooling3d =
    CLASS("AveragePooling3D", kf_pooling3d_options, fields_3d, call_average);

kf_layer *kf_max_pooling1d_create(const kf_max_pooling1d_options *options) {
    return kfi_layer_new(&kfi_layer_max_pooling1d, options);
}

kf_layer *kf_max_pooling2d_create(const kf_max_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_max_pooling2d, options);
}

kf_layer *kf_max_pooling3d_create(const kf_max_pooling3d_options *options) {
    return kfi_layer_new(&kfi_layer_max_pooling3d, options);
}

kf_layer *kf_average_pooling1d_create(const kf_average_pooling1d_options *options) {
    return kfi_layer_new(&kfi_layer_average_pooling1d, options);
}

kf_layer *kf_average_pooling2d_create(const kf_average_pooling2d_options *options) {
    return kfi_layer_new(&kfi_layer_average_pooling2d, options);
}

kf_layer *kf_average_pooling3d_create(const kf_average_pooling3d_options *options) {
    return kfi_layer_new(&kfi_layer_average_pooling3d, options);
}
