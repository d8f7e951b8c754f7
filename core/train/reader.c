/* Rows to batches. */
#include "core/train/reader.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

static int64_t batches_of(const kfi_reader *reader) {
    if (reader->steps > 0) return reader->steps;
    return (reader->count + reader->batch_size - 1) / reader->batch_size;
}

/* Where batch `index` of an epoch begins. */
static int64_t start_of(const kfi_reader *reader, int64_t index) {
    return reader->steps > 0 ? 0 : index * reader->batch_size;
}

/* Runs on the pipeline's threads; order does not change while any of them is at work. */
static kf_status fill_batch(void *context, kfi_batch *batch) {
    const kfi_reader *reader = context;
    const kfi_feed *feed = &reader->feed;
    const int64_t start = start_of(reader, reader->skipped + batch->index);
    const int64_t left = reader->count - start;
    batch->rows = left < reader->batch_size ? left : reader->batch_size;
    const kfi_rows where = {.first = reader->first + start,
                            .order = reader->order ? reader->order + start : NULL,
                            .epoch = reader->epoch};
    return kfi_feed_read(feed, &where, batch->rows, batch->data);
}

kf_status kfi_reader_open(kfi_reader *reader, const kfi_feed *feed, int64_t first, int64_t count,
                          int64_t batch_size, int32_t data_workers, int32_t max_queue_size) {
    if (batch_size < 0)
        return kfi_fail(KF_USAGE, "batch_size must be positive, got %lld", (long long)batch_size);
    if (max_queue_size < 0)
        return kfi_fail(KF_USAGE, "max_queue_size must be positive, got %d", max_queue_size);
    if (batch_size == 0) batch_size = 32;
    *reader = (kfi_reader){.feed = *feed,
                           .first = first,
                           .count = count,
                           .batch_size = batch_size < count || count == 0 ? batch_size : count,
                           .workers = data_workers == 0  ? 1
                                      : data_workers < 0 ? 0
                                                         : data_workers,
                           .max_queue_size = max_queue_size,
                           .epoch = KF_ANY};
    return KF_OK;
}

void kfi_reader_close(kfi_reader *reader) {
    kfi_pipeline_free(reader->pipeline);
    kfi_free(reader->order);
    reader->pipeline = NULL;
    reader->order = NULL;
}

kf_status kfi_check_stateful(const kf_model *model, int64_t samples, int64_t batch_size) {
    const int64_t size = batch_size > 0 ? batch_size : 32;
    if (samples <= size || samples % size == 0 || kfi_model_count_states(model) == 0) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "In a stateful network, you should only pass inputs with a number of samples "
                    "that can be divided by the batch size. Found: %lld samples. Batch size: %lld.",
                    (long long)samples, (long long)size);
}

/* One batch ahead is enough of what holds all rows. */
kf_status kfi_reader_repeat(kfi_reader *reader, int64_t steps, int64_t batch_size,
                            const char *option) {
    if (steps < 0)
        return kfi_fail(KF_USAGE, "%s must be positive, got %lld", option, (long long)steps);
    if (steps == 0) return KF_OK;
    if (batch_size != 0)
        return kfi_fail(KF_USAGE, "If %s is set, the `batch_size` must be None.", option);
    reader->steps = steps;
    reader->batch_size = reader->count;
    reader->max_queue_size = 1;
    return KF_OK;
}

/* --- order ------------------------------------------------------------------------------------ */

/* Whole batches in a random order, then the rest. */
static kf_status shuffle_batches(kfi_reader *reader, kfi_random random) {
    const int64_t size = reader->batch_size, n = reader->count / size;
    int64_t *batches = kfi_alloc((size_t)n, sizeof *batches);
    if (!batches) return KF_MEMORY;
    kfi_random_permutation(random, batches, n);
    for (int64_t i = 0; i < reader->count; i++) {
        const int64_t batch = i / size;
        reader->order[i] = batch < n ? batches[batch] * size + i % size : i;
    }
    kfi_free(batches);
    return KF_OK;
}

/* Blocks of rows that lie together in the file come in any order; then, `window` rows at a time,
 * the rows are mixed. So a file in chunks is read a few chunks at a time. */
static kf_status shuffle_windows(kfi_reader *reader, int64_t window, kfi_random random) {
    const int64_t chunk = reader->feed.dataset->chunk_rows;
    const int64_t size = chunk > 0 ? chunk : reader->batch_size;
    const int64_t n = (reader->count + size - 1) / size;
    if (window <= 0) window = 64 * reader->batch_size;
    int64_t *blocks = kfi_alloc((size_t)n, sizeof *blocks);
    int64_t *mixed = kfi_alloc((size_t)window, 2 * sizeof *mixed);
    if (blocks && mixed) {
        kfi_random_permutation(random, blocks, n);
        int64_t at = 0;
        for (int64_t b = 0; b < n; b++)
            for (int64_t i = blocks[b] * size; i < (blocks[b] + 1) * size && i < reader->count; i++)
                reader->order[at++] = i;
        for (int64_t first = 0; first < reader->count; first += window) {
            const int64_t left = reader->count - first, rows = left < window ? left : window;
            kfi_random_permutation(kfi_random_fold(random, (uint64_t)first + 1), mixed, rows);
            for (int64_t i = 0; i < rows; i++) mixed[window + i] = reader->order[first + mixed[i]];
            memcpy(reader->order + first, mixed + window, (size_t)rows * sizeof *mixed);
        }
    }
    const kf_status status = blocks && mixed ? KF_OK : KF_MEMORY;
    kfi_free(blocks);
    kfi_free(mixed);
    return status;
}

