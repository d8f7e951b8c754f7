/* gru(z, r[, b][, h0][, mask][, drop]) -> y, gates, inner: all steps of a GRU, gates z, r, h.
 *
 *     z, r = s(x_t + h R)    hh = a(x_t + inner Rh) with inner = r h          the reset before
 *                            hh = a(x_t + r inner)  with inner = h Rh + b     the reset after
 *     y_t = z h + (1 - z) hh                                     h the y of step t - 1
 *
 * Input 0 (batch, time, 3 units) is the product of the inputs, x_t, with its bias; b (3 units),
 * with reset_after only, is added to h R. A masked step repeats y. drop multiplies the h that meets
 * R, for each gate; one for all gates also that of z h (attributes.h). gru_gradient.c goes through
 * the steps backwards. */
#include "ops/gru.h"

/* Where the optional inputs are. */
static int state_input(const kfi_recurrence *a) { return 2 + a->has_bias; }
static int mask_input(const kfi_recurrence *a) { return 2 + a->has_bias + a->has_states; }

/* --- forward ---------------------------------------------------------------------------------- */

static kf_status infer_gru(kfi_shaping *s) {
    const kfi_recurrence *a = s->attributes;
    kf_status status = kfi_check_recurrence(s, 3, mask_input(a) + a->has_mask + (a->drops > 0));
    if (status) return status;
    const int64_t *x = s->in[0].shape.dims, units = s->in[1].shape.dims[0];
    if (a->has_bias) status = kfi_expect_shape(s, 2, &KFI_SHAPE(3 * units));
    if (!status) status = kfi_check_states(s, state_input(a), a->has_states);
    if (!status && a->has_mask) status = kfi_check_mask(s, mask_input(a));
    if (!status) status = kfi_check_drops(s, s->n_in - 1, 3);
    s->n_out = 3;
    s->out[0].shape = s->out[2].shape = KFI_SHAPE(x[0], x[1], units);
    s->out[1].shape = s->in[0].shape;
    return status;
}

typedef struct gru {
    kfi_steps s;
    const kfi_recurrence *a;
    const float *x, *b, *h0, *mask;
    float *y, *gates, *inner;
    float *product; /* h R + b of the tile's rows (rows, 3 units), the reset after */
    kfi_drops drops;
    kfi_gates states, candidate; /* what meets h, and what meets r h with the reset before */
} gru;

static gru gru_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    gru l = {.s = kfi_steps_of(call, tile, local),
             .a = a,
             .x = kfi_in(call, 0),
             .b = a->has_bias ? kfi_in(call, 2) : NULL,
             .h0 = a->has_states ? kfi_in(call, state_input(a)) : NULL,
             .mask = a->has_mask ? kfi_in(call, mask_input(a)) : NULL,
             .y = kfi_out(call, 0),
             .gates = kfi_out(call, 1),
             .inner = kfi_out(call, 2)};
    l.product = l.s.local;
    l.drops = kfi_drops_of(call, l.s.local + 3 * l.s.rows * l.s.units);
    kfi_gru_gates(a, &l.s, &l.drops, false, &l.states, &l.candidate);
    return l;
}

/* The gates z and r, and what stands before the candidate's product or comes of it. */
static void gru_gates(const gru *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    float *g = l->gates + 3 * at - 2 * l->s.unit, *inner = l->inner + at;
    const float *product = l->product + i * 3 * u + l->s.unit;
    const float *drop = kfi_gru_drop(&l->s, &l->drops, 2, i);
    if (l->a->reset_after) {
        for (int64_t k = 0; k < n; k++) g[k] += product[k];
        for (int64_t k = 0; k < n; k++) g[u + k] += product[u + k];
        memcpy(inner, product + 2 * u, (size_t)n * sizeof *inner);
    }
    kfi_squashes[l->a->gate_activation].squash(g, n);
    kfi_squashes[l->a->gate_activation].squash(g + u, n);
    for (int64_t k = 0; k < n; k++)
        if (l->a->reset_after)
            g[2 * u + k] += g[u + k] * inner[k];
        else
            inner[k] = h ? g[u + k] * h[k] * (drop ? drop[k] : 1) : 0;
}

static void gru_output(const gru *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    float *g = l->gates + 3 * at - 2 * l->s.unit, *y = l->y + at;
    kfi_squashes[l->a->activation].squash(g + 2 * u, n);
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        for (int64_t k = 0; k < n; k++) y[k] = h ? h[k] : 0;
        return;
    }
