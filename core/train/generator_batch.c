#include "core/train/generator_batch.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <stdio.h>
#include <string.h>

static bool grow(kfi_grown *grown, size_t bytes) {
    if (grown->bytes >= bytes && grown->data) return true;
    void *data = kfi_alloc_buffer(bytes ? bytes : 1);
    if (!data) return false;
    kfi_free_buffer(grown->data, grown->bytes);
    *grown = (kfi_grown){data, bytes ? bytes : 1};
    return true;
}

void kfi_batch_clear(kf_batch *batch) {
    for (int32_t i = 0; i < batch->n; i++) {
        kfi_free(batch->names[i]);
        batch->names[i] = NULL;
    }
    batch->n = 0;
    batch->status = KF_OK;
}

void kfi_batch_release(kf_batch *batch) {
    kfi_batch_clear(batch);
    for (int32_t i = 0; i < KFI_MAX_BATCH_FIELDS; i++) {
        kfi_free_buffer(batch->given[i].data, batch->given[i].bytes);
        kfi_free_buffer(batch->ready[i].data, batch->ready[i].bytes);
    }
}

/* Kept, so that a fill need not look at what it gets. */
static void *refuse(kf_batch *batch, kf_status status) {
    if (batch->status != KF_OK) return NULL;
    batch->status = status;
    snprintf(batch->message, sizeof batch->message, "%s", kf_last_error());
    return NULL;
}

void *kf_batch_array(kf_batch *batch, const char *name, kf_dtype dtype, const kf_shape *shape) {
    const int64_t count =
        shape->rank >= 1 && shape->rank <= KF_MAX_RANK ? kfi_shape_count(shape) : -1;
    if (count < 0 || !kf_dtype_size(dtype))
        return refuse(batch, kfi_fail(KF_USAGE,
                                      "%s: an array needs a samples axis, a fixed shape "
                                      "and an element type",
                                      name ? name : "a batch"));
    if (batch->n == KFI_MAX_BATCH_FIELDS)
        return refuse(batch,
                      kfi_fail(KF_USAGE, "a batch has more than %d arrays", KFI_MAX_BATCH_FIELDS));
    const int32_t i = batch->n;
    char *copy = name ? kfi_strdup(name) : NULL;
    if ((name && !copy) || !grow(&batch->given[i], (size_t)count * kf_dtype_size(dtype))) {
        kfi_free(copy);
        return refuse(batch, KF_MEMORY);
    }
    batch->names[i] = copy;
    batch->arrays[i] =
        (kf_array){.name = copy, .data = batch->given[i].data, .dtype = dtype, .shape = *shape};
    batch->n++;
    return batch->given[i].data;
}

kf_status kf_batch_copy(kf_batch *batch, const kf_array *array) {
    void *to = kf_batch_array(batch, array->name, array->dtype, &array->shape);
    if (!to) return batch->status;
    memcpy(to, array->data, (size_t)kfi_shape_count(&array->shape) * kf_dtype_size(array->dtype));
    return KF_OK;
}

static kf_status read_batch(kf_batch *batch, kf_dataset *arrays, const kfi_ports *ports,
                            const kfi_class_weights *classes, int64_t number) {
    kfi_feed feed;
    kf_status status = kfi_feed_match(ports, arrays, &feed);
    if (status == KF_OK && classes) status = kfi_feed_weigh(&feed, classes);
    if (status != KF_OK) return status;
    batch->rows = arrays->samples;
    batch->ports = feed.ports;
    batch->unweighed = feed.unweighed;
    if (batch->rows == 0) return kfi_fail(KF_INVALID, "it has no samples");
    for (int32_t i = 0; i < feed.ports.n; i++) {
        if (!grow(&batch->ready[i], (size_t)batch->rows * feed.row_bytes[i])) return KF_MEMORY;
        batch->data[i] = batch->ready[i].data;
    }
    return kfi_feed_read(&feed, &(kfi_rows){.batch = number}, batch->rows, batch->data);
}

kf_status kfi_batch_finish(kf_batch *batch, const kfi_ports *ports,
                           const kfi_class_weights *classes, int64_t number) {
    if (batch->status != KF_OK) return kfi_fail(batch->status, "%s", batch->message);
    if (batch->n == 0)
        return kfi_fail(
            KF_INVALID,
            "Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. "
            "Found: no array in batch %lld",
            (long long)number);
    kf_dataset *arrays = kf_dataset_arrays(batch->arrays, batch->n);
    if (!arrays) return kfi_within(kf_last_status(), "batch %lld: ", (long long)number);
    const kf_status status = read_batch(batch, arrays, ports, classes, number);
    kf_dataset_free(arrays);
    return kfi_within(status, "batch %lld: ", (long long)number);
}

kf_status kf_fail(kf_status status, const char *message) { return kfi_fail(status, "%s", message); }
