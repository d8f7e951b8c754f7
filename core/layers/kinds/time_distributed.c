/* TimeDistributed: a layer on every time step. (batch, time, …) is folded to (batch time, …), the
 * layer is called once, and its output is unfolded.
 *
 * A model inside may need far more memory for what lies between its input and its output than for
 * these two, so its rows are computed in parts, each a segment of the formula (formula.h). Parts
 * are cut by shapes alone: the sums over them have the same order whatever the memory. */
#include "core/base/memory.h"
#include "core/layers/penalties.h"
#include "core/layers/rules.h"
#include "core/layers/wrapper.h"

typedef kf_time_distributed_options distributed_options;

typedef struct distributed {
    kfi_wrapper wrapper;
    bool fixed_batch; /* then Keras steps through time, and the layer inside sees no mask */
} distributed;

static kf_status wrap(kf_layer *layer, kf_layer *inner) {
    const kf_status status = kfi_wrapper_begin(layer, sizeof(distributed), inner);
    if (status != KF_OK) return status;
    kfi_wrapper *wrapper = layer->extra;
    wrapper->inner[wrapper->n_inner++] = inner;
    inner->trainable = layer->trainable; /* one flag in Keras: that of the layer inside */
    return KF_OK;
}

/* --- shapes ----------------------------------------------------------------------------------- */

/* (batch, time, …) -> (batch time, …) */
static kf_shape folded(const kf_shape *shape) {
    const int64_t batch = shape->dims[0], time = shape->dims[1];
    kf_shape rows = {.rank = shape->rank - 1};
    rows.dims[0] = batch == KF_ANY || time == KF_ANY ? KF_ANY : batch * time;
    for (int i = 1; i < rows.rank; i++) rows.dims[i] = shape->dims[i + 1];
    return rows;
}

/* (batch time, …) -> (batch, time, …), as in `like` */
static kf_shape unfolded(const kf_shape *rows, const kf_shape *like) {
    kf_shape shape = {.rank = rows->rank + 1, .dims = {like->dims[0], like->dims[1]}};
    for (int i = 2; i < shape.rank; i++) shape.dims[i] = rows->dims[i - 1];
    return shape;
}

static kfi_value fold(kfi_formula *formula, kfi_value x) {
    const kf_shape shape = kfi_type(formula, x)->shape, rows = folded(&shape);
    return kfi_reshape_free(formula, x, &rows);
}

static kfi_value unfold(kfi_formula *formula, kfi_value y, const kf_shape *like) {
    const kf_shape rows = kfi_type(formula, y)->shape, shape = unfolded(&rows, like);
    return kfi_reshape_free(formula, y, &shape);
}

static kf_status check_rank(const kf_layer *layer, const kf_shape *shape) {
    const kf_status status = kfi_input_min_ndim(layer, shape, 3);
    if (status != KF_OK) return status;
    if (shape->rank < KF_MAX_RANK) return KF_OK;
    return kfi_fail(KF_INVALID, "an input has at most %d axes; got shape %s", KF_MAX_RANK - 1,
                    kfi_shape_string(shape));
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)n_in;
    distributed *extra = layer->extra;
    kf_layer *const inner = extra->wrapper.layer;
    const kf_status status = check_rank(layer, &in[0].shape);
    if (status != KF_OK) return status;
    extra->fixed_batch = in[0].shape.dims[0] != KF_ANY;
    if (!inner->built && !inner->scope) {
        inner->scope = kfi_strdup(layer->scope ? layer->scope : layer->name);
        if (!inner->scope) return KF_MEMORY;
    }
    return kfi_layer_build(inner, &(kfi_array){.dtype = in[0].dtype, .shape = folded(&in[0].shape)},
                           1);
}

/* --- one part -----------------------------------------------------------------------------------
 */

/* Values that go in and come out of the layer inside: rows and their mask, and the one that was
 * given to the call instead (KFI_NONE: none was, or it says none). */
typedef struct part {
    kfi_value x, mask, given;
} part;

