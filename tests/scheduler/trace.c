/* The trace: every tile is in it once, in the ring of the worker that ran it. */
#include "scheduler/ring.h"

#include "core/base/memory.h"
#include "tests/scheduler/graphs.h"

static void rings(void **state) {
    (void)state;
    kfi_trace *trace;
    assert_int_equal(kfi_trace_new(2, 3, &trace), KF_OK);
    assert_int_equal(kfi_trace_workers(trace), 2);
    for (int32_t k = 0; k < 5; k++)
        kfi_trace_add(trace, &(kfi_trace_record){.task = k, .worker = 1});
    kfi_trace_add(trace, &(kfi_trace_record){.task = 9, .worker = 2});
    assert_int_equal(kfi_trace_count(trace, 0), 0);
    assert_int_equal(kfi_trace_count(trace, 1), 3);
    assert_int_equal(kfi_trace_lost(trace, 1), 2);
    for (int32_t k = 0; k < 3; k++) assert_int_equal(kfi_trace_at(trace, 1, k).task, 2 + k);
    kfi_trace_clear(trace);
    assert_int_equal(kfi_trace_count(trace, 1), 0);
    assert_int_equal(kfi_trace_lost(trace, 1), 0);
    kfi_trace_free(trace);
    kfi_trace_free(NULL);
}

static void refused(void **state) {
    (void)state;
    kfi_trace *trace;
    assert_int_equal(kfi_trace_new(0, 3, &trace), KF_USAGE);
    assert_int_equal(kfi_trace_new(3, 0, &trace), KF_USAGE);
    assert_int_equal(kfi_trace_new(1, INT64_MAX, &trace), KF_MEMORY);
    kf_status status = KF_MEMORY;
    for (int nth = 1; status != KF_OK; nth++) {
        kfi_fail_allocation(nth);
        status = kfi_trace_new(3, 10, &trace);
        kfi_fail_allocation(0);
        assert_true(status == KF_OK || (status == KF_MEMORY && !trace));
    }
    kfi_trace_free(trace);
}

/* Marks the tiles of a ring's records; returns how many. */
static int64_t mark(graph *g, const kfi_trace *trace, int32_t worker) {
    int64_t n_tiles = 0, end_ns = 0;
    for (int64_t k = 0; k < kfi_trace_count(trace, worker); k++) {
        const kfi_trace_record record = kfi_trace_at(trace, worker, k);
        assert_int_equal(record.worker, worker);
        assert_true(record.start_ns >= end_ns && record.end_ns >= record.start_ns);
        end_ns = record.end_ns;
        for (int32_t t = 0; t < record.n_tiles; t++)
            g->times[record.stage][record.task][record.tile + t]++;
        n_tiles += record.n_tiles;
    }
    return n_tiles;
}

static void complete(const char *executor) {
    for (uint64_t seed = 40; seed < 60; seed++) {
        graph *g = graph_new(seed, 200);
        kfi_schedule *schedule = graph_schedule(g);
        for (int32_t workers = 1; workers <= 5; workers++) {
            kfi_trace *trace;
            assert_int_equal(kfi_trace_new(workers, 20000, &trace), KF_OK);
            const kfi_run_options options = {kfi_executor_find(executor), workers, trace};
            g->workers = workers;
            assert_int_equal(kfi_run(schedule, run_tile, g, &options), KF_OK);
            graph_clear(g, workers);
            for (int32_t k = 0; k < workers; k++) mark(g, trace, k);
            assert_int_equal(graph_missed(g), 0);
            kfi_trace_free(trace);
        }
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

static void complete_steal(void **state) {
    (void)state;
    complete("steal");
}

static void complete_serial(void **state) {
    (void)state;
    complete("serial");
}

static void complete_omp(void **state) {
    (void)state;
    if (!HAS_OMP) skip();
    complete("omp");
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("a ring keeps the last records and counts the lost ones", rings),
        SENTENCE("impossible traces are refused", refused),
        SENTENCE("stealing: every tile is traced once, in order", complete_steal),
        SENTENCE("serial: every tile is traced once, in order", complete_serial),
        SENTENCE("OpenMP: every tile is traced once, in order", complete_omp),
    };
    return cmocka_run_group_tests_name("scheduler.trace", tests, NULL, NULL);
}