#pragma omp simd
    for (int64_t k = 0; k < n; k++) y[k] = (1 - g[k]) * g[2 * u + k];
    if (!h) return;
    const float *drop = kfi_gru_kept(&l->s, &l->drops, i);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) y[k] += g[k] * h[k] * (drop ? drop[k] : 1);
}

static void reset_product(const gru *l, kfi_rows_of h) {
    const int64_t u = l->s.units, n = l->s.n;
    for (int64_t i = 0; i < 3 * l->s.rows; i++) {
        float *product = l->product + i * u + l->s.unit;
        for (int64_t k = 0; k < n; k++) product[k] = l->b ? l->b[i % 3 * u + l->s.unit + k] : 0;
    }
    kfi_states_product(&l->s, &l->drops, &l->states, h, l->product, 3 * u);
}

static void gru_gates_step(const gru *l, int64_t t) {
    const int64_t width = 3 * l->s.units;
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    for (int64_t i = 0; i < l->s.rows; i++) kfi_copy_gates(&l->s, 3, i, t, l->x, l->gates);
    if (l->a->reset_after)
        reset_product(l, h);
    else
        kfi_states_product(&l->s, &l->drops, &l->states, h, l->gates + kfi_at(&l->s, 0, t, width),
                           l->s.time * width);
    for (int64_t i = 0; i < l->s.rows; i++) gru_gates(l, i, t, kfi_gru_row(&l->s, h, i));
}

static void gru_output_step(const gru *l, int64_t t) {
    const int64_t u = l->s.units, row = l->s.time * u, at = kfi_at(&l->s, 0, t, u);
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    if (!l->a->reset_after && h.data)
        kfi_states_product(&l->s, &(kfi_drops){0}, &l->candidate, (kfi_rows_of){l->inner + at, row},
                           l->gates + 3 * at, 3 * row);
    for (int64_t i = 0; i < l->s.rows; i++) gru_output(l, i, t, kfi_gru_row(&l->s, h, i));
}

static void gru_phase(const gru *l, int64_t round) {
    const int64_t t = round / kfi_gru_phases(l->a), phase = round % kfi_gru_phases(l->a);
    if (phase == 0) gru_gates_step(l, t);
    if (phase == kfi_gru_phases(l->a) - 1) gru_output_step(l, t);
}

static int64_t forward_rounds(const kfi_call *call) {
    return kfi_gru_phases(call->attributes) * kfi_time_rounds(call);
}

static void gru_begin(const kfi_call *call, int64_t tile, void *local) {
    const gru l = gru_of(call, tile, local);
    const kfi_rows_of r = {kfi_in(call, 1), 3 * l.s.units};
    kfi_pack_gates(&l.s, &l.states, r);
    kfi_pack_gates(&l.s, &l.candidate, r);
    if (l.s.by_units || l.s.rows == 0) return;
    for (int64_t round = 0; round < forward_rounds(call); round++) gru_phase(&l, round);
}

static void gru_round(const kfi_call *call, int64_t tile, void *local) {
    const gru l = gru_of(call, tile, local);
    gru_phase(&l, l.s.round);
}

static size_t forward_local(const kfi_call *call) {
    return kfi_tile_bytes(call, 4 * call->out[0].shape.dims[2], 0);
}

/* --- derivative ------------------------------------------------------------------------------- */

/* The reset before: the columns of z and r come of h, those of hh of r h. */
static kfi_value kernel_gradient_before(kfi_derivation *d, kfi_value before, kfi_value dx,
                                        kfi_value drops, int64_t count, int64_t units) {
    const kfi_slice gates = {.axis = 2, .size = 2 * units};
    const kfi_slice last = {.axis = 2, .start = 2 * units, .size = units};
    const kfi_shaped flat = {.shape = KFI_SHAPE(count, units)};
    const kfi_value inner = kfi_derive(d, "reshape", &flat, d->out[2]);
    const kfi_value first =
        kfi_dropped_kernel_gradient(d, before, kfi_derive(d, "slice", &gates, dx), drops, 2);
    const kfi_value second =
        kfi_kernel_gradient(d, inner, kfi_derive(d, "slice", &last, dx), count, units);
    return kfi_derive(d, "concatenate", (&(kfi_slice){.axis = 1}), first, second);
}

