/* gathered_product_gradient(dy, w, ids): the derivative of gather(table, ids) w with respect to the
 * table. Row r of the result is
 *
 *     sum of dy[i, :] wT where ids[i] = r   =   (sum of dy[i, :] where ids[i] = r) wT
 *
 * so that rows of dy are added up first, in the order of the ids, and each row of the table that is
 * met is one row of a product; the derivative of what was gathered, (ids, width), is nowhere.
 *
 * The first stage transposes w into panels and puts the ids in the order of the tiles of the
 * second, each of which owns a range of the table's rows. */
#include "ops/attributes.h"
#include "ops/panel_product.h"
#include "ops/table_rows.h"

typedef struct gradient {
    int64_t rows, width, depth, ids; /* of the table, of dy, and how many */
    int64_t tiles, tile_rows;        /* of the table */
} gradient;

static gradient shapes_of(const kfi_call *call) {
    gradient g = {.rows = call->out[0].shape.dims[0],
                  .width = call->out[0].shape.dims[1],
                  .depth = call->in[1].shape.dims[1],
                  .ids = kfi_count(&call->in[2])};
    const int64_t wanted = kfi_larger(g.rows * g.width / KFI_TILE_ELEMENTS, 1);
    g.tile_rows = kfi_larger(kfi_divide_up(g.rows, wanted), 1);
    g.tiles = kfi_tile_count(g.rows, g.tile_rows);
    return g;
}

static kf_status infer_gradient(kfi_shaping *s) {
    const kfi_shaped *table = s->attributes;
    kf_status status = kfi_expect_inputs(s, 3);
    for (int i = 0; i < 2 && !status; i++) status = kfi_expect_dtype(s, i, KF_FLOAT32);
    if (!status) status = kfi_expect_rank(s, 1, 2);
    if (!status) status = kfi_check_ids(s, 2);
    if (status) return status;
    if (kfi_count(&s->in[2]) > INT32_MAX)
        return kfi_fail(KF_INVALID, "more than %d ids", INT32_MAX);
    const int64_t depth = s->in[1].shape.dims[1];
    status = kfi_expect_shape(s, 1, &KFI_SHAPE(table->shape.dims[1], depth));
    s->n_out = 1;
    s->out[0].shape = table->shape;
    return status ? status : kfi_expect_shape(s, 0, &KFI_SHAPE(kfi_count(&s->in[2]), depth));
}

/* --- what the tiles share --------------------------------------------------------------------- */

/* In the scratch of the call. */
typedef struct shared {
    float *panels;  /* of wT: each of all its rows, KFI_SUM_COLUMNS columns wide */
    int32_t *first; /* where the ids of each tile begin in `order`, and the end  */
    int32_t *order; /* numbers of ids, tile by tile, ascending                   */
} shared;

static int64_t panel_floats(const gradient *g) { return g->depth * kfi_whole_vectors(g->width); }

static shared shared_of(const gradient *g, const kfi_call *call) {
    float *panels = call->scratch;
    int32_t *first = (int32_t *)(void *)(panels + panel_floats(g));
    return (shared){panels, first, first + g->tiles + 1};
}

static size_t scratch_gradient(const kfi_call *call) {
    const gradient g = shapes_of(call);
    return sizeof(float) * (size_t)panel_floats(&g) +
           sizeof(int32_t) * (size_t)(g.tiles + 1 + g.ids);
}

static int64_t count_panels(const gradient *g) { return kfi_tile_count(g->width, KFI_SUM_COLUMNS); }

/* One tile puts the ids in order, each other one makes a panel. */
static int64_t tiles_prepare(const kfi_call *call) {
    const gradient g = shapes_of(call);
    return 1 + count_panels(&g);
}

