#include "core/base/memory.h"
#include "tests/io/saved.h"

#include <errno.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void datasets(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    float x[2][3] = {{1, 2, 3}, {4, 5, 6}}, y[2][3] = {{0}};
    int64_t iterations = 1234567890123, read = 0;
    assert_int_equal(kfi_hdf5_write(file, "/w/dense_1/kernel:0", KF_FLOAT32, &KFI_SHAPE(2, 3), x),
                     KF_OK);
    assert_int_equal(kfi_hdf5_write(file, "/it", KF_INT64, &KFI_SCALAR, &iterations), KF_OK);
    assert_int_equal(kfi_hdf5_write(file, "/none", KF_FLOAT32, &KFI_SHAPE(0, 3), NULL), KF_OK);
    file = commit_and_open(file, "a.h5");
    kf_dtype dtype;
    kf_shape shape;
    assert_int_equal(kfi_hdf5_describe(file, "/w/dense_1/kernel:0", &dtype, &shape), KF_OK);
    assert_int_equal(dtype, KF_FLOAT32);
    assert_true(kfi_shape_equal(&shape, &KFI_SHAPE(2, 3)));
    assert_int_equal(kfi_hdf5_read(file, "/w/dense_1/kernel:0", 0, 2, KF_FLOAT32, y), KF_OK);
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(kfi_hdf5_describe(file, "/it", &dtype, &shape), KF_OK);
    assert_int_equal(shape.rank, 0);
    assert_int_equal(kfi_hdf5_read(file, "/it", 0, 1, KF_INT64, &read), KF_OK);
    assert_int_equal(read, iterations);
    assert_int_equal(kfi_hdf5_describe(file, "/none", &dtype, &shape), KF_OK);
    assert_int_equal(shape.dims[0], 0);
    assert_int_equal(kfi_hdf5_read(file, "/none", 0, 0, KF_FLOAT32, NULL), KF_OK);
    assert_int_equal(kfi_hdf5_chunk_rows(file, "/w/dense_1/kernel:0"), 0);
    kfi_hdf5_close(file);
}

static void converting(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    enum { ROWS = 3000 };
    static double wide[ROWS * 3], back[ROWS * 3];
    static float narrow[ROWS * 3];
    static int32_t whole[ROWS * 3];
    for (int i = 0; i < ROWS * 3; i++) wide[i] = i - 500;
    assert_int_equal(kfi_hdf5_write(file, "/x", KF_FLOAT64, &KFI_SHAPE(ROWS, 3), wide), KF_OK);
    wide[ROWS * 3 - 3] = 0.5;
    assert_int_equal(kfi_hdf5_write(file, "/bad", KF_FLOAT64, &KFI_SHAPE(ROWS, 3), wide), KF_OK);
    wide[ROWS * 3 - 3] = (ROWS - 1) * 3 - 500;
    file = commit_and_open(file, "a.h5");
    assert_int_equal(kfi_hdf5_read(file, "/x", 0, ROWS, KF_FLOAT32, narrow), KF_OK);
    assert_int_equal(kfi_hdf5_read(file, "/x", 100, ROWS - 100, KF_INT32, whole + 300), KF_OK);
    assert_int_equal(kfi_hdf5_read(file, "/x", 0, ROWS, KF_FLOAT64, back), KF_OK);
    for (int i = 300; i < ROWS * 3; i++) {
        assert_true(narrow[i] == (float)wide[i]);
        assert_int_equal(whole[i], (int)wide[i]);
    }
    assert_memory_equal(wide, back, sizeof wide);
    assert_int_equal(kfi_hdf5_read(file, "/bad", 0, ROWS, KF_INT32, whole), KF_INVALID);
    assert_error_has("/bad: row 2999 holds 0.5", kf_last_error());
    kfi_hdf5_close(file);
}

