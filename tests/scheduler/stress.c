/* Short runs after short pauses, with the pauses around the time at which threads park: a wake-up
 * that could be lost is lost here sooner or later, and the tiles, which wait for each other, hang.
 * A guard ends the program then. KF_STRESS multiplies the rounds. */
#include "core/base/clock.h"
#include "tests/scheduler/graphs.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static int rounds(int n) {
    const char *times = getenv("KF_STRESS");
    return n * (times ? atoi(times) : 1);
}

static void pause_ns(int64_t ns) {
    const int64_t end = kfi_now_ns() + ns;
    while (kfi_now_ns() < end) continue;
}

typedef struct meeting {
    _Atomic int32_t n_there;
    int32_t n_expected;
} meeting;

static kf_status meet(void *context, const kfi_tile *tile) {
    (void)tile;
    meeting *m = context;
    m->n_there++;
    while (m->n_there < m->n_expected) sched_yield();
    return KF_OK;
}

/* n tasks, all of which must be begun before one can end: n workers must come. */
static void all_come(int32_t n, int n_rounds, int64_t most_pause_ns) {
    kfi_task tasks[8];
    for (int32_t k = 0; k < n; k++) tasks[k] = (kfi_task){1, {1}, 50e3, NULL, 0, 0};
    kfi_schedule *schedule;
    dice d = {{(uint64_t)n, 4}, 0};
    assert_int_equal(kfi_schedule_new(tasks, n, &schedule), KF_OK);
    for (int k = 0; k < n_rounds; k++) {
        meeting m = {0, n};
        assert_int_equal(kfi_run(schedule, meet, &m, &(kfi_run_options){.workers = n}), KF_OK);
        pause_ns(roll(&d, (uint32_t)most_pause_ns));
    }
    kfi_schedule_free(schedule);
}

static void workers_come(void **state) {
    (void)state;
    all_come(2, rounds(3000), 300000);
    all_come(3, rounds(500), 100000);
    all_come(5, rounds(300), 100000);
    all_come(8, rounds(100), 100000);
}

/* A chain of loops: the workers meet, part, and meet again, each time after a serial stage. */
static kf_status meet_in_loops(void *context, const kfi_tile *tile) {
    meeting *m = context;
    if (tile->stage % 2) {
        m->n_there = 0;
        pause_ns(tile->task % 3 * 50000); /* shorter and longer than a worker spins */
        return KF_OK;
    }
    return meet(context, tile);
}

static void loops_meet(void **state) {
    (void)state;
    enum { N = 10 };
    kfi_task tasks[N];
    int32_t next[N];
    for (int32_t k = 0; k < N; k++) {
        next[k] = k + 1;
        tasks[k] = (kfi_task){4, {2, 1, 2, 1}, 300e3, &next[k], k < N - 1, 0};
    }
    kfi_schedule *schedule;
    assert_int_equal(kfi_schedule_new(tasks, N, &schedule), KF_OK);
    for (int k = 0; k < rounds(100); k++) {
        meeting m = {0, 2};
        assert_int_equal(kfi_run(schedule, meet_in_loops, &m, &(kfi_run_options){.workers = 2}),
                         KF_OK);
    }
    kfi_schedule_free(schedule);
}

/* Two callers with two workers each share one thread of the pool, which must serve both in turn:
 * each caller's two tasks need it. */
static void *call_meetings(void *argument) {
    const int n_rounds = *(int *)argument;
    all_come(2, n_rounds, 150000);
    return NULL;
}

static void callers_share(void **state) {
    (void)state;
    pthread_t other;
    int n_rounds = rounds(1000);
    assert_int_equal(pthread_create(&other, NULL, call_meetings, &n_rounds), 0);
    call_meetings(&n_rounds);
    pthread_join(other, NULL);
}

static void graphs_after_pauses(void **state) {
    (void)state;
    dice d = {{1, 5}, 0};
    for (uint64_t seed = 0; seed < (uint64_t)rounds(60); seed++) {
        graph *g = graph_new(3000 + seed, 60);
        kfi_schedule *schedule = graph_schedule(g);
        const uint64_t expected = graph_run(g, schedule, "serial", 1);
        for (int k = 0; k < 40; k++) {
            assert_true(graph_run(g, schedule, "steal", 2 + (int32_t)roll(&d, 7)) == expected);
            pause_ns(roll(&d, 200000));
        }
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

static void give_up(int signal_number) {
    (void)signal_number;
    static const char message[] = "scheduler.stress: no progress: a wake-up was lost\n";
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(2);
    _exit(1);
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    signal(SIGALRM, give_up);
    alarm((unsigned)rounds(240));
    const struct CMUnitTest tests[] = {
        SENTENCE("as many workers come as there is work for, after any pause", workers_come),
        SENTENCE("workers come back for each loop", loops_meet),
        SENTENCE("a shared thread serves two callers", callers_share),
        SENTENCE("random graphs after random pauses", graphs_after_pauses),
    };
    return cmocka_run_group_tests_name("scheduler.stress", tests, NULL, NULL);
}
