/* Training: compile, fit, evaluate, predict. */
#ifndef KF_TRAIN_H
#define KF_TRAIN_H

#include "kf/data.h"
#include "kf/model.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Optimizers: made by name or by maker, taken over by kf_compile (also when that fails). Never
 * NULL; a wrong option is reported by kf_compile. kf_optimizer_named("adam(lr=0.01)"). */
typedef struct kf_optimizer kf_optimizer;
KF_API kf_optimizer *kf_optimizer_named(const char *text);
KF_API void kf_optimizer_free(kf_optimizer *optimizer); /* if never compiled; accepts NULL */

#define KF_OPTIMIZER_OPTIONS                                                                       \
    size_t size;                                                                                   \
    float lr;                                                                                      \
    float decay;    /* lr / (1 + decay * iterations) */                                            \
    float clipnorm; /* of the global norm of all gradients; refused in this version */             \
    float clipvalue /* refused in this version */

typedef struct kf_sgd_options {
    KF_OPTIMIZER_OPTIONS; /* lr 0.01 */
    float momentum;
    bool nesterov;
} kf_sgd_options;
KF_API kf_optimizer *kf_sgd_create(const kf_sgd_options *options);
#define kf_sgd(...) kf_sgd_create(KF_OPTIONS(kf_sgd_options, .lr = __VA_ARGS__))

typedef struct kf_rmsprop_options {
    KF_OPTIMIZER_OPTIONS; /* lr 0.001 */
    float rho;            /* 0.9 */
    float epsilon;        /* 1e-7 */
} kf_rmsprop_options;
KF_API kf_optimizer *kf_rmsprop_create(const kf_rmsprop_options *options);
#define kf_rmsprop(...) kf_rmsprop_create(KF_OPTIONS(kf_rmsprop_options, .lr = __VA_ARGS__))

typedef struct kf_adam_options {
    KF_OPTIMIZER_OPTIONS; /* lr 0.001 */
    float beta_1, beta_2; /* 0.9, 0.999 */
    float epsilon;        /* 1e-7 */
    bool amsgrad;         /* refused in this version */
} kf_adam_options;
KF_API kf_optimizer *kf_adam_create(const kf_adam_options *options);
#define kf_adam(...) kf_adam_create(KF_OPTIONS(kf_adam_options, .lr = __VA_ARGS__))

enum { KF_MAX_METRICS = 16, KF_MAX_OUTPUTS = 32, KF_MAX_CALLBACKS = 16 };

/* What one output is trained for. */
typedef struct kf_output_options {
    const char *output; /* its layer's name; NULL: by position */
    const char *loss;   /* NULL: not trained, takes no target  */
    float loss_weight;  /* 1 */
    const char *metrics[KF_MAX_METRICS];
} kf_output_options;

typedef struct kf_compile_options {
    size_t size;
    kf_optimizer *optimizer;                   /* NULL: rmsprop */
    const char *loss;                          /* for every output … */
    const char *metrics[KF_MAX_METRICS];       /* … and every output */
    float loss_weights[KF_MAX_OUTPUTS];        /* by position; 1 */
    kf_output_options outputs[KF_MAX_OUTPUTS]; /* or output by output */
} kf_compile_options;
KF_API kf_status kf_compile_with(kf_model *model, const kf_compile_options *options);
#define kf_compile(model, ...) kf_compile_with((model), KF_OPTIONS(kf_compile_options, __VA_ARGS__))

/* What evaluate and train_on_batch report, in order: "loss", "<output>_loss" …, metrics. Compiled
 * models only; 0 before. */
KF_API int32_t kf_metrics(const kf_model *model);
KF_API const char *kf_metrics_name(const kf_model *model, int32_t index);

/* Named numbers of a moment of training: "loss", "acc", "val_loss" … */
typedef struct kf_log {
    const char *name;
    double value;
} kf_log;

/* Callbacks are called at the moments of training; any hook may be NULL. batch and epoch count from
 * 0. A hook stops training by kf_stop_training, and fails it by a status other than KF_OK. */
typedef struct kf_callback kf_callback;
struct kf_callback {
    void *context;
    kf_status (*on_train_begin)(kf_callback *callback, kf_model *model);
    kf_status (*on_train_end)(kf_callback *callback, kf_model *model);
    kf_status (*on_epoch_begin)(kf_callback *callback, kf_model *model, int32_t epoch);
    kf_status (*on_epoch_end)(kf_callback *callback, kf_model *model, int32_t epoch,
                              const kf_log *logs, int32_t n_logs);
    kf_status (*on_batch_begin)(kf_callback *callback, kf_model *model, int64_t batch,
                                int64_t rows);
    kf_status (*on_batch_end)(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                              const kf_log *logs, int32_t n_logs);
    void (*free)(kf_callback *callback); /* by kf_callback_free */
};
/* After this batch; async-signal-safe. kf_fit then returns KF_OK, without the epoch's validation;
 * kf_evaluate and kf_predict return KF_STOPPED. */
KF_API void kf_stop_training(kf_model *model);
KF_API void kf_callback_free(kf_callback *callback); /* of those made by kf; accepts NULL */

