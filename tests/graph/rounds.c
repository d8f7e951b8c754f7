/* A step of rounds, which workers share tile by tile and meet after each: wide recurrences and
 * their gradients have the same bits for any number of workers, before and after their costs are
 * known. */
#include "core/base/memory.h"
#include "core/graph/plan.h"
#include "ops/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SENTENCE(text, function)                                                                   \
    { text, function, NULL, NULL, NULL }

enum { BATCH = 3, TIME = 12, UNITS = 304, MOST_INPUTS = 4, MOST_GATES = 4, RUNS = 8 };

typedef struct recurrence {
    const char *op;
    kfi_recurrence how;
    int64_t gates, units;
} recurrence;

typedef struct net {
    kfi_plan *plan;
    kfi_arena arena;
    float *data[MOST_INPUTS];
    int32_t n_data;
} net;

static float *numbers(int64_t count, float bound, uint64_t stream) {
    float *data = malloc((size_t)count * sizeof *data);
    assert_non_null(data);
    kfi_random_uniform((kfi_random){17, stream}, -bound, bound, data, count);
    return data;
}

static kfi_value add_source(net *n, kfi_formula *f, const kf_shape *shape, float bound,
                            kfi_value *sources) {
    n->data[n->n_data] = numbers(kfi_shape_count(shape), bound, (uint64_t)n->n_data);
    return sources[n->n_data++] = kfi_source(f, "x", KF_FLOAT32, shape);
}

/* The last state of a recurrence and the gradient of its inputs, as results. */
static void make_net(net *n, const recurrence *r) {
    kfi_formula *f = NULL;
    kfi_value sources[MOST_INPUTS], more[KFI_OP_MAX_OUTPUTS];
    *n = (net){0};
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    const int64_t u = r->units, width = r->gates * u;
    const kfi_value z = add_source(n, f, &KFI_SHAPE(BATCH, TIME, width), 1, sources);
    const kfi_value kernel = add_source(n, f, &KFI_SHAPE(u, width), 0.1f, sources);
    const kfi_value dy = add_source(n, f, &KFI_SHAPE(BATCH, TIME, u), 1, sources);
    const kfi_value in[] = {z, kernel};
    const kfi_value y = kfi_emit_list(f, r->op, &r->how, in, 2, more);
    kfi_value back = KFI_NONE;
    if (r->gates == 4)
        back = kfi_emit(f, "lstm_gradient", &r->how, dy, more[1], more[0], kernel);
    else if (r->gates == 3)
        back = kfi_emit(f, "gru_gradient", &r->how, dy, more[0], more[1], y, kernel);
    else
        back = kfi_emit(f, "simple_rnn_gradient", &r->how, dy, y, kernel);
    assert_int_equal(kfi_plan_new(f, (const kfi_value[]){y, back}, 2, &n->plan), KF_OK);
    for (int32_t i = 0; i < n->n_data; i++) kfi_plan_feed(n->plan, sources[i], n->data[i]);
}

static void free_net(net *n) {
    kfi_plan_free(n->plan);
    kfi_arena_free(&n->arena);
    for (int32_t i = 0; i < n->n_data; i++) free(n->data[i]);
}

static size_t result_bytes(const net *n, int32_t i) {
    return (size_t)kfi_shape_count(&kfi_plan_result(n->plan, i)->shape) * sizeof(float);
}

/* Runs it until its costs are known, and once more. */
static void run(net *n, int32_t workers) {
    for (int i = 0; i < RUNS; i++)
        assert_int_equal(kfi_plan_run(n->plan, &n->arena, &(kfi_run_options){.workers = workers}),
                         KF_OK);
}

static void same_bits(const recurrence *r) {
    net one;
    make_net(&one, r);
    int64_t tiles = 0;
    for (int32_t s = 0; s < kfi_plan_steps(one.plan); s++)
        tiles += kfi_plan_step(one.plan, s).tiles;
    assert_true(tiles > 2 * TIME); /* these are cut by units */
    run(&one, 1);
    for (int32_t workers = 2; workers <= 8; workers *= 4) {
        net other;
        make_net(&other, r);
        run(&other, workers);
        for (int32_t i = 0; i < 2; i++)
            if (memcmp(kfi_plan_result(one.plan, i)->data, kfi_plan_result(other.plan, i)->data,
                       result_bytes(&one, i)) != 0)
                fail_msg("%s: result %d has other bits with %d workers", r->op, i, workers);
        free_net(&other);
    }
    free_net(&one);
}

#define KERAS .activation = KFI_TANH, .gate_activation = KFI_HARD_SIGMOID
static void recurrences(void **state) {
    (void)state;
    same_bits(&(recurrence){"lstm", {KERAS}, 4, UNITS});
    same_bits(&(recurrence){"gru", {KERAS}, 3, UNITS});
    same_bits(&(recurrence){"gru", {KERAS, .reset_after = true}, 3, UNITS});
    same_bits(&(recurrence){"simple_rnn", {KERAS}, 1, 2 * UNITS});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("wide recurrences have the same bits for any workers", recurrences),
    };
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
