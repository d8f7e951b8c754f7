/* Opening, committing and closing, and what every call into the library is wrapped in. */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static H5E_auto2_t
    printer; /* the application's error printing, put back by leave; under the lock */
static void *printer_data;

void kfi_hdf5_enter(void) {
    pthread_mutex_lock(&lock);
    kfi_h5.Eget_auto2(H5E_DEFAULT, &printer, &printer_data);
    kfi_h5.Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void kfi_hdf5_leave(void) {
    kfi_h5.Eset_auto2(H5E_DEFAULT, printer, printer_data);
    pthread_mutex_unlock(&lock);
}

typedef struct reason {
    char text[256];
    bool no_memory;
} reason;

static herr_t take_innermost(unsigned depth, const H5E_error2_t *error, void *data) {
    reason *why = data;
    if (depth || !error->desc) return 0;
    strncpy(why->text, error->desc, sizeof why->text - 1);
    why->no_memory =
        error->maj_num == *kfi_h5.E_RESOURCE_g && error->min_num == *kfi_h5.E_NOSPACE_g;
    return 0;
}

static reason library_reason(void) {
    reason why = {0};
    kfi_h5.Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &why);
    return why;
}

kf_status kfi_hdf5_refused(kfi_hdf5 *file, const char *object, const char *doing) {
    const reason why = library_reason();
    const char *colon = object ? ": " : "";
    if (!object) object = "";
    if (file->disk.error)
        return kfi_fail(file->disk.error == ENOMEM ? KF_MEMORY : KF_IO, "%s%s%s: cannot %s: %s",
                        file->path, colon, object, doing, strerror(file->disk.error));
    return kfi_fail(why.no_memory ? KF_MEMORY : KF_INVALID, "%s%s%s: cannot %s%s%s", file->path,
                    colon, object, doing, why.text[0] ? ": HDF5 says: " : "", why.text);
}

kf_status kfi_hdf5_check_disk(kfi_hdf5 *file) {
    if (!file->disk.error) return KF_OK;
    return kfi_fail(KF_IO, "cannot write '%s': %s", file->path, strerror(file->disk.error));
}

kf_status kfi_hdf5_check_unchanged(const kfi_hdf5 *file) {
    struct stat now;
    if (file->writing) return KF_OK;
    if (fstat(file->disk.fd, &now) != 0)
        return kfi_fail(KF_IO, "cannot read '%s': %s", file->path, strerror(errno));
    if (now.st_size != file->disk.bytes)
        return kfi_fail(KF_IO,
                        "'%s' was changed while it was read: it has %lld bytes now, not %lld",
                        file->path, (long long)now.st_size, (long long)file->disk.bytes);
    if (now.st_mtim.tv_sec != file->disk.modified.tv_sec ||
        now.st_mtim.tv_nsec != file->disk.modified.tv_nsec)
        return kfi_fail(KF_IO, "'%s' was changed while it was read", file->path);
    return KF_OK;
}

kf_status kfi_hdf5_check_writing(const kfi_hdf5 *file) {
    if (file->writing && file->id >= 0) return KF_OK;
    return kfi_fail(KF_USAGE, "%s: the file is not open for writing", file->path);
}

const char *kfi_hdf5_path(const kfi_hdf5 *file) { return file->path; }

static kf_status close_id(kfi_hdf5 *file) {
    kfi_hdf5_close_datasets(file);
    const herr_t closed = kfi_h5.Fclose(file->id);
    file->id = H5I_INVALID_HID;
    return closed < 0 ? kfi_hdf5_refused(file, NULL, "close the file") : KF_OK;
}

void kfi_hdf5_close(kfi_hdf5 *file) {
    if (!file) return;
    if (file->id >= 0) {
        kfi_hdf5_enter();
        if (file->writing && !file->disk.error) file->disk.error = ECANCELED; /* spare writing */
        close_id(file);
        kfi_hdf5_leave();
    }
    if (!file->writing && file->disk.fd >= 0) close(file->disk.fd);
    kfi_atomic_abandon(&file->atomic);
    kfi_free(file->path);
    kfi_free(file);
}

static kfi_hdf5 *make(const char *path, bool writing) {
    kfi_hdf5 *file = kfi_alloc(1, sizeof *file);
    if (!file) return NULL;
    file->id = H5I_INVALID_HID;
    file->disk.fd = file->atomic.fd = -1;
    file->writing = writing;
    file->path = kfi_strdup(path);
    if (file->path) return file;
    kfi_free(file);
    return NULL;
}

/* O_NONBLOCK: opening a named pipe must not wait for a writer. */
static kf_status open_disk(kfi_hdf5 *file) {
    struct stat about;
    file->disk.fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->disk.fd < 0 || fstat(file->disk.fd, &about) != 0)
        return kfi_fail(KF_IO, "cannot open '%s': %s", file->path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return kfi_fail(KF_IO, "cannot open '%s': it is %s", file->path,
                        S_ISDIR(about.st_mode) ? "a folder" : "not a regular file");
    file->disk.bytes = about.st_size;
    file->disk.modified = about.st_mtim;
    return KF_OK;
}

static kf_status load_library(const kfi_hdf5 *file) {
    pthread_mutex_lock(&lock);
    const kf_status status = kfi_hdf5_load();
    pthread_mutex_unlock(&lock);
    return kfi_within(status, "cannot %s '%s': ", file->writing ? "write" : "open", file->path);
}

static kf_status open_id(kfi_hdf5 *file) {
    const kf_status loaded = load_library(file);
    if (loaded != KF_OK) return loaded;
    kfi_hdf5_enter();
    const hid_t access = kfi_disk_access(&file->disk);
    if (access >= 0)
        file->id = file->writing ? kfi_h5.Fcreate(file->path, H5F_ACC_TRUNC, H5P_DEFAULT, access)
                                 : kfi_h5.Fopen(file->path, H5F_ACC_RDONLY, access);
    const kf_status status = file->id >= 0 ? KF_OK
                             : file->writing
                                 ? kfi_hdf5_refused(file, NULL, "create the file")
                                 : kfi_hdf5_refused(file, NULL, "read it as an HDF5 file");
    if (access >= 0) kfi_h5.Pclose(access);
    kfi_hdf5_leave();
    return status;
}

static kf_status begin(kfi_hdf5 *made, kf_status status, kfi_hdf5 **file) {
    if (status == KF_OK) status = open_id(made);
    if (status == KF_OK) *file = made;
    if (status != KF_OK) kfi_hdf5_close(made);
    return status;
}

kf_status kfi_hdf5_open(const char *path, kfi_hdf5 **file) {
    *file = NULL;
    kfi_hdf5 *made = make(path, false);
    return made ? begin(made, open_disk(made), file) : KF_MEMORY;
}

kf_status kfi_hdf5_create(const char *path, kfi_hdf5 **file) {
    *file = NULL;
    kfi_hdf5 *made = make(path, true);
    if (!made) return KF_MEMORY;
    const kf_status status = kfi_atomic_create(path, &made->atomic);
    made->disk.fd = made->atomic.fd;
    return begin(made, status, file);
}

kf_status kfi_hdf5_commit(kfi_hdf5 *file) {
    kf_status status = kfi_hdf5_check_writing(file);
    if (status != KF_OK) return status;
    kfi_hdf5_enter();
    status = close_id(file); /* everything that is cached is written here */
    if (status == KF_OK) status = kfi_hdf5_check_disk(file);
    kfi_hdf5_leave();
    return status == KF_OK ? kfi_atomic_commit(&file->atomic) : status;
}
