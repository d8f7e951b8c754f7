/* gru(z, r[, b][, h0][, mask][, drop]) -> y, gates, inner: all steps of a GRU, gates z, r, h.
 *
 *     z, r = s(x_t + h R)    hh = a(x_t + inner Rh) with inner = r h          the reset before
 *                            hh = a(x_t + r inner)  with inner = h Rh + b     the reset after
 *     y_t = z h + (1 - z) hh                                     h the y of step t - 1
 *
 * Input 0 (batch, time, 3 units) is the product of the inputs, x_t, with its bias; b (3 units),
 * with reset_after only, is added to h R. A masked step repeats y. drop multiplies the h that meets
 * R, for each gate; one for all gates also that of z h (attributes.h). gru_gradient(dy, gates,
 * inner, y, r[, h0][, mask][, drop]) -> dx, dh0, and with reset_after the derivative of h R + b,
 * which else is dx; it goes through the steps backwards. */
#include "ops/recurrence.h"

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
    const float *b, *h0, *mask;
    float *y, *gates, *inner;
    float *product; /* h R + b of this block (rows, 3 units) */
    kfi_drops drops;
    kfi_gates states, candidate; /* what meets h, and what meets r h with the reset before */
} gru;

/* The gates whose product is with h, and the third where it is not, packed into `to`. */
static void pack_gates(const kfi_recurrence *a, const kfi_drops *drops, int64_t units,
                       const float *r, bool transpose, float *to, kfi_gates gates[2]) {
    const kfi_drops none = {0};
    const int64_t n = a->reset_after ? 3 : 2;
    const kfi_rows_of rows = {r, 3 * units};
    gates[0] = kfi_pack_gates(drops, units, 0, n, rows, transpose, to);
    if (a->reset_after) return;
    to += kfi_gates_floats(units, 2);
    gates[1] = kfi_pack_gates(&none, units, 2, 1, rows, transpose, to);
}

/* The factor of element k of a row of h: 1 where nothing is dropped. */
static const float *drop_row(const kfi_steps *s, const kfi_drops *drops, int64_t gate, int64_t i) {
    const float *rows = kfi_drop_rows(s, drops, gate);
    return rows ? rows + i * s->units : NULL;
}

/* That of the h in z h, which is only dropped where one mask is for all. */
static const float *kept_row(const kfi_steps *s, const kfi_drops *drops, int64_t i) {
    return drops->n == 1 ? drop_row(s, drops, 0, i) : NULL;
}

/* The gates z and r, and what stands before the candidate's product or comes of it. */
static void gru_gates(const gru *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, at = kfi_at(&l->s, i, t, u);
    float *g = l->gates + 3 * at, *inner = l->inner + at;
    const float *product = l->product + i * 3 * u, *drop = drop_row(&l->s, &l->drops, 2, i);
    if (l->a->reset_after) {
        for (int64_t k = 0; k < 2 * u; k++) g[k] += product[k];
        memcpy(inner, product + 2 * u, (size_t)u * sizeof *inner);
    }
    kfi_squashes[l->a->gate_activation].squash(g, 2 * u);
    for (int64_t k = 0; k < u; k++)
        if (l->a->reset_after)
            g[2 * u + k] += g[u + k] * inner[k];
        else
            inner[k] = h ? g[u + k] * h[k] * (drop ? drop[k] : 1) : 0;
}

static void gru_output(const gru *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, at = kfi_at(&l->s, i, t, u);
    float *g = l->gates + 3 * at, *y = l->y + at;
    kfi_squashes[l->a->activation].squash(g + 2 * u, u);
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        for (int64_t k = 0; k < u; k++) y[k] = h ? h[k] : 0;
        return;
    }
#pragma omp simd
    for (int64_t k = 0; k < u; k++) y[k] = (1 - g[k]) * g[2 * u + k];
    if (!h) return;
    const float *drop = kept_row(&l->s, &l->drops, i);
#pragma omp simd
    for (int64_t k = 0; k < u; k++) y[k] += g[k] * h[k] * (drop ? drop[k] : 1);
}

static void reset_product(const gru *l, kfi_rows_of h) {
    const int64_t width = 3 * l->s.units;
    for (int64_t i = 0; i < l->s.rows; i++)
        for (int64_t k = 0; k < width; k++) l->product[i * width + k] = l->b ? l->b[k] : 0;
    kfi_states_product(&l->s, &l->drops, &l->states, h, l->product, width);
}

static const float *row_of(kfi_rows_of h, int64_t i) { return h.data ? h.data + i * h.row : NULL; }

