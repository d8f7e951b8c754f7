/* Callbacks: what Keras 2.2.4 has ready-made for the moments of training. Every option has Keras's
 * meaning and default; what they do is not printed, so that there is no `verbose`. A callback is
 * the caller's (kf_callback_free) and may be used for one fit after the other. Makers never return
 * NULL: a wrong option is reported by the fit. */
#ifndef KF_CALLBACKS_H
#define KF_CALLBACKS_H

#include "kf/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* By name, as typed: "early_stopping(patience=3)" or "EarlyStopping(patience=3)". By position an
 * argument is the one that it is in Keras. */
KF_API kf_callback *kf_callback_named(const char *text);

/* KF_OK, or why the callback cannot be used (message in kf_last_error). */
KF_API kf_status kf_callback_error(const kf_callback *callback);

/* To be called in on_epoch_end: one more number in this epoch's logs, for the callbacks that come
 * after and for the history. A key that is there gets the new value. */
KF_API kf_status kf_add_log(kf_model *model, const char *name, double value);

/* Stops when `monitor` has not got better by more than min_delta for `patience` epochs. */
typedef struct kf_early_stopping_options {
    size_t size;
    const char *monitor; /* "val_loss" */
    double min_delta;
    int64_t patience;
    const char *mode; /* "auto": max where the name has "acc" in it, else min; "min", "max" */
    double baseline;  /* to be beaten from the start; 0: none, KF_ZERO: 0 */
    bool restore_best_weights;
} kf_early_stopping_options;
KF_API kf_callback *kf_early_stopping_create(const kf_early_stopping_options *options);
#define kf_early_stopping(...)                                                                     \
    kf_early_stopping_create(KF_OPTIONS(kf_early_stopping_options, __VA_ARGS__))

/* Multiplies the learning rate by `factor` when `monitor` has not got better for `patience` epochs;
 * then waits for `cooldown` epochs. Adds "lr" to the logs. */
typedef struct kf_reduce_lr_on_plateau_options {
    size_t size;
    const char *monitor; /* "val_loss" */
    double factor;       /* 0.1; below 1 */
    int64_t patience;    /* 10; KF_ANY: 0 */
    const char *mode;    /* "auto" */
    double min_delta;    /* 1e-4; KF_ZERO: 0 */
    int64_t cooldown;
    double min_lr;
} kf_reduce_lr_on_plateau_options;
KF_API kf_callback *kf_reduce_lr_on_plateau_create(const kf_reduce_lr_on_plateau_options *options);
#define kf_reduce_lr_on_plateau(...)                                                               \
    kf_reduce_lr_on_plateau_create(KF_OPTIONS(kf_reduce_lr_on_plateau_options, __VA_ARGS__))

/* The learning rate of each epoch: from a function, or, without one, the rate at the first epoch
 * times factor^(epoch / every) in whole steps. Adds "lr" to the logs. */
typedef double (*kf_schedule)(void *context, int32_t epoch, double lr);
typedef struct kf_learning_rate_scheduler_options {
    size_t size;
    kf_schedule schedule;
    void *context;
    double factor; /* 0.5; used without a schedule */
    int64_t every; /* 1 epoch */
} kf_learning_rate_scheduler_options;
KF_API kf_callback *
kf_learning_rate_scheduler_create(const kf_learning_rate_scheduler_options *options);
#define kf_learning_rate_scheduler(...)                                                            \
    kf_learning_rate_scheduler_create(KF_OPTIONS(kf_learning_rate_scheduler_options, __VA_ARGS__))

/* Saves the model after every `period` epochs. The path may have fields as Python's format:
 * "weights.{epoch:02d}-{val_loss:.2f}.h5"; epoch counts from 1. */
typedef struct kf_model_checkpoint_options {
    size_t size;
    const char *filepath;
    const char *monitor; /* "val_loss" */
    bool save_best_only, save_weights_only;
    const char *mode; /* "auto" */
    int64_t period;   /* 1 */
} kf_model_checkpoint_options;
KF_API kf_callback *kf_model_checkpoint_create(const kf_model_checkpoint_options *options);
#define kf_model_checkpoint(...)                                                                   \
    kf_model_checkpoint_create(KF_OPTIONS(kf_model_checkpoint_options, .filepath = __VA_ARGS__))

/* A line per epoch: epoch (from 0), then the logs by name; as Python's csv module writes them. */
typedef struct kf_csv_logger_options {
    size_t size;
    const char *filename;
    const char *separator; /* "," */
    bool append;
} kf_csv_logger_options;
KF_API kf_callback *kf_csv_logger_create(const kf_csv_logger_options *options);
#define kf_csv_logger(...)                                                                         \
    kf_csv_logger_create(KF_OPTIONS(kf_csv_logger_options, .filename = __VA_ARGS__))

/* Stops after a batch whose loss is not a finite number. */
typedef struct kf_terminate_on_nan_options {
    size_t size;
} kf_terminate_on_nan_options;
KF_API kf_callback *kf_terminate_on_nan_create(const kf_terminate_on_nan_options *options);
#define kf_terminate_on_nan()                                                                      \
    kf_terminate_on_nan_create(                                                                    \
        &(kf_terminate_on_nan_options){.size = sizeof(kf_terminate_on_nan_options)})

/* Event files that TensorBoard reads: every log as a scalar. */
typedef struct kf_tensorboard_options {
    size_t size;
    const char *log_dir;     /* "./logs"; made if it is not there */
    const char *update_freq; /* "epoch", "batch", or a number of samples: "1000" */
} kf_tensorboard_options;
KF_API kf_callback *kf_tensorboard_create(const kf_tensorboard_options *options);
#define kf_tensorboard(...)                                                                        \
    kf_tensorboard_create(KF_OPTIONS(kf_tensorboard_options, .log_dir = __VA_ARGS__))

/* Posts each epoch's logs to an HTTP server, as JSON in a field of a form. A server that cannot be
 * reached is a warning. */
typedef struct kf_remote_monitor_options {
    size_t size;
    const char *root;    /* "http://localhost:9000"; by http only */
    const char *path;    /* "/publish/epoch/end/" */
    const char *field;   /* "data" */
    const char *headers; /* further lines of the request: "Name: value" */
    bool send_as_json;   /* the JSON alone, without a form */
} kf_remote_monitor_options;
KF_API kf_callback *kf_remote_monitor_create(const kf_remote_monitor_options *options);
#define kf_remote_monitor(...)                                                                     \
    kf_remote_monitor_create(KF_OPTIONS(kf_remote_monitor_options, .root = __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