/* Keras's progress on a stream of the caller's: 1 a bar (for terminals), 2 one line per epoch. */
KF_API kf_callback *kf_progress(FILE *stream, int32_t verbose);

/* What happened in each epoch. */
typedef struct kf_history kf_history;
KF_API kf_history *kf_history_new(void);
KF_API void kf_history_free(kf_history *history);
KF_API int32_t kf_history_epochs(const kf_history *history);
KF_API int32_t kf_history_keys(const kf_history *history);
KF_API const char *kf_history_key(const kf_history *history, int32_t index);
KF_API const double *kf_history_values(const kf_history *history, const char *key); /* by epoch */

typedef struct kf_fit_options {
    size_t size;
    int64_t batch_size;     /* 32 */
    int32_t epochs;         /* 1; the number of the last epoch */
    int32_t initial_epoch;  /* 0 */
    float validation_split; /* of the samples, the last ones, before shuffling */
    kf_dataset *validation_data;
    const char *shuffle; /* "true" (default), "batch", "false" */
    uint64_t seed;       /* of the shuffling; 0: the graph's */
    kf_callback *callbacks[KF_MAX_CALLBACKS];
    kf_history *history;    /* filled, if given */
    int32_t threads;        /* workers of the scheduler; 0: all CPUs */
    int32_t data_workers;   /* threads that fill batches; 0: one, KF_ANY: none */
    int32_t max_queue_size; /* batches ahead; 0: 10 */
} kf_fit_options;
KF_API kf_status kf_fit_with(kf_model *model, kf_dataset *data, const kf_fit_options *options);
#define kf_fit(...)                   KF_FIT_CALL(__VA_ARGS__, .size = sizeof(kf_fit_options))
#define KF_FIT_CALL(model, data, ...) kf_fit_with((model), (data), &(kf_fit_options){__VA_ARGS__})

/* Averages over the samples into values[0 … kf_metrics(model) - 1]. */
typedef struct kf_run_options {
    size_t size;
    int64_t batch_size; /* 32 */
    int32_t threads, data_workers, max_queue_size;
    kf_callback *callbacks[KF_MAX_CALLBACKS]; /* their batch hooks */
} kf_run_options;
KF_API kf_status kf_evaluate_with(kf_model *model, kf_dataset *data, double *values,
                                  const kf_run_options *options);
#define kf_evaluate(...) KF_EVALUATE_CALL(__VA_ARGS__, .size = sizeof(kf_run_options))
#define KF_EVALUATE_CALL(model, data, values, ...)                                                 \
    kf_evaluate_with((model), (data), (values), &(kf_run_options){__VA_ARGS__})

/* Predictions of all samples, in order, into outputs[i] (samples * elements of output i); or, if
 * `sink` is given, batch by batch to it. No compile needed. */
typedef kf_status (*kf_sink)(void *context, int32_t output, int64_t first_row, int64_t rows,
                             const float *values);
KF_API kf_status kf_predict_with(kf_model *model, kf_dataset *data, float *const *outputs,
                                 const kf_run_options *options);
#define kf_predict(...) KF_PREDICT_CALL(__VA_ARGS__, .size = sizeof(kf_run_options))
#define KF_PREDICT_CALL(model, data, outputs, ...)                                                 \
    kf_predict_with((model), (data), (outputs), &(kf_run_options){__VA_ARGS__})
KF_API kf_status kf_predict_to(kf_model *model, kf_dataset *data, kf_sink sink, void *context,
                               const kf_run_options *options);

/* One batch, in arrays named after or in the order of inputs, then targets. train_on_batch gives
 * the values before the update. values: as kf_evaluate; may be NULL. */
KF_API kf_status kf_train_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                   double *values);
KF_API kf_status kf_test_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                  double *values);
KF_API kf_status kf_predict_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                     float *const *outputs);

/* The forward pass of the training phase (dropout on, batch statistics), without any update. */
KF_API kf_status kf_forward_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                     float *const *outputs);

/* The derivatives of the total loss on one batch in the training phase, without an update: by
 * weight (those of model's weights that are trained, in order; NULL to leave one out) and by input
 * (floats only; the list or an item may be NULL). Sizes are those of the weights and inputs. */
KF_API kf_status kf_gradients(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                              float *const *by_weight, float *const *by_input);

/* The learning rate of the compiled optimizer. */
KF_API double kf_learning_rate(const kf_model *model);
KF_API kf_status kf_set_learning_rate(kf_model *model, double lr);

/* The optimizer's weights, in the order Keras saves them (iterations first where it has them). */
KF_API int32_t kf_optimizer_weights(const kf_model *model);
KF_API const char *kf_optimizer_weight_name(const kf_model *model, int32_t index);
KF_API kf_shape kf_optimizer_weight_shape(const kf_model *model, int32_t index);
KF_API kf_status kf_optimizer_weight_get(const kf_model *model, int32_t index, float *out,
                                         int64_t count);

/* Arena of the training step for this batch size, in bytes: known before the first step. */
KF_API kf_status kf_planned_peak(kf_model *model, int64_t batch_size, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
