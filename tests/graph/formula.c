/* Formulas and plans: values, derivatives, memory, order, and the same bits for any workers. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 5, IN = 7, UNITS = 3 };

typedef struct network {
    kf_weight *kernel, *bias;
    kfi_formula *formula;
    kfi_value x, y, loss;
    kfi_value gradients[3]; /* of kernel, bias, x */
} network;

static kf_weight *make_weight(const char *name, kf_shape shape, float first) {
    kf_weight *weight = NULL;
    assert_int_equal(kfi_weight_new(name, &shape, &weight), KF_OK);
    for (int64_t i = 0; i < weight->count; i++) weight->data[i] = first + 0.1f * (float)(i % 7);
    return weight;
}

static void free_weights(network *net) {
    kfi_weight_free(net->kernel);
    kfi_weight_free(net->bias);
}

/* loss = mean((tanh(x kernel + bias))^2), with x used twice to add up two gradients. */
static network make_network(void) {
    network net = {.kernel = make_weight("dense/kernel:0", KFI_SHAPE(IN, UNITS), -0.3f),
                   .bias = make_weight("dense/bias:0", KFI_SHAPE(UNITS), 0.05f)};
    assert_int_equal(kfi_formula_new(false, true, &net.formula), KF_OK);
    kfi_formula *f = net.formula;
    net.x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, IN));
    const kfi_value kernel = kfi_weight_value(f, net.kernel), bias = kfi_weight_value(f, net.bias);
    const kfi_value product = kfi_emit(f, "matmul", &(kfi_matmul){0}, net.x, kernel);
    net.y = kfi_emit(f, "tanh", NULL, kfi_emit(f, "bias_add", NULL, product, bias));
    const kfi_value flat = kfi_reshape(f, net.y, &KFI_SHAPE(KF_ANY));
    const kfi_value squares = kfi_emit(f, "multiply", NULL, flat, flat);
    net.loss = kfi_emit(f, "reduce_mean", &(kfi_reduce){.axes = 1}, squares);
    const kfi_value wrt[] = {kernel, bias, net.x};
    assert_int_equal(kfi_differentiate(f, net.loss, wrt, 3, net.gradients), KF_OK);
    return net;
}

static void fill_x(float *x) {
    for (int i = 0; i < ROWS * IN; i++) x[i] = sinf((float)i);
}

static double loss_by_hand(const network *net, const float *x) {
    double sum = 0;
    for (int r = 0; r < ROWS; r++)
        for (int u = 0; u < UNITS; u++) {
            double z = net->bias->data[u];
            for (int i = 0; i < IN; i++)
                z += (double)x[r * IN + i] * net->kernel->data[i * UNITS + u];
            sum += tanh(z) * tanh(z);
        }
    return sum / (ROWS * UNITS);
}

static void run(kfi_plan *plan, kfi_arena *arena, int workers) {
    const kfi_run_options options = {.workers = workers};
    assert_int_equal(kfi_plan_run(plan, arena, &options), KF_OK);
}

static void a_plan_computes_values_and_derivatives(void **state) {
    (void)state;
    network net = make_network();
    float x[ROWS * IN];
    fill_x(x);
    const kfi_value results[] = {net.loss, net.gradients[0], net.gradients[1], net.gradients[2]};
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(net.formula, results, 4, &plan), KF_OK);
    kfi_arena arena = {0};
    kfi_plan_feed(plan, net.x, x);
    run(plan, &arena, 1);
    const float loss = *(const float *)kfi_plan_result(plan, 0)->data;
    assert_true(fabs(loss - loss_by_hand(&net, x)) < 1e-6);

    float *const moved[] = {net.kernel->data, net.bias->data, x};
    const int counts[] = {IN * UNITS, UNITS, ROWS * IN};
    for (int w = 0; w < 3; w++)
        for (int i = 0; i < counts[w]; i++) {
            const float before = moved[w][i], step = 1e-3f;
            moved[w][i] = before + step;
            const double above = loss_by_hand(&net, x);
            moved[w][i] = before - step;
            const double below = loss_by_hand(&net, x);
            moved[w][i] = before;
            const double expected = (above - below) / (2 * step);
            const float got = ((const float *)kfi_plan_result(plan, w + 1)->data)[i];
            assert_true(fabs(got - expected) < 2e-5);
        }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    free_weights(&net);
}

