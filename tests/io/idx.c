#include "kf/data.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "io/hdf5_file.h"
#include "tests/io/scratch.h"

#include <hdf5.h>

/* A header of type `code` and the dims given, then `bytes` bytes counting up. */
static void write_idx(const char *name, int code, int rank, const uint32_t *dims, size_t bytes) {
    static unsigned char data[100000];
    size_t at = 0;
    data[at++] = 0, data[at++] = 0, data[at++] = (unsigned char)code;
    data[at++] = (unsigned char)rank;
    for (int i = 0; i < rank; i++)
        for (int shift = 24; shift >= 0; shift -= 8) data[at++] = (unsigned char)(dims[i] >> shift);
    for (size_t i = 0; i < bytes; i++) data[at++] = (unsigned char)i;
    write_file(scratch(name), data, at);
}

static kf_status import(const char *name, int channel) {
    char path[256];
    snprintf(path, sizeof path, "%s", scratch(name));
    const kf_idx_field field = {"train/x", path, channel};
    return kf_import_idx(scratch("out.h5"), &field, 1);
}

static void zip(const char *name) {
    char command[600];
    snprintf(command, sizeof command, "gzip -f '%s'", scratch(name));
    assert_int_equal(system(command), 0);
}

static void pictures(void **state) {
    (void)state;
    for (int zipped = 0; zipped < 2; zipped++) {
        write_idx("x", 0x08, 3, (uint32_t[]){50, 4, 5}, 1000);
        if (zipped) zip("x");
        assert_int_equal(import(zipped ? "x.gz" : "x", 1), KF_OK);
        kf_dataset *dataset = kf_dataset_open(scratch("out.h5"), .group = "train");
        assert_non_null(dataset);
        assert_int_equal(kf_dataset_samples(dataset), 50);
        assert_int_equal(kf_dataset_field_dtype(dataset, 0), KF_UINT8);
        const kf_shape shape = kf_dataset_field_shape(dataset, 0);
        assert_true(kfi_shape_equal(&shape, &KFI_SHAPE(4, 5, 1)));
        uint8_t x[50 * 20];
        assert_int_equal(kf_dataset_read(dataset, 0, 0, 50, KF_UINT8, x), KF_OK);
        for (int i = 0; i < 1000; i++) assert_int_equal(x[i], i % 256);
        kf_dataset_free(dataset);
    }
}

static void labels_beside(void **state) {
    (void)state;
    write_idx("i", 0x08, 3, (uint32_t[]){7, 2, 2}, 28);
    write_idx("l", 0x08, 1, (uint32_t[]){7}, 7);
    char image[256], label[256];
    snprintf(image, sizeof image, "%s", scratch("i"));
    snprintf(label, sizeof label, "%s", scratch("l"));
    const kf_idx_field fields[] = {{"image", image, 0}, {"label", label, 1}};
    assert_int_equal(kf_import_idx(scratch("out.h5"), fields, 2), KF_OK);
    kf_dataset *dataset = kf_dataset_open(scratch("out.h5"), .start = 0);
    assert_int_equal(kf_dataset_fields(dataset), 2);
    assert_int_equal(kf_dataset_field_shape(dataset, 0).rank, 2);
    assert_int_equal(kf_dataset_field_shape(dataset, 1).rank, 0);
    kf_dataset_free(dataset);
}

static void byte_order(void **state) {
    (void)state;
    write_idx("x", 0x0b, 1, (uint32_t[]){3}, 6);
    assert_int_equal(import("x", 0), KF_OK);
    kf_dataset *dataset = kf_dataset_open(scratch("out.h5"), .start = 0);
    int32_t x[3];
    assert_int_equal(kf_dataset_field_dtype(dataset, 0), KF_INT16);
    assert_int_equal(kf_dataset_read(dataset, 0, 0, 3, KF_INT32, x), KF_OK);
    assert_true(x[0] == 0x0001 && x[1] == 0x0203 && x[2] == 0x0405);
    kf_dataset_free(dataset);
    write_idx("x", 0x0e, 2, (uint32_t[]){2, 1}, 16);
    assert_int_equal(import("x", 0), KF_OK);
    dataset = kf_dataset_open(scratch("out.h5"), .start = 0);
    double y[2];
    assert_int_equal(kf_dataset_read(dataset, 0, 0, 2, KF_FLOAT64, y), KF_OK);
    uint64_t bits;
    memcpy(&bits, &y[1], 8);
    assert_true(bits == 0x08090a0b0c0d0e0f);
    kf_dataset_free(dataset);
}

