/* Where kf's runs are recorded, for what a record costs; NULL: nowhere. */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include "scheduler/trace.h"

extern kfi_trace *bench_kf_trace;

#endif