static kf_status derive_gru(kfi_derivation *d) {
    const kfi_recurrence *a = d->attributes;
    const int64_t *x = d->in_type[0].shape.dims, units = d->in_type[1].shape.dims[0];
    const int64_t count = x[0] * x[1];
    const kfi_value h0 = a->has_states ? d->in[state_input(a)] : KFI_NONE;
    const kfi_value drops = a->drops ? d->in[d->n_in - 1] : KFI_NONE;
    kfi_value in[8] = {d->dout[0], d->out[1], d->out[2], d->out[0], d->in[1]};
    int n = 5;
    if (kfi_is_none(d->dout[0])) return KF_OK;
    if (a->has_states) in[n++] = h0;
    if (a->has_mask) in[n++] = d->in[mask_input(a)];
    if (a->drops) in[n++] = drops;
    kfi_value more[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    const kfi_value dx = d->emit(d, "gru_gradient", a, in, n, more);
    const kfi_value dproduct = a->reset_after ? more[1] : dx;
    d->din[0] = dx;
    if (a->has_states) d->din[state_input(a)] = more[0];
    if (a->has_bias && d->wanted[2])
        d->din[2] = kfi_derive(d, "reduce_sum", (&(kfi_reduce){.axes = 3}), dproduct);
    if (!d->wanted[1]) return KF_OK;
    const kfi_value before = kfi_states_before(d, d->out[0], h0, x[0], x[1], units);
    d->din[1] = a->reset_after ? kfi_dropped_kernel_gradient(d, before, dproduct, drops, 3)
                               : kernel_gradient_before(d, before, dx, drops, count, units);
    return KF_OK;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static kfi_cost cost_gru(const kfi_call *call) {
    const kf_shape *y = &call->out[0].shape;
    const double cells = (double)kfi_shape_count(y), units = (double)y->dims[2];
    return (kfi_cost){cells * (6 * units + 80), kfi_call_bytes(call)};
}

#define SIGMOID .activation = KFI_TANH, .gate_activation = KFI_SIGMOID
#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define MASK(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
static const kfi_example gru_examples[] = {
    {.name = "reset before, from zeros",
     .attributes = &(const kfi_recurrence){SIGMOID},
     .n_in = 2,
     .in = {X(3, {3, 4, 6}), X(2, {2, 6})}},
    {.name = "reset before, from a state",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true},
     .n_in = 3,
     .in = {X(3, {2, 3, 9}), X(2, {3, 9}), X(2, {2, 3})}},
    {.name = "reset after, with a bias",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true, .has_bias = true,
                                           .reset_after = true},
     .n_in = 4,
     .in = {X(3, {2, 3, 9}), X(2, {3, 9}), X(1, {9}), X(2, {2, 3})}},
    {.name = "reset before, states dropped by gate",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true, .drops = 3},
     .n_in = 4,
     .in = {X(3, {2, 3, 9}), X(2, {3, 9}), X(2, {2, 3}), MASK(3, {3, 2, 3})}},
    {.name = "reset before, states dropped for all",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true, .drops = 1},
     .n_in = 4,
     .in = {X(3, {2, 3, 9}), X(2, {3, 9}), X(2, {2, 3}), MASK(3, {1, 2, 3})}},
    {.name = "reset after, states dropped by gate",
     .attributes =
         &(const kfi_recurrence){SIGMOID, .has_states = true, .reset_after = true, .drops = 3},
     .n_in = 4,
     .in = {X(3, {2, 3, 9}), X(2, {3, 9}), X(2, {2, 3}), MASK(3, {3, 2, 3})}},
    {.name = "large",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true},
     .n_in = 3,
     .large = true,
     .in = {X(3, {150, 7, 63}), X(2, {21, 63}), X(2, {150, 21})}},
    {.name = "wide, few rows",
     .attributes = &(const kfi_recurrence){SIGMOID},
     .n_in = 2,
     .large = true,
     .in = {X(3, {2, 3, 924}), X(2, {308, 924})}},
    {0},
};
const kfi_op KFI_OP(gru) = {
    .name = "gru",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_gru,
    .stages = {{gru_begin, kfi_first_tiles}, {gru_round, kfi_share_tiles}},
    .rounds = forward_rounds,
    .scratch = kfi_packed_scratch,
    .gradient = derive_gru,
    .tile_scratch = forward_local,
    .cost = cost_gru,
    .examples = KFI_EXAMPLES(gru_examples),
    .in_place = {0, 1},
};
