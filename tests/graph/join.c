/* Joined steps: when both gradients of a large weight and its update are one, and that this gives
 * the numbers of the nodes one by one. */
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IN = 20, UNITS = 1500, MOST_SLOTS = 3, STEPS = 2, MOST_ROWS = 17 };

/* A model of two layers: y = relu(x a) w, with the mean of y * y as its loss. */
typedef struct kind {
    const char *update; /* NULL: rmsprop_update */
    int slots;
    kfi_update by;
    int rows;
    bool clips_values, clips_norm, regularizes, constrains, shares, reads_late;
} kind;

typedef struct model {
    kf_weight *small, *large, *slots[MOST_SLOTS];
    kfi_formula *formula;
    kfi_value x, hyper;
    kfi_plan *plan;
} model;

static kf_weight *make_weight(kf_shape shape, uint64_t number) {
    kf_weight *weight = NULL;
    assert_int_equal(kfi_weight_new("weight", &shape, &weight), KF_OK);
    kfi_random_uniform((kfi_random){7, number}, 0, 0.1f, weight->data, weight->count);
    return weight;
}

/* What is updated with, of what the derivative gives. */
static kfi_value changed(kfi_formula *f, const kind *as, kfi_value w,
                         const kfi_value gradients[2]) {
    kfi_value g = gradients[1];
    if (as->clips_values) g = kfi_emit(f, "clip_gradient", &(kfi_clip){.value = 1e-5f}, g);
    if (as->clips_norm) {
        const kfi_value total = kfi_emit_list(f, "sum_squares", NULL, gradients, 2, NULL);
        g = kfi_emit(f, "clip_gradient", &(kfi_clip){.norm = 1e-3f}, g, total);
    }
    if (as->regularizes)
        g = kfi_emit(f, "add", NULL, g, kfi_emit(f, "affine", &(kfi_affine){.scale = 0.01f}, w));
    return g;
}

static void write_update(model *m, const kind *as, kfi_value w, kfi_value g) {
    kfi_formula *f = m->formula;
    kfi_value in[3 + MOST_SLOTS] = {w, g, m->hyper}, more[MOST_SLOTS];
    const int slots = as->update ? as->slots : 1;
    for (int s = 0; s < slots; s++) in[3 + s] = kfi_weight_value(f, m->slots[s]);
    const char *name = as->update ? as->update : "rmsprop_update";
    kfi_value made = kfi_emit_list(f, name, &as->by, in, 3 + slots, more);
    if (as->constrains) made = kfi_emit(f, "affine", &(kfi_affine){.scale = 0.5f}, made);
    kfi_assign(f, m->large, made);
    for (int s = 0; s < slots; s++) kfi_assign(f, m->slots[s], more[s]);
}

static model make_model(const kind *as, bool unchained) {
    model m = {.small = make_weight(KFI_SHAPE(IN, UNITS), 1),
               .large = make_weight(KFI_SHAPE(UNITS, UNITS), 2)};
    for (int s = 0; s < MOST_SLOTS; s++) m.slots[s] = make_weight(KFI_SHAPE(UNITS, UNITS), 3);
    assert_int_equal(kfi_formula_new(false, true, &m.formula), KF_OK);
    kfi_formula *f = m.formula;
    f->unchained = unchained;
    m.x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(as->rows, IN));
    m.hyper = kfi_source(f, "hyper", KF_FLOAT32, &KFI_SHAPE(4));
    const kfi_value wrt[] = {kfi_weight_value(f, m.small), kfi_weight_value(f, m.large)};
    const kfi_value h =
        kfi_emit(f, "relu", NULL, kfi_emit(f, "matmul", &(kfi_matmul){0}, m.x, wrt[0]));
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, h, wrt[1]);
    if (as->shares)
        y = kfi_emit(f, "matmul", &(kfi_matmul){0}, kfi_emit(f, "relu", NULL, y), wrt[1]);
    const kfi_value squares = kfi_emit(f, "multiply", NULL, y, y);
    kfi_value results[3] = {kfi_emit(f, "reduce_mean", &(kfi_reduce){.axes = 3}, squares)};
    kfi_value gradients[2];
    assert_int_equal(kfi_differentiate(f, results[0], wrt, 2, gradients), KF_OK);
    write_update(&m, as, wrt[1], changed(f, as, wrt[1], gradients));
    results[1] = gradients[0];
    if (as->reads_late) results[2] = kfi_emit(f, "matmul", &(kfi_matmul){0}, h, wrt[1]);
    assert_int_equal(kfi_plan_new(f, results, as->reads_late ? 3 : 2, &m.plan), KF_OK);
    return m;
}

