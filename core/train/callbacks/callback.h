/* A ready-made callback is a class (its options, its state, its hooks) and an instance of it. The
 * state is a struct with a field table of its own, so that a fit can be saved and go on later. */
#ifndef KFI_TRAIN_CALLBACK_H
#define KFI_TRAIN_CALLBACK_H

#include "core/base/fields.h"
#include "kf/callbacks.h"

/* Numbers that belong to the state and are too many for a text: the best weights so far. */
typedef struct kfi_numbers {
    float *values; /* owned; NULL: none */
    int64_t count;
} kfi_numbers;

typedef struct kfi_own_callback kfi_own_callback;

typedef struct kfi_callback_class {
    const char *name;       /* Keras's class: "EarlyStopping" */
    const char *typed_name; /* "early_stopping"               */
    const kfi_field *fields;
    size_t options_size;
    const kfi_field *state_fields; /* NULL: nothing to keep */
    size_t state_size;
    kf_callback hooks;
    kf_status (*check)(const void *options);   /* NULL: nothing to check */
    void (*close)(kfi_own_callback *callback); /* NULL: holds nothing but options and state */
} kfi_callback_class;

const kfi_callback_class *kfi_callback_at(int32_t index); /* NULL: no more */

struct kfi_own_callback {
    kf_callback callback; /* first: a kf_callback is one of these */
    const kfi_callback_class *class;
    void *options, *state;
    kfi_numbers numbers;
    void *handle;     /* of the class's own */
    bool goes_on;     /* the state was loaded: the next on_train_begin must keep it */
    kf_status status; /* why it cannot be used */
    char *message;
};

/* For the kf_x_create functions: never NULL. */
kf_callback *kfi_callback_new(const kfi_callback_class *class, const void *options);

/* The ready-made callback behind a kf_callback; NULL for a user's own. */
kfi_own_callback *kfi_callback_own(kf_callback *callback);

/* The value of a log; *found false if there is none of that name. */
double kfi_log_value(const kf_log *logs, int32_t n_logs, const char *name, bool *found);

/* Warns, as Keras does, that `what` depends on a log that is not there. */
void kfi_callback_warn(const kf_model *model, const char *what, const char *monitor,
                       const kf_log *logs, int32_t n_logs);

/* Whether a larger value of `monitor` is the better one. */
bool kfi_wants_more(const char *mode, const char *monitor);

/* Every class that looks at a value has these options. By position an argument stands where Keras
 * has it, where `verbose` has a place too: nothing is printed here. */
#define KFI_MONITOR_FIELD(struct_type)                                                             \
    KFI_FIELD(struct_type, monitor, "monitor", kfi_field_string, .otherwise = "val_loss",          \
              .help = "the value to look at")
#define KFI_MONITOR_MODE_FIELD(struct_type, place)                                                 \
    KFI_FIELD(struct_type, mode, "mode", kfi_field_choice, .otherwise = "auto",                    \
              .choices = "auto|min|max", .position = (place),                                      \
              .help = "whether less or more is better")

#endif
