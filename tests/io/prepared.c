/* Fields prepared for networks: standardised, one-hot, of one length, turned and shifted. */
#include "tests/base/sentences.h"

#include "io/dataset.h"

#include "core/base/memory.h"
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

static void standardises_channels(void **state) {
    (void)state;
    static const unsigned char pixels[6] = {0, 10, 20, 30, 40, 50};
    kf_dataset *data = kf_dataset_prepare(over("x", pixels, KF_UINT8, 1, 2, 3), "x",
                                          .means = {0, 10, 20}, .deviations = {1, 2, 5});
    float out[6];
    read_all(data, out);
    const float expected[6] = {0, 0, 0, 30, 15, 6};
    assert_memory_equal(out, expected, sizeof out);
    kf_dataset_free(data);
    data = kf_dataset_prepare_named(over("x", pixels, KF_UINT8, 1, 2, 3), "x",
                                    "standardise(means=(0, 10, 20))");
    read_all(data, out);
    const float shifted[6] = {0, 0, 0, 30, 30, 30};
    assert_memory_equal(out, shifted, sizeof out);
    kf_dataset_free(data);
}

static void channels_must_be_those_there_are(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"standardise(means=(1, 2, 3, 4))",
         "x: there are 3 channels; means are given for 4, deviations for 0"},
        {"standardise(deviations=(1, 2))", "deviations for 2"},
        {"standardise(deviations=(1, -2, 3))", "deviations must be positive; got -2"},
        {"standardise(deviations=(1, 0, 3))", "deviations must be positive; got 0"},
        {"standardise(deviations=(1, 2, 3), mean=1)", "give mean and deviation, or means"},
        {"standardise(means=(1, 2, 3, 4, 5, 6, 7, 8, 9))",
         "means must be a list of at most 8 numbers"},
        {"standardise(means=half)", "means must be a list of at most 8 numbers; got 'half'"},
    };
    static const unsigned char pixels[6];
    kf_dataset *data = over("x", pixels, KF_UINT8, 1, 2, 3);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(kf_dataset_prepare_named(data, "x", wrong[i].text));
        if (!strstr(kf_last_error(), wrong[i].words)) fail_msg("%s", kf_last_error());
    }
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

static void read_epoch(kf_dataset *data, int64_t epoch, float *out) {
    if (kf_dataset_read_epoch(data, 0, 0, data->samples, KF_FLOAT32, epoch, out) != KF_OK)
        fail_msg("%s", kf_last_error());
}

static void images_depend_on_seed_epoch_and_row(void **state) {
    (void)state;
    float x[64 * 6], whole[64 * 6], other[64 * 6], rows[6];
    for (int i = 0; i < 64 * 6; i++) x[i] = (float)(i % 6 + 1);
    kf_dataset *data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 64, 2, 3), "x", .flip = true,
                                          .shift = 1, .seed = 4);
    read_epoch(data, 7, whole);
    int changed = 0;
    for (int64_t i = 63; i >= 0; i--) {
        assert_int_equal(kf_dataset_read_epoch(data, 0, i, 1, KF_FLOAT32, 7, rows), KF_OK);
        assert_memory_equal(rows, whole + i * 6, sizeof rows);
        changed += memcmp(rows, x, sizeof rows) != 0;
    }
    assert_true(changed > 32 && changed < 64);
    read_epoch(data, 8, other);
    assert_memory_not_equal(whole, other, sizeof whole);
    assert_int_equal(kf_dataset_read_epoch(data, 0, 0, 1, KF_FLOAT32, -1, rows), KF_USAGE);
    kf_dataset_free(data);
    data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 64, 2, 3), "x", .flip = true, .shift = 1,
                              .seed = 5);
    read_epoch(data, 7, other);
    assert_memory_not_equal(whole, other, sizeof whole);
    kf_dataset_free(data);
    data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 64, 2, 3), "x", .flip = true, .seed = 4);
    read_epoch(data, 0, whole);
    const float turned[6] = {3, 2, 1, 6, 5, 4};
    for (int64_t i = 0; i < 64; i++)
        assert_true(memcmp(whole + i * 6, x, sizeof turned) == 0 ||
                    memcmp(whole + i * 6, turned, sizeof turned) == 0);
    kf_dataset_free(data);
}

static void nothing_is_random_outside_of_training(void **state) {
    (void)state;
    float x[16 * 12], whole[16 * 12];
    for (int i = 0; i < 16 * 12; i++) x[i] = (float)i;
    kf_dataset *data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 16, 3, 4), "x", .flip = true,
                                          .shift = 1, .seed = 4);
    read_all(data, whole);
    assert_memory_equal(whole, x, sizeof whole);
    kf_dataset_free(data);
    data = kf_dataset_prepare(over("x", x, KF_FLOAT32, 16, 3, 4), "x", .crop = {1, 2});
    read_all(data, whole);
    for (int i = 0; i < 16; i++) {
        assert_float_equal(whole[2 * i], 12 * i + 5, 0);
        assert_float_equal(whole[2 * i + 1], 12 * i + 6, 0);
    }
    kf_dataset_free(data);
}

