/* Writes the small files that the scripts of this folder use into a folder: data made by a fixed
 * recipe, so that every run of the tests sees the same bytes. */
#include <kf.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, TEST_ROWS = 32, PIXELS = 36 };

static const char *folder;
static kf_writer
    *open_writer; /* the file under way; freed without being closed, it leaves no trace */

static void check(kf_status status) {
    if (status == KF_OK) return;
    fprintf(stderr, "make_data: %s\n", kf_last_error());
    kf_writer_free(open_writer);
    exit((int)status);
}

static float next(void) {
    static uint32_t state = 11;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) * 0x1p-24f;
}

static kf_writer *create(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    open_writer = kf_writer_new(path);
    if (open_writer == NULL) check(kf_last_status());
    return open_writer;
}

/* A whole field in one go; returns the number of the next. */
static int32_t add(kf_writer *writer, int32_t field, const char *name, kf_dtype dtype,
                   kf_shape shape, int64_t rows, const void *values) {
    check(kf_writer_add_field(writer, name, dtype, &shape));
    check(kf_writer_append(writer, field, rows, values));
    return field + 1;
}

static void finish(kf_writer *writer) {
    check(kf_writer_close(writer));
    kf_writer_free(writer);
    open_writer = NULL;
}

/* Four numbers, of which the largest of the first three is the label. */
static void make_vectors(float x[ROWS][4], int32_t y[ROWS]) {
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < 4; j++) x[i][j] = next();
        y[i] = 0;
        for (int c = 1; c < 3; c++)
            if (x[i][c] > x[i][y[i]]) y[i] = c;
    }
}

static void write_vectors(void) {
    const kf_shape four = {1, {4}}, five = {1, {5}}, one = {0};
    static float x[ROWS][4], wide[ROWS][5];
    int32_t y[ROWS];
    make_vectors(x, y);
    kf_writer *writer = create("good.h5");
    add(writer, add(writer, 0, "x", KF_FLOAT32, four, ROWS, x), "y", KF_INT32, one, ROWS, y);
    finish(writer);
    writer = create("renamed.h5");
    add(writer, add(writer, 0, "vectors", KF_FLOAT32, four, ROWS, x), "classes", KF_INT32, one,
        ROWS, y);
    finish(writer);
    writer = create("extra.h5");
    int32_t extra = add(writer, 0, "notes", KF_FLOAT32, four, 3, x);
    extra = add(writer, extra, "vectors", KF_FLOAT32, four, ROWS, x);
    add(writer, extra, "y", KF_INT32, one, ROWS, y);
    finish(writer);
    writer = create("no_labels.h5");
    add(writer, 0, "x", KF_FLOAT32, four, ROWS, x);
    finish(writer);
    writer = create("wrong_shape.h5");
    add(writer, add(writer, 0, "x", KF_FLOAT32, five, ROWS, wide), "y", KF_INT32, one, ROWS, y);
    finish(writer);
    writer = create("groups.h5");
    int32_t field = add(writer, 0, "train/x", KF_FLOAT32, four, ROWS, x);
    field = add(writer, field, "train/y", KF_INT32, one, ROWS, y);
    field = add(writer, field, "test/x", KF_FLOAT32, four, TEST_ROWS, x);
    add(writer, field, "test/y", KF_INT32, one, TEST_ROWS, y);
    finish(writer);
    float weights[ROWS];
    for (int i = 0; i < ROWS; i++) weights[i] = (float)(1 + i % 3);
    writer = create("weighted.h5");
    field = add(writer, 0, "x", KF_FLOAT32, four, ROWS, x);
    field = add(writer, field, "y", KF_INT32, one, ROWS, y);
    add(writer, field, "y_sample_weight", KF_FLOAT32, one, ROWS, weights);
    finish(writer);
    const float bad = x[5][1];
    x[5][1] = x[9][3] = NAN;
    writer = create("not_numbers.h5");
    add(writer, add(writer, 0, "x", KF_FLOAT32, four, ROWS, x), "y", KF_INT32, one, ROWS, y);
    finish(writer);
    x[5][1] = x[9][3] = bad;
    y[13] = 7;
    writer = create("wrong_label.h5");
    add(writer, add(writer, 0, "x", KF_FLOAT32, four, ROWS, x), "y", KF_INT32, one, ROWS, y);
    finish(writer);
}

/* Two inputs, two targets for two_outputs.json. */
static void write_two(void) {
    static float a[ROWS][4], b[ROWS][2], main_target[ROWS], aux_target[ROWS][2];
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < 4; j++) a[i][j] = next();
        for (int j = 0; j < 2; j++) b[i][j] = next();
        main_target[i] = a[i][0] > b[i][0];
        for (int j = 0; j < 2; j++) aux_target[i][j] = a[i][j] - a[i][j + 1];
    }
    kf_writer *writer = create("two.h5");
    int32_t field = add(writer, 0, "a", KF_FLOAT32, (kf_shape){1, {4}}, ROWS, a);
    field = add(writer, field, "b", KF_FLOAT32, (kf_shape){1, {2}}, ROWS, b);
    field = add(writer, field, "main", KF_FLOAT32, (kf_shape){1, {1}}, ROWS, main_target);
    add(writer, field, "aux", KF_FLOAT32, (kf_shape){1, {2}}, ROWS, aux_target);
    finish(writer);
}

/* An idx file: two zero bytes, the type (8: bytes), the rank, big-endian sizes, the bytes. */
static void write_idx(const char *name, const int32_t *sizes, int rank, const uint8_t *bytes,
                      size_t count) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) exit(KF_IO);
    fputc(0, file), fputc(0, file), fputc(8, file), fputc(rank, file);
    for (int i = 0; i < rank; i++)
        for (int shift = 24; shift >= 0; shift -= 8) fputc(sizes[i] >> shift & 255, file);
    fwrite(bytes, 1, count, file);
    if (fclose(file) != 0) exit(KF_IO);
}

/* Images whose brightest third is their label. */
static void write_images(void) {
    static uint8_t images[ROWS][PIXELS], labels[ROWS];
    for (int i = 0; i < ROWS; i++) {
        labels[i] = (uint8_t)(i % 3);
        for (int j = 0; j < PIXELS; j++)
            images[i][j] = (uint8_t)(100 * next() + (j / 12 == labels[i] ? 150 : 0));
    }
    write_idx("images.idx", (int32_t[]){ROWS, 6, 6}, 3, images[0], sizeof images);
    write_idx("labels.idx", (int32_t[]){ROWS}, 1, labels, sizeof labels);
    write_idx("cut.idx", (int32_t[]){ROWS, 6, 6}, 3, images[0], sizeof images / 2);
}

int main(int argc, char **argv) {
    if (argc != 2) return KF_USAGE;
    folder = argv[1];
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is an error as a full disk is */
    write_vectors();
    write_two();
    write_images();
    return 0;
}
