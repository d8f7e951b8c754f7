/* HDF5 files: what kf sees of them and of the HDF5 library. One lock stands around every call
 * (Debian's library is not thread-safe). What is read is checked: hard links only, no external
 * storage or virtual datasets, no unknown filters, declared sizes against a budget, before any
 * allocation. Messages name the file and the object. */
#ifndef KFI_IO_HDF5_FILE_H
#define KFI_IO_HDF5_FILE_H

#include "core/base/shape.h"
#include "core/base/status.h"

#include <stdbool.h>

typedef struct kfi_hdf5 kfi_hdf5;

kf_status kfi_hdf5_open(const char *path, kfi_hdf5 **file); /* read only */

/* Writes beside `path`; kfi_hdf5_commit flushes, fsyncs, renames over `path` and fsyncs the folder;
 * closing without a commit leaves the old file as it was and no trace of the new one. */
kf_status kfi_hdf5_create(const char *path, kfi_hdf5 **file);
kf_status kfi_hdf5_commit(kfi_hdf5 *file);
void kfi_hdf5_close(kfi_hdf5 *file); /* accepts NULL */
const char *kfi_hdf5_path(const kfi_hdf5 *file);

/* A list of strings, allocated together; freed with kfi_free. */
typedef struct kfi_strings {
    int64_t count;
    const char *items[];
} kfi_strings;

/* Paths are absolute inside the file: "/model_weights/dense_1". "/" is the root. */
bool kfi_hdf5_exists(kfi_hdf5 *file, const char *path); /* a group or dataset by hard links */
bool kfi_hdf5_is_group(kfi_hdf5 *file, const char *path);
kf_status kfi_hdf5_list(kfi_hdf5 *file, const char *group, kfi_strings **names); /* name order */

/* The paths inside `group` ("train/image") of every dataset in it and in the groups under it, in
 * name order. A link that is not hard is refused here, not passed over. */
kf_status kfi_hdf5_list_datasets(kfi_hdf5 *file, const char *group, kfi_strings **names);

/* The same with all that is no group: links, and what cannot be opened. */
kf_status kfi_hdf5_list_everything(kfi_hdf5 *file, const char *group, kfi_strings **names);

kf_status kfi_hdf5_make_group(kfi_hdf5 *file, const char *path); /* with its parents */

/* Datasets. rank 0 for scalars. Types: integers and floats of every size that kf_dtype has, in
 * either byte order; bool (h5py's enum) as uint8. */
kf_status kfi_hdf5_describe(kfi_hdf5 *file, const char *path, kf_dtype *dtype, kf_shape *shape);

/* Whether the dataset's elements are of such a type: tells notes and names from data. */
bool kfi_hdf5_is_numeric(kfi_hdf5 *file, const char *path);

/* Reads rows [start, start + rows) of the first axis (all of a scalar: 0, 1) into `out`, converted
 * to `as`. A value that does not fit an integer type is KF_INVALID and names its row. */
kf_status kfi_hdf5_read(kfi_hdf5 *file, const char *path, int64_t start, int64_t rows, kf_dtype as,
                        void *out);

/* Rows per chunk of the first axis; 0 for contiguous storage. */
int64_t kfi_hdf5_chunk_rows(kfi_hdf5 *file, const char *path);

/* How a dataset stands in the file. */
typedef struct kfi_hdf5_storage {
    kf_shape chunk;   /* rank 0: in one piece */
    char filters[64]; /* "shuffle, gzip"; "": none */
    int64_t bytes;    /* that it takes there */
} kfi_hdf5_storage;
kf_status kfi_hdf5_storage_of(kfi_hdf5 *file, const char *path, kfi_hdf5_storage *storage);

/* Writes a whole contiguous dataset, parents made as needed. */
kf_status kfi_hdf5_write(kfi_hdf5 *file, const char *path, kf_dtype dtype, const kf_shape *shape,
                         const void *data);

/* A dataset to be filled row by row: the first axis grows as needed; chunk_rows 0: contiguous of
 * the given first dimension. */
kf_status kfi_hdf5_make_dataset(kfi_hdf5 *file, const char *path, kf_dtype dtype,
                                const kf_shape *shape, int64_t chunk_rows);
kf_status kfi_hdf5_write_rows(kfi_hdf5 *file, const char *path, int64_t start, int64_t rows,
                              kf_dtype dtype, const void *data);

/* Attributes, as Keras and h5py write them: read accepts variable- and fixed-length strings,
 * ASCII and UTF-8; write makes fixed-length ASCII NULLPAD up to 64512 bytes, variable-length above.
 * Missing is KF_INVALID for _read, false for _has. Strings are freed with kfi_free. */
bool kfi_hdf5_has_attribute(kfi_hdf5 *file, const char *object, const char *name);
kf_status kfi_hdf5_read_string(kfi_hdf5 *file, const char *object, const char *name, char **text);
kf_status kfi_hdf5_write_string(kfi_hdf5 *file, const char *object, const char *name,
                                const char *text);

/* Name lists, chunked into name0, name1 … above 64512 bytes as Keras does; an empty list is a
 * float64 attribute of dims {0}. */
kf_status kfi_hdf5_read_strings(kfi_hdf5 *file, const char *object, const char *name,
                                kfi_strings **strings);
kf_status kfi_hdf5_write_strings(kfi_hdf5 *file, const char *object, const char *name,
                                 const char *const *strings, int64_t count);

/* Integer attribute of any width, scalar. */
kf_status kfi_hdf5_read_integer(kfi_hdf5 *file, const char *object, const char *name,
                                int64_t *value);

#endif
