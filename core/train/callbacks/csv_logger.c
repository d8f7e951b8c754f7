/* CSVLogger: the lines that Python's csv.DictWriter writes: \r\n at the end, quotes where needed,
 * the shortest text of a number that reads back the same. The keys are those of the first epoch.
 * The state is the length of the file, so that a run that goes on writes after its own last line
 * and what a killed run wrote later is gone. */
#include "core/train/callbacks/callback.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef kf_csv_logger_options csv_logger;

static const kfi_field fields[] = {
    KFI_FIELD(csv_logger, filename, "filename", kfi_field_string, .help = "the file to write"),
    KFI_FIELD(csv_logger, separator, "separator", kfi_field_string, .otherwise = "','",
              .help = "between the columns"),
    KFI_FIELD(csv_logger, append, "append", kfi_field_bool, .otherwise = "False",
              .help = "keep the lines that are there"),
    KFI_FIELDS_END,
};

typedef struct csv {
    const char *keys; /* of the columns after epoch, each ended by a newline; "": not known yet */
    int64_t bytes;    /* of the file so far */
    bool has_header;
} csv;

static const kfi_field state_fields[] = {
    KFI_FIELD(csv, keys, "keys", kfi_field_string, .otherwise = "''"),
    KFI_FIELD(csv, bytes, "bytes", kfi_field_integer, .otherwise = "0"),
    KFI_FIELD(csv, has_header, "has_header", kfi_field_bool, .otherwise = "False"),
    KFI_FIELDS_END,
};

static kf_status refuse(const csv_logger *options) {
    return kfi_fail(KF_IO, "CSVLogger: %s: %s", options->filename, strerror(errno));
}

static void close_file(kfi_own_callback *own) {
    if (own->handle) fclose(own->handle);
    own->handle = NULL;
}

/* Keras looks whether there is a first line. */
static kf_status open_file(kfi_own_callback *own, bool keep) {
    const csv_logger *options = own->options;
    csv *state = own->state;
    FILE *file = fopen(options->filename, keep ? "a+" : "w");
    if (!file) return refuse(options);
    own->handle = file;
    if (fseek(file, 0, SEEK_END) != 0) return refuse(options);
    const int64_t bytes = ftell(file);
    if (!own->goes_on) {
        state->has_header = bytes > 0;
    } else if (state->bytes < bytes && ftruncate(fileno(file), state->bytes) != 0) {
        return refuse(options);
    }
    return KF_OK;
}

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    (void)model;
    kfi_own_callback *own = kfi_callback_own(callback);
    const csv_logger *options = own->options;
    close_file(own);
    if (!own->goes_on) {
        kfi_fields_release(state_fields, own->state);
        const kf_status status = kfi_fields_copy(state_fields, NULL, 0, own->state);
        if (status != KF_OK) return status;
    }
    const kf_status status = open_file(own, options->append || own->goes_on);
    own->goes_on = false;
    return status;
}

static kf_status train_end(kf_callback *callback, kf_model *model) {
    (void)model;
    close_file(kfi_callback_own(callback));
    return KF_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const kf_log *)a)->name, ((const kf_log *)b)->name);
}

/* The names of the logs in order, each ended by a newline. */
static kf_status note_keys(csv *state, const kf_log *logs, int32_t n_logs) {
    size_t bytes = 1;
    for (int32_t i = 0; i < n_logs; i++) bytes += strlen(logs[i].name) + 1;
    kf_log *sorted = kfi_alloc((size_t)n_logs, sizeof *sorted);
    char *keys = kfi_alloc(bytes, 1);
    if (sorted && keys) {
        memcpy(sorted, logs, (size_t)n_logs * sizeof *sorted);
        qsort(sorted, (size_t)n_logs, sizeof *sorted, compare_names);
        char *end = keys;
        for (int32_t i = 0; i < n_logs; i++) end += sprintf(end, "%s\n", sorted[i].name);
        kfi_free((char *)state->keys);
        state->keys = keys;
        keys = NULL;
    }
    kfi_free(sorted);
    const bool noted = !keys;
    kfi_free(keys);
    return noted ? KF_OK : KF_MEMORY;
}

