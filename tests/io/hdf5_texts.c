/* Attributes as Keras needs them: texts of any length, lists of names. */
#include "core/base/memory.h"
#include "tests/io/saved.h"

#include <hdf5.h>

static char *long_text(size_t bytes) {
    char *text = malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++) text[i] = (char)('a' + i % 26);
    text[bytes] = '\0';
    return text;
}

static void texts(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    static const size_t lengths[] = {0, 1, 64512, 64513, 3000000};
    char name[16], *read;
    for (int i = 0; i < 5; i++) {
        char *text = long_text(lengths[i]);
        snprintf(name, sizeof name, "text%d", i);
        assert_int_equal(kfi_hdf5_write_string(file, "/", name, text), KF_OK);
        free(text);
    }
    assert_int_equal(kfi_hdf5_write_string(file, "/", "accent", "caf\xc3\xa9"), KF_OK);
    assert_int_equal(kfi_hdf5_write_string(file, "/none", "x", "y"), KF_INVALID);
    file = commit_and_open(file, "a.h5");
    for (int i = 0; i < 5; i++) {
        char *text = long_text(lengths[i]);
        snprintf(name, sizeof name, "text%d", i);
        assert_int_equal(kfi_hdf5_read_string(file, "/", name, &read), KF_OK);
        assert_string_equal(read, text);
        kfi_free(read);
        free(text);
    }
    assert_int_equal(kfi_hdf5_read_string(file, "/", "accent", &read), KF_OK);
    assert_string_equal(read, "caf\xc3\xa9");
    kfi_free(read);
    assert_true(kfi_hdf5_has_attribute(file, "/", "text0"));
    assert_false(kfi_hdf5_has_attribute(file, "/", "text9"));
    assert_int_equal(kfi_hdf5_read_string(file, "/", "text9", &read), KF_INVALID);
    assert_error_has("has no attribute 'text9'", kf_last_error());
    kfi_hdf5_close(file);
}

/* h5py 3 reads fixed-length ASCII as bytes, which Keras 2.2.4 needs. */
static void text_types(void **state) {
    (void)state;
    kfi_hdf5 *file = create("a.h5");
    char *text = long_text(64513);
    const char *names[] = {"a", "long_name"};
    kfi_hdf5_write_string(file, "/", "short", "relu");
    kfi_hdf5_write_string(file, "/", "long", text);
    kfi_hdf5_write_strings(file, "/", "names", names, 2);
    kfi_hdf5_write_strings(file, "/", "none", NULL, 0);
    kfi_hdf5_commit(file);
    kfi_hdf5_close(file);
    free(text);
    const hid_t id = H5Fopen(scratch("a.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    static const char *const attributes[] = {"short", "long", "names", "none"};
    for (int i = 0; i < 4; i++) {
        const hid_t attribute = H5Aopen(id, attributes[i], H5P_DEFAULT);
        const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
        if (i < 3) assert_int_equal(H5Tget_cset(type), H5T_CSET_ASCII);
        if (i < 3) assert_int_equal(H5Tis_variable_str(type) > 0, i == 1);
        if (i == 0) assert_int_equal(H5Tget_size(type), 4);
        if (i == 0 || i == 2) assert_int_equal(H5Tget_strpad(type), H5T_STR_NULLPAD);
        if (i == 2) assert_int_equal(H5Tget_size(type), 9);
        if (i == 3) assert_true(H5Tequal(type, H5T_IEEE_F64LE) > 0);
        assert_int_equal(H5Sget_simple_extent_ndims(space), i < 2 ? 0 : 1);
        H5Tclose(type);
        H5Sclose(space);
        H5Aclose(attribute);
    }
    H5Fclose(id);
}

enum { NAMES = 3001 };

static void name_lists(void **state) {
    (void)state;
    static char texts_of[NAMES][64];
    static const char *names[NAMES];
    for (int i = 0; i < NAMES; i++) {
        snprintf(texts_of[i], sizeof texts_of[i], "a_layer_with_quite_a_long_name_%d", i);
        names[i] = texts_of[i];
    }
    kfi_hdf5 *file = create("a.h5");
    assert_int_equal(kfi_hdf5_write_strings(file, "/", "few", names, 3), KF_OK);
    assert_int_equal(kfi_hdf5_write_strings(file, "/", "many", names, NAMES), KF_OK);
    assert_int_equal(kfi_hdf5_write_strings(file, "/", "none", NULL, 0), KF_OK);
    const char *blank[] = {""};
    assert_int_equal(kfi_hdf5_write_strings(file, "/", "blank", blank, 1), KF_OK);
    char *huge = long_text(64513);
    assert_int_equal(kfi_hdf5_write_strings(file, "/", "huge", (const char *[]){huge}, 1),
                     KF_INVALID);
    free(huge);
    file = commit_and_open(file, "a.h5");
    kfi_strings *read;
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "few", &read), KF_OK);
    assert_int_equal(read->count, 3);
    kfi_free(read);
    /* 3001 names of 35 bytes: two parts, 1501 and 1500 */
    assert_false(kfi_hdf5_has_attribute(file, "/", "many"));
    assert_true(kfi_hdf5_has_attribute(file, "/", "many1"));
    assert_false(kfi_hdf5_has_attribute(file, "/", "many2"));
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "many0", &read), KF_OK);
    assert_int_equal(read->count, 1501);
    kfi_free(read);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "many", &read), KF_OK);
    assert_int_equal(read->count, NAMES);
    for (int i = 0; i < NAMES; i++) assert_string_equal(read->items[i], names[i]);
    kfi_free(read);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "none", &read), KF_OK);
    assert_int_equal(read->count, 0);
    kfi_free(read);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "blank", &read), KF_OK);
    assert_int_equal(read->count, 1);
    assert_string_equal(read->items[0], "");
    kfi_free(read);
    assert_int_equal(kfi_hdf5_read_strings(file, "/", "missing", &read), KF_INVALID);
    kfi_hdf5_close(file);
}

static int nothing_left_open(void **state) {
    (void)state;
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("texts of any length come back", texts),
        SENTENCE("attributes have the types that Keras needs", text_types),
        SENTENCE("lists of names are split as Keras splits them", name_lists),
    };
    return cmocka_run_group_tests(tests, make_scratch, nothing_left_open);
}
