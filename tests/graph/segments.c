/* Segments: an economical formula computes the same, part by part and twice; and what slices send
 * back is put together. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"
#include "tests/base/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 6, WIDE = 300, PARTS = 3 };

typedef struct network {
    kf_weight *weight;
    kfi_value x, results[3]; /* loss, derivatives by the weight and by x */
    kfi_plan *plan;
} network;

/* loss = sum of tanh(tanh(x w)), in parts of rows. */
static kfi_value write_part(kfi_formula *f, kfi_value x, kfi_value w, int64_t part) {
    const int64_t rows = ROWS / PARTS;
    const kfi_slice slice = {.axis = 0, .start = part * rows, .size = rows};
    kfi_segment_begin(f);
    kfi_value y = kfi_emit(f, "slice", &slice, x);
    y = kfi_emit(f, "matmul", &(kfi_matmul){0}, y, w);
    y = kfi_emit(f, "tanh", NULL, kfi_emit(f, "tanh", NULL, y));
    const kfi_reduce all = {.axes = 3};
    y = kfi_emit(f, "reduce_sum", &all, y);
    kfi_segment_end(f);
    return y;
}

static network make_network(bool economical) {
    network net = {0};
    kfi_formula *f;
    assert_int_equal(kfi_weight_new("w", &KFI_SHAPE(WIDE, WIDE), &net.weight), KF_OK);
    for (int64_t i = 0; i < net.weight->count; i++) net.weight->data[i] = 0.02f * cosf((float)i);
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    if (economical) kfi_formula_economize(f);
    net.x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, WIDE));
    const kfi_value w = kfi_weight_value(f, net.weight);
    kfi_value sums[PARTS];
    for (int64_t i = 0; i < PARTS; i++) sums[i] = write_part(f, net.x, w, i);
    net.results[0] = kfi_emit_list(f, "add_n", NULL, sums, PARTS, NULL);
    const kfi_value wrt[] = {w, net.x};
    assert_int_equal(kfi_differentiate(f, net.results[0], wrt, 2, net.results + 1), KF_OK);
    assert_int_equal(kfi_plan_new(f, net.results, 3, &net.plan), KF_OK);
    return net;
}

static void free_network(network *net) {
    kfi_plan_free(net->plan);
    kfi_weight_free(net->weight);
}

static int count_steps(const kfi_plan *plan, const char *op) {
    int count = 0;
    for (int32_t s = 0; s < kfi_plan_steps(plan); s++)
        for (int32_t p = 0; p < plan->steps[s].n_parts; p++)
            count += strcmp(plan->steps[s].parts[p].op->name, op) == 0;
    return count;
}

static void run(network *net, kfi_arena *arena, int workers) {
    float x[ROWS * WIDE];
    for (int i = 0; i < ROWS * WIDE; i++) x[i] = sinf((float)i);
    kfi_plan_feed(net->plan, net->x, x);
    const kfi_run_options options = {.workers = workers};
    assert_int_equal(kfi_plan_run(net->plan, arena, &options), KF_OK);
}

static void same_bits(void **state) {
    (void)state;
    network net = make_network(false), thrifty = make_network(true);
    kfi_arena arenas[2] = {{0}, {0}};
    run(&net, &arenas[0], 1);
    run(&thrifty, &arenas[1], 2);
    for (int32_t i = 0; i < 3; i++) {
        const kfi_array *one = kfi_plan_result(net.plan, i);
        const kfi_array *other = kfi_plan_result(thrifty.plan, i);
        assert_memory_equal(one->data, other->data,
                            (size_t)kfi_shape_count(&one->shape) * sizeof(float));
    }
    for (int i = 0; i < 2; i++) kfi_arena_free(&arenas[i]);
    free_network(&net);
    free_network(&thrifty);
}

/* tanh's derivative needs its output: both are computed again, and the product before them. */
static void twice(void **state) {
    (void)state;
    network net = make_network(false), thrifty = make_network(true);
    assert_int_equal(count_steps(net.plan, "tanh"), 2 * PARTS);
    assert_int_equal(count_steps(thrifty.plan, "tanh"), 4 * PARTS);
    assert_true(kfi_plan_peak_bytes(thrifty.plan) < kfi_plan_peak_bytes(net.plan));
    free_network(&net);
    free_network(&thrifty);
}

static bool comes_after(const kfi_plan *plan, int32_t step, int32_t other) {
    const int32_t *waits;
    const int32_t n = kfi_plan_waits_for(plan, step, &waits);
    for (int32_t i = 0; i < n; i++)
        if (waits[i] == other || (waits[i] > other && comes_after(plan, waits[i], other)))
            return true;
    return false;
}

/* Every product of the way forward waits for the one before, and so do those that are repeated. */
static void in_order(void **state) {
    (void)state;
    network net = make_network(false), thrifty = make_network(true);
    for (int economical = 0; economical < 2; economical++) {
        const kfi_plan *plan = economical ? thrifty.plan : net.plan;
        int32_t before = -1;
        for (int32_t s = 0; s < kfi_plan_steps(plan); s++) {
            if (strcmp(kfi_plan_step(plan, s).op, "slice") != 0) continue;
            if (before >= 0) assert_true(comes_after(plan, s, before) == (bool)economical);
            before = s;
        }
    }
    free_network(&net);
    free_network(&thrifty);
}

static void slices_come_together(void **state) {
    (void)state;
    network net = make_network(false);
    assert_int_equal(count_steps(net.plan, "unslice"), 0);
    assert_int_equal(count_steps(net.plan, "concatenate"), 1);
    free_network(&net);
}

/* A slice that is read twice, or a gap, needs the zeros. */
static void other_slices_are_added(void **state) {
    (void)state;
    static const kfi_slice parts[][2] = {{{.start = 0, .size = 2}, {.start = 1, .size = 3}},
                                         {{.start = 0, .size = 1}, {.start = 2, .size = 2}}};
    static const float expected[2][4] = {{1, 2, 1, 1}, {1, 0, 1, 1}};
    const kfi_reduce all = {.axes = 1};
    for (int i = 0; i < 2; i++) {
        kfi_formula *f;
        assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
        const kfi_value x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(4));
        kfi_value sums[2], gradient;
        for (int k = 0; k < 2; k++)
            sums[k] = kfi_emit(f, "reduce_sum", &all, kfi_emit(f, "slice", &parts[i][k], x));
        const kfi_value loss = kfi_emit(f, "add", NULL, sums[0], sums[1]);
        assert_int_equal(kfi_differentiate(f, loss, &x, 1, &gradient), KF_OK);
        kfi_plan *plan;
        assert_int_equal(kfi_plan_new(f, &gradient, 1, &plan), KF_OK);
        kfi_arena arena = {0};
        assert_int_equal(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}), KF_OK);
        assert_memory_equal(kfi_plan_result(plan, 0)->data, expected[i], sizeof expected[i]);
        kfi_plan_free(plan);
        kfi_arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an economical formula has the same bits", same_bits),
        SENTENCE("it computes a segment twice and needs less memory", twice),
        SENTENCE("its segments run one after the other", in_order),
        SENTENCE("what slices send back is put side by side", slices_come_together),
        SENTENCE("slices that overlap or leave gaps are added", other_slices_are_added),
    };
    return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
