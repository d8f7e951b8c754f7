/* any_not_equal(x): 1 where an element along the last axis differs from `value`, else 0: which
 * steps of a sequence count. x float32 or int32 (…, n) -> float32 (…). Nothing flows back. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/tiles.h"

static kf_status infer(kfi_shaping *s) {
    const kf_status status = kfi_expect_inputs(s, 1);
    if (status) return status;
    const kf_shape *x = &s->in[0].shape;
    if (x->rank < 1 || (s->in[0].dtype != KF_FLOAT32 && s->in[0].dtype != KF_INT32))
        return kfi_fail(KF_INVALID, "expected float32 or int32 of rank 1 or more, got %s %s",
                        kf_dtype_name(s->in[0].dtype), kfi_shape_string(x));
    s->n_out = 1;
    s->out[0].shape = *x;
    s->out[0].shape.rank--;
    return KF_OK;
}

static int64_t row_size(const kfi_call *call) {
    return call->in[0].shape.dims[call->in[0].shape.rank - 1];
}

static int64_t rows_per_tile(const kfi_call *call) {
    return kfi_larger(KFI_TILE_ELEMENTS / kfi_larger(row_size(call), 1), 1);
}

static int64_t tiles(const kfi_call *call) {
    return kfi_tile_count(kfi_count(&call->out[0]), rows_per_tile(call));
}

static bool any_float(const float *x, int64_t n, float value) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] != value) return true;
    return false;
}

static bool any_int(const int32_t *x, int64_t n, float value) {
    for (int64_t i = 0; i < n; i++)
        if ((double)x[i] != (double)value) return true;
    return false;
}

static void any_not_equal(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const float value = ((const kfi_shaped *)call->attributes)->value;
    const int64_t n = row_size(call);
    const kfi_range rows = kfi_tile_range(kfi_count(&call->out[0]), rows_per_tile(call), tile);
    float *y = kfi_out(call, 0);
    for (int64_t i = rows.first; i < rows.last; i++)
        y[i] = call->in[0].dtype == KF_INT32 ? any_int(kfi_in_int(call, 0) + i * n, n, value)
                                             : any_float(kfi_in(call, 0) + i * n, n, value);
}

static const kfi_example examples[] = {
    {.name = "steps",
     .attributes = &(const kfi_shaped){.value = 0},
     .n_in = 1,
     .in = {{.shape = {3, {2, 3, 4}}, .constant = true}}},
    {.name = "words",
     .attributes = &(const kfi_shaped){.value = 1},
     .n_in = 1,
     .in = {{.shape = {3, {5, 7, 1}}, .dtype = KF_INT32, .low = 0, .high = 3}}},
    {.name = "large",
     .attributes = &(const kfi_shaped){.value = 2},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {3, {211, 313, 3}}, .constant = true}}},
    {0},
};

const kfi_op KFI_OP(any_not_equal) = {
    .name = "any_not_equal",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer,
    .stages = {{any_not_equal, tiles}},
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
};