static void write_text(FILE *file, const char *text, size_t bytes, const char *separator) {
    bool quoted = false;
    for (size_t i = 0; i < bytes; i++)
        quoted = quoted || strchr("\"\r\n", text[i]) || text[i] == separator[0];
    if (!quoted) {
        fwrite(text, 1, bytes, file);
        return;
    }
    fputc('"', file);
    for (size_t i = 0; i < bytes; i++) fprintf(file, text[i] == '"' ? "\"\"" : "%c", text[i]);
    fputc('"', file);
}

static void write_header(FILE *file, const csv_logger *options, const char *keys) {
    fputs("epoch", file);
    for (const char *key = keys; *key; key = strchr(key, '\n') + 1) {
        fputs(options->separator, file);
        write_text(file, key, strcspn(key, "\n"), options->separator);
    }
    fputs("\r\n", file);
}

/* The learning rate is a float32 in Keras and prints as one. */
static kf_status write_value(FILE *file, const char *name, double value) {
    char text[64];
    if (strcmp(name, "lr") == 0 && (double)(float)value == value) {
        for (int digits = 6; digits <= 9; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtof(text, NULL) == (float)value) break;
        }
        value = strtod(text, NULL);
    }
    kfi_variant *number = kfi_variant_real(value);
    if (!number) return KF_MEMORY;
    kfi_value_print(number, text, sizeof text);
    kfi_variant_free(number);
    fputs(text, file);
    return KF_OK;
}

static kf_status write_row(FILE *file, const csv_logger *options, const char *keys, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    kf_status status = KF_OK;
    fprintf(file, "%d", epoch);
    for (const char *key = keys; *key && status == KF_OK; key = strchr(key, '\n') + 1) {
        const size_t bytes = strcspn(key, "\n");
        const kf_log *found = NULL;
        for (int32_t i = 0; i < n_logs && !found; i++)
            if (strlen(logs[i].name) == bytes && memcmp(logs[i].name, key, bytes) == 0)
                found = &logs[i];
        fputs(options->separator, file);
        if (found)
            status = write_value(file, found->name, found->value);
        else
            fputs("NA", file);
    }
    fputs("\r\n", file);
    return status;
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    (void)model;
    kfi_own_callback *own = kfi_callback_own(callback);
    const csv_logger *options = own->options;
    csv *state = own->state;
    FILE *file = own->handle;
    if (!file) return kfi_fail(KF_USAGE, "CSVLogger: on_epoch_end without on_train_begin");
    kf_status status = state->keys && state->keys[0] ? KF_OK : note_keys(state, logs, n_logs);
    if (status != KF_OK) return status;
    if (!state->has_header) write_header(file, options, state->keys);
    state->has_header = true;
    status = write_row(file, options, state->keys, epoch, logs, n_logs);
    if (status == KF_OK && (fflush(file) != 0 || ferror(file))) status = refuse(options);
    state->bytes = ftell(file);
    return status;
}

static kf_status check(const void *options) {
    const csv_logger *given = options;
    if (strlen(given->separator) == 1) return KF_OK;
    return kfi_fail(KF_INVALID, "separator must be one character; got '%s'", given->separator);
}

const kfi_callback_class kfi_callback_csv_logger = {
    .name = "CSVLogger",
    .typed_name = "csv_logger",
    .fields = fields,
    .options_size = sizeof(csv_logger),
    .state_fields = state_fields,
    .state_size = sizeof(csv),
    .check = check,
    .hooks = {.on_train_begin = train_begin, .on_train_end = train_end, .on_epoch_end = epoch_end},
    .close = close_file,
};

kf_callback *kf_csv_logger_create(const kf_csv_logger_options *options) {
    return kfi_callback_new(&kfi_callback_csv_logger, options);
}