static kf_status call_inner(kfi_layer_call *call, part in, part *out) {
    kf_layer *const inner = kfi_wrapped(call->layer);
    kfi_value values[KFI_LAYER_MAX_OUTPUTS], masks[KFI_LAYER_MAX_OUTPUTS];
    int32_t n_out;
    kfi_layer_call around = *call;
    around.mask = in.given;
    const kf_status status =
        kfi_wrapper_call(&around, inner, &in.x, &in.mask, 1, values, masks, &n_out);
    if (status != KF_OK) return status;
    *out = (part){values[0], masks[0], KFI_NONE};
    if (n_out == 1) return KF_OK;
    return kfi_fail(KF_INVALID, "the layer inside must have one output; %s has %d", inner->name,
                    n_out);
}

/* --- parts --------------------------------------------------------------------------------------
 */

/* What lies between the inputs and outputs of a part should fit into a cache that is shared by a
 * few cores, and parts should be few enough for plans to stay small. */
enum { PART_BYTES = 16 << 20, MAX_PARTS = 128 };

/* Writes one row apart, to see what it needs. */
static kf_status measure_row(kfi_layer_call *call, part in, int64_t *bytes) {
    kfi_array x = *kfi_type(call->formula, in.x), mask = *kfi_type(call->formula, in.mask);
    kfi_array given = *kfi_type(call->formula, in.given);
    x.shape.dims[0] = mask.shape.dims[0] = given.shape.dims[0] = 1;
    kfi_formula *apart;
    kf_status status = kfi_formula_new(false, false, &apart);
    if (status != KF_OK) return status;
    part out, row = {kfi_source(apart, "row", x.dtype, &x.shape), KFI_NONE, KFI_NONE};
    if (!kfi_is_none(in.mask)) row.mask = kfi_source(apart, "mask", mask.dtype, &mask.shape);
    if (!kfi_is_none(in.given)) row.given = kfi_source(apart, "mask", given.dtype, &given.shape);
    kfi_layer_call measured = *call;
    measured.formula = apart;
    status = call_inner(&measured, row, &out);
    *bytes = kfi_formula_bytes(apart);
    kfi_formula_free(apart);
    return status;
}

/* How many rows make a part: all of them, unless a model inside can be cut and is large. */
static kf_status rows_of_part(kfi_layer_call *call, part in, int64_t *rows) {
    kf_layer *const inner = kfi_wrapped(call->layer), *const * deeper;
    const int64_t all = kfi_type(call->formula, in.x)->shape.dims[0];
    int64_t bytes;
    *rows = all;
    if (kfi_formula_symbolic(call->formula) || kfi_formula_in_segment(call->formula) ||
        kfi_layer_inner(inner, &deeper) == 0 || kfi_layer_whole_batch(inner))
        return KF_OK;
    const kf_status status = measure_row(call, in, &bytes);
    if (status != KF_OK) return status;
    const int64_t fit = bytes < PART_BYTES ? PART_BYTES / (bytes + 1) + 1 : 1;
    const int64_t least = (all + MAX_PARTS - 1) / MAX_PARTS;
    *rows = fit > least ? fit : least;
    return KF_OK;
}

static kfi_value take(kfi_formula *formula, kfi_value x, int64_t start, int64_t size) {
    const kfi_slice rows = {.axis = 0, .start = start, .size = size};
    return kfi_is_none(x) ? x : kfi_emit(formula, "slice", &rows, x);
}

static kfi_value join(kfi_formula *formula, const kfi_value *parts, int64_t n) {
    if (kfi_is_none(parts[0])) return KFI_NONE;
    return kfi_emit_list(formula, "concatenate", &(kfi_slice){.axis = 0}, parts, (int)n, NULL);
}

