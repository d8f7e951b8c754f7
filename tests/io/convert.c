#include "io/dataset.h"

#include "tests/io/scratch.h"

#include <math.h>

static void every_pair(void **state) {
    (void)state;
    for (int from = 0; from < KF_N_DTYPES; from++)
        for (int to = 0; to < KF_N_DTYPES; to++) {
            /* 600 elements: more than two blocks */
            static double a[600], b[600], c[600];
            static uint8_t start[600];
            for (int i = 0; i < 600; i++) start[i] = (uint8_t)(i % 128);
            assert_int_equal(kfi_convert(start, KF_UINT8, a, (kf_dtype)from, 600, 1, 0, "x"),
                             KF_OK);
            assert_int_equal(kfi_convert(a, (kf_dtype)from, b, (kf_dtype)to, 600, 1, 0, "x"),
                             KF_OK);
            assert_int_equal(kfi_convert(b, (kf_dtype)to, c, KF_UINT8, 600, 1, 0, "x"), KF_OK);
            assert_memory_equal(c, start, 600);
        }
}

static void assert_misfit(kf_dtype from, const void *value, kf_dtype to, const char *part) {
    char out[8];
    assert_int_equal(kfi_convert(value, from, out, to, 1, 1, 0, "label"), KF_INVALID);
    assert_error_has("label: row 0 holds", kf_last_error());
    assert_error_has(part, kf_last_error());
}

static void misfits(void **state) {
    (void)state;
    assert_misfit(KF_INT32, &(int32_t){300}, KF_UINT8, "300");
    assert_misfit(KF_INT32, &(int32_t){-1}, KF_UINT8, "uint8 (0 … 255)");
    assert_misfit(KF_INT64, &(int64_t){INT64_MAX}, KF_INT32, "9223372036854775807");
    assert_misfit(KF_FLOAT32, &(float){0.5f}, KF_INT32, "0.5");
    assert_misfit(KF_FLOAT32, &(float){NAN}, KF_INT64, "nan");
    assert_misfit(KF_FLOAT64, &(double){0x1p63}, KF_INT64, "e+18");
    assert_misfit(KF_FLOAT64, &(double){INFINITY}, KF_INT8, "inf");
    assert_misfit(KF_UINT32, &(uint32_t){UINT32_MAX}, KF_INT32, "4294967295");
}

static void extremes(void **state) {
    (void)state;
    int64_t out;
    assert_int_equal(kfi_convert(&(double){-0x1p63}, KF_FLOAT64, &out, KF_INT64, 1, 1, 0, "x"),
                     KF_OK);
    assert_int_equal(out, INT64_MIN);
    int8_t small;
    assert_int_equal(kfi_convert(&(int64_t){-128}, KF_INT64, &small, KF_INT8, 1, 1, 0, "x"), KF_OK);
    assert_int_equal(small, -128);
}

static void names_row(void **state) {
    (void)state;
    static int32_t data[1000];
    static uint8_t out[1000];
    data[705] = 256;
    assert_int_equal(kfi_convert(data, KF_INT32, out, KF_UINT8, 1000, 10, 5000, "y"), KF_INVALID);
    assert_error_has("row 5070 holds 256", kf_last_error());
}

static void in_place(void **state) {
    (void)state;
    enum { N = 1000 };
    static double room[N];
    uint16_t *tail = (uint16_t *)((char *)room + N * 6);
    for (int i = 0; i < N; i++) tail[i] = (uint16_t)(i * 60);
    assert_int_equal(kfi_convert(tail, KF_UINT16, room, KF_FLOAT64, N, 1, 0, "x"), KF_OK);
    for (int i = 0; i < N; i++) assert_true(room[i] == (uint16_t)(i * 60));
    static float pictures[N];
    uint8_t *bytes = (uint8_t *)pictures + N * 3;
    for (int i = 0; i < N; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(kfi_convert(bytes, KF_UINT8, pictures, KF_FLOAT32, N, 1, 0, "x"), KF_OK);
    for (int i = 0; i < N; i++) assert_true(pictures[i] == (uint8_t)i);
}

static void unknown(void **state) {
    (void)state;
    char out[8] = {0};
    assert_int_equal(kfi_convert(out, KF_N_DTYPES, out, KF_INT8, 1, 1, 0, "x"), KF_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("small whole numbers survive every pair of types", every_pair),
        SENTENCE("a value that an integer type cannot hold is refused", misfits),
        SENTENCE("the extremes of a type fit it", extremes),
        SENTENCE("the message names the row", names_row),
        SENTENCE("the end of a buffer widens into the whole of it", in_place),
        SENTENCE("an unknown type is refused", unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
