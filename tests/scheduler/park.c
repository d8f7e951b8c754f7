/* Sleeping with and without an alarm: who gets up, and when. */
#include "scheduler/park.h"

#include "core/base/clock.h"
#include "tests/scheduler/graphs.h"

#include <pthread.h>

static kfi_park park;

typedef struct sleeper {
    pthread_t thread;
    int64_t wants_at;        /* what it expects; KFI_PARK_NEVER: nothing */
    _Atomic int64_t up_at;   /* 0: still asleep */
    _Atomic bool has_a_task; /* what it looks for */
} sleeper;

static bool has_more(const void *subject) {
    const sleeper *s = subject;
    return atomic_load_explicit(&s->has_a_task, memory_order_seq_cst);
}

static int64_t expected(const void *subject) { return ((const sleeper *)subject)->wants_at; }

static void *sleep_once(void *argument) {
    sleeper *s = argument;
    kfi_park_rest(&park, 1, &(kfi_rest){0, false, has_more, expected, s});
    atomic_store(&s->up_at, kfi_now_ns());
    return NULL;
}

static void begin(sleeper *s, int64_t wants_at) {
    kfi_park_clear(&park);
    *s = (sleeper){.wants_at = wants_at};
    assert_int_equal(pthread_create(&s->thread, NULL, sleep_once, s), 0);
}

/* 0 if it is still asleep after so many milliseconds. */
static int64_t wait_for(sleeper *s, int32_t ms) {
    for (int32_t k = 0; k < ms && !atomic_load(&s->up_at); k++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    return atomic_load(&s->up_at);
}

static void alarm_goes_off(void **state) {
    (void)state;
    sleeper s;
    const int64_t wanted = kfi_now_ns() + 5000000;
    begin(&s, wanted);
    const int64_t up_at = wait_for(&s, 10000);
    assert_true(up_at != 0);
    assert_true(up_at >= wanted - 1000000);
    pthread_join(s.thread, NULL);
    assert_int_equal(atomic_load(&park.parked) | atomic_load(&park.dozing), 0);
    assert_int_equal(atomic_load(&park.searching), 0);
}

static void is_woken_before_its_alarm(void **state) {
    (void)state;
    sleeper s;
    begin(&s, kfi_now_ns() + (int64_t)3600e9);
    while (!atomic_load(&park.dozing)) nanosleep(&(struct timespec){0, 100000}, NULL);
    assert_false(kfi_park_sleeps(&park, 2));
    assert_true(kfi_park_wake(&park, 2));
    pthread_join(s.thread, NULL);
    assert_false(kfi_park_wake(&park, 2));
    assert_int_equal(atomic_load(&park.searching), 0);
}

static void sleeps_without_an_alarm(void **state) {
    (void)state;
    sleeper s;
    begin(&s, KFI_PARK_NEVER);
    while (!kfi_park_sleeps(&park, 2)) nanosleep(&(struct timespec){0, 100000}, NULL);
    assert_int_equal(wait_for(&s, 20), 0);
    assert_true(kfi_park_wake(&park, 2));
    pthread_join(s.thread, NULL);
}

static void waker_and_alarm_at_once(void **state) {
    (void)state;
    for (int32_t round = 0; round < 300; round++) {
        sleeper s;
        begin(&s, kfi_now_ns() + 250000 + 1000 * round);
        while (!atomic_load(&park.parked) && !atomic_load(&s.up_at)) continue;
        while (kfi_now_ns() < s.wants_at - 150000) continue;
        kfi_park_wake(&park, 2); /* it may be up already */
        pthread_join(s.thread, NULL);
        assert_int_equal(atomic_load(&park.parked) | atomic_load(&park.searching), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("who expects something gets up before it by himself", alarm_goes_off),
        SENTENCE("an alarm does not keep anybody from being woken", is_woken_before_its_alarm),
        SENTENCE("who expects nothing sleeps until woken", sleeps_without_an_alarm),
        SENTENCE("a wake and an alarm at the same time are one", waker_and_alarm_at_once),
    };
    return cmocka_run_group_tests_name("scheduler.park", tests, NULL, NULL);
}
