/* The driver through which HDF5 reaches a file: pread and pwrite on a descriptor that we opened.
 * It exists for one reason: when a write fails (a full disk), the library's own drivers leave it in
 * a state where closing fails again, leaks, or crashes at exit. This one notes the first failure
 * and tells the library that all went well; kfi_hdf5_check_disk then tells the caller, and the file
 * is never renamed into place. It takes no file locks, so reading works on any file system. */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAX_ADDRESS ((haddr_t)INT64_MAX)

enum { GUESS_BYTES = 64 << 10 };

/* HDF5 hands the access list's driver information to `open`. */
typedef struct disk_info {
    kfi_disk *disk;
} disk_info;

typedef struct disk_file {
    H5FD_t common; /* HDF5's part, first */
    kfi_disk *disk;
    haddr_t end_of_allocation, end_of_file;
} disk_file;

static void note_error(kfi_disk *disk) {
    if (!disk->error) disk->error = errno ? errno : EIO;
}

static H5FD_t *disk_open(const char *name, unsigned flags, hid_t access, haddr_t max_address) {
    (void)name, (void)max_address;
    const disk_info *info = kfi_h5.Pget_driver_info(access);
    if (!info) return NULL;
    disk_file *file = kfi_alloc(1, sizeof *file);
    const off_t bytes = lseek(info->disk->fd, 0, SEEK_END);
    if (!file || bytes < 0) {
        if (!file) errno = ENOMEM;
        note_error(info->disk);
        kfi_free(file);
        return NULL;
    }
    file->disk = info->disk;
    file->end_of_file = flags & H5F_ACC_TRUNC ? 0 : (haddr_t)bytes;
    return &file->common;
}

static herr_t disk_close(H5FD_t *common) {
    kfi_free(common);
    return 0;
}

/* Without the metadata accumulator, which copies past its buffer when a damaged file gives absurd
 * sizes. */
static herr_t disk_query(const H5FD_t *common, unsigned long *features) {
    (void)common;
    *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t disk_get_end_of_allocation(const H5FD_t *common, H5FD_mem_t type) {
    (void)type;
    return ((const disk_file *)common)->end_of_allocation;
}

static herr_t disk_set_end_of_allocation(H5FD_t *common, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((disk_file *)common)->end_of_allocation = address;
    return 0;
}

static haddr_t disk_get_end_of_file(const H5FD_t *common, H5FD_mem_t type) {
    (void)type;
    return ((const disk_file *)common)->end_of_file;
}

/* A local heap (the names of a group's members) says how long its data is, at byte 8; HDF5 1.10
 * copies that much whatever the file has. Every writer in use makes sizes of 8 bytes. */
static bool is_absurd_heap(const disk_file *file, H5FD_mem_t type, const void *bytes, size_t n) {
    uint64_t size;
    if (type != H5FD_MEM_LHEAP || n < 16 || memcmp(bytes, "HEAP", 4) != 0) return false;
    memcpy(&size, (const char *)bytes + 8, sizeof size);
    return le64toh(size) > file->end_of_file;
}

/* Bytes a little beyond the end of the file read as zeros, as the library expects (it guesses how
 * long a structure is); a damaged size that reaches far beyond is refused. */
static herr_t disk_read(H5FD_t *common, H5FD_mem_t type, hid_t transfer, haddr_t address,
                        size_t bytes, void *buffer) {
    (void)type, (void)transfer;
    disk_file *file = (disk_file *)common;
    if (address > MAX_ADDRESS || bytes > MAX_ADDRESS - address) return -1;
    if (address + bytes > file->end_of_file + GUESS_BYTES) return -1;
    char *at = buffer;
    const size_t wanted = bytes;
    while (bytes) {
        const ssize_t got = pread(file->disk->fd, at, bytes, (off_t)address);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            note_error(file->disk);
            return -1;
        }
        if (got == 0) break;
        at += got, address += (haddr_t)got, bytes -= (size_t)got;
    }
    memset(at, 0, bytes);
    return is_absurd_heap(file, type, buffer, wanted) ? -1 : 0;
}

static herr_t disk_write(H5FD_t *common, H5FD_mem_t type, hid_t transfer, haddr_t address,
                         size_t bytes, const void *buffer) {
    (void)type, (void)transfer;
    disk_file *file = (disk_file *)common;
    if (address > MAX_ADDRESS || bytes > MAX_ADDRESS - address) return -1;
    if (address + bytes > file->end_of_file) file->end_of_file = address + bytes;
    const char *at = buffer;
    while (bytes && !file->disk->error) {
        const ssize_t put = pwrite(file->disk->fd, at, bytes, (off_t)address);
        if (put < 0 && errno != EINTR) note_error(file->disk);
        if (put > 0) at += put, address += (haddr_t)put, bytes -= (size_t)put;
    }
    return 0;
}

static herr_t disk_truncate(H5FD_t *common, hid_t transfer, hbool_t closing) {
    (void)transfer, (void)closing;
    disk_file *file = (disk_file *)common;
    if (file->end_of_allocation == file->end_of_file) return 0;
    if (!file->disk->error && ftruncate(file->disk->fd, (off_t)file->end_of_allocation) != 0)
        note_error(file->disk);
    file->end_of_file = file->end_of_allocation;
    return 0;
}

static const H5FD_class_t disk_driver = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = 600, /* the first of the values that HDF5 leaves to others */
#endif
    .name = "kf_disk",
    .maxaddr = MAX_ADDRESS,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(disk_info),
    .open = disk_open,
    .close = disk_close,
    .query = disk_query,
    .get_eoa = disk_get_end_of_allocation,
    .set_eoa = disk_set_end_of_allocation,
    .get_eof = disk_get_end_of_file,
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t kfi_disk_access(kfi_disk *disk) {
    static hid_t driver = H5I_INVALID_HID; /* written under hdf5_file.c's lock */
    if (kfi_h5.Iget_type(driver) != H5I_VFL) driver = kfi_h5.FDregister(&disk_driver);
    const hid_t access = kfi_h5.Pcreate(*kfi_h5.P_CLS_FILE_ACCESS_ID_g);
    if (driver < 0 || access < 0) return H5I_INVALID_HID;
    const disk_info info = {disk};
    if (kfi_h5.Pset_driver(access, driver, &info) >= 0) return access;
    kfi_h5.Pclose(access);
    return H5I_INVALID_HID;
}
