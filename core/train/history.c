/* A table of numbers: one row for each key, one column for each epoch. */
#include "core/train/history.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <math.h>
#include <string.h>

typedef struct row {
    char *key;
    double *values; /* by epoch */
    int64_t capacity;
} row;

struct kf_history {
    row *rows;
    int64_t n_rows, rows_capacity;
    int64_t epochs;
};

kf_history *kf_history_new(void) { return kfi_alloc(1, sizeof(kf_history)); }

void kfi_history_clear(kf_history *history) {
    for (int64_t i = 0; i < history->n_rows; i++) {
        kfi_free(history->rows[i].key);
        kfi_free(history->rows[i].values);
    }
    history->n_rows = history->epochs = 0;
}

void kf_history_free(kf_history *history) {
    if (!history) return;
    kfi_history_clear(history);
    kfi_free(history->rows);
    kfi_free(history);
}

static row *find_row(const kf_history *history, const char *key) {
    for (int64_t i = 0; i < history->n_rows; i++)
        if (strcmp(history->rows[i].key, key) == 0) return &history->rows[i];
    return NULL;
}

static kf_status add_row(kf_history *history, const char *key) {
    kf_status status = kfi_reserve((void **)&history->rows, &history->rows_capacity,
                                   history->n_rows, sizeof *history->rows);
    if (status != KF_OK) return status;
    row added = {.key = kfi_strdup(key)};
    status = added.key ? KF_OK : KF_MEMORY;
    for (int64_t epoch = 0; epoch < history->epochs && status == KF_OK; epoch++) {
        status = kfi_reserve((void **)&added.values, &added.capacity, epoch, sizeof(double));
        if (status == KF_OK) added.values[epoch] = (double)NAN;
    }
    if (status == KF_OK) {
        history->rows[history->n_rows++] = added;
        return KF_OK;
    }
    kfi_free(added.key);
    kfi_free(added.values);
    return status;
}

kf_status kfi_history_append(kf_history *history, const kf_log *logs, int32_t n_logs) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < n_logs && status == KF_OK; i++)
        if (!find_row(history, logs[i].name)) status = add_row(history, logs[i].name);
    for (int64_t i = 0; i < history->n_rows && status == KF_OK; i++) {
        row *at = &history->rows[i];
        status = kfi_reserve((void **)&at->values, &at->capacity, history->epochs, sizeof(double));
        if (status == KF_OK) at->values[history->epochs] = (double)NAN;
    }
    if (status != KF_OK) return status;
    for (int32_t i = 0; i < n_logs; i++)
        find_row(history, logs[i].name)->values[history->epochs] = logs[i].value;
    history->epochs++;
    return KF_OK;
}

int32_t kf_history_epochs(const kf_history *history) { return (int32_t)history->epochs; }
int32_t kf_history_keys(const kf_history *history) { return (int32_t)history->n_rows; }

const char *kf_history_key(const kf_history *history, int32_t index) {
    return index >= 0 && index < history->n_rows ? history->rows[index].key : NULL;
}

const double *kf_history_values(const kf_history *history, const char *key) {
    const row *found = find_row(history, key);
    return found ? found->values : NULL;
}
