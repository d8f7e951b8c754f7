/* One mutex guards everything but the filling itself. Batch i lives in slot i % n_slots; there is
 * one slot more than may be ready or being filled, for the batch that the consumer holds. */
#include "io/pipeline.h"

#include "core/base/clock.h"
#include "core/base/memory.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { DEFAULT_QUEUE_SIZE = 10, MAX_WORKERS = 1024, MESSAGE_BYTES = 1024 };

typedef struct slot {
    kfi_batch batch;
    bool ready;
    kf_status status;
    char message[MESSAGE_BYTES]; /* of the failure, since messages belong to threads */
} slot;

struct kfi_pipeline {
    kfi_pipeline_options options; /* row_bytes points to the pipeline's own copy */
    size_t row_bytes[KFI_MAX_BATCH_FIELDS];
    slot *slots;
    int64_t n_slots;
    pthread_t *threads;
    int32_t n_threads;

    pthread_mutex_t lock;  /* guards all below, and each slot from ready on            */
    pthread_cond_t room;   /* a batch may be begun, or it is time to quit               */
    pthread_cond_t change; /* a batch became ready, or a thread idle: the consumer waits */
    int64_t next_fill;     /* index of the batch to be begun next                       */
    int64_t next_out;      /* index of the batch to be delivered next                   */
    int64_t end;           /* no batch from here on: n_batches, or behind a failed one   */
    int32_t n_filling;     /* threads that are filling                                  */
    bool quitting, restarting;
    kfi_pipeline_times times;
};

static slot *slot_of(kfi_pipeline *pipeline, int64_t index) {
    return &pipeline->slots[index % pipeline->n_slots];
}

static bool has_room(const kfi_pipeline *pipeline) {
    return pipeline->next_fill < pipeline->next_out + pipeline->options.max_queue_size;
}

static bool may_begin(const kfi_pipeline *pipeline) {
    return !pipeline->restarting && pipeline->next_fill < pipeline->end && has_room(pipeline);
}

/* Without the lock: until it is ready, a slot belongs to whoever fills it. */
static void fill(kfi_pipeline *pipeline, slot *to, int64_t index) {
    to->batch.index = index;
    to->batch.rows = 0;
    to->status = pipeline->options.fill(pipeline->options.context, &to->batch);
    if (to->status == KF_OK && (to->batch.rows < 0 || to->batch.rows > to->batch.capacity))
        to->status =
            kfi_fail(KF_INVALID, "batch %lld has %lld rows; there is room for %lld",
                     (long long)index, (long long)to->batch.rows, (long long)to->batch.capacity);
    if (to->status != KF_OK) {
        strncpy(to->message, kf_last_error(), sizeof to->message - 1);
        to->message[sizeof to->message - 1] = '\0';
    }
}

static void finish(kfi_pipeline *pipeline, slot *filled) {
    filled->ready = true;
    const int64_t next = filled->batch.index + 1;
    if (filled->status != KF_OK && next < pipeline->end) pipeline->end = next;
}

/* With the lock. Waiting at the end of the batches, or for a restart, is not waiting for room. */
static void wait_for_room(kfi_pipeline *pipeline) {
    const bool full = pipeline->next_fill < pipeline->end && !has_room(pipeline);
    const int64_t since = kfi_now_ns();
    pthread_cond_wait(&pipeline->room, &pipeline->lock);
    if (full && !pipeline->restarting) pipeline->times.producer_idle_ns += kfi_now_ns() - since;
}

static void *work(void *context) {
    kfi_pipeline *pipeline = context;
    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->quitting) {
        if (!may_begin(pipeline)) {
            wait_for_room(pipeline);
            continue;
        }
        const int64_t index = pipeline->next_fill++;
        slot *to = slot_of(pipeline, index);
        pipeline->n_filling++;
        pthread_mutex_unlock(&pipeline->lock);
        fill(pipeline, to, index);
        pthread_mutex_lock(&pipeline->lock);
        pipeline->n_filling--;
        finish(pipeline, to);
        pthread_cond_signal(&pipeline->change);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return NULL;
}

static kf_status make_batch(const kfi_pipeline *pipeline, kfi_batch *batch, int32_t slot_index) {
    batch->slot = slot_index;
    batch->capacity = pipeline->options.capacity;
    batch->n_fields = pipeline->options.n_fields;
    for (int32_t i = 0; i < batch->n_fields; i++) {
        size_t bytes;
        if (__builtin_mul_overflow(pipeline->row_bytes[i], (size_t)batch->capacity, &bytes))
            return kfi_fail(KF_MEMORY, "out of memory: a batch of %lld rows of %zu bytes",
                            (long long)batch->capacity, pipeline->row_bytes[i]);
        batch->data[i] = kfi_alloc_buffer(bytes);
        if (!batch->data[i]) return KF_MEMORY;
    }
    return KF_OK;
}

/* The threads leave signals to the program's own. */
static kf_status start_threads(kfi_pipeline *pipeline) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    while (pipeline->n_threads < pipeline->options.workers && !error) {
        error = pthread_create(&pipeline->threads[pipeline->n_threads], NULL, work, pipeline);
        if (!error) pipeline->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? kfi_fail(KF_IO, "cannot start a thread: %s", strerror(error)) : KF_OK;
}

static kf_status check_options(const kfi_pipeline_options *options) {
    if (options->n_batches < -1 || options->capacity < 1 || options->n_fields < 0 ||
        options->n_fields > KFI_MAX_BATCH_FIELDS || options->max_queue_size < 0 ||
        options->max_queue_size == INT32_MAX)
        return kfi_fail(KF_USAGE,
                        "pipeline: %lld batches of %lld rows, %d fields, max_queue_size %d",
                        (long long)options->n_batches, (long long)options->capacity,
                        options->n_fields, options->max_queue_size);
    if (options->workers < 0 || options->workers > MAX_WORKERS)
        return kfi_fail(KF_USAGE, "workers must be from 0 to %d; got %d", MAX_WORKERS,
                        options->workers);
    return KF_OK;
}

