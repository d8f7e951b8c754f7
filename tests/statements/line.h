/* The smallest model, y = w x with w = 1, and a callback that notes what it is trained on: with the
 * rate 0, the target 0 and the loss mse, a batch's loss is the mean of its x^2. */
#ifndef KF_TESTS_STATEMENTS_LINE_H
#define KF_TESTS_STATEMENTS_LINE_H

#include "tests/statements/support.h"

#include <math.h>

static inline void near(double got, double expected) {
    const double scale = fabs(expected) > 1 ? fabs(expected) : 1;
    if (!(fabs(got - expected) <= 1e-6 * scale)) fail_msg("got %.9g, expected %.9g", got, expected);
}

static inline kf_model *make_line(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(1, .no_bias = true, .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_model_error(model));
    ok(kf_weight_set(kf_model_weight(model, 0), (const float[]){1}, 1));
    return model;
}

/* Compiled so that it stays as it is. */
static inline kf_model *still_line(kf_graph *graph) {
    kf_model *model = make_line(graph);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    return model;
}

static inline float weight_of(kf_model *model) {
    float value;
    ok(kf_weight_get(kf_model_weight(model, 0), &value, 1));
    return value;
}

enum { MOST_NOTES = 64 };

typedef struct notes {
    kf_callback callback; /* first: a kf_callback is one of these */
    int32_t epochs[MOST_NOTES], n_epochs;
    int64_t rows[MOST_NOTES]; /* by batch, over all epochs */
    double losses[MOST_NOTES];
    int32_t n;
} notes;

static inline kf_status note_epoch(kf_callback *callback, kf_model *model, int32_t epoch) {
    (void)model;
    notes *all = (notes *)callback;
    assert_true(all->n_epochs < MOST_NOTES);
    all->epochs[all->n_epochs++] = epoch;
    return KF_OK;
}

static inline kf_status note_batch(kf_callback *callback, kf_model *model, int64_t batch,
                                   int64_t rows, const kf_log *logs, int32_t n_logs) {
    (void)model, (void)batch;
    notes *all = (notes *)callback;
    assert_true(all->n < MOST_NOTES);
    all->rows[all->n] = rows;
    all->losses[all->n++] = n_logs ? logs[0].value : 0;
    return KF_OK;
}

#define NOTES                                                                                      \
    (notes) {                                                                                      \
        .callback = {.on_epoch_begin = note_epoch, .on_batch_end = note_batch }                    \
    }

/* x = 1, 2, 3 … and targets of 0, for `rows` samples. */
static inline kf_dataset *count_up(int64_t rows) {
    static float x[MOST_NOTES], zeros[MOST_NOTES];
    for (int i = 0; i < MOST_NOTES; i++) x[i] = (float)(i + 1);
    return kf_dataset_arrays((kf_array[]){ROWS("x", x, rows, 1), ROWS("y", zeros, rows, 1)}, 2);
}

#endif
