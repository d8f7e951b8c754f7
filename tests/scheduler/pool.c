/* The pool: threads come and go, sleep when idle, stay where they are pinned. */
#include "scheduler/pool.h"

#include "core/base/clock.h"
#include "tests/scheduler/graphs.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static int count_threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;
    for (const struct dirent *entry; (entry = readdir(tasks));) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void run_once(uint64_t seed, int32_t workers) {
    graph *g = graph_new(seed, 100);
    for (int32_t i = 0; i < g->n; i++) g->tasks[i].cost_ns = 50e3;
    kfi_schedule *schedule = graph_schedule(g);
    const uint64_t expected = graph_run(g, schedule, "serial", 1);
    assert_true(graph_run(g, schedule, "steal", workers) == expected);
    kfi_schedule_free(schedule);
    graph_free(g);
}

static void comes_and_goes(void **state) {
    (void)state;
    run_once(11, 2); /* a sanitizer may make a thread of its own at this */
    kfi_pool_shutdown();
    const int before = count_threads();
    for (int round = 0; round < 20; round++) {
        run_once(11, 2 + round % 4);
        assert_true(count_threads() > before);
        kfi_pool_shutdown();
        /* a joined thread may still be in the list for a moment */
        const int64_t end = kfi_now_ns() + INT64_C(2000000000);
        while (count_threads() != before && kfi_now_ns() < end) sched_yield();
        assert_int_equal(count_threads(), before);
        kfi_pool_shutdown();
    }
}

static int64_t cpu_time_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_ns(int64_t ns) {
    nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static void idle_sleeps(void **state) {
    (void)state;
    run_once(12, 6);
    sleep_ns(50000000);
    const int64_t before = cpu_time_ns();
    sleep_ns(200000000);
    assert_true(cpu_time_ns() - before < 20000000); /* five spinning threads would use 400 ms */
}

/* While one long tile runs, the caller and the others sleep too. */
static kf_status sleep_tile(void *context, const kfi_tile *tile) {
    (void)context, (void)tile;
    sleep_ns(100000000);
    return KF_OK;
}

static void waiting_sleeps(void **state) {
    (void)state;
    const kfi_task tasks[] = {{1, {1}, 1e6, NULL, 0, 0}, {1, {1}, 1e6, NULL, 0, 0}};
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, 2, &schedule), KF_OK);
    const int64_t before = cpu_time_ns();
    assert_int_equal(kfi_run(schedule, sleep_tile, NULL, &(kfi_run_options){.workers = 4}), KF_OK);
    assert_true(cpu_time_ns() - before < 40000000);
    kfi_schedule_free(schedule);
}

/* The rest follows a task that another worker finishes after the caller has gone to sleep. */
static kf_status wait_by_worker(void *context, const kfi_tile *tile) {
    _Atomic int *n_there = context;
    if (tile->task > 1) return KF_OK;
    ++*n_there;
    while (*n_there < 2) continue; /* so that two workers have one of them each */
    if (tile->worker != 0) sleep_ns(3000000);
    return KF_OK;
}

static void caller_is_woken(void **state) {
    (void)state;
    const int32_t next[] = {2};
    const kfi_task tasks[] = {
        {1, {1}, 1e6, next, 1, 0}, {1, {1}, 1e6, next, 1, 0}, {1, {40}, 4e6, NULL, 0, 0}};
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, 3, &schedule), KF_OK);
    for (int k = 0; k < 50; k++) {
        _Atomic int n_there = 0;
        assert_int_equal(
            kfi_run(schedule, wait_by_worker, &n_there, &(kfi_run_options){.workers = 2}), KF_OK);
    }
    kfi_schedule_free(schedule);
}

static _Atomic int n_entered, n_left;

static void note_enter(void) { n_entered++; }
static void note_leave(void) { n_left++; }

static void hooks(void **state) {
    (void)state;
    kfi_pool_shutdown();
    kfi_pool_on_enter(note_enter, note_leave);
    run_once(13, 3); /* the serial run before it counts, too */
    kfi_pool_shutdown();
    kfi_pool_on_enter(NULL, NULL);
    assert_int_equal(n_entered, 2 + 2);
    assert_int_equal(n_left, 2);
}

