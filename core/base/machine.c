/* Free memory: the kernel's own estimate, and what a control group leaves. Version 2 of the groups
 * calls its files memory.max and memory.current, version 1 memory.limit_in_bytes and
 * memory.usage_in_bytes. */
#include "core/base/machine.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* "MemAvailable:   123456 kB" */
static double available(void) {
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) return -1;
    char line[128];
    double kilobytes = -1;
    while (kilobytes < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lf", &kilobytes) != 1) kilobytes = -1;
    fclose(file);
    return kilobytes < 0 ? -1 : kilobytes * 1024;
}

/* The number in a file; -1 if there is none ("max": no limit). */
static double number_in(const char *path) {
    FILE *file = fopen(path, "re");
    if (!file) return -1;
    double number;
    const bool found = fscanf(file, "%lf", &number) == 1;
    fclose(file);
    return found ? number : -1;
}

static double least(double a, double b) {
    if (a < 0) return b;
    return b >= 0 && b < a ? b : a;
}

static double left_in_group(const char *limit_path, const char *usage_path) {
    const double limit = number_in(limit_path), usage = number_in(usage_path);
    if (limit < 0 || usage < 0) return -1;
    return usage < limit ? limit - usage : 0;
}

size_t kfi_memory_free(void) {
    double bytes = available();
    bytes =
        least(bytes, left_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"));
    bytes = least(bytes, left_in_group("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                       "/sys/fs/cgroup/memory/memory.usage_in_bytes"));
    return bytes < 0 || bytes >= (double)SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}
