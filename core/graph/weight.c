#include "core/graph/weight.h"

#include "core/base/memory.h"

#include <string.h>

kf_status kfi_weight_new(const char *name, const kf_shape *shape, kf_weight **weight) {
    *weight = NULL;
    const int64_t count = kfi_shape_count(shape);
    if (count < 0)
        return kfi_fail(KF_INVALID, "%s: a weight of shape %s cannot be made", name,
                        kfi_shape_string(shape));
    kf_weight *made = kfi_alloc(1, sizeof *made);
    if (!made) return KF_MEMORY;
    made->shape = *shape;
    made->count = count;
    made->trainable = true;
    made->name = kfi_strdup(name);
    made->data = kfi_alloc_buffer((size_t)count * sizeof(float));
    if (!made->name || !made->data) {
        kfi_weight_free(made);
        return KF_MEMORY;
    }
    memset(made->data, 0, (size_t)count * sizeof(float));
    *weight = made;
    return KF_OK;
}

void kfi_weight_free(kf_weight *weight) {
    if (!weight) return;
    kfi_free(weight->name);
    kfi_free_buffer(weight->data, (size_t)weight->count * sizeof(float));
    kfi_free(weight);
}

const char *kf_weight_name(const kf_weight *weight) { return weight->name; }
kf_shape kf_weight_shape(const kf_weight *weight) { return weight->shape; }
bool kf_weight_trainable(const kf_weight *weight) { return weight->trainable; }

static kf_status check_count(const kf_weight *weight, int64_t count) {
    if (count == weight->count) return KF_OK;
    return kfi_fail(KF_USAGE, "%s has %lld elements (shape %s), got %lld", weight->name,
                    (long long)weight->count, kfi_shape_string(&weight->shape), (long long)count);
}

kf_status kf_weight_get(const kf_weight *weight, float *out, int64_t count) {
    const kf_status status = check_count(weight, count);
    if (status == KF_OK) memcpy(out, weight->data, (size_t)count * sizeof(float));
    return status;
}

kf_status kf_weight_set(kf_weight *weight, const float *values, int64_t count) {
    const kf_status status = check_count(weight, count);
    if (status == KF_OK) memcpy(weight->data, values, (size_t)count * sizeof(float));
    return status;
}
