/* Files that are written, saved and opened again, in the scratch folder. */
#ifndef KF_TESTS_IO_SAVED_H
#define KF_TESTS_IO_SAVED_H

#include "io/hdf5_file.h"
#include "tests/io/scratch.h"

static inline kfi_hdf5 *create(const char *name) {
    kfi_hdf5 *file;
    assert_int_equal(kfi_hdf5_create(scratch(name), &file), KF_OK);
    return file;
}

static inline kfi_hdf5 *commit_and_open(kfi_hdf5 *file, const char *name) {
    assert_int_equal(kfi_hdf5_commit(file), KF_OK);
    kfi_hdf5_close(file);
    assert_int_equal(kfi_hdf5_open(scratch(name), &file), KF_OK);
    return file;
}

#endif
