/* Groups of CPUs that share a cache: what the system says of them, and runs by several groups. */
#include "scheduler/caches.h"
#include "scheduler/cpus.h"
#include "scheduler/node.h"

#include "tests/scheduler/graphs.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static int make_root(void **state) {
    (void)state;
    strcpy(root, "kf-caches-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    (void)state;
    kfi_caches_pretend("/sys/devices/system/cpu");
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A cache of a CPU: its level and the CPUs that share it. */
static void write_cache(int cpu, int index, int level, const char *shared) {
    char folder[160], path[256], text[16];
    snprintf(folder, sizeof folder, "%s/cpu%d", root, cpu);
    mkdir(folder, 0700);
    snprintf(folder, sizeof folder, "%s/cpu%d/cache", root, cpu);
    mkdir(folder, 0700);
    snprintf(folder, sizeof folder, "%s/cpu%d/cache/index%d", root, cpu, index);
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/level", folder);
    snprintf(text, sizeof text, "%d\n", level);
    write_text(path, text);
    snprintf(path, sizeof path, "%s/shared_cpu_list", folder);
    write_text(path, shared);
}

static void write_possible(const char *list) {
    char path[160];
    snprintf(path, sizeof path, "%s/possible", root);
    write_text(path, list);
}

/* Two sockets of four CPUs with two threads each, numbered as Linux does. */
static void write_two_sockets(void) {
    write_possible("0-7\n");
    for (int cpu = 0; cpu < 8; cpu++) {
        char core[8];
        snprintf(core, sizeof core, "%d,%d\n", cpu % 4, cpu % 4 + 4);
        write_cache(cpu, 0, 1, core);
        write_cache(cpu, 1, 2, core);
        write_cache(cpu, 2, 3, cpu % 4 < 2 ? "0-1,4-5\n" : "2-3,6-7\n");
    }
}

static void last_cache_counts(void **state) {
    (void)state;
    static kfi_caches caches;
    write_two_sockets();
    kfi_caches_read(root, &caches);
    const int16_t first[] = {0, 0, 2, 2, 0, 0, 2, 2}, order[] = {0, 1, 4, 5};
    for (int cpu = 0; cpu < 8; cpu++) assert_int_equal(caches.first[cpu], first[cpu]);
    for (int k = 0; k < 4; k++) assert_int_equal(caches.order[k], order[k]);
    for (int k = 0; k < CPU_SETSIZE; k++)
        if (caches.order[k] == 2) assert_int_equal(caches.order[k + 1], 3);
}

static void nothing_said(void **state) {
    (void)state;
    static kfi_caches caches;
    kfi_caches_read("no-such-folder", &caches);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        assert_int_equal(caches.first[cpu], 0);
        assert_int_equal(caches.order[cpu], cpu);
    }
}

static void rubbish(void **state) {
    (void)state;
    static kfi_caches caches;
    write_possible("0-3\n");
    write_cache(0, 0, 3, "1-\n");
    write_cache(1, 0, 3, "x");
    write_cache(2, 0, 3, "-7,99999999999999999999\n");
    write_cache(3, 0, 3, "3,3-2,1000000\n");
    kfi_caches_read(root, &caches);
    bool seen[CPU_SETSIZE] = {false};
    for (int k = 0; k < CPU_SETSIZE; k++) seen[caches.order[k]] = true;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) assert_true(seen[cpu]);
}

static void groups_of_a_mask(void **state) {
    (void)state;
    write_two_sockets();
    for (int cpu = 0; cpu < 8; cpu++) write_cache(cpu, 3, 0, "0-7\n");
    kfi_caches_pretend(root);
    kfi_cpus cpus = {.in_mask = 5};
    CPU_ZERO(&cpus.mask);
    for (int cpu = 1; cpu < 6; cpu++) CPU_SET(cpu, &cpus.mask); /* 1 4 5 and 2 3 */
    uint8_t group[CPU_SETSIZE];
    assert_int_equal(kfi_cpus_groups(&cpus, KFI_GROUPS, group), 2);
    for (int32_t k = 0; k < 5; k++) assert_int_equal(group[k], k < 3 ? 0 : 1);
    assert_int_equal(kfi_cpus_groups(&cpus, 1, group), 1);
    assert_int_equal(group[4], 0);
    const cpu_set_t only = kfi_cpus_only(&cpus, 1);
    assert_true(CPU_COUNT(&only) == 1 && CPU_ISSET(4, &only));
}

/* Every CPU a group of its own: what one group has made ready is taken by the others. */
static void runs_by_groups(void **state) {
    (void)state;
    write_possible("0-1023\n");
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        char alone[16];
        snprintf(alone, sizeof alone, "%d\n", cpu);
        if (CPU_ISSET(cpu, &mask)) write_cache(cpu, 0, 3, alone);
    }
    kfi_caches_pretend(root);
    for (uint64_t seed = 0; seed < 60; seed++) {
        graph *g = graph_new(seed, 300);
        kfi_schedule *schedule = graph_schedule(g);
        for (int32_t workers = 1; workers <= 8; workers++)
            for (int round = 0; round < 5; round++) {
                graph_clear(g, workers);
                assert_int_equal(
                    kfi_run(schedule, run_tile, g, &(kfi_run_options){.workers = workers}), KF_OK);
                assert_int_equal(graph_missed(g), 0);
            }
        kfi_schedule_free(schedule);
        graph_free(g);
    }
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        SENTENCE("CPUs are grouped by their last cache", last_cache_counts),
        SENTENCE("where nothing is said of caches all CPUs are one group", nothing_said),
        SENTENCE("a list that makes no sense loses no CPU", rubbish),
        SENTENCE("the CPUs of a mask are counted group by group", groups_of_a_mask),
        SENTENCE("random graphs run right on several groups", runs_by_groups),
    };
    return cmocka_run_group_tests_name("scheduler.caches", tests, make_root, remove_root);
}
