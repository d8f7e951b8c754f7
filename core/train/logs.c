#include "core/train/logs.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/train/training.h"
#include "kf/callbacks.h"

#include <string.h>

kf_status kfi_logs_make(kfi_logs *logs, int32_t capacity) {
    logs->capacity = capacity + KFI_MOST_ADDED_LOGS;
    logs->items = kfi_alloc((size_t)logs->capacity, sizeof *logs->items);
    return logs->items ? KF_OK : KF_MEMORY;
}

void kfi_logs_release(kfi_logs *logs) {
    for (int32_t i = 0; i < logs->n_added; i++) kfi_free(logs->added[i]);
    kfi_free(logs->items);
    *logs = (kfi_logs){0};
}

/* The name as one that lives as long as the logs; NULL when there is no room or no memory. */
static const char *own_name(kfi_logs *logs, const char *name) {
    for (int32_t i = 0; i < logs->n_added; i++)
        if (strcmp(logs->added[i], name) == 0) return logs->added[i];
    if (logs->n_added == KFI_MOST_ADDED_LOGS) {
        kfi_fail(KF_USAGE, "callbacks added more than %d logs", KFI_MOST_ADDED_LOGS);
        return NULL;
    }
    char *copy = kfi_strdup(name);
    if (copy) logs->added[logs->n_added++] = copy;
    return copy;
}

kf_status kfi_logs_put(kfi_logs *logs, const char *name, double value) {
    for (int32_t i = 0; i < logs->n; i++)
        if (strcmp(logs->items[i].name, name) == 0) return logs->items[i].value = value, KF_OK;
    const char *own = own_name(logs, name);
    if (!own) return kf_last_status();
    if (logs->n == logs->capacity) return kfi_fail(KF_USAGE, "there is no room for log '%s'", name);
    logs->items[logs->n++] = (kf_log){own, value};
    return KF_OK;
}

kf_status kf_add_log(kf_model *model, const char *name, double value) {
    const kfi_training *training = model ? model->training : NULL;
    if (!training || !training->logs)
        return kfi_fail(KF_USAGE, "kf_add_log is for on_epoch_end, and there is no epoch");
    return kfi_logs_put(training->logs, name, value);
}
