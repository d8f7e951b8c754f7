#include "io/pipeline.h"

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/random.h"
#include "tests/io/scratch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* What the filling does in a test. */
typedef struct source {
    int64_t offset;   /* added to every value: which epoch      */
    int64_t fail_at;  /* batch that fails; -1: none              */
    int64_t rows;     /* of every batch but batch 5, which has 1 */
    int max_delay_us; /* random, by batch                        */
    int delay_us;     /* of every batch                          */
    _Atomic int64_t n_fills, n_now, most_now;
    pthread_t consumer;
    _Atomic int on_consumer;
} source;

static void sleep_us(int64_t us) {
    const struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static kf_status fill(void *context, kfi_batch *batch) {
    source *from = context;
    const int64_t now = atomic_fetch_add(&from->n_now, 1) + 1;
    for (int64_t most = atomic_load(&from->most_now);
         most < now && !atomic_compare_exchange_weak(&from->most_now, &most, now);)
        continue;
    atomic_fetch_add(&from->n_fills, 1);
    if (pthread_equal(pthread_self(), from->consumer)) atomic_store(&from->on_consumer, 1);
    const kfi_random4 random = kfi_random_block((kfi_random){1, 0}, (uint64_t)batch->index);
    if (from->max_delay_us) sleep_us(random.word[0] % (unsigned)from->max_delay_us);
    if (from->delay_us) sleep_us(from->delay_us);
    atomic_fetch_sub(&from->n_now, 1);
    if (batch->index == from->fail_at)
        return kfi_fail(KF_INVALID, "picture %lld is damaged", (long long)batch->index);
    batch->rows = batch->index == 5 ? 1 : from->rows;
    for (int64_t i = 0; i < batch->rows; i++) {
        ((int64_t *)batch->data[0])[i] = from->offset + batch->index * 100 + i;
        ((uint8_t *)batch->data[1])[i] = (uint8_t)batch->index;
    }
    return KF_OK;
}

static const size_t row_bytes[] = {sizeof(int64_t), 1};

static kfi_pipeline *start(source *from, int64_t n_batches, int32_t workers, int32_t queue) {
    from->consumer = pthread_self();
    const kfi_pipeline_options options = {.n_batches = n_batches,
                                          .capacity = 8,
                                          .n_fields = 2,
                                          .row_bytes = row_bytes,
                                          .workers = workers,
                                          .max_queue_size = queue,
                                          .fill = fill,
                                          .context = from};
    kfi_pipeline *pipeline;
    assert_int_equal(kfi_pipeline_new(&options, &pipeline), KF_OK);
    return pipeline;
}

static void take(kfi_pipeline *pipeline, const source *from, int64_t first, int64_t last) {
    const kfi_batch *batch;
    for (int64_t i = first; i < last; i++) {
        assert_int_equal(kfi_pipeline_next(pipeline, &batch), KF_OK);
        assert_non_null(batch);
        assert_int_equal(batch->index, i);
        assert_int_equal(batch->rows, i == 5 ? 1 : from->rows);
        for (int64_t row = 0; row < batch->rows; row++) {
            assert_int_equal(((int64_t *)batch->data[0])[row], from->offset + i * 100 + row);
            assert_int_equal(((uint8_t *)batch->data[1])[row], (uint8_t)i);
        }
    }
}

static void take_end(kfi_pipeline *pipeline) {
    const kfi_batch *batch;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kfi_pipeline_next(pipeline, &batch), KF_OK);
        assert_null(batch);
    }
}

static void ordered(void **state) {
    (void)state;
    static const int workers[] = {0, 1, 2, 8}, queues[] = {1, 2, 10};
    for (int w = 0; w < 4; w++)
        for (int q = 0; q < 3; q++) {
            source from = {.fail_at = -1, .rows = 8, .max_delay_us = 300};
            kfi_pipeline *pipeline = start(&from, 150, workers[w], queues[q]);
            take(pipeline, &from, 0, 150);
            take_end(pipeline);
            assert_int_equal(from.n_fills, 150);
            assert_true(from.most_now <= (workers[w] > 1 ? workers[w] : 1));
            assert_true(from.most_now <= queues[q]);
            assert_int_equal(from.on_consumer, workers[w] == 0);
            kfi_pipeline_free(pipeline);
        }
}

