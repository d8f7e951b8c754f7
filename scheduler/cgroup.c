/* The CPU quota of a container. Version 2 writes "quota period" into cpu.max; version 1 has one
 * file for each. A limit holds for everything below it, so all parents are asked. */
#include "scheduler/cpus.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static double quota_v2(const char *folder) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (!file) return INFINITY;
    double quota, period; /* "max" is no number and so no limit */
    const int n = fscanf(file, "%lf %lf", &quota, &period);
    fclose(file);
    return n == 2 && quota > 0 && period > 0 ? quota / period : INFINITY;
}

static double number_in(const char *folder, const char *name) {
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) return -1;
    double number;
    const int n = fscanf(file, "%lf", &number);
    fclose(file);
    return n == 1 ? number : -1;
}

static double quota_v1(const char *folder) {
    const double quota = number_in(folder, "cpu.cfs_quota_us"); /* -1: no limit */
    const double period = number_in(folder, "cpu.cfs_period_us");
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* The smallest quota of `root``group` and its parents up to `root`. Inside a container the group's
 * path may be one that only the host sees; then only `root` answers, which is the right one. */
static double quota_upwards(const char *root, const char *group, double (*quota)(const char *)) {
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s%s", root, group) >= (int)sizeof folder) return INFINITY;
    double least = quota(folder);
    for (char *slash; (slash = strrchr(folder, '/')) && slash >= folder + strlen(root);) {
        *slash = '\0';
        least = fmin(least, quota(folder));
    }
    return least;
}

static bool lists_cpu(const char *controllers) {
    char names[256];
    snprintf(names, sizeof names, ",%s,", controllers);
    return strstr(names, ",cpu,") != NULL;
}

/* One line of the membership file: "0::/path" for version 2, "4:cpu,cpuacct:/path" for 1. */
static double quota_of_line(char *line, const char *mount) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return INFINITY;
    *group++ = '\0';
    controllers++;
    group[strcspn(group, "\n")] = '\0';
    if (!*controllers) return quota_upwards(mount, group, quota_v2);
    if (!lists_cpu(controllers)) return INFINITY;
    char root[PATH_MAX];
    snprintf(root, sizeof root, "%s/%s", mount, controllers);
    const double together = quota_upwards(root, group, quota_v1);
    snprintf(root, sizeof root, "%s/cpu", mount);
    return fmin(together, quota_upwards(root, group, quota_v1));
}

double kfi_cgroup_quota(const char *membership, const char *mount) {
    FILE *file = fopen(membership, "re");
    if (!file) return INFINITY;
    double least = INFINITY;
    char line[PATH_MAX];
    while (fgets(line, sizeof line, file)) least = fmin(least, quota_of_line(line, mount));
    fclose(file);
    return least;
}
