/* simple_rnn(z, r[, h0][, mask][, drop]) -> y: all steps of y_t = a(z_t + y_(t-1) R), with z
 * (batch, time, units) the product of the inputs and the bias. A masked step repeats y; drop
 * multiplies the y that meets R. simple_rnn_gradient(dy, y, r[, mask][, drop]) -> dz, dh0 goes
 * through the steps backwards. */
#include "ops/recurrence.h"

static kf_status infer_simple_rnn(kfi_shaping *s) {
    const kfi_recurrence *a = s->attributes;
    kf_status status = kfi_check_recurrence(s, 1, 2 + a->has_states + a->has_mask + a->drops);
    if (!status) status = kfi_check_states(s, 2, a->has_states);
    if (!status && a->has_mask) status = kfi_check_mask(s, 2 + a->has_states);
    if (!status) status = kfi_check_drops(s, s->n_in - 1, 1);
    return status ? status : kfi_infer_like(s, 0);
}

static void simple_rnn_block(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    const kfi_steps s = kfi_steps_of(&call->out[0], tile);
    const float *h0 = a->has_states ? kfi_in(call, 2) : NULL;
    const float *mask = a->has_mask ? kfi_in(call, 2 + a->has_states) : NULL;
    const int64_t u = s.units, row = s.time * u;
    const kfi_drops drops = {a->drops ? kfi_in(call, call->n_in - 1) : NULL, a->drops,
                             (float *)local + kfi_gates_floats(u, 1)};
    const kfi_gates r =
        kfi_pack_gates(&drops, u, 0, 1, (kfi_rows_of){kfi_in(call, 1), u}, false, local);
    const float *z = kfi_in(call, 0);
    float *y = kfi_out(call, 0);
    if (z != y && s.rows > 0)
        memcpy(y + s.first * row, z + s.first * row, (size_t)(s.rows * row) * sizeof *y);
    for (int64_t t = 0; t < s.time && s.rows > 0; t++) {
        const kfi_rows_of h = kfi_state_before(&s, t, y, h0);
        kfi_states_product(&s, &drops, &r, h, y + kfi_at(&s, 0, t, u), row);
        for (int64_t i = 0; i < s.rows; i++) {
            float *to = y + kfi_at(&s, i, t, u);
            if (!kfi_is_masked(&s, mask, i, t))
                kfi_squashes[a->activation].squash(to, u);
            else if (h.data)
                memcpy(to, h.data + i * h.row, (size_t)u * sizeof *to);
            else
                memset(to, 0, (size_t)u * sizeof *to);
        }
    }
}

static kf_status infer_simple_rnn_gradient(kfi_shaping *s) {
    const kfi_recurrence *a = s->attributes;
    const kf_status status = kfi_expect_floats(s, 3 + a->has_mask + a->drops);
    if (status) return status;
    const int64_t *dy = s->in[0].shape.dims;
    s->n_out = 2;
    s->out[0].shape = s->in[0].shape;
    s->out[1].shape = KFI_SHAPE(dy[0], dy[2]);
    return KF_OK;
}

/* dz may be the memory of dy. */
static void simple_rnn_gradient_block(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    const kfi_steps s = kfi_steps_of(&call->in[0], tile);
    const float *dy = kfi_in(call, 0), *y = kfi_in(call, 1);
    const float *mask = a->has_mask ? kfi_in(call, 3) : NULL;
    const int64_t u = s.units;
    float *dz = kfi_out(call, 0), *all = (float *)local + kfi_gates_floats(u, 1);
    const size_t bytes = (size_t)u * sizeof *all;
    const kfi_drops drops = {a->drops ? kfi_in(call, call->n_in - 1) : NULL, a->drops,
                             all + s.rows * u};
    const kfi_gates r =
        kfi_pack_gates(&drops, u, 0, 1, (kfi_rows_of){kfi_in(call, 2), u}, true, local);
    if (s.rows == 0) return;
    memset(all, 0, (size_t)s.rows * bytes);
    for (int64_t t = s.time - 1; t >= 0; t--) {
        for (int64_t i = 0; i < s.rows; i++) {
            const int64_t at = kfi_at(&s, i, t, u);
            float *dh = all + i * u;
#pragma omp simd
            for (int64_t k = 0; k < u; k++) dh[k] += dy[at + k];
            if (kfi_is_masked(&s, mask, i, t)) {
                memset(dz + at, 0, bytes);
                continue;
            }
            memcpy(dz + at, dh, bytes);
            kfi_squashes[a->activation].slope(y + at, dz + at, u);
            memset(dh, 0, bytes);
        }
        if (t == 0 && !a->has_states) break;
        const kfi_rows_of step = {dz + kfi_at(&s, 0, t, u), s.time * u};
        kfi_states_product_back(&s, &drops, &r, step, all);
    }
    memcpy(kfi_out(call, 1) + s.first * u, all, (size_t)s.rows * bytes);
}