static void a_weight_is_written_over_after_its_last_reader(void **state) {
    (void)state;
    network net = make_network();
    kfi_formula *f = net.formula;
    const kf_shape four = KFI_SHAPE(4);
    const kfi_value hyper = kfi_source(f, "hyper", KF_FLOAT32, &four);
    const kfi_value updated = kfi_emit(f, "sgd_update", &(kfi_update){0},
                                       kfi_weight_value(f, net.kernel), net.gradients[0], hyper);
    kfi_assign(f, net.kernel, updated);
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, (kfi_value[]){net.loss, net.gradients[2]}, 2, &plan), KF_OK);
    float x[ROWS * IN];
    fill_x(x);
    const float rate[4] = {0.5f};
    kfi_plan_feed(plan, net.x, x);
    kfi_plan_feed(plan, hyper, rate);
    kfi_arena arena = {0};
    double before = loss_by_hand(&net, x);
    for (int step = 0; step < 20; step++) {
        run(plan, &arena, 2);
        const float loss = *(const float *)kfi_plan_result(plan, 0)->data;
        assert_true(fabs(loss - before) < 1e-6); /* computed with the weights before the update */
        const double after = loss_by_hand(&net, x);
        assert_true(after < before);
        before = after;
    }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    free_weights(&net);
}

static void an_assignment_that_cannot_be_written_over_is_copied(void **state) {
    (void)state;
    kf_weight *a = make_weight("a", KFI_SHAPE(4), 1), *b = make_weight("b", KFI_SHAPE(4), 9);
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    const kfi_value sum = kfi_emit(f, "add", NULL, kfi_weight_value(f, a), kfi_weight_value(f, b));
    kfi_assign(f, b, sum);
    const kfi_value twice = kfi_emit(f, "add", NULL, sum, kfi_weight_value(f, b));
    kfi_assign(f, a, twice); /* reads b's new value: a := 2 (a + b), b := a + b */
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, NULL, 0, &plan), KF_OK);
    kfi_arena arena = {0};
    run(plan, &arena, 1);
    assert_true(a->data[0] == 20 && b->data[0] == 10);
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    kfi_weight_free(a);
    kfi_weight_free(b);
}

static void steps_that_nobody_needs_do_not_run(void **state) {
    (void)state;
    network net = make_network();
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(net.formula, &net.y, 1, &plan), KF_OK);
    /* matmul with bias_add and tanh: no loss, no backward */
    assert_int_equal(kfi_plan_steps(plan), 1);
    kfi_plan_free(plan);
    free_weights(&net);
}

/* Every pair of storages that overlaps is ordered by the steps alone. */
static void memory_is_shared_only_between_ordered_steps(void **state) {
    (void)state;
    network net = make_network();
    const kfi_value results[] = {net.loss, net.gradients[0], net.gradients[1]};
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(net.formula, results, 3, &plan), KF_OK);
    bool *before = calloc((size_t)(plan->n_steps * plan->n_steps), 1); /* [a * n + b]: a before b */
    for (int s = 0; s < plan->n_steps; s++)
        for (int i = 0; i < plan->steps[s].n_waits_for; i++) {
            const int p = plan->steps[s].waits_for[i];
            assert_true(p < s);
            before[p * plan->n_steps + s] = true;
            for (int q = 0; q < p; q++)
                if (before[q * plan->n_steps + p]) before[q * plan->n_steps + s] = true;
        }
    int n_shared = 0;
    for (int64_t i = 0; i < plan->n_storages; i++)
        for (int64_t j = 0; j < plan->n_storages; j++) {
            const kfi_storage *a = &plan->storages[i], *b = &plan->storages[j];
            if (i == j || a->writer < 0 || b->writer < 0 || a->outside || b->outside) continue;
            if (a->offset >= b->offset + b->bytes || b->offset >= a->offset + a->bytes) continue;
            const kfi_storage *first = a->writer < b->writer ? a : b;
            const kfi_storage *second = a->writer < b->writer ? b : a;
            assert_false(first->kept);
            for (int64_t u = 0; u < first->n_users; u++)
                assert_true(before[first->users[u] * plan->n_steps + second->writer]);
            n_shared++;
        }
    assert_true(n_shared > 0);
    free(before);
    kfi_plan_free(plan);
    free_weights(&net);
}

static void a_symbolic_formula_keeps_the_batch_axis_free(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(true, false, &f), KF_OK);
    const kfi_value x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(KF_ANY, 4, 4, 2));
    const kfi_value y = kfi_reshape(f, x, &KFI_SHAPE(KF_ANY, 32));
    assert_string_equal(kfi_shape_string(&kfi_type(f, y)->shape), "(None, 32)");
    kfi_formula_free(f);
}

static void the_first_failure_stays_and_spreads(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(2, 3));
    const kfi_value bad = kfi_emit(f, "no such op", NULL, x);
    assert_true(kfi_is_none(bad));
    assert_true(kfi_is_none(kfi_emit(f, "relu", NULL, x)));
    kfi_fail(KF_IO, "something else");
    assert_int_equal(kfi_formula_status(f), KF_INVALID);
    assert_string_equal(kf_last_error(), "there is no op 'no such op'");
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, NULL, 0, &plan), KF_INVALID);
    assert_null(plan);
}

