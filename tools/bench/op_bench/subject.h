/* An op on arrays of given shapes, ready to be run again and again by one thread, as an executor
 * would run it: stage by stage, tile by tile. */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "ops/op.h"

enum { BENCH_MOST_OUTPUTS = KFI_OP_MAX_OUTPUTS };

typedef struct bench_subject {
    const kfi_op *op;
    kfi_call call;
    kfi_array in[KFI_EXAMPLE_MAX_INPUTS], out[BENCH_MOST_OUTPUTS];
    bool shared[BENCH_MOST_OUTPUTS]; /* memory of an input */
    void *local;
    kfi_cost cost;
} bench_subject;

/* in_place: outputs that may be written over an input are. Says what the op refuses, or that memory
 * is short, in kf_last_error; bench_subject_free in any case. */
kf_status bench_subject_make(const kfi_op *op, const kfi_example *example, bool in_place,
                             bench_subject *subject);
kf_status bench_subject_run(const bench_subject *subject);
void bench_subject_free(bench_subject *subject);

#endif
