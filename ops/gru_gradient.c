/* gru_gradient(dy, gates, inner, y, r[, h0][, mask][, drop]) -> dx, dh0[, dproduct]: the steps of a
 * GRU (gru.c) backwards. dproduct is the derivative of h R + b, which is dx with the reset before.
 */
#include "ops/gru.h"

static kf_status infer_gru_gradient(kfi_shaping *s) {
    const kfi_recurrence *a = s->attributes;
    const kf_status status = kfi_expect_floats(s, 5 + a->has_states + a->has_mask + (a->drops > 0));
    if (status) return status;
    const int64_t *dy = s->in[0].shape.dims;
    s->n_out = a->reset_after ? 3 : 2;
    s->out[0].shape = s->out[2].shape = KFI_SHAPE(dy[0], dy[1], 3 * dy[2]);
    s->out[1].shape = KFI_SHAPE(dy[0], dy[2]);
    return KF_OK;
}

typedef struct gru_back {
    kfi_steps s;
    const kfi_recurrence *a;
    const float *dy, *gates, *inner, *y, *h0, *mask;
    float *dx, *dproduct; /* the same but for reset_after */
    float *dh;            /* (batch, units), of the step in hand */
    float *dinner;        /* of the tile's rows (rows, units) */
    kfi_drops drops;
    kfi_gates states, candidate; /* transposes */
} gru_back;

static gru_back gru_back_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    gru_back l = {.s = kfi_steps_of(call, tile, local),
                  .a = a,
                  .dy = kfi_in(call, 0),
                  .gates = kfi_in(call, 1),
                  .inner = kfi_in(call, 2),
                  .y = kfi_in(call, 3),
                  .h0 = a->has_states ? kfi_in(call, 5) : NULL,
                  .mask = a->has_mask ? kfi_in(call, 5 + a->has_states) : NULL,
                  .dx = kfi_out(call, 0),
                  .dproduct = kfi_out(call, a->reset_after ? 2 : 0),
                  .dh = kfi_out(call, 1)};
    l.dinner = l.s.local;
    l.drops = kfi_drops_of(call, l.s.local + l.s.rows * l.s.units);
    kfi_gru_gates(a, &l.s, &l.drops, true, &l.states, &l.candidate);
    return l;
}

/* dz and dhh of row i, and what passes to dh beside the gates. */
static void gru_back_output(const gru_back *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    const float *g = l->gates + 3 * at - 2 * l->s.unit;
    float *dx = l->dx + 3 * at - 2 * l->s.unit, *dh = l->dh + (l->s.first + i) * u + l->s.unit;
    for (int64_t k = 0; k < n; k++) dh[k] += l->dy[at + k];
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        for (int gate = 0; gate < 3; gate++) memset(dx + gate * u, 0, (size_t)n * sizeof *dx);
        return;
    }
    const float *drop = kfi_gru_kept(&l->s, &l->drops, i);
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        const float kept = drop ? drop[k] : 1;
        dx[k] = dh[k] * ((h ? h[k] * kept : 0) - g[2 * u + k]);
        dx[u + k] = 0;
        dx[2 * u + k] = dh[k] * (1 - g[k]);
        dh[k] *= g[k] * kept;
    }
    kfi_squashes[l->a->gate_activation].slope(g, dx, n);
    kfi_squashes[l->a->activation].slope(g + 2 * u, dx + 2 * u, n);
}

/* dr of row i, once the derivative of the inner product is known. */
static void gru_back_reset(const gru_back *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, n = l->s.n, at = kfi_at(&l->s, i, t, u) + l->s.unit;
    const int64_t gate = 3 * at - 2 * l->s.unit;
    const float *g = l->gates + gate, *inner = l->inner + at;
    const float *dinner = l->dinner + i * u + l->s.unit;
    float *dx = l->dx + gate, *dproduct = l->dproduct + gate;
    float *dh = l->dh + (l->s.first + i) * u + l->s.unit;
    if (l->a->reset_after) {
        for (int64_t k = 0; k < n; k++) dx[u + k] = dx[2 * u + k] * inner[k];
        for (int64_t k = 0; k < n; k++) dproduct[2 * u + k] = dx[2 * u + k] * g[u + k];
    } else if (h && !kfi_is_masked(&l->s, l->mask, i, t)) {
        const float *drop = kfi_gru_drop(&l->s, &l->drops, 2, i);
        for (int64_t k = 0; k < n; k++) dx[u + k] = dinner[k] * h[k] * (drop ? drop[k] : 1);
        for (int64_t k = 0; k < n; k++) dh[k] += dinner[k] * g[u + k] * (drop ? drop[k] : 1);
    }
    kfi_squashes[l->a->gate_activation].slope(g + u, dx + u, n);
    if (!l->a->reset_after) return;
    memcpy(dproduct, dx, (size_t)n * sizeof *dx);
    memcpy(dproduct + u, dx + u, (size_t)n * sizeof *dx);
}

