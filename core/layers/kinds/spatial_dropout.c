/* SpatialDropout1D, 2D, 3D: dropout of whole channels of a sample. Tompson et al. 2014. */
#include "core/layers/noise.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"

/* Keras reads and writes Dropout's noise_shape here, and does not use it. */
#define SPATIAL_DROPOUT_FIELDS(struct_type, place)                                                 \
    KFI_FIELD(struct_type, rate, "rate", kfi_field_rate, .otherwise = "0",                         \
              .help = "the fraction of channels that become 0"),                                   \
        KFI_FIELD(struct_type, noise_shape, "noise_shape", kfi_field_shape, .otherwise = "None",   \
                  .position = (place), .help = "not used"),                                        \
        KFI_FIELD(struct_type, seed, "seed", kfi_field_integer, .otherwise = "None",               \
                  .position = (place) + 1, .help = "of the mask; None: the graph's")

static const kfi_field fields_1d[] = {
    SPATIAL_DROPOUT_FIELDS(kf_spatial_dropout1d_options, 2),
    KFI_FIELDS_END,
};

static const kfi_field fields[] = {
    SPATIAL_DROPOUT_FIELDS(kf_spatial_dropout_options, 3),
    KFI_FIELD(kf_spatial_dropout_options, data_format, "data_format", kfi_field_choice,
              .otherwise = "channels_last", .choices = "channels_last|channels_first",
              .position = 2, .quiet = true, .help = "where the channels axis stands"),
    KFI_FIELDS_END,
};

static kf_status drop(kfi_layer_call *call, int spatial, double rate, int64_t seed, int first) {
    kfi_formula *f = call->formula;
    kf_shape noise = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &noise, spatial + 2);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    call->out[0] = call->in[0];
    if (!kfi_dropout_works(f, rate)) return KF_OK;
    for (int i = 0; i < spatial; i++) noise.dims[first + i] = 1;
    const kfi_dropout dropout = {.rate = (float)rate, .stream = kfi_noise_stream(f, seed)};
    const kfi_value mask = kfi_dropout_mask(f, &noise, &dropout);
    if (!kfi_is_none(mask)) call->out[0] = kfi_emit(f, "multiply", NULL, call->in[0], mask);
    return KF_OK;
}

static kf_status call_1d(kfi_layer_call *call) {
    const kf_spatial_dropout1d_options *options = call->layer->options;
    return drop(call, 1, options->rate, options->seed, 1);
}

static kf_status drop_channels(kfi_layer_call *call, int spatial) {
    const kf_spatial_dropout_options *options = call->layer->options;
    const int first = kfi_channels_first(options->data_format) ? 2 : 1;
    return drop(call, spatial, options->rate, options->seed, first);
}

static kf_status call_2d(kfi_layer_call *call) { return drop_channels(call, 2); }
static kf_status call_3d(kfi_layer_call *call) { return drop_channels(call, 3); }

const kfi_layer_class kfi_layer_spatial_dropout1d = {
    .name = "SpatialDropout1D",
    .fields = fields_1d,
    .options_size = sizeof(kf_spatial_dropout1d_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call_1d,
};

const kfi_layer_class kfi_layer_spatial_dropout2d = {
    .name = "SpatialDropout2D",
    .fields = fields,
    .options_size = sizeof(kf_spatial_dropout_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call_2d,
};

const kfi_layer_class kfi_layer_spatial_dropout3d = {
    .name = "SpatialDropout3D",
    .fields = fields,
    .options_size = sizeof(kf_spatial_dropout_options),
    .supports_masking = true,
    .takes_training = true,
    .call = call_3d,
};

kf_layer *kf_spatial_dropout1d_create(const kf_spatial_dropout1d_options *options) {
    return kfi_layer_new(&kfi_layer_spatial_dropout1d, options);
}

kf_layer *kf_spatial_dropout2d_create(const kf_spatial_dropout2d_options *options) {
    return kfi_layer_new(&kfi_layer_spatial_dropout2d, options);
}

kf_layer *kf_spatial_dropout3d_create(const kf_spatial_dropout3d_options *options) {
    return kfi_layer_new(&kfi_layer_spatial_dropout3d, options);
}
