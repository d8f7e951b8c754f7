/* Files that appear whole or not at all, and what becomes of those that were never finished. */
#include "io/atomic_file.h"
#include "tests/io/scratch.h"

#include <stdbool.h>
#include <sys/stat.h>

static void ok(kf_status status) {
    if (status != KF_OK) fail_msg("status %d: %s", status, kf_last_error());
}

static bool is_there(const char *name) {
    struct stat about;
    return lstat(scratch(name), &about) == 0;
}

static void save(const char *name) {
    kfi_atomic_file file;
    ok(kfi_atomic_create(scratch(name), &file));
    assert_int_equal(write(file.fd, "new", 3), 3);
    ok(kfi_atomic_commit(&file));
    assert_int_equal(file_bytes(scratch(name)), 3);
}

static void what_a_killed_save_left_is_removed(void **state) {
    (void)state;
    write_file(scratch(".kf-1-0.tmp"), "half", 4);
    write_file(scratch(".kf-fffffff-1a.tmp"), "", 0);
    save("a.h5");
    assert_int_equal(scratch_entries(), 1);
}

static void what_is_being_written_stays(void **state) {
    (void)state;
    kfi_atomic_file slow;
    ok(kfi_atomic_create(scratch("slow.h5"), &slow));
    save("a.h5");
    assert_int_equal(write(slow.fd, "whole", 5), 5);
    ok(kfi_atomic_commit(&slow));
    assert_int_equal(file_bytes(scratch("slow.h5")), 5);
    assert_int_equal(scratch_entries(), 2);
}

static void what_is_not_ours_stays(void **state) {
    (void)state;
    static const char *const names[] = {"kf-1-0.tmp",    ".kf-1-0.tmp.h5", ".kf-1.tmp",
                                        ".kf-1-0x2.tmp", ".kf-01-0.tmp",   ".kf-g-0.tmp"};
    const int n = (int)(sizeof names / sizeof *names);
    for (int i = 0; i < n; i++) write_file(scratch(names[i]), "kept", 4);
    assert_int_equal(mkdir(scratch(".kf-2-0.tmp"), 0700), 0);
    assert_int_equal(symlink(names[0], scratch(".kf-3-0.tmp")), 0);
    save("a.h5");
    for (int i = 0; i < n; i++) assert_true(is_there(names[i]));
    assert_true(is_there(".kf-2-0.tmp"));
    assert_true(is_there(".kf-3-0.tmp"));
    assert_int_equal(rmdir(scratch(".kf-2-0.tmp")), 0);
}

static void an_abandoned_save_leaves_the_old_file(void **state) {
    (void)state;
    write_file(scratch("a.h5"), "old file", 8);
    kfi_atomic_file file;
    ok(kfi_atomic_create(scratch("a.h5"), &file));
    kfi_atomic_abandon(&file);
    assert_int_equal(file_bytes(scratch("a.h5")), 8);
    assert_int_equal(scratch_entries(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"what a killed save left is removed", what_a_killed_save_left_is_removed, NULL,
         empty_scratch, NULL},
        {"what is being written stays", what_is_being_written_stays, NULL, empty_scratch, NULL},
        {"what is not ours stays", what_is_not_ours_stays, NULL, empty_scratch, NULL},
        {"an abandoned save leaves the old file", an_abandoned_save_leaves_the_old_file, NULL,
         empty_scratch, NULL},
    };
    return cmocka_run_group_tests_name("atomic_file", tests, make_scratch, remove_scratch);
}
