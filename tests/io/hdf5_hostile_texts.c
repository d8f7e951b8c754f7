/* Texts and names in attributes that others wrote, well meant or not. */
#include "core/base/memory.h"
#include "tests/io/raw_file.h"

static void assert_text(kfi_hdf5 *file, const char *name, const char *expected) {
    char *text;
    assert_int_equal(kfi_hdf5_read_string(file, "/", name, &text), KF_OK);
    assert_string_equal(text, expected);
    kfi_free(text);
}

static void text_kinds(void **state) {
    (void)state;
    begin();
    const hid_t scalar = H5Screate(H5S_SCALAR);
    const hid_t types[] = {
        text_type(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_ASCII),
        text_type(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_UTF8),
        text_type(8, H5T_STR_NULLTERM, H5T_CSET_ASCII),
        text_type(8, H5T_STR_NULLPAD, H5T_CSET_UTF8),
        text_type(8, H5T_STR_SPACEPAD, H5T_CSET_ASCII),
    };
    const char *text = "caf\xc3\xa9", *none = NULL;
    add_attribute("vlen", types[0], scalar, &text);
    add_attribute("vlen8", types[1], scalar, &text);
    add_attribute("null", types[0], scalar, &none);
    add_attribute("term", types[2], scalar, "theano\0");
    add_attribute("pad", types[3], scalar, "12345678");
    add_attribute("space", types[4], scalar, "2.2.4   ");
    const hsize_t two = 2, zero = 0;
    const hid_t pair = H5Screate_simple(1, &two, NULL), empty = H5Screate_simple(1, &zero, NULL);
    add_attribute("pair", types[0], pair, (const char *[]){"a", "bc"});
    add_attribute("fixed_pair", types[2], pair, "one\0\0\0\0\0two\0\0\0\0");
    add_attribute("number", H5T_NATIVE_INT16, scalar, (int16_t[]){-3});
    add_attribute("empty", types[0], empty, NULL);
    for (int i = 0; i < 5; i++) H5Tclose(types[i]);
    H5Sclose(scalar);
    H5Sclose(pair);
    H5Sclose(empty);
    kfi_hdf5 *file = reopen();
    assert_text(file, "vlen", text);
    assert_text(file, "vlen8", text);
    assert_text(file, "null", "");
    assert_text(file, "term", "theano");
    assert_text(file, "pad", "12345678");
    assert_text(file, "space", "2.2.4");
    char *read;
    assert_int_equal(kfi_hdf5_read_string(file, "/", "pair", &read), KF_INVALID);
    assert_int_equal(kfi_hdf5_read_string(file, "/", "number", &read), KF_INVALID);
    assert_null(read);
    kfi_strings *names;
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "pair", &names), KF_OK);
    assert_string_equal(names->items[1], "bc");
    kfi_free(names);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "fixed_pair", &names), KF_OK);
    assert_string_equal(names->items[0], "one");
    assert_string_equal(names->items[1], "two");
    kfi_free(names);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "empty", &names), KF_OK);
    assert_int_equal(names->count, 0);
    kfi_free(names);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "number", &names), KF_INVALID);
    int64_t value = 0;
    assert_int_equal(kfi_hdf5_read_integer(file, "/", "number", &value), KF_OK);
    assert_int_equal(value, -3);
    assert_int_equal(kfi_hdf5_read_integer(file, "/", "term", &value), KF_INVALID);
    assert_int_equal(kfi_hdf5_read_integer(file, "/", "none", &value), KF_INVALID);
    kfi_hdf5_close(file);
}

static void write_bytes(const char *path, long at, const void *bytes, size_t count) {
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    fseek(stream, at, SEEK_SET);
    fwrite(bytes, 1, count, stream);
    fclose(stream);
}

/* Where `pattern` is in the file. */
static long find_bytes(const char *path, const void *pattern, size_t count) {
    static char bytes[100000];
    FILE *stream = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    const char *found = memmem(bytes, n, pattern, count);
    assert_non_null(found);
    return (long)(found - bytes);
}

static kf_status read_text(char **text) {
    kfi_hdf5 *file;
    *text = NULL;
    if (kfi_hdf5_open(scratch("h.h5"), &file) != KF_OK) return KF_INVALID;
    const kf_status status = kfi_hdf5_read_string(file, "/", "text", text);
    kfi_hdf5_close(file);
    return status;
}

static void write_text(const char *value) {
    begin();
    const hid_t scalar = H5Screate(H5S_SCALAR), type = text_type(H5T_VARIABLE, 0, 0);
    add_attribute("text", type, scalar, &value);
    H5Tclose(type);
    H5Sclose(scalar);
    H5Fclose(raw);
}

static void damaged_heap(void **state) {
    (void)state;
    static char value[6000];
    memset(value, 'v', sizeof value - 1);
    char *text;
    write_text(value);
    const long heap = find_bytes(scratch("h.h5"), "GCOL", 4);
    assert_int_equal(read_text(&text), KF_OK);
    assert_string_equal(text, value);
    kfi_free(text);
    const uint64_t sizes[] = {5998, UINT64_MAX, 1ull << 32, 0};
    for (int i = 0; i < 4; i++)
        for (int place = 8; place <= 24; place += 16) { /* the heap's size, its object's size */
            write_text(value);
            write_bytes(scratch("h.h5"), heap + place, &sizes[i], 8);
            assert_int_equal(read_text(&text), KF_INVALID);
            assert_error_has("damaged text", kf_last_error());
        }
    uint8_t element[16] = {0x6f, 0x17}; /* 5999 bytes at the heap's address, object 1 */
    memcpy(element + 4, &(int64_t){heap}, 8);
    element[12] = 1;
    write_text(value);
    const long at = find_bytes(scratch("h.h5"), element, sizeof element);
    static const struct {
        int byte, value;
    } changes[] = {{2, 1}, {3, 0x7f}, {4, 8}, {9, 1}, {11, 0x80}, {12, 2}, {14, 1}, {15, 0xff}};
    for (int i = 0; i < 8; i++) {
        write_text(value);
        write_bytes(scratch("h.h5"), at + changes[i].byte, &(char){(char)changes[i].value}, 1);
        assert_int_equal(read_text(&text), KF_INVALID);
        assert_error_has("damaged text", kf_last_error());
    }
}

static void damaged_names(void **state) {
    (void)state;
    begin();
    const hsize_t one = 1;
    add(raw, "x", H5T_NATIVE_FLOAT, 1, &one, H5P_DEFAULT, (float[]){1});
    H5Fclose(raw);
    const long names_at = find_bytes(scratch("h.h5"), "HEAP", 4);
    write_bytes(scratch("h.h5"), names_at + 8, &(uint64_t){UINT64_MAX}, 8);
    kfi_hdf5 *file;
    kfi_strings *names;
    kf_status status = kfi_hdf5_open(scratch("h.h5"), &file);
    if (status == KF_OK) status = kfi_hdf5_list(file, "/", &names);
    assert_int_equal(status, KF_INVALID);
    kfi_hdf5_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("texts of every kind are read", text_kinds),
        SENTENCE("a text whose heap is damaged is refused", damaged_heap),
        SENTENCE("a group whose names are damaged is refused", damaged_names),
    };
    return cmocka_run_group_tests(tests, make_scratch, nothing_left_open);
}
