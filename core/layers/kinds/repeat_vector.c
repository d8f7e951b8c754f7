/* RepeatVector: (batch, features) to (batch, n, features), every row n times. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_repeat_vector_options repeat_options;

static const kfi_field fields[] = {
    KFI_FIELD(repeat_options, n, "n", kfi_field_integer, .low = 1, .high = 1e15,
              .help = "how often"),
    KFI_FIELDS_END,
};

static kf_status call(kfi_layer_call *call) {
    const repeat_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kf_shape shape = kfi_input_shape(call, 0);
    kf_status status = kfi_input_ndim(call->layer, &shape, 2);
    if (status == KF_OK) status = kfi_input_floats(call);
    if (status != KF_OK) return status;
    const kf_shape one = KFI_SHAPE(shape.dims[0], 1, shape.dims[1]);
    const kfi_shaped all = {.shape = KFI_SHAPE(shape.dims[0], options->n, shape.dims[1])};
    call->out[0] = kfi_emit(f, "broadcast_to", &all, kfi_reshape_free(f, call->in[0], &one));
    return KF_OK;
}

const kfi_layer_class kfi_layer_repeat_vector = {
    .name = "RepeatVector",
    .fields = fields,
    .options_size = sizeof(repeat_options),
    .call = call,
};

kf_layer *kf_repeat_vector_create(const kf_repeat_vector_options *options) {
    return kfi_layer_new(&kfi_layer_repeat_vector, options);
}
