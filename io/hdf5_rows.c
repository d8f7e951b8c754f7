/* Rows of datasets, read as any type and written. The conversion is kf's own (HDF5's would clamp
 * what does not fit) and happens outside the lock. */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"
#include "io/dataset.h"

#include <string.h>

enum { PIECE_BYTES = 1 << 20 }; /* read at once where a buffer of our own is needed */

/* The selection of rows in the file and the shape they have in memory; H5S_ALL for a scalar. */
static bool select_rows(const kfi_hdf5_dataset *dataset, int64_t start, int64_t rows,
                        hid_t *in_file, hid_t *in_memory) {
    *in_file = *in_memory = H5S_ALL;
    if (dataset->shape.rank == 0) return true;
    hsize_t first[KF_MAX_RANK] = {(hsize_t)start}, dims[KF_MAX_RANK] = {(hsize_t)rows};
    for (int i = 1; i < dataset->shape.rank; i++) dims[i] = (hsize_t)dataset->shape.dims[i];
    *in_file = kfi_h5.Dget_space(dataset->id);
    *in_memory = kfi_h5.Screate_simple(dataset->shape.rank, dims, NULL);
    return *in_file >= 0 && *in_memory >= 0 &&
           kfi_h5.Sselect_hyperslab(*in_file, H5S_SELECT_SET, first, NULL, dims, NULL) >= 0;
}

static void close_selection(hid_t in_file, hid_t in_memory) {
    if (in_file > 0) kfi_h5.Sclose(in_file); /* H5S_ALL is 0 */
    if (in_memory > 0) kfi_h5.Sclose(in_memory);
}

static kf_status check_uint64(kfi_hdf5 *file, const kfi_hdf5_dataset *dataset, int64_t start,
                              int64_t rows, int64_t per_row, const char *data) {
    if (!dataset->is_uint64) return KF_OK;
    for (int64_t i = 0; i < rows * per_row; i++) {
        uint64_t value;
        memcpy(&value, data + (size_t)i * sizeof value, sizeof value);
        if (value > INT64_MAX)
            return kfi_fail(KF_INVALID, "%s: '%s': row %lld holds %llu, which does not fit int64",
                            file->path, dataset->path, (long long)(start + i / per_row),
                            (unsigned long long)value);
    }
    return KF_OK;
}

/* Rows as the dataset's own dtype. */
static kf_status read_native(kfi_hdf5 *file, const char *path, int64_t start, int64_t rows,
                             int64_t per_row, void *out) {
    kfi_hdf5_dataset *dataset;
    kfi_hdf5_enter();
    kf_status status = kfi_hdf5_use(file, path, &dataset);
    if (status == KF_OK) {
        hid_t in_file, in_memory;
        if (!select_rows(dataset, start, rows, &in_file, &in_memory) ||
            kfi_h5.Dread(dataset->id, dataset->memory_type, in_memory, in_file, H5P_DEFAULT, out) <
                0)
            status = kfi_hdf5_refused(file, path, "read its data");
        close_selection(in_file, in_memory);
        const kf_status unchanged = kfi_hdf5_check_unchanged(file);
        if (unchanged != KF_OK) status = unchanged; /* which is why, if the reading failed */
        if (status == KF_OK) status = check_uint64(file, dataset, start, rows, per_row, out);
    }
    kfi_hdf5_leave();
    return status;
}

/* Where the wanted type is smaller: piece by piece through a buffer. */
static kf_status read_narrowing(kfi_hdf5 *file, const char *path, kf_dtype dtype, int64_t start,
                                int64_t rows, int64_t per_row, kf_dtype as, char *out) {
    const int64_t row_bytes = per_row * (int64_t)kf_dtype_size(dtype);
    int64_t piece = PIECE_BYTES / row_bytes;
    if (piece < 1) piece = 1;
    if (piece > rows) piece = rows;
    void *buffer = kfi_alloc_buffer((size_t)(piece * row_bytes));
    if (!buffer) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t done = 0; done < rows && status == KF_OK; done += piece) {
        const int64_t n = rows - done < piece ? rows - done : piece;
        status = read_native(file, path, start + done, n, per_row, buffer);
        if (status == KF_OK)
            status = kfi_convert(buffer, dtype, out + (size_t)(done * per_row) * kf_dtype_size(as),
                                 as, n * per_row, per_row, start + done, path);
    }
    kfi_free_buffer(buffer, (size_t)(piece * row_bytes));
    return status;
}

