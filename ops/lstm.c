/* lstm(z, r[, h0, c0][, mask][, drop]) -> y, c, gates: all steps of an LSTM, gates i, f, c, o.
 *
 *     (i f g o) = (s s a s)(z_t + h R)    c_t = f c + i g    y_t = o a(c_t),    h, c of step t - 1
 *
 * z (batch, time, 4 units) is the product of the inputs, with the bias. A masked step keeps h and
 * c; drop multiplies the h that meets R, for each gate or for all (attributes.h).
 * lstm_gradient(dy[, dc], gates, c, r[, c0][, mask][, drop]) -> dz, dh0, dc0 goes through the steps
 * backwards; the recurrent kernel's derivative is one product of all states and all dz. */
#include "ops/recurrence.h"

/* --- forward ---------------------------------------------------------------------------------- */

static kf_status infer_lstm(kfi_shaping *s) {
    const kfi_recurrence *a = s->attributes;
    const int states = a->has_states ? 2 : 0;
    kf_status status = kfi_check_recurrence(s, 4, 2 + states + a->has_mask + (a->drops > 0));
    if (!status) status = kfi_check_states(s, 2, states);
    if (!status && a->has_mask) status = kfi_check_mask(s, 2 + states);
    if (!status) status = kfi_check_drops(s, s->n_in - 1, 4);
    if (status) return status;
    const int64_t *z = s->in[0].shape.dims, units = s->in[1].shape.dims[0];
    s->n_out = 3;
    s->out[0].shape = s->out[1].shape = KFI_SHAPE(z[0], z[1], units);
    s->out[2].shape = s->in[0].shape;
    return KF_OK;
}

typedef struct lstm {
    kfi_steps s;
    const kfi_recurrence *a;
    const float *z, *h0, *c0, *mask;
    float *y, *c, *gates;
    kfi_drops drops;
    kfi_gates r;
} lstm;

static lstm lstm_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    const int states = a->has_states ? 2 : 0;
    lstm l = {.s = kfi_steps_of(call, tile, local),
              .a = a,
              .z = kfi_in(call, 0),
              .h0 = states ? kfi_in(call, 2) : NULL,
              .c0 = states ? kfi_in(call, 3) : NULL,
              .mask = a->has_mask ? kfi_in(call, 2 + states) : NULL,
              .y = kfi_out(call, 0),
              .c = kfi_out(call, 1),
              .gates = kfi_out(call, 2)};
    l.drops = kfi_drops_of(call, l.s.local);
    l.r = kfi_gates_of(&l.s, &l.drops, 0, 4, false);
    return l;
}

/* What row i does at step t, once its gates hold z_t + h R. */
static void lstm_row(const lstm *l, int64_t i, int64_t t) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    const int64_t state = (l->s.first + i) * u + l->s.unit;
    float *g = l->gates + 4 * at - 3 * l->s.unit, *c = l->c + at, *y = l->y + at;
    const float *c_before = t > 0 ? c - u : l->c0 ? l->c0 + state : NULL;
    const float *h_before = t > 0 ? y - u : l->h0 ? l->h0 + state : NULL;
    kfi_squashes[l->a->gate_activation].squash(g, n);
    kfi_squashes[l->a->gate_activation].squash(g + u, n);
    kfi_squashes[l->a->activation].squash(g + 2 * u, n);
    kfi_squashes[l->a->gate_activation].squash(g + 3 * u, n);
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        for (int64_t k = 0; k < n; k++) c[k] = c_before ? c_before[k] : 0;
        for (int64_t k = 0; k < n; k++) y[k] = h_before ? h_before[k] : 0;
        return;
    }
#pragma omp simd
    for (int64_t k = 0; k < n; k++) c[k] = g[k] * g[2 * u + k];
    if (c_before) {
#pragma omp simd
        for (int64_t k = 0; k < n; k++) c[k] += g[u + k] * c_before[k];
    }
    memcpy(y, c, (size_t)n * sizeof *y);
    kfi_squashes[l->a->activation].squash(y, n);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) y[k] *= g[3 * u + k];
}

static void lstm_step(const lstm *l, int64_t t) {
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    const int64_t width = 4 * l->s.units;
    for (int64_t i = 0; i < l->s.rows; i++) kfi_copy_gates(&l->s, 4, i, t, l->z, l->gates);
    kfi_states_product(&l->s, &l->drops, &l->r, h, l->gates + kfi_at(&l->s, 0, t, width),
                       l->s.time * width);
    for (int64_t i = 0; i < l->s.rows; i++) lstm_row(l, i, t);
}

