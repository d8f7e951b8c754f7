/* The first runs of a plan teach its schedule what steps cost: the order becomes better, nothing
 * else changes, and from then on a run allocates nothing. */
#include "core/graph/learning.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/graph/plan.h"
#include "ops/attributes.h"
#include "tests/scheduler/mallocs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SENTENCE(text, function)                                                                   \
    { text, function, NULL, NULL, NULL }

enum { SIDE = 64, PAIR = 2 };

/* What is said to cost next to nothing takes longer than all the rest. */
static kf_status take_long(void *context, const kf_array *in, const kf_shape *shape, float *out,
                           char *message) {
    const int64_t end = kfi_now_ns() + 2000000;
    (void)context, (void)shape, (void)message;
    while (kfi_now_ns() < end) continue;
    for (int i = 0; i < PAIR; i++) out[i] = 2 * ((const float *)in[0].data)[i];
    return KF_OK;
}

static bool fails;
static kf_status fail_if_asked(void *context, const kf_array *in, const kf_shape *shape, float *out,
                               char *message) {
    if (fails) {
        strcpy(message, "asked to");
        return KF_INVALID;
    }
    return take_long(context, in, shape, out, message);
}

typedef struct net {
    kfi_plan *plan;
    kfi_arena arena;
    float x[SIDE * SIDE], pair[PAIR];
    kfi_trace *trace;
} net;

/* Two steps that wait for nothing: 0, a product, and 1, the function. */
static void make_net(net *n, const kf_function *function) {
    const kfi_user_function attributes = {.function = function, .shape = KFI_SHAPE(PAIR)};
    kfi_formula *f = NULL;
    *n = (net){.pair = {3, 4}};
    for (int i = 0; i < SIDE * SIDE; i++) n->x[i] = sinf((float)i);
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    const kfi_value x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(SIDE, SIDE));
    const kfi_value pair = kfi_source(f, "pair", KF_FLOAT32, &KFI_SHAPE(PAIR));
    const kfi_value results[] = {kfi_emit(f, "matmul", &(kfi_matmul){0}, x, x),
                                 kfi_emit(f, "function", &attributes, pair)};
    assert_int_equal(kfi_plan_new(f, results, 2, &n->plan), KF_OK);
    kfi_plan_feed(n->plan, x, n->x);
    kfi_plan_feed(n->plan, pair, n->pair);
    assert_int_equal(kfi_trace_new(8, 1000, &n->trace), KF_OK);
}

static void free_net(net *n) {
    kfi_plan_free(n->plan);
    kfi_arena_free(&n->arena);
    kfi_trace_free(n->trace);
}

/* The step that a run begins with. */
static int32_t first_step(net *n) {
    const kfi_run_options options = {
        .executor = kfi_executor_find("serial"), .workers = 1, .trace = n->trace};
    kfi_trace_clear(n->trace);
    assert_int_equal(kfi_plan_run(n->plan, &n->arena, &options), KF_OK);
    return kfi_trace_at(n->trace, 0, 0).task;
}

static const kf_function slow = {
    .size = sizeof slow, .name = "slow", .n_inputs = 1, .forward = take_long};
static const kf_function failing = {
    .size = sizeof failing, .name = "failing", .n_inputs = 1, .forward = fail_if_asked};

static void order(void **state) {
    (void)state;
    net n;
    make_net(&n, &slow);
    for (int run = 0; run < KFI_LEARNING_END; run++) assert_int_equal(first_step(&n), 0);
    for (int run = 0; run < 3; run++) assert_int_equal(first_step(&n), 1);
    free_net(&n);
}

static void failed_runs(void **state) {
    (void)state;
    net n;
    make_net(&n, &failing);
    for (int run = 0; run < KFI_LEARNING_END; run++) {
        assert_int_equal(first_step(&n), 0);
        fails = true;
        for (int k = 0; k < 3; k++)
            assert_int_equal(kfi_plan_run(n.plan, &n.arena, &(kfi_run_options){.workers = 1}),
                             KF_INVALID);
        fails = false;
    }
    assert_int_equal(first_step(&n), 1);
    free_net(&n);
}

static void same_bits(void **state) {
    (void)state;
    float expected[SIDE * SIDE];
    static const int32_t workers[] = {1, 2, 8};
    for (int w = 0; w < 3; w++) {
        net n;
        make_net(&n, &slow);
        for (int run = 0; run < KFI_LEARNING_END + 3; run++) {
            const kfi_run_options options = {.workers = workers[w]};
            assert_int_equal(kfi_plan_run(n.plan, &n.arena, &options), KF_OK);
            const float *product = kfi_plan_result(n.plan, 0)->data;
            if (w == 0 && run == 0) memcpy(expected, product, sizeof expected);
            assert_memory_equal(product, expected, sizeof expected);
            assert_true(((const float *)kfi_plan_result(n.plan, 1)->data)[1] == 8);
        }
        free_net(&n);
    }
}

