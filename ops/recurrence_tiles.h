/* How lstm, gru and simple_rnn are cut into tiles.
 * By rows: a tile is a block of batch rows through all steps, which then need no synchronisation.
 * By units: a step is a round of tiles, each of which does a share of the units for all rows; all
 * of them read the whole state that the round before has made. With few rows that is the only work
 * there is to share, and workers keep parts of the kernel in their caches of which none could keep
 * the whole. */
#ifndef KFI_OPS_RECURRENCE_TILES_H
#define KFI_OPS_RECURRENCE_TILES_H

#include "ops/attributes.h"
#include "ops/kernels/forced_way.h"
#include "ops/step_product.h"

typedef struct kfi_cut {
    int64_t batch, time, units, gates;
    int64_t share; /* units of a tile; 0: by rows */
} kfi_cut;

/* A few tiles for each worker, and columns enough for the sums of a row of them. */
static inline int64_t kfi_share_units(int64_t units) { return units < 512 ? 32 : 64; }

/* Blocks of as many rows as the product of a step keeps in registers, or a few times that in a
 * large batch; nearly equal ones. */
static inline int64_t kfi_block_rows(int64_t batch) {
    enum { ENOUGH_BLOCKS = 8, MAX_GROUPS = 8 };
    const int64_t groups =
        kfi_clamp(kfi_divide_up(batch, ENOUGH_BLOCKS * KFI_SUM_ROWS), 1, MAX_GROUPS);
    return kfi_larger(kfi_divide_up(batch, kfi_tile_count(batch, groups * KFI_SUM_ROWS)), 1);
}

/* By rows every tile reads the whole kernel at each step; by units a worker reads its share, and
 * all meet after a step, which takes 1 to 2 us. On two cores of 2 MB of L2 each, by rows against by
 * units, 50 steps in ms: where the kernel fits and rows make several tiles, LSTM 256 of 8 rows 1.9
 * to 2.3; where they make one, LSTM 256 of 4 rows 0.99 to 0.84, GRU 256 (0.75 MB) of 1 row 0.49 to
 * 0.59; where it does not fit, LSTM 512 of 4 rows 8.6 to 3.4, GRU 512 of 24 rows 13 to 9.5. */
static inline bool kfi_by_units_is_faster(const kfi_cut *cut) {
    enum { SHARED_BYTES = 1 << 20, CACHE_BYTES = 2 << 20 };
    const double bytes = 4.0 * (double)cut->gates * (double)cut->units * (double)cut->units;
    if (cut->time < 2) return false;
    return bytes > CACHE_BYTES || (bytes >= SHARED_BYTES && cut->batch <= KFI_SUM_ROWS);
}

/* Of a recurrence, or of its gradient: input 0 and output 0 are (batch, time, units) and (batch,
 * time, gates units), or the other way round. */
static inline kfi_cut kfi_cut_of(const kfi_call *call) {
    const int64_t *in = call->in[0].shape.dims, *out = call->out[0].shape.dims;
    const int64_t units = kfi_smaller(in[2], out[2]);
    kfi_cut cut = {in[0], in[1], units, units ? kfi_larger(in[2], out[2]) / units : 1, 0};
    if (in[0] * in[1] * units == 0) return cut;
    const char *forced = kfi_forced_cut();
    const bool by_units = forced ? strcmp(forced, "units") == 0 : kfi_by_units_is_faster(&cut);
    cut.share = by_units ? kfi_share_units(units) : 0;
    return cut;
}

/* Stage 0: blocks of rows, done; or shares, for which the kernel is packed. Stage 1: shares. */
static inline int64_t kfi_first_tiles(const kfi_call *call) {
    const kfi_cut cut = kfi_cut_of(call);
    return cut.share ? kfi_tile_count(cut.units, cut.share)
                     : kfi_tile_count(cut.batch, kfi_block_rows(cut.batch));
}

static inline int64_t kfi_share_tiles(const kfi_call *call) {
    const kfi_cut cut = kfi_cut_of(call);
    return cut.share ? kfi_tile_count(cut.units, cut.share) : 0;
}

/* Rounds of a recurrence. Its gradient has one more if it goes on to the first state. */
static inline int64_t kfi_time_rounds(const kfi_call *call) { return call->in[0].shape.dims[1]; }

