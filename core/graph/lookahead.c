/* Bounded look-ahead. Nothing but the data orders a plan, so much that could
 * run early might: all weight gradients at once, the way back of all frames of
 * a video. Each wants its place in the arena, and few have use for so many
 * workers as it would take.
 *
 * So a large plan is bounded: a step waits for all that stand so many tiles
 * before it in the order of the formula. Within the window everything is as
 * free as before. Of a few windows the smallest is taken that costs hardly any
 * time in a replay of the estimated costs on the workers there are; if none
 * saves memory worth it, the plan stays free. Results do not depend on it. */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <string.h>

enum { LEAST_BYTES = 32 << 20 };          /* arenas below are left alone */
static const double worth = 0.92;         /* of the arena must be enough */
static const double most_slowdown = 1.02; /* of a replay                 */
static const int64_t windows[] = {32, 64, 128, 256, 512, 1024, 2048}; /* in tiles */
enum { N_WINDOWS = sizeof windows / sizeof windows[0] };

/* Whom each step waits for. */
typedef struct waits {
    int32_t **of_step, *counts;
} waits;

typedef struct bounding {
    kfi_plan *plan;
    waits free;   /* as the data wants it */
    int64_t *end; /* of each step: tiles up to its last one, in plan order */
    double (*stage_ns)[KFI_MAX_STAGES];
    double free_ns;
    size_t free_bytes;
} bounding;

/* --- waits ------------------------------------------------------------------------------------ */

static void free_waits(waits *of, int32_t n_steps) {
    for (int32_t s = 0; of->of_step && s < n_steps; s++) kfi_free(of->of_step[s]);
    kfi_free(of->of_step);
    kfi_free(of->counts);
}

static kf_status copy_waits(const kfi_plan *plan, waits *copy) {
    copy->of_step = kfi_alloc((size_t)plan->n_steps, sizeof *copy->of_step);
    copy->counts = kfi_alloc((size_t)plan->n_steps, sizeof *copy->counts);
    if (!copy->of_step || !copy->counts) return KF_MEMORY;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const kfi_step *step = &plan->steps[s];
        copy->counts[s] = step->n_waits_for;
        copy->of_step[s] = kfi_alloc((size_t)step->n_waits_for, sizeof(int32_t));
        if (!copy->of_step[s]) return KF_MEMORY;
        if (step->n_waits_for > 0)
            memcpy(copy->of_step[s], step->waits_for, (size_t)step->n_waits_for * sizeof(int32_t));
    }
    return KF_OK;
}

/* The number of steps that end a window or more before step `s` starts. */
static int32_t count_passed(const bounding *bound, int32_t s, int64_t window) {
    const int64_t start = s > 0 ? bound->end[s - 1] : 0;
    int32_t passed = 0;
    while (passed < s && bound->end[passed] + window <= start) passed++;
    return passed;
}

/* Step `s` waits for what the data wants, and for the steps [first, last); in
 * ascending order. */
static kf_status set_waits(const bounding *bound, int32_t s, int32_t first, int32_t last) {
    kfi_step *step = &bound->plan->steps[s];
    const int32_t n = bound->free.counts[s];
    int32_t *merged = kfi_realloc(step->waits_for, (size_t)(n + last - first) + 1, sizeof *merged);
    if (!merged) return KF_MEMORY;
    step->waits_for = merged;
    step->n_waits_for = 0;
    int32_t next = first;
    for (int32_t i = 0; i < n; i++) {
        const int32_t own = bound->free.of_step[s][i];
        while (next < last && next < own) merged[step->n_waits_for++] = next++;
        if (next == own) next++;
        merged[step->n_waits_for++] = own;
    }
    while (next < last) merged[step->n_waits_for++] = next++;
    return KF_OK;
}

/* Waiting for the last steps that have passed is enough, as far back as those
 * wait themselves. */
