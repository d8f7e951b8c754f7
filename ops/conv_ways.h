/* The ways to compute a gathering, and the choice among them: by shape alone, the one that takes
 * the fewest cycles by a model fitted to measurements. */
#ifndef KFI_OPS_CONV_WAYS_H
#define KFI_OPS_CONV_WAYS_H

#include "ops/conv_direct.h"
#include "ops/conv_few.h"
#include "ops/conv_patches.h"
#include "ops/conv_winograd.h"
#include "ops/kernels/forced_way.h"

typedef struct kfi_conv_way {
    const char *name;
    bool blocked; /* wants weights in blocks of KFI_SUM_COLUMNS, of whole vectors */
    bool (*fits)(const kfi_gathering *g);
    double (*cycles)(const kfi_gathering *g); /* of one core */
    double (*flops)(const kfi_gathering *g);
    int64_t (*tiles)(const kfi_gathering *g);
    size_t (*local_bytes)(const kfi_gathering *g); /* of a tile's own memory */
    void (*run)(const kfi_gathering *g, int64_t tile, void *local);
    kfi_region (*region)(const kfi_gathering *g, int64_t tile); /* what a tile finishes */
    /* Before all tiles, what is made of the weights once; NULL: nothing. */
    int64_t (*prepared_floats)(const kfi_gathering *g);
    int64_t (*prepare_tiles)(const kfi_gathering *g);
    void (*prepare)(const kfi_gathering *g, int64_t tile, float *prepared);
} kfi_conv_way;

static inline bool kfi_any_fits(const kfi_gathering *g) {
    (void)g;
    return true;
}

/* Two multiply-adds of vectors a cycle, and of those the part that a kernel reaches. */
static inline double kfi_product_cycles(const kfi_gathering *g, int64_t columns, double part) {
    return (double)kfi_gathered_rows(g) * (double)kfi_patch_values(&g->patches) * (double)columns /
           (2.0 * KFI_LANES * part);
}

/* A product goes at full speed with KFI_SUM_COLUMNS columns at a time; fewer leave too few sums. */
static inline double kfi_direct_cycles(const kfi_gathering *g) {
    const int64_t columns = kfi_whole_vectors(g->out);
    const double part = columns <= KFI_LANES ? 0.6 : 0.85;
    const double pointers = 3.0 * (double)kfi_line_count(&g->patches);
    return kfi_product_cycles(g, columns, part) +
           (double)kfi_gathered_rows(g) * (pointers + 10 + (double)columns / KFI_LANES);
}

static inline double kfi_few_cycles(const kfi_gathering *g) {
    const kfi_patches *p = &g->patches;
    const double spread = 2.0 * (double)(p->axis[0].taps * p->axis[1].stride * p->channels);
    return kfi_product_cycles(g, g->out, 0.5) +
           (double)kfi_gathered_rows(g) * (spread + 2.0 * (double)g->out);
}

/* The BLAS needs long rows; patches are written once and read once. */
static inline double kfi_patches_cycles(const kfi_gathering *g) {
    const double values = (double)kfi_patch_values(&g->patches);
    const double part = 0.85 * values / (values + 16) * (double)g->out / ((double)g->out + 8);
    const double copied = kfi_patches_are_source(&g->patches)
                              ? 0
                              : 20 + values / 4 + 5 * (double)kfi_line_count(&g->patches);
    return kfi_product_cycles(g, g->out, part) + (double)kfi_gathered_rows(g) * copied;
}

static inline double kfi_winograd_cycles(const kfi_gathering *g) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&g->patches, g->batch);
    const double ins = (double)g->patches.channels / KFI_LANES, outs = (double)g->out / KFI_LANES;
    return kfi_winograd_cost(&grid, g->patches.channels, g->out, ins, outs,
                             kfi_winograd_passes(g, &grid));
}

static inline double kfi_winograd_way_flops(const kfi_gathering *g) {
    const kfi_winograd_grid grid = kfi_winograd_grid_of(&g->patches, g->batch);
    return kfi_winograd_flops(&grid, g->patches.channels, g->out);
}

static const kfi_conv_way kfi_conv_ways[] = {
    {.name = "direct",
     .blocked = true,
     .fits = kfi_any_fits,
     .cycles = kfi_direct_cycles,
     .flops = kfi_gathered_flops,
     .tiles = kfi_direct_tiles,
     .local_bytes = kfi_direct_local_bytes,
     .run = kfi_direct_run,
     .region = kfi_direct_region},
    {.name = "winograd",
     .fits = kfi_winograd_fits,
     .cycles = kfi_winograd_cycles,
     .flops = kfi_winograd_way_flops,
     .tiles = kfi_winograd_tiles,
     .local_bytes = kfi_winograd_local_bytes,
     .run = kfi_winograd_run,
     .region = kfi_winograd_region,
     .prepared_floats = kfi_winograd_weights,
     .prepare_tiles = kfi_winograd_weight_tiles,
     .prepare = kfi_winograd_prepare},
    {.name = "few",
     .fits = kfi_few_fits,
     .cycles = kfi_few_cycles,
     .flops = kfi_gathered_flops,
     .tiles = kfi_few_tiles,
     .local_bytes = kfi_few_local_bytes,
     .run = kfi_few_run,
     .region = kfi_few_region},
    {.name = "patches",
     .fits = kfi_any_fits,
     .cycles = kfi_patches_cycles,
     .flops = kfi_gathered_flops,
     .tiles = kfi_patches_tiles,
     .local_bytes = kfi_patches_local_bytes,
     .run = kfi_patches_run,
     .region = kfi_patches_region},
};
enum { KFI_CONV_WAYS = sizeof kfi_conv_ways / sizeof kfi_conv_ways[0] };

static inline const kfi_conv_way *kfi_choose_way(const kfi_gathering *g) {
    const char *forced = kfi_forced_way();
    const kfi_conv_way *best = NULL;
    double fewest = 0;
    for (int i = 0; i < KFI_CONV_WAYS; i++) {
        const kfi_conv_way *way = &kfi_conv_ways[i];
        if (!way->fits(g)) continue;
        if (forced && strcmp(forced, way->name) == 0) return way;
        const double cycles = way->cycles(g);
        if (best && cycles >= fewest) continue;
        best = way;
        fewest = cycles;
    }
    return best;
}

/* How the weights must lie for a way. */
static inline void kfi_set_blocks(kfi_gathering *g, const kfi_conv_way *way) {
    g->w_columns = way->blocked ? kfi_whole_vectors(g->out) : g->out;
    g->w_block = way->blocked ? KFI_SUM_COLUMNS : g->out;
}

#endif
