#include "core/layers/windows.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- options by name -------------------------------------------------------------------------- */

static const kfi_field *find_field(const kf_layer *layer, const char *name) {
    for (const kfi_field *field = layer->class->fields; field && field->name; field++)
        if (strcmp(field->name, name) == 0) return field;
    return NULL;
}

const void *kfi_layer_option(const kf_layer *layer, const char *name) {
    const kfi_field *field = find_field(layer, name);
    return field ? (const char *)layer->options + field->offset : NULL;
}

int64_t kfi_layer_integer(const kf_layer *layer, const char *name) {
    assert(find_field(layer, name)->type == &kfi_field_integer);
    return *(const int64_t *)kfi_layer_option(layer, name);
}

static const char *text_option(const kf_layer *layer, const char *name) {
    const char *const *member = kfi_layer_option(layer, name);
    return member ? *member : NULL;
}

static kfi_padding padding_named(const char *name) {
    if (strcmp(name, "same") == 0) return KFI_SAME;
    return strcmp(name, "causal") == 0 ? KFI_CAUSAL : KFI_VALID;
}

kfi_windows kfi_layer_windows(const kf_layer *layer) {
    const kfi_field *size = find_field(layer, "kernel_size");
    if (!size) size = find_field(layer, "pool_size");
    return (kfi_windows){
        .spatial = size->count,
        .size = kfi_layer_option(layer, size->name),
        .strides = kfi_layer_option(layer, "strides"),
        .dilation = kfi_layer_option(layer, "dilation_rate"),
        .padding = padding_named(text_option(layer, "padding")),
        .channels_first = kfi_channels_first(text_option(layer, "data_format")),
    };
}

kfi_conv kfi_windows_conv(const kfi_windows *windows) {
    kfi_conv conv = {.spatial = windows->spatial, .padding = windows->padding};
    for (int i = 0; i < windows->spatial; i++) {
        conv.stride[i] = windows->strides[i];
        conv.dilation[i] = windows->dilation ? windows->dilation[i] : 1;
    }
    return conv;
}

kfi_pool kfi_windows_pool(const kfi_windows *windows) {
    kfi_pool pool = {.spatial = windows->spatial, .padding = windows->padding};
    for (int i = 0; i < windows->spatial; i++) {
        pool.window[i] = windows->size[i];
        pool.stride[i] = windows->strides[i];
    }
    return pool;
}

/* --- checks ----------------------------------------------------------------------------------- */

kf_status kfi_windows_check(const kf_layer *layer) {
    const kfi_windows windows = kfi_layer_windows(layer);
    bool strides = false, dilates = false;
    for (int i = 0; windows.dilation && i < windows.spatial; i++) {
        strides = strides || windows.strides[i] > 1;
        dilates = dilates || windows.dilation[i] > 1;
    }
    if (!strides || !dilates) return KF_OK;
    return kfi_fail(KF_INVALID, "strides > 1 not supported in conjunction with dilation_rate > 1");
}

static int channel_axis(const kfi_windows *windows) { return windows->channels_first ? 1 : -1; }

kf_status kfi_windows_channels(const kf_layer *layer, const kf_shape *shape, int64_t *channels) {
    const kfi_windows windows = kfi_layer_windows(layer);
    const kf_status status = kfi_input_ndim(layer, shape, windows.spatial + 2);
    if (status != KF_OK) return status;
    *channels = shape->dims[kfi_axis(channel_axis(&windows), shape->rank)];
    if (*channels != KF_ANY) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "The channel dimension of the inputs should be defined. Found `None`.");
}

kf_status kfi_windows_input(const kfi_layer_call *call, int64_t channels) {
    const kfi_windows windows = kfi_layer_windows(call->layer);
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, windows.spatial + 2);
    if (status == KF_OK)
        status = kfi_input_axis(call->layer, &shape, channel_axis(&windows), channels);
    return status == KF_OK ? kfi_input_floats(call) : status;
}

/* --- in and out ------------------------------------------------------------------------------- */

kfi_value kfi_windows_in(const kfi_layer_call *call) {
    const bool channels_first = kfi_channels_first(text_option(call->layer, "data_format"));
    return channels_first ? kfi_channels_to_last(call->formula, call->in[0]) : call->in[0];
}

static bool has_bias(const kf_layer *layer) {
    return !*(const bool *)kfi_layer_option(layer, "use_bias"); /* the member is no_bias */
}

void kfi_windows_out(kfi_layer_call *call, kfi_value y, int32_t bias) {
    const kf_layer *layer = call->layer;
    kfi_formula *f = call->formula;
    if (has_bias(layer)) y = kfi_emit(f, "bias_add", NULL, y, kfi_layer_weight_value(call, bias));
    if (kfi_channels_first(text_option(layer, "data_format"))) y = kfi_channels_to_first(f, y);
    call->out[0] = kfi_activate(f, text_option(layer, "activation"), y);
}

/* --- weights ---------------------------------------------------------------------------------- */

static const char *option_of_role(const kf_layer *layer, const char *role, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%s_%s", role, what);
    return text_option(layer, name);
}

kf_status kfi_add_kernel(kf_layer *layer, const char *name, const char *role,
                         const kf_shape *shape) {
    const kfi_weight_options options = {
        .initializer = option_of_role(layer, role, "initializer"),
        .regularizer = option_of_role(layer, role, "regularizer"),
        .constraint = option_of_role(layer, role, "constraint"),
    };
    return kfi_layer_add_weight(layer, name, shape, &options);
}

kf_status kfi_add_bias(kf_layer *layer, const kf_shape *shape) {
    return has_bias(layer) ? kfi_add_kernel(layer, "bias", "bias", shape) : KF_OK;
}
