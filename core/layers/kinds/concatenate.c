/* Concatenate: tensors one after another along an axis. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <stdio.h>

typedef kf_concatenate_options concatenate_options;

static const kfi_field fields[] = {
    KFI_FIELD(concatenate_options, axis, "axis", kfi_field_integer, .otherwise = "-1",
              .help = "the axis that grows"),
    KFI_FIELDS_END,
};

/* Python's list of the inputs' shapes: "[(None, 3), (None, 4)]", cut where it is long. */
static void list_shapes(const kfi_layer_call *call, char *text, size_t size) {
    size_t length = 0;
    for (int32_t i = 0; i < call->n_in && length < size; i++) {
        const kf_shape shape = kfi_input_shape(call, i);
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "[",
                                   kfi_shape_string(&shape));
    }
    if (length < size) snprintf(text + length, size - length, "]");
}

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
        list_shapes(call, text, sizeof text);
        return kfi_fail(KF_INVALID,
                        "A `Concatenate` layer requires inputs with matching shapes except for the "
                        "concat axis. Got inputs shapes: %s",
                        text);
    }
    return KF_OK;
}

static int32_t count_masks(const kfi_layer_call *call) {
    int32_t count = 0;
    for (int32_t i = 0; i < call->n_in; i++) count += !kfi_is_none(call->in_mask[i]);
    return count;
}

/* The axes that masks have: (batch, steps), whatever the rank of the inputs. */
static int mask_rank(const kfi_layer_call *call) {
    for (int32_t i = 0; i < call->n_in; i++)
        if (!kfi_is_none(call->in_mask[i]))
            return kfi_type(call->formula, call->in_mask[i])->shape.rank;
    return 0;
}

/* Along an axis that masks have they are concatenated too; along any other a step is kept where no
 * mask drops it. */
static kf_status join_masks(kfi_layer_call *call, int axis) {
    kfi_formula *f = call->formula;
    const int32_t n_masks = count_masks(call);
    call->out_mask[0] = KFI_NONE;
    if (n_masks == 0) return KF_OK;
    if (axis < mask_rank(call)) {
        if (n_masks < call->n_in)
            return kfi_fail(KF_INVALID, "along axis %d all inputs must have a mask, or none", axis);
        call->out_mask[0] = kfi_emit_list(f, "concatenate", &(kfi_slice){.axis = axis},
                                          call->in_mask, n_masks, NULL);
        return KF_OK;
    }
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
