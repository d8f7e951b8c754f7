#include "core/base/status.h"

#include "tests/base/sentences.h"

#include <pthread.h>
#include <string.h>

static void keeps_message(void **state) {
    (void)state;
    assert_int_equal(kfi_fail(KF_INVALID, "row %d of %s", 7, "x.h5"), KF_INVALID);
    assert_string_equal(kf_last_error(), "row 7 of x.h5");
}

static void adds_prefix(void **state) {
    (void)state;
    kfi_fail(KF_IO, "no space");
    assert_int_equal(kfi_within(KF_IO, "%s: ", "m.h5"), KF_IO);
    assert_string_equal(kf_last_error(), "m.h5: no space");
    assert_int_equal(kfi_within(KF_OK, "never seen"), KF_OK);
    assert_string_equal(kf_last_error(), "m.h5: no space");
}

static void quotes_itself(void **state) {
    (void)state;
    kfi_fail(KF_IO, "inner");
    kfi_fail(KF_IO, "outer(%s)", kf_last_error());
    assert_string_equal(kf_last_error(), "outer(inner)");
}

static void cuts_long(void **state) {
    (void)state;
    char text[5000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    kfi_fail(KF_USAGE, "%s", text);
    assert_int_equal(strlen(kf_last_error()), 1023);
    kfi_within(KF_USAGE, "%s", text);
    assert_int_equal(strlen(kf_last_error()), 1023);
}

static void *fail_elsewhere(void *seen) {
    *(int *)seen = kf_last_error()[0] == '\0';
    kfi_fail(KF_MEMORY, "elsewhere");
    return NULL;
}

static void belongs_to_thread(void **state) {
    (void)state;
    int was_empty = 0;
    pthread_t thread;
    kfi_fail(KF_IO, "here");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &was_empty), 0);
    pthread_join(thread, NULL);
    assert_true(was_empty);
    assert_string_equal(kf_last_error(), "here");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a failure keeps its message and gives its status", keeps_message),
        SENTENCE("a prefix is put before a failure and nothing before success", adds_prefix),
        SENTENCE("a message may quote the last message", quotes_itself),
        SENTENCE("a message too long is cut, not written past its end", cuts_long),
        SENTENCE("each thread has its own message", belongs_to_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