/* `values` has room for the outputs of all parts and then their masks. */
static kf_status call_parts(kfi_layer_call *call, part in, int64_t rows, kfi_value *values,
                            part *out) {
    kfi_formula *const f = call->formula;
    const int64_t all = kfi_type(f, in.x)->shape.dims[0], n = (all + rows - 1) / rows;
    for (int64_t i = 0; i < n; i++) {
        const int64_t start = i * rows, size = all - start < rows ? all - start : rows;
        part done;
        kfi_segment_begin(f);
        const part rows_of = {take(f, in.x, start, size), take(f, in.mask, start, size),
                              take(f, in.given, start, size)};
        const kf_status status = call_inner(call, rows_of, &done);
        kfi_segment_end(f);
        if (status != KF_OK) return status;
        values[i] = done.x;
        values[n + i] = done.mask;
    }
    *out = (part){join(f, values, n), join(f, values + n, n), KFI_NONE};
    return KF_OK;
}

static kf_status call_rows(kfi_layer_call *call, part in, part *out) {
    int64_t rows = 0;
    const kf_status status = rows_of_part(call, in, &rows);
    if (status != KF_OK) return status;
    const int64_t all = kfi_type(call->formula, in.x)->shape.dims[0];
    if (rows >= all) return call_inner(call, in, out);
    kfi_value *values = kfi_alloc(2 * (size_t)((all + rows - 1) / rows), sizeof *values);
    if (!values) return KF_MEMORY;
    const kf_status called = call_parts(call, in, rows, values, out);
    kfi_free(values);
    return called;
}

/* --- masks --------------------------------------------------------------------------------------
 */

/* Steps of which any element counts: min(1, sum of the mask over all axes but batch and time). */
static kfi_value any_counts(kfi_formula *formula, kfi_value mask) {
    const int rank = kfi_type(formula, mask)->shape.rank;
    if (rank <= 2) return mask;
    const kfi_reduce inside = {.axes = ((1u << rank) - 1) & ~3u};
    const kfi_affine less_one = {.scale = 1, .offset = -1};
    const kfi_value sum = kfi_emit(formula, "reduce_sum", &inside, mask);
    const kfi_value more = kfi_emit(formula, "affine", &less_one, sum);
    return kfi_emit(formula, "subtract", NULL, sum, kfi_emit(formula, "relu", NULL, more));
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* Keras hands a mask on to layers that know the argument, and else forgets it. */
static bool takes_given(const kfi_layer_call *call) {
    return call->gives_mask && !kfi_is_none(call->mask) &&
           kfi_wrapped(call->layer)->class->takes_mask;
}

static kf_status call(kfi_layer_call *call) {
    const distributed *extra = call->layer->extra;
    kfi_formula *f = call->formula;
    const kf_shape shape = kfi_input_shape(call, 0);
    const kfi_value mask = call->in_mask[0];
    kf_status status = check_rank(call->layer, &shape);
    if (status != KF_OK) return status;

    part rows = {fold(f, call->in[0]), KFI_NONE, KFI_NONE}, out = rows;
    if (!extra->fixed_batch && !kfi_is_none(mask)) rows.mask = fold(f, mask);
    if (!extra->fixed_batch && takes_given(call)) rows.given = fold(f, call->mask);
    status = call_rows(call, rows, &out);
    if (status != KF_OK) return status;
    call->out[0] = unfold(f, out.x, &shape);
    /* Keras 2.2.4 counts it twice: here, and as of any layer's output. */
    kfi_penalize_activity(f, call->layer, call->out[0]);
    if (extra->fixed_batch)
        call->out_mask[0] = mask;
    else if (!kfi_is_none(out.mask))
        call->out_mask[0] = unfold(f, out.mask, &shape);
    else
        call->out_mask[0] = kfi_is_none(mask) ? mask : any_counts(f, mask);
    return KF_OK;
}

const kfi_layer_class kfi_layer_time_distributed = {
    .name = "TimeDistributed",
    .options_size = sizeof(distributed_options),
    .supports_masking = true,
    .takes_training = true,
    .takes_mask = true,
    .build = build,
    .call = call,
    .inner = kfi_wrapper_inner,
    .free = kfi_wrapper_free,
    .wraps = "layer",
    .wrap = wrap,
};

kf_layer *kf_time_distributed_create(const kf_time_distributed_options *options) {
    kf_layer *const inner = options && options->size >= sizeof *options ? options->layer : NULL;
    return kfi_wrapper_new(&kfi_layer_time_distributed, options, inner);
}