static kf_status bound_by(const bounding *bound, int64_t window) {
    kf_status status = KF_OK;
    for (int32_t s = 0; s < bound->plan->n_steps && status == KF_OK; s++) {
        const int32_t passed = count_passed(bound, s, window);
        const int32_t before = passed > 0 ? count_passed(bound, passed - 1, window) : 0;
        status = set_waits(bound, s, before, passed);
    }
    return status;
}

static kf_status unbound(const bounding *bound) {
    kf_status status = KF_OK;
    for (int32_t s = 0; s < bound->plan->n_steps && status == KF_OK; s++)
        status = set_waits(bound, s, 0, 0);
    return status;
}

/* --- what it costs ---------------------------------------------------------------------------- */

/* A step's cost, by the tiles of its stages. */
static void share_out(const kfi_step *step, double stage_ns[KFI_MAX_STAGES]) {
    int64_t tiles = 0;
    for (int i = 0; i < step->n_stages; i++) tiles += kfi_step_tiles(step, i);
    for (int i = 0; i < step->n_stages; i++)
        stage_ns[i] = step->cost_ns * (double)kfi_step_tiles(step, i) / (double)tiles;
}

static kf_status replay(const bounding *bound, double *ns) {
    kfi_simulated result = {0};
    kf_status status = kfi_plan_make_schedule(bound->plan);
    if (status == KF_OK)
        status =
            kfi_simulate(bound->plan->schedule, (const double(*)[KFI_MAX_STAGES])bound->stage_ns,
                         kfi_plan_workers(0), &result, NULL);
    *ns = result.makespan_ns;
    return status;
}

/* --- the choice ------------------------------------------------------------------------------- */

static kf_status prepare(bounding *bound) {
    kfi_plan *plan = bound->plan;
    bound->free_bytes = plan->peak_bytes;
    bound->end = kfi_alloc((size_t)plan->n_steps, sizeof *bound->end);
    bound->stage_ns = kfi_alloc((size_t)plan->n_steps, sizeof *bound->stage_ns);
    if (!bound->end || !bound->stage_ns) return KF_MEMORY;
    int64_t end = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        for (int i = 0; i < plan->steps[s].n_stages; i++) end += kfi_step_tiles(&plan->steps[s], i);
        bound->end[s] = end;
        share_out(&plan->steps[s], bound->stage_ns[s]);
    }
    const kf_status status = copy_waits(plan, &bound->free);
    return status == KF_OK ? replay(bound, &bound->free_ns) : status;
}

/* Whether the plan is better off with the window; it is bounded by it then. */
static kf_status try_window(const bounding *bound, int64_t window, bool *taken) {
    double ns = 0;
    kf_status status = bound_by(bound, window);
    if (status == KF_OK) status = kfi_plan_place(bound->plan);
    const double enough = worth * (double)bound->free_bytes;
    if (status != KF_OK || (double)bound->plan->peak_bytes > enough) return status;
    status = replay(bound, &ns);
    *taken = status == KF_OK && ns <= most_slowdown * bound->free_ns;
    return status;
}

static kf_status choose(bounding *bound) {
    kf_status status = prepare(bound);
    bool taken = false;
    for (int i = 0; i < N_WINDOWS && !taken && status == KF_OK; i++)
        status = try_window(bound, windows[i], &taken);
    if (status == KF_OK && !taken) status = unbound(bound);
    if (status == KF_OK && !taken) status = kfi_plan_place(bound->plan);
    return status;
}

kf_status kfi_plan_bound(kfi_plan *plan) {
    kf_status status = kfi_plan_place(plan);
    if (status != KF_OK || plan->peak_bytes < LEAST_BYTES || plan->formula->economical)
        return status;
    bounding bound = {.plan = plan};
    status = choose(&bound);
    free_waits(&bound.free, plan->n_steps);
    kfi_free(bound.end);
    kfi_free(bound.stage_ns);
    return status;
}
