/* TensorBoard: the logs of every epoch as scalars (and those of batches, if asked for). */
#include "core/train/callbacks/callback.h"
#include "core/train/callbacks/event_file.h"

#include "core/base/status.h"

#include <stdlib.h>
#include <string.h>

typedef kf_tensorboard_options tensorboard;

/* Keras takes the number of samples as an integer. */
static kf_status store_frequency(const kfi_field *field, void *member, const kfi_variant *value) {
    if (!kfi_variant_is(value, KFI_INTEGER)) return kfi_field_string.store(field, member, value);
    char text[32];
    kfi_value_print(value, text, sizeof text);
    kfi_variant *typed = kfi_variant_string(text);
    const kf_status status = typed ? kfi_field_string.store(field, member, typed) : KF_MEMORY;
    kfi_variant_free(typed);
    return status;
}

static kfi_variant *load_frequency(const kfi_field *field, const void *member) {
    return kfi_field_string.load(field, member);
}

static bool frequency_is_unset(const kfi_field *field, const void *member) {
    return kfi_field_string.is_unset(field, member);
}

static void release_frequency(const kfi_field *field, void *member) {
    kfi_field_string.release(field, member);
}

static size_t frequency_size(const kfi_field *field) { return kfi_field_string.size(field); }

static const kfi_field_type frequency = {
    .name = "a string or an integer",
    .holds = "const char *",
    .store = store_frequency,
    .load = load_frequency,
    .is_unset = frequency_is_unset,
    .release = release_frequency,
    .size = frequency_size,
};

static const kfi_field fields[] = {
    KFI_FIELD(tensorboard, log_dir, "log_dir", kfi_field_string, .otherwise = "'./logs'",
              .help = "the folder of the event file"),
    KFI_FIELD(tensorboard, update_freq, "update_freq", frequency, .otherwise = "epoch",
              .position = 11, .help = "epoch, batch, or a number of samples"),
    KFI_FIELDS_END,
};

typedef struct counts {
    int64_t seen, written; /* samples so far, and when something was last written */
} counts;

static const kfi_field state_fields[] = {
    KFI_FIELD(counts, seen, "seen", kfi_field_integer, .otherwise = "0"),
    KFI_FIELD(counts, written, "written", kfi_field_integer, .otherwise = "0"),
    KFI_FIELDS_END,
};

static int64_t samples_between(const tensorboard *options) {
    if (strcmp(options->update_freq, "batch") == 0) return 1;
    return strtoll(options->update_freq, NULL, 10); /* "epoch": 0 */
}

static kf_status check(const void *options) {
    const tensorboard *given = options;
    const char *freq = given->update_freq;
    const bool is_number = freq[0] && freq[strspn(freq, "0123456789")] == '\0';
    if (strcmp(freq, "epoch") == 0 || strcmp(freq, "batch") == 0) return KF_OK;
    if (is_number && samples_between(given) > 0) return KF_OK;
    return kfi_fail(KF_INVALID, "update_freq must be epoch, batch or a number of samples; got '%s'",
                    freq);
}

static void close_file(kfi_own_callback *own) {
    if (own->handle) fclose(own->handle);
    own->handle = NULL;
}

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    (void)model;
    kfi_own_callback *own = kfi_callback_own(callback);
    const tensorboard *options = own->options;
    if (!own->goes_on) *(counts *)own->state = (counts){0};
    own->goes_on = false;
    close_file(own);
    FILE *file = NULL;
    const kf_status status = kfi_event_file_open(options->log_dir, &file);
    own->handle = file;
    return status;
}

static kf_status train_end(kf_callback *callback, kf_model *model) {
    (void)model;
    close_file(kfi_callback_own(callback));
    return KF_OK;
}

static kf_status write_logs(kfi_own_callback *own, int64_t step, const kf_log *logs,
                            int32_t n_logs) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < n_logs && status == KF_OK; i++)
        status = kfi_event_file_scalar(own->handle, logs[i].name, step, logs[i].value);
    return status;
}

static kf_status batch_end(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                           const kf_log *logs, int32_t n_logs) {
    (void)model, (void)batch;
    kfi_own_callback *own = kfi_callback_own(callback);
    const int64_t between = samples_between(own->options);
    counts *state = own->state;
    state->seen += rows;
    if (!between || !own->handle || state->seen - state->written < between) return KF_OK;
    state->written = state->seen;
    return write_logs(own, state->seen, logs, n_logs);
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    (void)model;
    kfi_own_callback *own = kfi_callback_own(callback);
    if (!own->handle) return KF_OK;
    const counts *state = own->state;
    return write_logs(own, samples_between(own->options) ? state->seen : epoch, logs, n_logs);
}

const kfi_callback_class kfi_callback_tensorboard = {
    .name = "TensorBoard",
    .typed_name = "tensorboard",
    .fields = fields,
    .options_size = sizeof(tensorboard),
    .state_fields = state_fields,
    .state_size = sizeof(counts),
    .check = check,
    .hooks = {.on_train_begin = train_begin,
              .on_train_end = train_end,
              .on_batch_end = batch_end,
              .on_epoch_end = epoch_end},
    .close = close_file,
};

kf_callback *kf_tensorboard_create(const kf_tensorboard_options *options) {
    return kfi_callback_new(&kfi_callback_tensorboard, options);
}
