/* The BLAS under a task engine. Distributions swap its variants behind our back, and each one obeys
 * another knob: the pthread variant openblas_set_num_threads, for the whole process; the OpenMP
 * variant omp_set_num_threads, for each thread (left alone, four callers ran at 2 % of the speed of
 * one thread each). So both knobs are turned, on every thread, and found by name at run time, so
 * that a plain reference BLAS does as well. */
#include "ops/kernels/gemm.h"

#include <assert.h>
#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written once, under `found`. */
static pthread_once_t found = PTHREAD_ONCE_INIT;
static struct {
    void (*set_blas_threads)(int);
    int (*get_blas_threads)(void);
    void (*set_omp_threads)(int);
    int (*get_omp_threads)(void);
    char description[256];
} library;

/* POSIX lets a function's address travel in a void *, ISO C does not say so: hence memcpy. */
static void look_up(void *function, const char *name) {
    void *address = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &address, sizeof address);
}

static void describe(void) {
    char *(*config)(void), *(*core)(void);
    look_up(&config, "openblas_get_config");
    look_up(&core, "openblas_get_corename");
    const char *text = config ? config() : "a BLAS of unknown make";
    const int length = (int)strcspn(text, "\n");
    snprintf(library.description, sizeof library.description, core ? "%.*s (%s)" : "%.*s", length,
             text, core ? core() : "");
}

/* The kernels that this CPU can run best, as OpenBLAS names them; NULL if no better than SSE3. */
static const char *best_core(void) {
#if defined(__x86_64__)
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512) return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return NULL;
}

/* OpenBLAS tells CPUs by their model numbers and runs any that is younger than itself on kernels
 * for SSE3 ("Prescott"), at a quarter of its speed or less. Then it is told what to look for and
 * asked to look again, unless the user has said what to take. */
static void correct_core(void) {
    const char *(*name)(void);
    void (*forget)(void), (*detect)(void);
    look_up(&name, "openblas_get_corename");
    look_up(&forget, "gotoblas_dynamic_quit");
    look_up(&detect, "gotoblas_dynamic_init");
    const char *best = best_core();
    if (!name || !forget || !detect || !best || getenv("OPENBLAS_CORETYPE")) return;
    if (strcmp(name(), "Prescott") != 0 || setenv("OPENBLAS_CORETYPE", best, 1) != 0) return;
    forget();
    detect();
    unsetenv("OPENBLAS_CORETYPE");
}

static void find_library(void) {
    correct_core();
    look_up(&library.set_blas_threads, "openblas_set_num_threads");
    look_up(&library.get_blas_threads, "openblas_get_num_threads");
    look_up(&library.set_omp_threads, "omp_set_num_threads");
    look_up(&library.get_omp_threads, "omp_get_max_threads");
    describe();
}

const char *kfi_gemm_library(void) {
    pthread_once(&found, find_library);
    return library.description;
}

/* The BLAS's own count belongs to the process: the first thread in saves it, the last one out puts
 * it back. OpenMP's belongs to the thread. */
static pthread_mutex_t inside_lock = PTHREAD_MUTEX_INITIALIZER;
static int n_inside, saved_blas_threads; /* under inside_lock */
static _Thread_local int depth, saved_omp_threads;

static void enter_blas(void) {
    if (!library.set_blas_threads || !library.get_blas_threads) return;
    pthread_mutex_lock(&inside_lock);
    if (n_inside++ == 0) saved_blas_threads = library.get_blas_threads();
    library.set_blas_threads(1);
    pthread_mutex_unlock(&inside_lock);
}

static void leave_blas(void) {
    if (!library.set_blas_threads || !library.get_blas_threads) return;
    pthread_mutex_lock(&inside_lock);
    assert(n_inside > 0);
    if (--n_inside == 0) library.set_blas_threads(saved_blas_threads);
    pthread_mutex_unlock(&inside_lock);
}

void kfi_gemm_enter(void) {
    if (depth++ > 0) return;
    pthread_once(&found, find_library);
    const bool omp = library.set_omp_threads && library.get_omp_threads;
    if (omp) saved_omp_threads = library.get_omp_threads();
    enter_blas(); /* the OpenMP variant turns this thread's OpenMP knob as well: hence saved first
                   */
    if (omp) library.set_omp_threads(1);
}

void kfi_gemm_leave(void) {
    assert(depth > 0);
    if (--depth > 0) return;
    leave_blas();
    if (library.set_omp_threads && library.get_omp_threads)
        library.set_omp_threads(saved_omp_threads);
}

static CBLAS_TRANSPOSE transposed(bool yes) { return yes ? CblasTrans : CblasNoTrans; }

/* BLAS refuses a row distance below 1, even where there are no rows to tell apart. */
static int row_distance(int64_t row) { return row > 0 ? (int)row : 1; }

void kfi_gemm(const kfi_product *p) {
    pthread_once(&found, find_library);
    if (p->m == 0 || p->n == 0) return;
    assert(p->m <= INT32_MAX && p->n <= INT32_MAX && p->k <= INT32_MAX);
    cblas_sgemm(CblasRowMajor, transposed(p->transpose_a), transposed(p->transpose_b), (int)p->m,
                (int)p->n, (int)p->k, 1.0f, p->a, row_distance(p->a_row), p->b,
                row_distance(p->b_row), p->accumulate ? 1.0f : 0.0f, p->c, row_distance(p->c_row));
}
