/* A table of numbers: one row for each key, one column for each epoch. */
#include "core/train/history.h"
#include "core/train/standing.h"

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
    kfi_pipeline_times *times; /* by epoch */
    int64_t times_capacity;
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
    kfi_free(history->times);
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

/* Keras has the numbers of the validation before the averages of the epoch. */
static kf_status add_rows(kf_history *history, const kf_log *logs, int32_t n_logs,
                          bool validation) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < n_logs && status == KF_OK; i++)
        if ((strncmp(logs[i].name, "val_", 4) == 0) == validation &&
            !find_row(history, logs[i].name))
            status = add_row(history, logs[i].name);
    return status;
}

kf_status kfi_history_append(kf_history *history, const kf_log *logs, int32_t n_logs) {
    kf_status status = kfi_reserve((void **)&history->times, &history->times_capacity,
                                   history->epochs, sizeof *history->times);
    if (status == KF_OK) history->times[history->epochs] = (kfi_pipeline_times){0, 0};
    if (status == KF_OK) status = add_rows(history, logs, n_logs, true);
    if (status == KF_OK) status = add_rows(history, logs, n_logs, false);
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

/* --- who waited for whom ---------------------------------------------------------------------- */

void kfi_history_times(kf_history *history, kfi_pipeline_times times) {
    if (history->epochs > 0) history->times[history->epochs - 1] = times;
}

static const kfi_pipeline_times *times_of(const kf_history *history, int32_t epoch) {
    return epoch >= 0 && epoch < history->epochs ? &history->times[epoch] : NULL;
}

double kf_history_data_wait(const kf_history *history, int32_t epoch) {
    const kfi_pipeline_times *times = times_of(history, epoch);
    return times ? (double)times->consumer_wait_ns * 1e-9 : 0;
}

double kf_history_data_idle(const kf_history *history, int32_t epoch) {
    const kfi_pipeline_times *times = times_of(history, epoch);
    return times ? (double)times->producer_idle_ns * 1e-9 : 0;
}

const char *kf_history_bottleneck(const kf_history *history, int32_t epoch) {
    return kf_history_data_wait(history, epoch) > kf_history_data_idle(history, epoch) ? "data"
                                                                                       : "training";
}

/* --- saved ------------------------------------------------------------------------------------ */

static kfi_variant *list_of(const row *at, int64_t epochs) {
    kfi_variant *list = kfi_variant_list();
    for (int64_t i = 0; list && i < epochs; i++)
        if (kfi_variant_append(list, kfi_standing_number(at->values[i])) != KF_OK) {
            kfi_variant_free(list);
            return NULL;
        }
    return list;
}

kfi_variant *kfi_history_variant(const kf_history *history) {
    kfi_variant *whole = kfi_variant_dict(), *values = kfi_variant_dict();
    kf_status status = whole && values ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < history->n_rows && status == KF_OK; i++)
        status = kfi_variant_put(values, history->rows[i].key,
                                 list_of(&history->rows[i], history->epochs));
    if (status == KF_OK)
        status = kfi_variant_put(whole, "epochs", kfi_variant_integer(history->epochs));
    if (status == KF_OK) {
        status = kfi_variant_put(whole, "values", values);
        values = NULL;
    }
    if (status == KF_OK) return whole;
    kfi_variant_free(values);
    kfi_variant_free(whole);
    return NULL;
}

/* Epoch by epoch, as it was written. */
kf_status kfi_history_load(kf_history *history, const kfi_variant *saved) {
    const kfi_variant *values = kfi_variant_get(saved, "values");
    const int64_t n = kfi_variant_count(values);
    const int64_t epochs = kfi_variant_to_integer(kfi_variant_get(saved, "epochs"), 0);
    kf_log *logs = kfi_alloc((size_t)n, sizeof *logs);
    kf_status status = logs ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < n && status == KF_OK; i++) {
        logs[i].name = kfi_variant_key_at(values, i);
        if (kfi_variant_count(kfi_variant_value_at(values, i)) != epochs)
            status = kfi_fail(KF_INVALID, "the saved history of %s is not of %lld epochs",
                              logs[i].name, (long long)epochs);
    }
    for (int64_t epoch = 0; epoch < epochs && status == KF_OK; epoch++) {
        for (int64_t i = 0; i < n; i++)
            logs[i].value =
                kfi_standing_value(kfi_variant_at(kfi_variant_value_at(values, i), epoch));
        status = kfi_history_append(history, logs, (int32_t)n);
    }
    kfi_free(logs);
    return status;
}
