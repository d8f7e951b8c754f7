/* Masking: a step counts if any of its features differs from mask_value; the others become 0. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_masking_options masking_options;

static const kfi_field fields[] = {
    KFI_FIELD(masking_options, mask_value, "mask_value", kfi_field_real, .otherwise = "0",
              .help = "features of a step that does not count"),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    const masking_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_min_ndim(call->layer, &shape, 2);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const kfi_shaped value = {.value = (float)options->mask_value};
    const kfi_value mask = kfi_emit(f, "any_not_equal", &value, call->in[0]);
    shape.dims[shape.rank - 1] = 1;
    call->out[0] = kfi_emit(f, "multiply", NULL, call->in[0], kfi_reshape_free(f, mask, &shape));
    call->out_mask[0] = mask;
    return KF_OK;
}

const kfi_layer_class kfi_layer_masking = {
    .name = "Masking",
    .fields = fields,
    .options_size = sizeof(masking_options),
    .supports_masking = true,
    .call = call,
};

kf_layer *kf_masking_create(const kf_masking_options *options) {
    return kfi_layer_new(&kfi_layer_masking, options);
}
