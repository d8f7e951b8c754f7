/* Bounded look-ahead: large plans of many parts that could all run at once need not keep them all,
 * and say the same. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"
#include "tests/base/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 256, WIDE = 256, MOST_PARTS = 64 };

typedef struct network {
    kfi_formula *formula;
    kfi_value x, sums[MOST_PARTS];
    kfi_plan *plan;
    kfi_arena arena;
} network;

/* Sums of tanh(x w), scaled differently in each part. */
static network make_network(int parts) {
    network net = {.plan = NULL};
    assert_int_equal(kfi_formula_new(false, true, &net.formula), KF_OK);
    kfi_formula *f = net.formula;
    net.x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, WIDE));
    for (int i = 0; i < parts; i++) {
        const kfi_value w = kfi_fill(f, &KFI_SHAPE(WIDE, WIDE), 0.01f * (float)(i + 1));
        const kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, net.x, w);
        net.sums[i] =
            kfi_emit(f, "reduce_sum", &(kfi_reduce){.axes = 3}, kfi_emit(f, "tanh", NULL, y));
    }
    return net;
}

static void plan(network *net, int parts) {
    assert_int_equal(kfi_plan_new(net->formula, net->sums, parts, &net->plan), KF_OK);
}

static void run(network *net, int32_t workers) {
    static float x[ROWS * WIDE];
    for (int i = 0; i < ROWS * WIDE; i++) x[i] = sinf((float)i);
    kfi_plan_feed(net->plan, net->x, x);
    const kfi_run_options options = {.workers = workers};
    assert_int_equal(kfi_plan_run(net->plan, &net->arena, &options), KF_OK);
}

static void close(network *net) {
    kfi_plan_free(net->plan);
    kfi_arena_free(&net->arena);
}

static int32_t step_of(const kfi_plan *plan, const char *op, int nth) {
    for (int32_t s = 0; s < plan->n_steps; s++)
        if (strcmp(plan->steps[s].parts[0].op->name, op) == 0 && nth-- == 0) return s;
    fail_msg("no such step: %s", op);
    return -1;
}

static bool comes_after(const kfi_plan *plan, int32_t step, int32_t other) {
    const int32_t *waits;
    const int32_t n = kfi_plan_waits_for(plan, step, &waits);
    for (int32_t i = n - 1; i >= 0; i--)
        if (waits[i] == other || (waits[i] > other && comes_after(plan, waits[i], other)))
            return true;
    return false;
}

static void large_plans(void **state) {
    (void)state;
    network net = make_network(MOST_PARTS);
    plan(&net, MOST_PARTS);
    const size_t all = MOST_PARTS * sizeof(float) * ROWS * WIDE;
    assert_true(kfi_plan_peak_bytes(net.plan) < all / 2);
    const int32_t last = step_of(net.plan, "matmul", MOST_PARTS - 1);
    assert_true(comes_after(net.plan, last, step_of(net.plan, "matmul", 0)));
    assert_false(comes_after(net.plan, last, step_of(net.plan, "matmul", MOST_PARTS - 2)));
    close(&net);
}

static void small_plans(void **state) {
    (void)state;
    network net = make_network(8);
    plan(&net, 8);
    assert_false(
        comes_after(net.plan, step_of(net.plan, "matmul", 7), step_of(net.plan, "matmul", 0)));
    close(&net);
}

static void same_bits(void **state) {
    (void)state;
    network bounded = make_network(MOST_PARTS), free = make_network(8);
    plan(&bounded, MOST_PARTS);
    plan(&free, 8);
    run(&free, 1);
    for (int32_t workers = 1; workers <= 8; workers *= 2) {
        run(&bounded, workers);
        for (int i = 0; i < 8; i++)
            assert_memory_equal(kfi_plan_result(bounded.plan, i)->data,
                                kfi_plan_result(free.plan, i)->data, sizeof(float));
    }
    close(&bounded);
    close(&free);
}

static void out_of_memory(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth += 7) {
        network net = make_network(MOST_PARTS);
        kfi_fail_allocation(nth);
        const kf_status status = kfi_plan_new(net.formula, net.sums, MOST_PARTS, &net.plan);
        kfi_fail_allocation(0);
        close(&net);
        if (status == KF_OK) break;
        assert_int_equal(status, KF_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("in a large plan steps wait for those far before them", large_plans),
        SENTENCE("a small plan has no order but that of its data", small_plans),
        SENTENCE("bounded or not, the bits are the same for any workers", same_bits),
        SENTENCE("bounding survives any allocation failing", out_of_memory),
    };
    return cmocka_run_group_tests_name("lookahead", tests, NULL, NULL);
}
