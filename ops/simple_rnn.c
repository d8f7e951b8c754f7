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

typedef struct simple_rnn {
    kfi_steps s;
    const kfi_recurrence *a;
    const float *z, *h0, *mask;
    float *y;
    kfi_drops drops;
    kfi_gates r;
} simple_rnn;

static simple_rnn simple_rnn_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    simple_rnn l = {.s = kfi_steps_of(call, tile, local),
                    .a = a,
                    .z = kfi_in(call, 0),
                    .h0 = a->has_states ? kfi_in(call, 2) : NULL,
                    .mask = a->has_mask ? kfi_in(call, 2 + a->has_states) : NULL,
                    .y = kfi_out(call, 0)};
    l.drops = kfi_drops_of(call, l.s.local);
    l.r = kfi_gates_of(&l.s, &l.drops, 0, 1, false);
    return l;
}

static void simple_rnn_step(const simple_rnn *l, int64_t t) {
    const kfi_steps *s = &l->s;
    const kfi_rows_of h = kfi_state_before(s, t, l->y, l->h0);
    for (int64_t i = 0; i < s->rows; i++) kfi_copy_gates(s, 1, i, t, l->z, l->y);
    kfi_states_product(s, &l->drops, &l->r, h, l->y + kfi_at(s, 0, t, s->units),
                       s->time * s->units);
    for (int64_t i = 0; i < s->rows; i++) {
        float *to = l->y + kfi_at(s, i, t, s->units) + s->unit;
        if (!kfi_is_masked(s, l->mask, i, t))
            kfi_squashes[l->a->activation].squash(to, s->n);
        else if (h.data)
            memcpy(to, h.data + i * h.row + s->unit, (size_t)s->n * sizeof *to);
        else
            memset(to, 0, (size_t)s->n * sizeof *to);
    }
}

static void simple_rnn_begin(const kfi_call *call, int64_t tile, void *local) {
    const simple_rnn l = simple_rnn_of(call, tile, local);
    kfi_pack_gates(&l.s, &l.r, (kfi_rows_of){kfi_in(call, 1), l.s.units});
    if (l.s.by_units || l.s.rows == 0) return;
    for (int64_t t = 0; t < l.s.time; t++) simple_rnn_step(&l, t);
}

static void simple_rnn_round(const kfi_call *call, int64_t tile, void *local) {
    const simple_rnn l = simple_rnn_of(call, tile, local);
    simple_rnn_step(&l, l.s.round);
}

static size_t local_bytes(const kfi_call *call) {
    const kfi_recurrence *a = call->attributes;
    return kfi_tile_bytes(call, a->drops ? call->in[0].shape.dims[2] : 0, 0);
}

/* --- backward --------------------------------------------------------------------------------- */

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

typedef struct simple_rnn_back {
    kfi_steps s;
    const kfi_recurrence *a;
    const float *dy, *y, *mask;
    float *dz, *dh; /* the latter (batch, units), of the step in hand */
    kfi_drops drops;
    kfi_gates r; /* the transpose */
} simple_rnn_back;

static simple_rnn_back simple_rnn_back_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    simple_rnn_back l = {.s = kfi_steps_of(call, tile, local),
                         .a = a,
                         .dy = kfi_in(call, 0),
                         .y = kfi_in(call, 1),
                         .mask = a->has_mask ? kfi_in(call, 3) : NULL,
                         .dz = kfi_out(call, 0),
                         .dh = kfi_out(call, 1)};
    l.drops = kfi_drops_of(call, l.s.local);
    l.r = kfi_gates_of(&l.s, &l.drops, 0, 1, true);
    return l;
}

/* dz of row i, and dh of what does not pass through R. dz may be the memory of dy. */
static void simple_rnn_back_row(const simple_rnn_back *l, int64_t i, int64_t t) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    const size_t bytes = (size_t)n * sizeof(float);
    float *dh = l->dh + (l->s.first + i) * u + l->s.unit;
#pragma omp simd
    for (int64_t k = 0; k < n; k++) dh[k] += l->dy[at + k];
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        memset(l->dz + at, 0, bytes);
        return;
    }
    memcpy(l->dz + at, dh, bytes);
    kfi_squashes[l->a->activation].slope(l->y + at, l->dz + at, n);
    memset(dh, 0, bytes);
}

/* What passes back from step t + 1, then step t; of -1 the former alone. */
static void simple_rnn_back_step(const simple_rnn_back *l, int64_t t) {
    const int64_t u = l->s.units;
    if (t + 1 < l->s.time) {
        const kfi_rows_of dz = {l->dz + kfi_at(&l->s, 0, t + 1, u), l->s.time * u};
        kfi_states_product_back(&l->s, &l->drops, &l->r, dz, l->dh + l->s.first * u);
    }
    for (int64_t i = 0; i < l->s.rows && t >= 0; i++) simple_rnn_back_row(l, i, t);
}

static void simple_rnn_back_begin(const kfi_call *call, int64_t tile, void *local) {
    const simple_rnn_back l = simple_rnn_back_of(call, tile, local);
    kfi_pack_gates(&l.s, &l.r, (kfi_rows_of){kfi_in(call, 2), l.s.units});
    kfi_clear_state(&l.s, l.dh);
    if (l.s.by_units || l.s.rows == 0) return;
    for (int64_t t = l.s.time - 1; t >= -l.a->has_states; t--) simple_rnn_back_step(&l, t);
}

static void simple_rnn_back_round(const kfi_call *call, int64_t tile, void *local) {
    const simple_rnn_back l = simple_rnn_back_of(call, tile, local);
    simple_rnn_back_step(&l, l.s.time - 1 - l.s.round);
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
    {.name = "wide, few rows",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH},
     .n_in = 2,
     .large = true,
     .in = {X(3, {2, 3, 520}), X(2, {520, 520})}},
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
    {.name = "wide, few rows",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH, .has_states = true},
     .n_in = 3,
     .large = true,
     .in = {X(3, {2, 3, 520}), X(3, {2, 3, 520}), X(2, {520, 520})}},
    {0},
};

const kfi_op KFI_OP(simple_rnn) = {
    .name = "simple_rnn",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_simple_rnn,
    .stages = {{simple_rnn_begin, kfi_first_tiles}, {simple_rnn_round, kfi_share_tiles}},
    .rounds = kfi_time_rounds,
    .scratch = kfi_packed_scratch,
    .tile_scratch = local_bytes,
    .gradient = derive_simple_rnn,
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
    .in_place = {1},
};

const kfi_op KFI_OP(simple_rnn_gradient) = {
    .name = "simple_rnn_gradient",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_simple_rnn_gradient,
    .stages = {{simple_rnn_back_begin, kfi_first_tiles}, {simple_rnn_back_round, kfi_share_tiles}},
    .rounds = kfi_back_rounds,
    .scratch = kfi_packed_scratch,
    .tile_scratch = local_bytes,
    .cost = cost,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {1},
};
