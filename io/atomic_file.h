/* A file that appears under its name whole or not at all: written beside it, flushed to the disk,
 * then renamed over it. */
#ifndef KFI_IO_ATOMIC_FILE_H
#define KFI_IO_ATOMIC_FILE_H

#include "core/base/status.h"

typedef struct kfi_atomic_file {
    int fd;          /* of the temporary file, open for reading and writing; -1: none */
    char *target;    /* links resolved: a link to a file stays a link                 */
    char *temporary; /* in the same folder                                            */
} kfi_atomic_file;

/* Refuses a target that exists and is no regular file. An old file's permissions are kept. What
 * saves of this user that were killed left in the folder is removed. */
kf_status kfi_atomic_create(const char *path, kfi_atomic_file *file);

/* After it the file is at its place or, on failure, gone; kfi_atomic_abandon is then harmless. */
kf_status kfi_atomic_commit(kfi_atomic_file *file);
void kfi_atomic_abandon(kfi_atomic_file *file);

#endif
