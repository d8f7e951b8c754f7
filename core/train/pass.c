/* Making, keeping and running passes. */
#include "core/train/budget.h"
#include "core/train/sample_weights.h"
#include "core/train/writing.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

/* Batches of more different shapes than this make plans again and again. */
enum { KEPT_PASSES = 8 };

static void free_pass(kfi_pass *pass) {
    kfi_plan_free(pass->plan);
    kfi_free(pass->results);
    kfi_free(pass);
}

void kfi_passes_free(kfi_training *training) {
    while (training->passes) {
        kfi_pass *pass = training->passes;
        training->passes = pass->next;
        free_pass(pass);
    }
}

/* --- making ----------------------------------------------------------------------------------- */

/* Gives what was written to a plan; the formula is taken over. */
static kf_status plan_pass(kfi_pass *pass, kfi_writing *writing) {
    memcpy(pass->sources, writing->sources, sizeof pass->sources);
    pass->hyper = writing->hyper;
    const bool random = pass->mode->training || kfi_formula_is_random(writing->formula);
    pass->random = random ? kfi_random_state(writing->formula) : KFI_NONE;
    pass->results = writing->places;
    pass->n_results = writing->n_results;
    writing->places = NULL;
    const kf_status status = kfi_formula_status(writing->formula);
    if (status == KF_OK)
        return kfi_plan_new(writing->formula, writing->results, writing->n_results, &pass->plan);
    kfi_formula_free(writing->formula);
    return status;
}

/* Economical: for when memory is short (formula.h). */
static kf_status write_pass(const kfi_training *training, kfi_pass *pass, bool economical) {
    kfi_writing writing = {
        .training = training, .mode = pass->mode, .ports = &pass->ports, .rows = pass->rows};
    kf_status status = kfi_formula_new(false, pass->mode->training, &writing.formula);
    if (status != KF_OK) return status;
    if (economical) kfi_formula_economize(writing.formula);
    if (training->exact_convolution) kfi_formula_be_exact(writing.formula);
    status = kfi_writing_run(&writing);
    pass->has_segments = kfi_formula_has_segments(writing.formula);
    if (status == KF_OK)
        status = plan_pass(pass, &writing);
    else
        kfi_formula_free(writing.formula);
    kfi_writing_free(&writing);
    return status;
}

/* Where the plan needs more than there is, another one that computes some values twice. */
static kf_status save_memory(const kfi_training *training, kfi_pass *pass) {
    kfi_budget budget;
    kf_status status = kfi_budget_of(training, &budget);
    if (status != KF_OK || kfi_budget_need(pass->plan) <= budget.pass) return status;
    if (pass->has_segments) {
        kfi_plan_free(pass->plan);
        kfi_free(pass->results);
        pass->plan = NULL;
        pass->results = NULL;
        status = write_pass(training, pass, true);
    }
    if (status != KF_OK) return status;
    return kfi_budget_check(&budget, pass->mode->name, pass->rows, kfi_budget_need(pass->plan));
}

