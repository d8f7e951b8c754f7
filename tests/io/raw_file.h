/* A file made with the HDF5 library itself, as others may have made it. */
#ifndef KF_TESTS_IO_RAW_FILE_H
#define KF_TESTS_IO_RAW_FILE_H

#include "io/hdf5_file.h"
#include "tests/io/scratch.h"

#include <hdf5.h>

static hid_t raw;

static inline void begin(void) {
    raw = H5Fcreate(scratch("h.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(raw >= 0);
}

static inline kfi_hdf5 *reopen(void) {
    kfi_hdf5 *file;
    assert_int_equal(H5Fclose(raw), 0);
    assert_int_equal(kfi_hdf5_open(scratch("h.h5"), &file), KF_OK);
    return file;
}

static inline void add(hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims,
                       hid_t creation, const void *data) {
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t id = H5Dcreate2(at, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(id >= 0);
    if (data) assert_true(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(id);
    H5Sclose(space);
}

static inline void add_attribute(const char *name, hid_t type, hid_t space, const void *data) {
    const hid_t id = H5Acreate2(raw, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0);
    if (data) H5Awrite(id, type, data);
    H5Aclose(id);
}

static inline hid_t text_type(size_t size, H5T_str_t padding, H5T_cset_t set) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, padding);
    H5Tset_cset(type, set);
    return type;
}

static inline int nothing_left_open(void **state) {
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

#endif
