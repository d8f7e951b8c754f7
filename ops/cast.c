/* cast: float32 to int32, towards zero, beyond its range to the nearest end, NaN to 0; int32 to
 * float32, rounded. A gradient flows only where nothing is converted. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status infer(kfi_shaping *shaping) {
    const kf_status status = kfi_expect_inputs(shaping, 1);
    if (status) return status;
    const kf_dtype to = ((const kfi_cast *)shaping->attributes)->dtype, from = shaping->in[0].dtype;
    if ((to != KF_FLOAT32 && to != KF_INT32) || (from != KF_FLOAT32 && from != KF_INT32))
        return kfi_fail(KF_INVALID, "can cast between float32 and int32 only, not %s to %s",
                        kf_dtype_name(from), kf_dtype_name(to));
    shaping->n_out = 1;
    shaping->out[0].dtype = to;
    shaping->out[0].shape = shaping->in[0].shape;
    return KF_OK;
}

static int32_t truncated(float x) {
    if (x != x) return 0;
    if (x >= 0x1p31f) return INT32_MAX;
    return x <= -0x1p31f ? INT32_MIN : (int32_t)x;
}

static void cast(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_span span = kfi_element_span(call, tile);
    const kf_dtype from = call->in[0].dtype, to = call->out[0].dtype;
    if (from == to) {
        memcpy(kfi_out(call, 0) + span.begin, kfi_in(call, 0) + span.begin,
               (size_t)(span.end - span.begin) * sizeof(float));
    } else if (to == KF_FLOAT32) {
        for (int64_t i = span.begin; i < span.end; i++)
            kfi_out(call, 0)[i] = (float)kfi_in_int(call, 0)[i];
    } else {
        int32_t *y = call->out[0].data;
        for (int64_t i = span.begin; i < span.end; i++) y[i] = truncated(kfi_in(call, 0)[i]);
    }
}

static kf_status gradient(kfi_derivation *d) {
    if (d->in_type[0].dtype == d->out_type[0].dtype) d->din[0] = d->dout[0];
    return KF_OK;
}

static const kfi_example examples[] = {
    {.name = "to int32",
     .attributes = &(const kfi_cast){KF_INT32},
     .n_in = 1,
     .in = {{.shape = {2, {3, 7}}, .low = -9, .high = 9, .constant = true}}},
    {.name = "to float32",
     .attributes = &(const kfi_cast){KF_FLOAT32},
     .n_in = 1,
     .in = {{.shape = {1, {19}}, .dtype = KF_INT32, .low = -99, .high = 99}}},
    {.name = "to the same",
     .attributes = &(const kfi_cast){KF_FLOAT32},
     .n_in = 1,
     .in = {{.shape = {1, {19}}}}},
    {0},
};

const kfi_op KFI_OP(cast) = {
    .name = "cast",
    .attributes_size = sizeof(kfi_cast),
    .infer = infer,
    .stages = {{cast, kfi_element_tiles}},
    .gradient = gradient,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
};