static void a_fed_index_outside_its_range_is_found(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value labels = kfi_source(f, "label", KF_INT32, &KFI_SHAPE(4, 1));
    const kfi_value p = kfi_source(f, "p", KF_FLOAT32, &KFI_SHAPE(4, 10));
    const kfi_value score = kfi_emit(f, "sparse_categorical_crossentropy", NULL, labels, p);
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, &score, 1, &plan), KF_OK);
    int32_t values[] = {0, 9, 12, -1};
    kfi_plan_feed(plan, labels, values);
    kfi_bad_index bad;
    assert_true(kfi_plan_bad_index(plan, &bad));
    assert_string_equal(bad.source, "label");
    assert_true(bad.row == 2 && bad.value == 12 && bad.limit == 10);
    values[2] = 1;
    assert_true(kfi_plan_bad_index(plan, &bad));
    assert_true(bad.row == 3 && bad.value == -1);
    values[3] = 1;
    assert_false(kfi_plan_bad_index(plan, &bad));
    kfi_plan_free(plan);
}

static void a_source_that_was_not_fed_is_an_error(void **state) {
    (void)state;
    network net = make_network();
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(net.formula, &net.loss, 1, &plan), KF_OK);
    kfi_arena arena = {0};
    assert_int_equal(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}), KF_USAGE);
    assert_string_equal(kf_last_error(), "'x' was not fed");
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    free_weights(&net);
}

static void the_dump_has_a_box_for_every_step(void **state) {
    (void)state;
    network net = make_network();
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(net.formula, &net.gradients[0], 1, &plan), KF_OK);
    char *text = NULL;
    assert_int_equal(kfi_plan_dump(plan, &text), KF_OK);
    int boxes = 0;
    for (const char *at = text; (at = strstr(at, "[label=")); at++) boxes++;
    assert_int_equal(boxes, kfi_plan_steps(plan));
    assert_non_null(strstr(text, "matmul"));
    kfi_free(text);
    kfi_plan_free(plan);
    free_weights(&net);
}

/* Builds and runs the network with the nth allocation failing; true if none failed. */
static bool survives(int64_t nth) {
    kf_weight *kernel = NULL;
    kfi_formula *f = NULL;
    kfi_plan *plan = NULL;
    kfi_arena arena = {0};
    static float x[ROWS * IN];
    kfi_fail_allocation(nth);
    kf_status status = kfi_weight_new("k", &KFI_SHAPE(IN, UNITS), &kernel);
    if (status == KF_OK) status = kfi_formula_new(false, true, &f);
    if (status == KF_OK) {
        const kfi_value in = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, IN));
        const kfi_value w = kfi_weight_value(f, kernel);
        const kfi_value y =
            kfi_emit(f, "tanh", NULL, kfi_emit(f, "matmul", &(kfi_matmul){0}, in, w));
        const kfi_value loss = kfi_emit(f, "reduce_mean", &(kfi_reduce){.axes = 3}, y);
        kfi_value gradient = KFI_NONE;
        status = kfi_differentiate(f, loss, &w, 1, &gradient);
        if (status == KF_OK)
            status = kfi_plan_new(f, &gradient, 1, &plan);
        else
            kfi_formula_free(f);
        if (status == KF_OK) {
            kfi_plan_feed(plan, in, x);
            status = kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1});
        }
    }
    kfi_fail_allocation(0);
    if (status != KF_OK) {
        assert_int_equal(status, KF_MEMORY);
        assert_non_null(strstr(kf_last_error(), "out of memory"));
    }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    kfi_weight_free(kernel);
    return status == KF_OK;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    assert_true(survives(0));
    int64_t nth = 1;
    while (!survives(nth)) nth++;
    assert_true(nth > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_computes_values_and_derivatives),
        cmocka_unit_test(a_weight_is_written_over_after_its_last_reader),
        cmocka_unit_test(an_assignment_that_cannot_be_written_over_is_copied),
        cmocka_unit_test(steps_that_nobody_needs_do_not_run),
        cmocka_unit_test(memory_is_shared_only_between_ordered_steps),
        cmocka_unit_test(a_symbolic_formula_keeps_the_batch_axis_free),
        cmocka_unit_test(the_first_failure_stays_and_spreads),
        cmocka_unit_test(a_fed_index_outside_its_range_is_found),
        cmocka_unit_test(a_source_that_was_not_fed_is_an_error),
        cmocka_unit_test(the_dump_has_a_box_for_every_step),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