kf_status kfi_reader_shuffle(kfi_reader *reader, const char *kind, int64_t window,
                             kfi_random random) {
    if (strcmp(kind, "false") == 0 || reader->count == 0) return KF_OK;
    if (!reader->order) {
        reader->order = kfi_alloc((size_t)reader->count, sizeof *reader->order);
        if (!reader->order) return KF_MEMORY;
    }
    kf_status status = KF_OK;
    if (strcmp(kind, "batch") == 0)
        status = shuffle_batches(reader, random);
    else if (strcmp(kind, "window") == 0)
        status = shuffle_windows(reader, window, random);
    else
        kfi_random_permutation(random, reader->order, reader->count);
    for (int64_t i = 0; i < reader->count && status == KF_OK; i++)
        reader->order[i] += reader->first;
    return status;
}

/* --- batches ---------------------------------------------------------------------------------- */

kf_status kfi_reader_start(kfi_reader *reader, int64_t first) {
    if (reader->count == 0) return KF_OK;
    const int64_t left = first < batches_of(reader) ? batches_of(reader) - first : 0;
    reader->skipped = first;
    if (reader->pipeline) return kfi_pipeline_restart(reader->pipeline, left);
    return kfi_pipeline_new(&(kfi_pipeline_options){.n_batches = left,
                                                    .capacity = reader->batch_size,
                                                    .n_fields = reader->feed.ports.n,
                                                    .row_bytes = reader->feed.row_bytes,
                                                    .workers = reader->workers,
                                                    .max_queue_size = reader->max_queue_size,
                                                    .fill = fill_batch,
                                                    .context = reader},
                            &reader->pipeline);
}

kf_status kfi_reader_next(kfi_reader *reader, const kfi_batch **batch) {
    *batch = NULL;
    return reader->count ? kfi_pipeline_next(reader->pipeline, batch) : KF_OK;
}

kfi_rows kfi_reader_rows(const kfi_reader *reader, const kfi_batch *batch) {
    const int64_t start = start_of(reader, reader->skipped + batch->index);
    return (kfi_rows){.first = reader->first + start,
                      .order = reader->order ? reader->order + start : NULL,
                      .batch = reader->skipped + batch->index};
}

/* --- as a supply ------------------------------------------------------------------------------ */

/* The pipeline rests while what it reads is changed. */
static kf_status start_epoch(kfi_supply *supply, int32_t epoch, int64_t first) {
    kfi_reader_feed *feed = (kfi_reader_feed *)supply;
    kf_status status = KF_OK;
    if (feed->reader.pipeline) status = kfi_pipeline_restart(feed->reader.pipeline, 0);
    if (feed->follow && *feed->follow > 0 && *feed->follow != feed->reader.batch_size) {
        kfi_pipeline_free(feed->reader.pipeline);
        feed->reader.pipeline = NULL;
        feed->reader.batch_size = *feed->follow;
    }
    feed->reader.epoch = feed->trains ? epoch : KF_ANY;
    if (status == KF_OK && feed->shuffle)
        status = kfi_reader_shuffle(&feed->reader, feed->shuffle, feed->window,
                                    kfi_random_fold(feed->random, (uint64_t)epoch));
    return status == KF_OK ? kfi_reader_start(&feed->reader, first) : status;
}

static kf_status next_batch(kfi_supply *supply, kfi_supply_batch *batch) {
    const kfi_reader *reader = &((kfi_reader_feed *)supply)->reader;
    const kfi_batch *read = NULL;
    *batch = (kfi_supply_batch){0};
    const kf_status status = kfi_reader_next((kfi_reader *)reader, &read);
    if (status != KF_OK || !read) return status;
    *batch = (kfi_supply_batch){.index = reader->skipped + read->index,
                                .rows = read->rows,
                                .ports = &reader->feed.ports,
                                .data = read->data,
                                .where = kfi_reader_rows(reader, read)};
    return KF_OK;
}

static kfi_pipeline_times times_of(kfi_supply *supply) {
    kfi_pipeline *pipeline = ((const kfi_reader_feed *)supply)->reader.pipeline;
    return pipeline ? kfi_pipeline_measure(pipeline) : (kfi_pipeline_times){0, 0};
}

void kfi_reader_supply(kfi_reader_feed *feed) {
    feed->supply = (kfi_supply){.samples = feed->reader.count,
                                .steps = feed->reader.count ? batches_of(&feed->reader) : 0,
                                .start = start_epoch,
                                .next = next_batch,
                                .times = times_of};
}
