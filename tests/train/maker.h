/* A generator for tests that counts who asks it for what, and fails where it is told to. */
#ifndef KF_TESTS_TRAIN_MAKER_H
#define KF_TESTS_TRAIN_MAKER_H

#include "tests/train/support.h"

#include <stdatomic.h>
#include <unistd.h>

/* y = w x with x = 1 and target 0: batch i has `sizes[i]` rows of the value `i + 1`. */
typedef struct maker {
    kf_generator generator;
    const int32_t *sizes;
    int64_t fails_at, ends_at; /* -1: never */
    bool slow, silent;
    atomic_int calls, inside, most, ends;
    atomic_int seen[64]; /* calls for each batch */
} maker;

static inline kf_status make(void *context, int64_t index, kf_batch *batch) {
    maker *self = context;
    const int inside = atomic_fetch_add(&self->inside, 1) + 1;
    for (int most = atomic_load(&self->most); inside > most;)
        if (atomic_compare_exchange_weak(&self->most, &most, inside)) break;
    atomic_fetch_add(&self->calls, 1);
    if (index < 64) atomic_fetch_add(&self->seen[index], 1);
    if (self->slow) usleep(index % 3 == 0 ? 3000 : 100);
    const int64_t rows = self->sizes ? self->sizes[index % 4] : 2;
    const kf_shape shape = {2, {rows, 1}};
    kf_status status = KF_OK;
    if (index == self->fails_at) {
        status = self->silent ? KF_IO : kf_fail(KF_IO, "the disk is gone");
    } else if (index == self->ends_at) {
        status = KF_STOPPED;
    } else {
        float *x = kf_batch_array(batch, "x", KF_FLOAT32, &shape);
        double *y = kf_batch_array(batch, "y", KF_FLOAT64, &shape);
        for (int64_t i = 0; i < rows; i++) {
            x[i] = (float)(index % 4 + 1);
            y[i] = 0;
        }
    }
    atomic_fetch_sub(&self->inside, 1);
    return status;
}

static inline void end_pass(void *context) { atomic_fetch_add(&((maker *)context)->ends, 1); }

static inline void prepare(maker *self, int64_t length) {
    self->generator =
        (kf_generator){.fill = make, .length = length, .on_epoch_end = end_pass, .context = self};
    self->fails_at = self->ends_at = -1;
}

static inline kf_model *line(kf_graph *graph) {
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(0.001f), .loss = "mse"));
    return model;
}

/* The losses and the weight after two epochs. */
static inline void fit_with(int32_t workers, bool slow, double losses[2], float *w) {
    maker self = {.slow = slow};
    prepare(&self, 8);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph);
    kf_history *history = kf_history_new();
    ok(kf_fit_generator(model, &self.generator, .epochs = 2, .workers = workers, .history = history,
                        .max_queue_size = 3));
    memcpy(losses, kf_history_values(history, "loss"), 2 * sizeof *losses);
    *w = weight_of(model);
    for (int i = 0; i < 8; i++) assert_int_equal(self.seen[i], 2);
    assert_int_equal(self.ends, 2);
    kf_history_free(history);
    kf_graph_free(graph);
}

/* Writes the loss of each batch behind the last. */
static inline kf_status note(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                             const kf_log *logs, int32_t n_logs) {
    (void)model, (void)batch, (void)rows, (void)n_logs;
    double **at = callback->context;
    *(*at)++ = logs[0].value;
    return KF_OK;
}

#endif
