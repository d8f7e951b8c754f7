/* Arrays seen by channel: everything but one axis is taken together. Such an array is a list of
 * lines; a line holds all channels once, if the axis is the last, else one channel `line` times.
 * Statistics of channels are summed in double precision over slices of lines, in a fixed order. */
#ifndef KFI_OPS_CHANNELS_H
#define KFI_OPS_CHANNELS_H

#include "ops/tiles.h"

enum { KFI_CHANNEL_SLICES = 64, KFI_CHANNEL_SUMS = 3 };

typedef struct kfi_channels {
    int64_t channels, count; /* count: elements of each channel */
    int64_t lines, line;     /* line: elements                  */
    bool last;               /* the axis is the last one        */
    int64_t slices;          /* of lines, for sums              */
    int64_t lines_per_tile;  /* for work element by element     */
} kfi_channels;

static inline kfi_channels kfi_channels_of(const kf_shape *x, int axis) {
    const int64_t outer = kfi_shape_product(x, 0, axis);
    const int64_t inner = kfi_shape_product(x, axis + 1, x->rank);
    kfi_channels c = {.channels = x->dims[axis], .count = outer * inner, .last = inner == 1};
    c.lines = c.last ? outer : outer * c.channels;
    c.line = c.last ? c.channels : inner;
    c.slices = kfi_clamp(c.lines * c.line / KFI_TILE_ELEMENTS, 1, KFI_CHANNEL_SLICES);
    c.lines_per_tile = kfi_larger(KFI_TILE_ELEMENTS / kfi_larger(c.line, 1), 1);
    return c;
}

/* Up to three sums for each channel of each slice: (slice, sum, channel). */
static inline size_t kfi_channel_sum_bytes(const kfi_channels *c) {
    return (size_t)(c->slices * KFI_CHANNEL_SUMS * c->channels) * sizeof(double);
}

static inline double *kfi_channel_sums(const kfi_channels *c, void *scratch, int64_t slice) {
    return (double *)scratch + slice * KFI_CHANNEL_SUMS * c->channels;
}

/* Sum `which` (0, 1 or 2) of a channel over all slices. */
static inline double kfi_channel_total(const kfi_channels *c, const void *scratch, int which,
                                       int64_t channel) {
    double total = 0;
    for (int64_t slice = 0; slice < c->slices; slice++)
        total +=
            ((const double *)scratch)[(slice * KFI_CHANNEL_SUMS + which) * c->channels + channel];
    return total;
}

static inline int64_t kfi_channel_tiles(const kfi_channels *c) {
    return kfi_tile_count(c->lines, c->lines_per_tile);
}

#endif