kf_status kfi_hdf5_read(kfi_hdf5 *file, const char *path, int64_t start, int64_t rows, kf_dtype as,
                        void *out) {
    kf_dtype dtype;
    kf_shape shape;
    const kf_status status = kfi_hdf5_describe(file, path, &dtype, &shape);
    if (status != KF_OK) return status;
    const int64_t available = shape.rank ? shape.dims[0] : 1;
    if (!kf_dtype_size(as)) return kfi_fail(KF_USAGE, "%s: unknown element type", path);
    if (start < 0 || rows < 0 || rows > available || start > available - rows)
        return kfi_fail(KF_USAGE, "%s: '%s' has %lld rows; rows %lld to %lld were asked for",
                        file->path, path, (long long)available, (long long)start,
                        (long long)(start + rows));
    const int64_t per_row = kfi_shape_product(&shape, 1, shape.rank), count = rows * per_row;
    if (count == 0) return KF_OK;
    if (kf_dtype_size(as) < kf_dtype_size(dtype)) {
        const kf_status read = read_narrowing(file, path, dtype, start, rows, per_row, as, out);
        return read == KF_INVALID ? kfi_within(read, "%s: ", file->path) : read;
    }
    /* read into the end of the room, then widened in place from the front */
    char *raw = (char *)out + (size_t)count * (kf_dtype_size(as) - kf_dtype_size(dtype));
    const kf_status read = read_native(file, path, start, rows, per_row, raw);
    if (read != KF_OK) return read;
    return kfi_within(kfi_convert(raw, dtype, out, as, count, per_row, start, path),
                      "%s: ", file->path);
}

/* Little-endian whatever the machine, as everybody's files are. */
static hid_t file_type(kf_dtype dtype) {
    switch (dtype) {
    case KF_FLOAT32:
        return *kfi_h5.T_IEEE_F32LE_g;
    case KF_FLOAT64:
        return *kfi_h5.T_IEEE_F64LE_g;
    case KF_INT8:
        return *kfi_h5.T_STD_I8LE_g;
    case KF_UINT8:
        return *kfi_h5.T_STD_U8LE_g;
    case KF_INT16:
        return *kfi_h5.T_STD_I16LE_g;
    case KF_UINT16:
        return *kfi_h5.T_STD_U16LE_g;
    case KF_INT32:
        return *kfi_h5.T_STD_I32LE_g;
    case KF_UINT32:
        return *kfi_h5.T_STD_U32LE_g;
    case KF_INT64:
        return *kfi_h5.T_STD_I64LE_g;
    case KF_N_DTYPES:
        break;
    }
    return H5I_INVALID_HID;
}

static kf_status check_new(kfi_hdf5 *file, const char *path, kf_dtype dtype,
                           const kf_shape *shape) {
    if (!kf_dtype_size(dtype) || shape->rank < 0 || shape->rank > KF_MAX_RANK ||
        kfi_shape_count(shape) < 0)
        return kfi_fail(KF_USAGE, "%s: '%s' cannot have the type %s and shape %s", file->path, path,
                        kf_dtype_name(dtype), kfi_shape_string(shape));
    return KF_OK;
}

/* A chunk that is not written whole must not take stale memory along, so only contiguous datasets
 * go without fill values. */
static hid_t creation_for(const kf_shape *shape, int64_t chunk_rows) {
    const hid_t creation = kfi_h5.Pcreate(*kfi_h5.P_CLS_DATASET_CREATE_ID_g);
    if (creation < 0) return creation;
    hsize_t chunk[KF_MAX_RANK] = {(hsize_t)chunk_rows};
    for (int i = 1; i < shape->rank; i++) chunk[i] = shape->dims[i] ? (hsize_t)shape->dims[i] : 1;
    const bool made = kfi_h5.Pset_obj_track_times(creation, false) >= 0 &&
                      (chunk_rows ? kfi_h5.Pset_chunk(creation, shape->rank, chunk)
                                  : kfi_h5.Pset_fill_time(creation, H5D_FILL_TIME_NEVER)) >= 0;
    if (made) return creation;
    kfi_h5.Pclose(creation);
    return H5I_INVALID_HID;
}

static hid_t create(kfi_hdf5 *file, const char *path, kf_dtype dtype, const kf_shape *shape,
                    int64_t chunk_rows) {
    hsize_t dims[KF_MAX_RANK], most[KF_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) dims[i] = most[i] = (hsize_t)shape->dims[i];
    if (chunk_rows) most[0] = H5S_UNLIMITED;
    const hid_t space =
        shape->rank ? kfi_h5.Screate_simple(shape->rank, dims, most) : kfi_h5.Screate(H5S_SCALAR);
    const hid_t creation = creation_for(shape, chunk_rows);
    hid_t id = H5I_INVALID_HID;
    if (space >= 0 && creation >= 0)
        id = kfi_h5.Dcreate2(file->id, path, file_type(dtype), space, H5P_DEFAULT, creation,
                             H5P_DEFAULT);
    if (space >= 0) kfi_h5.Sclose(space);
    if (creation >= 0) kfi_h5.Pclose(creation);
    return id;
}

