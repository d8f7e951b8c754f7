/* ZeroPadding1D, 2D, 3D and Cropping1D, 2D, 3D: zeros added at, elements cut from, the ends of the
 * spatial axes. */
#include "core/layers/borders.h"
#include "core/layers/windows.h"

#define BORDERS(struct_type, member, axes, default_text)                                           \
    KFI_FIELD(struct_type, member, #member, kfi_field_borders, .count = (axes),                    \
              .otherwise = (default_text), .help = "how much before and after, by axis")

static const kfi_field padding_1d[] = {
    BORDERS(kf_zero_padding1d_options, padding, 1, "1"),
    KFI_FIELDS_END,
};
static const kfi_field padding_2d[] = {
    BORDERS(kf_zero_padding2d_options, padding, 2, "1"),
    KFI_DATA_FORMAT_FIELD(kf_zero_padding2d_options),
    KFI_FIELDS_END,
};
static const kfi_field padding_3d[] = {
    BORDERS(kf_zero_padding3d_options, padding, 3, "1"),
    KFI_DATA_FORMAT_FIELD(kf_zero_padding3d_options),
    KFI_FIELDS_END,
};
static const kfi_field cropping_1d[] = {
    BORDERS(kf_cropping1d_options, cropping, 1, "1"),
    KFI_FIELDS_END,
};
static const kfi_field cropping_2d[] = {
    BORDERS(kf_cropping2d_options, cropping, 2, "0"),
    KFI_DATA_FORMAT_FIELD(kf_cropping2d_options),
    KFI_FIELDS_END,
};
static const kfi_field cropping_3d[] = {
    BORDERS(kf_cropping3d_options, cropping, 3, "1"),
    KFI_DATA_FORMAT_FIELD(kf_cropping3d_options),
    KFI_FIELDS_END,
};

/* sign: 1 to add, -1 to cut. The first field has the borders, and says of how many axes. */
static kf_status move_borders(kfi_layer_call *call, int64_t sign) {
    const kfi_field *field = &call->layer->class->fields[0];
    const int64_t *borders = kfi_layer_option(call->layer, field->name);
    const char *const *data_format = kfi_layer_option(call->layer, "data_format");
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, field->count + 2);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const int first = data_format && kfi_channels_first(*data_format) ? 2 : 1;
    kfi_pad pad = {{0}, {0}};
    for (int i = 0; i < field->count; i++) {
        pad.before[first + i] = sign * borders[2 * i];
        pad.after[first + i] = sign * borders[2 * i + 1];
    }
    call->out[0] = kfi_emit(call->formula, "pad", &pad, call->in[0]);
    return KF_OK;
}

static kf_status add_zeros(kfi_layer_call *call) { return move_borders(call, 1); }
static kf_status cut(kfi_layer_call *call) { return move_borders(call, -1); }

#define CLASS(class_name, struct_type, class_fields, class_call)                                   \
    {                                                                                              \
        .name = (class_name), .fields = (class_fields), .options_size = sizeof(struct_type),       \
        .call = (class_call),                                                                      \
    }

const kfi_layer_class kfi_layer_zero_padding1d =
    CLASS("ZeroPadding1D", kf_zero_padding1d_options, padding_1d, add_zeros);
const kfi_layer_class kfi_layer_zero_padding2d =
    CLASS("ZeroPadding2D", kf_zero_padding2d_options, padding_2d, add_zeros);
const kfi_layer_class kfi_layer_zero_padding3d =
    CLASS("ZeroPadding3D", kf_zero_padding3d_options, padding_3d, add_zeros);
const kfi_layer_class kfi_layer_cropping1d =
    CLASS("Cropping1D", kf_cropping1d_options, cropping_1d, cut);
const kfi_layer_class kfi_layer_cropping2d =
    CLASS("Cropping2D", kf_cropping2d_options, cropping_2d, cut);
const kfi_layer_class kfi_layer_cropping3d =
    CLASS("Cropping3D", kf_cropping3d_options, cropping_3d, cut);

kf_layer *kf_zero_padding1d_create(const kf_zero_padding1d_options *options) {
    return kfi_layer_new(&kfi_layer_zero_padding1d, options);
}

kf_layer *kf_zero_padding2d_create(const kf_zero_padding2d_options *options) {
    return kfi_layer_new(&kfi_layer_zero_padding2d, options);
}

kf_layer *kf_zero_padding3d_create(const kf_zero_padding3d_options *options) {
    return kfi_layer_new(&kfi_layer_zero_padding3d, options);
}

kf_layer *kf_cropping1d_create(const kf_cropping1d_options *options) {
    return kfi_layer_new(&kfi_layer_cropping1d, options);
}

kf_layer *kf_cropping2d_create(const kf_cropping2d_options *options) {
    return kfi_layer_new(&kfi_layer_cropping2d, options);
}

kf_layer *kf_cropping3d_create(const kf_cropping3d_options *options) {
    return kfi_layer_new(&kfi_layer_cropping3d, options);
}
