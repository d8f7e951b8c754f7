/* Data files made row by row. */
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "kf/data.h"
#include "tests/io/scratch.h"

#include <hdf5.h>
#include <stdbool.h>

static void writer_trace(void **state) {
    (void)state;
    const int entries = scratch_entries();
    kf_writer *writer = kf_writer_new(scratch("w.h5"));
    assert_int_equal(kf_writer_add_field(writer, "x", KF_FLOAT32, &KFI_SHAPE(2)), KF_OK);
    assert_int_equal(kf_writer_append(writer, 0, 2, (float[]){1, 2, 3, 4}), KF_OK);
    kf_writer_free(writer);
    kf_writer_free(NULL);
    assert_int_equal(scratch_entries(), entries);
}

static void writer_usage(void **state) {
    (void)state;
    kf_shape deep = {.rank = KF_MAX_RANK};
    kf_writer *writer = kf_writer_new(scratch("w.h5"));
    assert_int_equal(kf_writer_add_field(writer, "", KF_FLOAT32, &KFI_SCALAR), KF_USAGE);
    assert_int_equal(kf_writer_add_field(writer, "x", KF_FLOAT32, &deep), KF_USAGE);
    assert_int_equal(kf_writer_add_field(writer, "x", KF_N_DTYPES, &KFI_SCALAR), KF_USAGE);
    assert_int_equal(kf_writer_add_field(writer, "x", KF_FLOAT32, &KFI_SHAPE(KF_ANY)), KF_USAGE);
    assert_int_equal(kf_writer_add_field(writer, "x", KF_FLOAT32, &KFI_SCALAR), KF_OK);
    assert_int_equal(kf_writer_add_field(writer, "x", KF_FLOAT32, &KFI_SCALAR), KF_INVALID);
    assert_int_equal(kf_writer_append(writer, 1, 1, NULL), KF_USAGE);
    assert_int_equal(kf_writer_append(writer, 0, -1, NULL), KF_USAGE);
    assert_int_equal(kf_writer_append(writer, 0, 0, NULL), KF_OK);
    assert_int_equal(kf_writer_close(writer), KF_OK);
    assert_int_equal(kf_writer_close(writer), KF_USAGE);
    kf_writer_free(writer);
    assert_null(kf_writer_new(scratch("missing/w.h5")));
}

static void writing_without_memory(void **state) {
    (void)state;
    const int entries = scratch_entries();
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_writer *writer = kf_writer_new(scratch("w.h5"));
        kf_status status =
            writer ? kf_writer_add_field(writer, "x", KF_FLOAT32, &KFI_SHAPE(2)) : KF_MEMORY;
        if (status == KF_OK) status = kf_writer_append(writer, 0, 1, (float[]){1, 2});
        if (status == KF_OK) status = kf_writer_close(writer);
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(status, all ? KF_OK : KF_MEMORY);
        kf_writer_free(writer);
        /* if only the folder's flush failed, the file is there, and whole */
        assert_in_range(scratch_entries(), entries, entries + 1);
        if (all) break;
    }
    unlink(scratch("w.h5"));
}

static int nothing_left_open(void **state) {
    (void)state;
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a writer that is not closed leaves no trace", writer_trace),
        SENTENCE("wrong use of a writer is refused", writer_usage),
        SENTENCE("any allocation may fail in writing, cleanly", writing_without_memory),
    };
    return cmocka_run_group_tests(tests, make_scratch, nothing_left_open);
}