static void row_ranges(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    uint8_t x[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    assert_int_equal(kfi_hdf5_write(file, "/x", KF_UINT8, &KFI_SHAPE(10), x), KF_OK);
    file = commit_and_open(file, "a.h5");
    float y[10];
    assert_int_equal(kfi_hdf5_read(file, "/x", 7, 3, KF_FLOAT32, y), KF_OK);
    assert_true(y[0] == 7 && y[2] == 9);
    assert_int_equal(kfi_hdf5_read(file, "/x", 8, 3, KF_FLOAT32, y), KF_USAGE);
    assert_error_has("has 10 rows", kf_last_error());
    assert_int_equal(kfi_hdf5_read(file, "/x", -1, 3, KF_FLOAT32, y), KF_USAGE);
    assert_int_equal(kfi_hdf5_read(file, "/x", 0, INT64_MAX, KF_FLOAT32, y), KF_USAGE);
    assert_int_equal(kfi_hdf5_read(file, "/x", 0, 1, KF_N_DTYPES, y), KF_USAGE);
    kfi_hdf5_close(file);
}

static void growing(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    const kf_shape shape = KFI_SHAPE(0, 2);
    assert_int_equal(kfi_hdf5_make_dataset(file, "/g/x", KF_INT16, &shape, 8), KF_OK);
    int16_t row[2];
    for (int16_t i = 0; i < 100; i++) {
        row[0] = i, row[1] = (int16_t)-i;
        assert_int_equal(kfi_hdf5_write_rows(file, "/g/x", i, 1, KF_INT16, row), KF_OK);
    }
    assert_int_equal(kfi_hdf5_write_rows(file, "/g/x", 0, 1, KF_INT32, row), KF_USAGE);
    assert_int_equal(kfi_hdf5_make_dataset(file, "/fixed", KF_INT16, &KFI_SHAPE(1, 2), 0), KF_OK);
    assert_int_equal(kfi_hdf5_write_rows(file, "/fixed", 1, 1, KF_INT16, row), KF_USAGE);
    assert_error_has("cannot grow", kf_last_error());
    assert_int_equal(kfi_hdf5_write_rows(file, "/fixed", 0, 1, KF_INT16, row), KF_OK);
    file = commit_and_open(file, "a.h5");
    int64_t all[100][2];
    assert_int_equal(kfi_hdf5_chunk_rows(file, "/g/x"), 8);
    assert_int_equal(kfi_hdf5_read(file, "/g/x", 0, 100, KF_INT64, all), KF_OK);
    for (int i = 0; i < 100; i++) assert_true(all[i][0] == i && all[i][1] == -i);
    kfi_hdf5_close(file);
}

static void many_datasets(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    char path[32];
    for (int32_t i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "/g%d/x", i);
        assert_int_equal(kfi_hdf5_write(file, path, KF_INT32, &KFI_SHAPE(1), &i), KF_OK);
    }
    file = commit_and_open(file, "a.h5");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 100; i++) {
            int32_t value;
            snprintf(path, sizeof path, "/g%d/x", i);
            assert_int_equal(kfi_hdf5_read(file, path, 0, 1, KF_INT32, &value), KF_OK);
            assert_int_equal(value, i);
        }
    kfi_hdf5_close(file);
}

static void groups(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    uint8_t x = 1;
    assert_int_equal(kfi_hdf5_make_group(file, "/b/c"), KF_OK);
    assert_int_equal(kfi_hdf5_make_group(file, "/b/c"), KF_OK);
    assert_int_equal(kfi_hdf5_write(file, "/b/x", KF_UINT8, &KFI_SCALAR, &x), KF_OK);
    assert_int_equal(kfi_hdf5_write(file, "/b/x", KF_UINT8, &KFI_SCALAR, &x), KF_INVALID);
    assert_int_equal(kfi_hdf5_write(file, "/b/x/y", KF_UINT8, &KFI_SCALAR, &x), KF_INVALID);
    assert_int_equal(kfi_hdf5_write(file, "/a", KF_UINT8, &KFI_SHAPE(1), &x), KF_OK);
    file = commit_and_open(file, "a.h5");
    assert_true(kfi_hdf5_exists(file, "/b/c"));
    assert_true(kfi_hdf5_exists(file, "/b/x"));
    assert_false(kfi_hdf5_exists(file, "/b/y"));
    assert_false(kfi_hdf5_exists(file, "/b/x/y"));
    assert_true(kfi_hdf5_is_group(file, "/"));
    assert_true(kfi_hdf5_is_group(file, "/b/c/"));
    assert_false(kfi_hdf5_is_group(file, "/b/x"));
    kfi_strings *names;
    assert_int_equal(kfi_hdf5_list(file, "/", &names), KF_OK);
    assert_int_equal(names->count, 2);
    assert_string_equal(names->items[0], "a");
    assert_string_equal(names->items[1], "b");
    kfi_free(names);
    assert_int_equal(kfi_hdf5_list_datasets(file, "/", &names), KF_OK);
    assert_int_equal(names->count, 2);
    assert_string_equal(names->items[1], "b/x");
    kfi_free(names);
    assert_int_equal(kfi_hdf5_list(file, "/b/x", &names), KF_INVALID);
    assert_int_equal(kfi_hdf5_list(file, "/z", &names), KF_INVALID);
    assert_error_has("there is no '/z'", kf_last_error());
    kfi_hdf5_close(file);
}

