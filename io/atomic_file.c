#include "io/atomic_file.h"

#include "core/base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 1000 }; /* names to try that another process may hold */

static kf_status refused(const char *path) {
    return kfi_fail(KF_IO, "cannot write '%s': %s", path, strerror(errno));
}

/* Where the file will be, and in *old what is there now (st_mode 0: nothing). */
static kf_status resolve(const char *path, char **target, struct stat *old) {
    *old = (struct stat){0};
    if (stat(path, old) != 0) {
        if (errno != ENOENT) return refused(path);
        *target = kfi_strdup(path);
        return *target ? KF_OK : KF_MEMORY;
    }
    if (!S_ISREG(old->st_mode))
        return kfi_fail(KF_IO, "cannot write '%s': it is %s", path,
                        S_ISDIR(old->st_mode) ? "a folder" : "not a regular file");
    char *real = realpath(path, NULL);
    if (!real) return refused(path);
    *target = kfi_strdup(real);
    free(real);
    return *target ? KF_OK : KF_MEMORY;
}

static int folder_bytes(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

/* --- what killed saves left ------------------------------------------------------------------- */

/* A temporary file is locked as long as it is being written: one that can be locked was left by a
 * process that is gone. */
static bool is_name(const char *name) {
    unsigned long process;
    unsigned number;
    char again[64];
    if (sscanf(name, ".kf-%lx-%x.tmp", &process, &number) != 2) return false;
    snprintf(again, sizeof again, ".kf-%lx-%x.tmp", process, number);
    return strcmp(name, again) == 0;
}

static void remove_left(int folder, const char *name) {
    struct stat about;
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

/* What cannot be removed stays: that is no failure of this save. */
static kf_status sweep_folder(const char *target) {
    char *path = kfi_format("%.*s.", folder_bytes(target), target);
    if (!path) return KF_MEMORY;
    DIR *folder = opendir(path);
    kfi_free(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_name(entry->d_name)) remove_left(dirfd(folder), entry->d_name);
    if (folder) closedir(folder);
    return KF_OK;
}

/* --- a file ----------------------------------------------------------------------------------- */

/* Locks the new file. Another save may have taken it for one that was left, before: then it is
 * lost. Where there are no locks, nobody takes it. */
static bool keep(int fd) {
    struct stat about;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
    return fstat(fd, &about) != 0 || about.st_nlink > 0;
}

/* The counter only keeps two saves of this process apart, so its order does not matter. */
static kf_status open_temporary(kfi_atomic_file *file, const char *path) {
    static _Atomic unsigned counter;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const unsigned number = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
        file->temporary = kfi_format("%.*s.kf-%lx-%x.tmp", folder_bytes(file->target), file->target,
                                     (unsigned long)getpid(), number);
        if (!file->temporary) return KF_MEMORY;
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0 && keep(file->fd)) return KF_OK;
        const int error = file->fd >= 0 ? EEXIST : errno;
        if (file->fd >= 0) close(file->fd);
        file->fd = -1;
        kfi_free(file->temporary);
        file->temporary = NULL;
        errno = error;
        if (error != EEXIST) break;
    }
    return refused(path);
}

kf_status kfi_atomic_create(const char *path, kfi_atomic_file *file) {
    *file = (kfi_atomic_file){.fd = -1};
    struct stat old;
    kf_status status = resolve(path, &file->target, &old);
    if (status == KF_OK) status = sweep_folder(file->target);
    if (status == KF_OK) status = open_temporary(file, path);
    if (status == KF_OK && old.st_mode && fchmod(file->fd, old.st_mode & 07777) != 0)
        status = refused(path);
    if (status != KF_OK) kfi_atomic_abandon(file);
    return status;
}

static void forget(kfi_atomic_file *file) {
    kfi_free(file->target);
    kfi_free(file->temporary);
    *file = (kfi_atomic_file){.fd = -1};
}

void kfi_atomic_abandon(kfi_atomic_file *file) {
    if (file->fd >= 0) close(file->fd);
    if (file->temporary) unlink(file->temporary);
    forget(file);
}

/* The rename itself must survive a power cut. Some file systems cannot fsync a folder (EINVAL); the
 * file is then in place all the same. */
static kf_status flush_folder(const char *target) {
    char *folder = kfi_format("%.*s.", folder_bytes(target), target);
    if (!folder) return KF_MEMORY;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = fd >= 0 && fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    if (fd >= 0) close(fd);
    kfi_free(folder);
    errno = error;
    return error ? refused(target) : KF_OK;
}

kf_status kfi_atomic_commit(kfi_atomic_file *file) {
    kf_status status = fsync(file->fd) == 0 ? KF_OK : refused(file->target);
    if (status == KF_OK && rename(file->temporary, file->target) != 0)
        status = refused(file->target);
    if (status != KF_OK) {
        kfi_atomic_abandon(file);
        return status;
    }
    close(file->fd); /* after the rename, since it gives up the lock; what it could lose is on the
                        disk */
    status = flush_folder(file->target);
    forget(file);
    return status;
}
