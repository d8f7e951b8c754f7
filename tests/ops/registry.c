/* The registry: names are unique, every op is found, and KF_SIMD chooses a level. */
#include "tests/ops/support.h"

static void every_op_is_found(void **state) {
    (void)state;
    int count = 0;
    for (; kfi_op_at(count); count++) {
        const kfi_op *op = kfi_op_at(count);
        assert_ptr_equal(kfi_op_find(op->name), op); /* so no other op has its name */
        assert_true(op->infer && op->cost && kfi_op_examples(op));
        assert_null(op->examples); /* which no process is to hold */
        assert_true(op->is_view || op->stages[0].kernel);
    }
    assert_true(count > 0);
    assert_null(kfi_op_at(-1));
    assert_null(kfi_op_at(count + 1));
}

static void unknown_names(void **state) {
    (void)state;
    assert_null(kfi_op_find("no such op"));
    assert_null(kfi_op_find(""));
}

/* What a fresh process says with KF_SIMD set to `forced`. */
static bool level_is(const char *forced, const char *expected) {
    const pid_t child = fork();
    if (child == 0) {
        setenv("KF_SIMD", forced, 1);
        _exit(strcmp(kfi_simd_level(), expected) != 0);
    }
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void levels(void **state) {
    (void)state;
    assert_true(level_is("portable", "portable"));
    unsetenv("KF_SIMD");
    const char *best = kfi_simd_level(); /* this process chooses only now */
    assert_ptr_equal(kfi_op_find("matmul"), kfi_op_find("matmul"));
    assert_true(strcmp(best, "portable") == 0 || strcmp(best, "v2") == 0 ||
                strcmp(best, "v3") == 0 || strcmp(best, "v4") == 0);
}

/* What has a level has those below it: none is skipped. */
static void levels_below(void **state) {
    (void)state;
    static const char *const rising[] = {"v2", "v3", "v4"};
    for (int i = 1; i < 3; i++)
        if (level_is(rising[i], rising[i])) assert_true(level_is(rising[i - 1], rising[i - 1]));
}

static void unknown_level(void **state) {
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        unsetenv("KF_SIMD");
        _exit(kfi_simd_level()[0]);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    static const char *const falling[] = {"v4", "v3", "v2", "portable"};
    int best = 0;
    while (!level_is(falling[best], falling[best])) best++;
    assert_int_equal((char)WEXITSTATUS(status), falling[best][0]);
    assert_true(level_is("v9", falling[best]));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("KF_SIMD with an unknown value leaves the best level", unknown_level),
        SENTENCE("a machine with a level has those below it", levels_below),
        SENTENCE("KF_SIMD forces a level", levels),
        SENTENCE("every op is found by its name", every_op_is_found),
        SENTENCE("unknown names are not found", unknown_names),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