static void lstm_begin(const kfi_call *call, int64_t tile, void *local) {
    const lstm l = lstm_of(call, tile, local);
    kfi_pack_gates(&l.s, &l.r, (kfi_rows_of){kfi_in(call, 1), 4 * l.s.units});
    if (l.s.by_units || l.s.rows == 0) return;
    for (int64_t t = 0; t < l.s.time; t++) lstm_step(&l, t);
}

static void lstm_round(const kfi_call *call, int64_t tile, void *local) {
    const lstm l = lstm_of(call, tile, local);
    lstm_step(&l, l.s.round);
}

static size_t forward_local(const kfi_call *call) {
    const kfi_recurrence *a = call->attributes;
    return kfi_tile_bytes(call, a->drops ? call->out[0].shape.dims[2] : 0, 0);
}

/* --- backward --------------------------------------------------------------------------------- */

static kf_status infer_lstm_gradient(kfi_shaping *s) {
    const kfi_recurrence *a = s->attributes;
    const int n_in = 4 + a->has_dc + a->has_states + a->has_mask + (a->drops > 0);
    const kf_status status = kfi_expect_floats(s, n_in);
    if (status) return status;
    const int64_t *dy = s->in[0].shape.dims;
    s->n_out = 3;
    s->out[0].shape = KFI_SHAPE(dy[0], dy[1], 4 * dy[2]);
    s->out[1].shape = s->out[2].shape = KFI_SHAPE(dy[0], dy[2]);
    return KF_OK;
}

typedef struct lstm_back {
    kfi_steps s;
    const kfi_recurrence *a;
    const float *dy, *dc, *c, *c0, *mask;
    const float *gates;
    float *dz, *dh, *dcell; /* the last two (batch, units), of the step in hand */
    float *values;          /* a row of six times the tile's units */
    kfi_drops drops;
    kfi_gates r; /* transposes */
} lstm_back;

static lstm_back lstm_back_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    const int g = 1 + a->has_dc;
    lstm_back l = {.s = kfi_steps_of(call, tile, local),
                   .a = a,
                   .dy = kfi_in(call, 0),
                   .dc = a->has_dc ? kfi_in(call, 1) : NULL,
                   .gates = kfi_in(call, g),
                   .c = kfi_in(call, g + 1),
                   .c0 = a->has_states ? kfi_in(call, g + 3) : NULL,
                   .mask = a->has_mask ? kfi_in(call, g + 3 + a->has_states) : NULL,
                   .dz = kfi_out(call, 0),
                   .dh = kfi_out(call, 1),
                   .dcell = kfi_out(call, 2)};
    l.values = l.s.local;
    l.drops = kfi_drops_of(call, l.s.local + 6 * l.s.n);
    l.r = kfi_gates_of(&l.s, &l.drops, 0, 4, true);
    return l;
}

/* From dh and dc of row i after step t to dz_t, and dc before it; dh becomes what does not pass
 * through the gates. gates and dz may be the same memory. */
static void lstm_back_row(const lstm_back *l, int64_t i, int64_t t) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    const int64_t state = (l->s.first + i) * u + l->s.unit, gate = 4 * at - 3 * l->s.unit;
    const float *c = l->c + at, *before = t > 0 ? c - u : l->c0 ? l->c0 + state : NULL;
    float *dz = l->dz + gate, *dh = l->dh + state, *dcell = l->dcell + state;
    float *values = l->values, *shown = values + 4 * n, *through = values + 5 * n;
