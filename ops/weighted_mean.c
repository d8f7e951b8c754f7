/* weighted_mean(score[, weights]): what Keras makes of scores by sample or timestep. With n weights
 * w on the first axes of score and m scores s behind each one:
 *   L = sum_i w_i (sum_j s_ij / m) / (number of w_i that are not 0);   without weights the mean
 *   s_ij' = L' w_i / (m * number)
 * All weights 0 gives NaN, as in Keras. Weights are given, not learned: no gradient flows there. */
#include "ops/attributes.h"
#include "ops/reduction.h"
#include "ops/shape_rules.h"

static kf_status check_weights(const kf_shape *score, const kf_shape *weights) {
    bool fits = weights->rank <= score->rank;
    for (int i = 0; i < weights->rank && fits; i++)
        fits = kfi_dims_agree(score->dims[i], weights->dims[i]);
    if (fits) return KF_OK;
    return kfi_fail(KF_INVALID, "weights of shape %s do not fit scores of shape %s",
                    kfi_shape_string(weights), kfi_shape_string(score));
}

static kf_status infer_weighted_mean(kfi_shaping *s) {
    kf_status status = kfi_expect_floats(s, s->n_in == 2 ? 2 : 1);
    if (!status && s->n_in == 2) status = check_weights(&s->in[0].shape, &s->in[1].shape);
    s->n_out = 1;
    s->out[0].shape = KFI_SCALAR;
    return status;
}

/* How the scores are cut: slices of weights, each `rest` scores. */
typedef struct weighting {
    int64_t n, rest, slices;
} weighting;

static weighting describe(const kfi_call *call) {
    const int64_t count = kfi_count(&call->in[0]);
    weighting w = {.n = call->n_in == 2 ? kfi_count(&call->in[1]) : count, .rest = 1};
    if (w.n > 0) w.rest = count / w.n;
    w.slices = kfi_clamp(count / KFI_TILE_ELEMENTS, 1, KFI_REDUCTION_MAX_TILES);
    return w;
}

typedef struct partial {
    double sum, number;
} partial;

static int64_t tiles_weighted_mean(const kfi_call *call) { return describe(call).slices; }

static size_t scratch_weighted_mean(const kfi_call *call) {
    return (size_t)describe(call).slices * sizeof(partial);
}

static void sum_slice(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const weighting w = describe(call);
    const kfi_range part = kfi_slice_range(w.n, w.slices, tile);
    const float *score = kfi_in(call, 0);
    partial p = {0};
    if (call->n_in == 1) {
        p.sum = kfi_sum_run(score + part.first, part.last - part.first);
        p.number = (double)(part.last - part.first);
    } else {
        const float *weights = kfi_in(call, 1);
        for (int64_t i = part.first; i < part.last; i++) {
            p.sum += (double)weights[i] * kfi_sum_run(score + i * w.rest, w.rest);
            p.number += weights[i] != 0;
        }
    }
    ((partial *)call->scratch)[tile] = p;
}

static void divide(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const weighting w = describe(call);
    partial all = {0};
    for (int64_t i = 0; i < w.slices; i++) {
        const partial *p = (const partial *)call->scratch + i;
        all.sum += p->sum;
        all.number += p->number;
    }
    kfi_out(call, 0)[0] = (float)(all.sum / (all.number * (double)w.rest));
}

static kf_status derive_weighted_mean(kfi_derivation *d) {
    const kf_shape *score = &d->in_type[0].shape;
    const kfi_shaped like = {.shape = *score};
    if (!d->wanted[0]) return KF_OK;
    if (d->n_in == 2) {
        d->din[0] = kfi_derive(d, "weighted_mean_gradient", &like, d->dout[0], d->in[1]);
        return KF_OK;
    }
    const kfi_affine share = {.scale = 1.0f / (float)kfi_shape_count(score)};
    const kfi_value each = kfi_derive(d, "affine", &share, d->dout[0]);
    d->din[0] = kfi_derive(d, "broadcast_to", &like, each);
    return KF_OK;
}

/* weighted_mean_gradient(dloss, weights): the shape of the scores is the attribute. */

static kf_status infer_gradient(kfi_shaping *s) {
    const kfi_shaped *a = s->attributes;
    kf_status status = kfi_expect_floats(s, 2);
    if (!status) status = kfi_expect_rank(s, 0, 0);
    if (!status) status = check_weights(&a->shape, &s->in[1].shape);
    s->n_out = 1;
    s->out[0].shape = a->shape;
    return status;
}

static size_t scratch_gradient(const kfi_call *call) {
    (void)call;
    return sizeof(float);
}

/* L' / (m * number), once for all tiles. */
static void find_share(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    const int64_t n = kfi_count(&call->in[1]), count = kfi_count(&call->out[0]);
    const float *weights = kfi_in(call, 1);
    int64_t number = 0;
    for (int64_t i = 0; i < n; i++) number += weights[i] != 0;
    const double rest = n ? (double)(count / n) : 1;
    *(float *)call->scratch = (float)((double)kfi_in(call, 0)[0] / ((double)number * rest));
}

static void spread(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const int64_t n = kfi_larger(kfi_count(&call->in[1]), 1);
    const int64_t rest = kfi_count(&call->out[0]) / n;
    const kfi_span span = kfi_element_span(call, tile);
    const float share = *(const float *)call->scratch, *weights = kfi_in(call, 1);
    float *ds = kfi_out(call, 0);
    for (int64_t at = span.begin; at < span.end;) {
        const int64_t end = kfi_smaller((at / rest + 1) * rest, span.end);
        const float value = share * weights[at / rest];
        for (; at < end; at++) ds[at] = value;
    }
}

static const kfi_example weighted_mean_examples[] = {
    {.name = "plain", .n_in = 1, .in = {{.shape = {2, {4, 3}}}}},
    {.name = "by sample",
     .n_in = 2,
     .in = {{.shape = {2, {5, 3}}}, {.shape = {1, {5}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "by timestep",
     .n_in = 2,
     .in = {{.shape = {2, {2, 3}}},
            {.shape = {2, {2, 3}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "1000x301",
     .n_in = 2,
     .in = {{.shape = {2, {1000, 301}}},
            {.shape = {1, {1000}}, .low = 0.5f, .high = 2, .constant = true}},
     .large = true},
    {0},
};

static const kfi_example gradient_examples[] = {
    {.name = "by sample",
     .attributes = &(const kfi_shaped){.shape = {2, {5, 3}}},
     .n_in = 2,
     .in = {{.shape = {0}}, {.shape = {1, {5}}, .low = 0.5f, .high = 2, .constant = true}}},
    {.name = "1000x301",
     .attributes = &(const kfi_shaped){.shape = {2, {1000, 301}}},
     .n_in = 2,
     .in = {{.shape = {0}}, {.shape = {1, {1000}}, .low = 0.5f, .high = 2, .constant = true}},
     .large = true},
    {0},
};

const kfi_op KFI_OP(weighted_mean) = {
    .name = "weighted_mean",
    .infer = infer_weighted_mean,
    .stages = {{sum_slice, tiles_weighted_mean}, {divide, NULL}},
    .gradient = derive_weighted_mean,
    .scratch = scratch_weighted_mean,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(weighted_mean_examples),
};

const kfi_op KFI_OP(weighted_mean_gradient) = {
    .name = "weighted_mean_gradient",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer_gradient,
    .stages = {{find_share, NULL}, {spread, kfi_element_tiles}},
    .scratch = scratch_gradient,
    .cost = kfi_cheap_cost,
    .examples = KFI_EXAMPLES(gradient_examples),
};