static void gru_step(const gru *l, int64_t t) {
    const int64_t u = l->s.units, width = 3 * u, row = l->s.time * width;
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    float *gates = l->gates + kfi_at(&l->s, 0, t, width);
    if (l->a->reset_after)
        reset_product(l, h);
    else
        kfi_states_product(&l->s, &l->drops, &l->states, h, gates, row);
    for (int64_t i = 0; i < l->s.rows; i++) gru_gates(l, i, t, row_of(h, i));
    if (!l->a->reset_after && h.data) {
        const kfi_rows_of inner = {l->inner + kfi_at(&l->s, 0, t, u), l->s.time * u};
        kfi_step_product(l->s.rows, inner, &l->candidate.packed[0], gates + 2 * u, row);
    }
    for (int64_t i = 0; i < l->s.rows; i++) gru_output(l, i, t, row_of(h, i));
}

static void gru_block(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    const kfi_steps steps = kfi_steps_of(&call->out[0], tile);
    float *product = (float *)local + kfi_gates_floats(steps.units, 3);
    const kfi_drops drops = {a->drops ? kfi_in(call, call->n_in - 1) : NULL, a->drops,
                             product + steps.rows * 3 * steps.units};
    kfi_gates packed[2] = {0};
    pack_gates(a, &drops, steps.units, kfi_in(call, 1), false, local, packed);
    const gru l = {.s = steps,
                   .a = a,
                   .b = a->has_bias ? kfi_in(call, 2) : NULL,
                   .h0 = a->has_states ? kfi_in(call, state_input(a)) : NULL,
                   .mask = a->has_mask ? kfi_in(call, mask_input(a)) : NULL,
                   .y = kfi_out(call, 0),
                   .gates = kfi_out(call, 1),
                   .inner = kfi_out(call, 2),
                   .product = product,
                   .drops = drops,
                   .states = packed[0],
                   .candidate = packed[1]};
    const int64_t row = l.s.time * 3 * l.s.units;
    const float *x = kfi_in(call, 0);
    if (l.s.rows == 0) return;
    if (x != l.gates)
        memcpy(l.gates + l.s.first * row, x + l.s.first * row,
               (size_t)(l.s.rows * row) * sizeof *x);
    for (int64_t t = 0; t < l.s.time; t++) gru_step(&l, t);
}

static size_t forward_local(const kfi_call *call) {
    const int64_t *x = call->in[0].shape.dims;
    const int64_t units = x[2] / 3;
    return (size_t)(kfi_gates_floats(units, 3) + kfi_block_rows(x[0]) * 4 * units) * sizeof(float);
}

/* --- backward --------------------------------------------------------------------------------- */

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
    float *dh, *dinner;   /* of this block, (rows, units) each */
    kfi_drops drops;
    kfi_gates states, candidate; /* transposes */
} gru_back;

/* dz and dhh of row i, and what passes to dh beside the gates. */
static void gru_back_output(const gru_back *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, at = kfi_at(&l->s, i, t, u);
    const float *g = l->gates + 3 * at;
    float *dx = l->dx + 3 * at, *dh = l->dh + i * u;
    for (int64_t k = 0; k < u; k++) dh[k] += l->dy[at + k];
    if (kfi_is_masked(&l->s, l->mask, i, t)) {
        memset(dx, 0, (size_t)(3 * u) * sizeof *dx);
        return;
    }
    const float *drop = kept_row(&l->s, &l->drops, i);
#pragma omp simd
    for (int64_t k = 0; k < u; k++) {
        const float kept = drop ? drop[k] : 1;
        dx[k] = dh[k] * ((h ? h[k] * kept : 0) - g[2 * u + k]);
        dx[u + k] = 0;
        dx[2 * u + k] = dh[k] * (1 - g[k]);
        dh[k] *= g[k] * kept;
    }
    kfi_squashes[l->a->gate_activation].slope(g, dx, u);
    kfi_squashes[l->a->activation].slope(g + 2 * u, dx + 2 * u, u);
}

