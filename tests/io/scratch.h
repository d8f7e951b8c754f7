/* A folder for the files of one test program, and whole files in and out of memory. */
#ifndef KF_TESTS_IO_SCRATCH_H
#define KF_TESTS_IO_SCRATCH_H

#include "tests/base/sentences.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_folder[200];

static inline int make_scratch(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/kf-test-XXXXXX", base ? base : P_tmpdir);
    return mkdtemp(scratch_folder) ? 0 : -1;
}

/* A path in the folder; valid until the eighth call after this one. */
static inline const char *scratch(const char *name) {
    static char paths[8][2048];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

static inline int scratch_entries(void) {
    int entries = 0;
    DIR *folder = opendir(scratch_folder);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder) closedir(folder);
    return entries;
}

static inline int empty_scratch(void **state) {
    (void)state;
    DIR *folder = opendir(scratch_folder);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(scratch(entry->d_name));
    if (folder) closedir(folder);
    return 0;
}

static inline int remove_scratch(void **state) {
    empty_scratch(state);
    return rmdir(scratch_folder);
}

static inline void write_file(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static inline size_t file_bytes(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    fseek(file, 0, SEEK_END);
    const long bytes = ftell(file);
    fclose(file);
    return (size_t)bytes;
}

/* `part` stands in the last message. */
static inline void assert_error_has(const char *part, const char *message) {
    if (strstr(message, part)) return;
    fail_msg("the message is \"%s\", without \"%s\"", message, part);
}

#endif
