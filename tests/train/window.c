/* shuffle "window": rows of chunks that lie together are mixed, all of them once. */
#include "tests/train/support.h"

#include "core/train/reader.h"

enum { ROWS = 100, CHUNK = 8, WINDOW = 24 };

static void shuffled(int64_t window, uint64_t epoch, int64_t order[ROWS]) {
    static const float x[ROWS];
    const kf_array array = ARRAY("x", x, ROWS, 1);
    kf_dataset *data = kf_dataset_arrays(&array, 1);
    data->chunk_rows = CHUNK;
    kfi_reader reader;
    const kfi_feed feed = {.dataset = data};
    ok(kfi_reader_open(&reader, &feed, 0, ROWS, 4, 0, 0));
    ok(kfi_reader_shuffle(&reader, "window", window, (kfi_random){5, epoch}));
    memcpy(order, reader.order, ROWS * sizeof *order);
    kfi_reader_close(&reader);
    kf_dataset_free(data);
}

static void every_row_once(void **state) {
    (void)state;
    const int64_t windows[] = {1, 7, WINDOW, ROWS, 3 * ROWS, 0};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
        int64_t order[ROWS];
        int seen[ROWS] = {0};
        shuffled(windows[w], 1, order);
        for (int i = 0; i < ROWS; i++) seen[order[i]]++;
        for (int i = 0; i < ROWS; i++) assert_int_equal(seen[i], 1);
    }
}

/* A window of three chunks touches four at most: it may begin and end inside of one. */
static void few_chunks_at_a_time(void **state) {
    (void)state;
    int64_t order[ROWS];
    shuffled(WINDOW, 1, order);
    int mixed = 0;
    for (int first = 0; first < ROWS; first += WINDOW) {
        int chunks = 0, touched[ROWS / CHUNK + 1] = {0};
        for (int i = first; i < first + WINDOW && i < ROWS; i++) {
            chunks += touched[order[i] / CHUNK]++ == 0;
            mixed += i > first && order[i] != order[i - 1] + 1;
        }
        assert_true(chunks <= WINDOW / CHUNK + 1);
    }
    assert_true(mixed > ROWS / 2);
}

static void each_epoch_has_its_own_order(void **state) {
    (void)state;
    int64_t one[ROWS], again[ROWS], other[ROWS];
    shuffled(WINDOW, 1, one);
    shuffled(WINDOW, 1, again);
    shuffled(WINDOW, 2, other);
    assert_memory_equal(one, again, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("every row comes once", every_row_once),
        SENTENCE("few chunks are read at a time", few_chunks_at_a_time),
        SENTENCE("each epoch has its own order", each_epoch_has_its_own_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
