/* Training from batches that the caller makes: Keras's Sequence and generators. */
#ifndef KF_GENERATORS_H
#define KF_GENERATORS_H

#include "kf/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A batch that is being filled: arrays of any number of rows, named after inputs and targets
 * ("y_sample_weight" for weights), or without names in the order of inputs, targets, weights. */
typedef struct kf_batch kf_batch;

/* Room for an array with the samples axis first, to be written until `fill` returns; NULL when
 * memory is gone. The name may be NULL and is copied. */
KF_API void *kf_batch_array(kf_batch *batch, const char *name, kf_dtype dtype,
                            const kf_shape *shape);
/* The same with values to be copied. */
KF_API kf_status kf_batch_copy(kf_batch *batch, const kf_array *array);

/* Where batches come from. With a length it is a Sequence: `fill` makes batch `index` of that many
 * and is called from several threads at once. Without one it is a generator: `fill` makes the next
 * batch, index counts from 0, and there is one call at a time, in order. A status other than KF_OK
 * is returned by the fit at that batch's turn, with its message; KF_STOPPED says that there is no
 * further batch. */
typedef struct kf_generator {
    kf_status (*fill)(void *context, int64_t index, kf_batch *batch);
    int64_t length; /* batches of a pass; 0: a generator */
    /* After every pass of a Sequence, once training took all of its batches and before the next
     * pass is begun; fill is not running then. May be NULL. */
    void (*on_epoch_end)(void *context);
    void *context;
} kf_generator;

/* For a fill that fails: `return kf_fail(KF_IO, "cannot read that");`. */
KF_API kf_status kf_fail(kf_status status, const char *message);

typedef struct kf_fit_generator_options {
    size_t size;
    int64_t
        steps_per_epoch; /* 0: the length. Epochs go on in the passes where the last one ended */
    int32_t epochs;      /* 1; the number of the last epoch */
    int32_t initial_epoch;
    const kf_generator *validation; /* or … */
    int64_t validation_steps;       /* 0: its length */
    kf_dataset *validation_data;    /* … in batches of the size of the last one trained on */
    const kf_class_weighting *class_weight;
    int32_t max_queue_size; /* batches ahead; 0: 10 */
    /* Threads that call fill; 0: one, KF_ANY: none. Without any, as in Keras, a Sequence is neither
     * shuffled nor told when a pass ends. */
    int32_t workers;
    bool no_shuffle; /* of a Sequence, at every pass */
    uint64_t seed;   /* of the shuffling; 0: the graph's */
    kf_callback *callbacks[KF_MAX_CALLBACKS];
    kf_history *history;
    int32_t threads; /* workers of the scheduler; 0: all CPUs */
    bool resume;     /* these three: as for kf_fit */
    const char *checkpoint;
    int64_t checkpoint_batches;
} kf_fit_generator_options;
KF_API kf_status kf_fit_generator_with(kf_model *model, const kf_generator *generator,
                                       const kf_fit_generator_options *options);
#define kf_fit_generator(...)                                                                      \
    KF_FIT_GENERATOR_CALL(__VA_ARGS__, .size = sizeof(kf_fit_generator_options))
#define KF_FIT_GENERATOR_CALL(model, generator, ...)                                               \
    kf_fit_generator_with((model), (generator), &(kf_fit_generator_options){__VA_ARGS__})

typedef struct kf_run_generator_options {
    size_t size;
    int64_t steps; /* 0: the length */
    int32_t max_queue_size, workers, threads;
    kf_callback *callbacks[KF_MAX_CALLBACKS];
} kf_run_generator_options;

/* Averages over all rows into values[0 … kf_metrics(model) - 1]. */
KF_API kf_status kf_evaluate_generator_with(kf_model *model, const kf_generator *generator,
                                            double *values,
                                            const kf_run_generator_options *options);
#define kf_evaluate_generator(...)                                                                 \
    KF_EVALUATE_GENERATOR_CALL(__VA_ARGS__, .size = sizeof(kf_run_generator_options))
#define KF_EVALUATE_GENERATOR_CALL(model, generator, values, ...)                                  \
    kf_evaluate_generator_with((model), (generator), (values),                                     \
                               &(kf_run_generator_options){__VA_ARGS__})

/* The outputs for all rows, batch by batch to the sink. */
KF_API kf_status kf_predict_generator_with(kf_model *model, const kf_generator *generator,
                                           kf_sink sink, void *context,
                                           const kf_run_generator_options *options);
#define kf_predict_generator(...)                                                                  \
    KF_PREDICT_GENERATOR_CALL(__VA_ARGS__, .size = sizeof(kf_run_generator_options))
#define KF_PREDICT_GENERATOR_CALL(model, generator, sink, context, ...)                            \
    kf_predict_generator_with((model), (generator), (sink), (context),                             \
                              &(kf_run_generator_options){__VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
