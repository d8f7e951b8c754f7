/* The ten models that are measured, and a batch of data for each. torch_cases.py has the same in
 * PyTorch, under the same names. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "kf.h"

enum { BENCH_MOST_ARRAYS = 4 };

/* One array of a batch: inputs first, then targets, as kf_train_on_batch takes them. */
typedef struct bench_feed {
    int64_t shape[KF_MAX_RANK]; /* of a sample; ends at the first 0 */
    kf_dtype dtype;             /* float32: evenly from -1 to 1, unless … */
    int32_t below;              /* … this says: whole numbers from 0 to below - 1 */
} bench_feed;

typedef struct bench_case {
    const char *name; /* NULL ends the list */
    const char *what;
    int64_t batch;
    kf_model *(*build)(kf_graph *graph);
    bench_feed feeds[BENCH_MOST_ARRAYS]; /* ends where the rank is 0 */
    const char *loss;
    float loss_weights[2];
} bench_case;

extern const bench_case bench_cases[];
const bench_case *bench_case_find(const char *name); /* NULL: there is none */

/* Compiled with RMSprop. NULL with the message in kf_last_error. */
kf_model *bench_case_model(const bench_case *chosen, kf_graph *graph);

/* A batch in memory. */
typedef struct bench_batch {
    kf_array arrays[BENCH_MOST_ARRAYS];
    int32_t n_arrays;
    float *outputs[2]; /* room for a prediction */
    int32_t n_inputs;
} bench_batch;
/* The same numbers at every call. bench_batch_free even where it fails. */
kf_status bench_batch_make(const bench_case *chosen, const kf_model *model, bench_batch *batch);
void bench_batch_free(bench_batch *batch);

#endif
