#include "core/train/callbacks.h"

#include "core/base/status.h"

/* A hook may fail without a message of its own. */
static kf_status checked(kf_status status, const char *hook) {
    if (status == KF_OK || kf_last_status() == status) return status;
    return kfi_fail(status, "a callback failed in %s", hook);
}

kf_status kfi_callbacks_train_begin(const kfi_callbacks *callbacks) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        kf_callback *callback = callbacks->items[i];
        if (callback && callback->on_train_begin)
            status = callback->on_train_begin(callback, callbacks->model);
    }
    return checked(status, "on_train_begin");
}

kf_status kfi_callbacks_train_end(const kfi_callbacks *callbacks) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        kf_callback *callback = callbacks->items[i];
        if (callback && callback->on_train_end)
            status = callback->on_train_end(callback, callbacks->model);
    }
    return checked(status, "on_train_end");
}

kf_status kfi_callbacks_epoch_begin(const kfi_callbacks *callbacks, int32_t epoch) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        kf_callback *callback = callbacks->items[i];
        if (callback && callback->on_epoch_begin)
            status = callback->on_epoch_begin(callback, callbacks->model, epoch);
    }
    return checked(status, "on_epoch_begin");
}

kf_status kfi_callbacks_resume(const kfi_callbacks *callbacks, int32_t epoch, int64_t rows) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        kf_callback *callback = callbacks->items[i];
        if (callback && callback->on_resume)
            status = callback->on_resume(callback, callbacks->model, epoch, rows);
    }
    return checked(status, "on_resume");
}

kf_status kfi_callbacks_epoch_end(const kfi_callbacks *callbacks, int32_t epoch,
                                  const kfi_logs *logs, int32_t *done) {
    kf_status status = KF_OK;
    while (*done < KF_MAX_CALLBACKS && status == KF_OK) {
        kf_callback *callback = callbacks->items[(*done)++];
        if (callback && callback->on_epoch_end)
            status =
                callback->on_epoch_end(callback, callbacks->model, epoch, logs->items, logs->n);
    }
    return checked(status, "on_epoch_end");
}

kf_status kfi_callbacks_batch_begin(const kfi_callbacks *callbacks, int64_t batch, int64_t rows) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        kf_callback *callback = callbacks->items[i];
        if (callback && callback->on_batch_begin)
            status = callback->on_batch_begin(callback, callbacks->model, batch, rows);
    }
    return checked(status, "on_batch_begin");
}

kf_status kfi_callbacks_batch_end(const kfi_callbacks *callbacks, int64_t batch, int64_t rows,
                                  const kf_log *logs, int32_t n_logs) {
    kf_status status = KF_OK;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        kf_callback *callback = callbacks->items[i];
        if (callback && callback->on_batch_end)
            status = callback->on_batch_end(callback, callbacks->model, batch, rows, logs, n_logs);
    }
    return checked(status, "on_batch_end");
}

void kf_callback_free(kf_callback *callback) {
    if (callback && callback->free) callback->free(callback);
}
