/* The door to the BLAS: strides and accumulation, and whose thread settings are touched when. */
#include "ops/kernels/gemm.h"
#include "tests/ops/support.h"

#include <dlfcn.h>
#include <pthread.h>

static void parts_of_matrices(void **state) {
    (void)state;
    const float a[] = {1, 2, 9, 3, 4, 9}, b[] = {1, 0, 2, 9, 0, 1, 3, 9};
    float c[] = {10, 20, 30, 7, 40, 50, 60, 7};
    kfi_product p = {.m = 2, .n = 3, .k = 2, .a = a, .b = b, .c = c};
    p.a_row = 3, p.b_row = 4, p.c_row = 4, p.accumulate = true;
    kfi_gemm(&p);
    assert_memory_equal(c, ((float[]){11, 22, 38, 7, 43, 54, 78, 7}), sizeof c);
    p.accumulate = false;
    kfi_gemm(&p);
    assert_memory_equal(c, ((float[]){1, 2, 8, 7, 3, 4, 18, 7}), sizeof c);
}

static void nothing_to_sum(void **state) {
    (void)state;
    float c[] = {NAN, 5, NAN, 5};
    const kfi_product empty = {.m = 2, .n = 1, .k = 0, .a = c, .b = c, .c = c, .c_row = 2};
    kfi_gemm(&empty);
    assert_memory_equal(c, ((float[]){0, 5, 0, 5}), sizeof c);
    const kfi_product none = {.m = 0, .n = 1, .k = 3, .a = c, .b = c, .c = c};
    kfi_gemm(&none);
}

typedef int get_count(void);
typedef void set_count(int);

static void look_up(void *function, const char *name) {
    void *address = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &address, sizeof address);
}

static void settings_come_back(void **state) {
    (void)state;
    get_count *blas, *omp;
    set_count *set_blas, *set_omp;
    look_up(&blas, "openblas_get_num_threads"), look_up(&set_blas, "openblas_set_num_threads");
    look_up(&omp, "omp_get_max_threads"), look_up(&set_omp, "omp_set_num_threads");
    if (set_blas) set_blas(2);
    if (set_omp) set_omp(3);
    const int blas_before = blas ? blas() : 0, omp_before = omp ? omp() : 0;
    kfi_gemm_enter();
    kfi_gemm_enter();
    if (blas) assert_int_equal(blas(), 1);
    if (omp) assert_int_equal(omp(), 1);
    kfi_gemm_leave();
    if (blas) assert_int_equal(blas(), 1);
    kfi_gemm_leave();
    if (blas) assert_int_equal(blas(), blas_before);
    if (omp) assert_int_equal(omp(), omp_before);
}

/* Each thread multiplies a matrix of its own, over and over, and must get the same bits. */
static void *multiply(void *argument) {
    enum { N = 48, TIMES = 200 };
    float a[N * N], first[N * N], c[N * N];
    kfi_random_uniform((kfi_random){5, (uintptr_t)argument}, -1, 1, a, N * N);
    const kfi_product p = {
        .m = N, .n = N, .k = N, .a = a, .b = a, .a_row = N, .b_row = N, .c_row = N};
    bool same = true;
    for (int i = 0; i < TIMES; i++) {
        kfi_product one = p;
        one.c = i ? c : first;
        kfi_gemm_enter();
        kfi_gemm(&one);
        kfi_gemm_leave();
        same &= i == 0 || memcmp(c, first, sizeof c) == 0;
    }
    return same ? argument : NULL;
}

static void several_threads(void **state) {
    (void)state;
    static char tags[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, multiply, &tags[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &tags[i]);
    }
}

static void library_has_a_name(void **state) {
    (void)state;
    assert_true(strlen(kfi_gemm_library()) > 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("parts of matrices are multiplied, stored or added", parts_of_matrices),
        SENTENCE("a sum over nothing is zero", nothing_to_sum),
        SENTENCE("the BLAS is single-threaded inside, and the caller's settings come back",
                 settings_come_back),
        SENTENCE("several threads multiply at once", several_threads),
        SENTENCE("the library that was loaded has a name", library_has_a_name),
    };
    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
