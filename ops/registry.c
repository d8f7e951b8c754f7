/* All ops, found by name. Each op is compiled once per SIMD level; here one level is chosen, once,
 * for the life of the process: the best that the machine has, or the one that KF_SIMD names. */
#include "ops/kernels/denormals.h"
#include "ops/kernels/gemm.h"
#include "ops/op.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifdef KFI_HAS_V4
#define KFI_LEVEL       v4
#define KFI_LEVEL_TABLE ops_v4
#include "ops/level_table.h"
#endif
#ifdef KFI_HAS_V3
#define KFI_LEVEL       v3
#define KFI_LEVEL_TABLE ops_v3
#include "ops/level_table.h"
#endif
#ifdef KFI_HAS_V2
#define KFI_LEVEL       v2
#define KFI_LEVEL_TABLE ops_v2
#include "ops/level_table.h"
#endif
#define KFI_LEVEL       portable
#define KFI_LEVEL_TABLE ops_portable
#include "ops/level_table.h"

enum { N_OPS = sizeof ops_portable / sizeof ops_portable[0] - 1 };

/* The features that tell the x86-64 levels apart; no CPU has these without the level's others. */
#ifdef KFI_HAS_V2
static bool has_v2(void) {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") &&
           __builtin_cpu_supports("popcnt");
}
#endif
#ifdef KFI_HAS_V3
static bool has_v3(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#endif
#ifdef KFI_HAS_V4
static bool has_v4(void) {
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif
static bool has_portable(void) { return true; }

typedef struct level {
    const char *name;
    bool (*present)(void);
    const kfi_op *const *ops;
} level;

/* The best first. */
static const level levels[] = {
#ifdef KFI_HAS_V4
    {"v4", has_v4, ops_v4},
#endif
#ifdef KFI_HAS_V3
    {"v3", has_v3, ops_v3},
#endif
#ifdef KFI_HAS_V2
    {"v2", has_v2, ops_v2},
#endif
    {"portable", has_portable, ops_portable},
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

/* Written once, under `chosen`. */
static pthread_once_t chosen = PTHREAD_ONCE_INIT;
static const level *current;
static const kfi_op *by_name[N_OPS + 1];

static const level *choose_level(const char *forced) {
    const level *best = NULL;
    for (int i = 0; i < N_LEVELS; i++) {
        if (!levels[i].present()) continue;
        if (forced && strcmp(levels[i].name, forced) == 0) return &levels[i];
        if (!best) best = &levels[i];
    }
    return best;
}

static int compare_ops(const void *a, const void *b) {
    return strcmp((*(const kfi_op *const *)a)->name, (*(const kfi_op *const *)b)->name);
}

static void choose(void) {
    current = choose_level(getenv("KF_SIMD"));
    memcpy(by_name, current->ops, sizeof by_name);
    qsort(by_name, N_OPS, sizeof by_name[0], compare_ops);
}

static int compare_name(const void *name, const void *op) {
    return strcmp(name, (*(const kfi_op *const *)op)->name);
}

const kfi_op *kfi_op_find(const char *name) {
    pthread_once(&chosen, choose);
    const kfi_op *const *found = bsearch(name, by_name, N_OPS, sizeof by_name[0], compare_name);
    return found ? *found : NULL;
}

const kfi_op *kfi_op_at(int index) {
    pthread_once(&chosen, choose);
    return index >= 0 && index < N_OPS ? current->ops[index] : NULL;
}

const char *kfi_simd_level(void) {
    pthread_once(&chosen, choose);
    return current->name;
}

void kfi_ops_enter_thread(void) {
    kfi_gemm_enter();
    kfi_denormals_enter();
}

void kfi_ops_leave_thread(void) {
    kfi_denormals_leave();
    kfi_gemm_leave();
}

const char *kfi_ops_blas(void) { return kfi_gemm_library(); }
