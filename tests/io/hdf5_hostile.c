/* Data files that others wrote, well meant or not. */
#include "core/base/memory.h"
#include "kf/data.h"
#include "tests/io/raw_file.h"

static void assert_refused(kfi_hdf5 *file, const char *path, const char *part) {
    kf_dtype dtype;
    kf_shape shape;
    char out[64];
    assert_int_equal(kfi_hdf5_describe(file, path, &dtype, &shape), KF_INVALID);
    assert_error_has("h.h5", kf_last_error());
    assert_error_has(part, kf_last_error());
    assert_int_equal(kfi_hdf5_read(file, path, 0, 1, KF_FLOAT32, out), KF_INVALID);
}

static void links(void **state) {
    (void)state;
    begin();
    const hsize_t one = 1;
    const hid_t group = H5Gcreate2(raw, "real", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    add(group, "x", H5T_NATIVE_FLOAT, 1, &one, H5P_DEFAULT, (float[]){1});
    H5Lcreate_soft("/real/x", raw, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/real", raw, "softgroup", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/x", raw, "external", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(raw, "real/x", raw, "hard", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    kfi_hdf5 *file = reopen();
    assert_refused(file, "/soft", "'/soft' is a soft link");
    assert_refused(file, "/softgroup/x", "'/softgroup' is a soft link");
    assert_refused(file, "/external", "'/external' is an external link");
    assert_refused(file, "/real", "not a dataset");
    assert_false(kfi_hdf5_exists(file, "/soft"));
    assert_false(kfi_hdf5_has_attribute(file, "/external", "x"));
    float x = 0;
    assert_int_equal(kfi_hdf5_read(file, "/hard", 0, 1, KF_FLOAT32, &x), KF_OK);
    assert_true(x == 1);
    kfi_strings *names;
    assert_int_equal(kfi_hdf5_list(file, "/", &names), KF_OK);
    assert_int_equal(names->count, 2);
    kfi_free(names);
    assert_int_equal(kfi_hdf5_list_datasets(file, "/", &names), KF_INVALID);
    assert_error_has("'external' in '/' is an external link", kf_last_error());
    kfi_hdf5_close(file);
    assert_null(kf_dataset_open(scratch("h.h5"), .start = 0));
    kf_dataset *dataset = kf_dataset_open(scratch("h.h5"), .group = "real");
    assert_non_null(dataset);
    kf_dataset_free(dataset);
}

static void circles(void **state) {
    (void)state;
    begin();
    const hsize_t one = 1;
    const hid_t group = H5Gcreate2(raw, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    add(group, "x", H5T_NATIVE_FLOAT, 1, &one, H5P_DEFAULT, (float[]){1});
    H5Lcreate_hard(raw, "/", group, "again", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(raw, "/a", group, "myself", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    kfi_hdf5 *file = reopen();
    kfi_strings *names;
    assert_int_equal(kfi_hdf5_list_datasets(file, "/", &names), KF_OK);
    assert_int_equal(names->count, 1);
    assert_string_equal(names->items[0], "a/x");
    kfi_free(names);
    kfi_hdf5_close(file);
}

static void deep_groups(void **state) {
    (void)state;
    begin();
    hid_t group = H5Gopen2(raw, "/", H5P_DEFAULT);
    for (int i = 0; i < 200; i++) {
        const hid_t next = H5Gcreate2(group, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(group);
        group = next;
    }
    H5Gclose(group);
    kfi_hdf5 *file = reopen();
    kfi_strings *names;
    assert_int_equal(kfi_hdf5_list_datasets(file, "/", &names), KF_INVALID);
    assert_error_has("deep", kf_last_error());
    char name[3000];
    memset(name, 'n', sizeof name);
    name[0] = '/', name[sizeof name - 1] = '\0';
    assert_false(kfi_hdf5_exists(file, name));
    kfi_hdf5_close(file);
}

static void other_files(void **state) {
    (void)state;
    begin();
    const hsize_t dims[] = {4};
    write_file(scratch("outside"), "0123456789abcdef", 16);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, scratch("outside"), 0, 16);
    add(raw, "outside", H5T_NATIVE_FLOAT, 1, dims, creation, NULL);
    H5Pclose(creation);
    creation = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(1, dims, NULL);
    H5Pset_virtual(creation, space, "other.h5", "x", space);
    add(raw, "virtual", H5T_NATIVE_FLOAT, 1, dims, creation, NULL);
    H5Pclose(creation);
    H5Sclose(space);
    kfi_hdf5 *file = reopen();
    assert_refused(file, "/outside", "in other files");
    assert_refused(file, "/virtual", "in other files");
    kfi_hdf5_close(file);
}

static hid_t chunked(hsize_t rows, int gzip) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, &rows);
    if (gzip) H5Pset_shuffle(creation);
    if (gzip) H5Pset_deflate(creation, 9);
    return creation;
}

static void absurd_sizes(void **state) {
    (void)state;
    begin();
    const hsize_t huge[] = {1000000000000}, most[] = {1ull << 40, 1u << 22}, some[] = {100};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    add(raw, "contiguous", H5T_NATIVE_FLOAT, 1, huge, creation, NULL);
    add(raw, "overflow", H5T_NATIVE_UINT8, 2, most, creation, NULL);
    add(raw, "unwritten", H5T_NATIVE_FLOAT, 1, some, creation, NULL);
    H5Pclose(creation);
    creation = chunked(1000, 0);
    add(raw, "chunked", H5T_NATIVE_FLOAT, 1, huge, creation, NULL);
    H5Pclose(creation);
    /* one chunk written, a million million declared */
    creation = chunked(100000, 1);
    add(raw, "gzip", H5T_NATIVE_FLOAT, 1, huge, creation, NULL);
    H5Pclose(creation);
    const hid_t id = H5Dopen2(raw, "gzip", H5P_DEFAULT), space = H5Dget_space(id);
    const hsize_t first = 0, count = 1;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &count, NULL);
    const hid_t memory = H5Screate_simple(1, &count, NULL);
    H5Dwrite(id, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, (float[]){1});
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(id);
    kfi_hdf5 *file = reopen();
    assert_refused(file, "/contiguous", "declares the shape (1000000000000,)");
    assert_refused(file, "/overflow", "absurd shape");
    assert_refused(file, "/unwritten", "stores only 0 bytes");
    assert_refused(file, "/chunked", "stores only 0 bytes");
    assert_refused(file, "/gzip", "stores only");
    kfi_hdf5_close(file);
}

/* The data's end is cut off the file, and the size in its head set to match. */
static void beyond_the_end(void **state) {
    (void)state;
    begin();
    const hsize_t dims[] = {100000};
    static float x[100000];
    add(raw, "x", H5T_NATIVE_FLOAT, 1, dims, H5P_DEFAULT, x);
    H5Fclose(raw);
    assert_int_equal(truncate(scratch("h.h5"), 10000), 0);
    FILE *stream = fopen(scratch("h.h5"), "r+b");
    const uint64_t bytes = 10000;
    fseek(stream, 40, SEEK_SET); /* the end-of-file address of a version 0 superblock */
    fwrite(&bytes, 8, 1, stream);
    fclose(stream);
    kfi_hdf5 *file;
    assert_int_equal(kfi_hdf5_open(scratch("h.h5"), &file), KF_OK);
    assert_refused(file, "/x", "stores only");
    kfi_hdf5_close(file);
}

static void compressed(void **state) {
    (void)state;
    begin();
    enum { ROWS = 100000 };
    const hsize_t dims[] = {ROWS};
    static int32_t x[ROWS];
    static float y[ROWS];
    hid_t creation = chunked(30000, 1);
    add(raw, "zeros", H5T_NATIVE_INT32, 1, dims, creation, x);
    for (int i = 0; i < ROWS; i++) x[i] = i;
    H5Pset_fletcher32(creation);
    add(raw, "numbers", H5T_NATIVE_INT32, 1, dims, creation, x);
    H5Pclose(creation);
    creation = chunked(1000, 0);
    H5Pset_scaleoffset(creation, H5Z_SO_INT, 0);
    add(raw, "scaled", H5T_NATIVE_INT32, 1, dims, creation, x);
    H5Pclose(creation);
    kfi_hdf5 *file = reopen();
    assert_int_equal(kfi_hdf5_read(file, "/zeros", 0, ROWS, KF_FLOAT32, y), KF_OK);
    for (int i = 0; i < ROWS; i++) assert_true(y[i] == 0);
    assert_int_equal(kfi_hdf5_chunk_rows(file, "/numbers"), 30000);
    for (int i = 0; i < ROWS; i += 5000)
        assert_int_equal(kfi_hdf5_read(file, "/numbers", i, 5000, KF_FLOAT32, y + i), KF_OK);
    for (int i = 0; i < ROWS; i++) assert_true(y[i] == (float)i);
    assert_refused(file, "/scaled", "filter 6 (scaleoffset)");
    kfi_hdf5_close(file);
}

static void damaged_chunk(void **state) {
    (void)state;
    begin();
    const hsize_t dims[] = {1000};
    static int32_t x[1000];
    for (int i = 0; i < 1000; i++) x[i] = i * 7919;
    const hid_t creation = chunked(1000, 1);
    add(raw, "x", H5T_NATIVE_INT32, 1, dims, creation, x);
    H5Pclose(creation);
    const hid_t id = H5Dopen2(raw, "x", H5P_DEFAULT);
    haddr_t address = 0;
    hsize_t bytes = 0;
    unsigned mask;
    hsize_t offset;
    const hid_t space = H5Dget_space(id);
    assert_true(H5Dget_chunk_info(id, space, 0, &offset, &mask, &address, &bytes) >= 0);
    H5Sclose(space);
    H5Dclose(id);
    H5Fclose(raw);
    FILE *stream = fopen(scratch("h.h5"), "r+b");
    fseek(stream, (long)(address + bytes / 2), SEEK_SET);
    fwrite("damage damage damage", 1, 20, stream);
    fclose(stream);
    kfi_hdf5 *file;
    assert_int_equal(kfi_hdf5_open(scratch("h.h5"), &file), KF_OK);
    assert_int_equal(kfi_hdf5_read(file, "/x", 0, 1000, KF_INT32, x), KF_INVALID);
    assert_error_has("cannot read its data", kf_last_error());
    kfi_hdf5_close(file);
}

static void wrong_kinds(void **state) {
    (void)state;
    begin();
    const hsize_t one = 1, nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const hid_t text = H5Tcopy(H5T_C_S1), record = H5Tcreate(H5T_COMPOUND, 8);
    H5Tset_size(text, 4);
    H5Tinsert(record, "a", 0, H5T_NATIVE_INT32);
    const hid_t colours = H5Tenum_create(H5T_NATIVE_INT8), narrow = H5Tcopy(H5T_NATIVE_INT32);
    const int8_t red = 0, green = 1;
    H5Tenum_insert(colours, "RED", &red);
    H5Tenum_insert(colours, "GREEN", &green);
    H5Tset_precision(narrow, 12);
    const hid_t null = H5Screate(H5S_NULL);
    static const char bytes[16];
    add(raw, "text", text, 1, &one, H5P_DEFAULT, bytes);
    add(raw, "record", record, 1, &one, H5P_DEFAULT, bytes);
    add(raw, "colours", colours, 1, &one, H5P_DEFAULT, bytes);
    add(raw, "narrow", narrow, 1, &one, H5P_DEFAULT, bytes);
    add(raw, "nine", H5T_NATIVE_FLOAT, 9, nine, H5P_DEFAULT, bytes);
    H5Dclose(
        H5Dcreate2(raw, "null", H5T_NATIVE_FLOAT, null, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(text);
    H5Tclose(record);
    H5Tclose(colours);
    H5Tclose(narrow);
    H5Sclose(null);
    kfi_hdf5 *file = reopen();
    assert_refused(file, "/text", "holds strings");
    assert_refused(file, "/record", "compound");
    assert_refused(file, "/colours", "not a bool");
    assert_refused(file, "/narrow", "unusual size");
    assert_refused(file, "/nine", "9 axes");
    assert_refused(file, "/null", "no array");
    assert_false(kfi_hdf5_is_numeric(file, "/text"));
    assert_true(kfi_hdf5_is_numeric(file, "/nine"));
    kfi_hdf5_close(file);
}

static void number_types(void **state) {
    (void)state;
    begin();
    const hsize_t two = 2;
    const unsigned char be32[] = {0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe};
    const unsigned char be_float[] = {0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0}; /* 1, -2.5 */
    const unsigned char half[] = {0x00, 0x3c, 0x00, 0xc1};                 /* 1, -2.5 */
    const uint64_t fits[] = {5, INT64_MAX}, beyond[] = {5, (uint64_t)INT64_MAX + 1};
    add(raw, "be32", H5T_STD_I32BE, 1, &two, H5P_DEFAULT, be32);
    add(raw, "be_float", H5T_IEEE_F32BE, 1, &two, H5P_DEFAULT, be_float);
    add(raw, "fits", H5T_NATIVE_UINT64, 1, &two, H5P_DEFAULT, fits);
    add(raw, "beyond", H5T_NATIVE_UINT64, 1, &two, H5P_DEFAULT, beyond);
    const hid_t half_type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half_type, 15, 10, 5, 0, 10);
    H5Tset_precision(half_type, 16);
    H5Tset_ebias(half_type, 15);
    H5Tset_size(half_type, 2);
    add(raw, "half", half_type, 1, &two, H5P_DEFAULT, half);
    H5Tclose(half_type);
    const hid_t logical = H5Tenum_create(H5T_NATIVE_INT8);
    const int8_t no = 0, yes = 1;
    H5Tenum_insert(logical, "FALSE", &no);
    H5Tenum_insert(logical, "TRUE", &yes);
    add(raw, "bool", logical, 1, &two, H5P_DEFAULT, (int8_t[]){1, 0});
    H5Tclose(logical);
    kfi_hdf5 *file = reopen();
    kf_dtype dtype;
    kf_shape shape;
    int32_t whole[2];
    float real[2];
    int64_t wide[2];
    assert_int_equal(kfi_hdf5_read(file, "/be32", 0, 2, KF_INT32, whole), KF_OK);
    assert_true(whole[0] == 258 && whole[1] == -2);
    assert_int_equal(kfi_hdf5_read(file, "/be_float", 0, 2, KF_FLOAT32, real), KF_OK);
    assert_true(real[0] == 1 && real[1] == -2.5f);
    assert_int_equal(kfi_hdf5_read(file, "/half", 0, 2, KF_FLOAT32, real), KF_OK);
    assert_true(real[0] == 1 && real[1] == -2.5f);
    assert_int_equal(kfi_hdf5_read(file, "/bool", 0, 2, KF_FLOAT32, real), KF_OK);
    assert_true(real[0] == 1 && real[1] == 0);
    assert_int_equal(kfi_hdf5_describe(file, "/bool", &dtype, &shape), KF_OK);
    assert_int_equal(dtype, KF_UINT8);
    assert_int_equal(kfi_hdf5_read(file, "/fits", 0, 2, KF_INT64, wide), KF_OK);
    assert_true(wide[1] == INT64_MAX);
    assert_int_equal(kfi_hdf5_read(file, "/beyond", 0, 2, KF_INT64, wide), KF_INVALID);
    assert_error_has("row 1 holds 9223372036854775808", kf_last_error());
    kfi_hdf5_close(file);
}

static void any_allocation_fails(void **state) {
    (void)state;
    begin();
    const hsize_t dims[] = {600, 2};
    static double x[600][2];
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    add(raw, "x", H5T_NATIVE_DOUBLE, 2, dims, creation, x);
    H5Pclose(creation);
    const hid_t scalar = H5Screate(H5S_SCALAR), type = text_type(H5T_VARIABLE, 0, 0);
    add_attribute("text", type, scalar, (const char *[]){"some text"});
    H5Tclose(type);
    H5Sclose(scalar);
    H5Fclose(raw);
    static float out[600][2];
    for (int64_t nth = 1;; nth++) {
        kfi_hdf5 *file = NULL;
        char *text = NULL;
        kfi_strings *names = NULL, *list = NULL;
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_status status = kfi_hdf5_open(scratch("h.h5"), &file);
        if (status == KF_OK) status = kfi_hdf5_read(file, "/x", 0, 600, KF_FLOAT32, out);
        if (status == KF_OK) status = kfi_hdf5_read_string(file, "/", "text", &text);
        if (status == KF_OK) status = kfi_hdf5_read_strings(file, "/", "text", &names);
        if (status == KF_OK) status = kfi_hdf5_list_datasets(file, "/", &list);
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_true((status == KF_OK) == all);
        kfi_free(text);
        kfi_free(names);
        kfi_free(list);
        kfi_hdf5_close(file);
        if (all) break;
        assert_int_equal(status, KF_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("soft and external links are refused by name, hard ones followed", links),
        SENTENCE("groups that contain themselves are listed once", circles),
        SENTENCE("groups nested without end and endless names are refused", deep_groups),
        SENTENCE("data in other files is refused", other_files),
        SENTENCE("a shape that the file does not fill is refused", absurd_sizes),
        SENTENCE("data beyond the end of the file is refused", beyond_the_end),
        SENTENCE("gzip, shuffle and checksums are read, other filters named", compressed),
        SENTENCE("a damaged chunk is an error, not data", damaged_chunk),
        SENTENCE("what is no array of numbers is refused with its kind", wrong_kinds),
        SENTENCE("numbers of either byte order, half floats and bools are read", number_types),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_scratch, nothing_left_open);
}
