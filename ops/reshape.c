/* reshape: the same elements in the same order under another shape; it only renames memory. One
 * dimension of the target may be KF_ANY: worked out from the input where that is fixed, and left
 * for the batch otherwise. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

/* The product of the fixed dimensions, and where the first that is not stands (-1: nowhere). */
typedef struct extent {
    int64_t fixed;
    int any, n_any;
} extent;

static bool measure(const kf_shape *shape, extent *result) {
    result->fixed = 1, result->any = -1, result->n_any = 0;
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (shape->dims[i] == KF_ANY)
            result->any = i, result->n_any++;
        else if (__builtin_mul_overflow(result->fixed, shape->dims[i], &result->fixed))
            return false;
    }
    return true;
}

static bool divides(int64_t part, int64_t whole) { return part != 0 && whole % part == 0; }

/* Fixed counts must agree. An unknown batch on one side can make up for a factor; on both sides
 * time steps may be folded into it or out of it: then one product divides the other. */
static bool may_agree(extent from, extent to) {
    if (!from.n_any && !to.n_any) return from.fixed == to.fixed;
    if (!from.n_any) return divides(to.fixed, from.fixed);
    if (!to.n_any) return divides(from.fixed, to.fixed);
    return from.n_any > 1 || divides(to.fixed, from.fixed) || divides(from.fixed, to.fixed);
}

static kf_status infer(kfi_shaping *shaping) {
    const kf_status status = kfi_expect_inputs(shaping, 1);
    if (status) return status;
    const kf_shape *in = &shaping->in[0].shape;
    kf_shape shape = ((const kfi_shaped *)shaping->attributes)->shape;
    extent from, to;
    if (!measure(in, &from) || !measure(&shape, &to) || to.n_any > 1 || !may_agree(from, to))
        return kfi_fail(KF_INVALID, "cannot reshape %s to %s", kfi_shape_string(in),
                        kfi_shape_string(&shape));
    if (to.n_any && !from.n_any) shape.dims[to.any] = from.fixed / to.fixed;
    shaping->n_out = 1;
    shaping->out[0] = (kfi_array){.dtype = shaping->in[0].dtype, .shape = shape};
    return KF_OK;
}

static kf_status gradient(kfi_derivation *d) {
    const kfi_shaped back = {.shape = d->in_type[0].shape};
    d->din[0] = kfi_derive(d, "reshape", &back, d->dout[0]);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) {
    (void)call;
    return (kfi_cost){0};
}

static const kfi_example examples[] = {
    {.name = "flattened",
     .attributes = &(const kfi_shaped){.shape = {2, {KF_ANY, 15}}},
     .n_in = 1,
     .in = {{.shape = {3, {4, 3, 5}}}}},
    {.name = "unfolded",
     .attributes = &(const kfi_shaped){.shape = {4, {2, 3, 2, 1}}},
     .n_in = 1,
     .in = {{.shape = {2, {6, 2}}}}},
    {0},
};

const kfi_op KFI_OP(reshape) = {
    .name = "reshape",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer,
    .gradient = gradient,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .is_view = true,
};