static void no_allocation(void **state) {
    (void)state;
    net n;
    make_net(&n, &slow);
    const kfi_run_options options = {.workers = 4, .trace = n.trace};
    kf_status status = KF_OK;
    for (int run = 0; run < KFI_LEARNING_END; run++)
        status |= kfi_plan_run(n.plan, &n.arena, &options);
    const int64_t mallocs = n_mallocs, allocations = kfi_allocations();
    for (int run = 0; run < 20; run++) status |= kfi_plan_run(n.plan, &n.arena, &options);
    assert_int_equal(n_mallocs - mallocs, 0);
    assert_int_equal(kfi_allocations() - allocations, 0);
    assert_int_equal(status, KF_OK);
    free_net(&n);
}

/* Two tasks of so many ns each, which wait for nothing. */
static kfi_schedule *two_tasks(double ns) {
    const kfi_task tasks[2] = {{.cost_ns = ns, .n_stages = 1, .tiles = {1}},
                               {.cost_ns = ns, .n_stages = 1, .tiles = {1}}};
    kfi_schedule *schedule = NULL;
    assert_int_equal(kfi_schedule_new(tasks, 2, &schedule), KF_OK);
    return schedule;
}

/* As a plan would: runs that take 50 us together or alone, as asked, and 300 us the other way. */
static void teach(kfi_learning *learning, kfi_schedule *schedule, bool alone_is_fast,
                  double step_ns) {
    for (int run = 0; run < KFI_LEARNING_DONE; run++) {
        const bool timed = kfi_learning_begin_run(learning, schedule, 2);
        assert_int_equal(timed, run >= KFI_LEARNING_BEGIN && run < KFI_LEARNING_END);
        for (int32_t step = 0; timed && step < 2; step++)
            kfi_learning_add(learning, step, (int64_t)step_ns);
        const bool fast = kfi_schedule_is_for_one(schedule) == alone_is_fast;
        const int64_t end = kfi_now_ns() + (fast ? 50000 : 300000);
        while (run >= KFI_LEARNING_END && kfi_now_ns() < end) continue;
        kfi_learning_end_run(learning, schedule, 2);
    }
    assert_true(kfi_learning_is_done(learning));
}

static void trials(void **state) {
    (void)state;
    for (int alone_is_fast = 0; alone_is_fast < 2; alone_is_fast++) {
        kfi_learning learning;
        kfi_schedule *schedule = two_tasks(50e3);
        assert_int_equal(kfi_learning_init(&learning, 2), KF_OK);
        teach(&learning, schedule, alone_is_fast, 50e3);
        assert_int_equal(kfi_schedule_is_for_one(schedule), alone_is_fast);
        kfi_learning_clear(&learning);
        kfi_schedule_free(schedule);
    }
}

/* A long one is not tried, and a lone worker tries nothing. */
static void no_trials(void **state) {
    (void)state;
    kfi_learning learning;
    kfi_schedule *schedule = two_tasks(50e3);
    assert_int_equal(kfi_learning_init(&learning, 2), KF_OK);
    teach(&learning, schedule, true, 200e3);
    assert_false(kfi_schedule_is_for_one(schedule));
    kfi_schedule_free(schedule);
    schedule = two_tasks(50e3);
    assert_int_equal(kfi_learning_init(&learning, 2), KF_OK);
    for (int run = 0; run < 2 * KFI_LEARNING_DONE; run++) {
        if (kfi_learning_begin_run(&learning, schedule, 1))
            for (int32_t step = 0; step < 2; step++) kfi_learning_add(&learning, step, 50000);
        kfi_learning_end_run(&learning, schedule, 1);
    }
    assert_false(kfi_learning_is_done(&learning));
    assert_false(kfi_schedule_is_for_one(schedule));
    kfi_schedule_free(schedule);
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("what takes long goes first once that is known", order),
        SENTENCE("runs that fail teach nothing", failed_runs),
        SENTENCE("the bits are the same before and after, for any workers", same_bits),
        SENTENCE("a run of a plan that has learnt allocates nothing", no_allocation),
        SENTENCE("a short plan is tried together and alone, and stays with the faster", trials),
        SENTENCE("a long plan is not tried, nor one of a lone worker", no_trials),
    };
    return cmocka_run_group_tests_name("graph.learning", tests, NULL, NULL);
}
