/* A golden case while it is replayed: what replay.c, replay_data.c and replay_training.c need of
 * each other. */
#ifndef KF_TESTS_REPLAYING_H
#define KF_TESTS_REPLAYING_H

#include "kf.h"
#include "tests/conformance/golden.h"

enum { REPLAY_MAX_ARRAYS = 3 * GOLDEN_MAX };

typedef struct replay {
    golden_case golden;
    kf_graph *graph;
    kf_model *model;
    golden_list inputs, targets, weights;
    kf_class_weight classes[GOLDEN_MAX];
    kf_class_weighting class_weight[GOLDEN_MAX + 1];
    int32_t n_classes, n_weighted; /* of classes, of class_weight */
    kfi_variant *class_weights;    /* what `classes` names outputs by */
    kfi_variant *names;            /* of the outputs, in the order of the model */
    bool agrees;                   /* everything compared so far */
} replay;

/* --- replay_data.c: what the case feeds the model with --- */

int64_t replay_rows(const replay *run);
/* Rows [first, first + rows) of lists of inputs, targets and weights, of which some may be NULL;
 * returns how many arrays there are. */
int32_t replay_arrays_of(const golden_list *const lists[3], int64_t first, int64_t rows,
                         kf_array *arrays);
int32_t replay_some_arrays(const replay *run, int64_t first, int64_t rows, kf_array *arrays);
int32_t replay_all_arrays(const replay *run, bool targets, kf_array *arrays);
kf_status replay_read_targets(const replay *run, const char *group, golden_list *list);
kf_status replay_read_weights(const replay *run, const char *group, golden_list *list);
kf_status replay_read_classes(replay *run);
kf_batch_options replay_batch_options(const replay *run);

/* --- replay_training.c --- */

kf_status replay_compile(replay *run);
kf_status replay_train(replay *run); /* by batches or by fit, as the case says */

/* --- replay.c --- */

/* Compares; what differs is printed and remembered. */
void replay_check(replay *run, const char *group, const golden_array *expected, const void *got,
                  kf_dtype dtype);

#endif
