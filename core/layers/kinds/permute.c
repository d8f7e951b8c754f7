/* Permute: the axes of a sample in another order. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_permute_options permute_options;

static const kfi_field fields[] = {
    KFI_FIELD(permute_options, dims, "dims", kfi_field_dims, .count = KF_MAX_RANK - 1, .low = 1,
              .high = KF_MAX_RANK - 1, .help = "the axes in their new order; 1 is the first"),
    KFI_FIELDS_END,
};

static int count_dims(const permute_options *options) {
    int count = 0;
    while (count < KF_MAX_RANK - 1 && options->dims[count]) count++;
    return count;
}

static kf_status check(const kf_layer *layer) {
    const permute_options *options = layer->options;
    const int count = count_dims(options);
    uint32_t seen = 0;
    for (int i = 0; i < count; i++) seen |= 1u << options->dims[i];
    if (seen == (1u << (count + 1)) - 2) return KF_OK;
    return kfi_fail(KF_INVALID, "dims must be the numbers 1 to %d in some order", count);
}

static kf_status call(kfi_layer_call *call) {
    const permute_options *options = call->layer->options;
    const kf_shape shape = kfi_input_shape(call, 0);
    const int count = count_dims(options);
    const kf_status status = kfi_input_ndim(call->layer, &shape, count + 1);
    if (status != KF_OK) return status;
    kfi_transpose order = {{0}};
    for (int i = 0; i < count; i++) order.permutation[i + 1] = (int32_t)options->dims[i];
    call->out[0] = kfi_emit(call->formula, "transpose", &order, call->in[0]);
    return KF_OK;
}

const kfi_layer_class kfi_layer_permute = {
    .name = "Permute",
    .fields = fields,
    .options_size = sizeof(permute_options),
    .check = check,
    .call = call,
};

kf_layer *kf_permute_create(const kf_permute_options *options) {
    return kfi_layer_new(&kfi_layer_permute, options);
}
