/* What stands in a file is told whole, also what kf does not read. */
#include "core/base/memory.h"
#include "io/keras_file.h"
#include "kf/data.h"
#include "tests/io/raw_file.h"

#include <stdbool.h>

enum { MOST = 16 };

/* Entries as they were told. */
typedef struct told {
    int count;
    char names[MOST][64], reasons[MOST][256], filters[MOST][64];
    kf_data_entry entries[MOST];
} told;

static kf_status keep(void *context, const kf_data_entry *entry) {
    told *all = context;
    assert_in_range(all->count, 0, MOST - 1);
    snprintf(all->names[all->count], sizeof all->names[0], "%s", entry->name);
    snprintf(all->filters[all->count], sizeof all->filters[0], "%s", entry->filters);
    snprintf(all->reasons[all->count], sizeof all->reasons[0], "%s",
             entry->refused ? entry->refused : "");
    all->entries[all->count++] = *entry;
    return KF_OK;
}

static int index_of(const told *all, const char *name) {
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->names[i], name) == 0) return i;
    fail_msg("'%s' was not told", name);
    return -1;
}

/* /pixels in compressed chunks, /group/x in one piece, and what is no data. */
static void make_file(void) {
    begin();
    const hsize_t four[] = {4, 6}, chunk[] = {2, 6};
    static const uint8_t pixels[4][6];
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 6);
    add(raw, "pixels", H5T_NATIVE_UINT8, 2, four, creation, pixels);
    H5Pclose(creation);
    const hid_t group = H5Gcreate2(raw, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    add(group, "x", H5T_NATIVE_FLOAT, 1, (hsize_t[]){3}, H5P_DEFAULT, (float[]){1, 2, 3});
    H5Gclose(group);
    add(raw, "one", H5T_NATIVE_DOUBLE, 0, NULL, H5P_DEFAULT, (double[]){1});
    const hid_t text = text_type(8, H5T_STR_NULLPAD, H5T_CSET_ASCII);
    add(raw, "names", text, 1, (hsize_t[]){1}, H5P_DEFAULT, "a text ");
    H5Tclose(text);
    H5Lcreate_soft("/pixels", raw, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/x", raw, "external", H5P_DEFAULT, H5P_DEFAULT);
    assert_int_equal(H5Fclose(raw), 0);
}

static void everything_is_told(void **state) {
    (void)state;
    make_file();
    told all = {0};
    assert_int_equal(kf_data_inspect(scratch("h.h5"), NULL, keep, &all), KF_OK);
    assert_int_equal(all.count, 6);
    const kf_data_entry *pixels = &all.entries[index_of(&all, "pixels")];
    assert_true(pixels->is_data);
    assert_int_equal(pixels->dtype, KF_UINT8);
    assert_int_equal(pixels->shape.dims[0], 4);
    assert_int_equal(pixels->chunk.rank, 2);
    assert_int_equal(pixels->chunk.dims[0], 2);
    assert_string_equal(all.filters[index_of(&all, "pixels")], "shuffle, gzip");
    assert_true(pixels->stored_bytes > 0);
    const kf_data_entry *x = &all.entries[index_of(&all, "group/x")];
    assert_int_equal(x->chunk.rank, 0);
    assert_int_equal(x->stored_bytes, 3 * sizeof(float));
    const kf_data_entry *one = &all.entries[index_of(&all, "one")];
    assert_false(one->is_data);
    assert_int_equal(one->shape.rank, 0);
}

static void what_is_refused_is_told_with_the_reason(void **state) {
    (void)state;
    make_file();
    told all = {0};
    assert_int_equal(kf_data_inspect(scratch("h.h5"), NULL, keep, &all), KF_OK);
    const int soft = index_of(&all, "soft"), names = index_of(&all, "names");
    assert_true(all.entries[soft].is_data);
    assert_error_has("'/soft' is a soft link, which is not followed", all.reasons[soft]);
    assert_error_has("is an external link", all.reasons[index_of(&all, "external")]);
    assert_false(all.entries[names].is_data);
    assert_error_has("'/names' holds strings", all.reasons[names]);
}

static void a_group_is_told_alone(void **state) {
    (void)state;
    make_file();
    told all = {0};
    assert_int_equal(kf_data_inspect(scratch("h.h5"), "group", keep, &all), KF_OK);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.names[0], "x");
    assert_int_equal(kf_data_inspect(scratch("h.h5"), "nothing", keep, &all), KF_INVALID);
    assert_error_has("there is no '/nothing' in the file", kf_last_error());
    assert_int_equal(kf_data_inspect(NULL, NULL, keep, &all), KF_USAGE);
}

