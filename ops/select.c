/* select(mask, a, b): row i of y is row i of a where mask[i] != 0, else of b; mask (rows), the
 * others (rows, …). da = select(mask, dy, 0), db = select(mask, 0, dy). */
#include "ops/attributes.h"
#include "ops/shape_rules.h"
#include "ops/tiles.h"

static kf_status infer(kfi_shaping *s) {
    kf_status status = kfi_expect_floats(s, 3);
    if (!status) status = kfi_expect_rank(s, 0, 1);
    if (status) return status;
    s->n_out = 1;
    status = kfi_expect_one_shape(s, 1, 3, &s->out[0].shape);
    if (status) return status;
    const kf_shape *rows = &s->in[0].shape, *shape = &s->out[0].shape;
    if (shape->rank > 0 && kfi_dims_agree(rows->dims[0], shape->dims[0])) return KF_OK;
    return kfi_fail(KF_INVALID, "a mask of shape %s does not fit rows of shape %s",
                    kfi_shape_string(rows), kfi_shape_string(shape));
}

static int64_t row_size(const kfi_call *call) {
    return kfi_shape_product(&call->out[0].shape, 1, call->out[0].shape.rank);
}

static int64_t rows_per_tile(const kfi_call *call) {
    return kfi_larger(KFI_TILE / kfi_larger(row_size(call), 1), 1);
}

static int64_t tiles(const kfi_call *call) {
    return kfi_tile_count(call->out[0].shape.dims[0], rows_per_tile(call));
}

static void select_rows(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_range rows = kfi_tile_range(call->out[0].shape.dims[0], rows_per_tile(call), tile);
    const int64_t size = row_size(call);
    const float *mask = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
    for (int64_t i = rows.first; i < rows.last; i++) {
        const float *from = kfi_in(call, mask[i] != 0 ? 1 : 2) + i * size;
        if (y + i * size != from) memcpy(y + i * size, from, (size_t)size * sizeof *y);
    }
}

static kf_status gradient(kfi_derivation *d) {
    const kfi_value zeros =
        d->emit(d, "fill", &(kfi_shaped){.shape = d->out_type[0].shape, .value = 0}, NULL, 0, NULL);
    if (d->wanted[1]) d->din[1] = kfi_derive(d, "select", NULL, d->in[0], d->dout[0], zeros);
    if (d->wanted[2]) d->din[2] = kfi_derive(d, "select", NULL, d->in[0], zeros, d->dout[0]);
    return KF_OK;
}

#define MASK(rows)                                                                                 \
    { .shape = {1, {rows}}, .low = 0, .high = 1, .constant = true }
#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
static const kfi_example examples[] = {
    {.name = "rows", .n_in = 3, .in = {MASK(5), X(2, {5, 3}), X(2, {5, 3})}},
    {.name = "images", .n_in = 3, .in = {MASK(2), X(4, {2, 3, 2, 3}), X(4, {2, 3, 2, 3})}},
    {.name = "large",
     .n_in = 3,
     .large = true,
     .in = {MASK(311), X(2, {311, 307}), X(2, {311, 307})}},
    {0},
};

const kfi_op KFI_OP(select) = {
    .name = "select",
    .infer = infer,
    .stages = {{select_rows, tiles}},
    .gradient = gradient,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {2},
};