static kf_status make_pass(kfi_training *training, const kfi_mode *mode, const kfi_ports *ports,
                           int64_t rows, kfi_pass **made) {
    kfi_pass *pass = kfi_alloc(1, sizeof *pass);
    if (!pass) return KF_MEMORY;
    pass->mode = mode;
    pass->rows = rows;
    pass->ports = *ports;
    kf_status status = write_pass(training, pass, false);
    if (status == KF_OK) status = save_memory(training, pass);
    if (status == KF_OK)
        *made = pass;
    else
        free_pass(pass);
    return status;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static bool is_for(const kfi_pass *pass, const kfi_mode *mode, const kfi_ports *ports,
                   int64_t rows) {
    if (pass->mode != mode || pass->rows != rows || pass->ports.n != ports->n) return false;
    for (int32_t i = 0; i < ports->n; i++) {
        const kfi_port *own = &pass->ports.items[i], *port = &ports->items[i];
        if (own->is_weight != port->is_weight || own->index != port->index ||
            !kfi_shape_equal(&own->shape, &port->shape))
            return false;
    }
    return true;
}

/* Takes the pass out of the list, so that it can be put at the front; NULL if there is none. */
static kfi_pass *take_kept(kfi_training *training, const kfi_mode *mode, const kfi_ports *ports,
                           int64_t rows) {
    for (kfi_pass **at = &training->passes; *at; at = &(*at)->next) {
        if (!is_for(*at, mode, ports, rows)) continue;
        kfi_pass *pass = *at;
        *at = pass->next;
        return pass;
    }
    return NULL;
}

static void drop_oldest(kfi_training *training) {
    kfi_pass **at = &training->passes;
    for (int i = 0; i < KEPT_PASSES && *at; i++) at = &(*at)->next;
    if (!*at) return;
    free_pass(*at); /* one more than are kept, at most */
    *at = NULL;
}

kf_status kfi_pass_for(kfi_training *training, const kfi_mode *mode, const kfi_ports *ports,
                       int64_t rows, kfi_pass **pass) {
    *pass = take_kept(training, mode, ports, rows);
    const kf_status status = *pass ? KF_OK : make_pass(training, mode, ports, rows, pass);
    if (status != KF_OK) return status;
    (*pass)->next = training->passes;
    training->passes = *pass;
    drop_oldest(training);
    return KF_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static kf_status check_indices(const kfi_pass *pass, const kfi_rows *rows) {
    kfi_bad_index bad;
    if (!kfi_plan_bad_index(pass->plan, &bad)) return KF_OK;
    bool is_input = false;
    for (int32_t i = 0; i < pass->ports.n_inputs; i++)
        is_input = is_input || strcmp(pass->ports.items[i].name, bad.source) == 0;
    const int64_t row = rows->order ? rows->order[bad.row] : rows->first + bad.row;
    return kfi_fail(KF_INVALID, "%s: %s %lld in row %lld is outside [0, %lld)", bad.source,
                    is_input ? "index" : "label", (long long)bad.value, (long long)row,
                    (long long)bad.limit);
}

kf_status kfi_pass_run(kfi_training *training, kfi_pass *pass, void *const *data,
                       const kfi_rows *rows, const kfi_run_options *options) {
    const int64_t random[2] = {(int64_t)kfi_training_random(training).key, training->runs};
    float hyper[KFI_HYPER_COUNT];
    for (int32_t i = 0; i < pass->ports.n; i++)
        kfi_plan_feed(pass->plan, pass->sources[i], data[i]);
    if (!kfi_is_none(pass->random)) kfi_plan_feed(pass->plan, pass->random, random);
    if (!kfi_is_none(pass->hyper)) {
        kfi_optimizer_hyper(training->compiled->optimizer, hyper);
        kfi_plan_feed(pass->plan, pass->hyper, hyper);
    }
    kf_status status = check_indices(pass, rows);
    if (status == KF_OK) status = kfi_sample_weights_check(&pass->ports, rows, pass->rows, data);
    if (status == KF_OK) status = kfi_plan_run(pass->plan, &training->arena, options);
    if (status != KF_OK) return status;
    if (!kfi_is_none(pass->random)) training->runs++;
    if (pass->mode->updates) kfi_optimizer_advance(training->compiled->optimizer);
    return KF_OK;
}

double kfi_pass_value(const kfi_pass *pass, int32_t index) {
    return *(const float *)kfi_plan_result(pass->plan, index)->data;
}

/* --- checking --------------------------------------------------------------------------------- */

kf_status kfi_pass_check(kfi_training *training) {
    kfi_ports ports;
    kf_status status = kfi_ports_of(training, true, &ports);
    if (status != KF_OK) return status;
    kfi_writing writing = {
        .training = training, .mode = &kfi_mode_test, .ports = &ports, .rows = KF_ANY};
    status = kfi_formula_new(true, true, &writing.formula);
    if (status != KF_OK) return status;
    status = kfi_writing_run(&writing);
    kfi_writing_free(&writing);
    kfi_formula_free(writing.formula);
    return status;
}