static void order_ids(const gradient *g, const kfi_call *call) {
    const shared s = shared_of(g, call);
    memset(s.first, 0, (size_t)(g->tiles + 1) * sizeof *s.first);
    for (int64_t i = 0; i < g->ids; i++) {
        const int64_t id = kfi_id_at(&call->in[2], i, g->rows);
        if (id >= 0) s.first[id / g->tile_rows + 1]++;
    }
    for (int64_t t = 0; t < g->tiles; t++) s.first[t + 1] += s.first[t];
    /* filling moves each beginning to its end, which is the next one's beginning */
    for (int64_t i = 0; i < g->ids; i++) {
        const int64_t id = kfi_id_at(&call->in[2], i, g->rows);
        if (id >= 0) s.order[s.first[id / g->tile_rows]++] = (int32_t)i;
    }
    memmove(s.first + 1, s.first, (size_t)g->tiles * sizeof *s.first);
    s.first[0] = 0;
}

static void prepare(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const gradient g = shapes_of(call);
    if (tile == 0) {
        order_ids(&g, call);
        return;
    }
    const int64_t j = (tile - 1) * KFI_SUM_COLUMNS;
    const int64_t n = kfi_smaller(g.width - j, KFI_SUM_COLUMNS);
    const kfi_rows_of w = {kfi_in(call, 1) + j * g.depth, g.depth};
    if (n > 0) kfi_pack_panel(w, true, g.depth, n, shared_of(&g, call).panels + j * g.depth);
}

/* --- rows of the table ------------------------------------------------------------------------ */

/* A tile's own: for each row that is met, in the order of the table, its number within the tile and
 * the sum of its dy. */
typedef struct met {
    float *sums;
    int32_t *row, *slot; /* and back: where each row's sum is */
    int64_t n;
} met;

static size_t local_gradient(const kfi_call *call) {
    const gradient g = shapes_of(call);
    return (size_t)g.tile_rows * ((size_t)g.depth * sizeof(float) + 2 * sizeof(int32_t));
}

static met find_met(const gradient *g, const kfi_call *call, int64_t tile, kfi_range own,
                    void *local) {
    const shared s = shared_of(g, call);
    met m = {.sums = local};
    m.row = (int32_t *)(void *)(m.sums + g->tile_rows * g->depth);
    m.slot = m.row + g->tile_rows;
    memset(m.slot, 0, (size_t)g->tile_rows * sizeof *m.slot);
    for (int32_t i = s.first[tile]; i < s.first[tile + 1]; i++)
        m.slot[kfi_id_at(&call->in[2], s.order[i], g->rows) - own.first] = 1;
    for (int64_t r = 0; r < own.last - own.first; r++)
        if (m.slot[r]) {
            m.slot[r] = (int32_t)m.n;
            m.row[m.n++] = (int32_t)r;
        }
    memset(m.sums, 0, (size_t)(m.n * g->depth) * sizeof *m.sums);
    for (int32_t i = s.first[tile]; i < s.first[tile + 1]; i++) {
        const int64_t id = kfi_id_at(&call->in[2], s.order[i], g->rows);
        float *sum = m.sums + m.slot[id - own.first] * g->depth;
        const float *dy = kfi_in(call, 0) + s.order[i] * g->depth;
#pragma omp simd
        for (int64_t k = 0; k < g->depth; k++) sum[k] += dy[k];
    }
    return m;
}

/* (n, width) = sums wT. */
static void multiply(const gradient *g, const float *panels, const met *m, float *to) {
    if (g->depth == 0) memset(to, 0, (size_t)(m->n * g->width) * sizeof *to);
    for (int64_t j = 0; j < g->width; j += KFI_SUM_COLUMNS) {
        const int64_t n = kfi_smaller(g->width - j, KFI_SUM_COLUMNS), row = kfi_whole_vectors(n);
        for (int64_t l = 0; l < g->depth; l += KFI_PANEL_DEPTH) {
            const kfi_panel_product part = {.rows = m->n,
                                            .depth = kfi_smaller(g->depth - l, KFI_PANEL_DEPTH),
                                            .a = {m->sums + l, g->depth, 1},
                                            .panel = {panels + j * g->depth + l * row, row},
                                            .c = to + j,
                                            .c_row = g->width,
                                            .accumulate = l > 0};
            kfi_multiply_columns(n, &part);
        }
    }
}

