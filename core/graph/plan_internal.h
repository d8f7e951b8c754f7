/* What a plan is made of: for the files that build, place, run and print it. */
#ifndef KFI_GRAPH_PLAN_INTERNAL_H
#define KFI_GRAPH_PLAN_INTERNAL_H

#include "core/graph/formula_internal.h"
#include "core/graph/learning.h"
#include "core/graph/plan.h"

/* The longest chain, and the most inputs of a node in one. */
enum { KFI_CHAIN_PARTS = 8, KFI_CHAIN_INPUTS = 8 };

/* A value that lives inside of the concatenation it is for (pieces.c): its rows of `width` elements
 * stand `stride` apart in the whole, the first one at `first`. */
typedef struct kfi_piece {
    int32_t whole; /* a value; -1: this one lives by itself */
    int64_t first, width, stride;
} kfi_piece;

static inline bool kfi_piece_is_apart(const kfi_piece *piece) {
    return piece->whole >= 0 && piece->width != piece->stride;
}

/* An operand of a part whose rows stand apart: a tile's share of it goes through the worker's
 * scratch, since kernels know plain arrays only. */
typedef struct kfi_ferry {
    int32_t part, input; /* input -1: output 0 of the last part */
    int64_t local_at;    /* in the scratch; of an output: the part's own */
    kfi_piece piece;
} kfi_ferry;

/* A node of the formula that really runs. */
typedef struct kfi_part {
    const kfi_op *op;
    int32_t node;
    kfi_call call;    /* its arrays' data are set when the plan is bound to an arena */
    int64_t local_at; /* where a worker's scratch has output 0, if a tile alone sees it; else -1 */
} kfi_part;

/* A step: a node, or a chain of them (chain.c): what a tile of the first finishes goes through the
 * others before the next tile. */
typedef struct kfi_step {
    kfi_part *parts;
    int32_t n_parts;
    kfi_ferry *ferries;
    int32_t n_ferries;
    int32_t *waits_for; /* steps, ascending, no duplicates */
    int32_t n_waits_for;
    int32_t scratch;                  /* storage of the first part; -1: none */
    size_t scratch_bytes;             /* of a worker; a multiple of 64       */
    int64_t tiles[KFI_OP_MAX_STAGES]; /* of the first part                   */
    int32_t n_stages, rounds;         /* of the last stage                   */
    kfi_cost cost;
    double cost_ns;
} kfi_step;

/* The tiles of a stage, of all its rounds. */
static inline int64_t kfi_step_tiles(const kfi_step *step, int stage) {
    return step->tiles[stage] * (stage == step->n_stages - 1 ? step->rounds : 1);
}

/* A stretch of memory that one or more values live in: fed from outside, a weight's own, or a place
 * in the arena. Its users are the steps that read or write it. */
typedef struct kfi_storage {
    const void *outside; /* the weight's data; for a source what is fed; NULL: in the arena */
    bool is_source;
    bool kept;         /* a result: lives to the end of the run */
    bool local;        /* in a worker's scratch instead */
    bool sent;         /* a result that is written straight to `outside` (kfi_plan_send) */
    bool holds_pieces; /* so nobody writes over it who reads the whole */
    size_t bytes, offset;
    int32_t below;  /* the storage that ends where this one begins, which it had to avoid; -1: the
                     * ground */
    int32_t writer; /* the first step that writes it, by number; -1: from outside */
    int32_t *users;
    int64_t n_users, users_capacity;
} kfi_storage;

/* An array of a step that reads fed data. */
typedef struct kfi_slot {
    kfi_array *array;
    int32_t node, input, storage;
} kfi_slot;

struct kfi_plan {
    kfi_formula *formula;
    kfi_value *results;
    int32_t n_results;
    kfi_array *result_arrays; /* what kfi_plan_result gives */

    kfi_step *steps; /* in an order in which every step comes after those it waits for */
    int32_t n_steps;
    int32_t *step_of_node;              /* -1: dead or a view */
    int32_t *chain_before, *chain_next; /* of each node: its neighbours in its chain, -1: none */
    bool *is_joined;                    /* the first node of a chain that runs there (join.c) */
    int32_t *storage_of_value;          /* -1: dead           */
    kfi_piece *pieces;                  /* of each value      */
    kfi_storage *storages;
    int64_t n_storages, storages_capacity;
    kfi_slot *slots;
    int64_t n_slots;

    size_t peak_bytes;    /* of the arena, without the workers' scratch */
    size_t scratch_bytes; /* of each worker, a multiple of 64 */
    kfi_schedule *schedule;
    kfi_learning learning;
    const void *bound; /* the arena's buffer that the arrays point into */
};

/* Places begin with a line of the cache, and a vector. */
static inline size_t kfi_placed_bytes(size_t bytes) { return (bytes + 63) / 64 * 64; }

static inline bool kfi_storage_in_arena(const kfi_storage *storage) {
    return storage->writer >= 0 && !storage->outside && !storage->local;
}

static inline size_t kfi_array_bytes(const kfi_array *array) {
    return (size_t)kfi_shape_count(&array->shape) * kf_dtype_size(array->dtype);
}

/* The new storage's index; -1 if memory is out. */
int32_t kfi_plan_add_storage(kfi_plan *plan, kfi_storage storage);

/* Makes the steps that the plan's numbers say, then who waits for whom, when storages are known
 * (steps.c). */
kf_status kfi_plan_make_steps(kfi_plan *plan);
kf_status kfi_plan_link_steps(kfi_plan *plan);

/* Products of what is gathered from tables gather it themselves, if nobody else reads it
 * (gathered.c). What they read before is not alive any more. */
kf_status kfi_plan_fuse_gathers(kfi_plan *plan, const bool *alive);

/* Finds the chains among the nodes that are alive; keeps in workers' scratch what only they see
 * (readers: how many each value has). */
kf_status kfi_plan_chain(kfi_plan *plan, const bool *alive);
kf_status kfi_plan_localize(kfi_plan *plan, const int32_t *readers);

/* Makes both gradients of a large weight and its update one step, where few rows pass it (join.c).
 */
kf_status kfi_plan_join(kfi_plan *plan, bool *alive);

/* What one tile of the step may have in a worker's scratch, in floats; -1: it is too much, or tiles
 * do not say what they finish. */
int64_t kfi_step_local_floats(const kfi_step *step);

/* Finds the values that can live inside of the concatenation that reads them (pieces.c); then, when
 * scratch is known, which operands of steps stand apart. */
kf_status kfi_plan_find_pieces(kfi_plan *plan, const bool *alive);
kf_status kfi_plan_ferry(kfi_plan *plan);

/* Copies the elements of `span` between a piece in the whole, `rows` being its first row, and a run
 * of its own that begins with the span. */
void kfi_piece_fetch(const kfi_piece *piece, const float *rows, kfi_span span, float *run);
void kfi_piece_put(const kfi_piece *piece, const float *run, kfi_span span, float *rows);

/* Gives every storage in the arena its offset and sets peak_bytes. Two may share bytes only if all
 * users of one come before the writer of the other in the order that the steps already have. */
kf_status kfi_plan_place(kfi_plan *plan);

/* Places a plan; where that takes much memory, with steps that wait for those far before them, if
 * that saves memory and no time is lost (lookahead.c). */
kf_status kfi_plan_bound(kfi_plan *plan);

/* What the scheduler runs, of the steps as they are. */
kf_status kfi_plan_make_schedule(kfi_plan *plan);

/* KF_DUMP_PLAN=dot: writes kfi_plan_dump's text to a file. */
kf_status kfi_plan_dump_if_asked(const kfi_plan *plan);

#endif
