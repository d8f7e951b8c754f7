/* A run allocates nothing: neither through kf's memory functions nor in any other way. */
#include "core/base/memory.h"
#include "tests/scheduler/graphs.h"
#include "tests/scheduler/mallocs.h"

#include "scheduler/trace.h"

static void is_counted(void **state) {
    (void)state;
#ifdef KEEPS_MALLOC
    skip();
#else
    const int64_t before = n_mallocs;
    free(malloc(1));
    kfi_free(kfi_alloc(1, 1));
    kfi_free_buffer(kfi_alloc_buffer(1), 1);
    assert_int_equal(n_mallocs - before, 3);
#endif
}

static void none_in_a_run(void **state) {
    (void)state;
    for (uint64_t seed = 600; seed < 620; seed++) {
        graph *g = graph_new(seed, 200);
        kfi_schedule *schedule = graph_schedule(g);
        kfi_trace *trace;
        assert_int_equal(kfi_trace_new(4, 100, &trace), KF_OK);
        graph_clear(g, 4);
        const kfi_run_options options = {kfi_executor_find("steal"), 4, trace};
        assert_int_equal(kfi_run(schedule, run_tile, g, &options), KF_OK); /* threads are made */
        const int64_t mallocs = n_mallocs, allocations = kfi_allocations();
        kf_status status = KF_OK;
        for (int k = 0; k < 20; k++) status |= kfi_run(schedule, run_tile, g, &options);
        assert_int_equal(n_mallocs - mallocs, 0);
        assert_int_equal(kfi_allocations() - allocations, 0);
        assert_int_equal(status, KF_OK);
        kfi_trace_free(trace);
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("allocations are counted here", is_counted),
        SENTENCE("a run allocates nothing", none_in_a_run),
    };
    return cmocka_run_group_tests_name("scheduler.allocations", tests, NULL, NULL);
}
