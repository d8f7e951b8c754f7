/* How the HDF5 library comes into the process. The tests share one: it is not there, is another
 * one, and comes at last. */
#include "core/base/memory.h"
#include "tests/io/saved.h"

#include <dlfcn.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdatomic.h>

static const char *instead; /* opened in place of HDF5; NULL: as asked for */
static atomic_int n_opened; /* times                                       */

/* The system's, told another name. */
void *dlopen(const char *name, int flags) {
    void *(*next)(const char *, int);
    *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    if (!name || !strstr(name, "hdf5")) return next(name, flags);
    atomic_fetch_add(&n_opened, 1);
    return next(instead ? instead : name, flags);
}

/* Neither an existing file nor a new one can be opened, for a reason that has `part` in it. */
static void assert_refused(const char *library, const char *part) {
    kfi_hdf5 *file = NULL;
    write_file(scratch("old.h5"), "it need not be HDF5", 19);
    instead = library;
    assert_int_equal(kfi_hdf5_open(scratch("old.h5"), &file), KF_IO);
    assert_null(file);
    assert_error_has("cannot open '", kf_last_error());
    assert_error_has("old.h5': lib", kf_last_error());
    assert_error_has(part, kf_last_error());
    assert_int_equal(kfi_hdf5_create(scratch("new.h5"), &file), KF_IO);
    assert_null(file);
    assert_error_has("cannot write '", kf_last_error());
    assert_error_has(part, kf_last_error());
    assert_int_equal(scratch_entries(), 1);
    instead = NULL;
}

static void not_there(void **state) {
    (void)state;
    assert_refused("libkf-of-no-such-name.so.7",
                   " cannot be loaded: libkf-of-no-such-name.so.7: cannot open shared object file");
}

static void incomplete(void **state) {
    (void)state;
    assert_refused("libm.so.6", " has no H5get_libversion");
    assert_refused(KF_BARE_HDF5, " has no H5Aclose");
}

static void other_release(void **state) {
    (void)state;
    char part[100];
    snprintf(part, sizeof part, " is HDF5 %d.%d.1000, but kf was compiled for %d.%d.%d",
             H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
    assert_refused(KF_OTHER_HDF5, part);
}

static void missing_file(void **state) {
    (void)state;
    kfi_hdf5 *file = NULL;
    const int before = n_opened;
    assert_int_equal(kfi_hdf5_open(scratch("nowhere.h5"), &file), KF_IO);
    assert_error_has("No such file", kf_last_error());
    assert_int_equal(n_opened, before);
}

static void *write_and_read(void *data) {
    char name[16];
    const int64_t written = *(const int *)data;
    int64_t read = -1;
    kfi_hdf5 *file = NULL;
    snprintf(name, sizeof name, "%d.h5", (int)written);
    char *path = kfi_format("%s/%s", scratch_folder, name);
    const kf_shape one = {.rank = 0};
    bool fine = path && kfi_hdf5_create(path, &file) == KF_OK &&
                kfi_hdf5_write(file, "/x", KF_INT64, &one, &written) == KF_OK &&
                kfi_hdf5_commit(file) == KF_OK;
    kfi_hdf5_close(file);
    file = NULL;
    fine = fine && kfi_hdf5_open(path, &file) == KF_OK &&
           kfi_hdf5_read(file, "/x", 0, 1, KF_INT64, &read) == KF_OK && read == written;
    kfi_hdf5_close(file);
    kfi_free(path);
    return fine ? data : NULL;
}

static void many_threads(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int numbers[THREADS];
    n_opened = 0;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &numbers[i]);
    }
    assert_int_equal(n_opened, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a library that is not there is named, with the file and the reason", not_there),
        SENTENCE("a library without what kf uses is refused by what it lacks", incomplete),
        SENTENCE("a library of another release is refused with both numbers", other_release),
        SENTENCE("for a file that is not there nothing is loaded", missing_file),
        SENTENCE("what failed is tried again, and threads may come first together", many_threads),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
