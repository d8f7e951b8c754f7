/* kf-conformance [--verbose] PATH…: replays golden cases, files or folders of *.h5, in name order.
 * kf-conformance --interop [DIR]: Keras's files from elsewhere, in DIR or the folder that
 * KF_INTEROP names; without one there is nothing to do, and the exit code 77 says so. */
#include "tests/conformance/interop.h"
#include "tests/conformance/replay.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct tally {
    int passed, failed;
    bool verbose;
} tally;

static void run_file(tally *count, const char *path) {
    const char *slash = strrchr(path, '/');
    const bool passed = replay_case(path);
    passed ? count->passed++ : count->failed++;
    if (!passed || count->verbose)
        printf("%s %s\n", passed ? "ok    " : "FAILED", slash ? slash + 1 : path);
    fflush(stdout);
}

static int is_case(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return end && strcmp(end, ".h5") == 0;
}

static int run_path(tally *count, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) return perror(path), 1;
    if (!S_ISDIR(info.st_mode)) return run_file(count, path), 0;
    struct dirent **entries = NULL;
    const int n = scandir(path, &entries, is_case, alphasort);
    if (n < 0) return perror(path), 1;
    for (int i = 0; i < n; i++) {
        char *file = NULL;
        if (asprintf(&file, "%s/%s", path, entries[i]->d_name) >= 0) run_file(count, file);
        free(file);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

enum { SKIPPED = 77 };

static int run_interop(const char *folder) {
    struct stat info;
    if (!folder) folder = getenv("KF_INTEROP");
    if (!folder || stat(folder, &info) != 0) {
        printf("no folder of files: skipped\n");
        return SKIPPED;
    }
    return interop_folder(folder) != 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--interop") == 0) return run_interop(argv[2]);
    tally count = {0};
    int unreadable = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            count.verbose = true;
        else
            unreadable += run_path(&count, argv[i]);
    }
    if (argc < 2) fprintf(stderr, "usage: kf-conformance [--verbose] FOLDER-OR-FILE…\n");
    printf("%d passed, %d failed\n", count.passed, count.failed);
    return unreadable || count.failed || count.passed == 0;
}