/* dr of row i, once the derivative of the inner product is known. */
static void gru_back_reset(const gru_back *l, int64_t i, int64_t t, const float *h) {
    const int64_t u = l->s.units, at = kfi_at(&l->s, i, t, u);
    const float *g = l->gates + 3 * at, *inner = l->inner + at, *dinner = l->dinner + i * u;
    float *dx = l->dx + 3 * at, *dh = l->dh + i * u;
    if (l->a->reset_after) {
        float *dproduct = l->dproduct + 3 * at;
        for (int64_t k = 0; k < u; k++) dx[u + k] = dx[2 * u + k] * inner[k];
        for (int64_t k = 0; k < u; k++) dproduct[2 * u + k] = dx[2 * u + k] * g[u + k];
    } else if (h && !kfi_is_masked(&l->s, l->mask, i, t)) {
        const float *drop = drop_row(&l->s, &l->drops, 2, i);
        for (int64_t k = 0; k < u; k++) dx[u + k] = dinner[k] * h[k] * (drop ? drop[k] : 1);
        for (int64_t k = 0; k < u; k++) dh[k] += dinner[k] * g[u + k] * (drop ? drop[k] : 1);
    }
    kfi_squashes[l->a->gate_activation].slope(g + u, dx + u, u);
    if (l->a->reset_after) memcpy(l->dproduct + 3 * at, dx, (size_t)(2 * u) * sizeof *dx);
}

static void gru_back_step(const gru_back *l, int64_t t) {
    const int64_t u = l->s.units, width = 3 * u, row = l->s.time * width;
    const int64_t at = kfi_at(&l->s, 0, t, width);
    const kfi_rows_of h = kfi_state_before(&l->s, t, l->y, l->h0);
    for (int64_t i = 0; i < l->s.rows; i++) gru_back_output(l, i, t, row_of(h, i));
    if (!l->a->reset_after && h.data) {
        memset(l->dinner, 0, (size_t)(l->s.rows * u) * sizeof *l->dinner);
        kfi_step_product(l->s.rows, (kfi_rows_of){l->dx + at + 2 * u, row}, &l->candidate.packed[0],
                         l->dinner, u);
    }
    for (int64_t i = 0; i < l->s.rows; i++) gru_back_reset(l, i, t, row_of(h, i));
    if (!h.data) return;
    kfi_states_product_back(&l->s, &l->drops, &l->states, (kfi_rows_of){l->dproduct + at, row},
                            l->dh);
}

static void gru_gradient_block(const kfi_call *call, int64_t tile, void *local) {
    const kfi_recurrence *a = call->attributes;
    const kfi_steps s = kfi_steps_of(&call->in[0], tile);
    const int64_t count = s.rows * s.units;
    float *dh = (float *)local + kfi_gates_floats(s.units, 3);
    const kfi_drops drops = {a->drops ? kfi_in(call, call->n_in - 1) : NULL, a->drops,
                             dh + 2 * count};
    kfi_gates packed[2] = {0};
    pack_gates(a, &drops, s.units, kfi_in(call, 4), true, local, packed);
    const gru_back l = {.s = s,
                        .a = a,
                        .dy = kfi_in(call, 0),
                        .gates = kfi_in(call, 1),
                        .inner = kfi_in(call, 2),
                        .y = kfi_in(call, 3),
                        .h0 = a->has_states ? kfi_in(call, 5) : NULL,
                        .mask = a->has_mask ? kfi_in(call, 5 + a->has_states) : NULL,
                        .dx = kfi_out(call, 0),
                        .dproduct = kfi_out(call, a->reset_after ? 2 : 0),
                        .dh = dh,
                        .dinner = dh + count,
                        .drops = drops,
                        .states = packed[0],
                        .candidate = packed[1]};
    if (s.rows == 0) return;
    memset(l.dh, 0, (size_t)count * sizeof *l.dh);
    for (int64_t t = s.time - 1; t >= 0; t--) gru_back_step(&l, t);
    memcpy(kfi_out(call, 1) + s.first * s.units, l.dh, (size_t)count * sizeof *l.dh);
}

static size_t gradient_local(const kfi_call *call) {
    const int64_t *dy = call->in[0].shape.dims;
    return (size_t)(kfi_gates_floats(dy[2], 3) + 3 * kfi_block_rows(dy[0]) * dy[2]) * sizeof(float);
}

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
    {0},
};
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
    {0},
};

const kfi_op KFI_OP(gru) = {
    .name = "gru",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_gru,
    .stages = {{gru_block, kfi_block_tiles}},
    .gradient = derive_gru,
    .tile_scratch = forward_local,
    .cost = cost_gru,
    .examples = gru_examples,
    .in_place = {0, 1},
};

const kfi_op KFI_OP(gru_gradient) = {
    .name = "gru_gradient",
    .attributes_size = sizeof(kfi_recurrence),
    .infer = infer_gru_gradient,
    .stages = {{gru_gradient_block, kfi_block_tiles}},
    .tile_scratch = gradient_local,
    .cost = cost_gru_gradient,
    .examples = gradient_examples,
};
