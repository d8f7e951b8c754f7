/* The inside of a trace, for those who write it. */
#ifndef KFI_SCHEDULER_RING_H
#define KFI_SCHEDULER_RING_H

#include "scheduler/ticks.h"
#include "scheduler/trace.h"

typedef struct kfi_ring {
    _Alignas(64) kfi_trace_record *records; /* their times are ticks */
    int64_t written, next; /* by the ring's worker only; others read them between runs */
} kfi_ring;

struct kfi_trace {
    int32_t workers;
    int64_t capacity;
    kfi_ring *rings;
    kfi_ticks clock; /* since the trace was made or cleared */
};

static inline int64_t kfi_trace_now(const kfi_trace *trace) {
    return kfi_ticks_now(trace->clock.counted);
}

/* The record's times are of kfi_trace_now. Only the worker itself writes its ring. */
static inline void kfi_trace_add(kfi_trace *trace, const kfi_trace_record *record) {
    if (record->worker < 0 || record->worker >= trace->workers) return;
    kfi_ring *own = &trace->rings[record->worker];
    own->records[own->next] = *record;
    own->written++;
    if (++own->next == trace->capacity) own->next = 0;
}

#endif
