/* The prefetching pipeline: threads of its own fill batches ahead of the consumer into a bounded
 * ring of reusable buffers; batches are delivered in order whatever the threads' speed. The threads
 * are the pipeline's own because filling may block; compute workers are never used for it. */
#ifndef KFI_IO_PIPELINE_H
#define KFI_IO_PIPELINE_H

#include "core/base/shape.h"
#include "core/base/status.h"

typedef struct kfi_pipeline kfi_pipeline;

enum { KFI_MAX_BATCH_FIELDS = 64 };

/* One batch: `data[f]` has room for `capacity` rows of field f, 64-byte aligned. */
typedef struct kfi_batch {
    int64_t index; /* 0 … n_batches - 1                  */
    int64_t rows;  /* set by fill; at most the capacity  */
    int64_t capacity;
    int32_t n_fields;
    void *data[KFI_MAX_BATCH_FIELDS];
    int32_t slot; /* its place in the ring, for what `context` keeps beside the data */
} kfi_batch;

/* Fills batch->data and batch->rows for batch->index. Called from any of the pipeline's threads,
 * several at once for different batches. A failure is delivered to the consumer in place of that
 * batch, with its message; later batches are not delivered. */
typedef kf_status (*kfi_fill_batch)(void *context, kfi_batch *batch);

typedef struct kfi_pipeline_options {
    int64_t n_batches; /* then kfi_pipeline_next delivers the end; -1: no end */
    int64_t capacity;  /* rows of a batch                                     */
    int32_t n_fields;
    const size_t *row_bytes; /* bytes of one row of each field                */
    int32_t workers;         /* threads; 0: fill on the consumer's thread     */
    int32_t max_queue_size;  /* batches ready or being filled; 0: 10          */
    kfi_fill_batch fill;
    void *context;
} kfi_pipeline_options;

/* How many slots the ring has: none of them is filled while its batch is with the consumer. */
int32_t kfi_pipeline_slots(const kfi_pipeline_options *options);

kf_status kfi_pipeline_new(const kfi_pipeline_options *options, kfi_pipeline **pipeline);

/* The next batch in order, valid until the next call; *batch is NULL at the end. Waits. */
kf_status kfi_pipeline_next(kfi_pipeline *pipeline, const kfi_batch **batch);

/* Starts again from batch 0 with what `context` now says (a new epoch's order), reusing threads and
 * buffers. */
kf_status kfi_pipeline_restart(kfi_pipeline *pipeline, int64_t n_batches);

/* How long the consumer waited for data and the producers for room, since the (re)start. */
typedef struct kfi_pipeline_times {
    int64_t consumer_wait_ns, producer_idle_ns;
} kfi_pipeline_times;
kfi_pipeline_times kfi_pipeline_measure(kfi_pipeline *pipeline);

void kfi_pipeline_free(kfi_pipeline *pipeline); /* stops and joins every thread; accepts NULL */

#endif
