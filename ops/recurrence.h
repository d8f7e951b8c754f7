/* What lstm, gru and simple_rnn share: squashing functions, the products of a step, and those of
 * their derivatives. Arrays are (batch, time, width), and a step of some rows is a matrix whose
 * rows stand `time * width` apart. */
#ifndef KFI_OPS_RECURRENCE_H
#define KFI_OPS_RECURRENCE_H

#include "ops/recurrence_tiles.h"
#include "ops/shape_rules.h"
#include "ops/vector_math.h"

/* --- squashing functions, and their derivatives from their values ----------------------------- */

KFI_INLINE float kfi_squash_linear(float x) { return x; }
KFI_INLINE float kfi_squash_tanh(float x) { return tanhf(x); }
KFI_INLINE float kfi_squash_sigmoid(float x) { return 1 / (1 + expf(-x)); }
KFI_INLINE float kfi_squash_hard(float x) {
    const float y = 0.2f * x + 0.5f;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}
KFI_INLINE float kfi_squash_relu(float x) { return x > 0 ? x : 0; }

KFI_INLINE float kfi_slope_linear(float y) { return (void)y, 1; }
KFI_INLINE float kfi_slope_tanh(float y) { return 1 - y * y; }
KFI_INLINE float kfi_slope_sigmoid(float y) { return y * (1 - y); }
KFI_INLINE float kfi_slope_hard(float y) { return y > 0 && y < 1 ? 0.2f : 0; }
KFI_INLINE float kfi_slope_relu(float y) { return y > 0 ? 1 : 0; }

#define KFI_SQUASH_ROWS(name)                                                                      \
    static void kfi_squash_##name##_row(float *x, int64_t n) {                                     \
        kfi_map(kfi_squash_##name, x, x, n);                                                       \
    }                                                                                              \
    static void kfi_slope_##name##_row(const float *y, float *d, int64_t n) {                      \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) d[i] *= kfi_slope_##name(y[i]);        \
    }
KFI_SQUASH_ROWS(linear)
KFI_SQUASH_ROWS(tanh)
KFI_SQUASH_ROWS(sigmoid)
KFI_SQUASH_ROWS(hard)
KFI_SQUASH_ROWS(relu)

/* x = f(x), and d = d f'(x) where y = f(x). */
static const struct {
    void (*squash)(float *x, int64_t n);
    void (*slope)(const float *y, float *d, int64_t n);
} kfi_squashes[KFI_SQUASHES] = {
    [KFI_LINEAR] = {kfi_squash_linear_row, kfi_slope_linear_row},
    [KFI_TANH] = {kfi_squash_tanh_row, kfi_slope_tanh_row},
    [KFI_SIGMOID] = {kfi_squash_sigmoid_row, kfi_slope_sigmoid_row},
    [KFI_HARD_SIGMOID] = {kfi_squash_hard_row, kfi_slope_hard_row},
    [KFI_RELU] = {kfi_squash_relu_row, kfi_slope_relu_row},
};

/* --- products of a step ----------------------------------------------------------------------- */

/* The state before step t: y of the step before, or h0; data NULL where it is zero. */
static inline kfi_rows_of kfi_state_before(const kfi_steps *s, int64_t t, const float *y,
                                           const float *h0) {
    if (t > 0) return (kfi_rows_of){y + kfi_at(s, 0, t - 1, s->units), s->time * s->units};
    return (kfi_rows_of){h0 ? h0 + s->first * s->units : NULL, s->units};
}

/* --- dropout of the states -------------------------------------------------------------------- */

/* What the states are multiplied by before they meet the recurrent kernel, the same at all steps:
 * (n, batch, units), n masks for as many gates or 1 for all. */
typedef struct kfi_drops {
    const float *masks; /* NULL: none */
    int64_t n;
    float *local; /* (rows, units) of the tile */
} kfi_drops;

/* `local` is used if there are masks. */
static inline kfi_drops kfi_drops_of(const kfi_call *call, float *local) {
    const kfi_recurrence *a = call->attributes;
    return (kfi_drops){a->drops ? kfi_in(call, call->n_in - 1) : NULL, a->drops, local};
}

/* The tile's rows of the mask of a gate. */
static inline const float *kfi_drop_rows(const kfi_steps *s, const kfi_drops *drops, int64_t gate) {
    if (!drops->masks) return NULL;
    const int64_t mask = drops->n > 1 ? gate : 0;
    return drops->masks + (mask * s->batch + s->first) * s->units;
}

/* --- the recurrent kernel, packed ------------------------------------------------------------- */

/* What the tile's units need of gates [first, first + n) of the kernel, (units, gates units): their
 * columns, those of all gates at once or, where each gate has a dropout mask of its own, gate by
 * gate. Or the transpose of their rows. */
typedef struct kfi_gates {
    int64_t first, n, at_once;
    bool transpose;
    kfi_packed packed[4]; /* n / at_once */
} kfi_gates;

