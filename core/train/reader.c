/* Rows to batches. */
#include "core/train/reader.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <string.h>

static int64_t batches_of(const kfi_reader *reader) {
    return (reader->count + reader->batch_size - 1) / reader->batch_size;
}

/* Runs on the pipeline's threads; order does not change while any of them is at work. */
static kf_status fill_batch(void *context, kfi_batch *batch) {
    const kfi_reader *reader = context;
    const kfi_feed *feed = &reader->feed;
    const int64_t start = batch->index * reader->batch_size;
    const int64_t left = reader->count - start;
    batch->rows = left < reader->batch_size ? left : reader->batch_size;
    kf_status status = KF_OK;
    for (int32_t i = 0; i < feed->ports.n && status == KF_OK; i++) {
        const kf_dtype dtype = feed->ports.items[i].dtype;
        status = reader->order
                     ? kfi_dataset_gather(feed->dataset, feed->fields[i], reader->order + start,
                                          batch->rows, dtype, batch->data[i])
                     : kf_dataset_read(feed->dataset, feed->fields[i], reader->first + start,
                                       batch->rows, dtype, batch->data[i]);
    }
    return status;
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
                           .max_queue_size = max_queue_size};
    return KF_OK;
}

void kfi_reader_close(kfi_reader *reader) {
    kfi_pipeline_free(reader->pipeline);
    kfi_free(reader->order);
    reader->pipeline = NULL;
    reader->order = NULL;
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

kf_status kfi_reader_shuffle(kfi_reader *reader, const char *kind, kfi_random random) {
    if (strcmp(kind, "false") == 0 || reader->count == 0) return KF_OK;
    if (!reader->order) {
        reader->order = kfi_alloc((size_t)reader->count, sizeof *reader->order);
        if (!reader->order) return KF_MEMORY;
    }
    kf_status status = KF_OK;
    if (strcmp(kind, "batch") == 0)
        status = shuffle_batches(reader, random);
    else
        kfi_random_permutation(random, reader->order, reader->count);
    for (int64_t i = 0; i < reader->count && status == KF_OK; i++)
        reader->order[i] += reader->first;
    return status;
}

/* --- batches ---------------------------------------------------------------------------------- */

kf_status kfi_reader_start(kfi_reader *reader) {
    if (reader->count == 0) return KF_OK;
    if (reader->pipeline) return kfi_pipeline_restart(reader->pipeline, batches_of(reader));
    return kfi_pipeline_new(&(kfi_pipeline_options){.n_batches = batches_of(reader),
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
    const int64_t start = batch->index * reader->batch_size;
    return (kfi_rows){.first = reader->first + start,
                      .order = reader->order ? reader->order + start : NULL};
}
