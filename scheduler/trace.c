#include "scheduler/ring.h"

#include "core/base/memory.h"

#include <stddef.h>

void kfi_trace_free(kfi_trace *trace) {
    if (!trace) return;
    for (int32_t k = 0; trace->rings && k < trace->workers; k++)
        kfi_free_buffer(trace->rings[k].records,
                        (size_t)trace->capacity * sizeof(kfi_trace_record));
    kfi_free_buffer(trace->rings, (size_t)trace->workers * sizeof(kfi_ring));
    kfi_free(trace);
}

static kf_status add_rings(kfi_trace *trace) {
    size_t bytes;
    if (__builtin_mul_overflow((size_t)trace->capacity, sizeof(kfi_trace_record), &bytes))
        return kfi_fail(KF_MEMORY, "trace: %lld records are too many", (long long)trace->capacity);
    trace->rings = kfi_alloc_buffer((size_t)trace->workers * sizeof(kfi_ring));
    if (!trace->rings) return KF_MEMORY;
    for (int32_t k = 0; k < trace->workers; k++) trace->rings[k] = (kfi_ring){NULL, 0, 0};
    for (int32_t k = 0; k < trace->workers; k++) {
        trace->rings[k].records = kfi_alloc_buffer(bytes);
        if (!trace->rings[k].records) return KF_MEMORY;
    }
    return KF_OK;
}

kf_status kfi_trace_new(int32_t workers, int64_t capacity, kfi_trace **trace) {
    *trace = NULL;
    if (workers < 1 || capacity < 1)
        return kfi_fail(KF_USAGE, "trace: workers and capacity must be at least 1; got %d and %lld",
                        workers, (long long)capacity);
    kfi_trace *made = kfi_alloc(1, sizeof *made);
    if (!made) return KF_MEMORY;
    made->workers = workers;
    made->capacity = capacity;
    made->clock = kfi_ticks_begin();
    const kf_status status = add_rings(made);
    if (status != KF_OK)
        kfi_trace_free(made);
    else
        *trace = made;
    return status;
}

void kfi_trace_clear(kfi_trace *trace) {
    for (int32_t k = 0; k < trace->workers; k++) trace->rings[k].written = trace->rings[k].next = 0;
    trace->clock = kfi_ticks_begin();
}

int64_t kfi_trace_count(const kfi_trace *trace, int32_t worker) {
    const int64_t written = trace->rings[worker].written;
    return written < trace->capacity ? written : trace->capacity;
}

int64_t kfi_trace_lost(const kfi_trace *trace, int32_t worker) {
    return trace->rings[worker].written - kfi_trace_count(trace, worker);
}

kfi_trace_record kfi_trace_at(const kfi_trace *trace, int32_t worker, int64_t index) {
    const kfi_ring *own = &trace->rings[worker];
    kfi_trace_record record =
        own->records[(kfi_trace_lost(trace, worker) + index) % trace->capacity];
    record.start_ns = kfi_ticks_ns(&trace->clock, record.start_ns);
    record.end_ns = kfi_ticks_ns(&trace->clock, record.end_ns);
    return record;
}

int32_t kfi_trace_workers(const kfi_trace *trace) { return trace->workers; }