/* After those of the gates before. The floats may not be there yet. */
static inline kfi_gates kfi_gates_of(const kfi_steps *s, const kfi_drops *drops, int64_t first,
                                     int64_t n, bool transpose) {
    float *at = s->packed + first * kfi_packed_floats(s->units, s->n);
    kfi_gates gates = {.first = first,
                       .n = n,
                       .at_once = drops->n > 1 ? 1 : kfi_larger(n, 1),
                       .transpose = transpose};
    for (int64_t i = 0; i < n / gates.at_once; i++) {
        const int64_t depth = transpose ? gates.at_once * s->units : s->units;
        const int64_t columns = transpose ? s->n : gates.at_once * s->n;
        gates.packed[i] = (kfi_packed){at, depth, columns};
        at += kfi_packed_floats(depth, columns);
    }
    return gates;
}

/* r is the whole kernel. */
static inline void kfi_pack_gates(const kfi_steps *s, const kfi_gates *gates, kfi_rows_of r) {
    for (int64_t i = 0; i < gates->n / gates->at_once; i++) {
        const float *part = r.data + (gates->first + i * gates->at_once) * s->units;
        part += s->unit * (gates->transpose ? r.row : 1);
        if (gates->transpose || s->n == s->units)
            kfi_pack(&gates->packed[i], (kfi_rows_of){part, r.row}, gates->transpose);
        else
            kfi_pack_groups(&gates->packed[i], (kfi_rows_of){part, r.row}, s->n, s->units);
    }
}

/* The tile's units of n gates, which stand `units` apart in c, += h r. */
static inline void kfi_gates_product(const kfi_steps *s, kfi_rows_of h, const kfi_packed *r,
                                     int64_t n, float *c, int64_t c_row) {
    if (s->n == s->units || n == 1) {
        kfi_step_product(s->rows, h, r, c, c_row);
        return;
    }
    memset(s->sums, 0, (size_t)(s->rows * r->columns) * sizeof *s->sums);
    kfi_step_product(s->rows, h, r, s->sums, r->columns);
    for (int64_t row = 0; row < s->rows; row++)
        for (int64_t gate = 0; gate < n; gate++) {
            const float *sum = s->sums + row * r->columns + gate * s->n;
            float *to = c + row * c_row + gate * s->units;
#pragma omp simd
            for (int64_t k = 0; k < s->n; k++) to[k] += sum[k];
        }
}

/* The gates' columns of c (rows, all gates) += (h drop) R. */
static inline void kfi_states_product(const kfi_steps *s, const kfi_drops *drops,
                                      const kfi_gates *r, kfi_rows_of h, float *c, int64_t c_row) {
    const int64_t u = s->units;
    for (int64_t i = 0; h.data && i < r->n / r->at_once; i++) {
        const int64_t gate = r->first + i * r->at_once;
        const float *mask = kfi_drop_rows(s, drops, gate);
        kfi_rows_of dropped = h;
        if (mask) {
            for (int64_t row = 0; row < s->rows; row++)
                for (int64_t k = 0; k < u; k++)
                    drops->local[row * u + k] = h.data[row * h.row + k] * mask[row * u + k];
            dropped = (kfi_rows_of){drops->local, u};
        }
        kfi_gates_product(s, dropped, &r->packed[i], r->at_once, c + gate * u + s->unit, c_row);
    }
}

/* dh (rows, units) += drop (dz RT) over the same gates, the derivative of the above; r are the
 * transposes. */
static inline void kfi_states_product_back(const kfi_steps *s, const kfi_drops *drops,
                                           const kfi_gates *r, kfi_rows_of dz, float *dh) {
    const int64_t u = s->units;
    for (int64_t i = 0; i < r->n / r->at_once; i++) {
        const int64_t gate = r->first + i * r->at_once;
        const float *mask = kfi_drop_rows(s, drops, gate);
        float *to = (mask ? drops->local : dh) + s->unit;
        for (int64_t row = 0; mask && row < s->rows; row++)
            memset(to + row * u, 0, (size_t)s->n * sizeof *to);
        kfi_step_product(s->rows, (kfi_rows_of){dz.data + gate * u, dz.row}, &r->packed[i], to, u);
        for (int64_t row = 0; mask && row < s->rows; row++)
            for (int64_t k = 0; k < s->n; k++)
                dh[row * u + s->unit + k] += to[row * u + k] * mask[row * u + s->unit + k];
    }
}

/* --- shapes ----------------------------------------------------------------------------------- */

/* Inputs z (batch, time, gates units) and r (units, gates units). */
static inline kf_status kfi_check_recurrence(const kfi_shaping *s, int gates, int n_in) {
    kf_status status = kfi_expect_floats(s, n_in);
    if (!status) status = kfi_expect_rank(s, 0, 3);
    if (!status) status = kfi_expect_rank(s, 1, 2);
    if (status) return status;
    const int64_t units = s->in[1].shape.dims[0];
    status = kfi_expect_shape(s, 1, &KFI_SHAPE(units, gates * units));
    const int64_t *z = s->in[0].shape.dims;
    return status ? status : kfi_expect_shape(s, 0, &KFI_SHAPE(z[0], z[1], gates * units));
}

