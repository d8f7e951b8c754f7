#include "scheduler/caches.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CACHES = 16, TEXT_BYTES = 4096, UNKNOWN = -1 };

/* The first line of a file; false if there is none. */
static bool read_line(const char *path, char text[TEXT_BYTES]) {
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool some = fgets(text, TEXT_BYTES, file) != NULL;
    fclose(file);
    return some;
}

static bool read_cache(const char *root, int cpu, int cache, const char *name,
                       char text[TEXT_BYTES]) {
    char path[PATH_MAX];
    const int n = snprintf(path, sizeof path, "%s/cpu%d/cache/index%d/%s", root, cpu, cache, name);
    return n < (int)sizeof path && read_line(path, text);
}

/* How many CPUs there may be: `possible` is a list like "0-127". */
static int count_cpus(const char *root) {
    char path[PATH_MAX], list[TEXT_BYTES];
    const int n = snprintf(path, sizeof path, "%s/possible", root);
    if (n >= (int)sizeof path || !read_line(path, list)) return 0;
    const char *last = list;
    for (const char *at = list; *at; at++)
        if (*at == '-' || *at == ',') last = at + 1;
    const long count = strtol(last, NULL, 10) + 1;
    return count < 0 || count > CPU_SETSIZE ? CPU_SETSIZE : (int)count;
}

/* The last cache of a CPU: the one of the highest level. -1 if nothing is said. */
static int last_cache(const char *root, int cpu) {
    char text[TEXT_BYTES];
    int last = -1;
    long highest = 0;
    for (int cache = 0; cache < MOST_CACHES && read_cache(root, cpu, cache, "level", text);
         cache++) {
        const long level = strtol(text, NULL, 10);
        if (level <= highest) continue;
        highest = level;
        last = cache;
    }
    return last;
}

/* A list like "0-3,8,12-15": its CPUs, from `cpu` on, are of the group of `cpu`. */
static void join(const char *list, int16_t cpu, kfi_caches *caches) {
    while (*list) {
        char *end;
        const long from = strtol(list, &end, 10);
        if (end == list || from < 0) return;
        const long to = *end == '-' ? strtol(end + 1, &end, 10) : from;
        for (long other = from; other <= to && other < CPU_SETSIZE; other++)
            if (caches->first[other] == UNKNOWN) caches->first[other] = cpu;
        if (*end != ',') return;
        list = end + 1;
    }
}

static void read_groups(const char *root, kfi_caches *caches) {
    char list[TEXT_BYTES];
    const int n_cpus = count_cpus(root);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) caches->first[cpu] = UNKNOWN;
    for (int16_t cpu = 0; cpu < n_cpus; cpu++) {
        if (caches->first[cpu] != UNKNOWN) continue;
        const int cache = last_cache(root, cpu);
        if (cache >= 0 && read_cache(root, cpu, cache, "shared_cpu_list", list)) {
            join(list, cpu, caches);
            caches->first[cpu] = cpu; /* whatever the list says */
        }
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (caches->first[cpu] == UNKNOWN) caches->first[cpu] = 0;
}

void kfi_caches_read(const char *root, kfi_caches *caches) {
    read_groups(root, caches);
    int n = 0;
    for (int first = 0; first < CPU_SETSIZE; first++)
        for (int cpu = first; caches->first[first] == first && cpu < CPU_SETSIZE; cpu++)
            if (caches->first[cpu] == first) caches->order[n++] = (int16_t)cpu;
}

static kfi_caches here; /* by read_here once, and by tests */

static void read_here(void) { kfi_caches_read("/sys/devices/system/cpu", &here); }

const kfi_caches *kfi_caches_here(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_here);
    return &here;
}

void kfi_caches_pretend(const char *root) {
    kfi_caches_here();
    kfi_caches_read(root, &here);
}
