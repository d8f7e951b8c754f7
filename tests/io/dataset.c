#include "io/dataset.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "io/hdf5_file.h"
#include "tests/io/scratch.h"

#include <fcntl.h>
#include <hdf5.h>
#include <pthread.h>
#include <sys/stat.h>

enum { ROWS = 1000 };

static kf_status gather(kf_dataset *dataset, int32_t field, const int64_t *rows, int64_t n,
                        kf_dtype as, void *out) {
    const kfi_request what = {.field = field, .rows = n, .as = as, .epoch = KF_ANY};
    return kfi_dataset_gather(dataset, &what, rows, out);
}

static void arrays(void **state) {
    (void)state;
    static uint8_t image[6 * 2 * 2];
    static const int32_t label[6] = {0, 1, 2, 3, 4, 5};
    for (int i = 0; i < 24; i++) image[i] = (uint8_t)i;
    const kf_array list[] = {{"image", image, KF_UINT8, {3, {6, 2, 2}}},
                             {NULL, label, KF_INT32, {1, {6}}}};
    kf_dataset *dataset = kf_dataset_arrays(list, 2);
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_samples(dataset), 6);
    assert_int_equal(kf_dataset_fields(dataset), 2);
    assert_string_equal(kf_dataset_field_name(dataset, 0), "image");
    assert_null(kf_dataset_field_name(dataset, 1));
    const kf_shape shape = kf_dataset_field_shape(dataset, 0);
    assert_true(kfi_shape_equal(&shape, &KFI_SHAPE(2, 2)));
    assert_int_equal(kf_dataset_field_dtype(dataset, 1), KF_INT32);
    assert_int_equal(kfi_dataset_find(dataset, "image"), 0);
    assert_int_equal(kfi_dataset_find(dataset, "label"), -1);
    float x[2 * 2 * 2];
    assert_int_equal(kf_dataset_read(dataset, 0, 4, 2, KF_FLOAT32, x), KF_OK);
    assert_true(x[0] == 16 && x[7] == 23);
    int64_t y[3];
    assert_int_equal(gather(dataset, 1, (int64_t[]){5, 0, 1}, 3, KF_INT64, y), KF_OK);
    assert_true(y[0] == 5 && y[1] == 0 && y[2] == 1);
    assert_int_equal(kf_dataset_read(dataset, 0, 5, 2, KF_FLOAT32, x), KF_USAGE);
    assert_int_equal(kf_dataset_read(dataset, 2, 0, 1, KF_FLOAT32, x), KF_USAGE);
    assert_int_equal(kf_dataset_read(dataset, 0, 0, 1, (kf_dtype)77, x), KF_USAGE);
    assert_int_equal(gather(dataset, 1, (int64_t[]){5, 6}, 2, KF_INT64, y), KF_USAGE);
    kf_dataset_free(dataset);
    kf_dataset_free(NULL);
}

static void wrong_arrays(void **state) {
    (void)state;
    static const float x[6];
    kf_array list[] = {{"a", x, KF_FLOAT32, {1, {6}}}, {"b", x, KF_FLOAT32, {1, {5}}}};
    assert_null(kf_dataset_arrays(list, 2));
    assert_error_has("b: has 5 samples, but the first array has 6", kf_last_error());
    list[1].shape.dims[0] = 6;
    list[1].name = "a";
    assert_null(kf_dataset_arrays(list, 2));
    assert_error_has("two arrays are called 'a'", kf_last_error());
    list[1].name = NULL;
    list[1].data = NULL;
    assert_null(kf_dataset_arrays(list, 2));
    assert_error_has("array 1: data is NULL", kf_last_error());
    list[1].shape = (kf_shape){0};
    assert_null(kf_dataset_arrays(list, 2));
    assert_null(kf_dataset_arrays(list, 0));
    list[0].shape.rank = 99;
    assert_null(kf_dataset_arrays(list, 1));
}