/* Pixel (y, x) of an image is 10 y + x, so a crop shows where it was taken. */
static void crops_come_from_anywhere_inside(void **state) {
    (void)state;
    enum { IMAGES = 200 };
    float x[IMAGES * 20], whole[IMAGES * 6];
    int seen[4][4] = {{0}};
    for (int i = 0; i < IMAGES * 20; i++) x[i] = (float)(i % 20 / 5 * 10 + i % 5);
    kf_dataset *data =
        kf_dataset_prepare(over("x", x, KF_FLOAT32, IMAGES, 4, 5), "x", .crop = {2, 3});
    assert_int_equal(data->fields[0].shape.dims[0], 2);
    assert_int_equal(data->fields[0].shape.dims[1], 3);
    read_epoch(data, 0, whole);
    for (int i = 0; i < IMAGES; i++) {
        const int top = (int)whole[i * 6] / 10, left = (int)whole[i * 6] % 10;
        assert_in_range(top, 0, 2);
        assert_in_range(left, 0, 2);
        seen[top][left]++;
        for (int j = 0; j < 6; j++)
            assert_float_equal(whole[i * 6 + j], (top + j / 3) * 10 + left + j % 3, 0);
    }
    for (int place = 0; place < 9; place++) assert_true(seen[place / 3][place % 3] > 5);
    kf_dataset_free(data);
}

static void values_are_scaled(void **state) {
    (void)state;
    static const unsigned char pixels[4] = {0, 51, 102, 255};
    kf_dataset *data = kf_dataset_prepare(over("x", pixels, KF_UINT8, 2, 2, 0), "x", .factor = 2);
    float out[4];
    read_all(data, out);
    const float expected[4] = {0, 102, 204, 510};
    assert_memory_equal(out, expected, sizeof out);
    kf_dataset_free(data);
}

static void a_text_says_the_way(void **state) {
    (void)state;
    static const unsigned char pixels[4] = {0, 51, 102, 255};
    kf_dataset *data = over("x", pixels, KF_UINT8, 2, 2, 0);
    data = kf_dataset_prepare_named(data, "x", "scale(1/255)");
    data = kf_dataset_prepare_named(data, "x", "pad(3, at_end=True, fill=-1)");
    data = kf_dataset_prepare_named(data, "x", "standardise(deviation=0.5)");
    float out[6];
    read_all(data, out);
    const float expected[6] = {0, 0.4f, -2, 0.8f, 2, -2};
    for (int i = 0; i < 6; i++) assert_float_equal(out[i], expected[i], 1e-6f);
    assert_null(kf_dataset_prepare_named(data, "x", "blur(3)"));
    assert_non_null(strstr(kf_last_error(), "x: unknown preparation 'blur'"));
    assert_null(kf_dataset_prepare_named(data, "x", "pad(0)"));
    assert_non_null(strstr(kf_last_error(), "x: pad: length must be an integer of at least 1"));
    assert_null(kf_dataset_prepare_named(data, "x", "one_hot"));
    assert_non_null(strstr(kf_last_error(), "classes is missing"));
    assert_null(kf_dataset_prepare_named(data, "x", "scale(1/0)"));
    kf_dataset_free(data);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    static const unsigned char pixels[4] = {0, 1, 2, 2};
    bool done = false;
    for (int64_t n = 1; !done; n++) {
        float out[6];
        kf_dataset *inner = over("x", pixels, KF_UINT8, 2, 2, 0);
        kfi_fail_allocation(n);
        kf_dataset *data = kf_dataset_prepare_named(inner, "x", "one_hot(classes=3)");
        done = data && kf_dataset_read(data, 0, 0, 1, KF_FLOAT32, out) == KF_OK;
        kfi_fail_allocation(0);
        if (!done) assert_int_equal(kf_last_status(), KF_MEMORY);
        kf_dataset_free(data ? data : inner);
    }
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
    static const float image[9];
    inner = over("x", image, KF_FLOAT32, 1, 3, 3);
    assert_null(kf_dataset_prepare(inner, "x", .crop = {4, 2}));
    assert_non_null(strstr(kf_last_error(), "x: crop must fit into (3, 3); got (4, 2)"));
    assert_null(kf_dataset_prepare(inner, "x", .crop = {2}, .classes = 2));
    kf_dataset_free(inner);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("values are standardised", standardises),
        SENTENCE("channels are standardised each by its own", standardises_channels),
        SENTENCE("means and deviations are for the channels there are",
                 channels_must_be_those_there_are),
        SENTENCE("classes become one-hot rows", one_hot_rows),
        SENTENCE("sequences get one length", sequences_of_one_length),
        SENTENCE("images depend on seed, epoch and row alone", images_depend_on_seed_epoch_and_row),
        SENTENCE("nothing is random outside of training", nothing_is_random_outside_of_training),
        SENTENCE("crops come from anywhere inside", crops_come_from_anywhere_inside),
        SENTENCE("values are scaled", values_are_scaled),
        SENTENCE("a text says the way", a_text_says_the_way),
        SENTENCE("any allocation may fail, cleanly", any_allocation_may_fail),
        SENTENCE("a field is prepared in one way", one_way_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
