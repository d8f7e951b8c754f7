/* Concatenate: tensors one after another along an axis. */
#include "core/base/memory.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_concatenate_options concatenate_options;

static const kfi_field fields[] = {
    KFI_FIELD(concatenate_options, axis, "axis", kfi_field_integer, .otherwise = "-1",
              .help = "the axis that grows"),
    KFI_FIELDS_END,
};

static bool match_but_for(const kf_shape *a, const kf_shape *b, int axis) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (i != axis && a->dims[i] != b->dims[i]) return false;
    return true;
}

static kf_status check_shapes(const kfi_layer_call *call, int *axis) {
    const concatenate_options *options = call->layer->options;
    const kf_shape first = kfi_input_shape(call, 0);
    char text[600];
    if (call->n_in < 2)
        return kfi_fail(KF_INVALID,
                        "A `Concatenate` layer should be called on a list of at least 2 inputs");
    *axis = kfi_axis(options->axis, first.rank);
    if (*axis < 0)
        return kfi_fail(KF_INVALID, "axis %lld is outside of the input's shape %s",
                        (long long)options->axis, kfi_shape_string(&first));
    for (int32_t i = 1; i < call->n_in; i++) {
        const kf_shape shape = kfi_input_shape(call, i);
        if (match_but_for(&first, &shape, *axis)) continue;
        kfi_input_shapes(call, text, sizeof text);
        return kfi_fail(KF_INVALID,
                        "A `Concatenate` layer requires inputs with matching shapes except for the "
                        "concat axis. Got inputs shapes: %s",
                        text);
    }
    return KF_OK;
}

/* The axes that masks have: (batch, steps), whatever the rank of the inputs. */
static int mask_rank(const kfi_layer_call *call) {
    for (int32_t i = 0; i < call->n_in; i++)
        if (!kfi_is_none(call->in_mask[i]))
            return kfi_type(call->formula, call->in_mask[i])->shape.rank;
    return 0;
}

/* Shaped like the others, all steps kept: that of an input without a mask. */
static kfi_value full_mask(const kfi_layer_call *call, int32_t i, int rank) {
    kf_shape shape = kfi_input_shape(call, i);
    shape.rank = rank;
    return kfi_formula_symbolic(call->formula)
               ? kfi_source(call->formula, "mask", KF_FLOAT32, &shape)
               : kfi_fill(call->formula, &shape, 1);
}

static kf_status concatenate_masks(kfi_layer_call *call, int axis, int rank) {
    kfi_value *masks = kfi_alloc((size_t)call->n_in, sizeof *masks);
    if (!masks) return KF_MEMORY;
    for (int32_t i = 0; i < call->n_in; i++)
        masks[i] = kfi_is_none(call->in_mask[i]) ? full_mask(call, i, rank) : call->in_mask[i];
    call->out_mask[0] = kfi_emit_list(call->formula, "concatenate", &(kfi_slice){.axis = axis},
                                      masks, call->n_in, NULL);
    kfi_free(masks);
    return KF_OK;
}

/* Along an axis that masks have they are concatenated too; along any other a step is kept where no
 * mask drops it. */
static kf_status join_masks(kfi_layer_call *call, int axis) {
    kfi_formula *f = call->formula;
    const int rank = mask_rank(call);
    call->out_mask[0] = KFI_NONE;
    if (axis < rank) return concatenate_masks(call, axis, rank);
    for (int32_t i = 0; i < call->n_in; i++) {
        const kfi_value mask = call->in_mask[i], so_far = call->out_mask[0];
        if (kfi_is_none(mask)) continue;
        call->out_mask[0] =
            kfi_is_none(so_far) ? mask : kfi_emit(f, "multiply", NULL, so_far, mask);
    }
    return KF_OK;
}

static kf_status call(kfi_layer_call *call) {
    int axis;
    const kf_status status = check_shapes(call, &axis);
    if (status != KF_OK) return status;
    call->out[0] = kfi_emit_list(call->formula, "concatenate", &(kfi_slice){.axis = axis}, call->in,
                                 call->n_in, NULL);
    return join_masks(call, axis);
}

const kfi_layer_class kfi_layer_concatenate = {
    .name = "Concatenate",
    .fields = fields,
    .options_size = sizeof(concatenate_options),
    .min_inputs = 1,
    .max_inputs = -1,
    .supports_masking = true,
    .call = call,
};

kf_layer *kf_concatenate_create(const kf_concatenate_options *options) {
    return kfi_layer_new(&kfi_layer_concatenate, options);
}