/* What passes back from step t + 1, then the gates z and h of step t; of -1 the former alone. */
static void gru_back_output_step(const gru_back *l, int64_t t) {
    const int64_t u = l->s.units, width = 3 * u;
    if (t + 1 < l->s.time) {
        const float *dproduct = l->dproduct + kfi_at(&l->s, 0, t + 1, width);
        kfi_states_product_back(&l->s, &l->drops, &l->states,
                                (kfi_rows_of){dproduct, l->s.time * width}, l->dh + l->s.first * u);
    }
    if (t < 0) return;
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    for (int64_t i = 0; i < l->s.rows; i++) gru_back_output(l, i, t, kfi_gru_row(&l->s, h, i));
}

static void gru_back_reset_step(const gru_back *l, int64_t t) {
    const int64_t u = l->s.units, width = 3 * u;
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    if (!l->a->reset_after && h.data) {
        for (int64_t i = 0; i < l->s.rows; i++)
            memset(l->dinner + i * u + l->s.unit, 0, (size_t)l->s.n * sizeof *l->dinner);
        const kfi_rows_of dx = {l->dx + kfi_at(&l->s, 0, t, width), l->s.time * width};
        kfi_states_product_back(&l->s, &(kfi_drops){0}, &l->candidate, dx, l->dinner);
    }
    for (int64_t i = 0; i < l->s.rows; i++) gru_back_reset(l, i, t, kfi_gru_row(&l->s, h, i));
}

static void gru_back_phase(const gru_back *l, int64_t round) {
    const int64_t t = l->s.time - 1 - round / kfi_gru_phases(l->a),
                  phase = round % kfi_gru_phases(l->a);
    if (phase == 0) gru_back_output_step(l, t);
    if (phase == kfi_gru_phases(l->a) - 1 && t >= 0) gru_back_reset_step(l, t);
}

static int64_t gradient_rounds(const kfi_call *call) {
    const kfi_recurrence *a = call->attributes;
    return kfi_gru_phases(a) * kfi_time_rounds(call) + a->has_states;
}

static void gru_back_begin(const kfi_call *call, int64_t tile, void *local) {
    const gru_back l = gru_back_of(call, tile, local);
    const kfi_rows_of r = {kfi_in(call, 4), 3 * l.s.units};
    kfi_pack_gates(&l.s, &l.states, r);
    kfi_pack_gates(&l.s, &l.candidate, r);
    kfi_clear_state(&l.s, l.dh);
    if (l.s.by_units || l.s.rows == 0) return;
    for (int64_t round = 0; round < gradient_rounds(call); round++) gru_back_phase(&l, round);
}

static void gru_back_round(const kfi_call *call, int64_t tile, void *local) {
    const gru_back l = gru_back_of(call, tile, local);
    gru_back_phase(&l, l.s.round);
}

static size_t gradient_local(const kfi_call *call) {
    return kfi_tile_bytes(call, 2 * call->in[0].shape.dims[2], 0);
}

static kfi_cost cost_gru_gradient(const kfi_call *call) {
    const kf_shape *dy = &call->in[0].shape;
    const double cells = (double)kfi_shape_count(dy), units = (double)dy->dims[2];
    return (kfi_cost){cells * (6 * units + 40), kfi_call_bytes(call)};
}

#define SIGMOID .activation = KFI_TANH, .gate_activation = KFI_SIGMOID
#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define MASK(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .low = 0, .high = 1, .constant = true }
static const kfi_example gradient_examples[] = {
    {.name = "reset before",
     .attributes = &(const kfi_recurrence){SIGMOID},
     .n_in = 5,
     .in = {X(3, {3, 4, 2}), X(3, {3, 4, 6}), X(3, {3, 4, 2}), X(3, {3, 4, 2}), X(2, {2, 6})}},
    {.name = "reset after, large",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true, .has_mask = true,
                                           .reset_after = true},
     .n_in = 7,
     .large = true,
     .in = {X(3, {70, 5, 21}), X(3, {70, 5, 63}), X(3, {70, 5, 21}), X(3, {70, 5, 21}),
            X(2, {21, 63}), X(2, {70, 21}), MASK(2, {70, 5})}},
    {.name = "wide, few rows",
     .attributes = &(const kfi_recurrence){SIGMOID, .has_states = true},
     .n_in = 6,
     .large = true,
     .in = {X(3, {2, 3, 308}), X(3, {2, 3, 924}), X(3, {2, 3, 308}), X(3, {2, 3, 308}),
            X(2, {308, 924}), X(2, {2, 308})}},
    {0},
};

const kfi_op KFI_OP(gru_gradient) = {
    .name = "gru_gradient",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_gru_gradient,
    .stages = {{gru_back_begin, kfi_first_tiles}, {gru_back_round, kfi_share_tiles}},
    .rounds = gradient_rounds,
    .scratch = kfi_packed_scratch,
    .tile_scratch = gradient_local,
    .cost = cost_gru_gradient,
    .examples = KFI_EXAMPLES(gradient_examples),
};
