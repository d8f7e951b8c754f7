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
    double lr;                                                                                     \
    double decay;    /* lr / (1 + decay * iterations) */                                           \
    double clipnorm; /* the norm of all gradients together is cut to this; 0: not */               \
    double clipvalue /* then each element to [-clipvalue, clipvalue]; 0: not */

typedef struct kf_sgd_options {
    KF_OPTIMIZER_OPTIONS; /* lr 0.01 */
    double momentum;
    bool nesterov;
} kf_sgd_options;
KF_API kf_optimizer *kf_sgd_create(const kf_sgd_options *options);
#define kf_sgd(...) kf_sgd_create(KF_OPTIONS(kf_sgd_options, .lr = __VA_ARGS__))

typedef struct kf_rmsprop_options {
    KF_OPTIMIZER_OPTIONS; /* lr 0.001 */
    double rho;           /* 0.9 */
    double epsilon;       /* 1e-7 */
} kf_rmsprop_options;
KF_API kf_optimizer *kf_rmsprop_create(const kf_rmsprop_options *options);
#define kf_rmsprop(...) kf_rmsprop_create(KF_OPTIONS(kf_rmsprop_options, .lr = __VA_ARGS__))

typedef struct kf_adam_options {
    KF_OPTIMIZER_OPTIONS;  /* lr 0.001 */
    double beta_1, beta_2; /* 0.9, 0.999 */
    double epsilon;        /* 1e-7 */
    bool amsgrad;
} kf_adam_options;
KF_API kf_optimizer *kf_adam_create(const kf_adam_options *options);
#define kf_adam(...) kf_adam_create(KF_OPTIONS(kf_adam_options, .lr = __VA_ARGS__))

typedef struct kf_adagrad_options {
    KF_OPTIMIZER_OPTIONS; /* lr 0.01 */
    double epsilon;       /* 1e-7 */
} kf_adagrad_options;
KF_API kf_optimizer *kf_adagrad_create(const kf_adagrad_options *options);
#define kf_adagrad(...) kf_adagrad_create(KF_OPTIONS(kf_adagrad_options, .lr = __VA_ARGS__))

typedef struct kf_adadelta_options {
    KF_OPTIMIZER_OPTIONS; /* lr 1 */
    double rho;           /* 0.95 */
    double epsilon;       /* 1e-7 */
} kf_adadelta_options;
KF_API kf_optimizer *kf_adadelta_create(const kf_adadelta_options *options);
#define kf_adadelta(...) kf_adadelta_create(KF_OPTIONS(kf_adadelta_options, .lr = __VA_ARGS__))

typedef struct kf_adamax_options {
    KF_OPTIMIZER_OPTIONS;  /* lr 0.002 */
    double beta_1, beta_2; /* 0.9, 0.999 */
    double epsilon;        /* 1e-7 */
} kf_adamax_options;
KF_API kf_optimizer *kf_adamax_create(const kf_adamax_options *options);
#define kf_adamax(...) kf_adamax_create(KF_OPTIONS(kf_adamax_options, .lr = __VA_ARGS__))

typedef struct kf_nadam_options {
    KF_OPTIMIZER_OPTIONS;  /* lr 0.002; decay has no effect, as in Keras */
    double beta_1, beta_2; /* 0.9, 0.999 */
    double epsilon;        /* 1e-7 */
    double schedule_decay; /* 0.004 */
} kf_nadam_options;
KF_API kf_optimizer *kf_nadam_create(const kf_nadam_options *options);
#define kf_nadam(...) kf_nadam_create(KF_OPTIONS(kf_nadam_options, .lr = __VA_ARGS__))

enum { KF_MAX_METRICS = 16, KF_MAX_OUTPUTS = 32, KF_MAX_CALLBACKS = 16 };

/* What one output is trained for. */
typedef struct kf_output_options {
    const char *output; /* its layer's name; NULL: by position */
    const char *loss;   /* NULL: not trained, takes no target  */
    double loss_weight; /* 1 */
    const char *metrics[KF_MAX_METRICS];
    const char *weighted_metrics[KF_MAX_METRICS];
    const char *sample_weight_mode; /* NULL: that of all outputs */
} kf_output_options;