static void at_once(void **state) {
    (void)state;
    source from = {.fail_at = -1, .rows = 8, .delay_us = 2000};
    kfi_pipeline *pipeline = start(&from, 40, 4, 8);
    take(pipeline, &from, 0, 40);
    assert_true(from.most_now >= 2);
    kfi_pipeline_free(pipeline);
}

static void bounded(void **state) {
    (void)state;
    source from = {.fail_at = -1, .rows = 8};
    kfi_pipeline *pipeline = start(&from, 1000, 3, 4);
    sleep_us(50000);
    assert_int_equal(from.n_fills, 4);
    take(pipeline, &from, 0, 1);
    sleep_us(50000);
    assert_int_equal(from.n_fills, 5);
    kfi_pipeline_free(pipeline);
}

/* The batch in hand is not written to while the threads run ahead. */
static void held(void **state) {
    (void)state;
    source from = {.fail_at = -1, .rows = 8};
    kfi_pipeline *pipeline = start(&from, 100, 2, 1);
    const kfi_batch *batch;
    for (int64_t i = 0; i < 100; i++) {
        assert_int_equal(kfi_pipeline_next(pipeline, &batch), KF_OK);
        sleep_us(300);
        assert_int_equal(batch->index, i);
        assert_int_equal(((int64_t *)batch->data[0])[0], i * 100);
    }
    kfi_pipeline_free(pipeline);
}

static void error_in_place(void **state) {
    (void)state;
    static const int workers[] = {0, 1, 8};
    for (int w = 0; w < 3; w++) {
        source from = {.fail_at = 17, .rows = 8, .max_delay_us = 500};
        kfi_pipeline *pipeline = start(&from, 100, workers[w], 10);
        take(pipeline, &from, 0, 17);
        const kfi_batch *batch;
        for (int i = 0; i < 3; i++) {
            kfi_fail(KF_IO, "something older");
            assert_int_equal(kfi_pipeline_next(pipeline, &batch), KF_INVALID);
            assert_null(batch);
            assert_string_equal(kf_last_error(), "picture 17 is damaged");
        }
        assert_true(from.n_fills <= 17 + 10);
        from.fail_at = -1;
        assert_int_equal(kfi_pipeline_restart(pipeline, 30), KF_OK);
        take(pipeline, &from, 0, 30);
        take_end(pipeline);
        kfi_pipeline_free(pipeline);
    }
}

static void too_many_rows(void **state) {
    (void)state;
    source from = {.fail_at = -1, .rows = 8};
    kfi_pipeline *pipeline = start(&from, 100, 0, 1);
    from.rows = -1;
    const kfi_batch *batch;
    assert_int_equal(kfi_pipeline_next(pipeline, &batch), KF_INVALID);
    assert_error_has("batch 0 has -1 rows", kf_last_error());
    kfi_pipeline_free(pipeline);
}

static void early_stop(void **state) {
    (void)state;
    for (int round = 0; round < 30; round++) {
        source from = {.fail_at = round % 3 ? -1 : 4, .rows = 8, .max_delay_us = 200};
        kfi_pipeline *pipeline = start(&from, -1, 4, 3);
        take(pipeline, &from, 0, round % 4);
        kfi_pipeline_free(pipeline);
        const int64_t fills = from.n_fills;
        assert_int_equal(from.n_now, 0);
        sleep_us(200);
        assert_int_equal(from.n_fills, fills);
    }
    kfi_pipeline_free(NULL);
}

static void restarts(void **state) {
    (void)state;
    source from = {.fail_at = -1, .rows = 8, .max_delay_us = 200};
    kfi_pipeline *pipeline = start(&from, 20, 4, 5);
    for (int epoch = 1; epoch <= 20; epoch++) {
        take(pipeline, &from, 0, epoch % 2 ? 20 : 7);
        /* the threads may still run ahead in the old epoch, so its source is not touched yet */
        assert_int_equal(kfi_pipeline_restart(pipeline, 0), KF_OK);
        from.offset = epoch * 1000000;
        assert_int_equal(kfi_pipeline_restart(pipeline, 20), KF_OK);
    }
    take(pipeline, &from, 0, 20);
    assert_int_equal(kfi_pipeline_restart(pipeline, -2), KF_USAGE);
    kfi_pipeline_free(pipeline);
}

