/* transpose: output axis i is input axis permutation[i]; the derivative is the inverse permutation.
 * Where the last axis stays last, whole runs are copied. Otherwise blocks of the input's innermost
 * axis against the output's are turned, square by square, so that both sides use whole lines. */
#include "ops/attributes.h"
#include "ops/axes.h"
#include "ops/checks.h"
#include "ops/elements.h"
#include "ops/vector_transpose.h"

static kf_status infer(kfi_shaping *shaping) {
    const kf_status status = kfi_expect_inputs(shaping, 1);
    if (status) return status;
    const kfi_transpose *by = shaping->attributes;
    const kf_shape *in = &shaping->in[0].shape;
    if (kf_dtype_size(shaping->in[0].dtype) != sizeof(float))
        return kfi_fail(KF_INVALID, "cannot transpose elements of %s",
                        kf_dtype_name(shaping->in[0].dtype));
    kf_shape *out = &shaping->out[0].shape;
    out->rank = in->rank;
    uint32_t seen = 0;
    for (int i = 0; i < in->rank; i++) {
        const int32_t axis = by->permutation[i];
        if (axis < 0 || axis >= in->rank || seen >> axis & 1)
            return kfi_fail(KF_INVALID, "axes to transpose must each appear once; axis %d of %s",
                            (int)axis, kfi_shape_string(in));
        seen |= 1u << axis;
        out->dims[i] = in->dims[axis];
    }
    shaping->n_out = 1;
    shaping->out[0].dtype = shaping->in[0].dtype;
    return KF_OK;
}

/* Four bytes of either type. */
typedef uint32_t __attribute__((may_alias)) word;

static kfi_axes merged_axes(const kfi_call *call) {
    const kfi_transpose *by = call->attributes;
    const kf_shape *in = &call->in[0].shape;
    kfi_axes axes = {0};
    for (int i = in->rank - 1; i >= 0; i--) {
        const int axis = by->permutation[i];
        const int64_t stride = kfi_shape_product(in, axis + 1, in->rank);
        if (in->dims[axis] != 1) kfi_axes_add(&axes, in->dims[axis], stride, 0);
    }
    if (axes.rank == 0) kfi_axes_add(&axes, 1, 1, 0);
    return axes;
}

static void copy_runs(const kfi_axes *axes, const word *x, word *y, kfi_span span) {
    kfi_position position = kfi_position_of(axes, span.begin);
    for (int64_t at = span.begin; at < span.end;) {
        const int64_t left = axes->size[0] - position.index[0];
        const int64_t run = left < span.end - at ? left : span.end - at;
        memcpy(y + at, x + position.a, (size_t)run * sizeof *y);
        kfi_position_move(&position, axes, run);
        at += run;
    }
}

/* A block: up to ROWS of the axis on which the input is contiguous, by up to COLUMNS of the
 * output's innermost axis, at one index of all other axes. */
enum { ROWS = 32, COLUMNS = 1024 };

typedef struct blocking {
    int row_axis;
    int64_t row_blocks, column_blocks, count, per_tile;
    int64_t y_stride[KF_MAX_RANK];
} blocking;

static blocking blocks_of(const kfi_axes *axes) {
    blocking blocks = {0};
    int64_t y_stride = 1, others = 1;
    for (int i = 0; i < axes->rank; i++) {
        blocks.y_stride[i] = y_stride;
        y_stride *= axes->size[i];
        if (axes->a_stride[i] == 1) blocks.row_axis = i;
    }
    for (int i = 1; i < axes->rank; i++)
        if (i != blocks.row_axis) others *= axes->size[i];
    const int64_t rows = axes->size[blocks.row_axis], columns = axes->size[0];
    blocks.row_blocks = (rows + ROWS - 1) / ROWS;
    blocks.column_blocks = (columns + COLUMNS - 1) / COLUMNS;
    blocks.count = others * blocks.row_blocks * blocks.column_blocks;
    const int64_t size = (rows < ROWS ? rows : ROWS) * (columns < COLUMNS ? columns : COLUMNS);
    blocks.per_tile = size < KFI_TILE && size > 0 ? KFI_TILE / size : 1;
    return blocks;
}

static void turn_block(const kfi_axes *axes, const blocking *blocks, const word *x, word *y,
                       int64_t block) {
    const int64_t column = block % blocks->column_blocks * COLUMNS;
    block /= blocks->column_blocks;
    const int64_t row = block % blocks->row_blocks * ROWS;
    block /= blocks->row_blocks;
    x += row + column * axes->a_stride[0];
    y += row * blocks->y_stride[blocks->row_axis] + column;
    for (int i = 1; i < axes->rank; i++) {
        if (i == blocks->row_axis) continue;
        const int64_t index = block % axes->size[i];
        x += index * axes->a_stride[i];
        y += index * blocks->y_stride[i];
        block /= axes->size[i];
    }
    const int64_t rows = axes->size[blocks->row_axis] - row, columns = axes->size[0] - column;
    kfi_transpose_block((const float *)x, axes->a_stride[0], columns < COLUMNS ? columns : COLUMNS,
                        rows < ROWS ? rows : ROWS, (float *)y, blocks->y_stride[blocks->row_axis]);
}

static int64_t tiles(const kfi_call *call) {
    const kfi_axes axes = merged_axes(call);
    if (axes.a_stride[0] == 1) return kfi_element_tiles(call);
    const blocking blocks = blocks_of(&axes);
    return kfi_tiles_for(blocks.count, blocks.per_tile);
}

static void transpose(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    if (kfi_count(&call->out[0]) == 0) return;
    const kfi_axes axes = merged_axes(call);
    const word *x = call->in[0].data;
    word *y = call->out[0].data;
    if (axes.a_stride[0] == 1) {
        copy_runs(&axes, x, y, kfi_element_span(call, tile));
        return;
    }
    const blocking blocks = blocks_of(&axes);
    const kfi_span span = kfi_span_of(tile, blocks.per_tile, blocks.count);
    for (int64_t block = span.begin; block < span.end; block++)
        turn_block(&axes, &blocks, x, y, block);
}

static kf_status gradient(kfi_derivation *d) {
    const kfi_transpose *by = d->attributes;
    kfi_transpose back = {{0}};
    for (int i = 0; i < d->in_type[0].shape.rank; i++) back.permutation[by->permutation[i]] = i;
    d->din[0] = kfi_derive(d, "transpose", &back, d->dout[0]);
    return KF_OK;
}

static const kfi_example examples[] = {
    {.name = "matrix",
     .attributes = &(const kfi_transpose){{1, 0}},
     .n_in = 1,
     .in = {{.shape = {2, {5, 7}}}}},
    {.name = "the last axis stays",
     .attributes = &(const kfi_transpose){{1, 0, 2}},
     .n_in = 1,
     .in = {{.shape = {3, {3, 5, 2}}}}},
    {.name = "four axes",
     .attributes = &(const kfi_transpose){{2, 0, 3, 1}},
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 4, 5}}}}},
    {.name = "integers",
     .attributes = &(const kfi_transpose){{0, 2, 1}},
     .n_in = 1,
     .in = {{.shape = {3, {2, 3, 17}}, .dtype = KF_INT32, .low = -50, .high = 50}}},
    {.name = "large",
     .attributes = &(const kfi_transpose){{2, 1, 0}},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {3, {1100, 3, 45}}}}},
    {0},
};

const kfi_op KFI_OP(transpose) = {
    .name = "transpose",
    .attributes_size = sizeof(kfi_transpose),
    .infer = infer,
    .stages = {{transpose, tiles}},
    .gradient = gradient,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
};
