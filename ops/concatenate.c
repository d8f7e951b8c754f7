/* concatenate: the inputs one after the other along an axis; slice: a range of an axis; unslice:
 * zeros around such a range. Each is the others' derivative.
 * Arrays are seen as rows of the axis and all that lies within it. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

/* Copies the elements that [begin, end) of the output shares with what stands at column `at` of
 * every output row. Widths are those of one row, in elements of `size` bytes. */
static void copy_overlap(const char *x, int64_t x_width, char *y, int64_t y_width, int64_t at,
                         int64_t width, kfi_span span, size_t size) {
    for (int64_t row = span.begin / y_width; row * y_width < span.end; row++) {
        const int64_t start = row * y_width + at, end = start + width;
        const int64_t from = start > span.begin ? start : span.begin;
        const int64_t to = end < span.end ? end : span.end;
        if (from >= to) continue;
        memcpy(y + (size_t)from * size, x + (size_t)(row * x_width + from - start) * size,
               (size_t)(to - from) * size);
    }
}

static int64_t row_width(const kfi_array *array, int32_t axis) {
    return kfi_shape_product(&array->shape, axis, array->shape.rank);
}

static int64_t inner_width(const kfi_array *array, int32_t axis) {
    return kfi_shape_product(&array->shape, axis + 1, array->shape.rank);
}

static kf_status infer_concatenate(kfi_shaping *shaping) {
    const kfi_slice *along = shaping->attributes;
    if (shaping->n_in < 1) return kfi_fail(KF_INVALID, "expected at least one input, got none");
    const kf_status status = kfi_expect_axis(along->axis, &shaping->in[0].shape);
    if (status) return status;
    kf_shape shape = shaping->in[0].shape;
    int64_t total = shape.dims[along->axis];
    for (int i = 1; i < shaping->n_in; i++) {
        const kf_status wrong = kfi_expect_dtype(shaping, i, shaping->in[0].dtype);
        if (wrong) return wrong;
        const kf_shape *other = &shaping->in[i].shape;
        kf_shape alike = shape;
        if (other->rank == shape.rank) alike.dims[along->axis] = other->dims[along->axis];
        if (!kfi_shape_fits(&alike, other))
            return kfi_fail(KF_INVALID,
                            "shapes to concatenate must match except on axis %d, got %s and %s",
                            (int)along->axis, kfi_shape_string(&shape), kfi_shape_string(other));
        kfi_shape_complete(&shape, other);
        const int64_t more = other->dims[along->axis];
        total = total < 0 || more < 0 ? KF_ANY : total + more;
    }
    shape.dims[along->axis] = total;
    shaping->n_out = 1;
    shaping->out[0] = (kfi_array){.dtype = shaping->in[0].dtype, .shape = shape};
    return KF_OK;
}

static void concatenate(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int32_t axis = ((const kfi_slice *)call->attributes)->axis;
    const kfi_span span = kfi_element_span(call, tile);
    int64_t at = 0;
    for (int i = 0; i < call->n_in && span.begin < span.end; i++) {
        const int64_t width = row_width(&call->in[i], axis), start = at;
        at += width;
        if (!call->in[i].data) continue; /* it was written where it belongs */
        copy_overlap(call->in[i].data, width, call->out[0].data, row_width(&call->out[0], axis),
                     start, width, span, kf_dtype_size(call->out[0].dtype));
    }
}

static kf_status derive_concatenate(kfi_derivation *d) {
    kfi_slice part = {.axis = ((const kfi_slice *)d->attributes)->axis};
    for (int i = 0; i < d->n_in; i++) {
        part.size = d->in_type[i].shape.dims[part.axis];
        if (d->wanted[i]) d->din[i] = kfi_derive(d, "slice", &part, d->dout[0]);
        part.start += part.size;
    }
    return KF_OK;
}

static kf_status infer_slice(kfi_shaping *shaping) {
    const kfi_slice *part = shaping->attributes;
    kf_status status = kfi_expect_inputs(shaping, 1);
    if (!status) status = kfi_expect_axis(part->axis, &shaping->in[0].shape);
    if (status) return status;
    shaping->n_out = 1;
    shaping->out[0] = shaping->in[0];
    int64_t *dim = &shaping->out[0].shape.dims[part->axis];
    if (part->start < 0 || part->size < 0 || (*dim >= 0 && part->start > *dim - part->size))
        return kfi_fail(KF_INVALID, "[%lld, %lld) is not within axis %d of %s",
                        (long long)part->start, (long long)(part->start + part->size),
                        (int)part->axis, kfi_shape_string(&shaping->in[0].shape));
    *dim = part->size;
    return KF_OK;
}

static void slice(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_slice *part = call->attributes;
    const size_t size = kf_dtype_size(call->out[0].dtype);
    const int64_t width = row_width(&call->out[0], part->axis);
    const kfi_span span = kfi_element_span(call, tile);
    if (span.begin == span.end) return;
    const int64_t skipped = part->start * inner_width(&call->in[0], part->axis);
    copy_overlap((const char *)call->in[0].data + (size_t)skipped * size,
                 row_width(&call->in[0], part->axis), call->out[0].data, width, 0, width, span,
                 size);
}