/* /train/image (n, 2, 3) uint8, /train/label (n) int32, /test/… shorter, /notes of no use. */
static int write_pictures(void **state) {
    (void)state;
    kf_writer *writer = kf_writer_new(scratch("p.h5"));
    kf_writer_add_field(writer, "train/image", KF_UINT8, &KFI_SHAPE(2, 3));
    kf_writer_add_field(writer, "train/label", KF_INT32, &KFI_SCALAR);
    kf_writer_add_field(writer, "test/image", KF_UINT8, &KFI_SHAPE(2, 3));
    kf_writer_add_field(writer, "test/label", KF_INT32, &KFI_SCALAR);
    for (int32_t i = 0; i < ROWS; i++) {
        uint8_t image[6];
        memset(image, i, sizeof image);
        for (int32_t field = 0; field < (i < 10 ? 4 : 2); field++)
            if (kf_writer_append(writer, field, 1, field % 2 ? (void *)&i : image) != KF_OK)
                return -1;
    }
    const kf_status status = kf_writer_close(writer);
    kf_writer_free(writer);
    return status == KF_OK ? 0 : -1;
}

static void by_group(void **state) {
    (void)state;
    kf_dataset *dataset = kf_dataset_open(scratch("p.h5"), .group = "train");
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_samples(dataset), ROWS);
    assert_int_equal(kf_dataset_fields(dataset), 2);
    const int32_t image = kfi_dataset_find(dataset, "image");
    const kf_shape shape = kf_dataset_field_shape(dataset, image);
    assert_true(kfi_shape_equal(&shape, &KFI_SHAPE(2, 3)));
    assert_int_equal(kf_dataset_field_dtype(dataset, image), KF_UINT8);
    static float x[ROWS][6];
    assert_int_equal(kf_dataset_read(dataset, image, 0, ROWS, KF_FLOAT32, x), KF_OK);
    for (int i = 0; i < ROWS; i++) assert_true(x[i][0] == (uint8_t)i && x[i][5] == (uint8_t)i);
    int32_t y[4];
    const int64_t rows[] = {999, 3, 4, 0};
    const int32_t label = kfi_dataset_find(dataset, "label");
    assert_int_equal(gather(dataset, label, rows, 4, KF_INT32, y), KF_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(y[i], rows[i]);
    kf_dataset_free(dataset);
    dataset = kf_dataset_open(scratch("p.h5"), .group = "/test/");
    assert_int_equal(kf_dataset_samples(dataset), 10);
    kf_dataset_free(dataset);
    assert_null(kf_dataset_open(scratch("p.h5"), .group = "valid"));
    assert_error_has("there is no '/valid'", kf_last_error());
}

static void slices_of_fields(void **state) {
    (void)state;
    const char *const map[] = {"x=train/image[10:20]", "y=train/label[990:]", NULL};
    kf_dataset *dataset = kf_dataset_open(scratch("p.h5"), .map = map);
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_samples(dataset), 10);
    int32_t y[2];
    assert_int_equal(kf_dataset_read(dataset, 1, 8, 2, KF_INT32, y), KF_OK);
    assert_true(y[0] == 998 && y[1] == 999);
    assert_int_equal(kf_dataset_read(dataset, 0, 0, 1, KF_INT32, (int32_t[6]){0}), KF_OK);
    kf_dataset_free(dataset);
    const char *const wrong[][2] = {{"x=train/image[20:10]", "is no range of rows"},
                                    {"x=train/image[5:2000]", "it has 1000"},
                                    {"x=train/image[a]", "train/image[a]"}};
    for (int i = 0; i < 3; i++) {
        const char *const one[] = {wrong[i][0], NULL};
        assert_null(kf_dataset_open(scratch("p.h5"), .map = one));
        assert_error_has(wrong[i][1], kf_last_error());
    }
}