static size_t gradient_local(const kfi_call *call) {
    const int64_t *dy = call->in[0].shape.dims;
    return (size_t)(kfi_gates_floats(dy[2], 1) + 2 * kfi_block_rows(dy[0]) * dy[2]) * sizeof(float);
}

static kf_status derive_simple_rnn(kfi_derivation *d) {
    const kfi_recurrence *a = d->attributes;
    const int64_t *z = d->in_type[0].shape.dims;
    const kfi_value drops = a->drops ? d->in[d->n_in - 1] : KFI_NONE;
    kfi_value in[5] = {d->dout[0], d->out[0], d->in[1]};
    int n = 3;
    if (a->has_mask) in[n++] = d->in[2 + a->has_states];
    if (a->drops) in[n++] = drops;
    kfi_value more[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    d->din[0] = d->emit(d, "simple_rnn_gradient", a, in, n, more);
    if (a->has_states) d->din[2] = more[0];
    if (!d->wanted[1]) return KF_OK;
    const kfi_value before =
        kfi_states_before(d, d->out[0], a->has_states ? d->in[2] : KFI_NONE, z[0], z[1], z[2]);
    d->din[1] = kfi_dropped_kernel_gradient(d, before, d->din[0], drops, 1);
    return KF_OK;
}

static kfi_cost cost(const kfi_call *call) {
    const kf_shape *shape = &call->in[0].shape;
    const double cells = (double)kfi_shape_count(shape), units = (double)shape->dims[2];
    return (kfi_cost){cells * (2 * units + 20), kfi_call_bytes(call)};
}

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define MASK(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
static const kfi_example examples[] = {
    {.name = "tanh from zeros",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH},
     .n_in = 2,
     .in = {X(3, {3, 4, 2}), X(2, {2, 2})}},
    {.name = "sigmoid from a state",
     .attributes = &(const kfi_recurrence){.activation = KFI_SIGMOID, .has_states = true},
     .n_in = 3,
     .in = {X(3, {2, 3, 3}), X(2, {3, 3}), X(2, {2, 3})}},
    {.name = "dropped states",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH, .has_states = true, .drops = 1},
     .n_in = 4,
     .in = {X(3, {2, 3, 3}), X(2, {3, 3}), X(2, {2, 3}), MASK(3, {1, 2, 3})}},
    {.name = "large",
     .attributes = &(const kfi_recurrence){.activation = KFI_RELU},
     .n_in = 2,
     .large = true,
     .in = {X(3, {150, 7, 21}), X(2, {21, 21})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "from zeros",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH},
     .n_in = 3,
     .in = {X(3, {3, 4, 2}), X(3, {3, 4, 2}), X(2, {2, 2})}},
    {.name = "from a state with a mask, large",
     .attributes =
         &(const kfi_recurrence){.activation = KFI_TANH, .has_states = true, .has_mask = true},
     .n_in = 4,
     .large = true,
     .in = {X(3, {70, 5, 21}), X(3, {70, 5, 21}), X(2, {21, 21}), MASK(2, {70, 5})}},
    {0},
};

const kfi_op KFI_OP(simple_rnn) = {
    .name = "simple_rnn",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_simple_rnn,
    .stages = {{simple_rnn_block, kfi_block_tiles}},
    .tile_scratch = gradient_local,
    .gradient = derive_simple_rnn,
    .cost = cost,
    .examples = examples,
    .in_place = {1},
};

const kfi_op KFI_OP(simple_rnn_gradient) = {
    .name = "simple_rnn_gradient",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_simple_rnn_gradient,
    .stages = {{simple_rnn_gradient_block, kfi_block_tiles}},
    .tile_scratch = gradient_local,
    .cost = cost,
    .examples = gradient_examples,
    .in_place = {1},
};
