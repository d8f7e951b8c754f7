/* Reshape: samples under another shape, of which one dimension (-1) is worked out. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

typedef kf_reshape_options reshape_options;

static const kfi_field fields[] = {
    KFI_FIELD(reshape_options, target_shape, "target_shape", kfi_field_dims,
              .count = KF_MAX_RANK - 1, .low = -1, .high = 1e15,
              .help = "a sample's new shape; one -1 is worked out"),
    KFI_FIELDS_END,
};

static int target_rank(const int64_t *target) {
    int rank = 0;
    while (rank < KF_MAX_RANK - 1 && target[rank]) rank++;
    return rank;
}

static kf_status check(const kf_layer *layer) {
    const reshape_options *options = layer->options;
    int n_unknown = 0;
    if (options->target_shape[KF_MAX_RANK - 1])
        return kfi_fail(KF_INVALID, "target_shape has at most %d axes", KF_MAX_RANK - 1);
    for (int i = 0; i < target_rank(options->target_shape); i++)
        n_unknown += options->target_shape[i] == -1;
    return n_unknown <= 1 ? KF_OK : kfi_fail(KF_INVALID, "Can only specify one unknown dimension.");
}

/* The product of a sample's dimensions; -1 if one of them is not fixed. */
static int64_t sample_count(const kf_shape *shape) {
    kf_shape sample = *shape;
    if (sample.rank > 0) sample.dims[0] = 1;
    return kfi_shape_count(&sample);
}

/* Replaces the -1 in `shape` (the batch axis first) so that a sample has `count` elements. */
static kf_status work_out(kf_shape *shape, int64_t count) {
    int64_t *unknown = NULL;
    for (int i = 1; i < shape->rank; i++)
        if (shape->dims[i] == KF_ANY) unknown = &shape->dims[i];
    if (unknown) *unknown = 1;
    const int64_t known = sample_count(shape);
    const bool fits = unknown ? known > 0 && count % known == 0 : known == count;
    if (!fits) return kfi_fail(KF_INVALID, "total size of new array must be unchanged");
    if (unknown) *unknown = count / known;
    return KF_OK;
}

static kf_status call(kfi_layer_call *call) {
    const reshape_options *options = call->layer->options;
    const kf_shape from = kfi_input_shape(call, 0);
    const int rank = target_rank(options->target_shape);
    kf_shape to = {.rank = rank + 1, .dims = {from.dims[0]}};
    for (int i = 0; i < rank; i++) to.dims[i + 1] = options->target_shape[i];
    const int64_t count = sample_count(&from);
    const kf_status status = count >= 0 ? work_out(&to, count) : KF_OK;
    if (status != KF_OK)
        return kfi_within(status, "cannot reshape %s to %s: ", kfi_shape_string(&from),
                          kfi_shape_print(&to).text);
    call->out[0] = kfi_reshape_free(call->formula, call->in[0], &to);
    return KF_OK;
}

const kfi_layer_class kfi_layer_reshape = {
    .name = "Reshape",
    .fields = fields,
    .options_size = sizeof(reshape_options),
    .check = check,
    .call = call,
};

kf_layer *kf_reshape_create(const kf_reshape_options *options) {
    return kfi_layer_new(&kfi_layer_reshape, options);
}