/* The products stand at the beginning of the tile's rows; from the last one on they go where they
 * belong, which is never before where they are. */
static void spread(const gradient *g, const met *m, int64_t n_rows, float *rows) {
    const int64_t width = g->width;
    int64_t end = n_rows;
    for (int64_t i = m->n - 1; i >= 0; i--) {
        const int64_t r = m->row[i];
        if (r != i) memcpy(rows + r * width, rows + i * width, (size_t)width * sizeof *rows);
        memset(rows + (r + 1) * width, 0, (size_t)((end - r - 1) * width) * sizeof *rows);
        end = r;
    }
    memset(rows, 0, (size_t)(end * width) * sizeof *rows);
}

static int64_t tiles_gradient(const kfi_call *call) { return shapes_of(call).tiles; }

static void gradient_rows(const kfi_call *call, int64_t tile, void *local) {
    const gradient g = shapes_of(call);
    const kfi_range own = kfi_tile_range(g.rows, g.tile_rows, tile);
    float *rows = kfi_out(call, 0) + own.first * g.width;
    const met m = find_met(&g, call, tile, own, local);
    multiply(&g, shared_of(&g, call).panels, &m, rows);
    spread(&g, &m, own.last - own.first, rows);
}

/* So the update of a table takes its rows from the cache, and the gradient of the whole table is
 * nowhere. */
static kfi_region region_gradient(const kfi_call *call, int stage, int64_t tile) {
    if (stage == 0) return (kfi_region){0};
    const gradient g = shapes_of(call);
    const kfi_range own = kfi_tile_range(g.rows, g.tile_rows, tile);
    const int64_t count = (own.last - own.first) * g.width;
    return (kfi_region){own.first * g.width, 1, count, count};
}

static kfi_cost cost_gradient(const kfi_call *call) {
    const gradient g = shapes_of(call);
    const double products = (double)kfi_smaller(g.ids, g.rows);
    return (kfi_cost){2 * products * (double)g.width * (double)g.depth, kfi_call_bytes(call)};
}

#define X(...)                                                                                     \
    {                                                                                              \
        .shape = { 2, {__VA_ARGS__} }                                                              \
    }
#define IDS(limit, ...)                                                                            \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .low = 0, .high = (limit) }
#define TABLE(...)                                                                                 \
    &(const kfi_shaped) {                                                                          \
        .shape = { 2, {__VA_ARGS__} }                                                              \
    }
static const kfi_example gradient_examples[] = {
    {.name = "some rows twice, some never",
     .attributes = TABLE(9, 3),
     .n_in = 3,
     .in = {X(8, 2), X(3, 2), IDS(9, 2, {4, 2})}},
    {.name = "ids as floats",
     .attributes = TABLE(5, 3),
     .n_in = 3,
     .in = {X(6, 4), X(3, 4), {.shape = {1, {6}}, .low = 0, .high = 5, .constant = true}}},
    {.name = "large",
     .attributes = TABLE(3003, 177),
     .n_in = 3,
     .large = true,
     .in = {X(1395, 150), X(177, 150), IDS(3003, 2, {31, 45})}},
    {0},
};

const kfi_op KFI_OP(gathered_product_gradient) = {
    .name = "gathered_product_gradient",
    .attributes_size = sizeof(kfi_shaped),
    .infer = infer_gradient,
    .stages = {{prepare, tiles_prepare}, {gradient_rows, tiles_gradient}},
    .scratch = scratch_gradient,
    .tile_scratch = local_gradient,
    .cost = cost_gradient,
    .examples = KFI_EXAMPLES(gradient_examples),
    .region = region_gradient,
};
