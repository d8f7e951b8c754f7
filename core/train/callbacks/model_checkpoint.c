/* ModelCheckpoint: the model into a file after every `period` epochs, or after the best ones. */
#include "core/train/callbacks/callback.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef kf_model_checkpoint_options checkpoint;

static const kfi_field fields[] = {
    KFI_FIELD(checkpoint, filepath, "filepath", kfi_field_string,
              .help = "such as weights.{epoch:02d}-{val_loss:.2f}.h5"),
    KFI_MONITOR_FIELD(checkpoint),
    KFI_FIELD(checkpoint, save_best_only, "save_best_only", kfi_field_bool, .otherwise = "False",
              .position = 4, .help = "only when the value is the best so far"),
    KFI_FIELD(checkpoint, save_weights_only, "save_weights_only", kfi_field_bool,
              .otherwise = "False", .position = 5, .help = "as save_weights does"),
    KFI_MONITOR_MODE_FIELD(checkpoint, 6),
    KFI_FIELD(checkpoint, period, "period", kfi_field_integer, .otherwise = "1", .low = 1,
              .high = -1, .position = 7, .help = "epochs between two files"),
    KFI_FIELDS_END,
};

typedef struct saved {
    bool has_best;
    double best;
    int64_t epochs; /* since the last file */
} saved;

static const kfi_field state_fields[] = {
    KFI_FIELD(saved, has_best, "has_best", kfi_field_bool, .otherwise = "False"),
    KFI_FIELD(saved, best, "best", kfi_field_real, .otherwise = "0"),
    KFI_FIELD(saved, epochs, "epochs", kfi_field_integer, .otherwise = "0"),
    KFI_FIELDS_END,
};

/* A path while it is put together. */
typedef struct path_text {
    char text[4096];
    size_t length;
} path_text;

static kf_status add(path_text *path, const char *text, size_t bytes) {
    if (bytes >= sizeof path->text - path->length)
        return kfi_fail(KF_USAGE, "ModelCheckpoint: the path '%.40s…' is too long", path->text);
    memcpy(path->text + path->length, text, bytes);
    path->length += bytes;
    path->text[path->length] = '\0';
    return KF_OK;
}

/* The spec after a colon, checked to be [0][width][.digits][d|f|e|g] before printf sees it. */
static bool read_spec(const char *spec, char *kind, char format[static 32]) {
    const char *at = spec;
    at += strspn(at, "0123456789");
    if (*at == '.') at += 1 + strspn(at + 1, "0123456789");
    const size_t numbers = (size_t)(at - spec);
    *kind = *at ? *at : '\0';
    if (numbers > 12 || (*kind && (!strchr("dfeg", *kind) || at[1]))) return false;
    snprintf(format, 32, "%%%.*s", (int)numbers, spec);
    return true;
}

/* One {name:spec}. An integer is the epoch only; logs are reals. */
static kf_status add_field(path_text *path, const char *name, const char *spec, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    char format[40], text[512], kind = '\0';
    bool found;
    const double value = kfi_log_value(logs, n_logs, name, &found);
    const bool is_epoch = strcmp(name, "epoch") == 0;
    if (!found && !is_epoch)
        return kfi_fail(KF_USAGE, "ModelCheckpoint: there is no value '%s' for the path", name);
    if (!read_spec(spec, &kind, format) || (is_epoch && kind && kind != 'd') ||
        (!is_epoch && kind == 'd'))
        return kfi_fail(KF_USAGE, "ModelCheckpoint: {%s:%s} is not a format", name, spec);
    const size_t end = strlen(format);
    snprintf(format + end, sizeof format - end, "%c", is_epoch ? 'd' : kind ? kind : 'g');
    if (!is_epoch && !spec[0]) {
        kfi_variant *number = kfi_variant_real(value);
        if (!number) return KF_MEMORY;
        kfi_value_print(number, text, sizeof text);
        kfi_variant_free(number);
    } else if (is_epoch) {
        snprintf(text, sizeof text, format, epoch + 1);
    } else {
        snprintf(text, sizeof text, format, value);
    }
    return add(path, text, strlen(text));
}

static kf_status fill_in(const char *template, int32_t epoch, const kf_log *logs, int32_t n_logs,
                         path_text *path) {
    kf_status status = KF_OK;
    while (*template && status == KF_OK) {
        if ((template[0] == '{' || template[0] == '}') && template[1] == template[0]) {
            status = add(path, template, 1);
            template += 2;
        } else if (*template != '{') {
            const size_t bytes = template[0] == '}' ? 1 : strcspn(template, "{}");
            status = add(path, template, bytes);
            template += bytes;
        } else {
            char field[128];
            const size_t bytes = strcspn(template, "}");
            if (!template[bytes] || bytes > sizeof field)
                return kfi_fail(KF_USAGE, "ModelCheckpoint: a { without its } in the path");
            snprintf(field, sizeof field, "%.*s", (int)bytes - 1, template + 1);
            char *spec = strchr(field, ':');
            if (spec) *spec++ = '\0';
            status = add_field(path, field, spec ? spec : "", epoch, logs, n_logs);
            template += bytes + 1;
        }
    }
    return status;
}

static bool is_better(const checkpoint *options, const saved *state, double value) {
    if (!state->has_best) return isfinite(value);
    return kfi_wants_more(options->mode, options->monitor) ? value > state->best
                                                           : value < state->best;
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    kfi_own_callback *own = kfi_callback_own(callback);
    const checkpoint *options = own->options;
    saved *state = own->state;
    own->goes_on = false;
    if (++state->epochs < options->period) return KF_OK;
    state->epochs = 0;
    path_text path = {.length = 0};
    const kf_status status = fill_in(options->filepath, epoch, logs, n_logs, &path);
    if (status != KF_OK) return status;
    if (options->save_best_only) {
        bool found;
        const double value = kfi_log_value(logs, n_logs, options->monitor, &found);
        if (!found)
            kfi_callback_warn(model, "Saving the best model", options->monitor, logs, n_logs);
        if (!found || !is_better(options, state, value)) return KF_OK;
        state->has_best = true;
        state->best = value;
    }
    return options->save_weights_only ? kf_save_weights(model, path.text)
                                      : kf_save(model, path.text, .no_optimizer = false);
}

const kfi_callback_class kfi_callback_model_checkpoint = {
    .name = "ModelCheckpoint",
    .typed_name = "model_checkpoint",
    .fields = fields,
    .options_size = sizeof(checkpoint),
    .state_fields = state_fields,
    .state_size = sizeof(saved),
    .hooks = {.on_epoch_end = epoch_end},
};

kf_callback *kf_model_checkpoint_create(const kf_model_checkpoint_options *options) {
    return kfi_callback_new(&kfi_callback_model_checkpoint, options);
}