static inline kf_status kfi_check_states(const kfi_shaping *s, int first, int n) {
    kf_status status = KF_OK;
    for (int i = first; i < first + n && !status; i++)
        status = kfi_expect_shape(s, i, &KFI_SHAPE(s->in[0].shape.dims[0], s->in[1].shape.dims[0]));
    return status;
}

static inline kf_status kfi_check_mask(const kfi_shaping *s, int input) {
    const int64_t *z = s->in[0].shape.dims;
    return kfi_expect_shape(s, input, &KFI_SHAPE(z[0], z[1]));
}

static inline kf_status kfi_check_drops(const kfi_shaping *s, int input, int gates) {
    const kfi_recurrence *a = s->attributes;
    if (a->drops == 0) return KF_OK;
    if (a->drops != 1 && a->drops != gates)
        return kfi_fail(KF_INVALID, "%d masks for %d gates", a->drops, gates);
    return kfi_expect_shape(s, input,
                            &KFI_SHAPE(a->drops, s->in[0].shape.dims[0], s->in[1].shape.dims[0]));
}

/* The states before all steps, as rows (batch time, units): for the product with the gradients of
 * the gates, which is the recurrent kernel's. */
static inline kfi_value kfi_states_before(kfi_derivation *d, kfi_value y, kfi_value h0,
                                          int64_t batch, int64_t time, int64_t units) {
    const kfi_shaped one = {.shape = KFI_SHAPE(batch, 1, units)};
    kfi_value all = kfi_is_none(h0) ? d->emit(d, "fill", &one, NULL, 0, NULL)
                                    : kfi_derive(d, "reshape", &one, h0);
    if (time > 1) {
        const kfi_slice before = {.axis = 1, .size = time - 1};
        all = kfi_derive(d, "concatenate", (&(kfi_slice){.axis = 1}), all,
                         kfi_derive(d, "slice", &before, y));
    }
    return kfi_derive(d, "reshape", (&(kfi_shaped){.shape = KFI_SHAPE(batch * time, units)}), all);
}

/* aT b over rows of all steps. */
static inline kfi_value kfi_kernel_gradient(kfi_derivation *d, kfi_value rows, kfi_value dz,
                                            int64_t count, int64_t width) {
    const kfi_shaped flat = {.shape = KFI_SHAPE(count, width)};
    return kfi_derive(d, "matmul", (&(kfi_matmul){.transpose_a = true}), rows,
                      kfi_derive(d, "reshape", &flat, dz));
}

/* The gradient of columns [first, first + n) of the recurrent kernel, by gate where these have
 * dropout masks of their own. `before` (batch time, units) are the states, dz (batch, time, gates
 * units); drops KFI_NONE: no dropout. */
static inline kfi_value kfi_dropped_kernel_gradient(kfi_derivation *d, kfi_value before,
                                                    kfi_value dz, kfi_value drops, int64_t gates) {
    const kfi_recurrence *a = d->attributes;
    const int64_t *z = d->in_type[0].shape.dims, units = d->in_type[1].shape.dims[0];
    const int64_t batch = z[0], time = z[1], at_once = a->drops > 1 ? 1 : gates;
    if (a->drops == 0) return kfi_kernel_gradient(d, before, dz, batch * time, gates * units);
    const kfi_shaped steps = {.shape = KFI_SHAPE(batch, time, units)};
    const kfi_shaped row = {.shape = KFI_SHAPE(batch, 1, units)};
    const kfi_shaped flat = {.shape = KFI_SHAPE(batch * time, units)};
    const kfi_value states = kfi_derive(d, "reshape", &steps, before);
    kfi_value parts[4] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    int n = 0;
    for (int64_t gate = 0; gate < gates; gate += at_once) {
        const kfi_slice one = {.axis = 0, .start = gate, .size = 1};
        const kfi_slice columns = {.axis = 2, .start = gate * units, .size = at_once * units};
        const kfi_value mask = a->drops > 1 ? kfi_derive(d, "slice", &one, drops) : drops;
        const kfi_value dropped =
            kfi_derive(d, "multiply", NULL, states, kfi_derive(d, "reshape", &row, mask));
        const kfi_value part = at_once == gates ? dz : kfi_derive(d, "slice", &columns, dz);
        parts[n++] = kfi_kernel_gradient(d, kfi_derive(d, "reshape", &flat, dropped), part,
                                         batch * time, at_once * units);
    }
    if (n == 1) return parts[0];
    return d->emit(d, "concatenate", &(kfi_slice){.axis = 1}, parts, n, NULL);
}

/* A gradient that may not have arrived. */
static inline kfi_value kfi_or_zeros(kfi_derivation *d, kfi_value value, const kf_shape *shape) {
    if (!kfi_is_none(value)) return value;
    return d->emit(d, "fill", &(kfi_shaped){.shape = *shape}, NULL, 0, NULL);
}

#endif
