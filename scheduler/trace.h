/* What ran when: one ring of 32-byte records per worker. */
#ifndef KFI_SCHEDULER_TRACE_H
#define KFI_SCHEDULER_TRACE_H

#include "kf/status.h"

#include <stdint.h>

typedef struct kfi_trace_record {
    int32_t task; /* the caller's index            */
    int16_t stage;
    int16_t worker;
    int32_t tile, n_tiles;    /* first tile and how many ran back to back under this record */
    int64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
} kfi_trace_record;

typedef struct kfi_trace kfi_trace;

/* Keeps the last `capacity` records of each of `workers` workers. */
kf_status kfi_trace_new(int32_t workers, int64_t capacity, kfi_trace **trace);
void kfi_trace_free(kfi_trace *trace);
void kfi_trace_clear(kfi_trace *trace);

/* Between runs: records of one worker, oldest first. lost: how many were overwritten. */
int64_t kfi_trace_count(const kfi_trace *trace, int32_t worker);
int64_t kfi_trace_lost(const kfi_trace *trace, int32_t worker);
kfi_trace_record kfi_trace_at(const kfi_trace *trace, int32_t worker, int64_t index);
int32_t kfi_trace_workers(const kfi_trace *trace);

#endif