static inline int64_t kfi_back_rounds(const kfi_call *call) {
    const kfi_recurrence *a = call->attributes;
    return kfi_time_rounds(call) + a->has_states;
}

/* The gates' kernel, packed: the call's scratch by units, since all rounds read it; by rows it is
 * in the tile's own memory. */
static inline size_t kfi_packed_scratch(const kfi_call *call) {
    const kfi_cut cut = kfi_cut_of(call);
    const int64_t floats = cut.gates * kfi_packed_floats(cut.units, cut.units);
    return cut.share ? (size_t)floats * sizeof(float) : 0;
}

/* A tile's own memory, with so many floats for each of its rows and for all of them. */
static inline size_t kfi_tile_bytes(const kfi_call *call, int64_t of_row, int64_t of_all) {
    const kfi_cut cut = kfi_cut_of(call);
    const int64_t rows = cut.share ? cut.batch : kfi_block_rows(cut.batch);
    const int64_t sums = rows * cut.gates * cut.share;
    const int64_t packed = cut.share ? 0 : cut.gates * kfi_packed_floats(cut.units, cut.units);
    return (size_t)(packed + sums + rows * of_row + of_all) * sizeof(float);
}

/* --- what a tile does ------------------------------------------------------------------------- */

typedef struct kfi_steps {
    int64_t batch, time, units;
    int64_t first, rows; /* of the batch */
    int64_t unit, n;     /* units [unit, unit + n) */
    bool by_units;
    int64_t round;
    float *packed, *local; /* where the kernel is packed; the rest of the tile's own memory */
    float *sums;           /* by units: of its gates, (rows, gates n) */
} kfi_steps;

static inline kfi_steps kfi_steps_of(const kfi_call *call, int64_t tile, void *local) {
    const kfi_cut cut = kfi_cut_of(call);
    kfi_steps s = {.batch = cut.batch, .time = cut.time, .units = cut.units, .by_units = cut.share};
    if (cut.share) {
        const int64_t shares = kfi_tile_count(cut.units, cut.share);
        const kfi_range units = kfi_tile_range(cut.units, cut.share, tile % shares);
        s.rows = cut.batch;
        s.unit = units.first;
        s.n = units.last - units.first;
        s.round = tile / shares;
        s.packed = (float *)call->scratch + cut.gates * s.units * s.unit;
        s.sums = local;
        s.local = s.sums + s.rows * cut.gates * cut.share;
        return s;
    }
    const kfi_range rows = kfi_tile_range(cut.batch, kfi_block_rows(cut.batch), tile);
    s.first = rows.first;
    s.rows = rows.last - rows.first;
    s.n = cut.units;
    s.packed = local;
    s.local = s.packed + cut.gates * kfi_packed_floats(s.units, s.units);
    return s;
}

/* Where row i of the tile's rows is at time t, in an array (batch, time, width). */
static inline int64_t kfi_at(const kfi_steps *s, int64_t i, int64_t t, int64_t width) {
    return ((s->first + i) * s->time + t) * width;
}

static inline bool kfi_is_masked(const kfi_steps *s, const float *mask, int64_t i, int64_t t) {
    return mask && mask[(s->first + i) * s->time + t] == 0;
}

/* The tile's units of the gates of row i, from z to where they are worked out. */
static inline void kfi_copy_gates(const kfi_steps *s, int64_t gates, int64_t i, int64_t t,
                                  const float *z, float *to) {
    const int64_t at = kfi_at(s, i, t, gates * s->units);
    if (z == to) return;
    if (s->n == s->units) memcpy(to + at, z + at, (size_t)(gates * s->n) * sizeof *to);
    for (int64_t gate = 0; s->n < s->units && gate < gates; gate++) {
        const int64_t first = at + gate * s->units + s->unit;
        memcpy(to + first, z + first, (size_t)s->n * sizeof *to);
    }
}

/* Zeros in the tile's part of a state (batch, units). */
static inline void kfi_clear_state(const kfi_steps *s, float *state) {
    for (int64_t i = s->first; i < s->first + s->rows; i++)
        memset(state + i * s->units + s->unit, 0, (size_t)s->n * sizeof *state);
}

#endif