typedef struct kf_compile_options {
    size_t size;
    kf_optimizer *optimizer; /* NULL: rmsprop */
    /* For every output; a name of Keras's or a function's of the graph. As tf.keras's objects, the
     * crossentropies take arguments: "sparse_categorical_crossentropy(from_logits=True)",
     * "categorical_crossentropy(label_smoothing=0.1)". */
    const char *loss;
    /* … and every output. By Keras's names; top-k metrics may say their k, which is 5 else:
     * "top_k_categorical_accuracy(k=3)". */
    const char *metrics[KF_MAX_METRICS];
    double loss_weights[KF_MAX_OUTPUTS];       /* by position; 1 */
    kf_output_options outputs[KF_MAX_OUTPUTS]; /* or output by output */
    /* Metrics that weigh samples as the loss does; Keras names them "weighted_acc" … */
    const char *weighted_metrics[KF_MAX_METRICS];
    const char *sample_weight_mode; /* "temporal": a weight for each timestep; NULL: by sample */
    /* What weights, the optimizer's state and a batch on its way may take together (the data that
     * is read ahead not counted); 0: what the machine has free. Where it is short, models inside of
     * TimeDistributed are computed part by part, and in training twice; the results stay the same
     * to the last bit. A batch that does not fit even so fails with KF_MEMORY. */
    size_t memory_limit_bytes;
    /* Convolutions only in ways that add up products as they are. Otherwise 3x3 and 5x5 ones may
     * take Winograd's, 2 to 3 times as fast, whose rounding errors are larger: up to 3e-5 of the
     * largest value. */
    bool exact_convolution;
} kf_compile_options;
KF_API kf_status kf_compile_with(kf_model *model, const kf_compile_options *options);
#define kf_compile(model, ...) kf_compile_with((model), KF_OPTIONS(kf_compile_options, __VA_ARGS__))

/* What evaluate and train_on_batch report, in order: "loss", "<output>_loss" …, metrics. Compiled
 * models only; 0 before. */
KF_API int32_t kf_metrics(const kf_model *model);
KF_API const char *kf_metrics_name(const kf_model *model, int32_t index);

/* Weights of samples. Data may have, behind the targets or named "<output>_sample_weight" (or
 * "sample_weight" where one output alone is trained), an array of a weight for each sample, or for
 * each sample and timestep if the output was compiled with sample_weight_mode "temporal". A loss is
 * then the sum of weight * score over the number of weights that are not 0, as in Keras 2.2.4.
 * Unlike in Keras, a batch whose weights are all 0 is an error.
 *
 * Or training is given a weight for each class: kf_class_weights({0, 1}, {1, 2.5f}), or where the
 * model has several outputs
 *     kf_class_weights_of(kf_classes("a", {0, 1}, {1, 2.5f}), kf_classes("b", {0, 1}, {1, 3}))
 * The class of a sample is the place of the largest number of its target, or its only number; every
 * class in the data must be listed. Weights by sample win over weights by class. */
typedef struct kf_class_weight {
    int32_t label;
    double weight; /* 0 is 0 */
} kf_class_weight;
typedef struct kf_class_weighting {
    const char *output; /* its layer's name; NULL: the only one */
    const kf_class_weight *items;
    int32_t n;
} kf_class_weighting; /* a list of these ends where items is NULL */
#define kf_classes(output, ...)                                                                    \
    {                                                                                              \
        (output), (const kf_class_weight[]){__VA_ARGS__},                                          \
            (int32_t)(sizeof((const kf_class_weight[]){__VA_ARGS__}) / sizeof(kf_class_weight))    \
    }
#define kf_class_weights_of(...) ((const kf_class_weighting[]){__VA_ARGS__, {.items = NULL}})
#define kf_class_weights(...)    kf_class_weights_of(kf_classes(NULL, __VA_ARGS__))

/* Named numbers of a moment of training: "loss", "acc", "val_loss" … */
typedef struct kf_log {
    const char *name;
    double value;
} kf_log;

/* Callbacks are called at the moments of training, as Keras's Callback and LambdaCallback; any hook
 * may be NULL. batch and epoch count from 0. A hook stops training by kf_stop_training, and fails
 * it by a status other than KF_OK. */
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
    /* Instead of on_epoch_begin, when a saved fit goes on in an epoch of which `rows` were seen. */
    kf_status (*on_resume)(kf_callback *callback, kf_model *model, int32_t epoch, int64_t rows);
};
/* After this batch; async-signal-safe. kf_fit then returns KF_OK, without the epoch's validation,
 * unless it was the last of an epoch's steps (of a generator, or of steps_per_epoch); kf_evaluate
 * and kf_predict return KF_STOPPED. */
KF_API void kf_stop_training(kf_model *model);
/* After this batch, to go on later; async-signal-safe. kf_fit returns KF_STOPPED; what the model
 * holds then, or what kf_save writes of it, goes on by .resume as if there had been no break. */
KF_API void kf_suspend_training(kf_model *model);
KF_API void kf_callback_free(kf_callback *callback); /* of those made by kf; accepts NULL */

/* Keras's progress on a stream of the caller's: 1 a bar (for terminals), 2 one line per epoch. */
KF_API kf_callback *kf_progress(FILE *stream, int32_t verbose);