static void affinity_restored(void **state) {
    (void)state;
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    run_once(14, CPU_COUNT(&before));
    sched_getaffinity(0, sizeof after, &after);
    assert_true(CPU_EQUAL(&before, &after));
}

typedef struct pins {
    cpu_set_t mask[KFI_MAX_WORKERS];
    _Atomic int32_t n_there;
    int32_t n_expected;
} pins;

static kf_status note_mask(void *context, const kfi_tile *tile) {
    pins *p = context;
    sched_getaffinity(0, sizeof p->mask[0], &p->mask[tile->worker]);
    p->n_there++;
    while (p->n_there < p->n_expected) sched_yield(); /* so that all workers come */
    return KF_OK;
}

static void pinned_or_not(int on, int expected) {
    static pins p;
    const int32_t cpus = kfi_cpus_usable();
    const kfi_task task = {1, {cpus}, 2e6 * cpus, NULL, 0, 0};
    kfi_schedule *schedule;
    kfi_pool_pin(on);
    assert_int_equal(kfi_schedule_new(&task, 1, &schedule), KF_OK);
    for (int round = 0; round < 3; round++) {
        p.n_there = 0;
        p.n_expected = cpus;
        assert_int_equal(kfi_run(schedule, note_mask, &p, &(kfi_run_options){.workers = cpus}),
                         KF_OK);
        for (int32_t k = 0; k < cpus; k++) assert_int_equal(CPU_COUNT(&p.mask[k]), expected);
    }
    kfi_schedule_free(schedule);
}

static void pinned(void **state) {
    (void)state;
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    if (CPU_COUNT(&mask) != kfi_cpus_usable() || CPU_COUNT(&mask) < 2) skip(); /* a quota */
    pinned_or_not(1, 1);
    pinned_or_not(0, CPU_COUNT(&mask));
    pinned_or_not(1, 1);
}

static void on_one_cpu(void **state) {
    (void)state;
    cpu_set_t before, one;
    sched_getaffinity(0, sizeof before, &before);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before)) cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    kfi_pool_shutdown();
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(kfi_cpus_usable(), 1);
    for (uint64_t seed = 20; seed < 40; seed++) run_once(seed, 2 + (int32_t)(seed % 7));
    kfi_pool_shutdown();
    sched_setaffinity(0, sizeof before, &before);
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAY_FORK 0 /* the thread sanitizer does not allow threads after a fork of threads */
#endif
#endif
#ifndef MAY_FORK
#define MAY_FORK 1
#endif

static void forked(void **state) {
    (void)state;
    if (!MAY_FORK) skip();
    run_once(15, 4);
    const pid_t child = fork();
    if (child == 0) {
        graph *g = graph_new(16, 50);
        kfi_schedule *schedule;
        if (kfi_schedule_new(g->tasks, g->n, &schedule) != KF_OK) _exit(1);
        graph_clear(g, 4);
        const kf_status status = kfi_run(schedule, run_tile, g, &(kfi_run_options){.workers = 4});
        _exit(status == KF_OK && graph_missed(g) == 0 ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    run_once(15, 4);
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("threads come with a run and go with the shutdown", comes_and_goes),
        SENTENCE("idle threads sleep", idle_sleeps),
        SENTENCE("threads with nothing to do in a run sleep", waiting_sleeps),
        SENTENCE("a sleeping caller is woken for work and at the end", caller_is_woken),
        SENTENCE("threads and callers enter, callers leave", hooks),
        SENTENCE("the caller's affinity is restored", affinity_restored),
        SENTENCE("threads are pinned if the run uses all CPUs, unless turned off", pinned),
        SENTENCE("eight workers on one CPU", on_one_cpu),
        SENTENCE("a forked child makes threads of its own", forked),
    };
    return cmocka_run_group_tests_name("scheduler.pool", tests, NULL, NULL);
}