static int64_t end_of(int64_t n_batches) { return n_batches < 0 ? INT64_MAX : n_batches; }

int32_t kfi_pipeline_slots(const kfi_pipeline_options *options) {
    const int32_t queue = options->max_queue_size ? options->max_queue_size : DEFAULT_QUEUE_SIZE;
    return options->workers ? queue + 1 : 1;
}

static kf_status make_slots(kfi_pipeline *pipeline) {
    const int32_t workers = pipeline->options.workers;
    pipeline->n_slots = kfi_pipeline_slots(&pipeline->options);
    pipeline->slots = kfi_alloc((size_t)pipeline->n_slots, sizeof *pipeline->slots);
    pipeline->threads = kfi_alloc((size_t)workers, sizeof *pipeline->threads);
    if (!pipeline->slots || !pipeline->threads) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t i = 0; i < pipeline->n_slots && status == KF_OK; i++)
        status = make_batch(pipeline, &pipeline->slots[i].batch, (int32_t)i);
    return status;
}

void kfi_pipeline_free(kfi_pipeline *pipeline) {
    if (!pipeline) return;
    pthread_mutex_lock(&pipeline->lock);
    pipeline->quitting = true;
    pthread_cond_broadcast(&pipeline->room);
    pthread_mutex_unlock(&pipeline->lock);
    for (int32_t i = 0; i < pipeline->n_threads; i++) pthread_join(pipeline->threads[i], NULL);
    for (int64_t i = 0; pipeline->slots && i < pipeline->n_slots; i++)
        for (int32_t f = 0; f < pipeline->options.n_fields; f++)
            kfi_free_buffer(pipeline->slots[i].batch.data[f],
                            pipeline->row_bytes[f] * (size_t)pipeline->options.capacity);
    kfi_free(pipeline->slots);
    kfi_free(pipeline->threads);
    pthread_cond_destroy(&pipeline->room);
    pthread_cond_destroy(&pipeline->change);
    pthread_mutex_destroy(&pipeline->lock);
    kfi_free(pipeline);
}

kf_status kfi_pipeline_new(const kfi_pipeline_options *options, kfi_pipeline **made) {
    *made = NULL;
    kf_status status = check_options(options);
    if (status != KF_OK) return status;
    kfi_pipeline *pipeline = kfi_alloc(1, sizeof *pipeline);
    if (!pipeline) return KF_MEMORY;
    pipeline->options = *options;
    if (!options->max_queue_size) pipeline->options.max_queue_size = DEFAULT_QUEUE_SIZE;
    for (int32_t i = 0; i < options->n_fields; i++) pipeline->row_bytes[i] = options->row_bytes[i];
    pipeline->options.row_bytes = pipeline->row_bytes;
    pipeline->end = end_of(options->n_batches);
    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_cond_init(&pipeline->room, NULL);
    pthread_cond_init(&pipeline->change, NULL);
    status = make_slots(pipeline);
    if (status == KF_OK) status = start_threads(pipeline);
    if (status == KF_OK)
        *made = pipeline;
    else
        kfi_pipeline_free(pipeline);
    return status;
}

/* With the lock: the slot of the next batch once it is ready, by a thread or right here. */
static slot *await(kfi_pipeline *pipeline) {
    slot *next = slot_of(pipeline, pipeline->next_out);
    const int64_t since = kfi_now_ns();
    if (pipeline->n_threads == 0 && !next->ready) {
        pthread_mutex_unlock(&pipeline->lock);
        fill(pipeline, next, pipeline->next_out); /* next_out is the consumer's own to change */
        pthread_mutex_lock(&pipeline->lock);
        finish(pipeline, next);
    }
    while (!next->ready) pthread_cond_wait(&pipeline->change, &pipeline->lock);
    pipeline->times.consumer_wait_ns += kfi_now_ns() - since;
    return next;
}

/* A failed batch is never passed: it is told again until the restart. */
kf_status kfi_pipeline_next(kfi_pipeline *pipeline, const kfi_batch **batch) {
    *batch = NULL;
    kf_status status = KF_OK;
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->next_out < pipeline->end) {
        slot *next = await(pipeline);
        status = next->status;
        if (status == KF_OK) {
            next->ready = false;
            pipeline->next_out++;
            *batch = &next->batch;
            pthread_cond_signal(&pipeline->room);
        } else {
            kfi_fail(status, "%s", next->message);
        }
    }
    pthread_mutex_unlock(&pipeline->lock);
    return status;
}

kf_status kfi_pipeline_restart(kfi_pipeline *pipeline, int64_t n_batches) {
    if (n_batches < -1) return kfi_fail(KF_USAGE, "pipeline: %lld batches", (long long)n_batches);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->restarting = true;
    while (pipeline->n_filling) pthread_cond_wait(&pipeline->change, &pipeline->lock);
    for (int64_t i = 0; i < pipeline->n_slots; i++) pipeline->slots[i].ready = false;
    pipeline->next_fill = pipeline->next_out = 0;
    pipeline->end = end_of(n_batches);
    pipeline->times = (kfi_pipeline_times){0, 0};
    pipeline->restarting = false;
    pthread_cond_broadcast(&pipeline->room);
    pthread_mutex_unlock(&pipeline->lock);
    return KF_OK;
}

kfi_pipeline_times kfi_pipeline_measure(kfi_pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    const kfi_pipeline_times times = pipeline->times;
    pthread_mutex_unlock(&pipeline->lock);
    return times;
}
