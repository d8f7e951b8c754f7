/* How many workers: affinity, cgroup quotas, OMP_NUM_THREADS; and pinning. */
#include "scheduler/cpus.h"

#include "tests/scheduler/graphs.h"

#include <ftw.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "kf-cgroup-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text) {
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static double quota_of(const char *membership) {
    write_file("membership", membership);
    char file[256];
    strcpy(file, path_of("membership"));
    return kfi_cgroup_quota(file, folder);
}

static void version_2(void **state) {
    (void)state;
    assert_true(isinf(quota_of("0::/\n")));
    mkdir(path_of("a"), 0700);
    mkdir(path_of("a/b"), 0700);
    write_file("a/b/cpu.max", "max 100000\n");
    assert_true(isinf(quota_of("0::/a/b\n")));
    write_file("a/cpu.max", "250000 100000\n");
    assert_true(quota_of("0::/a/b\n") == 2.5);
    write_file("a/b/cpu.max", "50000 100000\n");
    assert_true(quota_of("0::/a/b\n") == 0.5);
    write_file("cpu.max", "10000 100000\n");
    assert_true(quota_of("0::/not/seen/from/here\n") == 0.1);
    write_file("cpu.max", "rubbish");
    assert_true(isinf(quota_of("0::/\n")));
}

static void version_1(void **state) {
    (void)state;
    const char *membership = "12:memory:/x\n4:cpuset:/y\n3:cpu,cpuacct:/g\n0::/\n";
    assert_true(isinf(quota_of(membership)));
    mkdir(path_of("cpu,cpuacct"), 0700);
    mkdir(path_of("cpu,cpuacct/g"), 0700);
    write_file("cpu,cpuacct/g/cpu.cfs_quota_us", "-1\n");
    write_file("cpu,cpuacct/g/cpu.cfs_period_us", "100000\n");
    assert_true(isinf(quota_of(membership)));
    write_file("cpu,cpuacct/g/cpu.cfs_quota_us", "300000\n");
    assert_true(quota_of(membership) == 3);
    assert_true(isinf(quota_of("3:cpuset,cpuacct:/g\n")));
    assert_true(isinf(kfi_cgroup_quota("no-such-file", folder)));
}

static void default_workers(void **state) {
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    assert_int_equal(kfi_workers_default(), kfi_cpus_usable());
    setenv("OMP_NUM_THREADS", "3,2", 1);
    assert_int_equal(kfi_workers_default(), 3);
    setenv("OMP_NUM_THREADS", "many", 1);
    assert_int_equal(kfi_workers_default(), kfi_cpus_usable());
    setenv("OMP_NUM_THREADS", "1000000", 1);
    assert_int_equal(kfi_workers_default(), KFI_MAX_WORKERS);
    unsetenv("OMP_NUM_THREADS");
}

static void clamped_workers(void **state) {
    (void)state;
    setenv("KF_OVERSUBSCRIBE", "0", 1);
    assert_int_equal(kfi_workers_clamp(1), 1);
    assert_int_equal(kfi_workers_clamp(KFI_MAX_WORKERS), kfi_cpus_usable());
    assert_int_equal(kfi_workers_clamp(0), kfi_cpus_usable());
    setenv("OMP_NUM_THREADS", "1", 1);
    assert_int_equal(kfi_workers_clamp(0), 1);
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    assert_int_equal(kfi_workers_clamp(8), 8);
    assert_int_equal(kfi_workers_clamp(1000), KFI_MAX_WORKERS);
    unsetenv("OMP_NUM_THREADS");
}

static void pinning(void **state) {
    (void)state;
    cpu_set_t before, now;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    const int32_t usable = kfi_cpus_usable();
    const kfi_cpus cpus = kfi_cpus_look();
    for (int32_t k = 0; k < CPU_COUNT(&before); k++) {
        kfi_cpus_pin(&cpus, k);
        assert_int_equal(kfi_cpus_where(&cpus), k);
        assert_true(kfi_cpus_pinned());
        sched_getaffinity(0, sizeof now, &now);
        assert_int_equal(CPU_COUNT(&now), 1);
        assert_int_equal(kfi_cpus_usable(), usable);
        kfi_cpus_unpin();
        sched_getaffinity(0, sizeof now, &now);
        assert_true(CPU_EQUAL(&now, &before));
    }
    kfi_cpus_pin(&cpus, CPU_COUNT(&before));
    assert_false(kfi_cpus_pinned());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a version 2 quota is the smallest on the way up", version_2),
        SENTENCE("a version 1 quota is quota over period", version_1),
        SENTENCE("OMP_NUM_THREADS is the default, else the CPUs", default_workers),
        SENTENCE("workers are clamped to CPUs unless KF_OVERSUBSCRIBE=1", clamped_workers),
        SENTENCE("a pinned thread still knows its CPUs, and gets them back", pinning),
    };
    return cmocka_run_group_tests_name("scheduler.cpus", tests, make_folder, remove_folder);
}