/* What happened in each epoch. Keys are in Keras's order: those of the validation, metrics_names,
 * then what callbacks added. */
typedef struct kf_history kf_history;
KF_API kf_history *kf_history_new(void);
KF_API void kf_history_free(kf_history *history);
KF_API int32_t kf_history_epochs(const kf_history *history);
KF_API int32_t kf_history_keys(const kf_history *history);
KF_API const char *kf_history_key(const kf_history *history, int32_t index);
KF_API const double *kf_history_values(const kf_history *history, const char *key); /* by epoch */
/* Seconds that steps waited for data in an epoch, that the threads which fill batches waited for
 * room (all of them together), and which of the two holds the epoch up: "data" or "training". */
KF_API double kf_history_data_wait(const kf_history *history, int32_t epoch);
KF_API double kf_history_data_idle(const kf_history *history, int32_t epoch);
KF_API const char *kf_history_bottleneck(const kf_history *history, int32_t epoch);

typedef struct kf_fit_options {
    size_t size;
    int64_t batch_size;      /* 32 */
    int32_t epochs;          /* 1; the number of the last epoch */
    int32_t initial_epoch;   /* 0 */
    double validation_split; /* of the samples, the last ones, before shuffling */
    kf_dataset *validation_data;
    /* "true" (default), "batch", "false", or "window": chunks of the file in any order, and the
     * rows of several of them mixed */
    const char *shuffle;
    uint64_t seed; /* of the shuffling; 0: the graph's */
    kf_callback *callbacks[KF_MAX_CALLBACKS];
    kf_history *history;    /* filled, if given */
    int32_t threads;        /* workers of the scheduler; 0: all CPUs */
    int32_t data_workers;   /* threads that fill batches; 0: one, KF_ANY: none */
    int32_t max_queue_size; /* batches ahead; 0: 10 */
    int64_t shuffle_window; /* rows that shuffle "window" mixes at a time; 0: 64 batches */
    /* Go on where the fit that the model was saved in stood; the other options must be the same,
     * epochs may be more. Without such a fit: from the beginning. */
    bool resume;
    const char *checkpoint;     /* a file to save the model in while it is trained … */
    int64_t checkpoint_batches; /* … after every so many batches; 0: after every epoch */
    const kf_class_weighting *class_weight; /* in training; validation_data counts each sample 1 */
    /* Keras's steps, which for arrays mean: every batch is all samples, unshuffled, and an epoch
     * has so many of them. Instead of batch_size; to validate, both are needed. */
    int64_t steps_per_epoch, validation_steps;
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
    int64_t steps; /* instead of batch_size: all samples as one batch, that many times */
} kf_run_options;
KF_API kf_status kf_evaluate_with(kf_model *model, kf_dataset *data, double *values,
                                  const kf_run_options *options);
#define kf_evaluate(...) KF_EVALUATE_CALL(__VA_ARGS__, .size = sizeof(kf_run_options))
#define KF_EVALUATE_CALL(model, data, values, ...)                                                 \
    kf_evaluate_with((model), (data), (values), &(kf_run_options){__VA_ARGS__})

/* Predictions of all samples, in order, into outputs[i] (samples * elements of output i; with steps
 * so many times that); or, if
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

/* One batch, in arrays named after or in the order of inputs, then targets, then weights of samples
 * (all or none). train_on_batch gives the values before the update. values: as kf_evaluate; may be
 * NULL. */
typedef struct kf_batch_options {
    size_t size;
    const kf_class_weighting *class_weight;
} kf_batch_options;
KF_API kf_status kf_train_on_batch(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                   double *values);
KF_API kf_status kf_train_on_batch_with(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                        double *values, const kf_batch_options *options);
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
KF_API kf_status kf_gradients_with(kf_model *model, const kf_array *arrays, int32_t n_arrays,
                                   float *const *by_weight, float *const *by_input,
                                   const kf_batch_options *options);

/* The learning rate of the compiled optimizer. */
KF_API double kf_learning_rate(const kf_model *model);
KF_API kf_status kf_set_learning_rate(kf_model *model, double lr);

/* The optimizer's weights, in the order Keras saves them (iterations first where it has them). */
KF_API int32_t kf_optimizer_weights(const kf_model *model);
KF_API const char *kf_optimizer_weight_name(const kf_model *model, int32_t index);
KF_API kf_shape kf_optimizer_weight_shape(const kf_model *model, int32_t index);
KF_API kf_status kf_optimizer_weight_get(const kf_model *model, int32_t index, float *out,
                                         int64_t count);

/* What a training step with this batch size takes besides weights, the optimizer's state and the
 * batch, in bytes: its arena and the scratch of as many workers as there are CPUs. Known before the
 * first step. */
KF_API kf_status kf_planned_peak(kf_model *model, int64_t batch_size, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
