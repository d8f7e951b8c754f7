/* Sums over any axes of an array, in double precision and in an order that the shape alone fixes.
 *
 * Neighbouring axes of one fate are merged. What remains of x is read as
 *   (kept or reduced axes, outermost first …, columns)  if the last axis is kept
 *   (kept or reduced axes, outermost first …, run)      if the last axis is reduced
 * A unit of work is one combination of the outer kept axes and one block of columns (or the one sum
 * of runs). Where units are few and long, each is cut into slices: stage 1 then leaves partial sums
 * in scratch and stage 2 adds them in order. */
#ifndef KFI_OPS_REDUCTION_H
#define KFI_OPS_REDUCTION_H

#include "ops/tiles.h"

enum { KFI_REDUCTION_COLUMNS = 1024, KFI_REDUCTION_MAX_TILES = 64, KFI_REDUCTION_FOLD = 64 };

/* Some axes of x, walked in row-major order. */
typedef struct kfi_walk {
    int rank;
    int64_t count;
    int64_t size[KF_MAX_RANK], stride[KF_MAX_RANK];
} kfi_walk;

typedef struct kfi_reduction {
    kfi_walk kept, reduced; /* outer axes */
    int64_t columns, run;   /* the last axis: one of the two is 1 */
    int64_t blocks;         /* of columns */
    int64_t slices, units_per_tile;
} kfi_reduction;

static inline void kfi_walk_add(kfi_walk *walk, int64_t size, int64_t stride) {
    walk->size[walk->rank] = size;
    walk->stride[walk->rank++] = stride;
    walk->count *= size;
}

static inline int64_t kfi_walk_offset(const kfi_walk *walk, int64_t index) {
    if (walk->rank == 1) return index * walk->stride[0];
    int64_t offset = 0;
    for (int i = walk->rank - 1; i >= 0; i--) {
        offset += index % walk->size[i] * walk->stride[i];
        index /= walk->size[i];
    }
    return offset;
}

/* How many slices and tiles, from the counts. */
static inline void kfi_reduction_cut(kfi_reduction *r) {
    r->blocks = kfi_tile_count(r->columns, KFI_REDUCTION_COLUMNS);
    const int64_t units = kfi_larger(r->kept.count * r->blocks, 1);
    const int64_t work =
        kfi_larger(r->reduced.count * r->run * kfi_smaller(r->columns, KFI_REDUCTION_COLUMNS), 1);
    r->slices = 1;
    if (units < KFI_REDUCTION_MAX_TILES && work >= 2 * KFI_TILE_ELEMENTS)
        r->slices = kfi_clamp(work / KFI_TILE_ELEMENTS, 1, KFI_REDUCTION_MAX_TILES / units);
    r->units_per_tile = r->slices > 1 ? 1 : kfi_larger(KFI_TILE_ELEMENTS / work, 1);
}

/* The reduction of an array over the axes whose bit is set. */
static inline kfi_reduction kfi_reduction_of(const kf_shape *x, uint32_t axes) {
    kfi_reduction r = {.kept = {.count = 1}, .reduced = {.count = 1}, .columns = 1, .run = 1};
    int64_t size[KF_MAX_RANK];
    bool reduced[KF_MAX_RANK];
    int groups = 0;
    for (int i = 0; i < x->rank; i++) {
        const bool fate = axes >> i & 1;
        if (x->dims[i] == 1) continue;
        if (groups && reduced[groups - 1] == fate)
            size[groups - 1] *= x->dims[i];
        else
            size[groups] = x->dims[i], reduced[groups++] = fate;
    }
    int64_t stride = 1, strides[KF_MAX_RANK];
    for (int i = groups - 1; i >= 0; i--) strides[i] = stride, stride *= size[i];
    for (int i = 0; i < groups - 1; i++)
        kfi_walk_add(reduced[i] ? &r.reduced : &r.kept, size[i], strides[i]);
    if (groups) *(reduced[groups - 1] ? &r.run : &r.columns) = size[groups - 1];
    kfi_reduction_cut(&r);
    return r;
}

static inline int64_t kfi_reduction_outputs(const kfi_reduction *r) {
    return r->kept.count * r->columns;
}

static inline int64_t kfi_reduction_tiles(const kfi_reduction *r) {
    return kfi_tile_count(r->kept.count * r->blocks, r->units_per_tile) * r->slices;
}

/* Bytes of op->scratch and op->tile_scratch. */
static inline size_t kfi_reduction_scratch(const kfi_reduction *r) {
    return r->slices > 1 ? (size_t)(r->slices * kfi_reduction_outputs(r)) * sizeof(double) : 0;
}
static inline size_t kfi_reduction_tile_scratch(const kfi_reduction *r) {
    return (size_t)kfi_smaller(r->columns, KFI_REDUCTION_COLUMNS) * sizeof(double);
}