static kf_status stop(void *context, const kf_data_entry *entry) {
    (void)entry;
    ++*(int *)context;
    return KF_STOPPED;
}

static void a_visitor_may_stop(void **state) {
    (void)state;
    make_file();
    int visits = 0;
    assert_int_equal(kf_data_inspect(scratch("h.h5"), NULL, stop, &visits), KF_STOPPED);
    assert_int_equal(visits, 1);
}

static void write_keras(const char *name, const char *config) {
    float kernel[2] = {1, 2};
    kfi_keras_weight weight = {.name = "d/kernel:0", .shape = KFI_SHAPE(2), .data = kernel};
    kfi_keras_layer layers[] = {{.name = "in"}, {.name = "d", .n_weights = 1, .weights = &weight}};
    const kfi_keras_file content = {.model_config = config,
                                    .keras_version = "2.2.4",
                                    .backend = "tensorflow",
                                    .n_layers = 2,
                                    .layers = layers};
    assert_int_equal(kfi_keras_write(scratch(name), &content, NULL, NULL), KF_OK);
}

static void files_are_told_apart(void **state) {
    (void)state;
    kf_file_about about;
    make_file();
    assert_int_equal(kf_file_look(scratch("h.h5"), &about), KF_OK);
    assert_int_equal(about.kind, KF_FILE_DATA);
    write_keras("weights.h5", NULL);
    assert_int_equal(kf_file_look(scratch("weights.h5"), &about), KF_OK);
    assert_int_equal(about.kind, KF_FILE_WEIGHTS);
    assert_int_equal(about.layers, 2);
    assert_int_equal(about.weights, 1);
    assert_string_equal(about.keras_version, "2.2.4");
    assert_string_equal(about.backend, "tensorflow");
    write_keras("model.h5", "{}");
    assert_int_equal(kf_file_look(scratch("model.h5"), &about), KF_OK);
    assert_int_equal(about.kind, KF_FILE_MODEL);
    assert_int_equal(kf_file_look(scratch("nothing.h5"), &about), KF_IO);
}

static void weights_that_are_listed_and_missing_are_an_error(void **state) {
    (void)state;
    write_keras("weights.h5", NULL);
    const hid_t file = H5Fopen(scratch("weights.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "/d/d/kernel:0", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    kf_file_about about;
    assert_int_equal(kf_file_look(scratch("weights.h5"), &about), KF_INVALID);
    assert_error_has("there is no '/d/d/kernel:0'", kf_last_error());
}

static void any_allocation_fails(void **state) {
    (void)state;
    make_file();
    write_keras("weights.h5", NULL);
    for (int64_t nth = 1;; nth++) {
        told all = {0};
        kf_file_about about;
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_status status = kf_data_inspect(scratch("h.h5"), NULL, keep, &all);
        if (status == KF_OK) status = kf_file_look(scratch("weights.h5"), &about);
        kfi_fail_allocation(0);
        const bool whole = kfi_allocations() - before < nth;
        assert_int_equal(status, whole ? KF_OK : KF_MEMORY);
        if (whole) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("everything in a file is told", everything_is_told),
        SENTENCE("what is refused is told with the reason",
                 what_is_refused_is_told_with_the_reason),
        SENTENCE("a group is told alone", a_group_is_told_alone),
        SENTENCE("a visitor may stop", a_visitor_may_stop),
        SENTENCE("models, weights and data are told apart", files_are_told_apart),
        SENTENCE("weights that are listed and missing are an error",
                 weights_that_are_listed_and_missing_are_an_error),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_scratch, nothing_left_open);
}
