/* Fields prepared for networks: standardised, one-hot, of one length, turned and shifted. */
#include "tests/base/sentences.h"

#include "io/dataset.h"

#include "core/base/status.h"

#include <string.h>

static kf_dataset *over(const char *name, const void *data, kf_dtype dtype, int64_t rows, int64_t a,
                        int64_t b) {
    const kf_array array = {name, data, dtype, {b ? 3 : a ? 2 : 1, {rows, a, b}}};
    kf_dataset *dataset = kf_dataset_arrays(&array, 1);
    assert_non_null(dataset);
    return dataset;
}

static void read_all(kf_dataset *data, float *out) {
    if (kf_dataset_read(data, 0, 0, data->samples, KF_FLOAT32, out) != KF_OK)
        fail_msg("%s", kf_last_error());
}

static void standardises(void **state) {
    (void)state;
    static const unsigned char pixels[4] = {0, 10, 20, 30};
    kf_dataset *data =
        kf_dataset_prepare(over("x", pixels, KF_UINT8, 2, 2, 0), "x", .mean = 10, .deviation = 5);
    float out[4];
    read_all(data, out);
    const float expected[4] = {-2, 0, 2, 4};
    assert_memory_equal(out, expected, sizeof out);
    kf_dataset_free(data);
}

static void one_hot_rows(void **state) {
    (void)state;
    static const int32_t labels[3] = {2, 0, 3};
    kf_dataset *data = kf_dataset_prepare(over("y", labels, KF_INT32, 3, 1, 0), "y", .classes = 3);
    assert_int_equal(data->fields[0].shape.rank, 1);
    assert_int_equal(data->fields[0].shape.dims[0], 3);
    float out[9];
    const float expected[6] = {0, 0, 1, 1, 0, 0};
    assert_int_equal(kf_dataset_read(data, 0, 0, 2, KF_FLOAT32, out), KF_OK);
    assert_memory_equal(out, expected, sizeof expected);
    assert_int_equal(kf_dataset_read(data, 0, 0, 3, KF_FLOAT32, out), KF_INVALID);
    assert_non_null(strstr(kf_last_error(), "y: 3 in row 2 is no class below 3"));
    kf_dataset_free(data);
}

static void sequences_of_one_length(void **state) {
    (void)state;
    static const float x[4] = {1, 2, 3, 4};
    float out[6];
    kf_dataset *data =
        kf_dataset_prepare(over("x", x, KF_FLOAT32, 2, 2, 0), "x", .length = 3, .fill = 9);
    read_all(data, out);
    const float longer[6] = {9, 1, 2, 9, 3, 4};
    assert_memory_equal(out, longer, sizeof longer);
    kf_dataset_free(data);
    data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 2, 2, 0), "x", .length = 1);
    read_all(data, out);
    const float last[2] = {2, 4};
    assert_memory_equal(out, last, sizeof last);
    kf_dataset_free(data);
    data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 2, 2, 0), "x", .length = 1, .at_end = true);
    read_all(data, out);
    const float first[2] = {1, 3};
    assert_memory_equal(out, first, sizeof first);
    kf_dataset_free(data);
}

static void images_depend_on_seed_and_row(void **state) {
    (void)state;
    float x[64 * 6], whole[64 * 6], rows[6];
    for (int i = 0; i < 64 * 6; i++) x[i] = (float)(i % 6 + 1);
    kf_dataset *data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 64, 2, 3), "x", .flip = true,
                                          .shift = 1, .seed = 4);
    read_all(data, whole);
    int changed = 0;
    for (int64_t i = 63; i >= 0; i--) {
        assert_int_equal(kf_dataset_read(data, 0, i, 1, KF_FLOAT32, rows), KF_OK);
        assert_memory_equal(rows, whole + i * 6, sizeof rows);
        changed += memcmp(rows, x, sizeof rows) != 0;
    }
    assert_true(changed > 32 && changed < 64);
    kf_dataset_free(data);
    data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 64, 2, 3), "x", .flip = true, .seed = 4);
    read_all(data, whole);
    const float turned[6] = {3, 2, 1, 6, 5, 4};
    for (int64_t i = 0; i < 64; i++)
        assert_true(memcmp(whole + i * 6, x, sizeof turned) == 0 ||
                    memcmp(whole + i * 6, turned, sizeof turned) == 0);
    kf_dataset_free(data);
}

static void one_way_at_a_time(void **state) {
    (void)state;
    static const float x[4];
    kf_dataset *inner = over("x", x, KF_FLOAT32, 2, 2, 0);
    assert_null(kf_dataset_prepare(inner, "x", .classes = 3, .length = 2));
    assert_null(kf_dataset_prepare(inner, "x", .fill = 1));
    assert_null(kf_dataset_prepare(inner, "z", .length = 2));
    assert_null(kf_dataset_prepare(inner, "x", .flip = true));
    assert_non_null(strstr(kf_last_error(), "an image needs rows"));
    kf_dataset_free(inner);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("values are standardised", standardises),
        SENTENCE("classes become one-hot rows", one_hot_rows),
        SENTENCE("sequences get one length", sequences_of_one_length),
        SENTENCE("images depend on seed and row alone", images_depend_on_seed_and_row),
        SENTENCE("a field is prepared in one way", one_way_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