static void free_model(model *m) {
    kfi_plan_free(m->plan);
    kfi_weight_free(m->small);
    kfi_weight_free(m->large);
    for (int s = 0; s < MOST_SLOTS; s++) kfi_weight_free(m->slots[s]);
}

static int joined_steps(const kfi_plan *plan) {
    int n = 0;
    for (int32_t s = 0; s < plan->n_steps; s++)
        n += strcmp(plan->steps[s].parts[0].op->name, "matmul_gradients") == 0;
    return n;
}

static void run(model *m, int workers) {
    static float x[MOST_ROWS * IN];
    static const float hyper[4] = {0.01f, 0.3f, 0.6f, 0.9f};
    kfi_random_uniform((kfi_random){1, 1}, -1, 1, x, MOST_ROWS * IN);
    kfi_arena arena = {0};
    for (int step = 0; step < STEPS; step++) {
        kfi_plan_feed(m->plan, m->x, x);
        kfi_plan_feed(m->plan, m->hyper, hyper);
        const kfi_run_options options = {.workers = workers};
        assert_int_equal(kfi_plan_run(m->plan, &arena, &options), KF_OK);
    }
    /* results live in the arena: kept where the small weight was, which nobody updates */
    memcpy(m->small->data, kfi_plan_result(m->plan, 1)->data, sizeof(float) * IN * UNITS);
    kfi_arena_free(&arena);
}

static void expect_equal_weights(const kf_weight *got, const kf_weight *expected) {
    assert_memory_equal(got->data, expected->data, (size_t)got->count * sizeof(float));
}

static void check(const kind *as, int joined) {
    static const int workers[] = {1, 2, 8};
    model apart = make_model(as, true);
    assert_int_equal(joined_steps(apart.plan), 0);
    run(&apart, 1);
    for (int i = 0; i < 3; i++) {
        model m = make_model(as, false);
        assert_int_equal(joined_steps(m.plan), joined);
        run(&m, workers[i]);
        expect_equal_weights(m.small, apart.small);
        expect_equal_weights(m.large, apart.large);
        for (int s = 0; s < MOST_SLOTS; s++) expect_equal_weights(m.slots[s], apart.slots[s]);
        free_model(&m);
    }
    free_model(&apart);
}

#define BY                                                                                         \
    { .momentum = 0.9f, .beta_2 = 0.99f, .epsilon = 1e-7f }

static void every_optimizer_updates_its_rows_at_once(void **state) {
    (void)state;
    static const kind kinds[] = {
        {.update = "sgd_update", .slots = 0},      {.update = "sgd_update", .slots = 1},
        {.update = "rmsprop_update", .slots = 1},  {.update = "adagrad_update", .slots = 1},
        {.update = "adadelta_update", .slots = 2}, {.update = "adam_update", .slots = 2},
        {.update = "adamax_update", .slots = 2},   {.update = "nadam_update", .slots = 2},
        {.update = "amsgrad_update", .slots = 3}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        kind as = kinds[i];
        as.by = (kfi_update)BY;
        as.rows = 4;
        check(&as, 1);
    }
}

static void any_few_rows_are_joined(void **state) {
    (void)state;
    check(&(kind){.by = BY, .rows = 1}, 1);
    check(&(kind){.by = BY, .rows = 7}, 1);
    check(&(kind){.by = BY, .rows = 16}, 1);
}

static void many_rows_are_not(void **state) {
    (void)state;
    check(&(kind){.by = BY, .rows = MOST_ROWS}, 0);
}

static void what_is_done_to_a_gradient_before_keeps_them_apart(void **state) {
    (void)state;
    check(&(kind){.by = BY, .rows = 4, .clips_values = true}, 0);
    check(&(kind){.by = BY, .rows = 4, .clips_norm = true}, 0);
}

static void what_reads_the_weight_besides_keeps_them_apart(void **state) {
    (void)state;
    check(&(kind){.by = BY, .rows = 4, .regularizes = true}, 0);
    check(&(kind){.by = BY, .rows = 4, .reads_late = true}, 0);
}

static void a_constraint_follows_the_update(void **state) {
    (void)state;
    check(&(kind){.by = BY, .rows = 4, .constrains = true}, 1);
}

static void a_weight_with_two_gradients_is_not_joined(void **state) {
    (void)state;
    check(&(kind){.by = BY, .rows = 4, .shares = true}, 0);
}

#define SAYS(sentence) cmocka_unit_test(sentence)

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SAYS(every_optimizer_updates_its_rows_at_once),
        SAYS(any_few_rows_are_joined),
        SAYS(many_rows_are_not),
        SAYS(what_is_done_to_a_gradient_before_keeps_them_apart),
        SAYS(what_reads_the_weight_besides_keeps_them_apart),
        SAYS(a_constraint_follows_the_update),
        SAYS(a_weight_with_two_gradients_is_not_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
