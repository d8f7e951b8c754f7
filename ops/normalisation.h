/* Batch normalisation, by channel c of n elements:
 *   m = mean x,  v = mean (x - m)^2,  r = 1 / sqrt(v + epsilon),  y = gamma (x - m) r + beta
 *   beta' = sum y',  gamma' = sum y' (x - m) r
 *   x' = gamma r (y' - beta' / n - (x - m) r gamma' / n)
 * In inference m and v are given, and x' = gamma r y'. Ioffe, Szegedy, "Batch normalization", 2015.
 *
 * This is what batch_norm.c and batch_norm_gradient.c share. */
#ifndef KFI_OPS_NORMALISATION_H
#define KFI_OPS_NORMALISATION_H

#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape_rules.h"

/* x, then dy if `same` is 2, then vectors by channel. */
static inline kf_status kfi_norm_check(const kfi_shaping *s, int n_in, int same) {
    const kfi_batch_norm *a = s->attributes;
    kf_status status = kfi_expect_floats(s, n_in);
    if (!status) status = kfi_expect_axis(a->axis, &s->in[0].shape);
    for (int i = 1; i < same && !status; i++) status = kfi_expect_shape(s, i, &s->in[0].shape);
    if (status) return status;
    const kf_shape vector = KFI_SHAPE(s->in[0].shape.dims[a->axis]);
    for (int i = same; i < n_in && !status; i++) status = kfi_expect_shape(s, i, &vector);
    return status;
}

/* Output 0 like x, the others vectors by channel. */
static inline void kfi_norm_outputs(kfi_shaping *s, int n_out) {
    const kfi_batch_norm *a = s->attributes;
    s->n_out = n_out;
    s->out[0].shape = s->in[0].shape;
    for (int i = 1; i < n_out; i++) s->out[i].shape = KFI_SHAPE(s->in[0].shape.dims[a->axis]);
}

static inline kfi_channels kfi_norm_channels(const kfi_call *call) {
    const kfi_batch_norm *a = call->attributes;
    return kfi_channels_of(&call->in[0].shape, a->axis);
}

/* The lines of a tile of the last stage, which are whole in output 0. */
static inline kfi_region kfi_norm_region(const kfi_call *call, int64_t tile) {
    const kfi_channels c = kfi_norm_channels(call);
    const kfi_range lines = kfi_tile_range(c.lines, c.lines_per_tile, tile);
    const int64_t count = (lines.last - lines.first) * c.line;
    return (kfi_region){lines.first * c.line, 1, count, count};
}

static inline int64_t kfi_norm_slices(const kfi_call *call) {
    return kfi_norm_channels(call).slices;
}

static inline int64_t kfi_norm_lines(const kfi_call *call) {
    const kfi_channels c = kfi_norm_channels(call);
    return kfi_channel_tiles(&c);
}

/* Attributes of the examples. */
#define KFI_NORM_ALONG(i)                                                                          \
    &(const kfi_batch_norm) { .axis = (i), .epsilon = 1e-3f }

#endif