static void by_map(void **state) {
    (void)state;
    const char *const map[] = {"x=train/image", "y=/train/label", NULL};
    kf_dataset *dataset = kf_dataset_open(scratch("p.h5"), .map = map, .start = 100, .end = 300);
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_samples(dataset), 200);
    assert_string_equal(kf_dataset_field_name(dataset, 0), "x");
    int32_t y[2];
    assert_int_equal(kf_dataset_read(dataset, 1, 198, 2, KF_INT32, y), KF_OK);
    assert_true(y[0] == 298 && y[1] == 299);
    assert_int_equal(kf_dataset_read(dataset, 1, 199, 2, KF_INT32, y), KF_USAGE);
    kf_dataset_free(dataset);
    const char *const inside[] = {"pixels=image", NULL};
    dataset = kf_dataset_open(scratch("p.h5"), .group = "test", .map = inside);
    assert_int_equal(kf_dataset_fields(dataset), 1);
    assert_string_equal(kf_dataset_field_name(dataset, 0), "pixels");
    kf_dataset_free(dataset);
}

static void assert_not_opened(const kf_dataset_options *options, const char *part) {
    assert_null(kf_dataset_open_with(scratch("p.h5"), options));
    assert_error_has(part, kf_last_error());
}

static void wrong_choices(void **state) {
    (void)state;
    kf_dataset_options options = {.size = sizeof options};
    assert_not_opened(&options, "'test/image' has 10 rows but 'train/image' has 1000");
    assert_not_opened(NULL, "group or map");
    options.map = (const char *const[]){"x=train/image", "y=test/label", NULL};
    assert_not_opened(&options, "'x' has 1000 rows but 'y' has 10");
    options.map = (const char *const[]){"train/image", NULL};
    assert_not_opened(&options, "not of the form field=dataset");
    options.map = (const char *const[]){"x=train/image", "x=train/label", NULL};
    assert_not_opened(&options, "mapped twice");
    options.map = (const char *const[]){"x=train", NULL};
    assert_not_opened(&options, "not a dataset");
    options.map = (const char *const[]){"x=train/image", NULL};
    options.end = 1001;
    assert_not_opened(&options, "rows 0 to 1001");
    options.end = 5, options.start = 6;
    assert_not_opened(&options, "rows 6 to 5");
    options.start = -1;
    assert_not_opened(&options, "rows -1");
}

static void older_options(void **state) {
    (void)state;
    kf_dataset_options options = {.size = offsetof(kf_dataset_options, map), .group = "train"};
    options.map = (const char *const *)1; /* beyond what the older program knew of */
    options.start = 12345678;
    kf_dataset *dataset = kf_dataset_open_with(scratch("p.h5"), &options);
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_samples(dataset), ROWS);
    kf_dataset_free(dataset);
}