static void old_stays(void **state) {
    (void)state;
    write_file(scratch("old.h5"), "old", 3);
    kfi_hdf5 *file = create("old.h5");
    uint8_t x = 1;
    assert_int_equal(kfi_hdf5_write(file, "/x", KF_UINT8, &KFI_SCALAR, &x), KF_OK);
    kfi_hdf5_close(file);
    assert_int_equal(file_bytes(scratch("old.h5")), 3);
    assert_int_equal(scratch_entries(), 1);
}

static void replaces(void **state) {
    (void)state;
    write_file(scratch("old.h5"), "old", 3);
    assert_int_equal(chmod(scratch("old.h5"), 0640), 0);
    assert_int_equal(symlink("old.h5", scratch("link.h5")), 0);
    kfi_hdf5 *file = create("link.h5");
    assert_int_equal(kfi_hdf5_commit(file), KF_OK);
    assert_int_equal(kfi_hdf5_commit(file), KF_USAGE);
    assert_int_equal(kfi_hdf5_make_group(file, "/x"), KF_USAGE);
    kfi_hdf5_close(file);
    struct stat about;
    assert_int_equal(lstat(scratch("link.h5"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(stat(scratch("old.h5"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_true(about.st_size > 100);
    assert_int_equal(scratch_entries(), 2);
}

static void same_bytes(void **state) {
    (void)state;
    static char first[100000], second[100000];
    for (int i = 0; i < 2; i++) {
        kfi_hdf5 *file = create("a.h5");
        float x[4] = {1, 2, 3, 4};
        kfi_hdf5_write(file, "/g/x", KF_FLOAT32, &KFI_SHAPE(4), x);
        kfi_hdf5_make_dataset(file, "/g/y", KF_FLOAT32, &KFI_SHAPE(0), 100);
        kfi_hdf5_write_rows(file, "/g/y", 0, 4, KF_FLOAT32, x);
        kfi_hdf5_write_string(file, "/g", "name", "value");
        assert_int_equal(kfi_hdf5_commit(file), KF_OK);
        kfi_hdf5_close(file);
        FILE *stream = fopen(scratch("a.h5"), "rb");
        assert_true(fread(i ? second : first, 1, sizeof first, stream) > 500);
        fclose(stream);
        if (!i) sleep(1); /* the clock must not be in the file */
    }
    assert_memory_equal(first, second, sizeof first);
}

static void full_disk_with(size_t limit) {
    write_file(scratch("old.h5"), "old", 3);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){limit, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    kfi_hdf5 *file;
    kf_status status = kfi_hdf5_create(scratch("old.h5"), &file);
    static float x[20000];
    char path[32];
    for (int i = 0; i < 20 && status == KF_OK; i++) {
        snprintf(path, sizeof path, "/layer_%d/kernel", i);
        status = kfi_hdf5_write(file, path, KF_FLOAT32, &KFI_SHAPE(20000), x);
    }
    const kf_shape rows = KFI_SHAPE(0, 10);
    if (status == KF_OK) status = kfi_hdf5_make_dataset(file, "/rows", KF_FLOAT32, &rows, 100);
    for (int i = 0; i < 100 && status == KF_OK; i++)
        status = kfi_hdf5_write_rows(file, "/rows", i * 200, 200, KF_FLOAT32, x);
    if (status == KF_OK) status = kfi_hdf5_commit(file);
    char message[300];
    snprintf(message, sizeof message, "%s", kf_last_error());
    kfi_hdf5_close(file);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, KF_IO);
    assert_error_has("old.h5", message);
    assert_error_has(strerror(EFBIG), message);
    assert_int_equal(file_bytes(scratch("old.h5")), 3);
    assert_int_equal(scratch_entries(), 1);
}

static void full_disk(void **state) {
    (void)state;
    static const size_t limits[] = {0, 100, 2000, 80000, 100000, 900000, 1610000, 1700000, 2400000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) full_disk_with(limits[i]);
}

static void cannot_write(void **state) {
    (void)state;
    kfi_hdf5 *file;
    assert_int_equal(kfi_hdf5_create(scratch("missing/a.h5"), &file), KF_IO);
    assert_null(file);
    assert_error_has("missing/a.h5", kf_last_error());
    assert_error_has(strerror(ENOENT), kf_last_error());
    assert_int_equal(kfi_hdf5_create(scratch_folder, &file), KF_IO);
    assert_error_has("a folder", kf_last_error());
    assert_int_equal(kfi_hdf5_create("/dev/null", &file), KF_IO);
    assert_error_has("not a regular file", kf_last_error());
}

static void cannot_read(void **state) {
    (void)state;
    kfi_hdf5 *file;
    assert_int_equal(kfi_hdf5_open(scratch("none.h5"), &file), KF_IO);
    assert_error_has(strerror(ENOENT), kf_last_error());
    assert_int_equal(kfi_hdf5_open(scratch_folder, &file), KF_IO);
    assert_int_equal(mkfifo(scratch("pipe"), 0600), 0);
    assert_int_equal(kfi_hdf5_open(scratch("pipe"), &file), KF_IO);
    write_file(scratch("text.h5"), "not HDF5 at all", 15);
    assert_int_equal(kfi_hdf5_open(scratch("text.h5"), &file), KF_INVALID);
    assert_error_has("text.h5", kf_last_error());
    write_file(scratch("empty.h5"), "", 0);
    assert_int_equal(kfi_hdf5_open(scratch("empty.h5"), &file), KF_INVALID);
    assert_null(file);
}

static void cut_file(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    static float x[10000];
    kfi_hdf5_write(file, "/x", KF_FLOAT32, &KFI_SHAPE(10000), x);
    kfi_hdf5_commit(file);
    kfi_hdf5_close(file);
    assert_int_equal(truncate(scratch("a.h5"), 3000), 0);
    if (kfi_hdf5_open(scratch("a.h5"), &file) == KF_OK)
        assert_int_equal(kfi_hdf5_read(file, "/x", 0, 10000, KF_FLOAT32, x), KF_INVALID);
    kfi_hdf5_close(file);
}

static void read_only(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    file = commit_and_open(file, "a.h5");
    uint8_t x = 1;
    assert_int_equal(kfi_hdf5_write(file, "/x", KF_UINT8, &KFI_SCALAR, &x), KF_USAGE);
    assert_int_equal(kfi_hdf5_write_string(file, "/", "x", "y"), KF_USAGE);
    assert_int_equal(kfi_hdf5_commit(file), KF_USAGE);
    assert_string_equal(kfi_hdf5_path(file), scratch("a.h5"));
    kfi_hdf5_close(file);
    kfi_hdf5_close(NULL);
}

static herr_t print_nothing(hid_t stack, void *data) {
    (void)stack, (void)data;
    return 0;
}

static void leaves_printing(void **state) {
    (void)state;
    H5E_auto2_t before, after;
    void *before_data, *after_data;
    H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
    H5Eset_auto2(H5E_DEFAULT, print_nothing, scratch_folder);
    kfi_hdf5 *file;
    kfi_hdf5_open(scratch("none.h5"), &file);
    file = create("a.h5");
    kfi_hdf5_close(file);
    H5Eget_auto2(H5E_DEFAULT, &after, &after_data);
    H5Eset_auto2(H5E_DEFAULT, before, before_data);
    assert_true(after == print_nothing);
    assert_ptr_equal(after_data, scratch_folder);
}

static int nothing_left_open(void **state) {
    (void)state;
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("datasets come back as they were written", datasets),
        SENTENCE("reading converts wider and narrower, and checks", converting),
        SENTENCE("only rows that exist are read", row_ranges),
        SENTENCE("a dataset grows row by row", growing),
        SENTENCE("more datasets are read than stay open", many_datasets),
        SENTENCE("groups are made, found and listed", groups),
        SENTENCE("closing without a commit leaves the old file and no trace", old_stays),
        SENTENCE("a commit replaces the file, its link and permissions kept", replaces),
        SENTENCE("the same content gives the same bytes", same_bytes),
        SENTENCE("a full disk at any moment leaves the old file and no trace", full_disk),
        SENTENCE("a path that cannot be written is told with the reason", cannot_write),
        SENTENCE("a path that cannot be read is told with the reason", cannot_read),
        SENTENCE("a file that was cut short is refused", cut_file),
        SENTENCE("a file open for reading is not written", read_only),
        SENTENCE("the application's HDF5 error printing is left alone", leaves_printing),
    };
    struct CMUnitTest all[sizeof tests / sizeof *tests];
    memcpy(all, tests, sizeof tests);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i].teardown_func = empty_scratch;
    return cmocka_run_group_tests(all, make_scratch, nothing_left_open);
}