kf_status kfi_hdf5_write(kfi_hdf5 *file, const char *path, kf_dtype dtype, const kf_shape *shape,
                         const void *data) {
    kf_status status = check_new(file, path, dtype, shape);
    if (status != KF_OK) return status;
    kfi_hdf5_enter();
    status = kfi_hdf5_make_parents(file, path);
    if (status == KF_OK) {
        const hid_t id = create(file, path, dtype, shape, 0);
        if (id < 0 ||
            (kfi_shape_count(shape) > 0 && kfi_h5.Dwrite(id, kfi_hdf5_native_type(dtype), H5S_ALL,
                                                         H5S_ALL, H5P_DEFAULT, data) < 0))
            status = kfi_hdf5_refused(file, path, "write it");
        if (id >= 0) kfi_h5.Dclose(id);
        if (status == KF_OK) status = kfi_hdf5_check_disk(file);
    }
    kfi_hdf5_leave();
    return status;
}

kf_status kfi_hdf5_make_dataset(kfi_hdf5 *file, const char *path, kf_dtype dtype,
                                const kf_shape *shape, int64_t chunk_rows) {
    kf_shape initial = *shape;
    if (chunk_rows && shape->rank > 0 && shape->dims[0] < 0) initial.dims[0] = 0;
    kf_status status = check_new(file, path, dtype, &initial);
    if (status != KF_OK) return status;
    if (shape->rank == 0 || chunk_rows < 0)
        return kfi_fail(KF_USAGE, "%s: '%s' has no axis of rows", file->path, path);
    kfi_hdf5_enter();
    status = kfi_hdf5_make_parents(file, path);
    if (status == KF_OK) {
        const hid_t id = create(file, path, dtype, &initial, chunk_rows);
        if (id < 0) status = kfi_hdf5_refused(file, path, "make the dataset");
        if (id >= 0) kfi_h5.Dclose(id);
    }
    kfi_hdf5_leave();
    return status;
}

static kf_status make_room(kfi_hdf5 *file, kfi_hdf5_dataset *dataset, int64_t rows) {
    if (rows <= dataset->shape.dims[0]) return KF_OK;
    if (!dataset->chunk_rows)
        return kfi_fail(KF_USAGE, "%s: '%s' has %lld rows and cannot grow to %lld", file->path,
                        dataset->path, (long long)dataset->shape.dims[0], (long long)rows);
    hsize_t dims[KF_MAX_RANK] = {(hsize_t)rows};
    for (int i = 1; i < dataset->shape.rank; i++) dims[i] = (hsize_t)dataset->shape.dims[i];
    if (kfi_h5.Dset_extent(dataset->id, dims) < 0)
        return kfi_hdf5_refused(file, dataset->path, "make it longer");
    dataset->shape.dims[0] = rows;
    return KF_OK;
}

static kf_status write_used(kfi_hdf5 *file, kfi_hdf5_dataset *dataset, int64_t start, int64_t rows,
                            kf_dtype dtype, const void *data) {
    int64_t end;
    if (dataset->shape.rank == 0 || start < 0 || rows < 0 ||
        __builtin_add_overflow(start, rows, &end) || dtype != dataset->dtype)
        return kfi_fail(KF_USAGE, "%s: '%s' holds %s%s, not %s at row %lld", file->path,
                        dataset->path, dataset->shape.rank ? "rows of " : "one ",
                        kf_dtype_name(dataset->dtype), kf_dtype_name(dtype), (long long)start);
    kf_status status = make_room(file, dataset, end);
    if (status != KF_OK || rows * kfi_shape_product(&dataset->shape, 1, dataset->shape.rank) == 0)
        return status;
    hid_t in_file, in_memory;
    if (!select_rows(dataset, start, rows, &in_file, &in_memory) ||
        kfi_h5.Dwrite(dataset->id, kfi_hdf5_native_type(dtype), in_memory, in_file, H5P_DEFAULT,
                      data) < 0)
        status = kfi_hdf5_refused(file, dataset->path, "write its data");
    close_selection(in_file, in_memory);
    return status == KF_OK ? kfi_hdf5_check_disk(file) : status;
}

kf_status kfi_hdf5_write_rows(kfi_hdf5 *file, const char *path, int64_t start, int64_t rows,
                              kf_dtype dtype, const void *data) {
    kfi_hdf5_dataset *dataset;
    kfi_hdf5_enter();
    kf_status status = kfi_hdf5_check_writing(file);
    if (status == KF_OK) status = kfi_hdf5_use(file, path, &dataset);
    if (status == KF_OK) status = write_used(file, dataset, start, rows, dtype, data);
    kfi_hdf5_leave();
    return status;
}