/* sums[c] += column c of `rows` rows that stand `row` apart. */
static inline void kfi_add_rows(const float *x, int64_t rows, int64_t columns, int64_t row,
                                double *sums) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const float *x0 = x + i * row, *x1 = x0 + row, *x2 = x1 + row, *x3 = x2 + row;
#pragma omp simd
        for (int64_t c = 0; c < columns; c++)
            sums[c] += ((double)x0[c] + (double)x1[c]) + ((double)x2[c] + (double)x3[c]);
    }
    for (; i < rows; i++) {
#pragma omp simd
        for (int64_t c = 0; c < columns; c++) sums[c] += (double)x[i * row + c];
    }
}

/* The same. Narrow dense rows are read several at a time, as one wide row whose sums are folded. */
static inline void kfi_add_columns(const float *x, int64_t rows, int64_t columns, int64_t row,
                                   double *sums) {
    const int64_t fold = columns == row ? KFI_REDUCTION_FOLD / columns : 1;
    if (fold < 2 || rows < 2 * fold) {
        kfi_add_rows(x, rows, columns, row, sums);
        return;
    }
    double wide[KFI_REDUCTION_FOLD] = {0};
    const int64_t folded = rows / fold;
    kfi_add_rows(x, folded, fold * columns, fold * columns, wide);
    for (int64_t i = 0; i < fold; i++)
        for (int64_t c = 0; c < columns; c++) sums[c] += wide[i * columns + c];
    kfi_add_rows(x + folded * fold * columns, rows - folded * fold, columns, row, sums);
}

static inline double kfi_sum_run(const float *x, int64_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += (double)x[i];
    return sum;
}

/* sums[0 … width) += the columns from x on, over the reduced combinations in `part`. */
static inline void kfi_reduce_columns(const kfi_reduction *r, const float *x, kfi_range part,
                                      int64_t width, double *sums) {
    if (r->reduced.rank == 1) {
        const int64_t row = r->reduced.stride[0];
        kfi_add_columns(x + part.first * row, part.last - part.first, width, row, sums);
        return;
    }
    for (int64_t i = part.first; i < part.last; i++)
        kfi_add_rows(x + kfi_walk_offset(&r->reduced, i), 1, width, 0, sums);
}

/* The sum of the places [part.first, part.last), counted through the runs. */
static inline double kfi_reduce_runs(const kfi_reduction *r, const float *x, kfi_range part) {
    double sum = 0;
    for (int64_t at = part.first; at < part.last;) {
        const int64_t inside = at % r->run;
        const int64_t count = kfi_smaller(r->run - inside, part.last - at);
        sum += kfi_sum_run(x + kfi_walk_offset(&r->reduced, at / r->run) + inside, count);
        at += count;
    }
    return sum;
}

static inline void kfi_reduce_unit(const kfi_reduction *r, const float *x, int64_t unit,
                                   int64_t slice, double scale, float *out, double *partial,
                                   double *sums) {
    const int64_t outer = unit / r->blocks;
    const kfi_range columns = kfi_tile_range(r->columns, KFI_REDUCTION_COLUMNS, unit % r->blocks);
    const int64_t width = columns.last - columns.first;
    const kfi_range part = kfi_slice_range(r->reduced.count * r->run, r->slices, slice);
    x += kfi_walk_offset(&r->kept, outer) + columns.first;
    for (int64_t c = 0; c < width; c++) sums[c] = 0;
    if (r->run > 1)
        sums[0] = kfi_reduce_runs(r, x, part);
    else
        kfi_reduce_columns(r, x, part, width, sums);
    const int64_t at = outer * r->columns + columns.first;
    if (r->slices == 1)
        for (int64_t c = 0; c < width; c++) out[at + c] = (float)(sums[c] * scale);
    else
        for (int64_t c = 0; c < width; c++)
            partial[slice * kfi_reduction_outputs(r) + at + c] = sums[c];
}

/* Stage 1: out = scale * sums, or partial sums of slices. `local` is the tile scratch. */
static inline void kfi_reduce_tile(const kfi_reduction *r, const float *x, int64_t tile,
                                   double scale, float *out, void *scratch, void *local) {
    const kfi_range units =
        kfi_tile_range(r->kept.count * r->blocks, r->units_per_tile, tile / r->slices);
    for (int64_t unit = units.first; unit < units.last; unit++)
        kfi_reduce_unit(r, x, unit, tile % r->slices, scale, out, scratch, local);
}

/* Stage 2, one tile: nothing to do where there are no slices. */
static inline void kfi_reduce_finish(const kfi_reduction *r, double scale, float *out,
                                     const void *scratch) {
    const double *partial = scratch;
    const int64_t count = kfi_reduction_outputs(r);
    if (r->slices == 1) return;
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t slice = 0; slice < r->slices; slice++) sum += partial[slice * count + i];
        out[i] = (float)(sum * scale);
    }
}

#endif