#pragma omp simd
    for (int64_t k = 0; k < n; k++) dh[k] += l->dy[at + k];
    if (l->dc)
        for (int64_t k = 0; k < n; k++) dcell[k] += l->dc[at + k];
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        for (int g = 0; g < 4; g++) memset(dz + g * u, 0, (size_t)n * sizeof *dz);
        return;
    }
    for (int g = 0; g < 4; g++)
        memcpy(values + g * n, l->gates + gate + g * u, (size_t)n * sizeof *values);
    memcpy(shown, c, (size_t)n * sizeof *shown);
    kfi_squashes[l->a->activation].squash(shown, n);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) through[k] = dh[k] * values[3 * n + k];
    kfi_squashes[l->a->activation].slope(shown, through, n);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        const float d = dcell[k] + through[k];
        dz[k] = d * values[2 * n + k];
        dz[u + k] = before ? d * before[k] : 0;
        dz[2 * u + k] = d * values[k];
        dz[3 * u + k] = dh[k] * shown[k];
        dcell[k] = d * values[n + k];
        dh[k] = 0;
    }
    kfi_squashes[l->a->gate_activation].slope(values, dz, n);
    kfi_squashes[l->a->gate_activation].slope(values + n, dz + u, n);
    kfi_squashes[l->a->activation].slope(values + 2 * n, dz + 2 * u, n);
    kfi_squashes[l->a->gate_activation].slope(values + 3 * n, dz + 3 * u, n);
}

/* What passes back from step t + 1, then step t; of -1 the former alone. */
static void lstm_back_step(const lstm_back *l, int64_t t) {
    const int64_t width = 4 * l->s.units;
    if (t + 1 < l->s.time) {
        const kfi_rows_of dz = {l->dz + kfi_at(&l->s, 0, t + 1, width), l->s.time * width};
        kfi_states_product_back(&l->s, &l->drops, &l->r, dz, l->dh + l->s.first * l->s.units);
    }
    for (int64_t i = 0; i < l->s.rows && t >= 0; i++) lstm_back_row(l, i, t);
}

static void lstm_back_begin(const kfi_call *call, int64_t tile, void *local) {
    const lstm_back l = lstm_back_of(call, tile, local);
    const int64_t r = 3 + l.a->has_dc;
    kfi_pack_gates(&l.s, &l.r, (kfi_rows_of){kfi_in(call, (int)r), 4 * l.s.units});
    kfi_clear_state(&l.s, l.dh);
    kfi_clear_state(&l.s, l.dcell);
    if (l.s.by_units || l.s.rows == 0) return;
    for (int64_t t = l.s.time - 1; t >= -l.a->has_states; t--) lstm_back_step(&l, t);
}

static void lstm_back_round(const kfi_call *call, int64_t tile, void *local) {
    const lstm_back l = lstm_back_of(call, tile, local);
    lstm_back_step(&l, l.s.time - 1 - l.s.round);
}

static size_t gradient_local(const kfi_call *call) {
    const kfi_recurrence *a = call->attributes;
    const int64_t units = call->in[0].shape.dims[2];
    return kfi_tile_bytes(call, a->drops ? units : 0, 6 * units);
}