static void no_growth(void **state) {
    (void)state;
    source from = {.fail_at = -1, .rows = 8};
    kfi_pipeline *pipeline = start(&from, -1, 2, 4);
    const int64_t before = kfi_allocations();
    take(pipeline, &from, 0, 10000);
    assert_int_equal(kfi_pipeline_restart(pipeline, 100), KF_OK);
    take(pipeline, &from, 0, 100);
    take_end(pipeline);
    assert_int_equal(kfi_allocations(), before);
    kfi_pipeline_free(pipeline);
}

static void measures(void **state) {
    (void)state;
    source slow = {.fail_at = -1, .rows = 8, .delay_us = 20000};
    kfi_pipeline *pipeline = start(&slow, 5, 1, 2);
    take(pipeline, &slow, 0, 5);
    assert_true(kfi_pipeline_measure(pipeline).consumer_wait_ns > 60000000);
    assert_int_equal(kfi_pipeline_measure(pipeline).producer_idle_ns, 0);
    kfi_pipeline_restart(pipeline, 0);
    assert_int_equal(kfi_pipeline_measure(pipeline).consumer_wait_ns, 0);
    kfi_pipeline_free(pipeline);
    source quick = {.fail_at = -1, .rows = 8};
    pipeline = start(&quick, 100, 1, 2);
    sleep_us(50000);
    take(pipeline, &quick, 0, 100);
    assert_true(kfi_pipeline_measure(pipeline).producer_idle_ns > 20000000);
    kfi_pipeline_free(pipeline);
}

static void refuses(void **state) {
    (void)state;
    kfi_pipeline *pipeline;
    kfi_pipeline_options options = {.n_batches = 1,
                                    .capacity = 8,
                                    .n_fields = 2,
                                    .fill = fill,
                                    .row_bytes = row_bytes,
                                    .workers = -1};
    assert_int_equal(kfi_pipeline_new(&options, &pipeline), KF_USAGE);
    assert_error_has("workers", kf_last_error());
    options.workers = 0;
    options.n_fields = KFI_MAX_BATCH_FIELDS + 1;
    assert_int_equal(kfi_pipeline_new(&options, &pipeline), KF_USAGE);
    options.n_fields = 1;
    options.capacity = INT64_MAX;
    assert_int_equal(kfi_pipeline_new(&options, &pipeline), KF_MEMORY);
    assert_null(pipeline);
}

static void any_allocation_fails(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        source from = {.fail_at = -1, .rows = 8};
        from.consumer = pthread_self();
        const kfi_pipeline_options options = {.n_batches = 3,
                                              .capacity = 8,
                                              .n_fields = 2,
                                              .row_bytes = row_bytes,
                                              .workers = 2,
                                              .max_queue_size = 3,
                                              .fill = fill,
                                              .context = &from};
        kfi_pipeline *pipeline;
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        const kf_status status = kfi_pipeline_new(&options, &pipeline);
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(status, all ? KF_OK : KF_MEMORY);
        kfi_pipeline_free(pipeline);
        if (all) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("batches come in order whatever the threads' speed", ordered),
        SENTENCE("several batches are filled at once", at_once),
        SENTENCE("no more batches are filled ahead than the queue holds", bounded),
        SENTENCE("the batch in hand stays as it is until the next", held),
        SENTENCE("an error comes in its batch's place with its message", error_in_place),
        SENTENCE("a number of rows that cannot be is an error", too_many_rows),
        SENTENCE("stopping early joins every thread", early_stop),
        SENTENCE("a restart begins a new epoch, nothing of the old one left", restarts),
        SENTENCE("ten thousand batches and a restart allocate nothing", no_growth),
        SENTENCE("waiting is measured on both sides", measures),
        SENTENCE("options that cannot be are refused", refuses),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
