/* What the hdf5_*.c files share. hdf5_library.c loads the HDF5 library,
 * hdf5_disk.c moves bytes, hdf5_file.c opens and closes, hdf5_object.c walks paths, hdf5_dataset.c
 * opens and checks datasets, hdf5_rows.c reads and writes them, hdf5_attribute.c and
 * hdf5_heap.c attributes. */
#ifndef KFI_IO_HDF5_INTERNAL_H
#define KFI_IO_HDF5_INTERNAL_H

#include "io/atomic_file.h"
#include "io/hdf5_file.h"
#include "io/hdf5_library.h"

#include <time.h>

/* The file as the operating system has it. HDF5's view of it is the driver in hdf5_disk.c. */
typedef struct kfi_disk {
    int fd;
    int64_t bytes; /* its length when it was opened for reading                         */
    int error;     /* errno of the first read or write that failed; 0: none so far      */
    struct timespec modified; /* when it was written to last, then                      */
} kfi_disk;

/* An access property list that opens `disk` whatever the name; negative on failure. */
hid_t kfi_disk_access(kfi_disk *disk);

/* An open dataset, kept because its chunk cache lives as long as it is open. */
typedef struct kfi_hdf5_dataset {
    char *path; /* NULL: this place is free */
    hid_t id, memory_type;
    kf_dtype dtype;
    kf_shape shape;
    int64_t chunk_rows; /* 0: contiguous */
    bool is_uint64;     /* read as int64 if every value fits */
    int64_t used;       /* when: the least is closed first   */
} kfi_hdf5_dataset;

enum { KFI_OPEN_DATASETS = 16 };

struct kfi_hdf5 {
    char *path;
    hid_t id;
    bool writing;
    kfi_disk disk;
    kfi_atomic_file atomic; /* when writing */
    kfi_hdf5_dataset datasets[KFI_OPEN_DATASETS];
    int64_t n_uses;
};

/* Around every group of calls into the library: takes the lock, silences its error printing. Only
 * once a file was opened. */
void kfi_hdf5_enter(void);
void kfi_hdf5_leave(void);

/* Between enter and leave. The status and message for a call that failed: the operating system's
 * reason if there was one, else the library's. `object` may be NULL. */
kf_status kfi_hdf5_refused(kfi_hdf5 *file, const char *object, const char *doing);

/* KF_IO once any write has failed; the disk's trouble is told at the first chance. */
kf_status kfi_hdf5_check_disk(kfi_hdf5 *file);

/* KF_IO if somebody has written to the file since it was opened for reading: what was read then is
 * of no use, and what the library knows of the file may be wrong. */
kf_status kfi_hdf5_check_unchanged(const kfi_hdf5 *file);

/* KF_USAGE unless the file is being written. */
kf_status kfi_hdf5_check_writing(const kfi_hdf5 *file);

/* Opens what is at `path`, going through hard links only. Closed with H5Oclose. */
kf_status kfi_hdf5_find(kfi_hdf5 *file, const char *path, hid_t *object);

/* Makes the groups above the last part of `path`. */
kf_status kfi_hdf5_make_parents(kfi_hdf5 *file, const char *path);

/* Copies strings into one block. */
kfi_strings *kfi_strings_new(const char *const *strings, int64_t count);

/* The dataset at `path`, opened and checked if it was not open; valid until the next use. */
kf_status kfi_hdf5_use(kfi_hdf5 *file, const char *path, kfi_hdf5_dataset **used);
hid_t kfi_hdf5_native_type(kf_dtype dtype);

/* The strings of an attribute of variable-length strings, each freed with kfi_free, also after a
 * failure; `texts` has room for `count`, all NULL. */
kf_status kfi_hdf5_read_varying(kfi_hdf5 *file, hid_t attribute, hid_t type, const char *name,
                                int64_t count, char **texts);

void kfi_hdf5_close_datasets(kfi_hdf5 *file);

#endif