static void emit_gradient(kfi_derivation *d, kfi_value out[3]) {
    kfi_recurrence a = *(const kfi_recurrence *)d->attributes;
    a.has_dc = !kfi_is_none(d->dout[1]);
    kfi_value in[8];
    int n = 0;
    in[n++] = kfi_or_zeros(d, d->dout[0], &d->out_type[0].shape);
    if (a.has_dc) in[n++] = d->dout[1];
    in[n++] = d->out[2];
    in[n++] = d->out[1];
    in[n++] = d->in[1];
    if (a.has_states) in[n++] = d->in[3];
    if (a.has_mask) in[n++] = d->in[a.has_states ? 4 : 2];
    if (a.drops) in[n++] = d->in[d->n_in - 1];
    kfi_value more[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    out[0] = d->emit(d, "lstm_gradient", &a, in, n, more);
    out[1] = more[0];
    out[2] = more[1];
}

static kf_status derive_lstm(kfi_derivation *d) {
    const kfi_recurrence *a = d->attributes;
    const int64_t *z = d->in_type[0].shape.dims, units = d->in_type[1].shape.dims[0];
    if (kfi_is_none(d->dout[0]) && kfi_is_none(d->dout[1])) return KF_OK;
    kfi_value out[3];
    emit_gradient(d, out);
    d->din[0] = out[0];
    if (d->wanted[1]) {
        const kfi_value before =
            kfi_states_before(d, d->out[0], a->has_states ? d->in[2] : KFI_NONE, z[0], z[1], units);
        const kfi_value drops = a->drops ? d->in[d->n_in - 1] : KFI_NONE;
        d->din[1] = kfi_dropped_kernel_gradient(d, before, out[0], drops, 4);
    }
    if (a->has_states) {
        d->din[2] = out[1];
        d->din[3] = out[2];
    }
    return KF_OK;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static kfi_cost cost_lstm(const kfi_call *call) {
    const kf_shape *y = &call->out[0].shape;
    const double cells = (double)kfi_shape_count(y), units = (double)y->dims[2];
    return (kfi_cost){cells * (8 * units + 100), kfi_call_bytes(call)};
}

static kfi_cost cost_lstm_gradient(const kfi_call *call) {
    const kf_shape *dy = &call->in[0].shape;
    const double cells = (double)kfi_shape_count(dy), units = (double)dy->dims[2];
    return (kfi_cost){cells * (8 * units + 60), kfi_call_bytes(call)};
}

#define KERAS .activation = KFI_TANH, .gate_activation = KFI_HARD_SIGMOID
#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define MASK(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
static const kfi_example lstm_examples[] = {
    {.name = "from zeros",
     .attributes = &(const kfi_recurrence){KERAS},
     .n_in = 2,
     .in = {X(3, {3, 4, 8}), X(2, {2, 8})}},
    {.name = "sigmoid, from states",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH,
                                           .gate_activation = KFI_SIGMOID,
                                           .has_states = true},
     .n_in = 4,
     .in = {X(3, {2, 3, 12}), X(2, {3, 12}), X(2, {2, 3}), X(2, {2, 3})}},
    {.name = "states dropped by gate",
     .attributes = &(const kfi_recurrence){.activation = KFI_TANH,
                                           .gate_activation = KFI_SIGMOID,
                                           .has_states = true,
                                           .drops = 4},
     .n_in = 5,
     .in = {X(3, {2, 3, 12}), X(2, {3, 12}), X(2, {2, 3}), X(2, {2, 3}), MASK(3, {4, 2, 3})}},
    {.name = "large",
     .attributes = &(const kfi_recurrence){KERAS, .has_states = true},
     .n_in = 4,
     .large = true,
     .in = {X(3, {150, 7, 84}), X(2, {21, 84}), X(2, {150, 21}), X(2, {150, 21})}},
    {.name = "wide, few rows",
     .attributes = &(const kfi_recurrence){KERAS},
     .n_in = 2,
     .large = true,
     .in = {X(3, {2, 3, 1056}), X(2, {264, 1056})}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "from zeros",
     .attributes = &(const kfi_recurrence){KERAS},
     .n_in = 4,
     .in = {X(3, {3, 4, 2}), X(3, {3, 4, 8}), X(3, {3, 4, 2}), X(2, {2, 8})}},
    {.name = "all of it, large",
     .attributes =
         &(const kfi_recurrence){KERAS, .has_states = true, .has_mask = true, .has_dc = true},
     .n_in = 7,
     .large = true,
     .in = {X(3, {70, 5, 21}), X(3, {70, 5, 21}), X(3, {70, 5, 84}), X(3, {70, 5, 21}),
            X(2, {21, 84}), X(2, {70, 21}), MASK(2, {70, 5})}},
    {.name = "wide, few rows",
     .attributes = &(const kfi_recurrence){KERAS, .has_states = true, .has_mask = true},
     .n_in = 6,
     .large = true,
     .in = {X(3, {2, 3, 264}), X(3, {2, 3, 1056}), X(3, {2, 3, 264}), X(2, {264, 1056}),
            X(2, {2, 264}), MASK(2, {2, 3})}},
    {0},
};

const kfi_op KFI_OP(lstm) = {
    .name = "lstm",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_lstm,
    .stages = {{lstm_begin, kfi_first_tiles}, {lstm_round, kfi_share_tiles}},
    .rounds = kfi_time_rounds,
    .scratch = kfi_packed_scratch,
    .tile_scratch = forward_local,
    .gradient = derive_lstm,
    .cost = cost_lstm,
    .examples = KFI_EXAMPLES(lstm_examples),
    .in_place = {0, 0, 1},
};

const kfi_op KFI_OP(lstm_gradient) = {
    .name = "lstm_gradient",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_lstm_gradient,
    .stages = {{lstm_back_begin, kfi_first_tiles}, {lstm_back_round, kfi_share_tiles}},
    .rounds = kfi_back_rounds,
    .scratch = kfi_packed_scratch,
    .tile_scratch = gradient_local,
    .cost = cost_lstm_gradient,
    .examples = KFI_EXAMPLES(gradient_examples),
    .in_place = {2}, /* over the gates, where there is no dc */
};