static void notes_aside(void **state) {
    (void)state;
    kfi_hdf5 *file;
    const float x[3] = {1, 2, 3};
    kfi_hdf5_create(scratch("n.h5"), &file);
    kfi_hdf5_write(file, "/x", KF_FLOAT32, &KFI_SHAPE(3), x);
    kfi_hdf5_write(file, "/deep/er/y", KF_FLOAT32, &KFI_SHAPE(3), x);
    kfi_hdf5_write(file, "/version", KF_FLOAT32, &KFI_SCALAR, x);
    assert_int_equal(kfi_hdf5_commit(file), KF_OK);
    kfi_hdf5_close(file);
    const hid_t raw = H5Fopen(scratch("n.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, (hsize_t[]){7}, NULL);
    H5Dclose(H5Dcreate2(raw, "names", H5T_C_S1, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(raw);
    kf_dataset *dataset = kf_dataset_open(scratch("n.h5"), .start = 1);
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_fields(dataset), 2);
    assert_int_equal(kf_dataset_samples(dataset), 2);
    assert_string_equal(kf_dataset_field_name(dataset, 0), "deep/er/y");
    kf_dataset_free(dataset);
    const char *const map[] = {"v=version", NULL};
    assert_null(kf_dataset_open(scratch("n.h5"), .map = map));
    assert_error_has("single value", kf_last_error());
    assert_null(kf_dataset_open(scratch("none.h5"), .start = 0));
}

static void scaled(void **state) {
    (void)state;
    kf_dataset *inner = kf_dataset_open(scratch("p.h5"), .group = "train");
    const int32_t image = kfi_dataset_find(inner, "image"),
                  label = kfi_dataset_find(inner, "label");
    assert_null(kf_dataset_scaled(inner, "pixels", 0.5f));
    kf_dataset *dataset = kf_dataset_scaled(inner, "image", 0.5f);
    assert_non_null(dataset);
    assert_int_equal(kf_dataset_field_dtype(dataset, image), KF_FLOAT32);
    assert_int_equal(kf_dataset_field_dtype(dataset, label), KF_INT32);
    float x[2][6];
    double wide[6];
    int32_t y;
    assert_int_equal(kf_dataset_read(dataset, image, 100, 2, KF_FLOAT32, x), KF_OK);
    assert_true(x[0][0] == 50 && x[1][5] == 50.5f);
    assert_int_equal(kf_dataset_read(dataset, image, 101, 1, KF_FLOAT64, wide), KF_OK);
    assert_true(wide[0] == 50.5);
    assert_int_equal(kf_dataset_read(dataset, image, 101, 1, KF_INT32, x), KF_INVALID);
    assert_int_equal(kf_dataset_read(dataset, label, 101, 1, KF_INT32, &y), KF_OK);
    assert_int_equal(y, 101);
    kf_dataset_free(dataset);
}

static kf_status note(void *context, const char *name, kf_dtype dtype, const kf_shape *shape) {
    char *list = context;
    sprintf(list + strlen(list), "%s %s %s; ", name, kf_dtype_name(dtype), kfi_shape_string(shape));
    return strcmp(name, "train/image") == 0 ? kfi_fail(KF_STOPPED, "enough") : KF_OK;
}

static void listed(void **state) {
    (void)state;
    char list[300] = "";
    assert_int_equal(kf_data_list(scratch("p.h5"), "/test", note, list), KF_OK);
    assert_string_equal(list, "image uint8 (10, 2, 3); label int32 (10,); ");
    list[0] = '\0';
    assert_int_equal(kf_data_list(scratch("p.h5"), NULL, note, list), KF_STOPPED);
    assert_string_equal(list, "test/image uint8 (10, 2, 3); test/label int32 (10,); "
                              "train/image uint8 (1000, 2, 3); ");
    assert_int_equal(kf_data_list(scratch("none.h5"), NULL, note, list), KF_IO);
}

static void *read_often(void *context) {
    kf_dataset *dataset = context;
    uint8_t image[7][6];
    for (int64_t i = 0; i < 300; i++) {
        const int64_t start = i * 37 % (ROWS - 7);
        if (kf_dataset_read(dataset, 0, start, 7, KF_UINT8, image) != KF_OK) return dataset;
        for (int row = 0; row < 7; row++)
            if (image[row][5] != (uint8_t)(start + row)) return dataset;
    }
    return NULL;
}

static void from_threads(void **state) {
    (void)state;
    kf_dataset *dataset = kf_dataset_open(scratch("p.h5"), .group = "train");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_often, dataset);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    kf_dataset_free(dataset);
}

static kf_dataset *open_copy(const char *name) {
    const float x[2000] = {0};
    const kf_shape one = {0};
    kf_writer *writer = kf_writer_new(scratch(name));
    assert_int_equal(kf_writer_add_field(writer, "x", KF_FLOAT32, &one), KF_OK);
    assert_int_equal(kf_writer_append(writer, 0, 2000, x), KF_OK);
    assert_int_equal(kf_writer_close(writer), KF_OK);
    kf_writer_free(writer);
    kf_dataset *dataset = kf_dataset_open(scratch(name));
    assert_non_null(dataset);
    return dataset;
}

static void refuses_to_read(kf_dataset *dataset, const char *message) {
    float x[2000];
    assert_int_equal(kf_dataset_read(dataset, 0, 0, 2000, KF_FLOAT32, x), KF_IO);
    assert_error_has(message, kf_last_error());
    kf_dataset_free(dataset);
}

/* Not zeros, and not a mixture of old and new rows. */
static void changed_meanwhile(void **state) {
    (void)state;
    kf_dataset *dataset = open_copy("cut.h5");
    assert_int_equal(truncate(scratch("cut.h5"), 4000), 0);
    refuses_to_read(dataset, "cut.h5' was changed while it was read: it has 4000 bytes now");

    dataset = open_copy("touched.h5");
    const struct timespec later[2] = {{.tv_sec = 2000000000}, {.tv_sec = 2000000000}};
    FILE *file = fopen(scratch("touched.h5"), "r+b");
    assert_int_equal(fseek(file, -100, SEEK_END), 0);
    assert_int_equal(fputc(1, file), 1);
    fclose(file);
    assert_int_equal(utimensat(AT_FDCWD, scratch("touched.h5"), later, 0), 0);
    refuses_to_read(dataset, "touched.h5' was changed while it was read");
}

/* A new file under the same name is another file: the old one is read on. */
static void replaced_meanwhile(void **state) {
    (void)state;
    kf_dataset *dataset = open_copy("replaced.h5");
    kf_dataset_free(open_copy("replaced.h5"));
    float x[2000];
    assert_int_equal(kf_dataset_read(dataset, 0, 0, 2000, KF_FLOAT32, x), KF_OK);
    kf_dataset_free(dataset);
}

static void any_allocation_fails(void **state) {
    (void)state;
    const char *const map[] = {"x=train/image", NULL};
    for (int64_t nth = 1;; nth++) {
        int32_t out[3];
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_dataset *all_fields = kf_dataset_open(scratch("p.h5"), .group = "train");
        kf_dataset *mapped = all_fields ? kf_dataset_open(scratch("p.h5"), .map = map) : NULL;
        const kf_array array = {"a", out, KF_INT32, {1, {3}}};
        kf_dataset *own = mapped ? kf_dataset_arrays(&array, 1) : NULL;
        const kf_status status = own ? kf_dataset_read(all_fields, 1, 0, 3, KF_INT32, out) : KF_IO;
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(all, status == KF_OK);
        kf_dataset_free(all_fields);
        kf_dataset_free(mapped);
        kf_dataset_free(own);
        if (all) break;
    }
}

static int begin(void **state) { return make_scratch(state) || write_pictures(state); }

static int nothing_left_open(void **state) {
    (void)state;
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("arrays are a dataset, named or not", arrays),
        SENTENCE("arrays that do not fit together are refused", wrong_arrays),
        SENTENCE("a group is a dataset with its names", by_group),
        SENTENCE("a field may be a slice of a dataset", slices_of_fields),
        SENTENCE("a map chooses and renames, start and end choose rows", by_map),
        SENTENCE("choices that do not fit together are refused", wrong_choices),
        SENTENCE("an older program's shorter options are understood", older_options),
        SENTENCE("single values and texts beside the data are passed over", notes_aside),
        SENTENCE("one field is scaled, the others are as they were", scaled),
        SENTENCE("all arrays of a file are listed, whatever their lengths", listed),
        SENTENCE("several threads read one dataset", from_threads),
        SENTENCE("a file that is changed while it is read is an error", changed_meanwhile),
        SENTENCE("a file that is replaced while it is read is not", replaced_meanwhile),
        SENTENCE("any allocation may fail in reading, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, begin, nothing_left_open);
}