static void in_pieces(void **state) {
    (void)state;
    const size_t bytes = 16 + (size_t)3000 * 28 * 28;
    unsigned char *data = calloc(bytes, 1);
    memcpy(data, "\0\0\x08\x03\0\0\x0b\xb8\0\0\0\x1c\0\0\0\x1c", 16);
    data[bytes - 1] = 77;
    write_file(scratch("x"), data, bytes);
    free(data);
    assert_int_equal(import("x", 0), KF_OK);
    kf_dataset *dataset = kf_dataset_open(scratch("out.h5"), .start = 0);
    uint8_t x[28 * 28];
    assert_int_equal(kf_dataset_read(dataset, 0, 2999, 1, KF_UINT8, x), KF_OK);
    assert_int_equal(x[28 * 28 - 1], 77);
    kf_dataset_free(dataset);
}

static void assert_refused(const char *name, kf_status status, const char *part) {
    assert_int_equal(import(name, 0), status);
    assert_error_has(part, kf_last_error());
    assert_error_has(name, kf_last_error());
    assert_int_equal(file_bytes(scratch("out.h5")), 3);
}

static void wrong_files(void **state) {
    (void)state;
    write_file(scratch("out.h5"), "old", 3);
    assert_refused("none", KF_IO, "No such file");
    write_file(scratch("empty"), "", 0);
    assert_refused("empty", KF_INVALID, "ends before");
    write_file(scratch("text"), "this is text", 12);
    assert_refused("text", KF_INVALID, "not an idx file");
    write_idx("type", 0x0a, 1, (uint32_t[]){3}, 3);
    assert_refused("type", KF_INVALID, "not an idx file");
    write_idx("axes", 0x08, 8, (uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1}, 1);
    assert_refused("axes", KF_INVALID, "8 axes");
    write_idx("scalar", 0x08, 0, NULL, 1);
    assert_refused("scalar", KF_INVALID, "0 axes");
    write_idx("short", 0x08, 3, (uint32_t[]){10, 2, 2}, 39);
    assert_refused("short", KF_INVALID, "ends before");
    write_idx("long", 0x08, 3, (uint32_t[]){10, 2, 2}, 41);
    assert_refused("long", KF_INVALID, "goes on after");
    write_idx("huge", 0x0e, 3, (uint32_t[]){UINT32_MAX, UINT32_MAX, UINT32_MAX}, 10);
    assert_refused("huge", KF_INVALID, "absurd dimensions");
    write_idx("wide", 0x08, 2, (uint32_t[]){1, UINT32_MAX}, 10);
    assert_refused("wide", KF_INVALID, "absurd dimensions");
    write_idx("tall", 0x08, 1, (uint32_t[]){UINT32_MAX}, 10);
    assert_refused("tall", KF_INVALID, "ends before");
    assert_int_equal(scratch_entries(), 11);
}

static void damaged_gzip(void **state) {
    (void)state;
    write_file(scratch("out.h5"), "old", 3);
    for (int cut = 1; cut <= 30; cut += 4) {
        write_idx("x", 0x08, 3, (uint32_t[]){10, 2, 2}, 40);
        zip("x");
        assert_int_equal(truncate(scratch("x.gz"), (off_t)file_bytes(scratch("x.gz")) - cut), 0);
        assert_refused("x.gz", KF_INVALID, "");
    }
    write_idx("x", 0x08, 3, (uint32_t[]){10, 2, 2}, 40);
    zip("x");
    FILE *stream = fopen(scratch("x.gz"), "r+b");
    fseek(stream, -6, SEEK_END); /* the checksum */
    fputc(1, stream);
    fclose(stream);
    assert_refused("x.gz", KF_INVALID, "damaged gzip data");
}

static void any_allocation_fails(void **state) {
    (void)state;
    write_idx("x", 0x08, 3, (uint32_t[]){10, 2, 2}, 40);
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        const kf_status status = import("x", 1);
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(status, all ? KF_OK : KF_MEMORY);
        if (all) break;
    }
}

static int nothing_left_open(void **state) {
    (void)state;
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("pictures come in as bytes, plain or gzipped", pictures),
        SENTENCE("labels stand beside pictures", labels_beside),
        SENTENCE("numbers of several bytes change their order", byte_order),
        SENTENCE("a file larger than one piece is whole", in_pieces),
        SENTENCE("wrong files are refused and change nothing", wrong_files),
        SENTENCE("damaged gzip data is refused", damaged_gzip),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    struct CMUnitTest all[sizeof tests / sizeof *tests];
    memcpy(all, tests, sizeof tests);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i].teardown_func = empty_scratch;
    return cmocka_run_group_tests(all, make_scratch, nothing_left_open);
}