static kf_status derive_slice(kfi_derivation *d) {
    kfi_slice part = *(const kfi_slice *)d->attributes;
    part.total = d->in_type[0].shape.dims[part.axis];
    d->din[0] = kfi_derive(d, "unslice", &part, d->dout[0]);
    return KF_OK;
}

static kf_status infer_unslice(kfi_shaping *shaping) {
    const kfi_slice *part = shaping->attributes;
    kf_status status = kfi_expect_inputs(shaping, 1);
    if (!status) status = kfi_expect_axis(part->axis, &shaping->in[0].shape);
    if (status) return status;
    const int64_t dim = shaping->in[0].shape.dims[part->axis];
    if (part->start < 0 || (dim >= 0 && dim != part->size) ||
        part->start > part->total - part->size)
        return kfi_fail(KF_INVALID, "axis %d of %s cannot stand at %lld of %lld", (int)part->axis,
                        kfi_shape_string(&shaping->in[0].shape), (long long)part->start,
                        (long long)part->total);
    shaping->n_out = 1;
    shaping->out[0] = shaping->in[0];
    shaping->out[0].shape.dims[part->axis] = part->total;
    return KF_OK;
}

static void unslice(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_slice *part = call->attributes;
    const size_t size = kf_dtype_size(call->out[0].dtype);
    const int64_t width = row_width(&call->in[0], part->axis);
    const kfi_span span = kfi_element_span(call, tile);
    if (span.begin == span.end) return;
    char *y = call->out[0].data;
    memset(y + (size_t)span.begin * size, 0, (size_t)(span.end - span.begin) * size);
    const int64_t skipped = part->start * inner_width(&call->in[0], part->axis);
    copy_overlap(call->in[0].data, width, y, row_width(&call->out[0], part->axis), skipped, width,
                 span, size);
}

static kf_status derive_unslice(kfi_derivation *d) {
    d->din[0] = kfi_derive(d, "slice", d->attributes, d->dout[0]);
    return KF_OK;
}

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define LABELS(...)                                                                                \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = 9 }

static const kfi_example concatenate_examples[] = {
    {.name = "last axis",
     .attributes = &(const kfi_slice){.axis = 1},
     .n_in = 3,
     .in = {X(2, {3, 2}), X(2, {3, 5}), X(2, {3, 1})}},
    {.name = "middle axis",
     .attributes = &(const kfi_slice){.axis = 1},
     .n_in = 2,
     .in = {X(3, {2, 3, 5}), X(3, {2, 1, 5})}},
    {.name = "integers on the first axis",
     .attributes = &(const kfi_slice){.axis = 0},
     .n_in = 2,
     .in = {LABELS(2, {3, 2}), LABELS(2, {1, 2})}},
    {.name = "large",
     .attributes = &(const kfi_slice){.axis = 1},
     .n_in = 2,
     .large = true,
     .in = {X(2, {257, 301}), X(2, {257, 99})}},
    {0},
};

static const kfi_example slice_examples[] = {
    {.name = "last axis",
     .attributes = &(const kfi_slice){.axis = 1, .start = 2, .size = 3},
     .n_in = 1,
     .in = {X(2, {5, 7})}},
    {.name = "middle axis, integers",
     .attributes = &(const kfi_slice){.axis = 1, .start = 0, .size = 2},
     .n_in = 1,
     .in = {LABELS(3, {2, 3, 5})}},
    {.name = "large",
     .attributes = &(const kfi_slice){.axis = 0, .start = 3, .size = 200},
     .n_in = 1,
     .large = true,
     .in = {X(2, {257, 301})}},
    {0},
};

static const kfi_example unslice_examples[] = {
    {.name = "last axis",
     .attributes = &(const kfi_slice){.axis = 1, .start = 2, .size = 3, .total = 7},
     .n_in = 1,
     .in = {X(2, {5, 3})}},
    {.name = "large",
     .attributes = &(const kfi_slice){.axis = 1, .start = 5, .size = 2, .total = 11},
     .n_in = 1,
     .large = true,
     .in = {X(3, {123, 2, 77})}},
    {0},
};

const kfi_op KFI_OP(concatenate) = {
    .name = "concatenate",
    .attributes_size = sizeof(kfi_slice),
    .infer = infer_concatenate,
    .stages = {{concatenate, kfi_element_tiles}},
    .region = kfi_element_region,
    .gradient = derive_concatenate,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(concatenate_examples),
};

const kfi_op KFI_OP(slice) = {
    .name = "slice",
    .attributes_size = sizeof(kfi_slice),
    .infer = infer_slice,
    .stages = {{slice, kfi_element_tiles}},
    .region = kfi_element_region,
    .gradient = derive_slice,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(slice_examples),
};

const kfi_op KFI_OP(unslice) = {
    .name = "unslice",
    .attributes_size = sizeof(kfi_slice),
    .infer = infer_unslice,
    .stages = {{unslice, kfi_element_tiles}},
    .region = kfi_element_region,
    .gradient = derive_unslice,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(unslice_examples),
};
